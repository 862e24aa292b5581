"""What is left, said to the gateway with every answer: `Sunbeon-Stock`, and `sold-out` when nothing is."""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from booking.errors import StoreUnavailable
from booking.model import Stock
from booking.routes.context import SETTINGS, STOCK, STORE, now_of
from booking.store import BookingStore
from shared.admission import CLAIMS, VERDICT
from shared.wire import COMMAND_HEADER, STOCK_HEADER, Command

# Counting all slots costs a query; for so long the last count will do.
FRESH_MS: Final = 1_000
# Below this, the next booking may be the last: every confirmed one counts anew, so that nobody waits a second in vain.
NEARLY_OUT: Final = 100


class StockWatch:
    """The stock as last counted, by this process."""

    def __init__(self) -> None:
        self._stock: Stock | None = None
        self._counted_ms = 0
        self._booked_since = 0

    async def look(self, store: BookingStore, now_ms: int, *, booked: bool) -> Stock:
        """At most `FRESH_MS` old. booked: this very request took a seat. Raises `StoreUnavailable`."""
        known = self._stock
        self._booked_since += booked
        near = booked and known is not None and known.unbooked - self._booked_since < NEARLY_OUT
        # The distance, because a clock may be set back.
        if known is None or near or abs(now_ms - self._counted_ms) >= FRESH_MS:
            # Noted before the query, so that a crowd of requests does not count all at once.
            self._counted_ms, self._booked_since = now_ms, 0
            self._stock = known = await store.stock(now_ms=now_ms)
        return known


@web.middleware
async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Sold out is what nobody has booked *and* nobody holds: a hold that lapses is stock again."""
    response = await handler(request)
    if request.get(VERDICT) != "ok":
        return response
    command = response.headers.get(COMMAND_HEADER)
    try:
        stock = await request.app[STOCK].look(request.app[STORE], now_of(request), booked=command is not None)
    except StoreUnavailable:
        # The answer itself is fine, and the gateway keeps what it was told before.
        return response
    response.headers[STOCK_HEADER] = str(stock.left)
    selling = request.app[SETTINGS].selling_rooms
    if not stock.unbooked and (not selling or request[CLAIMS].room in selling):
        response.headers[COMMAND_HEADER] = ", ".join(filter(None, [command, Command.SOLD_OUT.value]))
    return response
