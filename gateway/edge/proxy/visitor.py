"""The visitor's end of an exchange: a body that comes and an answer that goes, each at the visitor's own pace.

That pace has a lower bound. Meanwhile a connection to the backend is held, and whoever sends or takes a byte a minute
could hold all of them: so silence is allowed for `client_idle_timeout_s`, and on the average of the time spent waiting
for a visitor, `client_min_bytes_per_s` must come or go.
"""

import asyncio
import socket
import struct
from typing import Final

from aiohttp import HttpVersion11, web

from gateway.edge.proxy.connection import Connection, ConnectionEnded
from gateway.edge.proxy.errors import BackendError, BadFraming, BodyTimeout, BodyTooLarge
from gateway.settings import Gateway, Upstream
from shared.errors import SunbeonError

_LAST_CHUNK: Final = b"0\r\n\r\n"
# struct linger: on, for no time. Closing then sends a reset and not an end.
_RESET: Final = struct.pack("ii", 1, 0)


class Upload:
    """A request's body on its way to the backend. chunked: how it goes on, which is how it came.

    expects: the visitor waits for leave to send it, for so long as the backend may take over its answer.
    """

    def __init__(self, request: web.BaseRequest, limits: Gateway) -> None:
        self._request = request
        self._limits = limits
        self._waited_s = 0.0
        self._size = 0
        self.expects = request.version >= HttpVersion11 and "Expect" in request.headers
        # Runs only while something is read.
        self._patience: asyncio.Timeout | None = None
        length = request.headers.get("Content-Length")
        self.chunked = length is None
        if length is not None and int(length) > limits.max_body_bytes:
            raise BodyTooLarge(f"the body is longer than {limits.max_body_bytes} bytes")

    async def send(self, connection: Connection, settings: Upstream) -> None:
        """Send all of it. Whatever prevents that breaks the exchange off, and the backend never sees an end."""
        try:
            while data := await self._next():
                if self.expects:
                    self.go_ahead(connection)
                connection.write(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)
                await connection.drained(settings.idle_timeout_s)
            if self.chunked:
                connection.write(_LAST_CHUNK)
        except ConnectionEnded:
            return  # whoever waits for the answer sees it too; there may even be one
        except SunbeonError as error:
            connection.fail(error)
            return
        except Exception:
            connection.fail(BackendError("sending the request failed"))
            raise
        connection.sending = False
        connection.allow_silence(settings.response_timeout_s)

    def go_ahead(self, connection: Connection) -> None:
        """The visitor has leave, or does not wait for it: from now on it is the visitor's silence that counts."""
        if self.expects:
            self.expects = False
            connection.allow_silence(None)
            if self._patience is not None:
                self._patience.reschedule(asyncio.get_running_loop().time() + self._limits.client_idle_timeout_s)

    async def _next(self) -> bytes:
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        try:
            async with asyncio.timeout(None if self.expects else self._limits.client_idle_timeout_s) as self._patience:
                data = await self._request.content.readany()
        except TimeoutError:
            raise BodyTimeout("the body stopped coming") from None
        except Exception:  # noqa: BLE001 - the parser's word, in several types; or the visitor is gone
            raise BadFraming("the body is not framed as HTTP has it") from None
        finally:
            self._patience = None
        self._waited_s += loop.time() - since_s
        self._size += len(data)
        if self._size > self._limits.max_body_bytes:
            raise BodyTooLarge(f"the body is longer than {self._limits.max_body_bytes} bytes")
        if (
            self._waited_s > self._limits.client_idle_timeout_s
            and self._size < self._waited_s * self._limits.client_min_bytes_per_s
        ):
            raise BodyTimeout("the body comes too slowly")
        return data


class Outlet:
    """Where an answer's bytes go out."""

    def __init__(self, request: web.BaseRequest, limits: Gateway) -> None:
        self._request = request
        self._limits = limits
        self.size = 0

    async def write_interim(self, head: bytes) -> None:
        """Send what comes before an answer. Raises as `write` does."""
        written = self._request.writer.output_size
        await self.write(head)
        self._request.writer.output_size = written

    async def write(self, *parts: bytes) -> None:
        """Send, and wait until there is room for more. Raises `ConnectionError` if the visitor is gone or too slow."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the visitor is gone")
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self.size += len(data)
        # By this the gate and aiohttp know that no other answer may be sent.
        self._request.writer.output_size += len(data)
        transport.write(data)
        while self._request.protocol.writing_paused:
            waiting = transport.get_write_buffer_size()
            try:
                async with asyncio.timeout(self._limits.client_idle_timeout_s):
                    await self._request.writer.drain()
            except TimeoutError:
                taken = waiting - transport.get_write_buffer_size()
                if taken < self._limits.client_min_bytes_per_s * self._limits.client_idle_timeout_s:
                    transport.abort()
                    raise ConnectionResetError("the visitor takes the answer too slowly") from None

    def cut(self, *, unsized: bool) -> None:
        """Break off, so that nobody can take what went out for a whole answer.

        unsized: the connection's end would be the answer's, so that it has to be torn down.
        """
        transport = self._request.transport
        if transport is not None:
            if unsized:
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()
