"""The clock of a line whose store is another machine: that machine's, held through its jumps.

A server's clock may be stepped by an operator, a bad time source, or a failover to a machine that tells another time. A
jump must open nothing early and expire nobody. So each gateway knows from its own monotonic clock what time it ought to
be, and where the server's says something else, the line keeps its own time: the difference is written into the store
with the next tick (`shift_ms`), and every other gateway finds the line where it expects it. The server is followed
through a jump only where this machine's own clock confirms it: then it was the jump that was the correction.
"""

from dataclasses import dataclass
from typing import Final, Protocol

# Answers under way and clocks that run a little apart are no jumps.
TOLERANCE_MS: Final = 2_000
# Two machines that agree within this tell the same time.
AGREE_MS: Final = 2_000
# Without a past to compare with, a store this far ahead of this machine's clock is not believed at once.
FAR_AHEAD_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Reading:
    """now_ms: the line's clock. shift_ms: to add to the server's from now on. jump_ms: of the server's, or 0."""

    now_ms: int
    shift_ms: int
    jump_ms: int = 0


class LineClock(Protocol):
    """What a line's time is read by; `HeldClock`, but where an evening is played in virtual time."""

    def read(self, *, raw_ms: int, shift_ms: int, last_tick_ms: int, mono_ms: int, wall_ms: int) -> Reading: ...


class HeldClock:
    """As one gateway reads one line's clock. Never goes backwards."""

    def __init__(self) -> None:
        self._last_ms = 0
        self._last_mono_ms = 0
        self._seen = False

    def read(self, *, raw_ms: int, shift_ms: int, last_tick_ms: int, mono_ms: int, wall_ms: int) -> Reading:
        """The line's time.

        raw_ms: the server's clock. shift_ms: the one in the store. last_tick_ms: the line's time at its last tick.
        mono_ms, wall_ms: this machine's clocks as the answer came.
        """
        reading = self._judge(raw_ms, shift_ms, last_tick_ms, mono_ms, wall_ms)
        now_ms = max(reading.now_ms, self._last_ms, last_tick_ms)
        self._last_ms, self._last_mono_ms, self._seen = now_ms, mono_ms, True
        return Reading(now_ms, reading.shift_ms, reading.jump_ms)

    def _judge(self, raw_ms: int, shift_ms: int, last_tick_ms: int, mono_ms: int, wall_ms: int) -> Reading:
        said_ms = raw_ms + shift_ms
        if not self._seen:
            if said_ms - last_tick_ms > TOLERANCE_MS and said_ms - wall_ms > FAR_AHEAD_MS:
                # Nobody ticked for a while, or the clock jumped: take the later of what is certain.
                held_ms = max(last_tick_ms, wall_ms)
                return Reading(held_ms, held_ms - raw_ms, said_ms - held_ms)
            return Reading(said_ms, shift_ms)
        expected_ms = self._last_ms + max(mono_ms - self._last_mono_ms, 0)
        drift_ms = said_ms - expected_ms
        if abs(drift_ms) <= TOLERANCE_MS:
            return Reading(said_ms, shift_ms)
        if abs(raw_ms - wall_ms) <= AGREE_MS and raw_ms >= expected_ms - TOLERANCE_MS:
            return Reading(raw_ms, 0, drift_ms)
        return Reading(expected_ms, expected_ms - raw_ms, drift_ms)
