"""What of a message's head goes on, in both directions, byte for byte (RFC 9110, 7.6.1).

Names keep their letter case and all lines their order; values are bytes, whatever their encoding. Framing is ours to
say anew: `Content-Length` stays as it came, `Transfer-Encoding` is written by whoever writes the body.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final, NamedTuple

from gateway.edge.client import REQUEST_ID, Client
from gateway.edge.cookies import names_ours, without_ours
from shared.wire import HEADER_PREFIX, PASS_HEADER

RawHeaders = Sequence[tuple[bytes, bytes]]

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# Ours to say: whatever a client writes into these is dropped or replaced.
# Some would have a backend see another scheme or address than the gate saw, others another page than it matched:
# gunicorn takes `SCRIPT_NAME` off the path.
FORWARDING: Final = frozenset(
    {
        b"cf-connecting-ip",
        b"client-ip",
        b"fastly-client-ip",
        b"forwarded",
        b"front-end-https",
        b"path-info",
        b"proxy",
        b"request-uri",
        b"script-name",
        b"true-client-ip",
        b"unencoded-url",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-envoy-original-path",
        b"x-host",
        b"x-http-destinationurl",
        b"x-http-host-override",
        b"x-original-forwarded-for",
        b"x-original-host",
        b"x-original-path",
        b"x-original-uri",
        b"x-original-url",
        b"x-override-url",
        b"x-proxy-url",
        b"x-real-ip",
        b"x-request-id",
        b"x-request-uri",
        b"x-rewrite-uri",
        b"x-rewrite-url",
        b"x-script-name",
        b"x-url-scheme",
        b"x-waws-unencoded-url",
    }
)
_FORWARDED: Final = b"x-forwarded-"
# What a cache would heed more than `Cache-Control`, or where it knows no better (RFC 9111, 5.3 and RFC 9213).
CACHING: Final = frozenset(
    {b"cache-control", b"cdn-cache-control", b"expires", b"surrogate-control", b"x-accel-expires"}
)
# No recipient can do without these, so that no `Connection` may name them (RFC 9110, 7.6.1).
_KEPT: Final = frozenset({b"content-length", b"host", b"cache-control", b"content-type"})
_NOT_FROM_CLIENTS: Final = HOP_BY_HOP | FORWARDING | {b"host"}
# To a CGI-like backend `Transfer_Encoding`, and to some even `Transfer.Encoding`, is `HTTP_TRANSFER_ENCODING`.
_FRAMING: Final = frozenset({b"content-length", b"content-type"})
_MOST_DIGITS: Final = 9
_FOLDED: Final = bytes(code if chr(code).isalnum() and code < 128 else ord("-") for code in range(256))  # noqa: PLR2004
_PREFIX: Final = HEADER_PREFIX.lower().encode()
# What nearly every `Connection` says: the one header it names never goes on.
_PERSISTENCE: Final = frozenset({b"keep-alive", b"Keep-Alive"})
# How long the phrases are that we write ourselves; a backend's own goes on as it came.
_NO_CONTENT: Final = HTTPStatus.NO_CONTENT.value
_PHRASES: Final = {status.value: status.phrase.encode() for status in HTTPStatus}


# Names whose kind is remembered: browsers and backends are of few kinds, and send the same ones again and again.
NAMES: Final = 2_048
LONGEST_NAME: Final = 64
# As many orders of names, of no more headers than this.
SHAPES: Final = 512
LONGEST_SHAPE: Final = 32


# What a header's name says of how it is to be treated. Plain numbers: an enum's members are slow to look up.
PLAIN: Final = 0
DROPPED: Final = 1
CONNECTION: Final = 2
COOKIE: Final = 3
EXPECT: Final = 4
MAX_FORWARDS: Final = 5
LENGTH: Final = 6
CODING: Final = 7
SET_COOKIE: Final = 8
DATE: Final = 9
OF_CACHES: Final = 10
TYPE: Final = 11
# Of a request's and of an answer's headers.
_NEVER: Final = frozenset({DROPPED, CONNECTION, CODING})
# Of an answer with a body, to which nothing of ours is added.
_GO_ON: Final = frozenset({PLAIN, LENGTH, DATE, OF_CACHES, TYPE})
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def values(headers: RawHeaders, name: bytes) -> list[bytes]:
    """The values of a header, by its name in lower case."""
    return [value for found, value in headers if found.lower() == name]


def tokens(headers: RawHeaders, name: bytes) -> set[bytes]:
    """The members of a header that is a list, in lower case."""
    return {part.strip().lower() for value in values(headers, name) for part in value.split(b",")} - {b""}


def _named(headers: RawHeaders) -> set[bytes]:
    """The headers that are for this connection alone, by the sender's own word."""
    return tokens(headers, b"connection") - _KEPT - HOP_BY_HOP


