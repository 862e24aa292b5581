"""A backend that keeps every byte it is sent, and does what it is told: answers, delays, hangs, cuts, streams.

On bare asyncio streams, because an HTTP library would hide what these tests are about.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar

# Far more than anything takes: a machine under load must not fail a test.
PATIENCE_S: Final = 15.0
LOOK_S: Final = 0.005

T = TypeVar("T")


async def until(look: Callable[[], T], what: str) -> T:
    """Look until what is seen counts as true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (seen := look()):
        assert time.monotonic() < deadline, f"did not happen: {what}"
        await asyncio.sleep(LOOK_S)
    return seen


@dataclass(slots=True)
class Recorded:
    """One request. head: request line and headers with their last empty line; body: what came of it, unchunked.

    whole: it came to its end. closed: the connection ended while this was the request under way.
    """

    head: bytes
    reader: asyncio.StreamReader = field(repr=False)
    body: bytes = b""
    whole: bool = False
    closed: bool = False

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def all(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found.lower() == name.lower()]

    def one(self, name: str) -> str | None:
        found = self.all(name)
        assert len(found) < 2, f"{name} came {len(found)} times"
        return found[0] if found else None


Act = Callable[[Recorded, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"hello", *headers: str, status: str = "200 OK", length: bool = True) -> bytes:
    """A whole answer as bytes."""
    lines = [f"HTTP/1.1 {status}", *([f"Content-Length: {len(body)}"] if length else []), *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@dataclass(slots=True)
class Backend:
    """requests: in the order their heads came. reply: what everyone is answered; act: does the answering instead.

    early: answer at the head, without waiting for the body. writers: of the connections open now.
    """

    port: int = 0
    requests: list[Recorded] = field(default_factory=list)
    reply: bytes = field(default_factory=answer)
    act: Act | None = None
    early: bool = False
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Recorded:
        return self.requests[-1]

    @property
    def targets(self) -> list[str]:
        return [request.target for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        request: Recorded | None = None
        try:
            while True:
                request = None
                head = await reader.readuntil(b"\r\n\r\n")
                request = Recorded(head, reader)
                self.requests.append(request)
                if not self.early:
                    await _read_body(reader, request)
                await self._answer(request, writer)
                if self.early:
                    await _read_body(reader, request)
        except (asyncio.IncompleteReadError, ConnectionError):
            if request is not None:
                request.closed = True
        finally:
            self.writers.remove(writer)
            writer.close()

    async def _answer(self, request: Recorded, writer: asyncio.StreamWriter) -> None:
        if self.act is not None:
            await self.act(request, writer)
        else:
            head, mark, _ = self.reply.rpartition(b"\r\n\r\n") if request.method == "HEAD" else (b"", b"", b"")
            writer.write(head + mark or self.reply)
            await writer.drain()
        if writer.is_closing():
            raise ConnectionResetError

    def cut(self) -> None:
        """Cut every connection, as by pulling the plug."""
        for writer in list(self.writers):
            writer.transport.abort()


async def _read_body(reader: asyncio.StreamReader, request: Recorded) -> None:
    if (length := request.one("Content-Length")) is not None:
        left = int(length)
        while left:
            chunk = await reader.read(min(left, 65_536))
            if not chunk:
                raise ConnectionResetError
            request.body += chunk
            left -= len(chunk)
    elif (request.one("Transfer-Encoding") or "").lower() == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            request.body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    request.whole = True


@asynccontextmanager
async def running(backend: Backend) -> AsyncIterator[Backend]:
    """The backend on a port of its own until the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(asyncio.CancelledError):
                await backend.serve(reader, writer)
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", backend.port, limit=2**20)
    backend.port = server.sockets[0].getsockname()[1]
    try:
        yield backend
    finally:
        server.close()
        backend.cut()
        for task in list(tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def hang(request: Recorded, _: asyncio.StreamWriter) -> None:
    """Never answer, until the other side gives up."""
    while await request.reader.read(65_536):
        pass
    raise ConnectionResetError
