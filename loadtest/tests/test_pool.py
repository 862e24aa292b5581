"""Connections that visitors share: every way in which an answer comes, or does not."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from loadtest import pool as pools
from loadtest.connection import BadAnswer, Connection, Cut, Refused
from loadtest.pool import Door, Pool

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ASK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[tuple[str, int]]:
    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(quietly, "127.0.0.1", 0)
    try:
        yield "127.0.0.1", server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def serving(*answers: bytes, limit_s: float = 10.0, end: bool = False) -> AsyncIterator[tuple[Pool, Door]]:
    """A server that gives these answers in turn, on whichever connection; `|` parts what is sent a turn later."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while left and await reader.readuntil(b"\r\n\r\n"):
            for piece in left.pop(0).split(b"|"):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.001)
            if end:
                break
        if end:
            writer.close()
        else:
            await reader.read()

    async with listening(serve) as address:
        pool = Pool(limit_s)
        try:
            yield pool, pool.door(*address)
        finally:
            await pool.close()


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (LENGTH, b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Le|ngth: 2\r\n\r\no|k", b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no|\r\n1\r\nk\r\n0\r\n\r\n", b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n|HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + LENGTH, b"ok"),
    ],
)
async def test_however_an_answer_is_framed_it_is_whole_and_its_connection_is_used_again(answer, body) -> None:
    async with serving(answer, LENGTH) as (pool, door):
        assert (await pool.exchange(door, ASK))[1] == body
        assert (await pool.exchange(door, ASK))[1] == b"ok"
        assert pool.opened == 1


async def test_an_answer_to_head_has_no_body() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", LENGTH) as (pool, door):
        assert (await pool.exchange(door, ASK, bodiless=True))[1] == b""
        assert (await pool.exchange(door, ASK))[1] == b"ok"
        assert pool.opened == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
)
async def test_a_connection_that_is_to_end_is_not_used_again(answer) -> None:
    async with serving(answer, LENGTH) as (pool, door):
        await pool.exchange(door, ASK)
        assert (await pool.exchange(door, ASK))[1] == b"ok"
        assert pool.opened == 2


async def test_an_answer_may_end_with_its_connection() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\n\r\nall| of it", end=True) as (pool, door):
        assert (await pool.exchange(door, ASK))[1] == b"all of it"


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_half_an_answer_is_none(half) -> None:
    async with serving(half, end=True) as (pool, door):
        with pytest.raises(Cut):
            await pool.exchange(door, ASK)


@pytest.mark.parametrize("answer", [b"what?\r\n\r\n", LENGTH + LENGTH, b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
async def test_what_is_no_answer_or_more_than_one_is_said_to_be(answer) -> None:
    async with serving(answer, LENGTH) as (pool, door):
        with pytest.raises(BadAnswer):
            await pool.exchange(door, ASK)
        assert (await pool.exchange(door, ASK))[1] == b"ok"
        assert pool.opened == 2


async def test_what_comes_unasked_reaches_nobody() -> None:
    async with serving(LENGTH + b"|" + LENGTH, LENGTH) as (pool, door):
        await pool.exchange(door, ASK)
        async with asyncio.timeout(10):
            while door.idle[0].fit:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert (await pool.exchange(door, ASK))[1] == b"ok"
        assert pool.opened == 2


async def test_who_does_not_answer_is_left_after_the_limit_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "LOOK_EVERY_S", 0.005)
    async with serving(b"HTTP/1.1 200 OK\r\n", LENGTH, limit_s=0.05) as (pool, door):
        with pytest.raises(TimeoutError):
            await pool.exchange(door, ASK)
        assert (await pool.exchange(door, ASK))[1] == b"ok"
        assert pool.opened == 2


async def test_nobody_there_is_told_apart_from_an_answer_that_was_lost() -> None:
    async with serving() as (pool, door):
        pass
    with pytest.raises(Refused):
        await pool.exchange(door, ASK)


async def test_who_goes_away_takes_the_connection_along() -> None:
    async with serving(b"", LENGTH) as (pool, door):
        asking = asyncio.create_task(pool.exchange(door, ASK))
        while not pool.opened:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await pool.exchange(door, ASK))[1] == b"ok"
        assert pool.opened == 2


async def test_a_connection_that_was_not_used_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other side may be closing it in this moment: that would look like a lost answer."""
    async with serving(LENGTH, LENGTH) as (pool, door):
        await pool.exchange(door, ASK)
        monkeypatch.setattr(pools, "KEPT_S", 0.0)
        await pool.exchange(door, ASK)
        assert pool.opened == 2


async def test_connections_that_nobody_uses_any_more_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(LENGTH, LENGTH) as (pool, door):
        await asyncio.gather(pool.exchange(door, ASK), pool.exchange(door, ASK))
        assert len(door.idle) == 2
        pool._look()
        assert len(door.idle) == 2
        monkeypatch.setattr(pools, "KEPT_S", 0.0)
        pool._look()
        assert not door.idle


@pytest.mark.skipif(sys.platform != "linux", reason="one loopback address only")
async def test_visitors_come_from_many_addresses() -> None:
    seen = set()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.add(writer.get_extra_info("peername")[0])
        await reader.readuntil(b"\r\n\r\n")
        writer.write(LENGTH)
        await reader.read()

    async with listening(note) as address:
        pool = Pool(10.0)
        await asyncio.gather(*(pool.exchange(pool.door(*address), ASK) for _ in range(20)))
        await pool.close()
    assert len(seen) == 20


def test_what_is_said_before_a_request_is_its_answer() -> None:
    loop = asyncio.new_event_loop()
    connection = Connection(loop)
    connection.data_received(LENGTH)
    connection.connection_lost(None)
    assert connection.send(ASK).result()[1] == b"ok"
    loop.close()
