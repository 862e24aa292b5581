"""How often those who wait ask, by our schedule and by a fixed one: everybody counted, a sample asked for real. Pure.

Who waits stands in *groups* of neighbours, no longer than a part of the way before them, so that one estimate holds for
all of a group. Of each group it is kept how many ask in which second to come; who asks is told when to ask again by
`gateway.room.estimate`, and the jitter's whole spread is counted, not drawn. Who has closed the page asks no more.

Beside that, one place in so many asks for itself, with jitter drawn, and its estimates are kept and graded: by that
sample the count is checked, and the estimates against what became true.
"""

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from math import exp
from typing import Final

from gateway.room.estimate import JITTER_PERCENT, people_ahead, poll_after, poll_at_opening
from gateway.room.forecast import Forecast
from gateway.room.grading import LOTS, Grades
from gateway.room.model import Snapshot
from gateway.simulate.scenario import HOUR, MINUTE, Habits

FIXED_MS: Final = 5_000
# A group is at most this part (one in ...) as long as the way before it, and no shorter than this.
GROUP_PART: Final = 8
LEAST_GROUP: Final = 32
# An estimate is worked out anew for a group after so many steps; in front of so many people ahead, each step.
STALE_STEPS: Final = 5
# Polls are counted by the wait that was told at least.
BANDS: Final = ((MINUTE, "under 1 min"), (5 * MINUTE, "1-5 min"), (16 * MINUTE, "5-16 min"))
FARTHER: Final = "16 min and more"
UNTOLD: Final = "no wait told"
# Pauses are spread over steps by this grain.
_GRAIN_MS: Final = 50
_LOTS: Final = 64
# Numbers that lie evenly over any range: multiples of 2^32 over the golden ratio.
_EVENLY: Final = tuple(each * 0x9E3779B1 & 0xFFFFFFFF for each in range(41))


@dataclass(slots=True)
class Group:
    """Places first..last; of those who are still there, how many ask in which step (`due`). pause: told lately."""

    first: int
    last: int
    due: Counter[int] = field(default_factory=Counter)
    pause_ms: tuple[int, int] = (0, 0)
    band: str = UNTOLD
    told_step: int = -1


@dataclass(frozen=True, slots=True)
class Told:
    """An estimate that a sampled place was shown."""

    place: int
    at_ms: int
    low_ms: int
    high_ms: int
    version: int


