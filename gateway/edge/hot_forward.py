"""Requests of people inside, forwarded on the hot path: from the backend's connection to the visitor's without a task.

For a `GET` with a plain head and a pass that is known to live (`living`), or of which the store soon says so
(`hot_pass`): what is asked of it, and of whom, is what the ordinary path asks (`read_credentials`, `find_bypass`,
`goes_by_pass`, `Crowd`, `Proofs`, `proxy.headers`), what of it comes again with each request is asked once
(`regulars`), and what the backend answers goes on if it comes whole and small (`proxy.swift`). Everything else is left
to the ordinary path:

    a pass that does not live, is near its end, on trial, or of which nothing is heard soon
    a forged token beside it; a rule that lets the request in
    a header of ours, or one by which a backend may take another method
    no kept connection to the server that is next, or none free: before anything was sent
    an answer that `Swift` leaves: the ordinary path goes on with it, on the connection on which it comes
"""

import asyncio
import logging
import re
import time
from typing import Final

from gateway.edge.client import fresh_id
from gateway.edge.crowd import Crowd, Crowded
from gateway.edge.hot_pass import Confirming
from gateway.edge.later import LATER, Caller, Later, Send
from gateway.edge.line import Line
from gateway.edge.outbox import Outbox
from gateway.edge.proofs import Proofs
from gateway.edge.proxy.errors import BackendError
from gateway.edge.proxy.forward import Forwarder
from gateway.edge.proxy.headers import answer_head, said_with
from gateway.edge.proxy.relay import ended
from gateway.edge.proxy.swift import Answer, Swift
from gateway.edge.regulars import Regular, Regulars
from gateway.edge.streams import Why
from gateway.edge.watch import stock_of
from gateway.metrics import FORWARDED, Meters
from gateway.room.decide import goes_by_pass
from gateway.room.match import Target, find_bypass
from gateway.room.model import PassGrant, Snapshot
from gateway.sampling import Sampling
from shared.wire import COMMAND_HEADER, STOCK_HEADER

_LOG: Final = logging.getLogger(__name__)
_TARGET: Final = re.compile(rb"GET (/(?!/)[A-Za-z0-9._~%!$&'()*+,;=:@/?-]*) HTTP/1\.1")


class HotForward:
    """For all rooms of a worker."""

    def __init__(
        self,
        forwarder: Forwarder,
        proofs: Proofs,
        regulars: Regulars,
        at_backend: Crowd,
        meters: Meters,
    ) -> None:
        self.forwarder = forwarder
        self.regulars = regulars
        self.at_backend = at_backend
        self.outbox = Outbox(asyncio.get_running_loop())
        self.confirming = Confirming()
        self.meters = meters
        self._proofs = proofs
        self._sampling = Sampling()

    def answer(self, regular: Regular, asked: bytes, target: Target, send: Send, caller: Caller) -> Later | None:
        """`LATER`, and the answer goes to `send`; None: not one for this path. asked: the request line."""
        found = _TARGET.fullmatch(asked)
        line, held = regular.line, regular.held
        room = line.snapshot
        if found is None or not _goes_by_pass(regular, room, target):
            return None
        path = found[1]
        grant = line.lives(held)
        if grant is not None:
            return LATER if self._send_on(regular, room, grant, path, send, caller) else None
        confirmed = line.confirm(held)
        if confirmed is None:
            return None
        came_s = time.monotonic()

        def go_on() -> bool:
            room = line.snapshot
            grant = line.lives(held) if _goes_by_pass(regular, room, target) else None
            return grant is not None and self._send_on(regular, room, grant, path, send, caller, came_s)

        return self.confirming.wait(confirmed, go_on, send, caller)

    def _send_on(
        self,
        regular: Regular,
        room: Snapshot,
        grant: PassGrant,
        path: bytes,
        send: Send,
        caller: Caller,
        came_s: float | None = None,
    ) -> bool:
        """Send it to the backend; False: nothing was sent. came_s: when it came, if that was not just now."""
        line, held = regular.line, regular.held
        if line.is_on_trial(held, grant):
            return False
        end = said_with(regular.request_id or fresh_id(), self._proofs.of_pass(line.name, room, held))
        return _Exchange(self, regular, send, caller, came_s).begin(path, end)

    def warn_of_stock(self, line: Line) -> None:
        beside = self._sampling.take("stock", time.monotonic())
        if beside is not None:
            told = {"room": line.name, **beside}
            _LOG.warning("the backend sent a Sunbeon-Stock that is no number", extra=told)


