"""How long people stay inside, on average since the line began. Pure.

Counted by whoever makes a tick: the seconds that all who were inside have spent there since the last (`inside_s`). Over
those who have left, that is how long one stays; people who are still inside count with the time they have spent. A
reset forgets it (`after_reset`): a rehearsal's visits say nothing of an evening's.
"""

from collections.abc import Mapping
from typing import Final

from gateway.room.model import MAX_STEP_MS, Snapshot, TickPlan

# Counters of the room.
INSIDE_S: Final = "inside_s"
_ADMITTED: Final = "admitted"
# How many had been admitted when the line began.
STAY_FROM: Final = "stay_from"
# Of what was shown to a crowd, and came true or not (`grading.py`).
_GRADED: Final = "estimate."

# Until somebody has left, people are taken to stay for this part (one in ...) of a session.
GUESS_PART: Final = 3


def stay_ms(room: Snapshot) -> tuple[int, int]:
    """The mean stay, never above the session's length, and how many have left so far, on whom it rests."""
    session_ms = room.limits.session_length_ms
    left = max(room.counters.get(_ADMITTED, 0) - room.counters.get(STAY_FROM, 0) - room.live, 0)
    spent_ms = max(room.counters.get(INSIDE_S, 0), 0) * 1000
    return min((spent_ms + session_ms // GUESS_PART) // (left + 1), session_ms), left


def after_reset(counters: Mapping[str, int]) -> dict[str, int]:
    """What a reset leaves of a room's counters: all but what was learned of the crowd that was sent home."""
    kept = {name: number for name, number in counters.items() if name != INSIDE_S and not name.startswith(_GRADED)}
    return {**kept, STAY_FROM: counters[_ADMITTED]} if _ADMITTED in counters else kept


def spent_ms(before: Snapshot, plan: TickPlan) -> int:
    """What this tick adds to the time spent inside, in ms: everybody's."""
    return before.live * min(max(plan.pass_clock_ms - before.pass_clock_ms, 0), MAX_STEP_MS)
