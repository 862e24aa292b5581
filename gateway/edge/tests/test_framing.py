"""Where requests end, read to the letter, and however the bytes are cut. What llhttp alone lets through is marked."""

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser
from aiohttp.streams import EMPTY_PAYLOAD
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.edge.framing import EXTENSION_BYTES, Body, Chunked, Head, Limits, Refused, Sized, read_head
from gateway.edge.proxy.errors import BadFraming

LIMITS = Limits(target_bytes=64, header_bytes=512, headers=8)


def head(*lines: bytes, first: bytes = b"POST /a HTTP/1.1", host: bytes = b"Host: site.test") -> bytes:
    return b"\r\n".join([first, *([host] if host else []), *lines, b"", b""])


def refusal(data: bytes) -> tuple[int, str] | None:
    """Status and code of what a connection that begins with `data` is told."""
    try:
        end = Head(LIMITS).end(data, 0)
        assert end, "it would wait for more"
        read_head(data[:end], LIMITS)
    except Refused as refused:
        return refused.status, refused.code
    return None


def llhttp_takes(data: bytes) -> bool:
    return llhttp(data) is not None


def llhttp(data: bytes) -> bool | None:
    """Whether the first request has a body by the parser aiohttp brings; None if there is no request for it."""
    loop = asyncio.new_event_loop()
    try:
        protocol = BaseProtocol(loop)
        parser = protocol._parser = HttpRequestParser(protocol, loop, 2**16, auto_decompress=False)
        messages, _, _ = parser.feed_data(data)
    except HttpProcessingError:
        return None
    else:
        return messages[0][1] is not EMPTY_PAYLOAD if messages else None
    finally:
        loop.close()


TE = b"Transfer-Encoding: "
LET_THROUGH = [
    (head(TE + b"chunked", first=b"POST / HTTP/1.0"), 400),
    (head(TE + b"chunked", first=b"POST / HTTP/1.0", host=b""), 400),
    (head(TE + b"gzip, chunked"), 501),
    (head(TE), 501),
    (head(b"Content-Length: 18446744073709551615"), 400),
    (head(b"Content-Length: 1000000000000000000"), 400),
    (head(first=b"GET  /a HTTP/1.1"), 400),
    (head(first=b"GET /a#b HTTP/1.1"), 400),
    (head(first=b"GET /a HTTP/0.9"), 505),
    (head(first=b"GET /a HTTP/2.0"), 505),
    (head(first=b"GET /a"), 400),
    (head(first=b"GET /a RTSP/1.0"), 400),
    (head(first=b"SOURCE /a ICE/1.0"), 400),
    (head(first=b"CONNECT site.test:443 HTTP/1.1"), 405),
    (head(first=b"TRACE /a HTTP/1.1"), 405),
    (head(host=b"Host: a b"), 400),
    (head(host=b"Host: user@a"), 400),
    (head(host=b"Host: a/b"), 400),
    (head(host=b"Host: a%2fb"), 400),
    (head(host=b"Host: a%0d%0aX"), 400),
    (head(host=b"Host: [fe80::1%25eth0]"), 400),
    (head(host=b"Host: a:port"), 400),
    (head(host=b"Host:"), 400),
    (head(host=b"Host: \xc3\xa9.test"), 400),
    (b"\n" + head(), 400),
    (b"\r\n\r\n" + head(), 400),
]


