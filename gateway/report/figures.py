"""The report's figures, from what the audit log adds up to and from points of history. Pure."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from gateway.points import SUMS, Point, counted, names, total
from gateway.report.tally import Tally

PERCENTILES: Final = (10, 50, 90, 95, 99, 100)
# Where no history says how many places were called within a claim window.
USUAL_APART: Final = 1_000


@dataclass(frozen=True, slots=True)
class Log:
    """One audit log: whether its chain holds, and what was found, in words."""

    name: str
    holds: bool
    told: Sequence[str]


@dataclass(frozen=True, slots=True)
class Report:
    """base, points: of the time, none if no history was kept. fine: the same, closer together, for what was most.

    apart_from_history: whether the distance beyond which nobody may be overtaken was measured.
    """

    room: str
    title: dict[str, str]
    zone: tzinfo
    made_ms: int
    tally: Tally
    logs: Sequence[Log]
    base: Point | None
    points: Sequence[Point]
    fine: Sequence[Point]
    apart_from_history: bool

    @property
    def holds(self) -> bool:
        """Whether every log holds, and there is one."""
        return bool(self.logs) and all(log.holds for log in self.logs)

    @property
    def admitted(self) -> int:
        return self.tally.admitted.total()

    def gained(self, name: str) -> int | None:
        """How many were counted in the time, by the history; None without one."""
        known = ([self.base] if self.base is not None else []) + list(self.fine)
        if not known:
            return None
        found = 0
        for before, after in itertools.pairwise(known):
            number = counted(before, after, name)
            # Counts that began anew began from nothing.
            found += number if number is not None else total(after, name)
        return found

    def kinds(self, prefix: str) -> dict[str, int]:
        """The counters that begin so, by the rest of their names: what they gained, if anything."""
        kinds = [name for name in names(self.fine) if name.startswith(prefix)]
        gained = {name.removeprefix(prefix): self.gained(name) or 0 for name in kinds}
        return {kind: number for kind, number in gained.items() if number}

    def sums(self) -> dict[str, int | None]:
        return {name: self.gained(name) for name in ("arrivals", *SUMS)}


def places_in_a_window(points: Sequence[Point]) -> int | None:
    """Most places called within one claim window, give or take a point at either end; None if nobody was called."""
    most, first = 0, 0
    for last, after in enumerate(points):
        while (
            points[first].epoch != after.epoch
            or after.at_ms - points[first].at_ms > after.claim_window_ms + _pause(points, last)
        ) and first < last:
            first += 1
        most = max(most, after.serving - points[first].serving)
    return most or None


def _pause(points: Sequence[Point], index: int) -> int:
    return 2 * (points[index].at_ms - points[index - 1].at_ms) if index else 0
