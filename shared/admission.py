"""The gate's other half, for a backend on aiohttp: nothing is answered without a live `Sunbeon-Pass`.

    from shared.admission import CLAIMS, require_pass

    app = web.Application(middlewares=[require_pass("var/backend-keys.json", rooms=["vaccine"])])

A handler then finds how its visitor got in under `request[CLAIMS]`: room, pass, queue number, and by which way.
"""

from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from shared.clock import Clock, now_ms
from shared.passes import PassClaims, PassError, PassExpired, PassVerifier, PassWrongRoom
from shared.wire import PASS_HEADER, PROBLEM_JSON

CLAIMS: Final = web.RequestKey("sunbeon_claims", PassClaims)
# `ok`, or the kind of `PassError`: for the application's own log.
VERDICT: Final = web.RequestKey("sunbeon_verdict", str)

Refuse = Callable[[web.Request, PassError], Awaitable[web.StreamResponse]]


def require_pass(
    keys: str | Path | PassVerifier,
    *,
    rooms: Collection[str] = (),
    open_paths: Collection[str] = ("/healthz",),
    refuse: Refuse | None = None,
    clock: Clock = now_ms,
) -> Middleware:
    """A middleware that lets a request through if its pass is whole, ours, live, and for one of `rooms`.

    keys: the gateway's verification keys, a JWK Set file; read again whenever it changes.
    rooms: the waiting rooms whose passes count here; empty: every room of these keys.
    open_paths: a GET of exactly these is answered without a pass: for probes.
    refuse: makes the answer to a bad pass (or raises); the default is a 403 problem+json that names only the kind.
    Raises `KeyFileError`: a backend that cannot verify must not start.
    """
    verifier = keys if isinstance(keys, PassVerifier) else PassVerifier(Path(keys))
    wanted, unguarded = frozenset(rooms), frozenset(open_paths)
    tell = refuse or _refuse

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method in {"GET", "HEAD"} and request.path in unguarded:
            return await handler(request)
        try:
            claims = _claims(request, verifier, wanted, clock() / 1000)
        except PassError as error:
            request[VERDICT] = error.kind
            if isinstance(error, (PassExpired, PassWrongRoom)):
                request[CLAIMS] = error.claims
            return await tell(request, error)
        request[VERDICT] = "ok"
        request[CLAIMS] = claims
        return await handler(request)

    return admit


def _claims(request: web.Request, verifier: PassVerifier, rooms: frozenset[str], now_s: float) -> PassClaims:
    sent = request.headers.getall(PASS_HEADER, ())
    # The gate sends one. With two, whoever looks at the other would see another visitor.
    claims = verifier.verify(sent[0] if len(sent) == 1 else None, now_s=now_s)
    if rooms and claims.room not in rooms:
        raise PassWrongRoom(f"the pass is for room {claims.room!r}", claims)
    return claims


async def _refuse(_request: web.Request, error: PassError) -> web.StreamResponse:
    problem = {
        "type": "urn:sunbeon:no_pass",
        "title": "Please come in through the waiting room",
        "status": web.HTTPForbidden.status_code,
        "code": "no_pass",
        "kind": error.kind,
    }
    return web.Response(
        status=web.HTTPForbidden.status_code,
        body=orjson.dumps(problem),
        content_type=PROBLEM_JSON,
        headers={"Cache-Control": "no-store"},
    )