def is_ours(name: bytes) -> bool:
    """Whether a header's name (in lower case) is the gateway's, in any spelling that a backend could take for it."""
    return name.translate(_FOLDED).startswith(_PREFIX)


def is_for_us_to_say(name: bytes) -> bool:
    """Whether a client's header (its name in lower case) must not reach the backend, in any such spelling."""
    folded = name.translate(_FOLDED)
    return (
        folded.startswith((_PREFIX, _FORWARDED))
        or folded in _NOT_FROM_CLIENTS
        or (folded != name and folded in _FRAMING)
    )


def _kind_of_request(name: bytes) -> int:
    lowered = name.lower()
    if lowered == b"connection":
        return CONNECTION
    return DROPPED if is_for_us_to_say(lowered) else _REQUEST_KINDS.get(lowered, PLAIN)


def _kind_of_answer(name: bytes) -> int:
    lowered = name.lower()
    if lowered in _ANSWER_KINDS:
        return _ANSWER_KINDS[lowered]
    return DROPPED if lowered in HOP_BY_HOP or is_ours(lowered) else PLAIN


_REQUEST_KINDS: Final = {b"cookie": COOKIE, b"expect": EXPECT, b"max-forwards": MAX_FORWARDS}
_ANSWER_KINDS: Final = {
    **dict.fromkeys(CACHING, OF_CACHES),
    b"connection": CONNECTION,
    b"content-length": LENGTH,
    b"transfer-encoding": CODING,
    b"set-cookie": SET_COOKIE,
    b"date": DATE,
    b"content-type": TYPE,
}
_remembered_of_request: Final = lru_cache(NAMES)(_kind_of_request)


class Shape(NamedTuple):
    """What the names of an answer's headers, in their order, say.

    kinds: of each header. proper: each is a name. plain: all go on as they are, or are for this connection alone.
    goes: which of them go on then. at: where those of a kind stand, for the kinds that are looked at.
    """

    kinds: tuple[int, ...]
    proper: bool
    plain: bool
    goes: tuple[bool, ...]
    at: Mapping[int, Sequence[int]]


def _shape_of(names: Sequence[bytes]) -> Shape:
    kinds = tuple(_kind_of_answer(name) for name in names)
    proper = all(_NAME.fullmatch(name) for name in names)
    plain = DATE in kinds and (_GO_ON | {CONNECTION, DROPPED}).issuperset(kinds)
    looked_at = (CONNECTION, CODING, LENGTH, TYPE)
    at = {kind: [index for index, each in enumerate(kinds) if each == kind] for kind in looked_at}
    return Shape(kinds, proper, plain, tuple(kind in _GO_ON for kind in kinds), at)


def shape_of(headers: RawHeaders) -> Shape:
    """Remembered: a backend's answers are of few shapes."""
    names = tuple([name for name, _ in headers])
    shape = _shapes.get(names)
    if shape is None:
        shape = _shape_of(names)
        if len(_shapes) >= SHAPES:
            _shapes.clear()
        if len(names) <= LONGEST_SHAPE and all(len(name) <= LONGEST_NAME for name in names):
            _shapes[names] = shape
    return shape


def of_kind(headers: RawHeaders, kind: int, shape: Shape) -> list[bytes]:
    """The values of an answer's headers of a kind that is looked at. shape: theirs."""
    return [headers[index][1] for index in shape.at[kind]]


_shapes: Final[dict[tuple[bytes, ...], Shape]] = {}


def hops_left(value: bytes) -> int | None:
    """What `Max-Forwards` says (RFC 9110, 7.6.2); None for what is no number, or a huge one."""
    digits = value.lstrip(b"0")
    return int(digits or b"0") if value and len(digits) <= _MOST_DIGITS and value.isdigit() else None


