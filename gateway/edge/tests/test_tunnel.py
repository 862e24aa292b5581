"""WebSockets and server-sent events through the gate: unbuffered, with the pass they came in by, and no longer.

Handshakes and frames are bytes here, on both sides.
"""

import asyncio

import pytest

from gateway.edge import streams
from gateway.edge.streams import FINISH_S, LASTING_S, LOOK_S
from gateway.edge.tests.backend import PATIENCE_S, until
from gateway.edge.tests.front import Connection, Visitor
from gateway.edge.tests.test_frames import frame
from gateway.store.base import PassRef, StoreUnavailable
from shared.passes import PassClaims
from shared.wire import COMMAND_HEADER

SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"
)
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def handshake(visitor: Visitor | None = None, *more: str) -> bytes:
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items()) if visitor else ""
    lines = [
        "GET /live HTTP/1.1",
        "Host: site.test",
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *([f"Cookie: {cookies}"] if cookies else []),
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def echo(request, writer) -> None:
    """Switch, and send back whatever comes."""
    writer.write(SWITCH)
    while data := await request.reader.read(65_536):
        request.body += data
        writer.write(data)
        await writer.drain()
    raise ConnectionResetError


async def read(connection: Connection, size: int) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        return await connection.reader.readexactly(size)


@pytest.fixture
async def site(start, backend):
    backend.act = echo
    return await start(rooms=[{"total_active_users": 9}])


async def admitted(site, backend) -> Visitor:
    """Somebody inside, let in by an ordinary request."""
    act, backend.act = backend.act, None
    visitor: Visitor = site.visitor()
    assert (await visitor.get()).status == 200
    backend.act = act
    return visitor


def ref(claims: PassClaims) -> PassRef:
    assert claims.place is not None
    return PassRef(claims.epoch, claims.place, claims.pass_id)


async def opened(site, visitor: Visitor) -> Connection:
    connection = await Connection.open(site.port)
    await connection.send(handshake(visitor))
    got = await connection.head()
    assert got.status == 101
    return connection


async def test_a_handshake_goes_through_and_bytes_go_both_ways(site, backend):
    visitor = await admitted(site, backend)
    connection = await opened(site, visitor)
    asked = backend.last
    assert (asked.all("Connection"), asked.all("Upgrade")) == (["Upgrade"], ["websocket"])
    assert asked.one("Sec-WebSocket-Key") == "dGhlIHNhbXBsZSBub25jZQ=="
    assert site.proof(asked).room == "vaccine"
    for payload in (b"", b"ping", b"x" * 70_000):
        sent = frame(payload, masked=True)
        await connection.send(sent)
        assert await read(connection, len(sent)) == sent
    await connection.close()
    await until(lambda: asked.closed, "the backend is told that the visitor left")


async def test_frames_sent_along_with_the_handshake_are_not_lost(site, backend):
    visitor = await admitted(site, backend)
    connection = await Connection.open(site.port)
    early = frame(b"early", masked=True)
    await connection.send(handshake(visitor) + early)
    assert (await connection.head()).status == 101
    assert await read(connection, len(early)) == early
    await connection.close()


async def test_what_the_backend_sends_along_with_its_101_is_not_lost(site, backend):
    visitor = await admitted(site, backend)

    async def greet(_, writer):
        writer.write(SWITCH + frame(b"hello"))
        await asyncio.sleep(PATIENCE_S)

    backend.act = greet
    connection = await opened(site, visitor)
    assert await read(connection, 7) == frame(b"hello")
    await connection.close()


async def test_without_a_pass_there_is_no_tunnel(start, backend):
    site = await start(rooms=[{"total_active_users": 0}])
    connection = await Connection.open(site.port)
    await connection.send(handshake())
    got = await connection.answer()
    assert (got.status, got.gate) == (429, "waiting")
    assert backend.requests == []
    # What follows is requests again, and the gate's to judge.
    await connection.send(b"GET /_sunbeon/vaccine/board HTTP/1.1\r\nHost: site.test\r\n\r\n")
    assert (await connection.answer()).status == 200
    await connection.close()


async def test_a_backend_may_refuse_and_the_connection_goes_on(site, backend):
    visitor = await admitted(site, backend)
    backend.act = None
    backend.reply = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    connection = await Connection.open(site.port)
    await connection.send(handshake(visitor) + handshake(visitor).replace(b"/live", b"/next"))
    assert [(await connection.answer()).body for _ in range(2)] == [b"no", b"no"]
    assert backend.targets[-2:] == ["/live", "/next"]
    await connection.close()


@pytest.mark.parametrize(
    "reply",
    [
        SWITCH.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        SWITCH.replace(b"Connection: Upgrade\r\n", b""),
        SWITCH.replace(b"Connection: Upgrade", b"Connection: keep-alive"),
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
async def test_a_switch_to_something_else_is_no_answer(site, backend, reply):
    visitor = await admitted(site, backend)
    backend.act, backend.reply = None, reply
    connection = await Connection.open(site.port)
    await connection.send(handshake(visitor))
    assert (await connection.answer()).status == 502
    await connection.close()


@pytest.mark.parametrize("reason", ["revoked", "completed", "left"])
async def test_a_pass_that_ends_ends_its_tunnel_with_a_close_frame_to_both_sides(site, backend, reason):
    visitor = await admitted(site, backend)
    connection = await opened(site, visitor)
    claims = site.proof(backend.last)
    await site.store.complete("vaccine", [ref(claims)], reason=reason)
    async with asyncio.timeout(LOOK_S + PATIENCE_S):
        told = await connection.rest()
    assert told == b"\x88\x02\x03\xf0"  # 1008
    await until(lambda: len(backend.last.body) == 8, "the backend is told too")
    assert backend.last.body[:2] == b"\x88\x82"
    await connection.close()


async def test_a_tunnel_ends_between_two_frames_if_it_can(site, backend):
    visitor = await admitted(site, backend)
    begun, go_on = frame(b"x" * 1000), asyncio.Event()

    async def halting(_, writer):
        writer.write(SWITCH + begun[:500])
        await go_on.wait()
        writer.write(begun[500:] + frame(b"never"))
        await asyncio.sleep(PATIENCE_S)

    backend.act = halting
    connection = await opened(site, visitor)
    await read(connection, 500)
    await site.store.complete("vaccine", [ref(site.proof(backend.last))], reason="revoked")
    streams = site.streams
    await streams.look()
    go_on.set()
    assert await connection.rest() == begun[500:] + b"\x88\x02\x03\xf0"
    await connection.close()


async def test_a_pass_that_runs_out_ends_its_tunnel_but_frames_keep_it_alive(site, backend):
    visitor = await admitted(site, backend)
    connection = await opened(site, visitor)
    for _ in range(2):
        await site.pass_time(200_000)
        sent = frame(b"still here", masked=True)
        await connection.send(sent)
        await read(connection, len(sent))
        await site.streams.look()
    assert (await site.room()).live == 1
    await site.pass_time(300_000)
    assert await connection.rest() == b"\x88\x02\x03\xf0"
    await connection.close()


async def test_a_stopping_gateway_ends_tunnels_and_says_why(site, backend):
    connection = await opened(site, await admitted(site, backend))
    site.streams.stop()
    assert await connection.rest() == b"\x88\x02\x03\xe9"  # 1001
    await connection.close()


async def test_a_tunnel_in_which_nobody_speaks_ends(start, backend):
    backend.act = echo
    site = await start(rooms=[{"state": "passthrough"}], upstream={"idle_timeout_s": 0.2})
    connection = await Connection.open(site.port)
    await connection.send(handshake())
    assert (await connection.head()).status == 101
    assert await connection.rest() == b"\x88\x02\x03\xe9"
    await connection.close()


async def test_a_side_that_does_not_read_stops_the_other_from_being_read(site, backend):
    visitor = await admitted(site, backend)
    sent = 0

    async def flood(_, writer):
        nonlocal sent
        writer.write(SWITCH)
        while True:
            writer.write(frame(b"x" * 60_000))
            await writer.drain()
            sent += 60_000

    backend.act = flood
    connection = await opened(site, visitor)
    connection.reader._transport.pause_reading()  # type: ignore[attr-defined] # nothing is read ahead either
    seen = -1
    while seen != sent:
        seen = sent
        await asyncio.sleep(0.3)
    # Whatever the kernel's buffers hold on the way, and no more.
    assert 0 < sent < 40 * 2**20
    await connection.close()
    await until(lambda: not backend.writers or backend.last.closed, "the backend is told that the visitor left")


async def test_events_come_as_they_happen_and_end_with_the_pass(site, backend):
    visitor = await admitted(site, backend)
    go_on = asyncio.Event()

    async def stream(_, writer):
        writer.write(EVENTS + b"data: 1\n\n")
        await go_on.wait()
        writer.write(b"data: 2\n\n")
        await asyncio.sleep(PATIENCE_S)

    backend.act = stream
    connection = await Connection.open(site.port)
    cookie = f"Cookie: {'; '.join(f'{name}={value}' for name, value in visitor.cookies.items())}"
    await connection.send(f"GET /events HTTP/1.1\r\nHost: site.test\r\n{cookie}\r\n\r\n".encode())
    assert (await connection.head()).one("Transfer-Encoding") == "chunked"
    assert await read(connection, 14) == b"9\r\ndata: 1\n\n\r\n"
    go_on.set()
    assert await read(connection, 14) == b"9\r\ndata: 2\n\n\r\n"
    await site.store.complete("vaccine", [ref(site.proof(backend.last))], reason="revoked")
    assert await connection.rest() == b"0\r\n\r\n"
    await connection.close()


async def test_a_store_that_is_away_ends_nobodys_stream(start, backend):
    backend.act = echo
    site = await start(rooms=[{"total_active_users": 9}], faulty=True)
    connection = await opened(site, await admitted(site, backend))
    site.store.failure = StoreUnavailable("away")
    await site.streams.look()
    sent = frame(b"still here", masked=True)
    await connection.send(sent)
    assert await read(connection, len(sent)) == sent
    site.store.failure = None
    await connection.close()


async def test_past_the_grace_streams_end_like_requests_do(start, backend):
    backend.act = echo
    site = await start(rooms=[{"total_active_users": 9}], faulty=True, edge={"pass_grace_s": 10})
    connection = await opened(site, await admitted(site, backend))
    site.store.failure = StoreUnavailable("away")
    site.clock.now_ms += 9_000
    await site.streams.look()
    assert len(site.streams) == 1
    site.clock.now_ms += 1_000
    await site.streams.look()
    assert await connection.rest() == b"\x88\x02\x03\xf0"
    await connection.close()


async def test_a_silent_store_does_not_keep_streams_from_being_looked_after(start, backend):
    backend.act = echo
    site = await start(rooms=[{"total_active_users": 9}], faulty=True, edge={"pass_grace_s": 0})
    connection = await opened(site, await admitted(site, backend))
    site.line._patience_s = 0.1
    answers = site.store.stall = asyncio.Event()
    await site.streams.look()
    assert await connection.rest() == b"\x88\x02\x03\xf0"
    answers.set()
    await connection.close()


async def test_a_download_whose_pass_was_out_of_sight_for_a_while_has_its_whole_minute_when_it_ends(
    start, backend, monkeypatch
):
    site = await start(faulty=True, edge={"pass_grace_s": 10})
    monkeypatch.setattr(streams, "LASTING_S", 0)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def act(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        begun.set()
        await go_on.wait()
        writer.write(b"last.")

    backend.act = act
    connection = await Connection.open(site.port)
    await connection.send(b"GET / HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n\r\n")
    await begun.wait()
    site.store.failure = StoreUnavailable("away")
    site.clock.now_ms += 20_000
    await site.streams.look()
    site.store.failure = None
    await site.line.tick_now()
    await site.streams.look()
    now = site.streams._monotonic
    monkeypatch.setattr(site.streams, "_monotonic", lambda: now() + FINISH_S)
    await site.store.complete("vaccine", [ref(site.proof(backend.last))], reason="revoked")
    await site.streams.look()
    go_on.set()
    assert (await connection.answer()).body == b"firstlast."
    await connection.close()


async def test_a_command_beside_the_switch_is_heeded(site, backend):
    visitor = await admitted(site, backend)

    async def done(_, writer):
        writer.write(SWITCH.replace(b"\r\n\r\n", f"\r\n{COMMAND_HEADER}: complete\r\n\r\n".encode()))
        await asyncio.sleep(PATIENCE_S)

    backend.act = done
    connection = await Connection.open(site.port)
    await connection.send(handshake(visitor))
    got = await connection.head()
    assert (got.status, got.one(COMMAND_HEADER)) == (101, None)
    assert await connection.rest() == b"\x88\x02\x03\xf0"
    await connection.close()


async def test_a_stream_that_is_over_ends_nothing_that_its_connection_carries_next(start, backend, monkeypatch):
    site = await start(rooms=[{"paths": ["/live"]}])
    over, whole, asked, told = (asyncio.Event() for _ in range(4))

    async def act(request, writer):
        live = request.target == "/live"
        kind = b"text/event-stream" if live else b"text/plain"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head % kind + b"5\r\nfirst\r\n")
        await (over if live else whole).wait()
        writer.write(b"4\r\nlast\r\n0\r\n\r\n")

    async def look(passes):
        """The store takes a moment to say that the pass has ended."""
        asked.set()
        await told.wait()
        return [False for _ in passes]

    backend.act = act
    monkeypatch.setattr(site.line, "look", look)
    first, second = [await Connection.open(site.port) for _ in range(2)]
    await first.send(b"GET /live HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n\r\n")
    await until(lambda: len(site.streams), "the stream is open")
    looking = asyncio.create_task(site.streams.look())
    await asked.wait()
    over.set()
    assert (await first.answer()).body == b"firstlast"
    await until(lambda: site.upstreams.state()[0].idle, "its connection is free")
    await second.send(b"GET /other HTTP/1.1\r\nHost: site.test\r\n\r\n")
    await until(lambda: backend.targets == ["/live", "/other"], "another exchange is under way")
    told.set()
    await looking
    whole.set()
    got = await second.answer()
    assert (got.body, got.clean, backend.connections) == (b"firstlast", True, 1)
    for connection in (first, second):
        await connection.close()


async def test_events_that_begin_while_the_gateway_stops_end_in_good_order(start, backend):
    site = await start(rooms=[{"state": "passthrough"}])
    go_on = asyncio.Event()

    async def late(_, writer):
        await go_on.wait()
        writer.write(EVENTS + b"data: 1\n\n")
        await asyncio.sleep(PATIENCE_S)

    backend.act = late
    connection = await Connection.open(site.port)
    await connection.send(b"GET /events HTTP/1.1\r\nHost: site.test\r\n\r\n")
    await until(lambda: backend.requests, "the backend is at it")
    site.streams.stop()
    go_on.set()
    got = await connection.answer()
    assert (got.status, got.clean, await connection.rest()) == (200, True, b"")
    await connection.close()


async def lasting(site, backend, reply: bytes) -> tuple[Connection, asyncio.Event]:
    """A download under way by a pass; `go_on` lets the backend end it."""
    visitor = await admitted(site, backend)
    go_on = asyncio.Event()

    async def slow(_, writer):
        writer.write(reply)
        await go_on.wait()
        writer.write(b"end")

    backend.act = slow
    connection = await Connection.open(site.port)
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    await connection.send(f"GET /file HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\n\r\n".encode())
    assert (await connection.head()).status == 200
    return connection, go_on


FILE = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nbegin"


async def test_a_download_may_come_to_its_end_when_its_pass_has_ended_but_not_for_ever(site, backend):
    now = asyncio.get_running_loop().time()
    site.streams._monotonic = lambda: now
    for late_s, whole in ((FINISH_S - 1, True), (FINISH_S, False)):
        connection, go_on = await lasting(site, backend, FILE)
        await site.store.complete("vaccine", [ref(site.proof(backend.last))], reason="revoked")
        now += LASTING_S
        await site.streams.look()
        now += late_s
        await site.streams.look()
        go_on.set()
        assert (await connection.rest() if not whole else await read(connection, 8)) == (
            b"beginend" if whole else b"begin"
        )
        await connection.close()
    assert all(server.failures == 0 for server in site.upstreams.state())


async def test_a_download_under_way_keeps_its_pass_alive_and_a_short_one_costs_no_look(site, backend):
    now = asyncio.get_running_loop().time()
    site.streams._monotonic = lambda: now
    connection, go_on = await lasting(site, backend, FILE)
    await site.pass_time(200_000)
    await site.streams.look()
    await site.pass_time(90_000)
    now += LASTING_S
    await site.streams.look()
    await site.pass_time(200_000)
    assert (await site.room()).live == 1
    go_on.set()
    assert await read(connection, 8) == b"beginend"
    await connection.close()
    # The first look came too early to count: without the second the pass would be over.
    connection, go_on = await lasting(site, backend, FILE)
    await site.pass_time(200_000)
    await site.streams.look()
    await site.pass_time(110_000)
    assert (await site.room()).live == 0
    go_on.set()
    await connection.close()


async def test_an_upload_that_outlives_its_pass_for_too_long_is_ended_with_a_reason(site, backend):
    now = asyncio.get_running_loop().time()
    site.streams._monotonic = lambda: now
    visitor = await admitted(site, backend)
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    connection = await Connection.open(site.port)
    head = f"POST /file HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\nContent-Length: 9\r\n\r\n"
    backend.act = None
    await connection.send(head.encode() + b"begin")
    await until(lambda: backend.last.body == b"begin", "the body has begun")
    await site.store.complete("vaccine", [ref(site.proof(backend.last))], reason="revoked")
    for step_s in (LASTING_S, FINISH_S):
        now += step_s
        await site.streams.look()
    assert (await connection.answer()).status == 408
    await until(lambda: backend.last.closed, "the backend sees it cut")
    assert not backend.last.whole
    await connection.close()
