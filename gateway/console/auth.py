"""Who may do what at the operator API: a bearer token with every request, and a role for every route.

Nothing but health is open. A browser sends no `Authorization` header by itself, so that no other site's page can act
in an operator's name.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.console.answers import problem
from gateway.tokens import Principal, Role, Tokens

# Wrong tokens of one address, at once and then per second: nobody types that fast, and 256 bits are not guessed.
FAILURES: Final = 20
FAILURES_PER_S: Final = 1.0
REMEMBERED: Final = 10_000

PRINCIPAL: Final = web.RequestKey("principal", Principal)
_WANTED: Final = web.AppKey("roles", Mapping[tuple[str, str], Role | None])
_TOKENS: Final = web.AppKey("tokens", Tokens)
_GUESSES: Final[web.AppKey["Guesses"]] = web.AppKey("guesses")

_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}


class Guesses:
    """Counts wrong tokens by address. Pure but for its clock."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        # By address: the moment at which it may be wrong `FAILURES` times again.
        self._full_at_s: dict[str, float] = {}

    def wait_s(self, address: str) -> int:
        """How long this address has to wait before it is listened to; 0 for not at all."""
        owed_s = self._full_at_s.get(address, 0.0) - self._monotonic() - FAILURES / FAILURES_PER_S
        return max(0, int(owed_s) + 1) if owed_s > 0 else 0

    def wrong(self, address: str) -> None:
        now_s = self._monotonic()
        self._full_at_s[address] = max(self._full_at_s.pop(address, now_s), now_s) + 1 / FAILURES_PER_S
        if len(self._full_at_s) > REMEMBERED:
            del self._full_at_s[next(iter(self._full_at_s))]


def protect(app: web.Application, tokens: Tokens, roles: Mapping[tuple[str, str], Role | None]) -> None:
    """Say whose tokens count and what each route takes. roles: by method and path as routed; None: open to all.

    A route that is not named takes a viewer to look at, and is nobody's otherwise (403, whoever asks).
    """
    app[_TOKENS] = tokens
    app[_WANTED] = roles
    app[_GUESSES] = Guesses()


@web.middleware
async def authorise(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let the request on to its route if its token's role may do that."""
    resource = request.match_info.route.resource
    method = "GET" if request.method == "HEAD" else request.method
    key = (method, resource.canonical if resource is not None else "")
    if resource is not None and key in request.app[_WANTED] and request.app[_WANTED][key] is None:
        return await handler(request)
    address = request.remote or ""
    guesses = request.app[_GUESSES]
    principal = None
    if (token := _token(request)) is not None:
        # A right token is heard at any time: whoever floods with wrong ones must not lock the operators out.
        principal = request.app[_TOKENS].find(token, int(time.time()))
        if principal is None and (wait_s := guesses.wait_s(address)):
            return problem(429, "too many wrong tokens", headers={"Retry-After": str(wait_s)})
        if principal is None:
            guesses.wrong(address)
    if principal is None:
        return problem(401, "send the operator token as a bearer token", headers=_CHALLENGE)
    if resource is None:
        return await handler(request)
    wanted = request.app[_WANTED].get(key, Role.VIEWER if method == "GET" else None)
    if wanted is None:
        return problem(403, "nobody may do this")
    if not principal.role.may(wanted):
        return problem(403, f"this takes the role {wanted}; {principal.name} has {principal.role}")
    request[PRINCIPAL] = principal
    return await handler(request)


def counts_still(request: web.Request) -> bool:
    """Whether the token that came with a request is still one of the same role: for what goes on for long."""
    token = _token(request)
    return token is not None and request.app[_TOKENS].find(token, int(time.time())) == request[PRINCIPAL]


def _token(request: web.Request) -> str | None:
    """The bearer token that came with the request."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def who(request: web.Request) -> Principal:
    """Whose token came with the request."""
    return request[PRINCIPAL]
