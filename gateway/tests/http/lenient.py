"""A backend as tolerant as the worst servers people run, and the many ways in which such servers read one stream.

All of them end lines at a bare LF, strip what stands before the colon, unfold folded lines and skip lines that are no
header. They differ in what they take for a body. A reading that no proxy can guard against while it uses connections
again is not among them: a server that ignores the body of a GET.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from gateway.tests.http.strict import End, Incomplete, Malformed, Message, Stream

_STRTOL: Final = re.compile(rb"[\s]*([+-]?)(?:0[xX](?=[0-9A-Fa-f]))?([0-9A-Fa-f]*)")
_ATOI: Final = re.compile(rb"[\s]*([+-]?[0-9]*)")
_HEX: Final = re.compile(rb"[ \t]*([0-9A-Fa-f]+)[ \t]*(?:;.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reading:
    """How one kind of server reads requests.

    coding_first: `Transfer-Encoding` goes over `Content-Length`. contains: any coding that holds the word `chunked`
    will do. last: the last of several headers counts, not the first. sizes_by_c: numbers by strtol, which takes what
    it can and ignores the rest. underscores: `Content_Length` is `Content-Length`. bare_cr: a CR alone ends a line.
    c_strings: a value ends at a NUL. old: chunks are unknown to HTTP/1.0, which closes unless asked to stay.
    """

    name: str
    coding_first: bool = True
    contains: bool = False
    last: bool = False
    sizes_by_c: bool = False
    underscores: bool = False
    bare_cr: bool = False
    c_strings: bool = False
    old: bool = False

    def __str__(self) -> str:
        return self.name

    def read(self, data: bytes) -> Stream:
        """All requests of a stream."""
        messages: list[Message] = []
        at = 0
        try:
            while True:
                message, at = self.one(data, at)
                messages.append(message)
                if self.old and message.start[2] == b"HTTP/1.0" and b"keep-alive" not in message.tokens(b"connection"):
                    return Stream(tuple(messages), End.CLEAN)
        except Incomplete:
            left = data[at:].strip(b"\r\n")
            return Stream(tuple(messages), End.INCOMPLETE if left else End.CLEAN)
        except Malformed:
            return Stream(tuple(messages), End.MALFORMED)

    def one(self, data: bytes, at: int) -> tuple[Message, int]:
        """The request that begins here, and where it ends. Raises `Incomplete` or `Malformed`."""
        line = b""
        while not line.strip():
            line, at = self._line(data, at)
        parts = line.split(None, 2)
        if len(parts) < 2:
            raise Malformed
        headers, at = self._fields(data, at)
        message = Message((parts[0], parts[1], parts[2].strip() if len(parts) > 2 else b""), headers)
        body, at = self._body(message, data, at)
        return Message(message.start, message.headers, body), at

    def _line(self, data: bytes, at: int) -> tuple[bytes, int]:
        end = re.compile(rb"\r\n|\n|\r(?=[^\n])" if self.bare_cr else rb"\r?\n").search(data, at)
        if end is None:
            raise Incomplete
        return data[at : end.start()], end.end()

    def _fields(self, data: bytes, at: int) -> tuple[tuple[tuple[bytes, bytes], ...], int]:
        lines: list[bytes] = []
        while True:
            line, at = self._line(data, at)
            if not line:
                break
            if line[:1] in {b" ", b"\t"} and lines:
                lines[-1] += b" " + line.strip()
            else:
                lines.append(line)
        pairs = (line.partition(b":") for line in lines if b":" in line)
        headers = [(name.strip(), value.strip()) for name, _, value in pairs]
        if self.c_strings:
            headers = [(name.partition(b"\0")[0], value.partition(b"\0")[0]) for name, value in headers]
        return tuple(headers), at

    def _body(self, message: Message, data: bytes, at: int) -> tuple[bytes, int]:
        codings = self._all(message, b"transfer-encoding")
        lengths = self._all(message, b"content-length")
        if self.old and message.start[2] == b"HTTP/1.0":
            codings = []
        pick = -1 if self.last else 0
        chunked = bool(codings) and (
            b"chunked" in b",".join(codings).lower()
            if self.contains
            else codings[pick].lower().rpartition(b",")[2].strip() == b"chunked"
        )
        if chunked and (self.coding_first or not lengths):
            return self._chunks(data, at)
        length = self._number(lengths[pick]) if lengths else 0
        if len(data) < at + length:
            raise Incomplete
        return data[at : at + length], at + length

    def _all(self, message: Message, name: bytes) -> list[bytes]:
        spelled = (
            (found.lower().replace(b"_", b"-") if self.underscores else found.lower(), value)
            for found, value in message.headers
        )
        return [value for found, value in spelled if found == name]

    def _number(self, text: bytes) -> int:
        if self.sizes_by_c:
            found = _ATOI.match(text)
            digits = found[1] if found else b""
            return max(int(digits), 0) if digits.strip(b"+-") else 0
        first = text.split(b",")[-1 if self.last else 0].strip()
        if not first.isdigit():
            raise Malformed
        return int(first)

    def _chunks(self, data: bytes, at: int) -> tuple[bytes, int]:
        body = b""
        while True:
            line, at = self._line(data, at)
            found = (_STRTOL.match if self.sizes_by_c else _HEX.fullmatch)(line)
            if found is None:
                raise Malformed
            digits = found[found.lastindex or 0]
            size = int(digits, 16) if digits and found[1] != b"-" else 0
            if not size:
                break
            if len(data) < at + size:
                raise Incomplete
            body += data[at : at + size]
            rest, at = self._line(data, at + size)
            if rest and not self.sizes_by_c:
                raise Malformed
        _, at = self._fields(data, at)
        return body, at


READINGS: Final = (
    Reading("the coding first"),
    Reading("the length first", coding_first=False),
    Reading("whatever holds `chunked`", contains=True),
    Reading("the last of several", last=True),
    Reading("the last length first", last=True, coding_first=False),
    Reading("numbers by strtol", sizes_by_c=True, contains=True),
    Reading("lengths by strtol first", sizes_by_c=True, coding_first=False),
    Reading("underscores are dashes", underscores=True),
    Reading("underscores, the last length first", underscores=True, last=True, coding_first=False),
    Reading("a CR alone ends a line", bare_cr=True),
    Reading("C strings", c_strings=True),
    Reading("HTTP/1.0", old=True),
)


@dataclass(slots=True)
class Record:
    """A request as the backend read it, with the number that its answer bears. whole: its body is there."""

    number: int
    message: Message
    whole: bool = True


SERIAL: Final = b"X-Serial"


def echo(record: Record) -> list[bytes | None]:
    """An answer that says whose it is, twice."""
    body = b"answer %d" % record.number
    head = b"HTTP/1.1 200 OK\r\n%b: %d\r\nContent-Length: %d\r\n\r\n" % (SERIAL, record.number, len(body))
    return [head if record.message.start[0] == b"HEAD" else head + body]


@dataclass(slots=True)
class Backend:
    """Answers whatever it reads, by one reading, and keeps every byte for the others.

    records: the requests by that reading. early: answers at the head, without waiting for the body. reply: what it
    writes, piece by piece; None closes the connection.
    """

    port: int = 0
    live: Reading = READINGS[0]
    early: bool = False
    reply: Callable[[Record], list[bytes | None]] = echo
    records: list[Record] = field(default_factory=list)
    connections: list["BackendConnection"] = field(default_factory=list)
    _numbers: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def record(self, message: Message) -> Record:
        self._numbers += 1
        self.records.append(Record(self._numbers, message))
        return self.records[-1]

    def forget(self) -> None:
        """Forget what was recorded, and every connection that is over."""
        self.records.clear()
        self.connections = [connection for connection in self.connections if connection.open]
        for connection in self.connections:
            connection.received.clear()

    def cut(self) -> None:
        for connection in self.connections:
            connection.transport.abort()


class BackendConnection(asyncio.Protocol):
    """received: every byte since the backend was told to forget."""

    transport: asyncio.Transport

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._unread = b""
        self._early: Record | None = None
        self.received = bytearray()
        self.open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._backend.connections.append(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.open = False

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._unread += data
        try:
            while True:
                if self._backend.early and self._early is None:
                    self._answer_early()
                message, end = self._backend.live.one(self._unread, 0)
                self._unread = self._unread[end:]
                if self._early is None:
                    self._answer(message)
                else:
                    self._early.message, self._early.whole = message, True
                    self._early = None
        except Incomplete:
            pass
        except Malformed:
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self.transport.close()

    def _answer_early(self) -> None:
        """Answer as soon as the head is there."""
        end = self._unread.find(b"\r\n\r\n") + 4
        if end > 4:
            head = self._unread[:end].partition(b"\r\n")
            bare = head[0] + b"\r\n" + re.sub(rb"(?im)^(content-length|transfer-encoding):.*\r\n", b"", head[2])
            self._early = self._answer(self._backend.live.one(bare, 0)[0])
            self._early.whole = False

    def _answer(self, message: Message) -> Record:
        record = self._backend.record(message)
        self._write(self._backend.reply(record))
        return record

    def _write(self, parts: list[bytes | None]) -> None:
        """One part in each turn of the loop."""
        part, *rest = parts
        if part is None or self.transport.is_closing():
            self.transport.close()
        else:
            self.transport.write(part)
        if rest:
            asyncio.get_running_loop().call_soon(self._write, rest)


@asynccontextmanager
async def listening(backend: Backend) -> AsyncIterator[Backend]:
    """The backend on a port of its own until the end."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: BackendConnection(backend), "127.0.0.1", 0)
    backend.port = server.sockets[0].getsockname()[1]
    try:
        yield backend
    finally:
        server.close()
        backend.cut()
