"""When a room is open: windows, the pre-queue before each, and a timetable of limits. Pure, by the store's clock.

    early      before the pre-queue of the next window: nobody can line up yet
    prequeue   people line up; nobody is admitted
    open       from `opens_at_ms` on, until just before `closes_at_ms`
    over       after the last window

Places are kept from window to window: who was not admitted in one waits for the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    EARLY = "early"
    PREQUEUE = "prequeue"
    OPEN = "open"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Window:
    """opens_at_ms: None for always before. closes_at_ms: the first moment at which it is closed; None for never."""

    opens_at_ms: int | None = None
    closes_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Limits from `at_ms` on; None leaves what was."""

    at_ms: int
    new_users_per_minute: int | None = None
    total_active_users: int | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """opens_at_ms, closes_at_ms: of the window that is open or comes next; of the last one once it is over.

    joins_from_ms: when its pre-queue begins; None: it has no beginning.
    """

    phase: Phase
    opens_at_ms: int | None
    closes_at_ms: int | None
    joins_from_ms: int | None


def look(windows: Sequence[Window], prequeue_ms: int | None, now_ms: int) -> Moment:
    """What the schedule says now. prequeue_ms: how long before an opening people may line up; None for any time."""
    for window in windows:
        opens_ms, closes_ms = window.opens_at_ms, window.closes_at_ms
        if closes_ms is not None and now_ms >= closes_ms:
            continue
        joins_ms = None if opens_ms is None or prequeue_ms is None else opens_ms - prequeue_ms
        if opens_ms is None or now_ms >= opens_ms:
            phase = Phase.OPEN
        elif joins_ms is None or now_ms >= joins_ms:
            phase = Phase.PREQUEUE
        else:
            phase = Phase.EARLY
        return Moment(phase, opens_ms, closes_ms, joins_ms)
    last = windows[-1]
    return Moment(Phase.OVER, last.opens_at_ms, last.closes_at_ms, None)


def last_closing(windows: Sequence[Window], now_ms: int) -> int | None:
    """When the last of the windows that are over closed; None if none is."""
    over = [closes for window in windows if (closes := window.closes_at_ms) is not None and closes <= now_ms]
    return max(over, default=None)


def in_force(timetable: Sequence[Change], now_ms: int) -> tuple[int | None, int | None]:
    """Outflow and ceiling that the timetable sets by now; None for what it has not set."""
    outflow = ceiling = None
    for change in timetable:
        if change.at_ms <= now_ms:
            outflow = outflow if change.new_users_per_minute is None else change.new_users_per_minute
            ceiling = ceiling if change.total_active_users is None else change.total_active_users
    return outflow, ceiling


def problems(windows: Sequence[Window], timetable: Sequence[Change]) -> list[str]:
    """What is wrong with a schedule: nothing, if it can be read from first to last in one way."""
    found = []
    before: Window | None = None
    for window in windows:
        opens_ms, closes_ms = window.opens_at_ms, window.closes_at_ms
        if opens_ms is not None and closes_ms is not None and closes_ms <= opens_ms:
            found.append("a window closes before it opens")
        if before is not None:
            if before.closes_at_ms is None:
                found.append("a window follows one that never closes")
            elif opens_ms is None:
                found.append("only the first window may have been open always")
            elif opens_ms < before.closes_at_ms:
                found.append("a window opens before the one in front of it closes")
        before = window
    moments = [change.at_ms for change in timetable]
    if sorted(set(moments)) != moments:
        found.append("the timetable is not in order of time, or has a moment twice")
    if any(change.new_users_per_minute is None and change.total_active_users is None for change in timetable):
        found.append("a line of the timetable changes nothing")
    return found
