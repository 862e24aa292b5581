"""The schedule to come, as a forecast walks it: stretches of time in each of which nothing changes. Pure."""

from bisect import bisect_right
from dataclasses import dataclass

from gateway.room.model import Limits, limits_in_force
from gateway.room.schedule import Phase, look


@dataclass(frozen=True, slots=True)
class Stretch:
    """until_ms: the first moment at which something else holds; None: for ever. is_open: whether anybody is called."""

    until_ms: int | None
    outflow: int
    ceiling: int
    is_open: bool


class Course:
    """Of one version of the settings: made once, as it takes the square of the timetable's length."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        moments = {change.at_ms for change in limits.timetable}
        moments |= {edge for window in limits.windows for edge in (window.opens_at_ms, window.closes_at_ms) if edge}
        self._moments = sorted(moments)
        before_all = self._moments[0] - 1 if self._moments else 0
        begins = (before_all, *self._moments)
        ends = (*self._moments, None)
        self._stretches = tuple(_stretch(limits, at, until) for at, until in zip(begins, ends, strict=True))

    def at(self, now_ms: int) -> int:
        """Which stretch a moment is in."""
        return bisect_right(self._moments, now_ms)

    def since(self, index: int) -> tuple[Stretch, ...]:
        """That stretch and all after it; at least one."""
        return self._stretches[index:]


def _stretch(limits: Limits, at_ms: int, until_ms: int | None) -> Stretch:
    there = limits_in_force(limits, at_ms)
    is_open = look(limits.windows, limits.prequeue_ms, at_ms).phase is Phase.OPEN
    return Stretch(until_ms, there.new_users_per_minute, there.total_active_users, is_open)
