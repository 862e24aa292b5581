"""What can be done with a booking or a place on the waitlist that was found."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from booking.model import BookingCard, WaitCard
from booking.routes.context import STORE, now_of
from booking.routes.forms import read_form
from booking.routes.html.show import ALL_DRAFTS, go, live_session, place_of, show
from booking.routes.html.waitlist import entry_page
from booking.routes.session import Managed


def managed_of(request: web.Request) -> Managed | None:
    """The booking this visitor has opened, as long as that counts."""
    session = live_session(request)
    return session.managed if session is not None else None


async def find_managed(request: web.Request) -> BookingCard | WaitCard | None:
    """As it is now. Raises `NoSuchBooking` if it is gone."""
    managed = managed_of(request)
    if managed is None:
        return None
    return await request.app[STORE].find(managed.code, managed.birth_date, now_ms=now_of(request))


def ask_first(request: web.Request) -> web.Response:
    return go(request, "/booking/find?first=")


async def with_booking(request: web.Request, page: Callable[[BookingCard], Awaitable[web.Response]]) -> web.Response:
    """The page about the live booking that was found; without one, to where it is found or shown."""
    found = await find_managed(request)
    if found is None:
        return ask_first(request)
    if not isinstance(found, BookingCard) or found.cancelled:
        return go(request, "/booking/manage")
    return await page(found)


async def show_managed(request: web.Request) -> web.Response:
    found = await find_managed(request)
    if found is None:
        return ask_first(request)
    if isinstance(found, WaitCard):
        return await entry_page(request, found)
    said = {name: name in request.query for name in ("changed", "own")}
    return show(request, "found.html", forget=ALL_DRAFTS, card=found, **said, **await place_of(request, found.slot))


async def ask_cancel(request: web.Request) -> web.Response:
    """What would be cancelled, and whether it shall be. Nothing is done yet."""

    async def page(card: BookingCard) -> web.Response:
        other = "other" in request.query
        return show(request, "cancel.html", card=card, other=other, **await place_of(request, card.slot))

    return await with_booking(request, page)


async def cancel(request: web.Request) -> web.Response:
    """Cancel what the question showed, or ask again if this is no longer it. Sent again, it says the same again."""
    managed, store, now_ms = managed_of(request), request.app[STORE], now_of(request)
    if managed is None:
        return ask_first(request)
    shown = await read_form(request, ("code", "slot"))
    card = await store.find(managed.code, managed.birth_date, now_ms=now_ms)
    # In another tab another booking may have been opened since, or this one moved.
    if not isinstance(card, BookingCard) or shown != {"code": card.code, "slot": str(card.slot.id)}:
        return go(request, "/booking/cancel?other=")
    card = await store.cancel(card.code, managed.birth_date, now_ms=now_ms)
    return show(request, "cancelled.html", forget=ALL_DRAFTS, card=card, **await place_of(request, card.slot))


async def leave_waitlist(request: web.Request) -> web.Response:
    managed = managed_of(request)
    if managed is None:
        return ask_first(request)
    await request.app[STORE].leave_waitlist(managed.code, managed.birth_date, now_ms=now_of(request))
    return show(request, "said.html", forget=ALL_DRAFTS, done="left_wait", last=False)
