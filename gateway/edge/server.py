"""The listeners: aiohttp's, but for where requests end, how long they may take, and what those are told that end here.

`framing` cuts the stream; llhttp reads what was cut; both must agree. Whatever is refused is answered in a few words,
in its turn behind the requests before it, and noted at debug level without its content: anyone can send a million, and
cookies stand in them. A fault of ours that even the gate did not catch is logged in full and told to nobody.
"""

import asyncio
import logging
import select
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf
from typing import Any, Final, Protocol, cast

from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpVersion11, StreamWriter
from aiohttp.http_exceptions import BadStatusLine, HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.tcp_helpers import tcp_keepalive
from aiohttp.web_protocol import ERROR, _ErrInfo, _RequestFactory, _RequestHandler

from gateway.edge import answers
from gateway.edge.crowd import Crowd, Crowded
from gateway.edge.doorstep import Doorstep
from gateway.edge.framing import Body, Head, Limits, Refused, bad_request, read_head
from gateway.edge.later import LATER, Caller, Later, Send
from gateway.edge.outbox import Outbox
from gateway.edge.overload import BUSY, Overload
from gateway.edge.proxy.errors import BadFraming
from gateway.settings import Gateway
from shared.wire import GATE_HEADER, PROBLEM_JSON

_LOG: Final = logging.getLogger(__name__)

# What a client still sends when its answer is complete is read and thrown away up to here: closing over unread bytes
# makes the kernel send a reset, and the reset destroys the answer on its way (RFC 9112, 9.6).
LINGER_S: Final = 5.0
LINGER_BYTES: Final = 8 * 2**20
# Reading pauses when twice this much of a body is held, and goes on below it (see aiohttp's `StreamReader`).
BUFFER_BYTES: Final = 64 * 1024
# How often a client that is not read is looked for: an event loop that does not read learns of nobody's going.
HELD_LOOK_S: Final = 0.5
CROWDED_RETRY_S: Final = 10
# Of the operators' listener: whoever floods it must not take the open files that visitors need.
OPERATORS_CONNECTIONS: Final = 1_000
OPERATORS_OF_ONE_NETWORK: Final = 500


# The whole answer to a whole request that came alone, if it can be given at once; `LATER`: it goes to the function.
class HotPath(Protocol):
    def __call__(self, data: bytes, send: Send, caller: Caller | None = None, /) -> bytes | Later | None: ...


_NO_MESSAGES: Final[deque[Any]] = deque()

_CROWDED_BODY: Final = b'{"type":"about:blank","title":"Service Unavailable","status":503,"code":"crowded"}'
_CROWDED: Final = (
    "HTTP/1.1 503 Service Unavailable\r\n"
    f"Content-Type: {PROBLEM_JSON}\r\n"
    f"Content-Length: {len(_CROWDED_BODY)}\r\n"
    f"Retry-After: {CROWDED_RETRY_S}\r\n"
    f"{GATE_HEADER}: crowded\r\n"
    "Server: sunbeon\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
).encode() + _CROWDED_BODY


def limits_of(settings: Gateway) -> Limits:
    """Of heads, as the settings have them."""
    return Limits(settings.max_target_bytes, settings.max_header_bytes, settings.max_headers)


class Server(web.Server):
    """A listener. handler: answers what came whole. crowd: counts connections by network; None counts nothing.

    hot: what is asked first of requests that come whole and alone. overload: whether there is too much to do.
    leaving: every answer ends its connection, so that clients go elsewhere.
    most_connections: of all together; None: as the settings have it.
    open_connections: now. refused: by kind since the start, among them `crowded` and `full` (turned away at once: too
    many of one network, too many in all), `bad_body` (broken chunks) and `unread` (a client that did not take its
    answer). Both of this worker.
    """

    def __init__(
        self,
        handler: _RequestHandler,
        settings: Gateway,
        *,
        crowd: Crowd | None = None,
        request_factory: _RequestFactory | None = None,
        handler_cancellation: bool = False,
        hot: HotPath | None = None,
        overload: Overload | None = None,
        most_connections: int | None = None,
    ) -> None:
        super().__init__(handler, request_factory=request_factory, handler_cancellation=handler_cancellation)
        # For aiohttp's part of a connection.
        self.more: Final[Mapping[str, Any]] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": settings.keepalive_timeout_s,
            "read_bufsize": BUFFER_BYTES,
            "lingering_time": 0,  # ours has a bound in bytes too
            "max_line_size": settings.max_target_bytes,
            "max_field_size": settings.max_header_bytes,
            "max_headers": 2 * settings.max_headers,  # the parser counts trailers too
        }
        self.settings = settings
        self.limits = limits_of(settings)
        self.crowd = Crowd(0) if crowd is None else crowd
        self.hot = hot
        self.overload = Overload() if overload is None else overload
        self.most_connections = settings.max_connections if most_connections is None else most_connections
        self.outbox = Outbox(self._loop)
        self.open_connections = 0
        self.leaving = False
        self.refused: Counter[str] = Counter()

    def __call__(self) -> web.RequestHandler:
        # aiohttp's type is narrower than what a listener needs.
        return cast("web.RequestHandler", Doorstep(self)) if self.overload.on else self.connection()

    def connection(self) -> "_Connection":
        return _Connection(self, self._loop)


