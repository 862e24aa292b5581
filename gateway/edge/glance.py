"""One look at a room for all who ask within moments."""

from typing import Final

from gateway.edge.line import Line
from gateway.room.estimate import finishing
from gateway.room.model import Snapshot
from shared.wire import RoomState

# Nobody is told anything older; the clock in an answer may be late by as much.
LASTS_S: Final = 0.01

# In these states who waits is told the same until the next tick, but for one's own numbers.
_STATES: Final = frozenset({RoomState.OPEN, RoomState.PREQUEUE, RoomState.PAUSED})


def told_alike(line: Line, room: Snapshot) -> tuple[object, ...] | None:
    """What all who wait are told alike rests on: equal while they are told the same. None: that changes with time."""
    if room.state not in _STATES or finishing(room) is not None:
        return None
    # By what a millisecond changes in all this, which is nearly always nothing.
    return line.known, room.state, room.moment, room.in_force.new_users_per_minute


class Glance:
    """Of one room. now_s: when it was last asked."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._known: Snapshot | None = None
        self._room: Snapshot | None = None
        self._until_s = 0.0
        self.now_s = 0.0

    def room(self) -> Snapshot | None:
        """The room as it is; None while the store has not been heard from lately."""
        line = self._line
        if line.outage.away:
            return None
        self.now_s = now_s = line.monotonic()
        if line.newest is not self._known or now_s >= self._until_s:
            self._known, self._until_s = line.newest, now_s + LASTS_S
            self._room = line.snapshot if line.fresh else None
        return self._room
