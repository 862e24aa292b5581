"""Headers every answer carries."""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from booking.routes.context import PAGES

_ALWAYS: Final = {
    # What one visitor sees is for nobody else, and never for later.
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with that, browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Vary": "Accept-Language",
}


@web.middleware
async def secure(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    response.headers.update(_ALWAYS)
    if response.content_type == "text/html":
        response.headers["Content-Security-Policy"] = request.app[PAGES].policy
    return response
