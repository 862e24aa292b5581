"""What comes of the gate: every request leaves a line of evidence, and a refused one is counted and told why."""

import logging
import re
from typing import Final, NoReturn

from aiohttp import web
from aiohttp.typedefs import Handler

from booking.routes.context import REFUSED, REQUEST_LOG, now_of
from shared.admission import CLAIMS, VERDICT
from shared.passes import PassError

_log = logging.getLogger("booking.gate")

# As good as a key for as long as the hold lasts: whoever reads the log must not be able to use it.
_HOLD_ID: Final = re.compile(r"(holds/)[^/]+", re.IGNORECASE)


@web.middleware
async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write the request's line once its status is known."""
    status = web.HTTPInternalServerError.status_code
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        # Without a verdict it was a probe, which needs no pass and is no visitor.
        if VERDICT in request:
            request.app[REQUEST_LOG].write(
                now_ms=now_of(request),
                method=request.method,
                path=_path(request),
                verdict=request[VERDICT],
                claims=request.get(CLAIMS),
                status=status,
            )


async def refuse(request: web.Request, error: PassError) -> NoReturn:
    """Count the refusal and have it told like any other error."""
    refused = request.app[REFUSED]
    refused[error.kind] += 1
    # The 1st, 10th, 100th ... of a kind: a flood at the back door shows, and does not fill the disk.
    if str(refused[error.kind]).strip("0") == "1":
        _log.warning("refused without a good pass", extra={"kind": error.kind, "so_far": refused[error.kind]})
    raise error


def _path(request: web.Request) -> str:
    # As it came, not decoded: the evidence of a trick is in the spelling. Whether or not it leads anywhere.
    return _HOLD_ID.sub(r"\1{hold_id}", request.raw_path.partition("?")[0])
