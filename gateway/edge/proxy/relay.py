"""An answer on its way from the backend to the visitor: interim heads, a head, a body, or a switch to WebSocket."""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDictProxy

from gateway.access import trace_id_of
from gateway.edge.client import Client
from gateway.edge.line import Line
from gateway.edge.proxy.answer import MAX_INTERIM, check, is_bodiless, is_event_stream, is_switch
from gateway.edge.proxy.errors import BackendError, PassEnded
from gateway.edge.proxy.headers import answer_head, values
from gateway.edge.proxy.servers import Lease
from gateway.edge.proxy.tunnel import Tunnel
from gateway.edge.proxy.visitor import Outlet, Upload
from gateway.edge.streams import Stream, Streams, Why
from gateway.room.ticket import Pass
from gateway.sampling import Sampling
from gateway.settings import Gateway, Upstream
from shared.errors import SunbeonError

_LOG: Final = logging.getLogger(__name__)

_LAST_CHUNK: Final = b"0\r\n\r\n"

# Sees the backend's answer before the visitor does; says which cookies to add to it. Only of an answer that brings a
# command, this may have to be awaited.
Cookies = Iterable[str]
Inspect = Callable[[int, CIMultiDictProxy[str]], Cookies | Awaitable[Cookies]]


class StreamEnded(SunbeonError):
    """An answer without an end of its own was ended from our side."""


