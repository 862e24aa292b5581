"""A WebSocket between a visitor and the backend: bytes both ways, as they come.

Nothing is parsed but where frames end, so that a stream which must end (its pass did, or the worker stops) is ended
between two frames by a Close frame to both sides, and cut only if a frame in progress does not end within `GRACE_S`.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from aiohttp.base_protocol import BaseProtocol

from gateway.edge.proxy.connection import Connection
from gateway.edge.proxy.frames import GOING_AWAY, POLICY_VIOLATION, Frames, close_frame
from gateway.edge.streams import Stream, Why

# What is held for a side that does not take it, before the other side is read no more.
BUFFER_BYTES: Final = 64 * 1024
GRACE_S: Final = 1.0


class Inbox:
    """Bytes that one side has sent and the other has not taken yet. While there are many, the side is not read."""

    def __init__(self, side: BaseProtocol) -> None:
        self.ended = False
        self._side = side
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """As aiohttp asks of what takes a connection over: (whether it is over, what was not taken)."""
        self._chunks.append(data)
        self._size += len(data)
        if self._size > BUFFER_BYTES and not self._paused and self._side.transport is not None:
            self._paused = True
            self._side._pause_transport_reading()  # noqa: SLF001 - which has the visitor looked for meanwhile
        self.nudge()
        return False, b""

    def feed_eof(self) -> None:
        self.ended = True
        self.nudge()

    def nudge(self) -> None:
        """Have `read` return, even if with nothing."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self) -> bytes:
        """What has come; waits once for more if there is nothing."""
        if not self._chunks and not self.ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            if self._side.transport is not None:
                self._side.transport.resume_reading()
        return data


@dataclass(slots=True)
class _Way:
    """One direction: what has come, where its frames are, and where it goes."""

    inbox: Inbox
    to: BaseProtocol
    frames: Frames
    masked: bool


class Tunnel:
    """Both directions of one switched connection."""

    def __init__(self, request: web.BaseRequest, connection: Connection, *, idle_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._backend = connection
        self._idle_s = idle_s
        self._heard_s = self._loop.time()
        self._ending: asyncio.Future[Why] = self._loop.create_future()
        visitor: BaseProtocol = request.protocol
        self._in = _Way(Inbox(visitor), connection, Frames(), masked=True)
        self._out = _Way(Inbox(connection), visitor, Frames(), masked=False)
        request.protocol.set_parser(self._in.inbox)  # type: ignore[arg-type] # all it asks of aiohttp's own is in ours
        connection.switch(self._out.inbox)

    def end(self, why: Why) -> None:
        """Have both directions end, each with the frame in progress."""
        if not self._ending.done():
            self._ending.set_result(why)
            for way in (self._in, self._out):
                way.inbox.nudge()

    async def run(self, stream: Stream) -> None:
        """Until either side has ended, nothing came for `idle_s`, or `end` was called."""
        pumps = {
            self._loop.create_task(self._pump(self._in, stream.touch)),
            self._loop.create_task(self._pump(self._out, None)),
        }
        try:
            await self._until_it_ends(pumps, stream)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            if self._backend.transport is not None:
                self._backend.transport.close()  # having sent what is still to be sent, if it is taken
                self._loop.call_later(GRACE_S, self._backend.transport.abort)

    async def _until_it_ends(self, pumps: set[asyncio.Task[None]], stream: Stream) -> None:
        while not self._ending.done():
            left_s = self._heard_s + self._idle_s - self._loop.time()
            if left_s <= 0:
                stream.end(Why.IDLE)
                break
            waited: set[asyncio.Future[Any]] = {*pumps, self._ending}
            done, _ = await asyncio.wait(waited, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if done and self._ending not in done:
                return
        await asyncio.wait(pumps, timeout=GRACE_S)
        code = POLICY_VIOLATION if self._ending.result() is Why.PASS_ENDED else GOING_AWAY
        for way in (self._in, self._out):
            if way.frames.between and way.to.transport is not None:
                way.to.transport.write(close_frame(code, masked=way.masked))

    async def _pump(self, way: _Way, touch: Callable[[], None] | None) -> None:
        while True:
            data = await way.inbox.read()
            ending = self._ending.done()
            size = way.frames.advance(data, to_boundary=ending)
            if way.to.transport is None:
                return
            if size:
                self._heard_s = self._loop.time()
                way.to.transport.write(data[:size] if size < len(data) else data)
                if touch is not None:
                    touch()
                if way.to.writing_paused:
                    await way.to._drain_helper()  # noqa: SLF001 - its only way to say so
            if (ending and way.frames.between) or (way.inbox.ended and not size):
                return