def carried(method: str, headers: RawHeaders, *, expect: bool = False) -> list[bytes]:
    """The lines of a request that go on to the backend: nothing hop-by-hop, nothing that is ours to say.

    expect: the client waits for a 100 before its body.
    """
    kinds = [
        _remembered_of_request(name) if len(name) <= LONGEST_NAME else _kind_of_request(name) for name, _ in headers
    ]
    named = _named(headers) if CONNECTION in kinds else None
    lines = []
    for (name, value), kind in zip(headers, kinds, strict=True):
        if kind in _NEVER or (named and name.lower() in named):
            continue
        if kind == PLAIN:
            lines.append(name + b": " + value)
        elif kind == COOKIE:
            kept = _raw(without_ours(_text(value)))
            lines += [name + b": " + kept] if kept else []
        elif kind == MAX_FORWARDS and method == "OPTIONS" and (left := hops_left(value)):
            lines.append(name + b": %d" % (left - 1))
        elif kind != EXPECT or expect:
            lines.append(name + b": " + value)
    return lines


def said_of(client: Client, host: str) -> bytes:
    """Our lines on where a request comes from."""
    told = f"X-Forwarded-For: {client.forwarded_for}\r\nX-Forwarded-Proto: {client.scheme}\r\nX-Forwarded-Host: {host}"
    if client.forwarded is not None:
        told += f"\r\nForwarded: {client.forwarded}"
    return _raw(told)


def said_with(request_id: str, proof: str | None) -> bytes:
    """Our lines that end a head. proof: the value of `Sunbeon-Pass`."""
    told = f"{REQUEST_ID}: {request_id}\r\nVia: 1.1 sunbeon\r\n"
    return _raw(f"{told}\r\n" if proof is None else f"{told}{PASS_HEADER}: {proof}\r\n\r\n")


def request_head(
    method: str,
    target: str,
    headers: RawHeaders,
    client: Client,
    host: str,
    *,
    told_host: str | None = None,
    chunked: bool = False,
    websocket: bool = False,
    expect: bool = False,
    proof: str | None = None,
    request_id: str,
) -> bytes:
    """The head of a request to the backend: nothing hop-by-hop, nothing that pretends to be ours, no cookies of ours.

    told_host: the `Host` the backend is told in place of the visitor's. proof, expect: see `said_with`, `carried`.
    """
    lines = [_raw(f"{method} {target} HTTP/1.1\r\nHost: {told_host or host}"), *carried(method, headers, expect=expect)]
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
    if websocket:
        lines.append(b"Connection: Upgrade\r\nUpgrade: websocket")
    return b"\r\n".join([*lines, said_of(client, host), said_with(request_id, proof)])


def answer_head(
    status: int, reason: str, headers: RawHeaders, more: Iterable[bytes] = (), cookies: Iterable[str] = ()
) -> bytes:
    """The head of an answer to the client: nothing hop-by-hop and nothing of ours; our cookies and `more` lines added.

    An answer that carries a pass must stay with the one it was made for, whatever caches stand in between.
    """
    ours = [b"Set-Cookie: " + cookie.encode() for cookie in cookies]
    interim = status < 200  # noqa: PLR2004
    shape = shape_of(headers)
    start = b"HTTP/1.1 %d %b" % (status, _raw(reason) or _PHRASES.get(status, b""))
    if (
        shape.plain
        and not (interim or ours or status == _NO_CONTENT)
        and _PERSISTENCE.issuperset(of_kind(headers, CONNECTION, shape))
    ):
        pairs = zip(headers, shape.goes, strict=True)
        lines = [start, *[name + b": " + value for (name, value), goes in pairs if goes]]
    else:
        lines = _lines_of_answer(status, headers, shape, start, private=bool(ours))
    return b"\r\n".join([*lines, *ours, *more, b"\r\n"])


def _lines_of_answer(status: int, headers: RawHeaders, shape: Shape, start: bytes, *, private: bool) -> list[bytes]:
    """private: it carries a cookie of ours."""
    interim = status < 200  # noqa: PLR2004
    named = _named(headers) if CONNECTION in shape.kinds else None
    lines = [start]
    dated = interim
    for (name, value), kind in zip(headers, shape.kinds, strict=True):
        if kind != PLAIN:
            if kind in _NEVER:
                continue
            if kind == LENGTH and (interim or status == _NO_CONTENT):
                continue  # RFC 9110, 8.6
            if kind == OF_CACHES and private:
                continue
            if kind == SET_COOKIE and names_ours(_text(value)):
                continue  # a backend has no say in who holds which place
        if named and name.lower() in named:
            continue
        dated = dated or kind == DATE
        lines.append(name + b": " + value)
    if not dated:
        lines.append(b"Date: " + formatdate(usegmt=True).encode())  # RFC 9110, 6.6.1
    if private:
        lines.append(b"Cache-Control: private, no-store")
    return lines


def _raw(text: str) -> bytes:
    """The bytes a parsed text came from."""
    return text.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
