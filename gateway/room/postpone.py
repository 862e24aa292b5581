"""Moving an opening to a later time, before it or while the room is open. Pure.

Everyone keeps number and place, and who is inside keeps the time that was left: all clocks stand still until then.
"""

from dataclasses import replace
from typing import Any

from gateway.room.model import Limits
from gateway.room.schedule import look, problems


class CannotPostpone(ValueError):
    """Says why."""


def postponed(limits: Limits, now_ms: int, opens_at_ms: int) -> dict[str, Any]:
    """The change of `limits` that moves the window which is open now, or comes next, to `opens_at_ms`.

    Raises `CannotPostpone` for a time that has passed, that is earlier than announced, or that the schedule has no
    room for.
    """
    if opens_at_ms <= now_ms:
        raise CannotPostpone("the new opening has passed already")
    windows = list(limits.windows)
    moment = look(windows, limits.prequeue_ms, now_ms)
    index = next((i for i, window in enumerate(windows) if window.opens_at_ms == moment.opens_at_ms), 0)
    if moment.closes_at_ms is not None and moment.closes_at_ms <= now_ms:
        raise CannotPostpone("the last window is over; set a new one")
    if moment.opens_at_ms is not None and opens_at_ms < moment.opens_at_ms:
        raise CannotPostpone("that is before the opening that was announced: people would come too late; set opens_at")
    windows[index] = replace(windows[index], opens_at_ms=opens_at_ms)
    found = problems(windows, limits.timetable)
    if found:
        raise CannotPostpone("; ".join(found))
    # Moved twice, it is still the first announcement that people remember.
    waiting_already = moment.opens_at_ms is not None and moment.opens_at_ms == limits.postponed_to_ms
    moved_from = limits.postponed_from_ms if waiting_already and now_ms < opens_at_ms else moment.opens_at_ms
    return {
        "opens_at_ms": windows[0].opens_at_ms,
        "more_windows": tuple(windows[1:]),
        "postponed_from_ms": moved_from if moved_from is not None else now_ms,
        "postponed_to_ms": opens_at_ms,
    }
