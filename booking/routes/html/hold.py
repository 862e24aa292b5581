"""From a time that was pressed to the card: hold, review, confirm; or give the seat up."""

from aiohttp import web
from yarl import URL

from booking.errors import AlreadyBooked, HoldExpired, OtherPass
from booking.routes.context import SETTINGS, STORE, now_of
from booking.routes.html.held import forget_hold
from booking.routes.html.refusals import booked_already
from booking.routes.html.seat import take_seat, what_became_of
from booking.routes.html.show import (
    ALL_DRAFTS,
    ask_identity,
    go,
    is_identified,
    live_session,
    place_of,
    show,
    slot_id_of,
)
from booking.routes.journey import COMPLETE
from booking.routes.session import end_session
from shared.admission import CLAIMS
from shared.wire import COMMAND_HEADER


async def slot(request: web.Request) -> web.Response:
    """The time that was pressed; where the waiting page brings back whoever pressed it as their turn ended."""
    found = await request.app[STORE].slot(slot_id_of(request), now_ms=now_of(request))
    minutes = request.app[SETTINGS].hold_s // 60
    place = await place_of(request, found)
    return show(request, "slot.html", slot=found, identified=is_identified(request), minutes=minutes, **place)


async def hold(request: web.Request) -> web.Response:
    """Hold the seat for whoever has been identified; ask anybody else who they are first, and hold it then."""
    session = live_session(request)
    if session is None or session.person is None:
        return ask_identity(request, {"slot": request.match_info["slot_id"]})
    return await take_seat(request, session, slot_id_of(request))


async def review(request: web.Request) -> web.Response:
    store, now_ms = request.app[STORE], now_of(request)
    try:
        held = await store.find_hold(request.match_info["hold_id"], request[CLAIMS], now_ms=now_ms)
    except (HoldExpired, OtherPass) as error:
        return await what_became_of(request, error)
    left_s = (held.expires_ms - now_ms) // 1000
    place = await place_of(request, held.slot)
    # The person is on the page itself.
    return show(request, "review.html", visit=None, hold=held, slot=held.slot, left_s=left_s, **place)


async def confirm(request: web.Request) -> web.Response:
    """The card comes with this very answer: the gateway then ends the session, and nothing more could be fetched."""
    store = request.app[STORE]
    # Read first: once the booking is made nothing may fail before its code is shown.
    centres = {centre.id: centre for centre in await store.centres()}
    vaccines = {vaccine.id: vaccine for vaccine in await store.vaccines()}
    try:
        card = await store.confirm(request.match_info["hold_id"], request[CLAIMS], now_ms=now_of(request))
    except AlreadyBooked as error:
        return booked_already(request, error)
    except (HoldExpired, OtherPass) as error:
        return await what_became_of(request, error)
    page = show(
        request,
        "card.html",
        visit=None,
        forget=ALL_DRAFTS,
        card=card,
        centre=centres[card.slot.centre_id],
        vaccine=vaccines[card.slot.vaccine_id],
    )
    end_session(request, page)
    forget_hold(request, page)
    page.headers[COMMAND_HEADER] = COMPLETE
    return page


async def drop(request: web.Request) -> web.Response:
    store, now_ms = request.app[STORE], now_of(request)
    hold_id = request.match_info["hold_id"]
    held = await store.find_hold(hold_id, request[CLAIMS], now_ms=now_ms)
    await store.drop_hold(hold_id, request[CLAIMS], now_ms=now_ms)
    response = go(request, URL(f"/booking/centres/{held.slot.centre_id}").with_query(dropped=""))
    forget_hold(request, response)
    return response
