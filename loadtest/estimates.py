"""Whether the waits that visitors were shown came true. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from loadtest.evidence import Estimate, Evidence, Finding, Turn, Verdict

# Polls and ticks come in steps: as much sooner or later than the range is still within it.
GRAIN_MS: Final = 1_000
# Of fewer the share says little; below this share the range said nothing.
ENOUGH: Final = 200
LEAST_PERCENT: Final = 50
# A line that lasts for less has only begun to be measured: how long people stay, how many come.
LONG_ENOUGH_MS: Final = 300_000


@dataclass(frozen=True, slots=True)
class Grades:
    within: int
    earlier: int
    later: int

    @property
    def graded(self) -> int:
        return self.within + self.earlier + self.later

    def __str__(self) -> str:
        if not self.graded:
            return "none shown to somebody who was called"
        within, earlier, later = (round(100 * n / self.graded) for n in (self.within, self.earlier, self.later))
        return f"{within} % of {self.graded:,} (earlier {earlier} %, later {later} %)"


def grade(evidence: Evidence) -> Grades:
    """Of each turn that was called, the first estimate and the one at half-way.

    The call came after the last answer "waiting" was asked for and before the visitor learned of it: an estimate is
    wrong only if all of that time lies outside its range. Without those that a change of the settings made void.
    """
    within = earlier = later = 0
    for turn in (turn for journey in evidence.journeys for turn in journey.turns):
        if turn.called_ms is None or turn.waiting_sent_ms is None or not turn.estimates:
            continue
        for shown in _of_interest(turn, turn.called_ms):
            if turn.called_ms < shown.at_ms + shown.low_ms - GRAIN_MS:
                earlier += 1
            elif turn.waiting_sent_ms > shown.at_ms + shown.high_ms + GRAIN_MS:
                later += 1
            else:
                within += 1
    return Grades(within, earlier, later)


def _of_interest(turn: Turn, called_ms: int) -> Iterator[Estimate]:
    valid = [shown for shown in turn.estimates if shown.version == turn.estimates[-1].version]
    yield valid[0]
    half_way_ms = (valid[0].at_ms + called_ms) // 2
    half_way = next((shown for shown in valid[1:] if shown.at_ms >= half_way_ms), None)
    if half_way is not None:
        yield half_way


def _lasted_ms(evidence: Evidence) -> int:
    """From the first estimate shown to the last call."""
    turns = [turn for journey in evidence.journeys for turn in journey.turns if turn.estimates]
    shown = [turn.estimates[0].at_ms for turn in turns]
    called = [turn.called_ms for turn in turns if turn.called_ms is not None]
    return max(called, default=0) - min(shown, default=0)


def check_estimates(evidence: Evidence) -> tuple[Finding, ...]:
    """Nothing where too few were graded to say; no verdict where the line was too short-lived to be known."""
    name = "waits inside the range shown"
    grades = grade(evidence)
    if grades.graded < ENOUGH:
        return ()
    if _lasted_ms(evidence) < LONG_ENOUGH_MS:
        said = f"{grades}; a line of {_lasted_ms(evidence) // 1000} s is too short to judge by"
        return (Finding(6, name, Verdict.UNCHECKED, said, required=False),)
    good = 100 * grades.within >= LEAST_PERCENT * grades.graded
    return (Finding(6, name, Verdict.OK if good else Verdict.BROKEN, str(grades), required=False),)
