"""What can be done with a booking or a place on the waitlist that was found."""

from aiohttp import web

from booking.model import BookingCard, WaitCard
from booking.routes.context import STORE, now_of
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


async def show_managed(request: web.Request) -> web.Response:
    found = await find_managed(request)
    if found is None:
        return ask_first(request)
    if isinstance(found, WaitCard):
        return await entry_page(request, found)
    said = {name: name in request.query for name in ("changed", "own")}
    return show(request, "found.html", forget=ALL_DRAFTS, card=found, **said, **await place_of(request, found.slot))


async def cancel(request: web.Request) -> web.Response:
    """Sent again, it says the same again."""
    managed = managed_of(request)
    if managed is None:
        return ask_first(request)
    card = await request.app[STORE].cancel(managed.code, managed.birth_date, now_ms=now_of(request))
    return show(request, "cancelled.html", forget=ALL_DRAFTS, card=card, **await place_of(request, card.slot))


async def leave_waitlist(request: web.Request) -> web.Response:
    managed = managed_of(request)
    if managed is None:
        return ask_first(request)
    await request.app[STORE].leave_waitlist(managed.code, managed.birth_date, now_ms=now_of(request))
    return show(request, "said.html", forget=ALL_DRAFTS, done="left_wait", last=False)
