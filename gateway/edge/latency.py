"""How long the backend takes to answer, as percentiles of what was measured since they were last asked for."""

from collections import Counter
from math import log2
from typing import Final

# Bins an eighth of a doubling wide: a percentile is told up to 9 % too high, from less than 200 numbers.
_PER_DOUBLING: Final = 8


class Latency:
    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        self._bins[int(log2(max(seconds, 0.0) * 1000 + 1) * _PER_DOUBLING)] += 1

    def take(self) -> tuple[int, int] | None:
        """Median and 95th percentile in ms since the last call; None if nothing was measured."""
        bins, self._bins = self._bins, Counter()
        total = bins.total()
        return (_percentile(bins, total * 50 / 100), _percentile(bins, total * 95 / 100)) if total else None


def _percentile(bins: Counter[int], rank: float) -> int:
    seen = 0
    for each in sorted(bins):
        seen += bins[each]
        if seen >= rank:
            break
    return round(2 ** ((each + 1) / _PER_DOUBLING) - 1)
