"""The gate: no request gets further without a live pass, and every one leaves a line of evidence."""

import logging
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from booking.routes.context import CLAIMS, HEALTH_ROUTE, REFUSED, REQUEST_LOG, SETTINGS, VERDICT, VERIFIER, now_of
from shared.passes import PassClaims, PassError, PassExpired
from shared.wire import PASS_HEADER

_log = logging.getLogger("booking.gate")

# In a path of ours these are as good as a key: whoever reads the log must not be able to use them.
_SECRET_PARTS: Final = ("code", "hold_id")


class PassWrongRoom(PassError):
    """A good pass, for another waiting room."""

    kind = "wrong_room"

    def __init__(self, message: str, claims: PassClaims) -> None:
        super().__init__(message)
        self.claims = claims


@web.middleware
async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write the request's line once its status is known."""
    if _is_probe(request):
        return await handler(request)
    status = web.HTTPInternalServerError.status_code
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        request.app[REQUEST_LOG].write(
            now_ms=now_of(request),
            method=request.method,
            path=_path(request),
            verdict=request.get(VERDICT, "missing"),
            claims=request.get(CLAIMS),
            status=status,
        )


@web.middleware
async def require_pass(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let the request through if it carries a live pass for an accepted room. Raises the `PassError` it fails with."""
    if _is_probe(request):
        return await handler(request)
    try:
        claims = request.app[VERIFIER].verify(request.headers.get(PASS_HEADER), now_s=now_of(request) / 1000)
        rooms = request.app[SETTINGS].rooms
        if rooms and claims.room not in rooms:
            raise PassWrongRoom(f"the pass is for room {claims.room!r}", claims)
    except PassError as error:
        request[VERDICT] = error.kind
        if isinstance(error, (PassExpired, PassWrongRoom)):
            request[CLAIMS] = error.claims
        _count(request, error)
        raise
    request[VERDICT] = "ok"
    request[CLAIMS] = claims
    return await handler(request)


def _count(request: web.Request, error: PassError) -> None:
    refused = request.app[REFUSED]
    refused[error.kind] += 1
    # The 1st, 10th, 100th ... of a kind: a flood at the back door shows, and does not fill the disk.
    if str(refused[error.kind]).strip("0") == "1":
        _log.warning("refused without a good pass", extra={"kind": error.kind, "so_far": refused[error.kind]})


def _is_probe(request: web.Request) -> bool:
    return request.match_info.route.name == HEALTH_ROUTE


def _path(request: web.Request) -> str:
    resource = request.match_info.route.resource
    if resource is not None and any(part in request.match_info for part in _SECRET_PARTS):
        return resource.canonical
    # As it came, not decoded: the evidence of a trick is in the spelling.
    return request.raw_path.partition("?")[0]
