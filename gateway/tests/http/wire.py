"""Raw HTTP/1.1 for both ends of a gateway: every byte that came, and how the connection ended.

No HTTP library: it would hide what is looked for.
"""

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar, cast

HEAD_END: Final = b"\r\n\r\n"
T = TypeVar("T")


class Ended(Exception):
    """The connection ended before what was waited for had come."""


class Wire(asyncio.Protocol):
    """One end of a connection. received: every byte. end: None, "eof", or "reset"."""

    def __init__(self, made: Callable[["Wire"], None] = lambda _: None) -> None:
        self.received = bytearray()
        self.end: str | None = None
        self.half = False  # this end has said that it sends no more
        self.transport: asyncio.Transport
        self._made = made
        self._news = asyncio.Event()
        self._lost = asyncio.Event()

    @classmethod
    async def open(cls, port: int) -> "Wire":
        _, wire = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self._made(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._news.set()

    def eof_received(self) -> bool:
        self.end = self.end or "eof"
        self._news.set()
        return True  # the other direction stays open: whether to close is for the test to say

    def connection_lost(self, exc: Exception | None) -> None:
        self.end = self.end or ("reset" if exc else "eof")
        self._news.set()
        self._lost.set()

    async def until(self, look: Callable[[], T | None]) -> T:
        """Wait until what is seen is not None. Raises `Ended` if it cannot come any more."""
        while (seen := look()) is None:
            if self.end:
                raise Ended
            self._news.clear()
            await self._news.wait()
        return seen

    async def ended(self) -> None:
        await self.until(lambda: self.end)

    def write(self, data: bytes) -> None:
        """Send it, if the connection still takes it."""
        if not self.half and not self.transport.is_closing():
            self.transport.write(data)

    def stop(self) -> None:
        self.half = True
        self.transport.write_eof()

    def close(self) -> None:
        self.transport.close()

    def reset(self) -> None:
        """Tear the connection down: the other end is told of no end, but of a break."""
        sock = self.transport.get_extra_info("socket")
        if not self.transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    async def give_up(self) -> None:
        """Let go of the connection, whatever became of it."""
        self.transport.abort()
        await self._lost.wait()


@dataclass(slots=True)
class Message:
    """A request or an answer. head: up to and with its empty line. body: unchunked.

    extra: chunk extensions and trailers. whole: it came to its end. wire: what it came over.
    """

    head: bytes
    wire: Wire
    body: bytes = b""
    extra: bytes = b""
    whole: bool = False

    @property
    def start(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0]

    @property
    def status(self) -> int:
        """Of an answer; 0 if it says none."""
        found = re.match(rb"HTTP/\d\.\d (\d{3})(?: |$)", self.start)
        return int(found[1]) if found else 0

    @property
    def lines(self) -> list[bytes]:
        """The header lines in order, with one space after the colon and none at the end."""
        pairs = (line.partition(b":") for line in self.head.split(b"\r\n")[1:-2])
        return [name + b": " + value.strip(b" \t") if value.strip(b" \t") else name + b":" for name, _, value in pairs]

    def all(self, name: bytes) -> list[bytes]:
        pairs = (line.partition(b":") for line in self.lines)
        return [value.strip() for found, _, value in pairs if found.lower() == name.lower()]

    @property
    def framing(self) -> bytes:
        """The header line that says where the body ends: `Content-Length: 5`; empty if there is none."""
        return b"; ".join(line for line in self.lines if re.match(rb"(?i)(content-length|transfer-encoding):", line))


class Reader:
    """Takes messages from a wire one after another."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.at = 0

    @property
    def rest(self) -> bytes:
        return bytes(self.wire.received[self.at :])

    async def _through(self, mark: bytes) -> bytes:
        def look() -> int | None:
            found = self.wire.received.find(mark, self.at)
            return None if found < 0 else found + len(mark)

        end = await self.wire.until(look)
        taken = bytes(self.wire.received[self.at : end])
        self.at = end
        return taken

    async def _some(self, most: int) -> bytes:
        """From 1 to `most` bytes."""
        await self.wire.until(lambda: True if len(self.wire.received) > self.at else None)
        taken = bytes(self.wire.received[self.at : self.at + most])
        self.at += len(taken)
        return taken

    async def head(self) -> Message:
        return Message(await self._through(HEAD_END), self.wire)

    async def request(self) -> Message:
        """A request's head; whole, if that is all of it."""
        message = await self.head()
        message.whole = not message.framing
        return message

    async def request_body(self, message: Message) -> None:
        """Read it to its end. Raises `Ended`, and then what came is in the message."""
        if message.all(b"Transfer-Encoding"):
            await self._chunks(message)
        else:
            await self._length(message, int((message.all(b"Content-Length") or [b"0"])[0]))
        message.whole = True

    async def answer_body(self, message: Message, method: bytes) -> None:
        if method == b"HEAD" or message.status in {101, 204, 304}:
            pass
        elif message.all(b"Transfer-Encoding"):
            await self._chunks(message)
        elif lengths := message.all(b"Content-Length"):
            await self._length(message, int(lengths[0]))
        else:
            await self._everything(message)
        message.whole = True

    async def _length(self, message: Message, left: int) -> None:
        while left:
            some = await self._some(left)
            message.body += some
            left -= len(some)

    async def _chunks(self, message: Message) -> None:
        while True:
            size, mark, extension = (await self._through(b"\r\n"))[:-2].partition(b";")
            message.extra += mark + extension
            await self._length(message, left := int(size, 16))
            if not left:
                break
            await self._through(b"\r\n")
        while line := (await self._through(b"\r\n"))[:-2]:
            message.extra += line

    async def _everything(self, message: Message) -> None:
        try:
            while True:
                message.body += await self._some(2**20)
        except Ended:
            if self.wire.end == "reset":
                raise
