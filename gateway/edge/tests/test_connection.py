"""A connection to a server of the backend, by itself: what it holds, and how it ends."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from gateway.edge.proxy.connection import BUFFER_BYTES, Connection, ConnectionEnded
from gateway.edge.proxy.errors import BackendError
from gateway.edge.tests.backend import PATIENCE_S, Backend, hang, until
from gateway.edge.tests.test_tunnel import SWITCH

# Far more than the kernel holds on the way.
MUCH = 64 * 2**20
# What may have been read at once, behind which it is noticed that it is too much.
ONE_READ = 256 * 1024
GET = b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def asking(backend: Backend, request: bytes = GET):
    """A connection with one exchange under way."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(loop), "127.0.0.1", backend.port)
    try:
        connection.begin()
        connection.write(request)
        yield connection
    finally:
        connection.abort()


@pytest.mark.parametrize("reply", [HINTS, EMPTY], ids=["interim", "final"])
async def test_answers_that_nobody_takes_fail_the_exchange(backend, reply):
    async def flood(seen, writer):
        for _ in range(100):
            writer.write(reply * 1000)
            await writer.drain()
        await hang(seen, writer)

    backend.act = flood
    async with asking(backend) as connection:
        await until(lambda: connection.transport is None, "the server was cut off")
        assert len(connection._messages) <= ONE_READ // len(reply) + 1
        for _ in range(len(connection._messages)):
            await connection.head()
        with pytest.raises(BackendError, match="faster than anybody takes them"):
            await connection.head()


async def test_what_comes_behind_a_switch_is_held_within_bounds_and_goes_to_whoever_takes_it(backend):
    sent = b"".join(count.to_bytes(4, "big") * 1024 for count in range(MUCH // 4096))

    async def flood(_, writer):
        writer.write(SWITCH + sent)
        await writer.drain()
        writer.close()

    class Taker:
        def __init__(self) -> None:
            self.taken = bytearray()
            self.ended = asyncio.Event()

        def feed_data(self, data: bytes) -> None:
            self.taken += data

        def feed_eof(self) -> None:
            self.ended.set()

    backend.act = flood
    taker = Taker()
    async with asking(backend) as connection:
        assert (await connection.head())[0].code == 101
        await until(lambda: not connection.transport or not connection.transport.is_reading(), "it is held back")
        assert len(connection._tail) <= BUFFER_BYTES + ONE_READ
        connection.switch(taker)
        async with asyncio.timeout(PATIENCE_S):
            await taker.ended.wait()
    assert taker.taken == sent


async def test_a_server_that_closes_its_side_amid_a_body_ends_the_exchange_though_it_takes_no_more(backend):
    close = asyncio.Event()

    async def deaf(_, writer):
        writer.transport.pause_reading()
        await close.wait()
        writer.write_eof()
        await asyncio.sleep(10 * PATIENCE_S)

    backend.act, backend.early = deaf, True
    async with asking(backend, b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % MUCH) as connection:
        connection.sending = True
        connection.write(bytes(MUCH))
        await until(lambda: backend.requests, "the server is at it")
        assert connection.writing_paused
        close.set()
        with pytest.raises(ConnectionEnded):
            async with asyncio.timeout(PATIENCE_S):
                await connection.head()
