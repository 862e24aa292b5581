"""What this process sees of who waits, of what is left and of how long it takes; what all processes have told of it."""

from typing import Final

from gateway.room.decide import counted
from gateway.room.forecast import Forecast
from gateway.room.model import Snapshot
from gateway.room.presence import Presence
from gateway.room.stock import Stock, chance_sold_out, reported
from gateway.room.ticket import Ticket
from gateway.store.base import QueueStore

# How often it is told to the others. Others know of a new stock after so long at most.
EXCHANGE_S: Final = 5.0

# Longer than any stock, and no number to spend time on.
_STOCK_DIGITS: Final = 15


def stock_of(text: str) -> int | None:
    """What a `Sunbeon-Stock` says is left; None if it is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _STOCK_DIGITS else None


class Watch:
    """Of one room. `mark` and `report` wait for nothing; `exchange` asks the store. None: nobody knows (yet)."""

    def __init__(self) -> None:
        self.stock: Stock | None = None
        self._presence: Presence | None = None
        self._present: Snapshot | None = None
        self._forecast: Forecast | None = None
        self._foreseen: Snapshot | None = None

    def mark(self, room: Snapshot, ticket: Ticket) -> None:
        """The holder of a ticket waits, and has just asked. Whose wave has yet to join the line is not of it yet."""
        ticket = counted(ticket, room)
        if ticket.epoch == room.epoch and not ticket.wave:
            self._of(room).mark(room, ticket.number)

    def report(self, room: Snapshot, left: int) -> None:
        """The backend says that so many are left."""
        self.stock = reported(self.stock, left, room)

    async def exchange(self, room: Snapshot, store: QueueStore) -> None:
        """Tell what is known here, and learn what is known elsewhere. Raises `StoreError`."""
        presence, told = self._of(room), self.stock
        seen, stock = await store.observe(room.room, presence.tell(room), told)
        presence.hear(room, seen)
        if self.stock is told:  # else something newer was reported meanwhile
            self.stock = stock

    def people_there(self, room: Snapshot) -> int | None:
        """How many of those who wait are still there."""
        return self._of(room).people_there(room)

    def there_ahead(self, room: Snapshot, place: int, people: int | None = None) -> int | None:
        """How many of those before a place are still there. people: as `people_ahead` has it, where that is known."""
        return self._of(room).there_ahead(room, place, people)

    def wait_range(self, room: Snapshot, ahead: int) -> tuple[int, int] | None:
        """As `Forecast.wait_range`."""
        if self._forecast is None or self._foreseen is not room:
            self._forecast = Forecast(room) if self._forecast is None else self._forecast.of(room)
            self._foreseen = room
        return self._forecast.wait_range(room, ahead)

    def chance_gone(self, room: Snapshot, place: int) -> int | None:
        """The chance, in per cent, that nothing is left when a place is called."""
        return self.chance_behind(room, self.there_ahead(room, place))

    def chance_behind(self, room: Snapshot, there: int | None) -> int | None:
        """As `chance_gone`, behind so many who are there."""
        return None if self.stock is None or there is None else chance_sold_out(self.stock, there, room.live)

    def _of(self, room: Snapshot) -> Presence:
        presence = self._presence
        if presence is None or room is not self._present:
            presence = self._presence = Presence(room) if presence is None else presence.of(room)
            self._present = room
        return presence
