"""The listener: what never reaches the gate, how long anything may take, and that every answer can be read."""

import asyncio
import json
import logging
import socket
from collections import deque
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from gateway.console.api import create_app
from gateway.edge import framing
from gateway.edge import server as listener
from gateway.edge.crowd import Crowd
from gateway.edge.later import LATER
from gateway.edge.proxy.errors import BadFraming
from gateway.edge.server import BUFFER_BYTES, LINGER_BYTES, AppRunner, Server
from gateway.edge.tests.backend import PATIENCE_S, until
from gateway.edge.tests.front import Connection, exchange
from gateway.settings import Gateway
from gateway.tokens import Tokens

SECRET = b"sunbeon_pass_vaccine=s3cret"
GET = b"GET /good HTTP/1.1\r\nHost: site.test\r\n\r\n"
HOST = b"Host: site.test\r\n"
CHUNKED = b"POST /body HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def serve(stack):
    """Start the listener around one handler. The listener and its port."""

    @asynccontextmanager
    async def serving(handler, crowd, **settings):
        server = Server(handler, Gateway(**settings), crowd=crowd, handler_cancellation=True)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield server, runner.addresses[0][1]
        finally:
            await runner.cleanup()

    return lambda handler, crowd=None, **settings: stack.enter_async_context(serving(handler, crowd, **settings))


async def hello(request):
    """Answers with the target, and does not look at bodies."""
    return web.Response(text=request.raw_path)


async def echo(request):
    try:
        return web.Response(body=await request.content.read())
    except BadFraming:
        response = web.Response(status=400)
        response.force_close()
        return response


async def ended(connection):
    """What else came, until the other side closed in good order. A reset raises."""
    async with asyncio.timeout(PATIENCE_S):
        return await connection.reader.read(-1)


