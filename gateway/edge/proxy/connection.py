"""One connection to a server of the backend, carrying one exchange at a time.

Answers are parsed by aiohttp's C parser (llhttp). It is made for clients and lenient: what it lets through is looked
at once more by `gateway.edge.proxy.answer`. This leans on aiohttp's internals (the parser asks its protocol to pause
and resume): the version is pinned.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpResponseParser, RawResponseMessage
from aiohttp.streams import StreamReader

from gateway.edge.proxy.answer import MAX_INTERIM
from gateway.edge.proxy.errors import BackendError, BackendTimeout
from shared.errors import SunbeonError

# Reading pauses when twice this much of an answer's body is held, and goes on below it (see aiohttp's `StreamReader`).
BUFFER_BYTES: Final = 64 * 1024
_LAST_READS: Final = 2
MAX_LINE_BYTES: Final = 16 * 1024
MAX_HEADERS: Final = 200


class ConnectionEnded(BackendError):
    """The server closed the connection before its answer was there."""


class Receiver(Protocol):
    """Takes what comes after a switch of protocols (see `Connection.switch`)."""

    def feed_data(self, data: bytes) -> object: ...

    def feed_eof(self) -> object: ...


class Connection(BaseProtocol):
    """An open connection: `begin`, `write`, `head`, read the body, `finish`; then it may carry the next exchange.

    untouched: not a byte of the present answer has come.
    sending: the request's body is still under way. last: no other exchange may follow. Both for the caller to say.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.untouched = True
        self.sending = False
        self.last = False
        self._messages: deque[tuple[RawResponseMessage, StreamReader]] = deque()
        self._final: tuple[RawResponseMessage, StreamReader] | None = None
        self._waiter: asyncio.Future[None] | None = None
        # Called whenever something has come, or nothing more will.
        self._listener: Callable[[], None] | None = None
        self._failure: SunbeonError | None = None
        self._receiver: Receiver | None = None
        self._tail = b""
        self._silence_s: float | None = None
        self._heard_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._rings_s = 0.0

    @property
    def idle(self) -> bool:
        """Open, and carrying no exchange: fit for the next one."""
        return self._parser is None and self._failure is None and self._is_open()

    def begin(self, *, bodiless: bool = False) -> None:
        """Get ready for an answer. bodiless: it will be one to HEAD."""
        self._parser = HttpResponseParser(
            self,
            self._loop,
            BUFFER_BYTES,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
            payload_exception=BackendError,
            response_with_body=not bodiless,
            read_until_eof=True,
            auto_decompress=False,
        )
        self._final = None
        self.untouched = True
        self.sending = False

    def write(self, data: bytes) -> None:
        """Send bytes. Raises what the connection failed of, or `ConnectionEnded`."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionEnded("the backend closed the connection") if self._failure is None else self._failure
        self.transport.write(data)

    async def drained(self, silence_s: float) -> None:
        """Wait until there is room to send more. Raises `BackendTimeout` if the server takes nothing for so long."""
        while self._paused and self.transport is not None:
            waiting = self._waiting_bytes()
            try:
                async with asyncio.timeout(silence_s):
                    await self._drain_helper()
            except TimeoutError:
                if self._waiting_bytes() >= waiting:
                    raise BackendTimeout("the backend stopped taking the request") from None

    async def head(self) -> tuple[RawResponseMessage, StreamReader]:
        """The next head of the answer, interim (1xx) or final; the body of the final one streams after it.

        Raises `ConnectionEnded`, `BackendError`, `BackendTimeout` (see `allow_silence`) or what `fail` was given.
        """
        while not self._messages:
            if self._failure is not None:
                raise self._failure
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message, body = self._messages.popleft()
        if message.code >= 200:  # noqa: PLR2004
            self._final = (message, body)
        return message, body

    def listen(self, listener: Callable[[], None] | None) -> None:
        """Have this called whenever something has come, and when nothing more will; None: no more."""
        self._listener = listener

    @property
    def begun(self) -> RawResponseMessage | None:
        """The head that has come and was not taken, if it is the only one and nothing is wrong."""
        fine = len(self._messages) == 1 and self._failure is None and not self._upgraded
        return self._messages[0][0] if fine else None

    def whole(self) -> bytes | None:
        """The body of the answer that has `begun`, if it is there to its end: that is the answer, then. Else None."""
        _, body = self._messages[0]
        if not body.is_eof() or body.exception() is not None:
            return None
        self._final = self._messages.popleft()
        self._listener = None  # taking the body has the parser look for more
        return body.read_nowait()

    def allow_silence(self, silence_s: float | None) -> None:
        """From now on the server may say nothing for this long, while we read; None: for ever."""
        self._silence_s = silence_s
        if silence_s is None:
            return
        self._heard_s = self._loop.time()
        due_s = self._heard_s + silence_s
        # One that rings too early looks how long is left: most exchanges then need none of their own.
        if self._timer is None or due_s < self._rings_s:
            self._ring_at(due_s)

    def fail(self, why: SunbeonError) -> None:
        """Break the exchange off: everyone who waits for it raises `why`; the server sees the connection cut."""
        if self._failure is None:
            self._failure = why
        self._break_body(why)
        self._wake()
        self.abort()

    def finish(self) -> bool:
        """End the exchange; whether the connection is fit for another one. If it is not, it is closed."""
        self._silence_s = None
        self._listener = None
        done = (
            self._final is not None
            and self._final[1].is_eof()
            and not self._final[0].should_close
            and not self._messages
            and not self.sending
            and not self.last
            and not self._paused
            and not self._upgraded
            and self._failure is None
            and self._is_open()
        )
        self._parser = None
        self._final = None
        if not done:
            self.abort()
        return done

    def switch(self, receiver: Receiver) -> None:
        """After 101: everything that comes goes to `receiver`, beginning with what has come already."""
        self._receiver = receiver
        if self._buffer_paused:
            self._resume_reading_for_buffer()
        if self._tail:
            tail, self._tail = self._tail, b""
            receiver.feed_data(tail)
        if self.transport is None:
            receiver.feed_eof()

    def abort(self) -> None:
        """Cut the connection."""
        self._drop_timer()
        if self.transport is not None:
            self.transport.abort()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - aiohttp's
        """As aiohttp's, which for each piece of a body that is taken looks whether more was held back meanwhile."""
        if self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        if data:
            self._heard_s = self._loop.time()
        if self._receiver is not None:
            self._receiver.feed_data(data)
        elif self._upgraded:
            self._tail += data
            if len(self._tail) > BUFFER_BYTES and not self._buffer_paused:
                self._pause_reading_for_buffer()
        elif self._parser is not None:
            if self._failure is None:
                self._parse(data)
        elif data:
            # Nobody asked: taken for the next answer, it would reach the wrong visitor.
            self._failure = BackendError("the backend spoke without being asked")
            self.abort()

    def eof_received(self) -> None:
        """Closed by the other side. What it said has been read; what it has not taken it never will."""
        self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._drop_timer()
        if self._parser is not None and not self._upgraded:
            if exc is not None:
                self._hear_last_words()
                self._break_body(BackendError("the backend's answer broke off"))
            try:
                self._parser.feed_eof()  # an end, where the answer ends with the connection; else half a body
            except Exception:  # noqa: BLE001 - the parser's word for the latter
                self._break_body(BackendError("the backend's answer broke off"))
        if self._failure is None:
            self._failure = ConnectionEnded("the backend closed the connection")
        self._wake()
        if self._receiver is not None:
            self._receiver.feed_eof()
        super().connection_lost(None)

    def _parse(self, data: bytes) -> None:
        if data:
            self.untouched = False
        try:
            messages, upgraded, tail = self._parser.feed_data(data)  # type: ignore[union-attr]
        except Exception:  # noqa: BLE001 - whatever it is, the answer has no meaning
            self.fail(BackendError("the backend's answer cannot be parsed"))
            return
        if messages:
            self._messages.extend(messages)
        if upgraded:
            self._upgraded = True
            self._tail += tail
        if messages or self._listener is not None:
            self._wake()
        if len(self._messages) > MAX_INTERIM:
            self.fail(BackendError("the backend sends interim answers faster than anybody takes them"))

    def _hear_last_words(self) -> None:
        """Read what the kernel still holds of an answer.

        A server that answers an upload without reading it to its end, and closes, makes our next write fail. The event
        loop then reads no more, although the answer may be there.
        """
        if not self.sending or self._failure is not None or self.transport is None:
            return
        if self.transport.get_extra_info("sslcontext") is not None:
            return
        # The loop's own handle on the socket forbids reading.
        number = os.dup(self.transport.get_extra_info("socket").fileno())
        with socket.socket(fileno=number) as twin, suppress(OSError):
            twin.setblocking(False)
            for _ in range(_LAST_READS):
                data = twin.recv(BUFFER_BYTES)
                if not data or self._failure is not None:
                    return
                self._parse(data)

    def _break_body(self, why: SunbeonError) -> None:
        body = self._final[1] if self._final else self._messages[-1][1] if self._messages else None
        if body is not None and not body.is_eof():
            body.set_exception(why)

    def _wake(self) -> None:
        if self._listener is not None:
            self._listener()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _look_at_the_clock(self) -> None:
        self._timer = None
        if self._silence_s is None:
            return
        # Silence that we imposed by not reading is not the server's.
        since_s = self._loop.time() if self._reading_paused else self._heard_s
        due_s = since_s + self._silence_s
        if due_s > self._loop.time():
            self._ring_at(due_s)
        else:
            self.fail(BackendTimeout("the backend did not answer in time"))

    def _ring_at(self, due_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_s = due_s
        self._timer = self._loop.call_at(due_s, self._look_at_the_clock)

    def _drop_timer(self) -> None:
        self._silence_s = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _waiting_bytes(self) -> int:
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def _is_open(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()
