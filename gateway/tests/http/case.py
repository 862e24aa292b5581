"""What a case is: the bytes of both ends, and what must come out at both ends."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Do(Enum):
    """What an end does, other than writing bytes."""

    BODY = auto()  # backend: read the request's body to its end
    CLOSE = auto()  # close the connection in order
    HALF = auto()  # client: say that nothing more will be sent, and go on reading
    RESET = auto()  # tear the connection down


@dataclass(frozen=True, slots=True)
class Got:
    """Wait until these bytes are among what this end has received."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Tell:
    """Let the other end go on that waits to `Hear` this."""

    word: str


@dataclass(frozen=True, slots=True)
class Hear:
    word: str


Step = bytes | Do | Got | Tell | Hear
BODY, CLOSE, HALF, RESET = Do.BODY, Do.CLOSE, Do.HALF, Do.RESET

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HELLO: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer at the client. None, as everywhere below: any.

    status: or several that will do. lines: the headers in order, but for framing, Connection, Upgrade and the gateway's
    own. framing: the line that says where the body ends, empty if none. absent: names that must not come. interim:
    whole 1xx answers before. to: the method it answers. whole: it comes to its end, and the client can tell.
    """

    status: int | tuple[int, ...] = 200
    body: bytes | None = None
    start: bytes | None = None
    lines: tuple[bytes, ...] | None = None
    framing: bytes | None = None
    absent: tuple[bytes, ...] = ()
    interim: tuple[bytes, ...] = ()
    to: bytes = b"GET"
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """A request at the backend. head: a pattern of all of it. lines: as for `Answer`. whole: it came to its end.

    upgrade: it asks to switch to WebSocket. Otherwise it says nothing of its connection.
    """

    start: bytes | None = None
    lines: tuple[bytes, ...] | None = None
    framing: bytes | None = None
    body: bytes | None = None
    head: bytes | None = None
    absent: tuple[bytes, ...] = ()
    whole: bool | None = True
    upgrade: bool = False


# A request whose body broke: at the backend it may have begun, but its connection ends before it is whole.
CUT: Final = Seen(whole=False)


@dataclass(frozen=True, slots=True)
class Expect:
    """answers: at the client, in order. seen: requests at the backend, in order, from all connections.

    then: the client's connection is "open" afterwards (it carries another request) or "closed". again: the backend's
    connection carries another request. tunnel: bytes at the client after a 101. back: bytes at the backend after it.
    """

    answers: tuple[Answer, ...]
    seen: tuple[Seen, ...] | None = None
    then: str | None = "open"
    again: bool | None = None
    tunnel: bytes = b""
    back: bytes = b""


@dataclass(frozen=True, slots=True)
class Case:
    """name: the promise. rfc: its section. send: what the client does. reply: what the backend does, by request.

    The backend does the last script for all further requests; one that reads no body reads it afterwards. expect:
    several if any of them will do. ours: a promise that is Sunbeon's alone, and nothing to ask nginx about. trusted:
    the client is a trusted proxy.
    """

    name: str
    rfc: str
    send: bytes | tuple[Step, ...]
    expect: Expect | tuple[Expect, ...]
    reply: bytes | tuple[tuple[Step, ...], ...] = OK
    ours: bool = False
    trusted: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        return (self.send,) if isinstance(self.send, bytes) else self.send

    @property
    def scripts(self) -> tuple[tuple[Step, ...], ...]:
        return ((BODY, self.reply),) if isinstance(self.reply, bytes) else self.reply

    @property
    def old(self) -> bool:
        """Whether the client speaks HTTP/1.0: its connection ends unless it is told otherwise."""
        return any(isinstance(step, bytes) and b" HTTP/1.0\r\n" in step for step in self.steps)

    @property
    def expected(self) -> tuple[Expect, ...]:
        return self.expect if isinstance(self.expect, tuple) else (self.expect,)


def request(start: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    """A request to `site.test` as bytes; the version is added where there is none."""
    if b" HTTP/" not in start:
        start += b" HTTP/1.1"
    return b"\r\n".join((start, b"Host: site.test", *lines, b"", b"")) + body


def get(*lines: bytes) -> bytes:
    return request(b"GET /", *lines)


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return request(b"POST /", *lines, body=body)


def answer(status: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    """An answer as bytes, with nothing that was not asked for."""
    return b"\r\n".join((b"HTTP/1.1 " + status, *lines, b"", b"")) + body


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def carried(
    *lines: bytes,
    answer: Answer | None = None,
    start: bytes | None = None,
    framing: bytes | None = None,
    body: bytes | None = None,
    then: str | None = "open",
) -> Expect:
    """One request goes through with these headers, and is answered."""
    return Expect((answer or Answer(),), (Seen(start, lines or None, framing, body),), then)


def refused(status: int | tuple[int, ...] = 400, then: str | None = "closed") -> Expect:
    """The gateway's own answer; the backend sees nothing."""
    return Expect((Answer(status),), (), then)


def broken(status: int | tuple[int, ...] = 400) -> tuple[Expect, Expect]:
    """The body breaks on its way: refused, and no whole request at the backend."""
    return refused(status), Expect((Answer(status),), (CUT,), "closed")


def failed(status: int = 502, then: str | None = "open", *, again: bool | None = None) -> Expect:
    """The backend's answer cannot be passed on."""
    return Expect((Answer(status),), (Seen(),), then, again)
