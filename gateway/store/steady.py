"""A clock that never goes backwards and never stands still, over a machine's clock that may do both.

Opening times and ticks are counted on it. Setting the machine's clock back must not reopen what has happened, so the
store's clock then goes on at half speed until the machine's has caught up.
"""

from dataclasses import dataclass

from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Moment:
    """A reading: the store's clock, and the monotonic clock it is counted on from there."""

    now_ms: int
    mono_ms: int


def steady_now(wall_ms: int, mono_ms: int, last_now_ms: int, last_mono_ms: int) -> Moment:
    """The moment after (last_now_ms, last_mono_ms), which came earlier in the same boot.

    The wall clock, unless that would be behind half of the time gone since.
    """
    half = max(mono_ms - last_mono_ms, 0) // 2
    if wall_ms >= last_now_ms + half:
        return Moment(wall_ms, mono_ms)
    # The odd millisecond stays to be counted, or a clock read every millisecond would stand still.
    return Moment(last_now_ms + half, last_mono_ms + 2 * half)


class SteadyClock:
    """`steady_now` of one process. What it keeps in memory bridges the time between what commits put on disk."""

    def __init__(self, wall_ms: Clock, mono_ms: Clock) -> None:
        self._wall_ms = wall_ms
        self._mono_ms = mono_ms
        self._last: Moment | None = None

    def read(self, kept: Moment) -> Moment:
        """Now; never before `kept` (the last moment on disk), nor before what was read here earlier."""
        wall_ms, mono_ms = self._wall_ms(), self._mono_ms()
        now = steady_now(wall_ms, mono_ms, kept.now_ms, kept.mono_ms)
        if self._last is not None:
            # Another process may have put down a moment without having seen ours: both bind.
            ours = steady_now(wall_ms, mono_ms, self._last.now_ms, self._last.mono_ms)
            now = max(now, ours, key=lambda moment: moment.now_ms)
        self._last = now
        return now

    def first(self, kept_now_ms: int) -> Moment:
        """The first moment of a boot: the monotonic clock began anew, so `kept_now_ms` alone binds."""
        return Moment(max(self._wall_ms(), kept_now_ms), self._mono_ms())
