"""How long a waiting person may have to wait. Pure integers, milliseconds.

A wait is told as a range: about a tenth are called before it, and a tenth after. Two things keep a place from being
called, and each is followed through the schedule to come: the *outflow*, which calls so many people a minute as it
takes for so many to come, and the *seats*, of which as many come free as people leave. The later of the two decides.

What is not known widens the range: how many of the called come late or never (`surely`), how long people stay inside,
the chance of seats coming free, how many of those ahead give up meanwhile, and how far estimates shown before turned
out wrong (`Spread`).
"""

# ruff: noqa: FURB136 - each poll asks for this, and `min` and `max` would take as long as all the rest of it
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

from gateway.room.course import Course, Stretch
from gateway.room.estimate import people_ahead
from gateway.room.model import Snapshot
from gateway.room.policy import CERTAIN, LEAST_CHANCE, SOON_S, chances, surely
from gateway.room.stay import stay_ms
from shared.wire import RoomState

# A tenth of exponential times in sequence is beyond 1.28 standard deviations: one in the square root of their number.
TENTH_PERCENT: Final = 128

# In these states a room calls, or will by its schedule; in the others nobody can say.
_FORESEEN: Final = frozenset({RoomState.OPEN, RoomState.PREQUEUE, RoomState.EARLY})

# Paces are counted in millionths of a person per minute, work in such x ms.
_PERSON: Final = 1_000_000 * 60_000

# With fewer free seats than one in so many the room is full: then the pace at which it calls is that of leaving.
FULL_PART: Final = 10

# What became of an estimate: the counters `estimate.within` and so on.
RESULTS: Final = ("within", "earlier", "later")
# What is known before any was graded counts as much as so many.
UNLEARNED: Final = 50
# An end moves out by `GAIN` percent for each percent of the graded, beyond a tenth, that it missed; in likewise.
USUAL_PERCENT: Final = 12
LEAST_PERCENT: Final = 5
GAIN: Final = 4

# So many of those who wait may close the page in an hour: who waits for one has half as many fewer before them, on
# average. It counts for waits up to the longest.
GIVE_UP_PERCENT: Final = 25
GIVE_UP_MS: Final = 3 * 3_600_000


@dataclass(frozen=True, slots=True)
class Spread:
    """How much sooner and later than forecast it may be, in percent of the work: learned from graded estimates.

    A tenth should have been called earlier than they were told, a tenth later. Where more were, that end moves out.
    """

    sooner: int
    later: int

    @classmethod
    def learned(cls, room: Snapshot) -> "Spread":
        within, earlier, later = (max(room.counters.get(f"estimate.{end}", 0), 0) for end in RESULTS)
        graded = within + earlier + later + UNLEARNED
        return cls(_percent(earlier, graded, 60), _percent(later, graded, 150))


