"""Answers of the operator API: JSON, problem documents (RFC 9457), and what every answer says to browsers."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from shared.wire import PROBLEM_JSON

# An answer is read by programs; were it ever opened as a page, nothing in it may act, or be shown within another.
_ALWAYS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Refused(Exception):
    """What was asked cannot be; ends as a problem document."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more


def json(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(data), content_type="application/json", headers=dict(headers or {})
    )


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> web.Response:
    body = orjson.dumps({"type": "about:blank", "status": status, "title": detail, **more})
    return web.Response(status=status, body=body, headers={"Content-Type": PROBLEM_JSON, **(headers or {})})


async def harden(_: web.Request, response: web.StreamResponse) -> None:
    """Say what every answer says, unless it says otherwise; and no versions of libraries."""
    response.headers["Server"] = "sunbeon"
    for name, value in _ALWAYS.items():
        response.headers.setdefault(name, value)
