"""What is sent: requests and answers that are valid however oddly written, and what becomes of them by a few changes.

Every request has a mark of its own in its target, a header and its body; a request hidden in a body has another.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from gateway.tests.http import strict
from gateway.tests.http.lenient import READINGS, Reading

TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
TEXT = bytes([9, *range(32, 127), *range(128, 256)])
# A room that lets everyone in, no room, and a room that lets nobody in.
PLACES = (b"/in/", b"/out/", b"/out/", b"/shut/")

# Lines that have broken some proxy or other.
LINES = (
    *(b"Content-Length: " + value for value in (b"0", b"5", b"+5", b"-5", b"0x5", b"5,5", b"5, 6", b"05", b"5 5", b"")),
    *(b"Content-Length: " + value for value in (b"5\x00", b"5;", b"\xd9\xa5", b"1e1", b"18446744073709551621")),
    b"content-length : 5",
    b"Content-Length\t: 5",
    b"Content-Length\x00: 5",
    b"Content_Length: 5",
    b"Content_Length: 0",
    b" Content-Length: 5",
    b"X: y\nContent-Length: 5",
    b"X: y\rContent-Length: 5",
    b"X: y\r\n Content-Length: 5",
    b"Content-Length:\r\n 5",
    *(b"Transfer-Encoding: " + value for value in (b"chunked", b"Chunked", b"xchunked", b'"chunked"', b"chunked;q=1")),
    *(b"Transfer-Encoding: " + value for value in (b"identity", b"gzip, chunked", b"chunked, identity", b",chunked,")),
    *(
        b"Transfer-Encoding:" + value
        for value in (b"chunked", b"\tchunked", b"\x0bchunked", b"\r\n chunked", b"\n chunked")
    ),
    b"Transfer-Encoding : chunked",
    b"Transfer_Encoding: chunked",
    b"Transfer-Encoding: chunked\x00",
    b"\tTransfer-Encoding: chunked",
    b"X: y\nTransfer-Encoding: chunked",
    b"X: y\rTransfer-Encoding: chunked",
    b"Host: other.test",
    b"HOST: site.test",
    b"Host : site.test",
    *(b"Connection: " + value for value in (b"close", b"keep-alive", b"Content-Length", b"Transfer-Encoding", b"Host")),
    b"Connection: X-Mark, close",
    b"Upgrade: websocket\r\nConnection: upgrade",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    b"Expect: 100-continue",
    b"Expect: nothing",
    b"TE: trailers",
    b"Trailer: Content-Length",
    b"Sunbeon-Pass: forged",
    b"no colon",
    b": no name",
    b"",
)
BYTES = (
    *(bytes([code]) for code in (0, 8, 9, 10, 11, 12, 13, 27, 32, 127, 128, 133, 160, 255)),
    *(
        b"\r\n",
        b"\n\n",
        b"\r\r",
        b"\r\n\r\n",
        b"\r\n ",
        b"\r\n\t",
        b":",
        b",",
        b";",
        b"_",
        b"+",
        b"-",
        b"0",
        b"0x",
        b"f",
    ),
    *(
        b"0\r\n\r\n",
        b"0\n\n",
        b"1\r\nz\r\n",
        b"5\r\n",
        b"chunked",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\n",
    ),
    *(b"HTTP/1.0", b"HTTP/1.1\r\n", b" HTTP/1.1", b"GET ", b"GET /out/sneaked HTTP/1.1\r\nHost: site.test\r\n\r\n"),
    *(b"%0d%0a", b"%00", b"\xe2\x80\xa8", b"\xc4\x8d\xc4\x8a"),
)


def text(alphabet: bytes, *, most: int, least: int = 0) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(alphabet), min_size=least, max_size=most).map(bytes)


@dataclass(frozen=True, slots=True)
class Draft:
    """A message not yet put together. body: with its framing."""

    lines: tuple[bytes, ...]
    body: bytes

    @property
    def data(self) -> bytes:
        return b"\r\n".join((*self.lines, b"", b"")) + self.body


@st.composite
def fields(draw: st.DrawFn) -> list[bytes]:
    """Headers of no meaning, with every byte that may stand in one."""
    lines = []
    for _ in range(draw(st.integers(0, 3))):
        name = b"Y-" + draw(text(TOKEN, most=6))
        space, after = (
            draw(st.sampled_from((b" ", b" ", b"", b"\t ", b"  "))),
            draw(st.sampled_from((b"", b"", b" \t"))),
        )
        lines.append(name + b":" + space + draw(text(TEXT, most=12)) + after)
    return lines


@st.composite
def bodies(draw: st.DrawFn, mark: bytes) -> bytes:
    """A body with the mark in it, and often with what looks like the end of a body and a request of its own."""
    sneaked = b"GET /out/sneaked-%b HTTP/1.1\r\nHost: site.test\r\nX-Mark: sneaked-%b\r\n\r\n" % (mark, mark)
    pieces = st.sampled_from((mark, sneaked, b"0\r\n\r\n" + sneaked, b"\r\n", b"5\r\nhello\r\n", b"\r\n\r\n" + sneaked))
    return b"".join(draw(st.lists(pieces | text(bytes(range(256)), most=8), max_size=4)))


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """The body in chunks, their sizes written in every legal way, with extensions and trailers."""
    data, at = b"", 0
    while at < len(body):
        size = draw(st.integers(1, len(body) - at))
        digits = draw(st.sampled_from((b"%x", b"%X", b"%04x", b"0%X"))) % size
        extension = draw(st.sampled_from((b"", b"", b"", b";a", b";a=b", b';a="5 \x80"', b";0x5")))
        data += digits + extension + b"\r\n" + body[at : at + size] + b"\r\n"
        at += size
    data += draw(st.sampled_from((b"0", b"0", b"000", b"0;last"))) + b"\r\n"
    data += draw(st.sampled_from((b"", b"", b"", b"X-Trailer: trailing\r\n", b"Y: \r\nX-Trailer: 1\r\n")))
    return data + b"\r\n"


@st.composite
def valid_requests(draw: st.DrawFn, number: int) -> Draft:
    mark = b"mark%d" % number
    place = draw(st.sampled_from(PLACES))
    target = place + mark + draw(st.sampled_from((b"", b"", b"?a=b&c", b"?", b"/%7Ea", b"/a;b=c", b"?q=%20")))
    method = draw(st.sampled_from((b"GET", b"GET", b"POST", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH")))
    version = draw(st.sampled_from((b"HTTP/1.1",) * 9 + (b"HTTP/1.0",)))
    host = draw(st.sampled_from((b"Host: site.test", b"Host: site.test", b"host:site.test", b"HOST: site.test:80")))
    if draw(st.integers(0, 9)) == 9:
        target = b"http://site.test" + target
    lines = [*draw(fields()), b"X-Mark: " + mark, *draw(fields())]
    lines.insert(draw(st.integers(0, len(lines))), host)
    kind = draw(st.sampled_from(("none", "length", "length", "chunks", "chunks")))
    body = b"" if kind == "none" else draw(bodies(mark))
    if kind == "chunks" and version == b"HTTP/1.1":
        lines.insert(
            draw(st.integers(0, len(lines))),
            draw(st.sampled_from((b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked"))),
        )
        body = draw(chunked(body))
    elif kind != "none":
        lines.insert(
            draw(st.integers(0, len(lines))),
            draw(st.sampled_from((b"Content-Length: %d", b"content-length:00%d "))) % len(body),
        )
    if version == b"HTTP/1.0":
        lines += draw(st.sampled_from(([], [b"Connection: keep-alive"])))
    return Draft((b"%b %b %b" % (method, target, version), *lines), body)


@st.composite
def with_nasty_lines(draw: st.DrawFn, draft: Draft) -> Draft:
    """One or two header lines added, put in another's place, or repeated."""
    lines = list(draft.lines)
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(1, len(lines)))
        if at < len(lines) and draw(st.integers(0, 3)) == 3:
            del lines[at]
        lines.insert(at, draw(st.sampled_from(LINES) | st.sampled_from(lines[1:] or [b""])))
    return Draft(tuple(lines), draft.body)