class AppRunner(web.AppRunner):
    """Serves an application through `Server`."""

    def __init__(self, app: web.Application, settings: Gateway, **more: Any) -> None:
        super().__init__(app, access_log=None, **more)
        self._settings = settings

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(
            made.request_handler,
            self._settings,
            request_factory=made.request_factory,
            crowd=Crowd(OPERATORS_OF_ONE_NETWORK),
            most_connections=OPERATORS_CONNECTIONS,
        )


class _Connection(web.RequestHandler):
    """One connection. Requests behind each other are read ahead, as many as aiohttp queues, and answered in order.

    Nearly all connections wait for their next request, and nearly all of that are answered by `hot`. So aiohttp's part,
    the parser above all, is made when a request needs it (`_wake_up`), and given up when that is answered: what waits
    takes some 3 KB, and 20 otherwise. Nor is there a task but while a request is at work (`_task_handler`).
    """

    __slots__ = (
        "_asked",
        "_at",
        "_awake",
        "_begun_s",
        "_body",
        "_discarded",
        "_ended",
        "_head",
        "_idle_until_s",
        "_linger_over",
        "_look_s",
        "_lost",
        "_network",
        "_owed",
        "_payload",
        "_rest",
        "_server",
        "_stuck_s",
        "_timer",
        "_turned_away",
        "_unsent",
        "_wire",
        "gone",
        "peer",
    )

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:  # aiohttp's is called by `_wake_up`
        BaseProtocol.__init__(self, loop)
        self._server = server
        # Of aiohttp's own, what is asked for while it is not there.
        self._awake = False
        self._manager = server
        self._messages = _NO_MESSAGES
        self._task_handler = None
        self._payload_parser = None
        self._current_request = None
        self._waiter = None
        self._keepalive_handle = None
        self._close = self._force_close = self._request_in_progress = False
        self._wire: asyncio.Transport | None = None  # unlike aiohttp's, known until the connection is lost
        self._network: bytes | None = None
        self._lost: asyncio.Future[None] | None = None  # for who waits for the connection to end
        self._turned_away = False
        # What has come and was not read: `_rest` from `_at` on.
        self._rest = b""
        self._at = 0
        # The request whose answer the hot path has yet to give.
        self._asked: bytes | None = None
        # It has to be read once more, on the ordinary path.
        self._owed = False
        self.peer: str | None = None
        self.gone: Callable[[], None] | None = None
        self._head = Head(server.limits)
        self._begun_s: float | None = None  # when a head began that has not ended
        self._body: Body | None = None  # of the last request read, until it has ended
        self._payload: StreamReader = EMPTY_PAYLOAD
        # Nothing more is read: what comes is thrown away.
        self._ended = False
        self._discarded = 0
        self._linger_over: asyncio.Future[None] | None = None
        self._idle_until_s = 0.0
        # When the timer looks next; since when how much has been waiting for the client to take it.
        self._timer: asyncio.TimerHandle | None = None
        self._look_s = inf
        self._stuck_s = 0.0
        self._unsent = 0

    # Its beginning and end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = wire = cast("asyncio.Transport", transport)
        server = self._server
        peer = wire.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else None
        if server.open_connections >= server.most_connections:
            self._turn_away(wire, "full")
            return
        try:
            self._network = server.crowd.enter(peer[0] if isinstance(peer, tuple) else None)
        except Crowded:
            self._turn_away(wire, "crowded")
            return
        server.open_connections += 1
        BaseProtocol.connection_made(self, wire)
        tcp_keepalive(wire)  # for who vanishes without a word while we say nothing either
        server.connection_made(self, wire)
        now = self._loop.time()
        self._idle_until_s = now + server.settings.header_timeout_s
        self._look_by(min(self._idle_until_s, now + server.settings.client_idle_timeout_s))

    def _wake_up(self) -> None:
        """Have all that aiohttp reads a request with."""
        kept = self.transport, self._close, self._paused
        super().__init__(self._server, loop=self._loop, **self._server.more)
        self.transport, self._close, self._paused = kept
        self._awake = True

    def _lie_down(self) -> None:
        """Give it up again, where no request is at work and none has begun."""
        if self._body is None and not (self._upgraded or self._ended or self._reading_paused or self._buffer_paused):
            self._awake = False
            self._parser = None
            self._messages = _NO_MESSAGES
            self._cache = {}

    def _turn_away(self, wire: asyncio.Transport, kind: str) -> None:
        # No lingering: who holds too many connections must not hold this one.
        self._turned_away = True
        self._server.refused[kind] += 1
        wire.write(_CROWDED)
        wire.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._turned_away or self._wire is None:
            return
        self._wire = None
        if self.gone is not None:
            self.gone()
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)
        self._server.open_connections -= 1
        self._server.crowd.leave(self._network)
        self._stop_lingering()
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def close(self) -> None:
        self._close = True

    def force_close(self) -> None:
        self._server.outbox.send()
        super().force_close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's name
        """Take no further request; let the one under way end, body, answer and all, and cut off what takes longer."""
        wire = self._wire
        if wire is None:
            return
        self._close = True
        if not self._request_in_progress and not self._messages and self._asked is None:
            self.force_close()  # sends what is still to be sent
        self._lost = self._loop.create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._lost
        if self._task_handler is not None:
            self._task_handler.cancel()
        wire.abort()

    def eof_received(self) -> None:
        """A client that shuts down its sending side is taken to be gone, as nginx takes it.

        Hardly any client half-closes and goes on waiting, while a browser's tab that was closed looks just like that,
        and its request would take a seat and a connection to the backend for nobody.
        """

    # What comes in

    def data_received(self, data: bytes) -> None:
        """Take what came; with nothing, go on with what was held back."""
        if self._turned_away or self._force_close:
            return
        if self._ended:
            self._discard(len(data))
        elif self._upgraded or self._payload_parser is not None:
            super().data_received(data)
        elif not (data and self._answered_at_once(data)):
            if data:
                self._rest = self._rest[self._at :] + data if self._at < len(self._rest) else data
                self._at = 0
            try:
                self._read()
            except Refused as refused:
                self._refuse(refused)
            except BadFraming as error:
                # The gate learns of it where it reads the body, and answers; if it has answered, the connection ends.
                self._server.refused["bad_body"] += 1
                self._end()
                self._payload.set_exception(error)

    def _answered_at_once(self, data: bytes) -> bool:
        """Whether this was a whole request, with nothing before it that waits, and has its answer, or will."""
        server = self._server
        if self._asked is not None:
            # One at a time; what comes meanwhile is read when that is answered.
            self._rest += data
            self._pause_transport_reading()
            return True
        if (
            server.hot is None
            or self._task_handler is not None  # the ordinary path is at work
            or self._body is not None
            or self._at < len(self._rest)
            or self._paused
            or self._close
            or server.leaving
        ):
            return False
        answer = server.hot(data, self._answer_came, self)
        if answer is None:
            return False
        if answer is LATER:
            self._asked, self._rest, self._at = data, b"", 0
        else:
            self.give(answer)
            if answer.startswith(BUSY):
                self.force_close()
            else:
                server.overload.answered(self)
        return True

    def _answer_came(self, answer: bytes | None) -> None:
        """What was asked has its answer, or has to go the ordinary way."""
        asked, self._asked = self._asked, None
        if asked is None or self._wire is None:
            return
        if answer is None:
            # However soon the connection is to end: this request was taken.
            self._rest, self._owed = asked + self._rest, True
        else:
            self.give(answer)
            if self._close or self._server.leaving:
                self.force_close()
                return
        if self._rest:
            self._resume_transport_reading()
            self.data_received(b"")

    def give(self, answer: bytes) -> None:
        if self._wire is not None:
            self._unsent = 0
            self._server.outbox.put(self._wire, answer)
            self._idle_until_s = self._loop.time() + self._server.settings.keepalive_timeout_s

    def rest(self) -> None:
        """Read nothing for a while. Unlike aiohttp's pauses this one has no reason in what was read."""
        if self._wire is not None and not self._wire.is_closing() and not self._server.crowd.trusts(self.peer):
            self._idle_until_s = inf
            self._wire.pause_reading()

    def go_on(self) -> None:
        if self._wire is None or self._wire.is_closing():
            return
        if self._idle_until_s == inf:
            self._idle_until_s = self._loop.time() + self._server.settings.keepalive_timeout_s
            self._look_by(self._idle_until_s)
        if not (self._reading_paused or self._buffer_paused or (self._asked is not None and self._rest)):
            self._wire.resume_reading()

    def _read(self) -> None:
        """Hand to the parser what has come, head by head and body by body, until something is missing or full."""
        while not (self._reading_paused or self._upgraded or self._asked is not None):
            if self._body is not None:
                if not self._read_body(self._body):
                    return
            elif self._close and not self._owed:
                if self._at < len(self._rest):
                    self._end()  # nothing more is taken, nor kept
                return
            elif self._is_full() or not self._read_head():
                return
            else:
                self._owed = False

    def _is_full(self) -> bool:
        """Whether no further request is taken now."""
        return self._awake and len(self._messages) >= self._max_msg_queue_size

    def _read_head(self) -> bool:
        """Whether a whole head was there."""
        # One empty line before a request is overlooked (RFC 9112, 2.2).
        start = self._at + 2 if self._rest.startswith(b"\r\n", self._at) else self._at
        if start >= len(self._rest) or (start + 1 == len(self._rest) and self._rest.endswith(b"\r")):
            return False
        end = self._head.end(self._rest, start)
        if not end:
            if self._begun_s is None:
                self._begun_s = self._loop.time()
                self._look_by(self._begun_s + self._server.settings.header_timeout_s)
            return False
        self._begun_s = None
        head = self._rest[start:end]
        self._at = end
        body = read_head(head, self._server.limits)
        if not self._awake:
            self._wake_up()
        before = len(self._messages)
        try:
            self._feed(head)
        except BadStatusLine:
            # The rest of the line is in order: it is the method, and the parser knows all that HTTP has heard of.
            raise Refused(501, "not_implemented", "this method is not known here") from None
        except HttpProcessingError:
            raise bad_request("the request cannot be read") from None
        if len(self._messages) != before + 1:
            raise bad_request("the request cannot be read")
        self._payload = self._messages[-1][1]
        if (self._payload is EMPTY_PAYLOAD) is not (body is None):
            self._messages.pop()
            raise bad_request("the body's length cannot be read")
        self._body = body
        self._set_to_work()
        if len(self._messages) >= self._max_msg_queue_size and not self._buffer_paused:
            self._pause_reading_for_buffer()
        return True

    def _read_body(self, body: Body) -> bool:
        """Whether the body has ended."""
        trailing = body.trailing
        end = body.take(self._rest, self._at)
        piece = self._rest[self._at : end]
        self._at = end
        if trailing:
            # aiohttp's parser takes trailers for headers of the next request: it is told of none.
            piece = b"\r\n" if piece and body.done else b""
        try:
            # Even if nothing came: the parser may hold something back itself, since a reader was slow.
            self._feed(piece)
            if body.done and not self._payload.is_eof():
                # Once more: after very many small chunks the parser pauses though nobody asked it to.
                self._feed(b"")
        except HttpProcessingError:
            raise BadFraming("the body cannot be read") from None
        if body.trailing and not trailing:
            return self._read_body(body)
        if not body.done or self._reading_paused:
            return False
        if not self._payload.is_eof():
            raise BadFraming("the body cannot be read")
        self._body = None
        return True

    def _feed(self, piece: bytes) -> None:
        messages, upgraded, _ = self._parser.feed_data(piece)  # type: ignore[union-attr] # there until we are lost
        self._request_count += len(messages)
        self._messages.extend(messages)
        if upgraded:
            # What follows is another protocol's, or this one's again if the upgrade is declined.
            self._upgraded = True
            self._message_tail = self._rest[self._at :]
            self._rest = b""

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > LINGER_BYTES:
            self._pause_transport_reading()
            self._stop_lingering()

    # What is at work

    def _set_to_work(self) -> None:
        if self._task_handler is None:
            self._task_handler = self._loop.create_task(self.start())

    async def start(self) -> None:
        """Answer what was read, in order, until nothing is left. aiohttp's would wait here for what is next."""
        lasts = True
        while lasts and self._messages and not self._force_close:
            lasts = await self._answer_next(*self._messages.popleft())
        self._task_handler = None
        if self._force_close:
            return
        if not lasts:
            if self.transport is not None:
                self.transport.close()
            return
        self._idle_until_s = self._loop.time() + self._server.settings.keepalive_timeout_s
        self._lie_down()
        if self._at < len(self._rest):
            self.data_received(b"")

    async def _answer_next(self, message: RawRequestMessage | _ErrInfo, payload: StreamReader) -> bool:
        """Whether the connection lasts."""
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        self._server.requests_count += 1
        if isinstance(message, _ErrInfo):
            handler, message = self._make_error_handler(message), ERROR
        else:
            handler = self._server.request_handler
        task = self._task_handler or asyncio.current_task()
        writer = StreamWriter(self, self._loop)
        request = self._server.request_factory(message, payload, self, writer, task)  # type: ignore[arg-type] # in one
        try:
            response, cut = await self._handle_request(request, None, handler)
            if cut:
                return False
            if not payload.is_eof():
                self.close()
            payload.set_exception(RuntimeError("the request is over"))
        except ConnectionError:
            return False
        except asyncio.CancelledError:
            self.force_close()
            raise
        except Exception as error:  # noqa: BLE001
            _LOG.error("a connection failed through a fault of the gateway's", exc_info=error)
            self.force_close()
            return False
        finally:
            request._task = None  # type: ignore[assignment] # noqa: SLF001 - it holds the request
        return bool(response.keep_alive) and not self._close

    # What goes out

    def _refuse(self, refused: Refused) -> None:
        """Answer with this when everything before is answered, and read nothing more."""
        self._server.refused[refused.code] += 1
        self._end()
        if not self._awake:
            self._wake_up()
        self._messages.append((_ErrInfo(refused.status, refused, ""), EMPTY_PAYLOAD))
        self._set_to_work()

    def _end(self) -> None:
        self._ended = True
        self._rest = b""
        self._at = 0
        self._begun_s = None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the answer; then see that what follows it can be told from its request, or end the connection."""
        self._unsent = 0
        # An upgrade is the last request that was read. Nobody took it up: what came behind it is requests again.
        declined = self._upgraded and not self._messages and self._payload_parser is None
        if declined:
            self._rest, self._message_tail = self._message_tail, b""
            self._at = 0
        ends = self._ended or self._server.leaving
        if not resp.prepared and (self._close or (ends and not self._messages)):
            resp.force_close()
        resp, reset = await super().finish_response(request, resp, start_time)
        if reset:
            return resp, True
        payload = request.content
        if not payload.is_eof() and resp.keep_alive and "Expect" not in request.headers:
            await _drain(payload)
        last = not resp.keep_alive or not payload.is_eof()
        if last and (self._ended or self._messages or self._at < len(self._rest) or not payload.is_eof()):
            await self._linger()
        elif declined and not last:
            self._resume_reading_if_drained() if self._buffer_paused else self.data_received(b"")
        elif GATE_HEADER in resp.headers and not self._upgraded:
            self._server.overload.answered(self)
        return resp, False

    async def _linger(self) -> None:
        """Close the writing side and throw away what still comes, until the client has closed or the bounds are met."""
        transport = self._wire
        if transport is None or transport.is_closing():
            return
        self._end()
        self._discarded = 0
        if transport.can_write_eof():
            transport.write_eof()
        self._linger_over = self._loop.create_future()
        self._resume_transport_reading()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await self._linger_over

    def _stop_lingering(self) -> None:
        if self._linger_over is not None and not self._linger_over.done():
            self._linger_over.set_result(None)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - holds the bytes that were sent
    ) -> web.StreamResponse:
        """A short answer that repeats nothing and ends the connection. Raises if an answer has begun already."""
        if request.writer.output_size > 0:
            self._note(request, exc)
            raise ConnectionError("the answer has begun already")
        if isinstance(exc, Refused):
            _LOG.debug("a request was refused", extra={"kind": exc.code})
            request._version = HttpVersion11  # noqa: SLF001 - which the request was not read far enough to say
            response = answers.problem(exc.code, str(exc), status=exc.status)
            response.headers.update(exc.headers)
        else:
            self._note(request, exc)
            response = answers.problem("unavailable", "the gateway failed", status=status)
        response.force_close()
        return response

    @staticmethod
    def _note(request: web.BaseRequest, exc: BaseException | None) -> None:
        if isinstance(exc, ConnectionError) and (request.transport is None or request.transport.is_closing()):
            _LOG.debug("a client went away", extra={"kind": type(exc).__name__})
        elif exc is not None:
            _LOG.error("a request failed through a fault of the gateway's", exc_info=exc)

    # How long anything may take: one timer, moved only when it must ring earlier

    def _look_by(self, when_s: float) -> None:
        if self._timer is not None:
            if self._look_s <= when_s:
                return
            self._timer.cancel()
        self._look_s = when_s
        self._timer = self._loop.call_at(when_s, self._look)

    def _look(self) -> None:
        """End what has taken too long, and look again when the next thing may have."""
        self._timer = None
        if self._wire is None:
            return
        now = self._loop.time()
        at_work = self._task_handler is not None or self._asked is not None
        held = at_work and not self._wire.is_reading()
        if held and _is_gone(self._wire):
            self._wire.abort()
            return
        self._look_at_unsent(self._wire, now)
        due_s = self._due_s()
        if due_s <= now:
            due_s = inf
            if self._begun_s is None:
                self.force_close()
            else:
                self._refuse(Refused(408, "too_slow", "the request did not come to its end in time"))
        due_s = min(due_s, self._stuck_s + self._server.settings.client_idle_timeout_s)
        self._look_by(min(due_s, now + HELD_LOOK_S) if held else due_s)

    def _pause_transport_reading(self) -> None:
        super()._pause_transport_reading()
        if self._wire is not None:
            self._look_by(self._loop.time() + HELD_LOOK_S)

    def _due_s(self) -> float:
        """By when the client must have sent more of a head; it has all the time while we are at work."""
        if self._begun_s is not None:
            return self._begun_s + self._server.settings.header_timeout_s
        idle = self._task_handler is None and self._asked is None
        waiting = idle and self._body is None and not self._ended
        return self._idle_until_s if waiting else inf

    def _look_at_unsent(self, transport: asyncio.Transport, now: float) -> None:
        """Cut off a client that for `client_idle_timeout_s` took nothing of what waits for it."""
        unsent = transport.get_write_buffer_size()
        # While a handler writes, only a full buffer tells: one that is not may have been emptied in between.
        tells = self._paused or self._task_handler is None or transport.is_closing()
        if not (tells and 0 < self._unsent <= unsent):
            self._unsent, self._stuck_s = (unsent if tells else 0), now
        elif now - self._stuck_s >= self._server.settings.client_idle_timeout_s:
            self._server.refused["unread"] += 1
            self._stuck_s = now
            transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._wire is not None:
            self._unsent, self._stuck_s = self._wire.get_write_buffer_size(), self._loop.time()

    def resume_writing(self) -> None:
        self._unsent = 0
        super().resume_writing()


def _is_gone(wire: asyncio.Transport) -> bool:
    """Whether the client has gone or says no more; the event loop does not look while nothing is read."""
    poll = select.poll()
    poll.register(wire.get_extra_info("socket").fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))


async def _drain(payload: StreamReader) -> None:
    """Read the rest of a body nobody asked for, if it is short, so that the connection can go on."""
    left = LINGER_BYTES
    with suppress(TimeoutError, BadFraming):
        async with asyncio.timeout(LINGER_S):
            while left > 0 and not payload.is_eof():
                left -= len(await payload.readany())
