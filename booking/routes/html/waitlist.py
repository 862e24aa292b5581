"""A place on the waitlist of a full day."""

from typing import Any

from aiohttp import web

from booking import schedule
from booking.errors import BookingError
from booking.model import WaitCard
from booking.routes.context import STORE
from booking.routes.html.days import read_day
from booking.routes.html.refusals import refuse
from booking.routes.html.show import ALL_DRAFTS, ask_identity, live_session, show, vaccine_of
from booking.routes.journey import join_waitlist


async def ask(request: web.Request) -> web.Response:
    wanted = await wanted_day(request)
    return show(request, "wait.html", here=request.rel_url.without_query_params("lang"), **wanted)


async def join(request: web.Request) -> web.Response:
    """Sent again, it gives the same place again."""
    session = live_session(request)
    if session is None or session.person is None:
        return ask_identity(request, _query(request))
    wanted = await wanted_day(request)
    centre, vaccine = wanted["centre"], wanted["vaccine"]
    try:
        entry = await join_waitlist(request, session, centre.id, wanted["day"], vaccine.id if vaccine else None)
    except BookingError as error:
        return refuse(request, session, error)
    return await entry_page(request, entry, fresh=True)


async def entry_page(request: web.Request, entry: WaitCard, *, fresh: bool = False) -> web.Response:
    """A place on the waitlist. fresh: taken by this very request."""
    centre = await request.app[STORE].centre(entry.centre_id)
    vaccine = await vaccine_of(request, entry.vaccine_id)
    day_ms, _ = schedule.day_bounds(entry.day)
    return show(
        request,
        "waiting.html",
        visit=None,
        forget=ALL_DRAFTS,
        entry=entry,
        fresh=fresh,
        centre=centre,
        vaccine=vaccine,
        day_ms=day_ms,
    )


async def wanted_day(request: web.Request) -> dict[str, Any]:
    """Centre, day and vaccine (None: any) that the query names. Raises `InvalidFields`, `NoSuchCentre`."""
    day = read_day(request.query.get("day", ""))
    centre = await request.app[STORE].centre(request.query.get("centre", ""))
    vaccine = await vaccine_of(request, request.query.get("vaccine"))
    return {"centre": centre, "vaccine": vaccine, "day": day, "day_ms": schedule.day_bounds(day)[0]}


def _query(request: web.Request) -> dict[str, str]:
    return {name: request.query[name] for name in ("centre", "day", "vaccine") if name in request.query}
