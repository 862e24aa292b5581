"""A histogram for what happens with every request: an observation is one look-up and two additions.

prometheus_client's own asks its buckets one by one and takes a lock for each number, for programs with threads: some
microseconds, of which a poll would have three. A worker's event loop is one thread.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import inf
from typing import Final

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from gateway.metrics.families import FAMILIES


class Tally:
    """bounds: the buckets' upper ends, ascending; a value that is one belongs to it."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds: Final = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def told(self) -> tuple[list[tuple[str, float]], float]:
        """How many values are at most each bound, the last of which is infinity; and the sum of all."""
        names = [floatToGoString(bound) for bound in (*self._bounds, inf)]  # type: ignore[no-untyped-call] # theirs
        return list(zip(names, accumulate(self._counts), strict=True)), self._sum


def family_of(name: str, tallies: Iterable[tuple[Sequence[str], Tally]]) -> HistogramMetricFamily:
    """A family of the table: by labels, in the table's order."""
    family = FAMILIES[name]
    made = HistogramMetricFamily(name, family.text, labels=family.labels)
    for labels, tally in tallies:
        buckets, total = tally.told()
        made.add_metric(labels, buckets=buckets, sum_value=total)
    return made
