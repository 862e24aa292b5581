"""Whatever is read as a plain head is one whole request to the framing and to llhttp too, and the same one."""

import asyncio
import os

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.edge import plain
from gateway.edge.framing import Head, Limits, Refused, read_head
from gateway.edge.plain import read_plain

LIMITS = Limits(8_192, 16_384, 100)
LINES = [
    b"Host: site.test", b"host: a:80", b"HOST: [::1]", b"Host: a b", b"Host:", b"User-Agent: Mozilla/5.0 (X; Y) Z/1",
    b"Accept: */*", b"Accept: text/html", b"Accept-Language: ko", b"Connection: keep-alive", b"Connection: close",
    b"Connection: Upgrade", b"Connection: keep-alive, Upgrade", b"Upgrade: h2c", b"Upgrade-Insecure-Requests: 1",
    b"Content-Length: 0", b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity",
    b"Expect: 100-continue", b"TE: trailers", b"Trailer: X", b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive",
    b"Cookie: a=1; b=2", b"Cookie: a=1", b"Cookie:a=1", b"Cookie : a=1", b" Cookie: a=1", b"Cookie: a=1 ", b"Cookie: ",
    b"X-A: \xed\x95\x9c", b"X-A: a\tb", b"X-A: a\x00b", b"X-A: a\rb", b"X-A: a\nb", b"X_A: 1", b"X A: 1", b": 1", b"X",
    b"",
    b"Sunbeon-Ticket: x", b"Content-Length : 3", b"Content_Length: 3", b"Max-Forwards: 0",
]  # fmt: skip
REQUESTS = [
    b"GET /_sunbeon/vaccine/status HTTP/1.1", b"GET / HTTP/1.1", b"GET /a?b=c HTTP/1.1", b"GET  / HTTP/1.1",
    b"GET / HTTP/1.1 ", b"GET /a#b HTTP/1.1", b"GET http://a/ HTTP/1.1", b"GET /\xed HTTP/1.1",
]  # fmt: skip
# What the caller looks up is a request line it knows.
KNOWN = {b"GET /_sunbeon/vaccine/status HTTP/1.1", b"GET / HTTP/1.1", b"GET /a?b=c HTTP/1.1"}

streams = st.tuples(
    st.sampled_from(REQUESTS),
    st.lists(st.sampled_from(LINES), max_size=8),
    st.sampled_from([b"", b"x", b"\r\n", b"GET"]),
).map(lambda made: b"\r\n".join([made[0], *made[1], b"", b""]) + made[2])


@st.composite
def spoiled(draw):
    """A stream with a few bytes changed, taken out or put in."""
    data = bytearray(draw(streams))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data) - 1))
        byte = draw(st.sampled_from(b"\r\n :;\t\x00aA0/\xff"))
        match draw(st.sampled_from(["change", "drop", "add"])):
            case "change":
                data[at] = byte
            case "drop":
                del data[at]
            case _:
                data.insert(at, byte)
    return bytes(data)


@pytest.fixture(scope="module")
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@settings(max_examples=int(os.environ.get("EXAMPLES", "600")), deadline=None)
@given(data=spoiled())
@example(data=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
def test_a_plain_head_is_one_whole_request_without_a_body_to_every_reader(loop, data):
    found = read_plain(data, LIMITS)
    if found is None or found.lines[0] not in KNOWN:
        return
    assert Head(LIMITS).end(data, 0) == len(data)
    assert read_head(data, LIMITS) is None
    parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, max_line_size=8_190, max_field_size=8_190)
    messages, upgraded, rest = parser.feed_data(data)
    assert (len(messages), upgraded, rest) == (1, False, b"")
    message, body = messages[0]
    assert (message.should_close, message.upgrade, message.chunked, body.is_eof()) == (False, False, False, True)
    assert f"{message.method} {message.path} HTTP/1.1".encode() == found.lines[0]
    assert [tuple(line.split(b": ", 1)) for line in found.lines[1:]] == list(message.raw_headers)
    assert {line for line in found.lines[1:] if line.lower().startswith((b"cookie:", b"sunbeon-"))} <= set(found.own)


def test_most_of_what_browsers_send_is_plain():
    head = (
        b"GET /_sunbeon/vaccine/status HTTP/1.1\r\nHost: site.test\r\nConnection: keep-alive\r\n"
        b'sec-ch-ua: "Chromium";v="119"\r\nUser-Agent: Mozilla/5.0 (Linux; Android 13)\r\nAccept: */*\r\n'
        b"Accept-Language: ko-KR,ko;q=0.9\r\nCookie: a=1\r\n\r\n"
    )
    for _ in range(2):
        found = read_plain(head, LIMITS)
        assert found is not None
        assert found.get(b"accept-language") == "ko-KR,ko;q=0.9"
        assert found.get(b"x-other") is None
        # The second time, what every browser sends has been seen before.
        assert found.own[-1] == b"Cookie: a=1"
    assert found is not None
    assert found.own == [b"Cookie: a=1"]


@pytest.mark.parametrize(
    "line",
    [
        b"Cookie", b"Cookie:", b"Cookie: ", b"Cookie:  a", b"Cookie: a ", b"Cookie : a", b"Cookie:a", b" Cookie: a",
        b"Cookie: a\x00", b"Cookie: \ta", b"Cookie: a\nb", b"Cookie: a\rb", b"Cookie: \x7f", b"Cookie: \xed\x95\x9c",
    ],
)  # fmt: skip
def test_a_header_that_is_known_by_name_is_judged_as_one_that_is_not(monkeypatch, line):
    monkeypatch.setattr(plain, "_names", set())
    good, bad = (b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % each for each in (b"Cookie: a", line))
    assert read_plain(bad, LIMITS) is None
    assert read_plain(good, LIMITS) is not None
    assert plain._names == {b"Cookie: "}
    assert read_plain(bad, LIMITS) is None
    assert read_plain(good, LIMITS) is not None


def test_a_head_that_begins_with_a_known_header_is_not_read_here():
    accept = b"Accept: */*\r\n"
    for head in (b"GET / HTTP/1.1\r\nHost: a\r\n" + accept, accept + b"X A: 1\r\nHost: a\r\n", 3 * accept):
        found = read_plain(head + b"\r\n", LIMITS)
        assert (found is not None) is head.startswith(b"GET")


def test_what_is_remembered_of_lines_is_bounded_and_says_nothing_of_a_person(monkeypatch):
    monkeypatch.setattr(plain, "_known", set())
    monkeypatch.setattr(plain, "_hosts", set())
    monkeypatch.setattr(plain, "_names", set())
    for each in range(10_000):
        head = b"GET / HTTP/1.1\r\nHost: h%d\r\nAccept: %d\r\nCookie: s=%d\r\nX-%d: 1\r\n\r\n" % ((each,) * 4)
        assert read_plain(head, LIMITS) is not None
    assert len(plain._known) <= 4_096
    assert len(plain._hosts) <= 4_096
    assert len(plain._names) <= 4_096
    assert all(line.startswith(b"Accept: ") for line in plain._known)


@pytest.mark.parametrize("limits", [Limits(8_192, 50, 100), Limits(8_192, 16_384, 2)])
def test_a_head_beyond_the_limits_is_not_read_here(limits):
    head = b"GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nCookie: abcdefgh=1\r\n\r\n"
    assert read_plain(head, LIMITS) is not None
    assert read_plain(head, limits) is None
    with pytest.raises(Refused):
        Head(limits).end(head, 0) and read_head(head, limits)
