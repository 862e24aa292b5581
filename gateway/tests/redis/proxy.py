"""A bad line between a client and one server."""

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

from gateway.tests.redis.process import HOST
from gateway.tests.redis.servers import RedisServer

CHUNK: Final = 65_536
# How much of an answer may be on its way before the server is held back.
ON_THE_WAY: Final = 1_000
# Closed by a reset, without a goodbye.
LINGER_NOT: Final = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class SlowProxy:
    """`async with SlowProxy(server) as proxy:` listens at `proxy.url` and carries bytes to and from the server.

    delay_s: how much later every answer comes, from now on; it can be set at any time. The server has to have a port,
    and to be alone: Sentinels and clusters tell their clients the servers' own addresses.
    """

    server: RedisServer
    delay_s: float = 0.0
    port: int = field(default=0, init=False)

    async def __aenter__(self) -> Self:
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = await asyncio.start_server(self._carry, HOST, 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        parts = urlsplit(self.server.url)
        return parts._replace(netloc=parts.netloc.replace(self.server.address, f"{HOST}:{self.port}")).geturl()

    def cut(self) -> None:
        """Reset every connection, on both sides. New ones are accepted."""
        for writer in self._writers:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            writer.transport.abort()

    def blackhole(self) -> None:
        """Accept connections and bytes, and carry nothing, either way."""
        self._open.clear()

    def heal(self) -> None:
        """No delay any more; what was held back goes on its way, as after a break of the network."""
        self.delay_s = 0.0
        self._open.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until one of its ends is closed."""
        task = asyncio.current_task()
        assert task is not None
        ends = {writer}
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            from_server, to_server = await asyncio.open_connection(HOST, self.server.port)
            ends.add(to_server)
            self._writers.add(to_server)
            answers: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(ON_THE_WAY)
            ways = (
                self._forward(reader, to_server),
                self._receive(from_server, answers),
                self._answer(answers, writer),
            )
            pumps = [asyncio.ensure_future(way) for way in ways]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:  # the server is not there
            pass
        finally:
            self._tasks.discard(task)
            self._writers -= ends
            for end in ends:
                end.close()

    async def _forward(self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            await self._open.wait()
            to_server.write(chunk)
            await to_server.drain()

    async def _receive(self, from_server: asyncio.StreamReader, answers: asyncio.Queue[tuple[float, bytes]]) -> None:
        loop = asyncio.get_running_loop()
        while chunk := await from_server.read(CHUNK):
            await answers.put((loop.time() + self.delay_s, chunk))
        # What the server said before it closed is still to come.
        await answers.join()

    async def _answer(self, answers: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, chunk = await answers.get()
            await asyncio.sleep(due - loop.time())
            await self._open.wait()
            writer.write(chunk)
            await writer.drain()
            answers.task_done()