class Polls:
    """share: one place in so many is asked for itself."""

    def __init__(self, habits: Habits, step_ms: int, share: int, seed: int) -> None:
        self._gone_at_once = habits.gone_at_once
        # Closed without a word, or given up: either way nobody asks any more.
        self._closed_per_ms = 1 / habits.gone_after_ms
        self._gone_per_ms = self._closed_per_ms + habits.leave_per_hour / HOUR
        self._step_ms = step_ms
        self.share = share
        self._rng = random.Random(seed)  # noqa: S311 - a sample that can be repeated
        self._groups: list[Group] = []
        self._serving = self._tail = 0
        self.by_band: Counter[str] = Counter()
        self.asked = self.sampled = 0
        self.fixed = 0.0
        self._asks: list[tuple[int, int]] = []
        self.grades = Grades()
        self.told: list[Told] = []
        self.called_ms: dict[int, int] = {}
        self._forecast: Forecast | None = None

    @property
    def present(self) -> int:
        """How many wait and still have the page open."""
        return sum(sum(group.due.values()) for group in self._groups)

    def step(self, room: Snapshot, step: int, at_ms: int, *, waits: Callable[[int], bool]) -> int:
        """All who ask in this step; how many polls that are. room: as it is now. waits: whether a place does."""
        self._forecast = Forecast(room) if self._forecast is None else self._forecast.of(room)
        self._call(room.serving)
        asked = 0
        self._join(room.tail, step, at_ms)
        here = self.present
        self.fixed += here * self._step_ms / FIXED_MS
        for group in self._groups:
            number = group.due.pop(step, 0)
            if number:
                self._ask(group, number, room, step)
                asked += number
        self.asked += asked
        self._sample(room, at_ms, waits)
        return asked

    def _call(self, serving: int) -> None:
        """Who is called waits no more."""
        self._serving = serving
        while self._groups and self._groups[0].first <= serving:
            group = self._groups[0]
            if group.last <= serving:
                self._groups.pop(0)
                continue
            _cut(group, serving, self._rng.random())
        index = 0
        while index < len(self._groups):
            group = self._groups[index]
            size = group.last - group.first + 1
            if size > max(LEAST_GROUP, 2 * (group.first - serving) // GROUP_PART):
                self._groups.insert(index, _split(group))
            else:
                index += 1

    def _join(self, tail: int, step: int, at_ms: int) -> None:
        """Newcomers: they bring their knock back for the number, and so ask for the first time."""
        new = tail - self._tail
        if not new:
            return
        last = self._groups[-1] if self._groups else None
        room = 0 if last is None else (last.first - self._serving) // GROUP_PART - (last.last - last.first + 1)
        if last is None or room < new:
            last = Group(self._tail + 1, tail)
            self._groups.append(last)
        last.last = tail
        last.due[step] += int(new * (1 - self._gone_at_once) + self._rng.random())
        first = -(-(self._tail + 1) // self.share) * self.share
        for place in range(first, tail + 1, self.share):
            if self._rng.random() >= self._gone_at_once:
                heapq.heappush(self._asks, (at_ms, place))
        self._tail = tail

    def _ask(self, group: Group, number: int, room: Snapshot, step: int) -> None:
        """So many of a group ask: told when to come again, over the whole spread of the jitter."""
        if step >= group.told_step + STALE_STEPS or group.first - room.serving < 4 * LEAST_GROUP:
            self._tell(group, room, step)
        self.by_band[group.band] += number
        low_ms, high_ms = group.pause_ms
        # By lot, but as many as there are: what the lots round off is never lost.
        lot = self._rng.random()
        staying = int(number * exp(-(low_ms + high_ms) / 2 * self._gone_per_ms) + self._rng.random())
        due, before = group.due, 0
        for after, share in spread(low_ms // _GRAIN_MS, high_ms // _GRAIN_MS, self._step_ms):
            by_then = int(staying * share + lot)
            if by_then > before:
                due[step + after] += by_then - before
                before = by_then

    def _tell(self, group: Group, room: Snapshot, step: int) -> None:
        middle = (group.first + group.last) // 2
        eta = self._wait(room, middle)
        group.pause_ms, group.band, group.told_step = pauses(room, eta), band(eta), step

    def _wait(self, room: Snapshot, place: int) -> tuple[int, int] | None:
        forecast = self._forecast
        return None if forecast is None else forecast.wait_range(room, people_ahead(room, place))

    def _sample(self, room: Snapshot, at_ms: int, waits: Callable[[int], bool]) -> None:
        share, called = self.share, self.called_ms
        first = (len(called) + 1) * share
        for place in range(first, room.serving + 1, share):
            called[place] = at_ms
        while self._asks and self._asks[0][0] <= at_ms:
            due_ms, place = heapq.heappop(self._asks)
            if not waits(place):
                continue
            self.sampled += 1
            eta = self._wait(room, place)
            jitter = self._rng.getrandbits(32)
            after_ms = poll_at_opening(room, eta, jitter=jitter)
            if after_ms is None:
                after_ms = poll_after(room, eta, jitter=jitter)
            if eta is not None and room.admitting:
                self.told.append(Told(place, at_ms, *eta, room.limits.version))
                self.grades.note(room, place, eta, lot=self._rng.randrange(LOTS))
            if self._rng.random() < exp(-after_ms * self._closed_per_ms):
                heapq.heappush(self._asks, (due_ms + after_ms, place))


def pauses(room: Snapshot, eta: tuple[int, int] | None) -> tuple[int, int]:
    """The shortest and the longest pause that somebody with this estimate may be told."""
    if poll_at_opening(room, eta, jitter=0) is None:
        least_ms = poll_after(room, eta, jitter=0)
        return least_ms, least_ms * (100 + JITTER_PERCENT) // (100 - JITTER_PERCENT)
    told = [poll_at_opening(room, eta, jitter=each) or 0 for each in _EVENLY]
    return min(told), max(told)


@lru_cache(maxsize=65_536)
def spread(low: int, high: int, step_ms: int) -> tuple[tuple[int, float], ...]:
    """In how many steps those ask again who are told a pause from low to high (in grains), all alike: shares, added up.

    They asked at any moment of their step.
    """
    found: defaultdict[int, float] = defaultdict(float)
    for each in range(_LOTS):
        pause_ms = _GRAIN_MS * (low + (high + 1 - low) * (each + 0.5) / _LOTS)
        steps, part = divmod(pause_ms / step_ms, 1)
        found[max(1, int(steps))] += 1 - part
        found[max(1, int(steps) + 1)] += part
    shares: list[tuple[int, float]] = []
    reached = 0.0
    for after in sorted(found):
        reached += found[after] / _LOTS
        shares.append((after, min(reached, 1.0)))
    shares[-1] = (shares[-1][0], 1.0)
    return tuple(shares)


def band(eta: tuple[int, int] | None) -> str:
    if eta is None:
        return UNTOLD
    return next((name for below_ms, name in BANDS if eta[0] < below_ms), FARTHER)


def _cut(group: Group, serving: int, lot: float) -> None:
    """Drop the places up to there, and their part of the polls to come."""
    share = (group.last - serving) / (group.last - group.first + 1)
    due: Counter[int] = Counter()
    reached: float = lot
    for step, number in group.due.items():
        before, reached = int(reached), reached + number * share
        if int(reached) > before:
            due[step] = int(reached) - before
    group.due, group.first = due, serving + 1


def _split(group: Group) -> Group:
    """The first half, which is taken out of the group."""
    half = (group.first + group.last) // 2
    front = Group(group.first, half, Counter(), group.pause_ms, group.band, group.told_step)
    for step, number in group.due.items():
        front.due[step] = number // 2 + (number & step & 1)
    group.due = Counter({step: number - front.due[step] for step, number in group.due.items()})
    group.first = half + 1
    return front
