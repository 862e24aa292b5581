"""Which seat this browser holds: kept with it, and sent by it, only to give the seat back when the visit ends."""

import re
from contextlib import suppress
from typing import Final

from aiohttp import web

from booking.errors import BookingError
from booking.routes.context import STORE, now_of
from shared.admission import CLAIMS

COOKIE: Final = "booking_hold"
# Where the visit ends; to no other address does a browser send it.
_PATH: Final = "/booking/finish"
_HOLD_ID: Final = re.compile(r"[0-9a-f]{32}")


def remember_hold(request: web.Request, response: web.StreamResponse, hold_id: str) -> None:
    """It names nobody, and is of use only with the pass that made the hold."""
    response.set_cookie(COOKIE, hold_id, path=_PATH, httponly=True, samesite="Lax", secure=_is_tls(request))


def forget_hold(request: web.Request, response: web.StreamResponse) -> None:
    response.del_cookie(COOKIE, path=_PATH, httponly=True, samesite="Lax", secure=_is_tls(request))


async def end_hold(request: web.Request, response: web.StreamResponse) -> None:
    """Give the seat back, if there is one. Whatever hinders that, the visit ends: a hold lapses by itself."""
    hold_id = request.cookies.get(COOKIE, "")
    if not _HOLD_ID.fullmatch(hold_id):
        return
    forget_hold(request, response)
    # Booked meanwhile, another turn's, or the database is away.
    with suppress(BookingError):
        await request.app[STORE].drop_hold(hold_id, request[CLAIMS], now_ms=now_of(request))


def _is_tls(request: web.Request) -> bool:
    # The gateway's word; a client's own is dropped there.
    return request.headers.get("X-Forwarded-Proto") == "https"