def _percent(missed: int, graded: int, most: int) -> int:
    over = 100 * (missed + UNLEARNED // 10) // graded - 10
    return min(max(USUAL_PERCENT + GAIN * over, LEAST_PERCENT), most)


# One after the other: until when (None: for ever), whether anybody is called in it, how much work is done in a
# millisecond, and how much is done as it begins.
_Legs = Sequence[tuple[int | None, bool, int, int]]


@dataclass(frozen=True, slots=True)
class _Pace:
    """How work gets done in the stretches to come: as the outflow has it, and as the leaving of people has it.

    chance: that a called person comes, in ppm.
    """

    chance: int
    outflow: _Legs
    seats: _Legs

    @classmethod
    def of(cls, ahead: Sequence[Stretch], chance: int, per_seat: int) -> "_Pace":
        """per_seat: people called per minute for each seat, in millionths."""
        outflow = [
            (stretch.until_ms, stretch.is_open, stretch.outflow * 1_000_000 * CERTAIN // chance * stretch.is_open, 0)
            for stretch in ahead
        ]
        # A ceiling that is raised gives seats at once, a lowered one takes them.
        before = (ahead[0], *ahead)
        seats = [
            (
                stretch.until_ms,
                stretch.is_open,
                stretch.ceiling * per_seat * stretch.is_open,
                (stretch.ceiling - last.ceiling) * _PERSON * CERTAIN // chance,
            )
            for last, stretch in zip(before, ahead, strict=False)
        ]
        return cls(chance, outflow, seats)


class _End:
    """One end of the range. free: seats; below 0 if more wait at the door. percent: of the work to count with.

    swing: by how many percent of one standard deviation seats come free later.
    """

    __slots__ = ("_chance", "_free", "_outflow", "_owed", "_seats", "_straight", "_swing", "_unit")

    def __init__(self, pace: _Pace, *, free: int, percent: int, swing: int) -> None:
        self._unit = _PERSON * percent // 100  # which leaves no rest
        self._swing = swing
        self._chance = pace.chance
        self._free, self._owed = max(free, 0) * CERTAIN // pace.chance, max(-free, 0)
        self._outflow, self._seats = pace.outflow, pace.seats
        # Nearly always one leg is left, which never ends: then both are one division.
        (until_ms, is_open, out, _), (_, _, seats, _) = pace.outflow[0], pace.seats[0]
        self._straight = (out, seats) if until_ms is None and is_open and out and seats else None

    def until(self, now_ms: int, people: int) -> tuple[int | None, int | None]:
        """From now until so many have been called, by outflow and by seats; None if not by this schedule."""
        by_outflow = people * self._unit
        waited_for = (people - self._free if people > self._free else 0) + self._owed
        by_seats = waited_for * self._unit
        if self._swing:
            come = waited_for * self._chance // CERTAIN or 1
            by_seats += by_seats * self._swing // isqrt(10_000 * come)
            by_seats = by_seats if by_seats > 0 else 0
        if self._straight is not None:
            out, seats = self._straight
            return by_outflow // out, by_seats // seats
        return _follow(self._outflow, now_ms, by_outflow), _follow(self._seats, now_ms, by_seats)


def wait_range(room: Snapshot, ahead: int) -> tuple[int, int] | None:
    """As `Forecast.wait_range`, for one question."""
    return Forecast(room).wait_range(room, ahead)


class Forecast:
    """What all waits in a room are told from: worked out once for a snapshot, not for each of those who wait."""

    def __init__(self, room: Snapshot, course: Course | None = None) -> None:
        self._course = Course(room.limits) if course is None or course.limits is not room.limits else course
        self._basis = _basis(room)
        self._index = self._course.at(room.now_ms)
        self._ahead = self._course.since(self._index)
        window_ms, ceiling = room.limits.claim_window_ms, self._ahead[0].ceiling
        chance = max(chances(room.curve, window_ms)[0], LEAST_CHANCE)
        certain = min(max(surely(room.curve, window_ms), LEAST_CHANCE), chance)
        free = ceiling - room.live - room.lane_granted - room.lane_waiting
        free -= _just_called(room) * chance // CERTAIN
        fast, slow = _per_seat(room, ceiling, chance, certain, full=free * FULL_PART < ceiling)
        spread, ahead = Spread.learned(room), self._ahead
        self._low = _End(_Pace.of(ahead, certain, fast), free=free, percent=100 - spread.sooner, swing=-TENTH_PERCENT)
        self._high = _End(_Pace.of(ahead, chance, slow), free=free, percent=100 + spread.later, swing=TENTH_PERCENT)
        # Even if nobody leaves before the end of a session.
        longest = _Pace.of(ahead, CERTAIN, _PERSON // room.limits.session_length_ms)
        self._longest = _End(longest, free=0, percent=100, swing=0)

    def of(self, room: Snapshot) -> "Forecast":
        """This, or the one to go on with where anything but the moment has changed."""
        same = self._basis == _basis(room) and self._index == self._course.at(room.now_ms)
        return self if same else Forecast(room, self._course)

    def wait_range(self, room: Snapshot, ahead: int) -> tuple[int, int] | None:
        """Lowest and highest likely time from now until the call, with `ahead` people before one.

        room: what this is `of`. None when it cannot be told: nobody is called, or the schedule may end before.
        """
        if room.state not in _FORESEEN:
            return None
        now_ms, people = room.now_ms, ahead + 1
        low_out, low_seats = self._low.until(now_ms, people)
        high_out, high_seats = self._high.until(now_ms, people)
        last_out, last_seats = self._longest.until(now_ms, people)
        if low_out is None or low_seats is None or high_out is None or high_seats is None:
            return None
        if last_out is None or last_seats is None:
            return None
        last = last_out if last_out > last_seats else last_seats
        by_seats = high_seats if high_seats < last else last
        high = high_out if high_out > by_seats else by_seats
        low = self._low_of_fewer(now_ms, people, low_out if low_out > low_seats else low_seats)
        return low if low < high else high, high

    def _low_of_fewer(self, now_ms: int, people: int, low_ms: int) -> int:
        """The low end, if as many give up in that time as may; the high end is as if nobody did."""
        within_ms = low_ms if low_ms < GIVE_UP_MS else GIVE_UP_MS
        fewer = people - people * GIVE_UP_PERCENT * within_ms // (100 * 2 * 3_600_000)
        if fewer == people:
            return low_ms
        by_outflow, by_seats = self._low.until(now_ms, fewer)
        return low_ms if by_outflow is None or by_seats is None else max(by_outflow, by_seats)


def _basis(room: Snapshot) -> tuple[object, ...]:
    """All of a snapshot that a forecast rests on, but for the moment."""
    return (
        room.limits, room.curve, room.counters, room.calls, room.call_clock_ms, room.live, room.lane_waiting,
        room.lane_granted, room.pace_milli,
    )  # fmt: skip


def _just_called(room: Snapshot) -> int:
    """People called within `SOON_S` who have not come: those who come at all are on their way."""
    people = 0
    for call in reversed(room.calls):
        if room.call_clock_ms - call.called_at_ms > SOON_S * 1000:
            break
        people += call.remaining
    return people


def _per_seat(room: Snapshot, ceiling: int, chance: int, certain: int, *, full: bool) -> tuple[int, int]:
    """At most and at least, people called per minute (in millionths) for each seat, since its holder leaves.

    From how long people have stayed so far. In a full room the pace measured lately moves the end that lies on its
    side half the way: it swings with who came in together, and is news where visits have become shorter or longer.
    """
    mean_ms, left = stay_ms(room)
    swing = TENTH_PERCENT * 10 // isqrt(100 * (left + 1))
    least_ms = mean_ms * 100 // (100 + swing)
    most_ms = min(mean_ms * (100 + swing) // 100, room.limits.session_length_ms)
    fast = _PERSON * CERTAIN // (max(least_ms, 1) * certain)
    slow = _PERSON * CERTAIN // (max(most_ms, 1) * chance)
    if full and room.pace_milli > 0:
        measured = room.pace_milli * 1000 // max(ceiling, 1)
        fast, slow = max(fast, (fast + measured) // 2), min(slow, (slow + measured) // 2)
    return fast, slow


def _follow(legs: _Legs, now_ms: int, work: int) -> int | None:
    """From now until `work` is done; None if it never is."""
    at_ms = now_ms
    for until_ms, is_open, rate, at_once in legs:
        if at_once:
            work = max(work - at_once, 0)
        if is_open and work <= 0:
            return at_ms - now_ms
        if rate and (until_ms is None or work <= rate * (until_ms - at_ms)):
            return at_ms - now_ms + work // rate
        if until_ms is None:
            break
        work -= rate * (until_ms - at_ms)
        at_ms = until_ms
    return None


def wait_of_last(room: Snapshot) -> tuple[int, int] | None:
    """What the last in line is told: the lowest and highest likely wait. None if nobody waits, or nobody can say."""
    return wait_range(room, people_ahead(room, room.tail)) if room.waiting else None
