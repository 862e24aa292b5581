"""HTTP/1.1 as RFC 9112 has it and not a byte wider: where each message ends, and what is none.

The one thing it overlooks is what the RFC tells servers to: an empty line before a request.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]*"
_REQUEST: Final = re.compile(rb"(%b) ([\x21-\x7e\x80-\xff]+) (HTTP/1\.[01])" % _TOKEN)
_STATUS: Final = re.compile(rb"(HTTP/1\.[01]) ([1-9][0-9]{2}) (%b)" % _TEXT)
_FIELD: Final = re.compile(rb"(%b):(%b)" % (_TOKEN, _TEXT))
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;%b)?" % _TEXT)
_HOST: Final = re.compile(rb"(?:[0-9A-Za-z._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")


class Broken(Exception):
    """body: as much of it as there is before the fault."""

    def __init__(self, body: bytes = b"") -> None:
        super().__init__()
        self.body = body


class Malformed(Broken):
    """Whatever comes, this will be no message."""


class Incomplete(Broken):
    """More has to come."""


class End(Enum):
    """How a stream ends: where a message may begin; in the middle of one; where nobody knows any more."""

    CLEAN = auto()
    INCOMPLETE = auto()
    MALFORMED = auto()


@dataclass(frozen=True, slots=True)
class Message:
    """start: method, target, version of a request; version, status, reason of an answer. body: without its framing."""

    start: tuple[bytes, bytes, bytes]
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""

    def all(self, name: bytes) -> list[bytes]:
        return [value for found, value in self.headers if found.lower() == name]

    def tokens(self, name: bytes) -> set[bytes]:
        """The members of a list, in lower case."""
        return {part.strip(b" \t").lower() for value in self.all(name) for part in value.split(b",")}


@dataclass(frozen=True, slots=True)
class Stream:
    """messages: those that are whole. partial: as much as there is of one whose head is there, and no more."""

    messages: tuple[Message, ...]
    end: End
    partial: Message | None = None

    @property
    def methods(self) -> list[bytes]:
        """Of requests: of all that may be answered."""
        return [message.start[0] for message in (*self.messages, self.partial) if message]


class Cursor:
    """lax: a bare LF ends a line too."""

    def __init__(self, data: bytes, *, lax: bool = False) -> None:
        self.data = data
        self.at = 0
        self._lax = lax

    def line(self) -> bytes:
        mark = b"\n" if self._lax else b"\r\n"
        end = self.data.find(mark, self.at)
        if end < 0:
            raise Incomplete
        line, self.at = self.data[self.at : end], end + len(mark)
        return line.removesuffix(b"\r") if self._lax else line

    def take(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        self.at += len(taken)
        return taken

    def match(self, form: re.Pattern[bytes]) -> re.Match[bytes]:
        found = form.fullmatch(self.line())
        if found is None:
            raise Malformed
        return found

    def fields(self) -> tuple[tuple[bytes, bytes], ...]:
        """Header lines up to and with the empty one."""
        fields = []
        while line := self.line():
            found = _FIELD.fullmatch(line)
            if found is None:
                raise Malformed
            fields.append((found[1], found[2].strip(b" \t")))
        return tuple(fields)

    def length(self, count: int) -> bytes:
        body = self.take(count)
        if len(body) < count:
            raise Incomplete(body)
        return body

    def chunks(self) -> bytes:
        body = b""
        try:
            while size := int(self.match(_CHUNK)[1], 16):
                chunk = self.take(size)
                body += chunk
                if self.data[self.at : self.at + 2] not in {b"", b"\r", b"\r\n"} and not self._lax:
                    raise Malformed
                if self.line():
                    raise Malformed
            self.fields()
        except Broken as error:
            raise type(error)(body) from None
        return body


def framing(message: Message) -> int | None:
    """The length of the body, or None: chunked; -1 where no header says. Raises `Malformed` if two readers differ."""
    codings, lengths = message.all(b"transfer-encoding"), message.all(b"content-length")
    if codings:
        if lengths or [coding.lower() for coding in codings] != [b"chunked"] or b"HTTP/1.0" in message.start:
            raise Malformed
        return None
    if not lengths:
        return -1
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise Malformed
    return int(lengths[0])


def closes(message: Message) -> bool:
    """Whether nothing may follow this message on its connection."""
    tokens = message.tokens(b"connection")
    return b"close" in tokens or (b"HTTP/1.0" in message.start and b"keep-alive" not in tokens)


def requests(data: bytes) -> Stream:
    """What a client sent, up to the request that ends the connection."""
    messages: list[Message] = []
    cursor = Cursor(data)
    partial: Message | None = None
    end = End.CLEAN
    try:
        while not (messages and closes(messages[-1])):
            if data.startswith(b"\r\n", cursor.at):
                cursor.at += 2
            if cursor.at == len(data):
                break
            start = cursor.match(_REQUEST).groups()
            message = Message((start[0], start[1], start[2]), cursor.fields())
            hosts = message.all(b"host")
            if len(hosts) > 1 or not all(map(_HOST.fullmatch, hosts)) or (not hosts and start[2] == b"HTTP/1.1"):
                raise Malformed
            length = framing(message)
            partial = message
            body = cursor.chunks() if length is None else cursor.length(max(length, 0))
            messages.append(Message(message.start, message.headers, body))
            partial = None
    except Broken as error:
        end = End.MALFORMED if isinstance(error, Malformed) else End.INCOMPLETE
        partial = partial and Message(partial.start, partial.headers, error.body)
    return Stream(tuple(messages), end, partial)


def answers(data: bytes, methods: Sequence[bytes] = (), *, ended: bool = False, lax: bool = False) -> Stream:
    """The final answers a client got to requests of these methods (GET beyond them). ended: no more will come.

    lax: read as clients read that are kind to servers.
    """
    messages: list[Message] = []
    cursor = Cursor(data, lax=lax)
    partial: Message | None = None
    end = End.CLEAN
    try:
        while cursor.at < len(data):
            start = cursor.match(_STATUS).groups()
            message = Message((start[0], start[1], start[2]), cursor.fields())
            if start[1].startswith(b"1"):
                continue
            length = framing(message)
            partial = message
            method = methods[len(messages)] if len(messages) < len(methods) else b"GET"
            if method == b"HEAD" or start[1] in {b"204", b"304"}:
                body = b""
            elif length == -1:
                body = cursor.take(len(data))
                if not ended:
                    raise Incomplete(body)
            else:
                body = cursor.chunks() if length is None else cursor.length(length)
            messages.append(Message(message.start, message.headers, body))
            partial = None
    except Broken as error:
        end = End.MALFORMED if isinstance(error, Malformed) else End.INCOMPLETE
        partial = partial and Message(partial.start, partial.headers, error.body)
    return Stream(tuple(messages), end, partial)