def add_nothing(_status: int, _headers: CIMultiDictProxy[str]) -> Cookies:
    return ()


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be carried, and for whom.

    target: as it came, in origin form. proof: the value of `Sunbeon-Pass`; None outside every room.
    holder: the pass that lets it in, if one does: an answer without an end of its own ends with it.
    """

    request: web.BaseRequest
    target: str
    host: str
    client: Client
    request_id: str
    proof: str | None = None
    holder: tuple[Line, Pass] | None = None
    inspect: Inspect = add_nothing


def ended(why: Why, *, endless: bool = False) -> SunbeonError:
    """What an exchange fails with that is ended from our side."""
    return (StreamEnded if endless else PassEnded)(f"ended from our side: {why.value}")


def persistence(*, keep_alive: bool, modern: bool) -> list[bytes]:
    """What is said of the connection where it is not what the version (modern: HTTP/1.1) says by itself."""
    return [] if keep_alive is modern else [b"Connection: keep-alive" if keep_alive else b"Connection: close"]


class Answered(web.StreamResponse):
    """An answer that has gone out already: aiohttp is left nothing to do but to keep or to close the connection.

    server: who gave it. size: bytes sent, heads included. endless: a stream that ends with its pass.
    """

    def __init__(self, status: int, server: str, *, keep_alive: bool) -> None:
        super().__init__(status=status)
        self._keep_alive = keep_alive
        self.server = server
        self.size = 0
        self.endless = False

    async def prepare(self, request: web.BaseRequest) -> None:  # noqa: ARG002
        return None

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002
        return None


class Relay:
    """One answer. `run` raises what `errors.py` has, until the final head has gone out; later failures cut it off."""

    def __init__(
        self,
        errand: Errand,
        lease: Lease,
        upload: Upload | None,
        streams: Streams,
        limits: Gateway,
        settings: Upstream,
        sampling: Sampling,
        stream: Stream,
    ) -> None:
        """stream: held for this exchange."""
        self._sampling = sampling
        self._errand = errand
        self._request = errand.request
        self._modern = errand.request.version >= HttpVersion11
        self._lease = lease
        self._upload = upload
        self._connection = lease.connection
        self._streams = streams
        self._settings = settings
        self._outlet = Outlet(errand.request, limits)
        self._begun = False
        self._stream = stream
        stream.on_end = self._end

    async def run(self, *, websocket: bool) -> web.StreamResponse:
        """Carry it. websocket: a switch was asked for."""
        message, body = await self._final_head()
        self._lease.succeeded()
        if message.code == HTTPStatus.SWITCHING_PROTOCOLS:
            if not websocket or not is_switch(message.raw_headers):
                raise BackendError("the backend switches to a protocol nobody asked for")
            answered = await self._switch(message)
        else:
            answered = await self._answer(message, body)
        answered.size = self._outlet.size
        answered.endless = self._stream.endless
        return answered

    async def _final_head(self) -> tuple[RawResponseMessage, StreamReader]:
        """The final head; interim ones are passed on as they come (RFC 9110, 15.2)."""
        for _ in range(MAX_INTERIM):
            message, body = await self._connection.head()
            check(message)
            if message.code >= HTTPStatus.OK or message.code == HTTPStatus.SWITCHING_PROTOCOLS:
                return message, body
            if message.code == HTTPStatus.CONTINUE and self._upload is not None:
                self._upload.go_ahead(self._connection)
            if self._modern:
                await self._outlet.write_interim(answer_head(message.code, message.reason, message.raw_headers))
        raise BackendError("the backend sends interim answers without end")

    async def _answer(self, message: RawResponseMessage, body: StreamReader) -> Answered:
        headers = message.raw_headers
        cookies = await self._inspect(message)
        bodiless = is_bodiless(self._request.method, message.code)
        unsized = not bodiless and not values(headers, b"content-length")
        chunked = unsized and self._modern
        answered = Answered(
            message.code,
            self._lease.server.name,
            keep_alive=self._may_go_on() and (chunked or not unsized),
        )
        more = [b"Transfer-Encoding: chunked"] if chunked else []
        more += persistence(keep_alive=bool(answered.keep_alive), modern=self._modern)
        head = answer_head(message.code, message.reason, headers, more, cookies)
        self._connection.allow_silence(self._settings.idle_timeout_s)
        if is_event_stream(headers):
            self._streams.turn_endless(self._stream)
        try:
            await self._body(head, None if bodiless else body, chunked=chunked)
        except StreamEnded:
            answered.force_close()
            await self._outlet.write(b"" if self._begun else head, _LAST_CHUNK if chunked else b"")
        except ConnectionError:
            answered.force_close()  # the visitor is gone
            self._outlet.cut(unsized=unsized)
        except Exception as error:
            if not self._begun:
                raise
            # Whatever broke it off, nothing must follow into it.
            self._outlet.cut(unsized=unsized)
            if not isinstance(error, PassEnded):
                self._lease.failed()
                self._warn(error)
        if self._request.body_exists and not self._request.content.is_eof():
            answered.force_close()  # where the next request begins, nobody knows
        return answered

    async def _inspect(self, message: RawResponseMessage) -> Cookies:
        found = self._errand.inspect(message.code, message.headers)
        return await found if isinstance(found, Awaitable) else found

    async def _body(self, head: bytes, body: StreamReader | None, *, chunked: bool) -> None:
        if body is None or not body.total_bytes:
            self._begun = True
            await self._outlet.write(head)
            head = b""
        while body is not None and (data := await body.readany()):
            self._begun = True
            await self._outlet.write(*((head, b"%x\r\n" % len(data), data, b"\r\n") if chunked else (head, data)))
            head = b""
        if chunked:
            await self._outlet.write(_LAST_CHUNK)

    async def _switch(self, message: RawResponseMessage) -> Answered:
        cookies = await self._inspect(message)
        switch = (b"Connection: Upgrade", b"Upgrade: websocket")
        await self._outlet.write(answer_head(message.code, message.reason, message.raw_headers, switch, cookies))
        tunnel = Tunnel(self._request, self._connection, idle_s=self._settings.idle_timeout_s)
        self._streams.turn_endless(self._stream, tunnel.end)
        await tunnel.run(self._stream)
        return Answered(message.code, self._lease.server.name, keep_alive=False)

    def _warn(self, error: Exception) -> None:
        name = self._lease.server.name
        beside = self._sampling.take(name, time.monotonic())
        if beside is not None:
            traced = trace_id_of(self._request.headers.get("traceparent"))
            why = {"server": name, "why": str(error), "request_id": self._errand.request_id, "trace_id": traced}
            _LOG.warning("the backend's answer broke off", extra={**why, **beside})

    def _end(self, why: Why) -> None:
        """Break off: an event stream has an end wherever it is, anything else is cut off."""
        self._connection.fail(ended(why, endless=self._stream.endless))

    def _may_go_on(self) -> bool:
        """Whether another request may follow, as far as this one and the worker say."""
        request = self._request
        # The visitor may still wait for leave to send a body that nobody wants any more.
        waits = request.body_exists and not request.content.is_eof() and "Expect" in request.headers
        return request.keep_alive and not waits and not self._streams.stopping