def _goes_by_pass(regular: Regular, room: Snapshot, target: Target) -> bool:
    """Whether nothing but the pass decides."""
    if regular.epoch != room.epoch or not goes_by_pass(room, regular.held):
        return False
    rules = regular.line.rules
    return not rules or find_bypass("GET", target, regular.client.address, regular.agent, rules) is None


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_began_s", "_caller", "_came_s", "_lease", "_of", "_regular", "_send", "_stream", "_swift")

    def __init__(
        self, of: HotForward, regular: Regular, send: Send, caller: Caller, came_s: float | None = None
    ) -> None:
        self._of = of
        self._regular = regular
        self._send = send
        self._caller = caller
        self._began_s = time.monotonic()
        self._came_s = self._began_s if came_s is None else came_s

    def begin(self, target: bytes, end: bytes) -> bool:
        """Send it, if there is a way to the backend at once; False: nothing was sent. end: of its head."""
        of, regular, forwarder = self._of, self._regular, self._of.forwarder
        try:
            of.at_backend.enter_from(regular.network)
        except Crowded:
            return False
        lease = forwarder.upstreams.borrow_kept()
        if lease is None:
            of.at_backend.leave(regular.network)
            return False
        self._lease = lease
        connection = lease.connection
        wire = connection.transport
        assert wire is not None  # noqa: S101 - it is idle
        host = (lease.server.host or regular.host).encode()
        connection.begin()
        of.outbox.put(wire, b"GET %b HTTP/1.1\r\nHost: %b\r\n%b%b" % (target, host, regular.carried, end))
        connection.allow_silence(forwarder.response_timeout_s)
        self._stream = forwarder.streams.hold((regular.line, regular.held), self._end)
        self._swift = Swift(connection, "GET", self._answered, leaves=(COMMAND_HEADER,))
        self._caller.gone = self._gone
        return True

    def _answered(self, found: Answer | None) -> None:
        self._close()
        if found is None:
            self._leave()
            return
        message, told, body = found
        sent = message.headers.get(STOCK_HEADER)
        left = None if sent is None else stock_of(sent)
        line, took_s = self._regular.line, time.monotonic() - self._began_s
        try:
            self._lease.succeeded()
            self._of.meters.backend_answered(message.code, took_s)
            line.latency.add(took_s)
            if left is not None:
                line.watch.report(line.snapshot, left)
            elif sent is not None:
                self._of.warn_of_stock(line)
            head = told.head or answer_head(message.code, message.reason, message.raw_headers)
        except BaseException:
            self._lease.connection.fail(BackendError("the gateway failed to pass the answer on"))
            self._leave()
            raise
        self._of.forwarder.upstreams.give_back(self._lease)
        self._of.meters.answered(FORWARDED, time.monotonic() - self._came_s)
        self._send(head + body)

    def _leave(self) -> None:
        """The ordinary path goes on from here."""
        self._of.forwarder.park(self._caller, self._lease)
        self._send(None)

    def _end(self, why: Why) -> None:
        self._lease.connection.fail(ended(why))

    def _gone(self) -> None:
        """The visitor has hung up, and takes the request along."""
        self._close()
        self._lease.connection.abort()
        self._of.forwarder.upstreams.give_back(self._lease)

    def _close(self) -> None:
        self._caller.gone = None
        self._swift.stop()
        self._of.forwarder.streams.release(self._stream)
        self._of.at_backend.leave(self._regular.network)
