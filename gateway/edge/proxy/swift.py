"""An answer that comes whole and small goes to its visitor in the turn of the event loop in which it has come.

Nearly all answers are of that kind: one final head, a stated length, a few KiB. For them `Relay`, which streams, waits
and holds back where it must, is more work than the answer itself. So the connection tells us as it is read, and head
and body go out in one write.

Whatever is not so is left to `Relay`, untouched, on the same connection, as if nobody had looked at it: interim heads,
a body in chunks, a long one or one that keeps us waiting, a switch of protocols, a command of the backend's, a head
that cannot be passed on, a visitor who is slow or gone, a failure of any kind.
"""

import asyncio
from collections.abc import Awaitable
from typing import Final

from aiohttp import HttpVersion11
from aiohttp.http_parser import RawResponseMessage

from gateway.edge.proxy.answer import check, is_bodiless, is_event_stream
from gateway.edge.proxy.errors import BackendError
from gateway.edge.proxy.headers import answer_head
from gateway.edge.proxy.relay import Answered, Errand, persistence
from gateway.edge.proxy.servers import Lease
from gateway.edge.streams import Streams
from shared.wire import COMMAND_HEADER

# Below this a body goes out in one piece: the transport takes it without asking us to wait.
MOST_BYTES: Final = 32 * 1024
# A head waits for so long at most for the rest of its small body.
WAIT_S: Final = 0.05


class Swift:
    """One answer to a request without a body. `answered` is None if it is `Relay`'s to carry."""

    def __init__(self, errand: Errand, lease: Lease, streams: Streams) -> None:
        self._errand = errand
        self._lease = lease
        self._connection = lease.connection
        self._streams = streams
        self._loop = loop = asyncio.get_running_loop()
        self._done: asyncio.Future[Answered | None] = loop.create_future()
        self._patience: asyncio.TimerHandle | None = None

    async def answered(self) -> Answered | None:
        """Wait for it. Raises what the errand's `inspect` does."""
        self._connection.listen(self._look)
        try:
            return await self._done
        finally:
            self._connection.listen(None)
            if self._patience is not None:
                self._patience.cancel()

    def _look(self) -> None:
        """Something has come, or the connection has ended."""
        if self._done.done():
            return
        message = self._connection.begun
        try:
            if message is None or not self._fits(message):
                self._done.set_result(None)
            elif (body := self._connection.whole()) is not None:
                self._done.set_result(self._send(message, body))
            elif self._patience is None:
                self._patience = self._loop.call_later(WAIT_S, self._give_up)
        except Exception as error:  # noqa: BLE001 - whoever waits for it raises it
            self._done.set_exception(error)

    def _fits(self, message: RawResponseMessage) -> bool:
        transport = self._errand.request.transport
        if message.code < 200 or COMMAND_HEADER in message.headers or is_event_stream(message.raw_headers):  # noqa: PLR2004
            return False
        if transport is None or transport.is_closing() or transport.get_write_buffer_size():
            return False
        try:
            check(message)
        except BackendError:
            return False
        length = message.headers.get("Content-Length")
        return is_bodiless(self._errand.request.method, message.code) or (
            length is not None and int(length) <= MOST_BYTES
        )

    def _send(self, message: RawResponseMessage, body: bytes) -> Answered:
        errand, request = self._errand, self._errand.request
        self._lease.succeeded()
        cookies = errand.inspect(message.code, message.headers)
        assert not isinstance(cookies, Awaitable)  # noqa: S101 - it brings no command
        keep_alive = request.keep_alive and not self._streams.stopping
        answered = Answered(message.code, self._lease.server.name, keep_alive=keep_alive)
        more = persistence(keep_alive=keep_alive, modern=request.version >= HttpVersion11)
        data = answer_head(message.code, message.reason, message.raw_headers, more, cookies) + body
        assert request.transport is not None  # noqa: S101 - it was there a moment ago
        request.transport.write(data)
        # By this the gate and aiohttp know that no other answer may be sent.
        request.writer.output_size += len(data)
        answered.size = len(data)
        return answered

    def _give_up(self) -> None:
        if not self._done.done():
            self._done.set_result(None)
