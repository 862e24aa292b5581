"""Requests of people inside, forwarded on the hot path: from the backend's connection to the visitor's without a task.

For a `GET` with a plain head and a pass that is known to live (`living`): what is asked of it, and of whom, is what the
ordinary path asks (`read_credentials`, `find_bypass`, `stand_by_memory`, `Crowd`, `Proofs`, `request_head`), and what
the backend answers goes on if it comes whole and small (`proxy.swift`). Everything else is left to the ordinary path:

    a pass that the store has to be asked for, or on trial; a forged token beside it; a rule that lets the request in
    a header of ours, or one by which a backend may take another method
    no kept connection to the server that is next, or none free: before anything was sent
    an answer that `Swift` leaves: the ordinary path goes on with it, on the connection on which it comes
"""

import logging
import re
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from aiohttp.http_parser import RawResponseMessage

from gateway.edge import cookies
from gateway.edge.client import NOWHERE, Client, identify, request_id_of
from gateway.edge.crowd import Crowd, Crowded
from gateway.edge.later import LATER, Caller, Later, Send
from gateway.edge.line import Line
from gateway.edge.plain import PlainHead
from gateway.edge.proofs import Proofs
from gateway.edge.proxy.errors import BackendError
from gateway.edge.proxy.forward import Forwarder
from gateway.edge.proxy.headers import answer_head, request_head
from gateway.edge.proxy.relay import ended
from gateway.edge.proxy.servers import Lease
from gateway.edge.proxy.swift import Swift
from gateway.edge.settle import Credentials, read_credentials, stand_by_memory
from gateway.edge.streams import Why
from gateway.edge.watch import stock_of
from gateway.keys import KeyStore
from gateway.metrics import FORWARDED, Meters
from gateway.room.match import Network, Target, find_bypass
from gateway.room.ticket import KeyRing, Pass
from gateway.sampling import Sampling
from shared.errors import SunbeonError
from shared.wire import COMMAND_HEADER, HEADER_PREFIX, STOCK_HEADER

_LOG: Final = logging.getLogger(__name__)
_TARGET: Final = re.compile(rb"GET (/[A-Za-z0-9._~%!$&'()*+,;=:@/?-]*) HTTP/1\.1")
_PREFIX: Final = HEADER_PREFIX.lower().encode()
_COOKIE: Final = b"cookie: "
# In the name of every header by which a method is overridden.
_METHOD: Final = b"method"
# Cookie headers remembered with what they bring, and how long they may be.
_REMEMBERED: Final = 4_096
_LONGEST: Final = 2_048


class Trust(NamedTuple):
    """How a client is told from its headers; see `identify`."""

    trusted: Sequence[Network]
    tls: bool
    by_forwarded: bool


class HotForward:
    """For all rooms of a worker."""

    def __init__(
        self, forwarder: Forwarder, proofs: Proofs, keys: KeyStore, at_backend: Crowd, meters: Meters, trust: Trust
    ) -> None:
        self.forwarder = forwarder
        self.at_backend = at_backend
        self.meters = meters
        self._proofs = proofs
        self._keys = keys
        self._trust = trust
        self._brought: dict[tuple[str, int, bytes], Credentials] = {}
        self._ring: KeyRing | None = None
        self._sampling = Sampling()

    def answer(self, line: Line, target: Target, head: PlainHead, send: Send, caller: Caller) -> Later | None:
        """`LATER`, and the answer goes to `send`; None: not one for this path."""
        found = _TARGET.fullmatch(head.lines[0])
        brought = self._read(line, head)
        if found is None or found[1].startswith(b"//") or brought is None:
            return None
        headers = Headers(head)
        client = identify(
            caller.peer, headers, self._trust.trusted, tls=self._trust.tls, by_forwarded=self._trust.by_forwarded
        )
        agent = headers.get("user-agent", "")
        if line.rules and find_bypass("GET", target, client.address, agent, line.rules) is not None:
            return None
        standing = stand_by_memory(line, brought)
        if standing is None or line.is_on_trial(standing.visitor_pass, standing.grant):
            return None
        proof = self._proofs.make(line.name, line.snapshot, standing)
        request_id = request_id_of(headers, client)
        (host,) = headers.getall("host", ())

        def head_for(lease: Lease) -> bytes:
            told = lease.server.host
            pairs, path = headers.pairs, found[1].decode()
            return request_head("GET", path, pairs, client, host, told_host=told, proof=proof, request_id=request_id)

        exchange = _Exchange(self, line, send, caller)
        return LATER if exchange.begin(client, head_for, (line, standing.visitor_pass)) else None

    def warn_of_stock(self, line: Line) -> None:
        beside = self._sampling.take("stock", time.monotonic())
        if beside is not None:
            told = {"room": line.name, **beside}
            _LOG.warning("the backend sent a Sunbeon-Stock that is no number", extra=told)

    def _read(self, line: Line, head: PlainHead) -> Credentials | None:
        """What is brought, if it is a pass, nothing of it is wrong, and no header says what only the gate hears."""
        cookie = None
        for each in head.own:
            lowered = each.lower()
            if lowered.startswith(_COOKIE):
                if cookie is not None:
                    return None
                cookie = each[len(_COOKIE) :]
            elif lowered.startswith(_PREFIX) or _METHOD in lowered.partition(b":")[0]:
                return None
        if cookie is None or len(cookie) > _LONGEST:
            return None
        ring, epoch = self._keys.current.cookies, line.snapshot.epoch
        if ring is not self._ring or len(self._brought) >= _REMEMBERED:
            self._ring = ring
            self._brought.clear()
        key = (line.name, epoch, cookie)
        brought = self._brought.get(key)
        if brought is None:
            text = [cookie.decode()]
            tickets = cookies.values(text, line.cookies.ticket)
            passes = cookies.values(text, line.cookies.visitor_pass)
            brought = read_credentials(tickets, passes, line.name, ring, epoch=epoch)
            if brought.visitor_pass is None or brought.damaged:
                return None
            self._brought[key] = brought
        return brought


