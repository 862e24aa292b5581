"""Carry one request to a backend and its answer back, streaming both ways.

The engine is aiohttp's client. What it promises to the rest of the gateway: the target goes out byte for byte; a body
is never held whole; a server that cannot be reached is skipped for a moment and another is tried (nothing had been
sent); a failure before the answer begins is a `BackendError` with its kind, and one after it cuts the connection, so
that half an answer cannot be taken for a whole one; a client that stops sending its body gives its connection to the
backend back.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from aiohttp import web
from aiohttp.hdrs import CONTENT_TYPE, SERVER
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from gateway.edge.client import Client
from gateway.edge.proxy.headers import to_backend, to_client
from gateway.settings import Upstream
from shared.errors import SunbeonError

_LOG: Final = logging.getLogger(__name__)

# A server that refused a connection is left alone for this long.
REST_S: Final = 2.0
# A client may pause this long within its body: meanwhile it holds one of the connections to the backend.
BODY_SILENCE_S: Final = 20.0


class BackendError(SunbeonError):
    """The backend gave no answer that could be passed on. `kind` names the page and the counter."""

    kind = "bad_gateway"


class BackendTimeout(BackendError):
    kind = "gateway_timeout"


class BodyTooLarge(SunbeonError):
    """The request's body is larger than `max_body_bytes`."""


class BodyTimeout(SunbeonError):
    """The client fell silent amid the request's body."""


# Sees the backend's answer before the client does; says which cookies to add to it.
Inspect = Callable[[int, CIMultiDictProxy[str]], Awaitable[Iterable[str]]]


class Forwarder:
    """The connections to the backend's servers."""

    def __init__(
        self, settings: Upstream, *, max_body_bytes: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._servers = [URL(server) for server in settings.servers]
        self._max_body_bytes = max_body_bytes
        self._body_silence_s = min(BODY_SILENCE_S, settings.response_timeout_s)
        self._monotonic = monotonic
        self._resting_until = [0.0] * len(self._servers)
        self._turn = 0
        # Not the connector's own limit: waiting for it looks like a server out of reach, and ours are all in reach.
        self._free = asyncio.Semaphore(settings.max_connections)
        self._patience_s = settings.connect_timeout_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=30),
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=settings.connect_timeout_s,
                sock_read=settings.response_timeout_s,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            requote_redirect_url=False,
        )

    async def close(self) -> None:
        await self._session.close()

    async def forward(
        self,
        request: web.BaseRequest,
        target: str,
        host: str,
        client: Client,
        *,
        proof: str | None,
        inspect: Inspect,
    ) -> web.StreamResponse:
        """Send the request on and stream the answer.

        Raises `BackendError`, `BodyTooLarge` or `BodyTimeout`, all before anything went to the client.
        """
        if request.content_length is not None and request.content_length > self._max_body_bytes:
            raise BodyTooLarge(f"the body is longer than {self._max_body_bytes} bytes")
        headers = to_backend(request.headers, client, host, proof=proof)
        async with self._connection():
            answer = await self._send(request, target, headers)
            try:
                return await self._relay(request, answer, inspect)
            finally:
                # A connection whose answer was not read to its end is closed, not used again.
                answer.release() if answer.content.at_eof() else answer.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[None]:
        """The right to one of `max_connections`. Raises `BackendTimeout` if none comes free in time."""
        try:
            async with asyncio.timeout(self._patience_s):
                await self._free.acquire()
        except TimeoutError:
            raise BackendTimeout("every connection to the backend is in use") from None
        try:
            yield
        finally:
            self._free.release()

    async def _send(self, request: web.BaseRequest, target: str, headers: CIMultiDict[str]) -> aiohttp.ClientResponse:
        body = _Body(request, self._max_body_bytes, self._body_silence_s) if request.body_exists else None
        failure: Exception | None = None
        for index in self._order():
            try:
                return await self._session.request(
                    request.method,
                    _with_target(self._servers[index], target),
                    headers=headers,
                    data=None if body is None else body.stream(),
                    allow_redirects=False,
                )
            except aiohttp.ClientConnectorError as error:
                self._resting_until[index] = self._monotonic() + REST_S
                failure = error
                if body is not None and body.begun:
                    break
            except TimeoutError as error:
                if isinstance(error, aiohttp.ConnectionTimeoutError) and not (body is not None and body.begun):
                    self._resting_until[index] = self._monotonic() + REST_S
                    failure = error
                    continue
                raise BackendTimeout("the backend did not answer in time") from error
            except aiohttp.ClientError as error:
                if body is not None and body.fault is not None:
                    raise body.fault from None
                raise BackendError(f"the backend's answer cannot be passed on: {type(error).__name__}") from error
        if isinstance(failure, TimeoutError):
            raise BackendTimeout("no server of the backend could be reached in time") from failure
        raise BackendError("no server of the backend could be reached") from failure

    async def _relay(
        self, request: web.BaseRequest, answer: aiohttp.ClientResponse, inspect: Inspect
    ) -> web.StreamResponse:
        if answer.status < 200:  # noqa: PLR2004 - only 101 comes here, and nobody asked to switch
            raise BackendError("the backend switches to a protocol nobody asked for")
        cookies = await inspect(answer.status, answer.headers)
        response = _Relayed(status=answer.status, reason=answer.reason, headers=to_client(answer.headers, cookies))
        await response.prepare(request)
        try:
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
        except Exception as error:  # noqa: BLE001 - whatever broke it off, a second answer must not follow into it
            if request.transport is not None and not request.transport.is_closing():
                _LOG.warning("the backend's answer broke off", extra={"kind": type(error).__name__})
                request.transport.abort()
        return response

    def _order(self) -> Iterable[int]:
        """Servers in turn, those that lately refused a connection last."""
        count = len(self._servers)
        self._turn = (self._turn + 1) % count
        now = self._monotonic()
        order = [(self._turn + offset) % count for offset in range(count)]
        return sorted(order, key=lambda index: self._resting_until[index] > now)


def _with_target(server: URL, target: str) -> URL:
    """The target at a server, byte for byte: taken apart and put together again, an empty query would be lost."""
    return URL.build(scheme=server.scheme, authority=server.raw_authority, path=target, encoded=True)


class _Relayed(web.StreamResponse):
    """A backend's answer: what it says of itself is for the backend to say, and not for aiohttp to add."""

    async def _prepare_headers(self) -> None:
        silent = {CONTENT_TYPE, SERVER} - {name for name in (CONTENT_TYPE, SERVER) if name in self.headers}
        await super()._prepare_headers()
        for name in silent:
            self.headers.popall(name, None)


class _Body:
    """A request's body on its way: counted, timed, and remembered to have begun (then it cannot be sent again).

    fault: why it will not come to its end, if the client is to blame.
    """

    def __init__(self, request: web.BaseRequest, limit: int, silence_s: float) -> None:
        self._request = request
        self._limit = limit
        self._silence_s = silence_s
        self.begun = False
        self.fault: BodyTooLarge | BodyTimeout | None = None

    async def stream(self) -> AsyncIterator[bytes]:
        self.begun = True
        if self._request.headers.get("Expect", "").lower() == "100-continue":
            await self._request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            # What was just written is not part of the answer to come.
            self._request.writer.output_size = 0
        sent = 0
        while chunk := await self._next():
            sent += len(chunk)
            if sent > self._limit:
                self.fault = BodyTooLarge("the body is too long")
                raise self.fault
            yield chunk

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(self._silence_s):
                return await self._request.content.readany()
        except TimeoutError:
            self.fault = BodyTimeout("the body stopped coming")
            raise self.fault from None
