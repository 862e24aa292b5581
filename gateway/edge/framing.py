"""Where one request ends and the next begins, decided here on the bytes themselves before the parser sees them.

llhttp lets through what RFC 9112 tells a server to refuse, and what a backend may read differently: HTTP/1.0 with
Transfer-Encoding, an empty Transfer-Encoding, a Content-Length of 2^64-1, any number of empty lines, other protocols'
versions, chunk extensions without end. It tells neither which line was too long nor where it stopped reading. So the
listener cuts the stream by these rules, hands the parser one head or one stretch of body at a time, and goes on only
if both agree. Pure: bytes in, an end or an error out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from gateway.edge.proxy.errors import BadFraming
from shared.errors import SunbeonError

_CRLF: Final = b"\r\n"
_END: Final = b"\r\n\r\n"
# No control character but a tab stands in a head, CR and LF only together (RFC 9110, 5.5; RFC 9112, 2.2).
_CONTROLS: Final = bytes(code for code in (*range(32), 127) if code != ord("\t"))
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_LONGEST_METHOD: Final = 32
_BEGINNING: Final = re.compile(_TOKEN + rb"{1,%d}(?: |\Z)" % _LONGEST_METHOD)
_REQUEST_LINE: Final = re.compile(rb"(" + _TOKEN + rb"+) ([^ \t]+) HTTP/([0-9]\.[0-9])")
_NO_TARGET: Final = len(b" " + b" HTTP/1.1") + _LONGEST_METHOD
# What says how long a body is and whose request it is. The parser refuses these names in any spelling but a plain one.
_FRAMING: Final = re.compile(rb"\r\n(content-length|transfer-encoding|host):([^\r]*)", re.IGNORECASE)
# No escapes: a backend that decodes `h%2fbooking` or `h%0d%0aX` has more than a host.
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
# Far below where anybody's integers overflow.
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

_CHUNK: Final = re.compile(rb"(0?[0-9A-Fa-f]{1,15})((?:;[\t\x20-\x7e\x80-\xff]*)?)\r\n")
_TRAILER: Final = re.compile(_TOKEN + rb"+:[\t\x20-\x7e\x80-\xff]*\r\n")
# A chunk costs work, however small: a body of more than so many must have so many bytes in each on the average.
CHUNKS: Final = 1024
CHUNK_BYTES: Final = 64
# All chunk extensions of one body together. Nobody uses them; without a bound they are a body that counts as none.
EXTENSION_BYTES: Final = 4 * 1024
_CHUNK_LINE_BYTES: Final = 16 + EXTENSION_BYTES + len(_CRLF)

ALLOW: Final = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


class Refused(SunbeonError):
    """A request that is answered here and goes no further. The connection ends with the answer.

    code: a stable word for programs and counters.
    """

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = headers


def bad_request(detail: str) -> Refused:
    return Refused(400, "bad_request", detail)


@dataclass(frozen=True, slots=True)
class Limits:
    """target_bytes: of the request target. header_bytes, headers: of a whole head, and again of a body's trailers."""

    target_bytes: int
    header_bytes: int
    headers: int


class Body(Protocol):
    """How long a request's body is; told piece by piece.

    trailing: what comes next is trailers, or the empty line that ends them. done: it has come to its end.
    """

    @property
    def trailing(self) -> bool: ...

    @property
    def done(self) -> bool: ...

    def take(self, data: bytes, start: int) -> int:
        """Where in `data` the part of the body that begins at `start` ends; not beyond where trailers begin.

        Raises `BadFraming`.
        """


class Head:
    """Finds where heads end, looking at every byte once however slowly they come."""

    __slots__ = ("_limits", "_looked")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._looked = 0

    def end(self, data: bytes, start: int) -> int:
        """The end of the head that begins at `start`, or 0 if it has not come. Raises `Refused` as soon as it can."""
        looked = start + self._looked
        found = data.find(_END, max(start, looked - len(_END) + 1))
        end = found + len(_END) if found >= 0 else len(data)
        if not _BEGINNING.match(data, start):
            raise bad_request("the request does not begin with a method")
        longest_line = self._limits.target_bytes + _NO_TARGET
        if end - start > longest_line and data.find(_CRLF, start, start + longest_line + len(_CRLF)) < 0:
            raise _target_too_long()
        if end - start > self._limits.header_bytes:
            raise Refused(431, "headers_too_large", "the headers are longer than this server takes")
        # A CR at the end may be half a line end.
        sure = end if found >= 0 or data[end - 1 : end] != b"\r" else end - 1
        if not _is_plain(data[looked:sure]):
            raise bad_request("the headers hold a control character or a broken line end")
        self._looked = 0 if found >= 0 else sure - start
        return end if found >= 0 else 0


def _is_plain(text: bytes) -> bool:
    return len(text.translate(None, _CONTROLS)) + len(_CRLF) * text.count(_CRLF) == len(text)


def _target_too_long() -> Refused:
    return Refused(414, "uri_too_long", "the address is longer than this server takes")


