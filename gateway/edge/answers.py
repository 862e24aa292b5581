"""The gate's own answers: pages for people, problem documents (RFC 9457) for programs. Nothing in them is cached."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol

import orjson
from aiohttp import web
from multidict import CIMultiDict

from gateway.edge.pages import Page
from shared.wire import GATE_HEADER, PROBLEM_JSON

# What each kind of notice is in HTTP.
STATUS: Final[Mapping[str, int]] = {
    "bad_request": 400,
    "forged": 403,
    "not_found": 404,
    "old_epoch": 409,
    "too_slow": 408,
    "sold_out": 410,
    "too_large": 413,
    "misdirected": 421,
    "too_many": 429,
    "hasty": 429,
    "bad_gateway": 502,
    "early": 503,
    "closed": 503,
    "full": 503,
    "unavailable": 503,
    "turn_kept": 503,
    "unserved": 503,
    "gateway_timeout": 504,
    "left": 200,
}
RETRY_AFTER_S: Final[Mapping[str, int]] = {
    "full": 10,
    "too_many": 5,
    "unavailable": 5,
    "turn_kept": 5,
    "bad_gateway": 5,
    "gateway_timeout": 10,
    "unserved": 5,
}


# Not `gzip;q=0`, which refuses it.
_TAKES_GZIP: Final = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)


class Asked(Protocol):
    """What an answer depends on of a request. headers: by name in any case."""

    @property
    def method(self) -> str: ...

    @property
    def raw_path(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


def wants_page(request: Asked) -> bool:
    """Whether a person is looking: a browser going to an address, not a script or an image in a page."""
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return mode == "navigate" and "text/html" in request.headers.get("Accept", "")


def takes_gzip(request: Asked) -> bool:
    """Whether an answer may be compressed."""
    return _TAKES_GZIP.search(request.headers.get("Accept-Encoding", "")) is not None


def _headers(gate: str, cookies: Iterable[str]) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict(
        {
            GATE_HEADER: gate,
            "Server": "sunbeon",
            "Cache-Control": "no-store",
            "Vary": "Accept, Accept-Encoding, Accept-Language, Cookie",
            "X-Content-Type-Options": "nosniff",
        }
    )
    for cookie in cookies:
        headers.add("Set-Cookie", cookie)
    return headers


def page(
    request: Asked, content: Page, gate: str, *, status: int, cookies: Iterable[str] = (), retry_s: int = 0
) -> web.Response:
    """A page, compressed where the browser takes it."""
    headers = _headers(gate, cookies)
    headers["Content-Type"] = "text/html; charset=utf-8"
    headers["Content-Language"] = content.language
    headers["Content-Security-Policy"] = content.csp
    headers["Referrer-Policy"] = "same-origin"
    headers["X-Robots-Tag"] = "noindex"
    if retry_s:
        headers["Retry-After"] = str(retry_s)
    body = content.body
    if takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        body = content.gzip
    return web.Response(status=status, headers=headers, body=body)


def json(
    data: Mapping[str, Any], gate: str, *, status: int = 200, cookies: Iterable[str] = (), cache: str = "no-store"
) -> web.Response:
    headers = _headers(gate, cookies)
    headers["Content-Type"] = "application/json"
    headers["Cache-Control"] = cache
    if cache != "no-store":
        # The same for everyone: a cache must not keep one for every cookie.
        del headers["Vary"]
    return web.Response(status=status, headers=headers, body=orjson.dumps(data))


def problem(
    kind: str, detail: str, *, status: int, retry_s: int = 0, cookies: Iterable[str] = (), **more: Any
) -> web.Response:
    """A problem document. kind: a stable word for programs."""
    headers = _headers(kind, cookies)
    headers["Content-Type"] = PROBLEM_JSON
    if retry_s:
        headers["Retry-After"] = str(retry_s)
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": kind,
        "detail": detail,
        **more,
    }
    return web.Response(status=status, headers=headers, body=orjson.dumps(body))


def told_off(retry_s: int) -> web.Response:
    """To who asks where they stand far more often than they are told to."""
    return problem(
        "too_many", "you ask far more often than you are told to; your place is kept", status=429, retry_s=retry_s
    )


def head_of(response: web.Response) -> str:
    """The head of an answer, up to its length and its date, as a listener sends it to HTTP/1.1."""
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items() if name != "Content-Length"]
    return "\r\n".join(lines) + "\r\n"


def undated(response: web.Response) -> tuple[str, bytes]:
    """The whole head of an answer with a `%s` for its date, and the body."""
    body = response.body
    assert isinstance(body, bytes)  # noqa: S101 - as all answers here have it
    head = head_of(response).replace("%", "%%")
    return f"{head}Content-Length: {len(body)}\r\nDate: %s\r\n\r\n", body
