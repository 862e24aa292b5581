"""A form is accepted from our own pages only: another site cannot make a visitor's browser book or cancel.

No token and no cookie are needed. Browsers say where a request comes from, and a page cannot change what they say.
"""

from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from booking.errors import CrossSite

_SAFE: Final = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)


@web.middleware
async def plain_address(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No address of ours has a NUL in it, and PostgreSQL takes none: there is nothing there."""
    if "\0" in request.path:
        raise web.HTTPNotFound
    return await handler(request)


@web.middleware
async def same_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Raises `CrossSite` for a changing request that another site's page sent."""
    if request.method not in _SAFE and not _is_ours(request):
        raise CrossSite("sent by another site")
    return await handler(request)


def _is_ours(request: web.Request) -> bool:
    # Browsers of the last years send this, on https and localhost. "none": the visitor's own doing, such as a reload.
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        # Neither header: not a browser a foreign page could be driving.
        return True
    # The gateway may forward its own Host and name the visitor's beside it; a foreign page can set neither.
    hosts = {request.headers.get(hdrs.HOST), request.headers.get("X-Forwarded-Host")}
    return urlsplit(origin).netloc.lower() in {host.lower() for host in hosts if host}