def read_head(head: bytes, limits: Limits) -> Body | None:
    """The body that follows a whole head, if any. Raises `Refused` for what the gate must not see.

    Names and values in general are the parser's to check.
    """
    version = _read_request_line(head[: head.index(_CRLF)], limits)
    if head.count(_CRLF) - 2 > limits.headers:
        raise Refused(431, "headers_too_large", "there are more headers than this server takes")
    found: dict[bytes, list[bytes]] = {b"host": [], b"content-length": [], b"transfer-encoding": []}
    for name, value in _FRAMING.findall(head):
        found[name.lower()].append(value.strip(b" \t"))
    _check_host(found[b"host"], version)
    return _body(found[b"content-length"], found[b"transfer-encoding"], version, limits)


def _check_host(hosts: list[bytes], version: bytes) -> None:
    if len(hosts) > 1 or (not hosts and version != b"1.0"):
        raise bad_request("a request names one host")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise bad_request("the host is none")


def _body(lengths: list[bytes], encodings: list[bytes], version: bytes, limits: Limits) -> Body | None:
    if encodings:
        if version == b"1.0":
            raise bad_request("HTTP/1.0 knows no Transfer-Encoding")  # RFC 9112, 6.1
        if lengths:
            raise bad_request("a request has Content-Length or Transfer-Encoding, not both")
        if [encoding.lower() for encoding in encodings] != [b"chunked"]:
            raise Refused(501, "not_implemented", "the only Transfer-Encoding taken is chunked")
        return Chunked(limits)
    if not lengths:
        return None
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise bad_request("Content-Length is one number")
    return Sized(int(lengths[0])) if int(lengths[0]) else None


def _read_request_line(line: bytes, limits: Limits) -> bytes:
    """The version. Raises `Refused`."""
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise bad_request("the request line cannot be read")
    method, target, version = found.groups()
    if version not in {b"1.1", b"1.0"}:
        raise Refused(505, "http_version", "this server speaks HTTP/1.1")
    if method in {b"CONNECT", b"TRACE"}:
        # A tunnel to anywhere, and an echo of cookies that scripts must not see.
        raise Refused(405, "method_not_allowed", "this method is not taken here", {"Allow": ALLOW})
    if len(target) > limits.target_bytes:
        raise _target_too_long()
    if b"#" in target:
        raise bad_request("the address holds a fragment")
    return bytes(version)


class Sized:
    """A body of as many bytes as Content-Length said."""

    __slots__ = ("_left", "done")

    trailing: Final = False

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = not length

    def take(self, data: bytes, start: int) -> int:
        taken = min(self._left, len(data) - start)
        self._left -= taken
        self.done = not self._left
        return start + taken


class Chunked:
    """A chunked body (RFC 9112, 7.1), read to the letter: no sign, space or bare LF, sizes of at most 60 bits."""

    __slots__ = (
        "_bytes",
        "_chunks",
        "_extensions",
        "_left",
        "_limits",
        "_line",
        "_trailer_bytes",
        "_trailers",
        "done",
        "trailing",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = 0  # of the chunk under way and the line end behind it
        self._line = b""  # what has come of a chunk's first line, or of a trailer
        self.trailing = False
        self._extensions = self._chunks = self._bytes = 0
        self._trailers = self._trailer_bytes = 0
        self.done = False

    def take(self, data: bytes, start: int) -> int:
        at, trailing = start, self.trailing
        while at < len(data) and not self.done and self.trailing is trailing:
            if self._left > len(_CRLF):
                taken = min(self._left - len(_CRLF), len(data) - at)
                self._left -= taken
                at += taken
            elif self._left:
                if data[at] != _CRLF[-self._left]:
                    raise BadFraming("a chunk is longer than it says")
                self._left -= 1
                at += 1
            elif not (self._line or trailing) and (found := _CHUNK.match(data, at)):
                # Nearly always: a line that came whole. Without copies, for those who send chunks of one byte.
                self._begin(found)
                at = found.end()
            else:
                end = data.find(b"\n", at) + 1
                self._add(data[at : end or len(data)], whole=bool(end))
                at = end or len(data)
        return at

    def _add(self, part: bytes, *, whole: bool) -> None:
        self._line += part
        longest = self._limits.header_bytes - self._trailer_bytes if self.trailing else _CHUNK_LINE_BYTES
        if len(self._line) > longest:
            raise BadFraming("the trailers are too long" if self.trailing else "the chunk extensions are too long")
        if whole:
            line, self._line = self._line, b""
            self._read_trailer(line) if self.trailing else self._read_size(line)

    def _read_size(self, line: bytes) -> None:
        found = _CHUNK.fullmatch(line)
        if found is None:
            raise BadFraming("a chunk does not begin with its size")
        self._begin(found)

    def _begin(self, found: re.Match[bytes]) -> None:
        self._extensions += len(found[2])
        if self._extensions > EXTENSION_BYTES:
            raise BadFraming("the chunk extensions are too long")
        size = int(found[1], 16)
        self._chunks += bool(size)
        self._bytes += size
        if self._chunks > CHUNKS and self._bytes < self._chunks * CHUNK_BYTES:
            raise BadFraming("the chunks are too small")
        self._left = size + len(_CRLF) if size else 0
        self.trailing = not size

    def _read_trailer(self, line: bytes) -> None:
        if line == _CRLF:
            self.done = True
            return
        self._trailers += 1
        self._trailer_bytes += len(line)
        if self._trailers > self._limits.headers:
            raise BadFraming("there are too many trailers")
        if not _TRAILER.fullmatch(line) or _FRAMING.match(_CRLF + line):
            raise BadFraming("a trailer cannot be read")
