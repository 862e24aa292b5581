"""Moving a booking: choose a centre and a time as for a new one, look at both, confirm. Till then the old stays."""

from aiohttp import web
from yarl import URL

from booking.errors import SoldOut
from booking.model import BookingCard
from booking.routes.context import STORE, now_of
from booking.routes.html.manage import ask_first, managed_of, with_booking
from booking.routes.html.places import centres_page, times_page
from booking.routes.html.show import go, place_of, show, slot_id_of

BASE = "/booking/change"


async def choose_centre(request: web.Request) -> web.Response:
    return await with_booking(request, lambda card: centres_page(request, BASE, card))


async def choose_time(request: web.Request) -> web.Response:
    return await with_booking(request, lambda card: times_page(request, BASE, card))


async def review(request: web.Request) -> web.Response:
    async def page(card: BookingCard) -> web.Response:
        slot = await request.app[STORE].slot(slot_id_of(request), now_ms=now_of(request))
        old = {f"old_{name}": value for name, value in (await place_of(request, card.slot)).items()}
        return show(request, "change.html", changing=card, slot=slot, **old, **await place_of(request, slot))

    return await with_booking(request, page)


async def confirm(request: web.Request) -> web.Response:
    """Sent again, it says the same again. If the new seat is gone, so it says, and offers others."""
    managed, store, now_ms = managed_of(request), request.app[STORE], now_of(request)
    if managed is None:
        return ask_first(request)
    try:
        await store.change(managed.code, managed.birth_date, slot_id_of(request), now_ms=now_ms)
    except SoldOut:
        slot = await store.slot(slot_id_of(request), now_ms=now_ms)
        return go(request, URL(f"{BASE}/centres/{slot.centre_id}").with_query(gone=str(slot.id)))
    return go(request, "/booking/manage?changed=")