@st.composite
def with_nasty_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """One to three places where bytes are put in, left out, repeated or replaced."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(start + draw(st.integers(0, 4)), len(data))
        put = draw(st.sampled_from((b"", data[start:end] * 2)) | st.sampled_from(BYTES))
        data = data[:start] + put + data[end:]
    return data


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> tuple[bytes, ...]:
    """The bytes in one write, in a few, or one by one."""
    if len(data) < 600 and draw(st.integers(0, 9)) == 9:
        return tuple(data[at : at + 1] for at in range(len(data)))
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=4)))
    return tuple(data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True))


@dataclass(frozen=True, slots=True)
class Sent:
    """writes: what a client writes, one after another. live, early: how the backend reads and answers."""

    writes: tuple[bytes, ...]
    live: Reading = READINGS[0]
    early: bool = False

    @property
    def data(self) -> bytes:
        return b"".join(self.writes)


@st.composite
def streams(draw: st.DrawFn, spoil: Callable[[Draft], st.SearchStrategy[bytes]] | None = None) -> Sent:
    """One to four requests on a connection, one of them spoiled."""
    count = draw(st.integers(1, 4))
    spoiled = draw(st.integers(0, count - 1))
    data = b""
    for number in range(count):
        draft = draw(valid_requests(number))
        data += draw(spoil(draft)) if spoil and number == spoiled else draft.data
    return Sent(draw(cut(data)), draw(st.sampled_from(READINGS)), early=draw(st.integers(0, 4)) == 4)


@dataclass(frozen=True, slots=True)
class Reply:
    """A backend's answer to one request: its writes, None for closing the connection. method: of the request."""

    method: bytes
    writes: tuple[bytes | None, ...]

    @property
    def data(self) -> bytes:
        return b"".join(part for part in self.writes if part is not None)


