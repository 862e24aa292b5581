"""The start page, and the two ways to end a visit."""

from typing import Any

from aiohttp import web

from booking.model import Stock
from booking.routes.context import SETTINGS, STORE, now_of
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
    """Forget who was here, and give the turn to the next in line."""
    page = show(request, "said.html", done="ended", last=True, visit=None, forget=ALL_DRAFTS)
    end_session(request, page)
    page.headers[COMMAND_HEADER] = COMPLETE
    return page


async def sold_out(request: web.Request) -> Stock | None:
    """The site's stock if no seat at all is free."""
    stock = await request.app[STORE].stock(now_ms=now_of(request))
    return None if stock.left else stock


async def _start(request: web.Request, **values: Any) -> web.Response:
    minutes = request.app[SETTINGS].hold_s // 60
    return show(request, "start.html", minutes=minutes, sold=await sold_out(request), **values)
