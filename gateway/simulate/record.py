"""What an evening is told by: points of its course, and what it came to. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from gateway.room.grading import GRAIN_MS
from gateway.room.model import Snapshot
from gateway.simulate.polls import Polls, Told
from gateway.simulate.scenario import Scenario

# A course has about so many points.
POINTS: Final = 600
_SECOND: Final = 1_000


@dataclass(frozen=True, slots=True)
class Point:
    """waiting, live: as they were at `at_ms`; the others on average since the point before.

    polls, sampled, fixed: a second, as counted, as the sample says, and if all who wait asked every five seconds.
    """

    at_ms: int
    waiting: int
    present: int
    live: int
    ceiling: int
    outflow: int
    admitted_per_minute: float
    joins_per_s: float
    claims_per_s: float
    polls_per_s: float
    sampled_per_s: float
    fixed_per_s: float


class Course:
    """Gathers points and peaks, step by step."""

    def __init__(self, scenario: Scenario) -> None:
        self._step_ms = scenario.step_ms
        self._every = max(1, scenario.steps // POINTS)
        self.points: list[Point] = []
        self.most_waiting = self.most_inside = 0
        # The fullest step of what gateways are asked: a second.
        self.peaks: dict[str, float] = {}
        self._sums: Counter[str] = Counter()
        self._steps = self._admitted = self._sampled = 0
        self._fixed = 0.0

    def add(self, room: Snapshot, at_ms: int, asking: Polls, *, admitted: int, **asked: int) -> None:
        """admitted: in all. asked: in this step, by kind."""
        self.most_waiting = max(self.most_waiting, room.waiting)
        self.most_inside = max(self.most_inside, room.live)
        for kind, number in asked.items():
            self.peaks[kind] = max(self.peaks.get(kind, 0.0), number * _SECOND / self._step_ms)
        self._sums.update(asked)
        self._steps += 1
        if self._steps < self._every:
            return
        seconds = self._steps * self._step_ms / _SECOND
        limits = room.in_force
        self.points.append(
            Point(
                at_ms=at_ms,
                waiting=room.waiting,
                present=asking.present,
                live=room.live,
                ceiling=limits.total_active_users,
                outflow=limits.new_users_per_minute if room.admitting else 0,
                admitted_per_minute=(admitted - self._admitted) / seconds * 60,
                joins_per_s=self._sums["joins"] / seconds,
                claims_per_s=self._sums["claims"] / seconds,
                polls_per_s=self._sums["polls"] / seconds,
                sampled_per_s=(asking.sampled - self._sampled) * asking.share / seconds,
                fixed_per_s=(asking.fixed - self._fixed) / seconds,
            )
        )
        self._admitted, self._sampled, self._fixed = admitted, asking.sampled, asking.fixed
        self._sums.clear()
        self._steps = 0


@dataclass(frozen=True, slots=True)
class Waits:
    """Of those told an estimate at about `at_ms` and called later: medians, in ms."""

    at_ms: int
    low_ms: int
    high_ms: int
    true_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """An evening. totals: by name. grades: of estimates shown, `within`, `earlier`, `later`, `changed`.

    checks: how often each was made. digest: of the whole course: the same on every store. spent: seconds of wall clock
    and of processors. broken: the first check that did not hold, where, and what; the course ends there.
    """

    scenario: Mapping[str, Any]
    store: str
    points: Sequence[Point]
    peaks: Mapping[str, float]
    most_waiting: int
    most_inside: int
    totals: Mapping[str, int]
    tricks: Mapping[str, int]
    refused: Mapping[str, int]
    polls_by_wait: Mapping[str, int]
    grades: Mapping[str, int]
    waits: Sequence[Waits]
    checks: Mapping[str, int]
    digest: str
    spent: Mapping[str, float]
    broken: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def true_waits(
    told: Sequence[Told], called_ms: Mapping[int, int], versions: Mapping[int, int], part_ms: int
) -> list[Waits]:
    """Estimates against what became true, by when they were shown.

    versions: of settings, when each ended; what somebody changed before the call is no estimate that failed.
    """
    parts: dict[int, list[tuple[int, int, int]]] = {}
    for each in told:
        came_ms = called_ms.get(each.place)
        if came_ms is None or came_ms > versions.get(each.version, came_ms):
            continue
        parts.setdefault(each.at_ms // part_ms, []).append((each.low_ms, each.high_ms, came_ms - each.at_ms))
    found = []
    for part, known in sorted(parts.items()):
        low, high, true = (sorted(column)[len(known) // 2] for column in zip(*known, strict=True))
        found.append(Waits(part * part_ms + part_ms // 2, low, high, true))
    return found


def shares(told: Sequence[Told], called_ms: Mapping[int, int], versions: Mapping[int, int]) -> dict[str, int]:
    """Of all estimates that the sample was shown, how many came true."""
    found = {"within": 0, "earlier": 0, "later": 0, "changed": 0}
    for each in told:
        came_ms = called_ms.get(each.place)
        if came_ms is None:
            continue
        waited_ms = came_ms - each.at_ms
        if came_ms > versions.get(each.version, came_ms):
            found["changed"] += 1
        elif waited_ms < each.low_ms - GRAIN_MS:
            found["earlier"] += 1
        elif waited_ms > each.high_ms + GRAIN_MS:
            found["later"] += 1
        else:
            found["within"] += 1
    return found
