"""Backends of every manner. Which one a request meets is the first segment of its path; see `ROUTES`."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from gateway.tests.http.streaming.flow import Cut, Head, Pace
from gateway.tests.http.streaming.site import Exchange, Handler
from gateway.tests.http.streaming.websocket import CLOSE, GOING_AWAY, accept, frame, read_frame

_READ: Final = 64 * 1024


async def small(exchange: Exchange) -> None:
    await exchange.flow.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def _pace(head: Head) -> Pace:
    """As the client asks for it, `X-Pace: bytes,seconds`: after so many, a pause."""
    burst, _, pause_s = head.headers.get("x-pace", "0,0").partition(",")
    return Pace(int(burst), float(pause_s))


async def down(exchange: Exchange) -> None:
    """/down/{framing}/{size}/...: a body of this size."""
    framing, size = exchange.path.split("/")[2:4]
    chunked = framing == "chunked"
    line = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: " + size.encode()
    await exchange.flow.send(b"HTTP/1.1 200 OK\r\n", line, b"\r\n\r\n")
    before_s = exchange.flow.held_back_s
    await exchange.flow.send_body(int(size), chunked=chunked, pace=_pace(exchange.head))
    exchange.held_back_s = exchange.flow.held_back_s - before_s
    exchange.whole = True


async def up(exchange: Exchange) -> None:
    """/up/...: says the size and the hash of what came."""
    exchange.whole = False
    size, hashed = await exchange.flow.take(exchange.head, _pace(exchange.head))
    exchange.whole = True
    said = f"{size} {hashed}".encode()
    await exchange.flow.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))


async def silent(exchange: Exchange) -> None:
    """Reads, and never answers."""
    with suppress(ConnectionError):
        while await exchange.flow.reader.read(_READ):
            pass


async def deaf(exchange: Exchange) -> None:
    """Reads nothing, says nothing."""
    await exchange.flow.ended()
    raise Cut


async def endless(exchange: Exchange) -> None:
    await exchange.flow.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await exchange.flow.send_body(2**60, chunked=True)


async def stalling(exchange: Exchange) -> None:
    """Half an answer."""
    await exchange.flow.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf.")
    await exchange.flow.ended()


async def dripping(exchange: Exchange) -> None:
    """/drip/{bytes}/{seconds between them}"""
    size, every_s = exchange.path.split("/")[2:4]
    await exchange.flow.send(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n" % size.encode())
    for _ in range(int(size)):
        await asyncio.sleep(float(every_s))
        await exchange.flow.send(b".")


async def echo(exchange: Exchange) -> None:
    """A WebSocket that says what it is told, until it is closed; `whole` says whether with 1001."""
    flow = exchange.flow
    await flow.send(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ",
        accept(exchange.head.headers["sec-websocket-key"]).encode(),
        b"\r\n\r\n",
    )
    while True:
        first, payload = await read_frame(flow)
        if first == CLOSE:
            exchange.whole = int.from_bytes(payload[:2]) == GOING_AWAY
            raise Cut
        await flow.send(frame(payload, masked=False, first=first))


ROUTES: Final[Mapping[str, Handler]] = {
    "small": small,
    "down": down,
    "up": up,
    "silent": silent,
    "deaf": deaf,
    "endless": endless,
    "stall": stalling,
    "drip": dripping,
    "echo": echo,
}
