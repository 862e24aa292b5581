"""Rounds, and what is told of them: medians, least and most, ratios to a contestant of the same round. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Round:
    """One contestant, measured once. cpu_s: of the server's processes. helper_cpu_s: of a store beside it."""

    requests: int
    seconds: float
    cpu_s: float
    helper_cpu_s: float = 0.0
    p50_us: int = 0
    p90_us: int = 0
    p99_us: int = 0
    max_us: int = 0

    @property
    def per_cpu_s(self) -> float:
        return self.requests / max(self.cpu_s, 0.01)

    @property
    def per_s(self) -> float:
        return self.requests / max(self.seconds, 0.001)

    @property
    def us_each(self) -> float:
        """Microseconds of the server's processors for one request."""
        return self.cpu_s * 1e6 / max(self.requests, 1)


# By contestant, in the order of the report; of each, one for every round, in order of time.
Series = Mapping[str, Sequence[Round]]


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the least and the most beside it."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Raises `ValueError` without any."""
        if not values:
            raise ValueError("nothing was measured")
        return cls(median(values), min(values), max(values))


def ratios(mine: Sequence[Round], reference: Sequence[Round]) -> Spread:
    """Requests per processor second against the reference's in the same round: what disturbs both cancels out."""
    return Spread.of([one.per_cpu_s / other.per_cpu_s for one, other in zip(mine, reference, strict=True)])


def slowdowns(mine: Sequence[Round], reference: Sequence[Round], base: Sequence[Round]) -> Spread:
    """What `mine` adds to the median latency of `base`, against what the reference adds to it, in the same round.

    Where the reference adds nothing that could be measured, 1 us counts.
    """
    triples = zip(mine, reference, base, strict=True)
    return Spread.of(
        [max(one.p50_us - bare.p50_us, 1) / max(other.p50_us - bare.p50_us, 1) for one, other, bare in triples]
    )