REFUSED = [
    (b"GET /%s HTTP/9.9\r\nHost: site.test\r\n\r\n" % SECRET, 505, "http_version"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http_version"),
    (b"%s\r\n\r\n" % SECRET, 400, "bad_request"),
    (b"BREW /s3cret HTTP/1.1\r\nHost: site.test\r\n\r\n", 501, "not_implemented"),
    (b"DESCRIBE /s3cret HTTP/1.1\r\nHost: site.test\r\n\r\n", 501, "not_implemented"),
    (b"get /s3cret HTTP/1.1\r\nHost: site.test\r\n\r\n", 501, "not_implemented"),
    (b"TRACE /s3cret HTTP/1.1\r\nHost: site.test\r\n\r\n", 405, "method_not_allowed"),
    (b"CONNECT s3cret:443 HTTP/1.1\r\nHost: site.test\r\n\r\n", 405, "method_not_allowed"),
    (b"GET /\xc3\xa9s3cret HTTP/1.1\r\nHost: site.test\r\n\r\n", 400, "bad_request"),
    (b"GET / HTTP/1.1\r\nHost: site.test\r\nCookie: %s\0\r\n\r\n" % SECRET, 400, "bad_request"),
    (b"GET / HTTP/1.1\r\nHost: site.test\r\n%s\r\n\r\n" % SECRET, 400, "bad_request"),
    (b"GET / HTTP/1.1\r\nHost: site.test\r\nCookie : %s\r\n\r\n" % SECRET, 400, "bad_request"),
    (b"GET / HTTP/1.1\r\nHost: site.test\r\nCookie: %s\r\n s3cret\r\n\r\n" % SECRET, 400, "bad_request"),
    (b"GET / HTTP/1.1\r\nHost: site.test\r\n: s3cret\r\n\r\n", 400, "bad_request"),
    (b"GET / HTTP/1.1\r\nHost: site.test\r\nContent-Length: s3cret\r\n\r\n", 400, "bad_request"),
    (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ns3cret\r\n0\r\n\r\n", 400, "bad_request"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "not_implemented"),
    (b"GET /" + b"s3cret" * 10_000 + b" HTTP/1.1\r\n\r\n", 414, "uri_too_long"),
    (b"GET / HTTP/1.1\r\nHost: site.test\r\nCookie: " + b"s3cret" * 10_000, 431, "headers_too_large"),
    (b"GET / HTTP/1.1\r\n" + HOST + b"X: s3cret\r\n" * 100 + b"\r\n", 431, "headers_too_large"),
    (b"\x16\x03\x01s3cret\x02\x00", 400, "bad_request"),
    (b"GET / HTTP/1.1\nHost: s3cret\n\n", 400, "bad_request"),
]


@pytest.mark.parametrize(("sent", "status", "code"), REFUSED)
@pytest.mark.parametrize("first", [b"", b"GET /good HTTP/1.1\r\nHost: site.test\r\n\r\n"])
async def test_what_cannot_be_read_is_refused_in_its_turn_and_repeated_nowhere(
    start, backend, caplog, sent, status, code, first
):
    site = await start(rooms=[{"state": "passthrough"}])
    connection = await Connection.open(site.port)
    with caplog.at_level(logging.DEBUG):
        # In one piece: the good one gets its answer first.
        await connection.send(first + sent)
        if first:
            assert (await connection.answer()).status == 200
        got = await connection.answer()
        assert await ended(connection) == b""
    assert (got.status, got.gate, got.one("Server"), got.clean) == (status, code, "sunbeon", True)
    assert (got.one("Connection"), got.one("Content-Type")) == ("close", "application/problem+json")
    assert (got.one("Allow") is not None) is (status == 405)
    told = json.loads(got.body)
    assert (told["status"], told["code"]) == (status, code)
    assert b"s3cret" not in got.body
    records = [record for record in caplog.records if record.name.startswith(("gateway.edge.server", "aiohttp"))]
    assert [(record.levelno, record.exc_info) for record in records] == [(logging.DEBUG, None)]
    assert "s3cret" not in f"{caplog.text}{[vars(record) for record in records]}"
    assert backend.targets == ["/good"] * bool(first)
    await connection.close()


async def test_one_empty_line_before_a_request_is_overlooked(serve):
    _, port = await serve(hello)
    connection = await Connection.open(port)
    await connection.send(b"\r\n" + GET + b"\r")
    assert (await connection.answer()).body == b"/good"
    await connection.send(b"\n" + GET)
    assert (await connection.answer()).body == b"/good"
    await connection.close()


# Bodies


BROKEN = [
    b"5\r\nhello\r\n+5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhelloX\r\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5;" + b"a" * 5_000 + b"\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
    b"FFFFFFFFFFFFFFFF\r\nhello",
]


@pytest.mark.parametrize("body", BROKEN)
async def test_broken_chunks_fail_the_reading_of_the_body_and_end_the_connection(serve, caplog, body):
    server, port = await serve(echo)
    connection = await Connection.open(port)
    await connection.send(GET + CHUNKED + body + GET)
    assert (await connection.answer()).status == 200
    if body is BROKEN[-1]:
        await connection.close()  # as long as it says, so far
        return
    got = await connection.answer()
    assert (got.status, got.one("Connection")) == (400, "close")
    assert await ended(connection) == b""
    assert server.refused == {"bad_body": 1}
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    await connection.close()


@pytest.mark.parametrize("body", BROKEN[:-1])
async def test_broken_chunks_that_nobody_reads_end_the_connection_behind_the_answer(serve, caplog, body):
    _, port = await serve(hello)
    connection = await Connection.open(port)
    await connection.send(CHUNKED + body + GET)
    assert (await connection.answer()).body == b"/body"
    assert await ended(connection) == b""
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    await connection.close()


@pytest.mark.parametrize("body", BROKEN[:-1])
async def test_broken_chunks_are_a_400_and_no_whole_request(start, backend, body):
    site = await start(rooms=[{"state": "passthrough"}])
    connection = await Connection.open(site.port)
    await connection.send(CHUNKED + body)
    got = await connection.answer()
    assert (got.status, got.gate) == (400, "bad_request")
    assert await ended(connection) == b""
    assert not any(request.whole for request in backend.requests)
    await connection.close()


@pytest.mark.parametrize("step", [1, 2, 5, 1000])
async def test_requests_are_read_the_same_however_they_are_cut(serve, step):
    _, port = await serve(echo)
    connection = await Connection.open(port)
    data = CHUNKED + b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: 1\r\n\r\n" + GET
    data += b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n0\r\n\r\nab" + CHUNKED + b"0\r\n\r\n" + GET
    for at in range(0, len(data), step):
        await connection.send(data[at : at + step])
        await asyncio.sleep(0)
    assert [(await connection.answer()).body for _ in range(5)] == [b"hello!", b"", b"0\r\n\r\nab", b"", b""]
    await connection.close()


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000", b"Transfer-Encoding: chunked"])
async def test_a_large_body_waits_for_a_slow_reader_and_the_next_request_for_both(serve, framing):
    going = asyncio.Event()

    async def handler(request):
        await going.wait()
        return await echo(request)

    _, port = await serve(handler)
    connection = await Connection.open(port)
    body = b"0123456789" * 100_000
    sent = body if b"Length" in framing else b"f4240\r\n" + body + b"\r\n0\r\nX: 1\r\n\r\n"
    sending = asyncio.create_task(connection.send(b"PUT / HTTP/1.1\r\n" + HOST + framing + b"\r\n\r\n" + sent + GET))
    await asyncio.sleep(0.05)
    going.set()
    assert (await connection.answer()).body == body
    assert (await connection.answer()).status == 200
    await sending
    await connection.close()


@pytest.mark.parametrize("chunks", [BUFFER_BYTES // 16 + more for more in (0, 1, 2)] + [40_000])
@pytest.mark.parametrize("pause_s", [0, 0.05])
async def test_very_many_chunks_are_a_body_like_any_other(start, backend, chunks, pause_s, monkeypatch):
    """So many make aiohttp ask its parser to pause, which does so at its next piece, be it of the next request."""
    monkeypatch.setattr(framing, "CHUNK_BYTES", 0)
    site = await start(rooms=[{"state": "passthrough"}])
    connection = await Connection.open(site.port)
    await connection.send(CHUNKED + b"1\r\na\r\n" * chunks)
    await asyncio.sleep(pause_s)
    await connection.send(b"5\r\nhello\r\n0\r\n\r\n")
    assert (await connection.answer()).status == 200
    await connection.send(CHUNKED + b"1\r\na\r\n" * chunks + b"0\r\n\r\n")
    assert (await connection.answer()).status == 200
    await connection.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + GET)
    assert [(await connection.answer()).status for _ in range(2)] == [200, 200]
    many = b"a" * chunks
    assert [request.body for request in backend.requests] == [many + b"hello", many, b"hello", b""]
    await connection.close()


async def test_a_body_of_very_many_tiny_chunks_is_refused(start, backend):
    """Each costs work: a few megabits of them would keep the worker from everybody else."""
    site = await start(rooms=[{"state": "passthrough"}])
    tiny, ordinary = b"1\r\na\r\n" * (framing.CHUNKS + 1), b"40\r\n" + b"a" * 64 + b"\r\n"
    for body, status in (
        (tiny + b"0\r\n\r\n", 400),
        (tiny[:-6] + b"0\r\n\r\n", 200),
        (ordinary * 3000 + b"0\r\n\r\n", 200),
    ):
        assert (await exchange(site.port, CHUNKED + body)).status == status
    assert [request.whole for request in backend.requests] == [False, True, True]


# Requests behind each other


async def test_requests_behind_each_other_are_answered_in_order_and_read_ahead_only_so_far(serve):
    going = asyncio.Event()

    async def handler(request):
        await going.wait()
        return await hello(request)

    server, port = await serve(handler)
    connection = await Connection.open(port)
    await connection.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(300)))
    (held,) = await until(lambda: server.connections, "it is there")
    await until(lambda: len(held._messages) >= 30, "it is read ahead")
    assert len(held._messages) <= 32
    going.set()
    assert [(await connection.answer()).body for _ in range(300)] == [b"/%d" % number for number in range(300)]
    await connection.close()


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
async def test_what_comes_behind_an_upgrade_that_was_declined_is_requests_again(serve, upgrade):
    _, port = await serve(hello)
    connection = await Connection.open(port)
    asked = f"GET /up HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: {upgrade}\r\n\r\n".encode()
    await connection.send(asked + GET + asked + b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n")
    assert [(await connection.answer()).body for _ in range(3)] == [b"/up", b"/good", b"/up"]
    assert (await connection.answer()).status == 400
    assert await ended(connection) == b""
    await connection.close()


async def test_a_client_that_closes_its_side_is_gone(serve):
    gone = asyncio.Event()

    async def handler(_):
        try:
            await asyncio.sleep(PATIENCE_S)
        finally:
            gone.set()

    server, port = await serve(handler)
    connection = await Connection.open(port)
    await connection.send(GET)
    await until(lambda: server.requests_count, "it is at work")
    connection.writer.write_eof()
    await asyncio.wait_for(gone.wait(), PATIENCE_S)
    assert await ended(connection) == b""
    await connection.close()


@pytest.mark.parametrize("leave", ["close", "abort"])
async def test_a_client_that_goes_away_while_it_is_not_read_is_gone_too(serve, leave):
    gone = asyncio.Event()

    async def handler(_):
        try:
            await asyncio.sleep(10 * PATIENCE_S)
        finally:
            gone.set()

    server, port = await serve(handler)
    connection = await Connection.open(port)
    await connection.send(GET * 200)
    (held,) = await until(lambda: server.connections, "it is there")
    await until(lambda: not held.transport.is_reading(), "it is read no more")
    getattr(connection.writer.transport, leave)()
    await asyncio.wait_for(gone.wait(), PATIENCE_S)
    await until(lambda: not server.open_connections, "its connection is gone")


async def test_a_client_that_goes_away_while_the_quick_way_answers_it_is_gone_too(serve):
    """It had sent more than one request, so that it is not read."""
    server, port = await serve(hello)
    gone = asyncio.Event()

    def hot(_data, _send, caller):
        caller.gone = gone.set
        return LATER

    server.hot = hot
    connection = await Connection.open(port)
    await connection.send(GET)
    (held,) = await until(lambda: server.connections, "it is there")
    await until(lambda: held._asked, "it is asked")
    await connection.send(GET)
    await until(lambda: not held.transport.is_reading(), "it is read no more")
    connection.writer.transport.abort()
    await asyncio.wait_for(gone.wait(), PATIENCE_S)
    await until(lambda: not server.open_connections, "its connection is gone")


async def test_the_kernel_looks_for_clients_that_vanished_without_a_word(serve):
    server, port = await serve(hello)
    connection = await Connection.open(port)
    (held,) = await until(lambda: server.connections, "it is there")
    assert held.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    await connection.close()


# Time


async def test_a_head_that_drips_is_a_408_and_gains_nothing_by_dripping(serve):
    server, port = await serve(hello, header_timeout_s=0.3)
    connection = await Connection.open(port)

    async def drip():
        await connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        while True:
            await connection.send(b"a")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    got = await connection.answer()
    assert (got.status, got.gate, got.one("Connection")) == (408, "too_slow", "close")
    dripping.cancel()
    assert await ended(connection) == b""
    assert server.refused == {"too_slow": 1}
    await connection.close()


async def test_a_slow_head_behind_a_good_request_waits_for_its_answer(serve):
    going = asyncio.Event()

    async def handler(request):
        await going.wait()
        return await hello(request)

    server, port = await serve(handler, header_timeout_s=0.05)
    connection = await Connection.open(port)
    await connection.send(GET + b"GET /half")
    await until(lambda: server.refused["too_slow"], "the time is up")
    going.set()
    assert (await connection.answer()).body == b"/good"
    assert (await connection.answer()).status == 408
    await connection.close()


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
async def test_a_connection_that_says_nothing_is_closed_in_silence(serve, sent):
    server, port = await serve(hello, header_timeout_s=0.05)
    connection = await Connection.open(port)
    await connection.send(sent)
    assert await ended(connection) == b""
    assert not server.refused
    await connection.close()


async def test_a_connection_is_kept_between_requests_for_its_own_time(serve):
    _, port = await serve(hello, header_timeout_s=0.05, keepalive_timeout_s=0.5)
    connection = await Connection.open(port)
    for _ in range(2):
        await connection.send(GET)
        assert (await connection.answer()).status == 200
        await asyncio.sleep(0.15)
    assert await ended(connection) == b""
    await connection.close()


async def test_a_request_at_work_has_all_the_time_it_wants(serve):
    async def handler(request):
        await asyncio.sleep(0.3)
        return await echo(request)

    _, port = await serve(handler, header_timeout_s=0.05, keepalive_timeout_s=0.05, client_idle_timeout_s=0.05)
    connection = await Connection.open(port)
    await connection.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1")
    await asyncio.sleep(0.2)
    await connection.send(b"2")
    assert (await connection.answer()).body == b"12"
    await connection.close()


@pytest.mark.parametrize("requests", [1, 1000])
async def test_a_client_that_does_not_take_its_answers_is_cut_off(serve, requests):
    """One answer larger than what the kernel holds for it, and many small ones."""

    async def handler(_):
        return web.Response(body=bytes(20_000_000 if requests == 1 else 20_000))

    server, port = await serve(handler, client_idle_timeout_s=0.1)
    connection = await Connection.open(port)
    connection.reader._transport.pause_reading()  # type: ignore[attr-defined] # it has one
    await connection.send(GET * requests)
    await until(lambda: server.refused["unread"], "it is cut off")
    await until(lambda: not server.open_connections, "it is gone")
    await connection.close()


async def test_a_client_that_takes_its_answer_slowly_but_steadily_is_served(serve):
    async def handler(_):
        return web.Response(body=bytes(8_000_000))

    server, port = await serve(handler, client_idle_timeout_s=0.4)
    connection = await Connection.open(port)
    await connection.send(GET)
    await connection.head()
    got = 0
    while got < 8_000_000:
        got += len(await connection.reader.read(400_000))
        await asyncio.sleep(0.05)
    assert not server.refused
    await connection.close()


# The end


async def go_on_sending(connection, data):
    """Into a closed socket, the second piece would fail: the first brings the reset."""
    for _ in range(5):
        await connection.send(data)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("length", [b"Content-Length: 10000000", b"Transfer-Encoding: chunked"])
async def test_who_still_sends_can_read_the_answer(serve, length):
    async def handler(_):
        response = web.Response(status=413, text="too large")
        response.force_close()
        return response

    server, port = await serve(handler)
    connection = await Connection.open(port)
    await connection.send(b"PUT / HTTP/1.1\r\n" + HOST + length + b"\r\n\r\n")
    await until(lambda: server.requests_count, "it is answered")
    await go_on_sending(connection, b"1000\r\n" + bytes(4096) + b"\r\n")
    got = await connection.answer()
    assert (got.status, got.clean) == (413, True)
    # It sees the end at once, and may still send.
    assert await ended(connection) == b""
    assert server.open_connections == 1
    await go_on_sending(connection, b"1000\r\n" + bytes(4096) + b"\r\n")
    await connection.close()


async def test_who_sent_further_requests_can_read_the_last_answer(serve):
    async def handler(request):
        response = web.Response(text=request.raw_path)
        response.force_close()
        return response

    server, port = await serve(handler)
    connection = await Connection.open(port)
    await connection.send(GET + GET)
    await until(lambda: server.requests_count, "it is answered")
    await go_on_sending(connection, GET)
    assert (await connection.answer()).body == b"/good"
    assert await ended(connection) == b""
    await connection.close()


async def test_who_still_sends_can_read_why_it_was_refused(serve):
    server, port = await serve(hello)
    connection = await Connection.open(port)
    await connection.send(b"GET /" + b"a" * 20_000)
    await until(lambda: server.refused, "it is refused")
    await go_on_sending(connection, b"a" * 20_000)
    assert (await connection.answer()).status == 414
    assert await ended(connection) == b""
    await connection.close()


@pytest.mark.parametrize(("seconds", "size"), [(60, LINGER_BYTES), (0.05, 2**40)])
async def test_lingering_is_bounded_in_time_and_bytes(serve, monkeypatch, seconds, size):
    monkeypatch.setattr(listener, "LINGER_S", seconds)
    monkeypatch.setattr(listener, "LINGER_BYTES", size)
    server, port = await serve(hello)
    connection = await Connection.open(port)
    await connection.send(b"\0")

    async def flood():
        while True:
            await connection.send(bytes(65_536))

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(flood(), PATIENCE_S)
    await until(lambda: not server.open_connections, "it is gone")
    await connection.close()


@pytest.mark.parametrize("late", [False, True])
async def test_a_short_body_that_nobody_reads_does_not_cost_the_connection(serve, late):
    _, port = await serve(hello)
    connection = await Connection.open(port)
    head = b"PUT /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
    await connection.send(head if late else head + bytes(100_000) + GET)
    assert (await connection.answer()).body == b"/body"
    if late:
        await connection.send(bytes(100_000) + GET)
    assert (await connection.answer()).body == b"/good"
    await connection.close()


async def test_a_body_that_was_never_asked_for_is_not_waited_for(serve):
    _, port = await serve(hello)
    connection = await Connection.open(port)
    await connection.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
    assert (await connection.answer()).status == 200
    assert await ended(connection) == b""
    await connection.close()


async def test_a_stopping_listener_takes_the_body_of_the_request_it_is_at_and_no_other_request(serve):
    server, port = await serve(echo)
    connection = await Connection.open(port)
    await connection.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1")
    await until(lambda: server.requests_count, "it is at work")
    server.pre_shutdown()
    await connection.send(b"2" + GET)
    got = await connection.answer()
    assert (got.body, got.one("Connection")) == (b"12", "close")
    assert await ended(connection) == b""
    await connection.close()


async def test_what_is_sent_to_a_stopping_listener_is_not_kept(serve):
    """While it is at its last request, a client could fill its memory."""
    go_on = asyncio.Event()

    async def handler(_):
        await go_on.wait()
        return web.Response(text="done")

    server, port = await serve(handler)
    connection = await Connection.open(port)
    await connection.send(GET)
    await until(lambda: server.requests_count, "it is at work")
    server.pre_shutdown()
    (held,) = server.connections
    for _ in range(10):
        await connection.send(bytes(65_536))
    await until(lambda: held._discarded, "it is thrown away")
    assert held._rest == b""
    go_on.set()
    assert (await connection.answer()).body == b"done"
    await connection.close()


# Crowds


async def test_a_network_holds_only_so_many_connections(serve):
    crowd = Crowd(2)
    server, port = await serve(hello, crowd)
    held = [await Connection.open(port) for _ in range(2)]
    for connection in held:
        await connection.send(GET)
        assert (await connection.answer()).status == 200
    turned_away = await Connection.open(port)
    got = await turned_away.answer()
    assert (got.status, got.gate, got.one("Retry-After"), got.clean) == (503, "crowded", "10", True)
    assert json.loads(got.body)["status"] == 503
    assert await ended(turned_away) == b""
    await turned_away.close()
    assert (server.open_connections, server.refused, len(server.connections)) == (2, {"crowded": 1}, 2)
    await held.pop().close()
    await until(lambda: server.open_connections == 1, "one has left")
    another = await Connection.open(port)
    await another.send(GET)
    assert (await another.answer()).status == 200
    for connection in (*held, another):
        await connection.close()
    await until(lambda: not len(crowd), "nobody is counted")


@pytest.mark.parametrize(("trusted", "status"), [((), 503), (("127.0.0.0/8",), 200)])
async def test_the_limit_is_the_settings_and_front_servers_are_not_counted(start, trusted, status):
    site = await start(
        rooms=[{"state": "passthrough"}], edge={"max_connections_per_network": 1, "trusted_proxies": trusted}
    )
    first = await Connection.open(site.port)
    await first.send(GET)
    assert (await first.answer()).status == 200
    second = await Connection.open(site.port)
    await second.send(GET)
    assert (await second.answer()).status == status
    await first.close()
    await second.close()


# Faults of ours


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
async def test_a_fault_is_logged_in_full_and_told_to_nobody(serve, caplog, accept):
    async def handler(_):
        raise RuntimeError("s3cret")

    _, port = await serve(handler)
    connection = await Connection.open(port)
    await connection.send(f"GET / HTTP/1.1\r\nHost: site.test\r\nAccept: {accept}\r\n\r\n".encode())
    got = await connection.answer()
    assert await ended(connection) == b""
    assert (got.status, got.gate, got.one("Server")) == (500, "unavailable", "sunbeon")
    assert json.loads(got.body)["detail"] == "the gateway failed"
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "s3cret" in str(record.exc_info)
    await connection.close()


async def test_a_fault_amid_an_answer_cuts_it(serve):
    async def handler(request):
        response = web.StreamResponse(headers={"Content-Length": "8"})
        await response.prepare(request)
        await response.write(b"half")
        raise RuntimeError("s3cret")

    _, port = await serve(handler)
    connection = await Connection.open(port)
    await connection.send(GET)
    got = await connection.answer()
    assert (got.body, got.clean) == (b"half", False)
    await connection.close()


async def test_a_client_that_went_away_is_no_fault(serve, caplog):
    async def handler(request):
        request.transport.abort()
        raise ConnectionResetError("gone")

    _, port = await serve(handler)
    connection = await Connection.open(port)
    await connection.send(GET)
    assert await connection.rest() == b""
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    await connection.close()


# The operators' listener


async def test_operators_are_told_in_the_same_words(caplog):
    runner = AppRunner(create_app([], Tokens(None, "token")), Gateway(header_timeout_s=0.05))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        for sent, status in (
            (b"s3cret\r\n\r\n", 400),
            (b"GET /s3cret", 408),
            (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ):
            connection = await Connection.open(runner.addresses[0][1])
            await connection.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + sent)
            assert (await connection.answer()).json() == {"status": "ok"}
            got = await connection.answer()
            assert (got.status, got.one("Content-Type")) == (status, "application/problem+json")
            assert await ended(connection) == b""
            await connection.close()
    finally:
        await runner.cleanup()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_whoever_floods_the_operators_listener_gets_only_so_many_connections(monkeypatch):
    monkeypatch.setattr("gateway.edge.server.OPERATORS_OF_ONE_NETWORK", 2)
    runner = AppRunner(create_app([], Tokens(None, "token")), Gateway())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    connections = []
    try:
        for status in (200, 200, 503):
            connections.append(await Connection.open(runner.addresses[0][1]))
            await connections[-1].send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await connections[-1].answer()).status == status
    finally:
        for connection in connections:
            await connection.close()
        await runner.cleanup()


@pytest.mark.parametrize("pause", [False, True])
async def test_trailers_of_one_request_are_no_headers_of_the_next(start, backend, pause):
    site = await start(rooms=[{"state": "passthrough"}])
    first = b"POST /1 HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"
    trailers = b"Cookie: a=1\r\nAuthorization: x\r\nSunbeon-Ticket: y\r\n\r\n"
    connection = await Connection.open(site.port)
    for piece in (first, trailers[:20], trailers[20:]) if pause else (first + trailers,):
        await connection.send(piece)
        await asyncio.sleep(0.01)
    await connection.send(b"GET /2 HTTP/1.1\r\nHost: site.test\r\n\r\n")
    assert [(await connection.answer()).status for _ in range(2)] == [200, 200]
    one, two = backend.requests
    assert (one.body, one.whole, two.target) == (b"ab", True, "/2")
    for name in ("Cookie", "Authorization", "Sunbeon-Ticket"):
        assert (one.all(name), two.all(name)) == ([], [])
    await connection.close()


async def test_a_body_that_means_nothing_cannot_become_the_next_visitors_request(start, backend):
    """A backend that does not read the body of a GET would take it for a request of its own."""
    site = await start(rooms=[{"state": "passthrough"}])
    inner = b"GET /inner HTTP/1.1\r\nHost: site.test\r\n\r\n"
    head = f"GET /outer HTTP/1.1\r\nHost: site.test\r\nContent-Length: {len(inner)}\r\n\r\n".encode()
    assert (await exchange(site.port, head + inner)).status == 200
    assert (await exchange(site.port, b"GET /next HTTP/1.1\r\nHost: site.test\r\n\r\n")).status == 200
    assert (backend.targets, backend.connections) == (["/outer", "/next"], 2)


async def test_a_connection_that_waits_holds_no_parser_and_no_task(serve):
    server, port = await serve(hello)
    connection = await Connection.open(port)
    for _ in range(2):
        await connection.send(GET)
        assert (await connection.answer()).status == 200
        (waiting,) = server.connections
        await until(lambda: all(each._task_handler is None for each in server.connections), "the request is over")
        assert (waiting._parser, waiting._messages) == (None, deque())
    # With half a request it has not begun to read.
    await connection.send(GET[:-2])
    await until(lambda: waiting._rest == GET[:-2], "it has come")
    assert waiting._parser is None
    await connection.send(GET[-2:])
    assert (await connection.answer()).status == 200
    await connection.close()


async def test_a_request_that_comes_while_another_is_answered_goes_the_quick_way_when_that_is_over(serve):
    """The ordinary path is at work only until it has answered."""
    go_on = asyncio.Event()

    async def slow(request):
        await go_on.wait()
        return web.Response(text="slow")

    server, port = await serve(slow)
    asked = []

    def hot(data, _send, _caller=None):
        asked.append(data)
        return None if b"/slow" in data else b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhot"

    server.hot = hot
    connection = await Connection.open(port)
    await connection.send(b"GET /slow HTTP/1.1\r\nHost: site.test\r\n\r\n")
    await until(lambda: asked, "it was asked")
    go_on.set()
    assert (await connection.answer()).body == b"slow"
    await connection.send(GET)
    assert (await connection.answer()).body == b"hot"
    assert asked[-1] == GET
    await connection.close()


HOT = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhot"
SLOW = b"GET /slow HTTP/1.1\r\nHost: site.test\r\n\r\n"


async def test_what_could_be_answered_at_once_waits_for_the_request_before_it(serve):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request):
        begun.set()
        await go_on.wait()
        return web.Response(text=request.path)

    server, port = await serve(slow)
    answered = []

    def hot(data, _send, _caller=None):
        answered.extend([data] if data != SLOW else [])
        return None if data == SLOW else HOT

    server.hot = hot
    connection = await Connection.open(port)
    await connection.send(SLOW)
    await begun.wait()
    await connection.send(GET)
    (at_work,) = server.connections
    await until(lambda: at_work._messages or answered, "it was read")
    go_on.set()
    assert [(await connection.answer()).body for _ in range(2)] == [b"/slow", b"/good"]
    await connection.close()


@pytest.mark.parametrize("gives_up", [False, True])
async def test_what_could_be_answered_at_once_waits_for_an_answer_that_is_to_come(serve, gives_up):
    server, port = await serve(hello)
    asked = []

    def hot(data, send, _caller=None):
        asked.append(send)
        return LATER if data == SLOW else HOT

    server.hot = hot
    connection = await Connection.open(port)
    await connection.send(SLOW)
    await until(lambda: asked, "it was asked")
    await connection.send(GET)
    (waiting,) = server.connections
    await until(lambda: waiting._rest == GET or len(asked) > 1, "the next one has come")
    asked[0](None if gives_up else b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlater")
    first, second = [(await connection.answer()).body for _ in range(2)]
    assert first == (b"/slow" if gives_up else b"later")
    assert second == b"/good"  # on the ordinary path, as what was held back is
    await connection.close()