class Headers:
    """A plain head's headers, by name in any case."""

    def __init__(self, head: PlainHead) -> None:
        split = [line.partition(b": ") for line in head.lines[1:]]
        self.pairs = [(name, value) for name, _, value in split]

    def getall(self, key: str, default: tuple[str, ...], /) -> Sequence[str]:
        name = key.lower().encode()
        return [value.decode() for found, value in self.pairs if found.lower() == name] or default

    def get(self, key: str, default: str = "") -> str:
        return self.getall(key, (default,))[0]


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_began_s", "_caller", "_lease", "_line", "_network", "_of", "_send", "_stream", "_swift")

    def __init__(self, of: HotForward, line: Line, send: Send, caller: Caller) -> None:
        self._of = of
        self._line = line
        self._send = send
        self._caller = caller
        self._began_s = time.monotonic()

    def begin(self, client: Client, head_for: Callable[[Lease], bytes], holder: tuple[Line, Pass]) -> bool:
        """Send it, if there is a way to the backend at once; False: nothing was sent."""
        of, forwarder = self._of, self._of.forwarder
        try:
            self._network = of.at_backend.enter(None if client.address == NOWHERE else str(client.address))
        except Crowded:
            return False
        lease = forwarder.upstreams.borrow_kept()
        if lease is None:
            of.at_backend.leave(self._network)
            return False
        self._lease = lease
        connection = lease.connection
        try:
            head = head_for(lease)
            connection.begin()
            connection.write(head)
        except BaseException as error:
            connection.abort()
            forwarder.upstreams.give_back(lease)
            of.at_backend.leave(self._network)
            if isinstance(error, SunbeonError):
                return False
            raise
        connection.allow_silence(forwarder.response_timeout_s)
        self._stream = forwarder.streams.hold(holder, self._end)
        self._swift = Swift(connection, "GET", self._answered, leaves=(COMMAND_HEADER,))
        self._caller.gone = self._gone
        return True

    def _answered(self, found: tuple[RawResponseMessage, bytes] | None) -> None:
        self._close()
        if found is None:
            self._leave()
            return
        message, body = found
        sent = message.headers.get(STOCK_HEADER)
        left = None if sent is None else stock_of(sent)
        took_s = time.monotonic() - self._began_s
        try:
            self._lease.succeeded()
            self._of.meters.backend_answered(message.code, took_s)
            self._line.latency.add(took_s)
            if left is not None:
                self._line.watch.report(self._line.snapshot, left)
            elif sent is not None:
                self._of.warn_of_stock(self._line)
            data = answer_head(message.code, message.reason, message.raw_headers) + body
        except BaseException:
            self._lease.connection.fail(BackendError("the gateway failed to pass the answer on"))
            self._leave()
            raise
        self._of.forwarder.upstreams.give_back(self._lease)
        self._of.meters.answered(FORWARDED, time.monotonic() - self._began_s)
        self._send(data)

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
        self._of.at_backend.leave(self._network)
