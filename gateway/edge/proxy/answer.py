"""Is an answer of the backend's one that may be passed on? What a lenient parser lets through is looked at here."""

import re
from http import HTTPStatus
from typing import Final

from aiohttp.http_parser import RawResponseMessage

from gateway.edge.proxy.errors import BackendError
from gateway.edge.proxy.headers import CODING, LENGTH, TYPE, RawHeaders, of_kind, shape_of, tokens

# RFC 9110, 5.5: nothing of it has a place in a value, and a lone CR or LF would begin another line for somebody.
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_WHOLE_NUMBER: Final = re.compile(rb"[0-9]{1,18}")
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT.value, HTTPStatus.NOT_MODIFIED.value})
# Beyond this many interim answers something is wrong.
MAX_INTERIM: Final = 32


def check(message: RawResponseMessage) -> None:
    """Raises `BackendError` for a head that two readers could understand differently."""
    if message.version[0] != 1 or not 100 <= message.code <= 599:  # noqa: PLR2004
        raise BackendError("the backend's status line is none of HTTP/1.x")
    headers: RawHeaders = message.raw_headers
    if _CONTROL.search(b"".join([value for _, value in headers])) or _CONTROL.search(_raw(message.reason)):
        raise BackendError("the backend's answer holds a control character")
    shape = shape_of(headers)
    if not shape.proper:
        raise BackendError("the backend's answer holds a header without a proper name")
    codings = of_kind(headers, CODING, shape)
    lengths = of_kind(headers, LENGTH, shape)
    if codings and (lengths or [coding.lower() for coding in codings] != [b"chunked"]):
        raise BackendError("the backend's answer has a framing that cannot be passed on")
    if len(lengths) > 1 or not all(_WHOLE_NUMBER.fullmatch(length) for length in lengths):
        raise BackendError("the backend's answer has no clear length")


def is_bodiless(method: str, status: int) -> bool:
    """Whether an answer has no body whatever its headers say (RFC 9112, 6.3)."""
    return method == "HEAD" or status in _BODILESS


def is_switch(headers: RawHeaders) -> bool:
    """Whether a 101 switches to WebSocket (RFC 6455, 4.1)."""
    return tokens(headers, b"upgrade") == {b"websocket"} and b"upgrade" in tokens(headers, b"connection")


def is_event_stream(headers: RawHeaders) -> bool:
    """Whether an answer has no end of its own: server-sent events."""
    types = of_kind(headers, TYPE, shape_of(headers))
    return any(value.partition(b";")[0].strip().lower() == b"text/event-stream" for value in types)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
