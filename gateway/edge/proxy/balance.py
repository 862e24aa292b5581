"""Which server is next: pure, so that its fairness can be proven.

Both ways know only *standing* and *share*. Of the servers on offer only those of the best standing count: an unhealthy
one is next only when no healthy one is left (better to try than to refuse everyone), a resting one when nothing else
is. A server's share is 1, and less while it starts slowly (see `health.Health.share`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class Standing(IntEnum):
    """The smaller the better."""

    READY = 0
    UNHEALTHY = 1
    RESTING = 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server on offer. number: its place among all servers; share: above 0, at most 1."""

    number: int
    standing: Standing
    in_flight: int
    share: float


class Balance(Protocol):
    """Chooses among candidates, of which there is at least one, and remembers whose turn it was."""

    def choose(self, candidates: Sequence[Candidate]) -> Candidate: ...


class LeastConnections:
    """The least (in flight + 1) / share is next; equals take turns.

    So what is in flight is split by the shares: nobody has more for his share than any other would have with one more
    (D'Hondt's rule for seats in a parliament). HAProxy's `leastconn` goes by the same quotient.
    """

    def __init__(self) -> None:
        self._last = -1

    def choose(self, candidates: Sequence[Candidate]) -> Candidate:
        def burden(candidate: Candidate) -> tuple[float, bool, int]:
            # Equals: first the numbers after the last one chosen, then from the beginning.
            return (candidate.in_flight + 1) / candidate.share, candidate.number <= self._last, candidate.number

        chosen = min(_best(candidates), key=burden)
        self._last = chosen.number
        return chosen


class RoundRobin:
    """Each in turn, evenly spread even where shares differ: nginx's smooth weighted round robin.

    Each choice credits every candidate with its share; the one with the most is chosen and pays for all.
    """

    def __init__(self) -> None:
        self._credit: dict[int, int] = {}

    def choose(self, candidates: Sequence[Candidate]) -> Candidate:
        best = _best(candidates)
        # Whole thousandths: what is paid is exactly what was credited, however long this runs.
        shares = {candidate.number: max(1, round(1000 * candidate.share)) for candidate in best}
        # Who is not on offer earns nothing meanwhile and owes nothing afterwards.
        self._credit = {number: self._credit.get(number, 0) + share for number, share in shares.items()}
        chosen = max(best, key=lambda candidate: (self._credit[candidate.number], -candidate.number))
        self._credit[chosen.number] -= sum(shares.values())
        return chosen


def _best(candidates: Sequence[Candidate]) -> list[Candidate]:
    standing = min(candidate.standing for candidate in candidates)
    return [candidate for candidate in candidates if candidate.standing is standing]
