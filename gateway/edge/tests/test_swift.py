"""Answers that come whole and small go out as they come, and as they would have gone out the long way."""

import asyncio

import pytest

from gateway.edge.proxy import forward, swift
from gateway.edge.proxy.relay import Relay
from gateway.edge.proxy.swift import MOST_BYTES, Swift
from gateway.edge.tests.backend import answer, until
from gateway.edge.tests.front import Connection, exchange

OPEN = {"state": "passthrough"}


@pytest.fixture
async def site(start):
    return await start(rooms=[OPEN])


@pytest.fixture
def relayed(monkeypatch):
    """How many answers went the long way."""
    count = []
    run = Relay.run

    async def counted(relay, **more):
        count.append(relay)
        return await run(relay, **more)

    monkeypatch.setattr(Relay, "run", counted)
    return count


def request(method: str = "GET", version: str = "1.1", *lines: str) -> bytes:
    return "\r\n".join([f"{method} / HTTP/{version}", "Host: site.test", *lines, "", ""]).encode()


async def ask(site, data: bytes) -> bytes:
    """All that comes back for one request; the request id and date are the same in all runs."""
    connection = await Connection.open(site.port)
    await connection.send(data)
    found = await connection.rest()
    await connection.close()
    return found


DATE = b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
ANSWERS = {
    "small": b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: 5\r\n\r\nhello",
    "empty": b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: 0\r\n\r\n",
    "largest": b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: %d\r\n\r\n" % MOST_BYTES + MOST_BYTES * b"x",
    "none": b"HTTP/1.1 204 No Content\r\n" + DATE + b"\r\n",
    "unchanged": b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 99\r\n' + DATE + b"\r\n",
    "own phrase": b"HTTP/1.1 404 Nicht da\r\n" + DATE + b"Content-Length: 1\r\n\r\nx",
    "failure": b"HTTP/1.1 500 Oh\r\n" + DATE + b"Content-Length: 1\r\n\r\nx",
    "old": b"HTTP/1.0 200 OK\r\n" + DATE + b"Content-Length: 1\r\n\r\nx",
    "closing": b"HTTP/1.1 200 OK\r\n" + DATE + b"Connection: close, X-Mine\r\nX-Mine: 1\r\nContent-Length: 1\r\n\r\nx",
    "headers": b"HTTP/1.1 200 OK\r\n" + DATE + b"x-a: 1\r\nX-A: 2\r\nSunbeon-Thing: 3\r\nSet-Cookie: a=b\r\n"
    b"Set-Cookie: sunbeon_pass_vaccine=x\r\nKeep-Alive: 5\r\nContent-Length: 1\r\n\r\nx",
}
LEFT = {
    "chunks": b"HTTP/1.1 200 OK\r\n" + DATE + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "too large": b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: 99999\r\n\r\n" + 99_999 * b"x",
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    "event stream": b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Type: text/event-stream\r\nContent-Length: 1\r\n\r\nx",
    "command": b"HTTP/1.1 200 OK\r\n" + DATE + b"Sunbeon-Command: complete\r\nContent-Length: 1\r\n\r\nx",
    "two lengths": b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "control": b"HTTP/1.1 200 OK\r\n" + DATE + b"X: a\x01b\r\nContent-Length: 1\r\n\r\nx",
    "nonsense": b"HTTQ/1.1 200 OK\r\n\r\n",
    "switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("asked", [("1.1",), ("1.0",), ("1.0", "Connection: keep-alive"), ("1.1", "Connection: close")])
@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_goes_out_as_it_would_have_the_long_way(
    site, backend, relayed, monkeypatch, name, asked, method
):
    head, _, body = ANSWERS[name].partition(b"\r\n\r\n")
    backend.reply = head + b"\r\n\r\n" + (b"" if method == "HEAD" else body)
    data = request(method, *asked)
    # The last one closes the connection, so that all of an answer has come.
    last = request(method, "1.1", "Connection: close")

    async def seen() -> list[bytes]:
        found = (await ask(site, data + (b"" if "close" in str(asked) or asked == ("1.0",) else last))).split(b"\r\n")
        return [line for line in found if not line.startswith(b"X-Request-ID")]

    swift_one = await seen()
    assert relayed == []
    monkeypatch.setattr(Swift, "_fits", lambda *_: False)
    assert await seen() == swift_one
    assert relayed


@pytest.mark.parametrize("name", LEFT)
async def test_what_is_not_so_is_left_to_the_long_way(site, backend, relayed, monkeypatch, name):
    backend.reply = LEFT[name]
    found = await ask(site, request("GET", "1.1", "Connection: close", "Accept: application/json"))
    assert len(relayed) == 1
    monkeypatch.setattr(Swift, "_look", lambda self: self._tell(None))
    again = await ask(site, request("GET", "1.1", "Connection: close", "Accept: application/json"))
    assert found.partition(b"\r\n\r\n")[2] == again.partition(b"\r\n\r\n")[2]


async def test_a_small_body_that_follows_its_head_goes_out_with_it(site, backend, relayed):
    async def act(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.005)
        writer.write(b"he")
        await asyncio.sleep(0.005)
        writer.write(b"llo")

    backend.act = act
    got = await exchange(site.port, request())
    assert (got.status, got.body, got.clean, relayed) == (200, b"hello", True, [])


async def test_a_head_is_not_held_back_for_a_body_that_keeps_us_waiting(site, backend, relayed, monkeypatch):
    monkeypatch.setattr(swift, "WAIT_S", 0.01)
    go_on = asyncio.Event()

    async def act(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
        await writer.drain()
        await go_on.wait()
        writer.write(b"llo")

    backend.act = act
    connection = await Connection.open(site.port)
    await connection.send(request())
    assert (await connection.head()).status == 200
    assert len(relayed) == 1
    go_on.set()
    async with asyncio.timeout(5):
        assert await connection.reader.readexactly(5) == b"hello"
    await connection.close()


async def test_a_small_answer_that_breaks_off_is_none_and_is_not_asked_for_again(site, backend):
    async def act(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    backend.act = act
    got = await exchange(site.port, request("GET", "1.1", "Accept: application/json"))
    assert (got.status, got.gate, len(backend.requests)) == (502, "bad_gateway", 1)


async def test_a_visitor_who_hangs_up_takes_the_request_to_the_backend_along(site, backend):
    hung_up = asyncio.Event()

    async def act(seen, writer):
        await hung_up.wait()

    backend.act = act
    connection = await Connection.open(site.port)
    await connection.send(request())
    await until(lambda: backend.requests, "it is under way")
    await connection.close()
    await until(lambda: site.upstreams.state()[0].in_flight == 0, "it was given up")
    assert len(site.streams._open) == 0
    hung_up.set()


async def test_a_connection_is_kept_after_a_swift_answer(site, backend):
    connection = await Connection.open(site.port)
    for _ in range(5):
        await connection.send(request())
        assert (await connection.answer()).body == b"hello"
    assert backend.connections == 1
    await connection.close()


async def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure(site, backend):
    backend.reply = answer()
    assert (await exchange(site.port, request())).status == 200
    for writer in backend.writers:
        writer.close()
    assert (await exchange(site.port, request())).status == 200


async def test_a_fault_of_ours_amid_a_swift_answer_sends_nothing_of_it(start, backend, monkeypatch, caplog):
    site = await start(rooms=[OPEN])
    monkeypatch.setattr(forward, "answer_head", lambda *_: 1 / 0)
    got = await exchange(site.port, request("GET", "1.1", "Accept: application/json"))
    assert (got.status, got.gate) == (503, "unavailable")
    assert "fault of the gateway" in caplog.text
