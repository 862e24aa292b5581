"""What is thought of an answer's head is the same the first time and the thousandth."""

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpResponseParser, RawResponseMessage
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.proxy import known as module
from gateway.edge.proxy.answer import check, is_event_stream
from gateway.edge.proxy.errors import BackendError
from gateway.edge.proxy.headers import answer_head
from gateway.edge.proxy.known import LONGEST, MOST, Known, known

DATE = "Date: Tue, 24 Nov 2026 20:00:00 GMT"


@pytest.fixture(autouse=True)
def _nothing_known():
    module._known.clear()


def parsed(*lines: str, status: str = "200 OK", version: str = "1.1") -> RawResponseMessage:
    loop = asyncio.new_event_loop()
    try:
        parser = HttpResponseParser(BaseProtocol(loop), loop, 2**16, read_until_eof=True, auto_decompress=False)
        data = "\r\n".join([f"HTTP/{version} {status}", *lines, "", ""]).encode("latin-1")
        (message, _), *_ = parser.feed_data(data)[0]
    finally:
        loop.close()
    return message


LINES = st.lists(
    st.sampled_from(
        [
            DATE, "Content-Length: 5", "content-length: 0", "Content-Length: 99999", "Content-Type: text/html",
            "Content-Type: text/event-stream; charset=utf-8", "Set-Cookie: a=b", "Set-Cookie: sunbeon_pass_x=y",
            "Transfer-Encoding: chunked", "Connection: keep-alive", "Connection: close, X-A", "X-A: 1", "x-a: 2",
            "Sunbeon-Thing: 1", 'ETag: "\xff"', "Keep-Alive: 5", "Cache-Control: no-store", "X-B:", "Upgrade: x",
        ]
    ),
    max_size=6,
)  # fmt: skip


@given(LINES, st.sampled_from(["200 OK", "204 No", "304 Not Modified", "404 ", "500 Nicht da", "103 Early"]))
def test_what_is_remembered_is_what_would_be_found_out_anew(lines, status):
    try:
        first, again = parsed(*lines, status=status), parsed(*lines, status=status)
    except Exception:  # noqa: BLE001 - the parser refuses it
        return
    told = known(first)
    assert known(again) == told
    try:
        check(first)
    except BackendError:
        assert not told.sound
        return
    assert told.sound
    assert told.endless == is_event_stream(first.raw_headers)
    assert (None if told.length is None else str(told.length)) == first.headers.get("Content-Length")
    assert (told.head is not None) == any(line.startswith("Date") for line in lines)
    if told.head is not None:
        assert told.head == answer_head(first.code, first.reason, first.raw_headers)


@pytest.mark.parametrize("other", [{"status": "201 OK"}, {"status": "200 Ok"}, {"version": "1.0"}])
def test_another_first_line_is_another_head(other):
    known(parsed(DATE, "Content-Length: 5"))
    known(parsed(DATE, "Content-Length: 5", **other))
    assert len(module._known) == 2


def test_a_head_without_a_date_is_not_given_the_date_of_another_moment():
    assert known(parsed("Content-Length: 5")) == Known(sound=True, endless=False, length=5, head=None)


@pytest.mark.parametrize("line", ["Set-Cookie: session=somebody", "X-Long: " + LONGEST * "x"])
def test_what_carries_a_cookie_or_is_long_is_not_remembered(line):
    told = known(parsed(DATE, line))
    assert told.head is not None
    assert line.encode() in told.head
    assert not module._known


def test_no_more_than_so_many_are_remembered():
    for number in range(MOST + 10):
        known(parsed(DATE, f"ETag: {number}"))
    assert len(module._known) == 10
