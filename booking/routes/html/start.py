"""The start page, and the two ways to end a visit."""

from typing import Any

from aiohttp import web

from booking.errors import StoreUnavailable
from booking.model import Stock
from booking.routes.context import SETTINGS, STOCK, STORE, now_of
from booking.routes.html.held import end_hold
from booking.routes.html.show import ALL_DRAFTS, show
from booking.routes.journey import COMPLETE
from booking.routes.session import end_session
from shared.wire import COMMAND_HEADER


async def start(request: web.Request) -> web.Response:
    return await _start(request)


async def start_over(request: web.Request) -> web.Response:
    """Forget who is booking; the turn goes on."""
    page = await _start(request, visit=None, forget=ALL_DRAFTS)
    end_session(request, page)
    return page


async def finish(request: web.Request) -> web.Response:
    """Forget who was here, give back a seat they hold, and give the turn to the next in line."""
    page = show(request, "said.html", done="ended", last=True, visit=None, forget=ALL_DRAFTS)
    end_session(request, page)
    await end_hold(request, page)
    page.headers[COMMAND_HEADER] = COMPLETE
    return page


async def sold_out(request: web.Request) -> Stock | None:
    """The site's stock, as last counted, if no seat at all is free. None also if nobody can tell."""
    try:
        stock = await request.app[STOCK].look(request.app[STORE], now_of(request), booked=False)
    except StoreUnavailable:
        return None
    return None if stock.left else stock


async def _start(request: web.Request, **values: Any) -> web.Response:
    minutes = request.app[SETTINGS].hold_s // 60
    return show(request, "start.html", minutes=minutes, sold=await sold_out(request), **values)
