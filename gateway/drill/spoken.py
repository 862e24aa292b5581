"""Tricks with HTTP itself: other versions, upgrades, requests that two servers would read differently.

Each probe for smuggling ends where both readings end, so that nothing of it can be left in front of somebody else's
request, whatever is wrong with the site.
"""

from collections.abc import Sequence
from typing import Final

from gateway.drill.exchange import Fields
from gateway.drill.plan import Drill
from gateway.drill.report import Finding, Row
from gateway.drill.site import expect

REFUSALS: Final = frozenset({400, 408, 411, 413, 417, 501, 505})
_END: Final = b"0\r\n\r\n"

_AMBIGUOUS: Final[tuple[tuple[str, Fields], ...]] = (
    ("a length and chunks", (("Content-Length", "5"), ("Transfer-Encoding", "chunked"))),
    ("chunks and a length", (("Transfer-Encoding", "chunked"), ("Content-Length", "5"))),
    ("two lengths", (("Content-Length", "5"), ("Content-Length", "6"))),
    ("a length with a sign", (("Content-Length", "+5"),)),
    ("a coding that looks like chunks", (("Content-Length", "5"), ("Transfer-Encoding", "xchunked"))),
    ("chunks by another name", (("Content-Length", "5"), ("Transfer-Encoding", "chunked, identity"))),
    ("a header's name with a space", (("Content-Length", "5"), ("Transfer-Encoding ", "chunked"))),
    ("a folded header", (("Content-Length", "5"), ("X-Folded", "a\r\n Transfer-Encoding: chunked"))),
)


async def versions(drill: Drill, row: Row) -> None:
    site = drill.site
    await site.attempt(row, "HTTP/1.0", version="HTTP/1.0")
    await site.attempt(row, "HTTP/1.0, its own visitor", version="HTTP/1.0", jar=site.either(1))
    await site.attempt(row, "another protocol's version", version="HTTP/2.0", odd=True)
    await site.attempt(row, "RTSP", version="RTSP/1.0", odd=True)
    exchange = await site.wire.send(f"GET {site.page}\r\n\r\n".encode())
    refused = not exchange.answers and not exchange.failed
    if refused:
        # Closed without a word: HTTP/0.9 has no way to say more.
        row.notes.append("HTTP/0.9: the connection was closed")
    else:
        await site.judge(row, "HTTP/0.9", exchange, {}, odd=True)


async def upgrades(drill: Drill, row: Row) -> None:
    site = drill.site
    socket: Sequence[tuple[str, str]] = (
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "c3VuYmVvbi1kcmlsbC0wMQ=="),
    )
    await site.attempt(row, "a WebSocket", headers=socket)
    await site.attempt(row, "a WebSocket of its own visitor", headers=socket, jar=site.either(1))
    h2c = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")]
    await site.attempt(row, "HTTP/2 over plain text", headers=h2c)


async def smuggling(drill: Drill, row: Row) -> None:
    site = drill.site
    for what, fields in _AMBIGUOUS:
        data = site.wire.compose("POST", site.page, fields, _END)
        exchange = await site.wire.send(data, all_answers=True)
        before = len(row.evidence)
        await site.judge(row, what, exchange, {}, odd=True)
        if row.evidence[before].finding is Finding.HELD:
            row.evidence.pop()
            answer = exchange.answers[0]
            good = answer.status in REFUSALS and len(exchange.answers) == 1
            expect(row, what, exchange, good=good, why="it was read in one of its two ways instead of refused")
    # A body that looks like a request is a body.
    hidden = site.wire.compose("GET", f"{site.page}?hidden", ())
    exchange = await site.wire.send(site.wire.compose("POST", site.page, (), hidden), all_answers=True)
    await site.judge(row, "a request in a body", exchange, {}, odd=True)
    if len(exchange.answers) > 1:
        expect(row, "a request in a body", exchange, good=False, why="two answers came to one request")
    # Two requests on one connection: the second is the gate's as the first was.
    first = site.wire.compose("GET", site.own("board"), (("Connection", "keep-alive"),))
    exchange = await site.wire.send(first + site.wire.compose("GET", site.page), all_answers=True)
    await site.judge(row, "the page behind the board", exchange, {})