@pytest.mark.parametrize(("data", "status"), LET_THROUGH)
def test_what_the_parser_lets_through_is_refused(data, status):
    assert llhttp_takes(data), "the parser has become stricter: move this to the list below"
    found = refusal(data)
    assert found is not None
    assert found[0] == status


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head(TE + b"gzip"), 501),
        (head(TE + b"chunked, chunked"), 501),
        (head(TE + b"chunked", TE + b"chunked"), 501),
        (head(TE + b"identity"), 501),
        (head(TE + b"chunked;q=1"), 501),
        (head(TE + b"chunked", b"Content-Length: 5"), 400),
        (head(b"Content-Length: 5", TE + b"chunked"), 400),
        *[
            (head(b"Content-Length:" + value), 400)
            for value in (b" +5", b" -5", b" 5, 5", b" 5 5", b" 0x5", b"", b" 5,", b" \xb2", b" 5.0", b" 1_0")
        ],
        (head(b"Content-Length: 5", b"content-length: 5"), 400),
        (head(b"X: a\0b"), 400),
        (head(b"X: a\rb"), 400),
        (head(b"X: a\nb"), 400),
        (head(b"X: a\x01b"), 400),
        (head(b"X: a\x7fb"), 400),
        (head().replace(b"\r\n", b"\n"), 400),
        (head().replace(b"\r\n", b"\n", 1), 400),
        (head(b"X: 1")[:-2] + b"\n", 400),
        (head().replace(b"\r\n", b"\r"), 400),
        (head(b"X: 1\r"), 400),
        (b" " + head(), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (head(first=b"GET /a HTTP/1.2"), 505),
        (head(first=b"GET /a HTTP/3.0"), 505),
        (head(first=b"GET /a http/1.1"), 400),
        (head(first=b"GET /a HTTP/1.10"), 400),
        (head(first=b"GET /a HTTP/1.1 "), 400),
        (head(first=b"GET\t/a\tHTTP/1.1"), 400),
        (head(first=b"GET /a b HTTP/1.1"), 400),
        (head(host=b""), 400),
        (head(b"host: b.test"), 400),
        (head(host=b"Host: a, b"), 400),
    ],
)
def test_what_servers_could_read_differently_is_refused(data, status):
    found = refusal(data)
    assert found is not None
    assert found[0] == status


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (head(first=b"GET /%s HTTP/1.1" % (b"a" * 63)), None),
        (head(first=b"GET /%s HTTP/1.1" % (b"a" * 64)), (414, "uri_too_long")),
        (b"GET /" + b"a" * 1000, (414, "uri_too_long")),
        (head(*[b"X: 1"] * 7), None),
        (head(*[b"X: 1"] * 8), (431, "headers_too_large")),
        (head(b"X: " + b"a" * (512 - len(head(b"X: ")))), None),
        (head(b"X: " + b"a" * (513 - len(head(b"X: ")))), (431, "headers_too_large")),
        (head(b"X: " + b"a" * 2000)[:-4], (431, "headers_too_large")),
        (b"A" * 100, (400, "bad_request")),
    ],
)
def test_the_limits_hold_to_the_byte_and_tell_addresses_from_headers(data, told):
    assert refusal(data) == told


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ((), None),
        ((b"Content-Length: 0",), None),
        ((b"Content-Length:\t5 ",), Sized),
        ((b"CONTENT-LENGTH: 00005",), Sized),
        ((b"transfer-encoding:Chunked",), Chunked),
        ((b"X-Content-Length: x", b"X: Host: a", b"X:\tb\xe9\t"), None),
    ],
)
def test_the_body_is_what_the_headers_say(lines, kind):
    data = head(*lines)
    body = read_head(data, LIMITS)
    assert body is None if kind is None else isinstance(body, kind)
    assert llhttp(data) is (kind is not None)


@pytest.mark.parametrize("host", [b"a", b"A.test:80", b"127.0.0.1:", b"[::1]:8080", b"xn--9n2bp8q.kr", b"a_b"])
def test_hosts_as_they_come_are_taken(host):
    assert refusal(head(host=b"Host: " + host)) is None


def test_http_1_0_needs_no_host():
    assert refusal(head(first=b"GET / HTTP/1.0", host=b"")) is None


MARKS = [
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b":",
    b",",
    b";",
    b"0",
    b"+",
    b"Host: b",
    b"Content-Length: 3",
    TE,
    b"chunked",
]
WHOLE = [
    head(b"Content-Length: 3") + b"abc",
    head(TE + b"chunked") + b"0\r\n\r\n",
    head(first=b"GET / HTTP/1.0"),
    head(b"X: a, b", first=b"OPTIONS * HTTP/1.1"),
]


