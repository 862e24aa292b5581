"""How long a waiting person may have to wait. Pure integers, milliseconds.

A wait is told as a range: about a tenth are called before it, and a tenth after. Two things keep a place from being
called, and each is followed through the schedule to come: the *outflow*, which calls so many people a minute as it
takes for so many to come, and the *seats*, of which as many come free as people leave. The later of the two decides.

What is not known widens the range: how many of the called come late or never (`surely`), how long people stay inside,
the chance of seats coming free, and how far estimates shown before turned out wrong (`Spread`).
"""

from dataclasses import dataclass
from math import isqrt
from typing import Final

from gateway.room.model import Limits, Snapshot, limits_in_force
from gateway.room.policy import CERTAIN, LEAST_CHANCE, SOON_S, chances, surely
from gateway.room.schedule import Phase, look
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


@dataclass(frozen=True, slots=True)
class _Pace:
    """People called per minute, in millionths: as the outflow has it, and, for each seat, as leaving has it.

    chance: that a called person comes, in ppm.
    """

    chance: int
    per_seat: int

    def outflow(self, limits: Limits) -> int:
        return limits.new_users_per_minute * 1_000_000 * CERTAIN // self.chance

    def seats(self, limits: Limits) -> int:
        return limits.total_active_users * self.per_seat


def wait_range(room: Snapshot, ahead: int) -> tuple[int, int] | None:
    """Lowest and highest likely time from now until the call, with `ahead` people before one.

    None when it cannot be told: nobody is called, or the schedule may end before.
    """
    if room.state not in _FORESEEN:
        return None
    limits = room.in_force
    by_age = chances(room.curve, limits.claim_window_ms)
    chance = max(by_age[0], LEAST_CHANCE)
    certain = min(max(surely(room.curve, limits.claim_window_ms), LEAST_CHANCE), chance)
    free = limits.total_active_users - room.live - room.lane_granted - room.lane_waiting
    free -= _just_called(room) * chance // CERTAIN
    fast, slow = _per_seat(room, limits, chance, certain, full=free * FULL_PART < limits.total_active_users)
    spread = Spread.learned(room)
    people = ahead + 1
    low = _until(room, people, free, _Pace(certain, fast), 100 - spread.sooner, -TENTH_PERCENT)
    high = _until(room, people, free, _Pace(chance, slow), 100 + spread.later, TENTH_PERCENT)
    # Even if nobody leaves before the end of a session.
    longest = _until(room, people, 0, _Pace(CERTAIN, _PERSON // limits.session_length_ms), 100, 0)
    if low is None or high is None or longest is None:
        return None
    by_outflow = _follow(room, people * _PERSON * (100 + spread.later) // 100, _Pace(chance, 0), by_seats=False)
    high = min(high, max(longest, by_outflow or 0))
    return min(low, high), high


def _just_called(room: Snapshot) -> int:
    """People called within `SOON_S` who have not come: those who come at all are on their way."""
    people = 0
    for call in reversed(room.calls):
        if room.call_clock_ms - call.called_at_ms > SOON_S * 1000:
            break
        people += call.remaining
    return people


def _per_seat(room: Snapshot, limits: Limits, chance: int, certain: int, *, full: bool) -> tuple[int, int]:
    """At most and at least, people called per minute (in millionths) for each seat, since its holder leaves.

    From how long people have stayed so far. In a full room the pace measured lately moves the end that lies on its
    side half the way: it swings with who came in together, and is news where visits have become shorter or longer.
    """
    mean_ms, left = stay_ms(room)
    swing = TENTH_PERCENT * 10 // isqrt(100 * (left + 1))
    least_ms = mean_ms * 100 // (100 + swing)
    most_ms = min(mean_ms * (100 + swing) // 100, limits.session_length_ms)
    fast = _PERSON * CERTAIN // (max(least_ms, 1) * certain)
    slow = _PERSON * CERTAIN // (max(most_ms, 1) * chance)
    if full and room.pace_milli > 0:
        measured = room.pace_milli * 1000 // max(limits.total_active_users, 1)
        fast, slow = max(fast, (fast + measured) // 2), min(slow, (slow + measured) // 2)
    return fast, slow


def _until(room: Snapshot, people: int, free: int, pace: _Pace, percent: int, swing: int) -> int | None:
    """From now until so many have been called, by outflow and by seats; None if not by this schedule.

    free: seats; below 0 if more wait at the door. percent: of the work to count with. swing: by how many percent of
    one standard deviation seats come free later.
    """
    by_outflow = _follow(room, people * _PERSON * percent // 100, pace, by_seats=False)
    waited_for = max(people - max(free, 0) * CERTAIN // pace.chance, 0) + max(-free, 0)
    work = waited_for * _PERSON * percent // 100
    come = max(waited_for * pace.chance // CERTAIN, 1)
    work = max(work + work * swing // isqrt(10_000 * come), 0)
    by_seats = _follow(room, work, pace, by_seats=True)
    return None if by_outflow is None or by_seats is None else max(by_outflow, by_seats)


def _follow(room: Snapshot, work: int, pace: _Pace, *, by_seats: bool) -> int | None:
    """From now until `work` is done: a pace for each stretch of the timetable, none while no window is open."""
    limits = room.limits
    moments = {change.at_ms for change in limits.timetable}
    moments |= {edge for window in limits.windows for edge in (window.opens_at_ms, window.closes_at_ms) if edge}
    at_ms, ceiling = room.now_ms, room.in_force.total_active_users
    for until_ms in (*sorted(moment for moment in moments if moment > room.now_ms), None):
        there = limits_in_force(limits, at_ms)
        if by_seats:
            # A ceiling that is raised gives seats at once, a lowered one takes them.
            work = max(work - (there.total_active_users - ceiling) * _PERSON * CERTAIN // pace.chance, 0)
            ceiling = there.total_active_users
        is_open = look(limits.windows, limits.prequeue_ms, at_ms).phase is Phase.OPEN
        rate = (pace.seats(there) if by_seats else pace.outflow(there)) if is_open else 0
        if is_open and work <= 0:
            return at_ms - room.now_ms
        if rate and (until_ms is None or work <= rate * (until_ms - at_ms)):
            return at_ms - room.now_ms + work // rate
        if until_ms is None:
            break
        work -= rate * (until_ms - at_ms)
        at_ms = until_ms
    return None
