"""Carry one request to the backend and its answer back, streaming both ways.

What is promised to the rest of the gateway, whatever the engine:
- the target goes out byte for byte, headers but for those of `headers.py` too, bodies whole and never held whole;
- each side is read only as fast as the other takes it, and neither may stand still for longer than it is allowed to;
- a failure before the answer begins is an exception of `errors.py`; one after it cuts the connection, so that half an
  answer cannot be taken for a whole one;
- a client that is gone takes its request to the backend with it (the caller is cancelled);
- a request is sent twice only if the first time cannot have had an effect that the second would add to: its method is
  `IDEMPOTENT`, it has no body, and a kept connection was closed by the server before a byte of an answer.
"""

import asyncio
import math
from collections.abc import Awaitable
from typing import Final

from aiohttp import HttpVersion11, web

from gateway.edge.proxy.connection import ConnectionEnded
from gateway.edge.proxy.errors import BackendError
from gateway.edge.proxy.headers import answer_head, request_head, tokens, values
from gateway.edge.proxy.relay import Answered, Errand, Relay, ended, persistence
from gateway.edge.proxy.servers import Lease, Upstreams
from gateway.edge.proxy.swift import Answer, Swift
from gateway.edge.proxy.visitor import Outlet, Upload
from gateway.edge.streams import Streams
from gateway.sampling import Sampling
from gateway.settings import Settings

# RFC 9110, 9.2.2, as far as it is known of a method.
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PROPFIND", "REPORT", "SEARCH"})
# RFC 9110, 9.3: a body means nothing in these, and a server that does not read it takes it for the next request.
BODY_MEANS_NOTHING: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
# What cannot be sent twice goes on a connection used a moment ago, or on a new one: one that was idle for longer may
# just be being closed.
UNREPEATABLE_IDLE_S: Final = 1.0
# What the hot path has left is asked for in a moment, or not at all.
PARKED_S: Final = 30.0


class Forwarder:
    """The way to the backend."""

    def __init__(self, settings: Settings, upstreams: Upstreams, streams: Streams) -> None:
        self.upstreams = upstreams
        self.streams = streams
        self._settings = settings.upstream
        self._limits = settings.gateway
        self.response_timeout_s = settings.upstream.response_timeout_s
        self._broken_off = Sampling()
        self._parked: dict[object, Lease] = {}

    async def forward(self, errand: Errand) -> web.StreamResponse:
        """Send the request on and stream the answer. Raises what `errors.py` has, before an answer began."""
        request = errand.request
        upload = Upload(request, self._limits) if request.body_exists else None
        repeatable = upload is None and request.method in IDEMPOTENT
        idle_s = math.inf if repeatable else UNREPEATABLE_IDLE_S
        parked = self._parked.pop(request.protocol, None)
        while True:
            lease = parked or await self.upstreams.borrow(idle_s=idle_s)
            try:
                return await self._exchange(errand, lease, upload, sent=parked is not None)
            except ConnectionEnded:
                # A kept connection that the server had closed meanwhile says nothing of the server.
                stale = lease.reused and lease.connection.untouched
                # Nor does one that ends while a body is under way: it may have answered, and not wanted the body.
                if not stale and not lease.connection.sending:
                    lease.failed()
                if not stale or not repeatable:
                    raise
            except BackendError:
                lease.failed()
                # Even if it was whole: what cannot be understood cannot be told from what follows it.
                lease.connection.abort()
                raise
            finally:
                self.upstreams.give_back(lease)
            idle_s, parked = 0, None

    def park(self, caller: object, lease: Lease) -> None:
        """The hot path has sent a request whose answer is not one for it: the ordinary path goes on from there."""
        self.drop(caller)
        self._parked[caller] = lease
        asyncio.get_running_loop().call_later(PARKED_S, self._drop_this, caller, lease)

    def drop(self, caller: object) -> None:
        """The caller's request is over: what was sent for it and not asked for is given up."""
        lease = self._parked.pop(caller, None)
        if lease is not None:
            lease.connection.abort()
            self.upstreams.give_back(lease)

    def _drop_this(self, caller: object, lease: Lease) -> None:
        if self._parked.get(caller) is lease:
            self.drop(caller)

    async def _exchange(self, errand: Errand, lease: Lease, upload: Upload | None, *, sent: bool) -> web.StreamResponse:
        """sent: the request, one without a body, is with the backend already."""
        request, connection = errand.request, lease.connection
        websocket = wants_websocket(request)
        if not sent:
            self._send_head(errand, lease, upload, websocket=websocket)
        sending = asyncio.create_task(upload.send(connection, self._settings)) if upload else None
        stream = self.streams.hold(errand.holder, lambda why: connection.fail(ended(why)))
        try:
            if upload is None and not websocket and not sent:
                answered = await self._swiftly(errand, lease)
                if answered is not None:
                    return answered
            relay = Relay(errand, lease, upload, self.streams, self._limits, self._settings, self._broken_off, stream)
            return await relay.run(websocket=websocket)
        finally:
            self.streams.release(stream)
            if sending is not None:
                sending.cancel()
                await asyncio.wait((sending,))

    def _send_head(self, errand: Errand, lease: Lease, upload: Upload | None, *, websocket: bool) -> None:
        request, connection = errand.request, lease.connection
        connection.begin(bodiless=request.method == "HEAD")
        connection.write(
            request_head(
                request.method,
                errand.target,
                request.raw_headers,
                errand.client,
                errand.host,
                told_host=lease.server.host,
                chunked=upload is not None and upload.chunked,
                websocket=websocket,
                expect=request.version >= HttpVersion11,
                proof=errand.proof,
                request_id=errand.request_id,
            )
        )
        connection.sending = upload is not None
        connection.last = upload is not None and request.method in BODY_MEANS_NOTHING
        connection.allow_silence(None if upload and not upload.expects else self._settings.response_timeout_s)

    async def _swiftly(self, errand: Errand, lease: Lease) -> Answered | None:
        """Send the answer if it comes whole and small; None: it does not. Raises what the errand's `inspect` does."""
        request = errand.request
        found: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        swift = Swift(lease.connection, request.method, lambda told: None if found.done() else found.set_result(told))
        try:
            answer = await found
        finally:
            swift.stop()
        if answer is None:
            return None
        message, _, body = answer
        lease.succeeded()
        cookies = errand.inspect(message.code, message.headers)
        assert not isinstance(cookies, Awaitable)  # noqa: S101 - it brings no command
        keep_alive = request.keep_alive and not self.streams.stopping
        answered = Answered(message.code, lease.server.name, keep_alive=keep_alive)
        more = persistence(keep_alive=keep_alive, modern=request.version >= HttpVersion11)
        head = answer_head(message.code, message.reason, message.raw_headers, more, cookies)
        outlet = Outlet(request, self._limits)
        try:
            await outlet.write(head + body)
        except ConnectionError:
            answered.force_close()  # the visitor is gone
            outlet.cut(unsized=False)
        answered.size = outlet.size
        return answered


def wants_websocket(request: web.BaseRequest) -> bool:
    """Whether a request asks to switch to WebSocket (RFC 6455, 4.1). No other switch is passed on."""
    headers = request.raw_headers
    return (
        request.method == "GET"
        and request.version >= HttpVersion11
        and not request.body_exists
        and [value.lower() for value in values(headers, b"upgrade")] == [b"websocket"]
        and b"upgrade" in tokens(headers, b"connection")
        and len(values(headers, b"sec-websocket-key")) == 1
    )