@st.composite
def valid_answers(draw: st.DrawFn, method: bytes) -> Draft:
    status = draw(
        st.sampled_from((b"200 OK", b"200 OK", b"404 Not here", b"500 ", b"204 No Content", b"304 Not Modified"))
    )
    lines = [b"HTTP/1.1 " + status, *draw(fields()), b"X-Mark: reply"]
    body = draw(bodies(b"reply")) + draw(st.sampled_from((b"", ANSWER)))
    kind = draw(st.sampled_from(("length", "length", "chunks", "chunks", "end")))
    if method == b"HEAD" or status[:3] in {b"204", b"304"}:
        body = b""
    elif kind == "length":
        lines.append(b"Content-Length: %d" % len(body))
    elif kind == "chunks":
        lines.append(b"Transfer-Encoding: chunked")
        body = draw(chunked(body))
    interim = draw(st.sampled_from(([], [], [], [b"HTTP/1.1 103 Early Hints", b"Link: </reply>", b""])))
    return Draft((*interim, *lines), body)


@st.composite
def replies(draw: st.DrawFn, spoil: Callable[[Draft], st.SearchStrategy[bytes]] | None = None) -> Reply:
    """An answer, perhaps spoiled, perhaps broken off, perhaps with more behind it; closed where it has no other end."""
    method = draw(st.sampled_from((b"GET", b"GET", b"POST", b"HEAD")))
    draft = draw(valid_answers(method))
    data = draw(spoil(draft)) if spoil else draft.data
    if spoil:
        data = draw(
            st.sampled_from((data, data, data[: draw(st.integers(0, len(data)))], data + ANSWER, data + b"reply"))
        )
    # Without an end the gateway would wait for more, and rightly.
    over = strict.answers(data, [method]).end is strict.End.CLEAN and draw(st.booleans())
    return Reply(method, (*draw(cut(data)), *(() if over else (None,))))


ANSWER = b"HTTP/1.1 200 OK\r\nX-Mark: reply\r\nContent-Length: 5\r\n\r\nreply"


def _lines(draft: Draft) -> st.SearchStrategy[bytes]:
    return with_nasty_lines(draft).map(lambda spoiled: spoiled.data)


def _bytes(draft: Draft) -> st.SearchStrategy[bytes]:
    return with_nasty_bytes(draft.data)


def _both(draft: Draft) -> st.SearchStrategy[bytes]:
    return _lines(draft).flatmap(with_nasty_bytes)


def _nothing(draft: Draft) -> st.SearchStrategy[bytes]:
    return st.just(draft.data)


valid_streams = streams().map(lambda sent: replace(sent, early=False))
hostile_streams = st.one_of(streams(), streams(_lines), streams(_bytes), streams(_both))
valid_replies = replies()
hostile_replies = st.one_of(replies(_nothing), replies(_lines), replies(_bytes), replies(_both))
