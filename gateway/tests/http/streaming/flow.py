"""One end of a connection, client's or backend's: heads, and bodies of any size that are never held whole."""

import asyncio
import hashlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final, NamedTuple

MIB: Final = 2**20
# Its length is a prime: a piece that was lost, doubled or moved cannot go unnoticed.
_PATTERN: Final = memoryview(random.Random(0).randbytes(1_048_573))
_PIECE: Final = 256 * 1024
# What asyncio holds of what has come, before it reads no more.
_HELD: Final = 128 * 1024
_LAST_CHUNK: Final = b"0\r\n\r\n"


def pieces(size: int) -> Iterator[memoryview]:
    """A body of this size, the same each time."""
    at = 0
    while at < size:
        start = at % len(_PATTERN)
        piece = _PATTERN[start : start + min(_PIECE, size - at)]
        yield piece
        at += len(piece)


@cache
def digest(size: int) -> str:
    """What `Flow.take` says of this body."""
    hashed = hashlib.sha256()
    for piece in pieces(size):
        hashed.update(piece)
    return hashed.hexdigest()


class Cut(Exception):
    """The connection ended before the message did."""


class Head(NamedTuple):
    start: str
    headers: Mapping[str, str]

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])


@dataclass(slots=True)
class Pace:
    """After every `burst` bytes, a pause. 0: none."""

    burst: int = 0
    pause_s: float = 0.0
    _since: int = 0

    async def went(self, size: int) -> None:
        self._since += size
        if self.burst and self._since >= self.burst:
            self._since = 0
            await asyncio.sleep(self.pause_s)


class _Protocol(asyncio.StreamReaderProtocol):
    """Notes when the other side ended the connection; seen only while it is read."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def eof_received(self) -> bool | None:
        self._note()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._note()
        super().connection_lost(exc)

    def _note(self) -> None:
        if not self.ended.done():
            self.ended.set_result(asyncio.get_running_loop().time())


class Flow:
    """held_back_s: how long sending has waited for the other side to take something. made: all, to be ended."""

    made: ClassVar[set["Flow"]] = set()

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: _Protocol) -> None:
        self.reader = reader
        self.writer = writer
        self.held_back_s = 0.0
        self._protocol = protocol
        self.made.add(self)

    @classmethod
    async def open(cls, port: int, *, receive_buffer: int | None = None) -> "Flow":
        """Connect. receive_buffer: what the kernel may hold for us, so that it is soon full."""
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(sock, ("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        reader = asyncio.StreamReader(limit=_HELD // 2)
        transport, protocol = await loop.create_connection(lambda: _Protocol(reader), sock=sock)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop), protocol)

    @staticmethod
    def accepting(serve: Any) -> "_Protocol":
        """The protocol of one accepted connection, given to `serve` as a flow."""
        reader = asyncio.StreamReader(limit=_HELD // 2)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await serve(Flow(reader, writer, protocol))

        protocol = _Protocol(reader, connected)
        return protocol

    @property
    def local_port(self) -> int:
        port: int = self.writer.get_extra_info("sockname")[1]
        return port

    async def ended(self) -> float:
        """When the other side ended the connection, by the loop's clock; waits for it."""
        return await asyncio.shield(self._protocol.ended)

    # Out

    async def send(self, *parts: bytes | memoryview) -> None:
        """Send, and wait until there is room for more. Raises `Cut`."""
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        try:
            self.writer.writelines(parts)
            await self.writer.drain()
        except (ConnectionError, RuntimeError):
            raise Cut from None
        finally:
            self.held_back_s += loop.time() - since_s

    async def send_body(self, size: int, *, chunked: bool, pace: Pace | None = None) -> None:
        for piece in pieces(size):
            if chunked:
                await self.send(b"%x\r\n" % len(piece), piece, b"\r\n")
            else:
                await self.send(piece)
            if pace is not None:
                await pace.went(len(piece))
        if chunked:
            await self.send(_LAST_CHUNK)

    def half_close(self) -> None:
        self.writer.write_eof()

    def close(self) -> None:
        self.writer.close()

    def die(self) -> None:
        """What the kernel does for a process that is killed."""
        self.writer.transport.abort()

    def reset(self) -> None:
        """Vanish: the other side is told of a break, not of an end."""
        if not self.writer.transport.is_closing():
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    # In

    async def head(self) -> Head:
        """The next head. Raises `Cut`."""
        raw = await self._got(self.reader.readuntil(b"\r\n\r\n"))
        start, *lines = raw[:-4].decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return Head(start, {name.lower(): value.strip() for name, _, value in pairs})

    async def body(self, head: Head) -> AsyncIterator[bytes]:
        """Its pieces as they come. Raises `Cut` if it does not come to its end."""
        if head.headers.get("transfer-encoding") != "chunked":
            async for piece in self._exactly(int(head.headers.get("content-length", "0"))):
                yield piece
            return
        while size := int(await self._got(self.reader.readuntil(b"\r\n")), 16):
            async for piece in self._exactly(size):
                yield piece
            await self._got(self.reader.readexactly(2))
        await self._got(self.reader.readexactly(2))

    async def event(self) -> bytes:
        """The next chunk of a chunked body: an event, where each comes in one. Empty at its end. Raises `Cut`."""
        size = int(await self._got(self.reader.readuntil(b"\r\n")), 16)
        return (await self._got(self.reader.readexactly(size + 2)))[:-2]

    async def take(self, head: Head, pace: Pace | None = None) -> tuple[int, str]:
        """Read a body to its end: its size and its hash. Raises `Cut`."""
        size, hashed = 0, hashlib.sha256()
        async for piece in self.body(head):
            size += len(piece)
            hashed.update(piece)
            if pace is not None:
                await pace.went(len(piece))
        return size, hashed.hexdigest()

    async def _exactly(self, left: int) -> AsyncIterator[bytes]:
        while left:
            piece = await self._got(self.reader.read(min(left, _PIECE)))
            if not piece:
                raise Cut
            left -= len(piece)
            yield piece

    @staticmethod
    async def _got(reading: Any) -> bytes:
        try:
            got: bytes = await reading
        except (ConnectionError, asyncio.IncompleteReadError):
            raise Cut from None
        return got


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: site.test", *headers, "\r\n"]).encode()


def post(path: str, size: int, *, chunked: bool = False) -> bytes:
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: site.test", framing, "\r\n"]).encode()