@given(st.sampled_from(WHOLE), st.integers(0, 90), st.integers(0, 3), st.sampled_from([b"", *MARKS]))
def test_what_both_take_both_give_the_same_body(data, at, cut, put):
    """Whatever is put in or taken out: it is refused by one, or both say whether a body follows."""
    data = data[:at] + put + data[at + cut :]
    try:
        end = Head(LIMITS).end(data, 0)
        body = read_head(data[:end], LIMITS) if end else None
    except Refused:
        return
    if end and (found := llhttp(data[:end])) is not None:
        assert found is (body is not None)


@given(st.sampled_from([data for data, _ in LET_THROUGH] + WHOLE), st.lists(st.integers(1, 40), max_size=12))
def test_heads_read_the_same_however_they_are_cut(data, cuts):
    def read(pieces: list[bytes]) -> object:
        finder, held = Head(LIMITS), b""
        try:
            for piece in pieces:
                held += piece
                if end := finder.end(held, 0):
                    return end, read_head(held[:end], LIMITS) is None
        except Refused as refused:
            return refused.status
        return None

    pieces = []
    rest = data
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    pieces = [piece for piece in [*pieces, rest] if piece]
    assert read(pieces) == read([data])


def take(body: Body, data: bytes, step: int) -> int:
    """How much of `data` is the body's, handed over in pieces."""
    at = 0
    while at < len(data) and not body.done:
        piece = data[at : at + step]
        at += body.take(piece, 0)
    return at


GOOD = [
    b"0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"000000000000000A;a=b;c\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\nX: 1\r\nY: 2\r\n\r\n",
    b'3;a="x;y"\r\nabc\r\n1\r\n\n\r\n000\r\n\r\n',
]


@pytest.mark.parametrize("data", GOOD)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_a_chunked_body_ends_where_it_ends(data, step):
    body = Chunked(LIMITS)
    assert take(body, data + b"GET / HTTP/1.1", step) == len(data)
    assert body.done


@pytest.mark.parametrize("step", [1, 4, 1000])
def test_a_sized_body_ends_where_it_ends(step):
    body = Sized(5)
    assert take(body, b"helloGET", step) == 5
    assert body.done


@pytest.mark.parametrize("step", [1, 3, 100_000])
@pytest.mark.parametrize(
    "data",
    [
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5 ;a=b\r\nhello\r\n0\r\n\r\n",
        b"00000000000000005\r\nhello\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhello\rX0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b";a\r\nhello\r\n0\r\n\r\n",
        b"5g\r\nhello\r\n0\r\n\r\n",
        b"5;a=\x01\r\nhello\r\n0\r\n\r\n",
        b"5;a\rX\r\nhello\r\n0\r\n\r\n",
        b"5;a\nhello\r\n0\r\n\r\n",
        b"1;" + b"a" * EXTENSION_BYTES + b"\r\nx\r\n0\r\n\r\n",
        b"1;aaaaaaa\r\nx\r\n" * (EXTENSION_BYTES // 8 + 1) + b"0\r\n\r\n",
        b"5;" + b"a" * 20_000,
        b"0\n\n",
        b"0\r\nX: 1\n\r\n",
        b"0\r\nX: \0\r\n\r\n",
        b"0\r\nX: a\rb\r\n\r\n",
        b"0\r\n" + b"X: 1\r\n" * 9 + b"\r\n",
        b"0\r\nX: " + b"a" * 600 + b"\r\n\r\n",
        b"0\r\nX: " + b"a" * 600,
        b"0\r\n" + (b"X: " + b"a" * 200 + b"\r\n") * 3 + b"\r\n",
    ],
)
def test_a_chunked_body_is_read_to_the_letter(data, step):
    with pytest.raises(BadFraming):
        take(Chunked(LIMITS), data, step)


@given(st.binary(max_size=60), st.integers(1, 60))
@example(b"1\r\n\r\r\n0\r\n\r\n", 1)
def test_chunks_read_the_same_however_they_are_cut(data, step):
    def read(step: int) -> object:
        body = Chunked(LIMITS)
        try:
            return take(body, data, step), body.done
        except BadFraming:
            return None

    assert read(step) == read(1)
