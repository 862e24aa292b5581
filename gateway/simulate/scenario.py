"""An evening as a plan of numbers: who comes when, how they behave, what fails, what the operators do. Pure.

Moments are milliseconds of the evening: 0 is when people may begin to line up. The crowd is a model, and says so: of
19 July 2021 the moments, ten million requests, six million waiting, 1,505,074 entitled and a site sized for about
300,000 at once are known (Doctors' News of 20 July 2021; Segye, Newsis, wowTV, Sisa News, ZDNet Korea and YTN of July
and August 2021). How many came in which minute, how long they stayed and how many had gone is not, and is set here.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.room.model import MAX_STEP_MS, Limits

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE


@dataclass(frozen=True, slots=True)
class Habits:
    """How people behave. Shares are parts of one, times milliseconds.

    fleeting: of arrivals, who never bring their knock back and so get no number. cheat: of arrivals, who try a trick as
    well. leave_per_hour: of those who wait, who give their place up. gone_at_once: of those with a number, who close
    the page without a word; gone_after_ms: of the others, how long they keep it open on average, once the line has
    begun to move or not. dawdle: of the called who come, who come late, by dawdle_ms on average. walk_off: of those
    inside, who close the page without an end. stay_ms: how long a visit takes on average.
    """

    fleeting: float = 0.14
    cheat: float = 0.02
    leave_per_hour: float = 0.03
    gone_at_once: float = 0.05
    gone_after_ms: int = 6 * HOUR
    dawdle: float = 0.06
    dawdle_ms: int = 45_000
    walk_off: float = 0.03
    stay_ms: int = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class Scenario:
    """arrivals: in all. curve: points of (moment, share of the arrivals that has come by then), in order.

    begins_ms: wall clock of moment 0. opens_ms: as announced. fails_ms: from then on the backend answers nobody, until
    it opens again. postponed_ms: when the operators move the opening to reopens_ms. limits: all but the windows.
    times_faster: than the evening it was made of.
    """

    name: str
    begins_ms: int
    ends_ms: int
    opens_ms: int
    fails_ms: int
    postponed_ms: int
    reopens_ms: int
    arrivals: int
    curve: Sequence[tuple[int, float]]
    habits: Habits
    limits: Limits
    gateways: int = 4
    step_ms: int = 1_000
    seed: int = 20_210_719
    times_faster: int = 1

    @property
    def steps(self) -> int:
        return self.ends_ms // self.step_ms

    def come_by(self, at_ms: int) -> int:
        """How many have come by a moment."""
        index = bisect_right(self.curve, at_ms, key=lambda point: point[0])
        if index == 0:
            return 0
        if index == len(self.curve):
            return self.arrivals
        (from_ms, low), (to_ms, high) = self.curve[index - 1 : index + 1]
        return round(self.arrivals * (low + (high - low) * (at_ms - from_ms) / (to_ms - from_ms)))

    def backend_works(self, at_ms: int) -> bool:
        return not self.fails_ms <= at_ms < self.reopens_ms

    def moves(self, at_ms: int) -> bool:
        """Whether the room admits anybody, by what is announced and by what the operators do."""
        return self.opens_ms <= at_ms < self.postponed_ms or at_ms >= self.reopens_ms

    def scaled(self, scale: float) -> "Scenario":
        """So many times as many people, seats and admissions; the same times."""
        limits = replace(
            self.limits,
            total_active_users=max(1, round(self.limits.total_active_users * scale)),
            new_users_per_minute=max(1, round(self.limits.new_users_per_minute * scale)),
        )
        return replace(self, arrivals=max(1, round(self.arrivals * scale)), limits=limits)

    def faster(self, times: int) -> "Scenario":
        """The same people in an evening so many times shorter, for tests; as many are let in and inside as before."""
        moments = {
            name: getattr(self, name) // times
            for name in ("ends_ms", "opens_ms", "fails_ms", "postponed_ms", "reopens_ms")
        }
        lasts = {
            name: getattr(self.limits, name) // times
            for name in ("claim_window_ms", "session_length_ms", "idle_limit_ms", "unserved_limit_ms")
        }
        habits = replace(
            self.habits,
            leave_per_hour=self.habits.leave_per_hour * times,
            gone_after_ms=self.habits.gone_after_ms // times,
            dawdle_ms=self.habits.dawdle_ms // times,
            stay_ms=self.habits.stay_ms // times,
        )
        outflow = self.limits.new_users_per_minute * times
        return replace(
            self,
            **moments,
            curve=[(at_ms // times, share) for at_ms, share in self.curve],
            habits=habits,
            times_faster=self.times_faster * times,
            limits=replace(self.limits, new_users_per_minute=outflow, **lasts),
        )


def _at(hour: int, minute: int) -> int:
    """Of the evening, which begins at 19:00."""
    return (hour - 19) * HOUR + minute * MINUTE


JULY_19: Final = Scenario(
    name="july19",
    begins_ms=1_626_688_800_000,  # 19 July 2021, 19:00 in Korea
    ends_ms=_at(24, 0),
    opens_ms=_at(20, 0),
    fails_ms=_at(20, 46),
    postponed_ms=_at(20, 48),
    reopens_ms=_at(22, 0),
    arrivals=10_000_000,
    curve=(
        (0, 0.0),
        (_at(19, 30), 0.03),
        (_at(19, 50), 0.08),
        (_at(19, 59), 0.15),
        (_at(20, 0), 0.18),
        (_at(20, 1), 0.30),
        (_at(20, 3), 0.45),
        (_at(20, 10), 0.64),
        (_at(20, 30), 0.75),
        (_at(20, 48), 0.80),
        (_at(21, 30), 0.86),
        (_at(21, 58), 0.93),
        (_at(22, 5), 0.97),
        (_at(24, 0), 1.0),
    ),
    habits=Habits(),
    limits=Limits(
        total_active_users=300_000,
        new_users_per_minute=24_000,
        claim_window_ms=5 * MINUTE,
        session_length_ms=45 * MINUTE,
        idle_limit_ms=20 * MINUTE,
        prequeue_ms=60 * MINUTE,
    ),
)

SCENARIOS: Final = {JULY_19.name: JULY_19}


def problems(scenario: Scenario) -> list[str]:
    """What is wrong with a scenario that was changed on the command line."""
    found = []
    if not 1 <= scenario.step_ms <= MAX_STEP_MS:
        found.append(f"a step takes 1 to {MAX_STEP_MS} ms: a tick that comes later has lost the time")
    if scenario.gateways < 1:
        found.append("at least one gateway has to tick")
    if scenario.arrivals < 1:
        found.append("nobody comes")
    return found
