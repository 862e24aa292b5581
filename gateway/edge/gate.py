"""What happens to a request, step by step.

1. Its address is read in every way a backend might; one that has two meanings is refused.
2. `/_sunbeon/...` is answered here and never goes further.
3. Outside every room it is forwarded as it came (if its host is one of ours).
4. In a room the tokens it brings are verified, and `settle` says where its sender stands.
5. Inside: forwarded, with `Sunbeon-Pass`. Anything else: a page or a problem document, and not a byte to the backend.

Whatever fails on the way (store, keys, a fault of ours) ends in 5, never in a forward. While the store is away, passes
that are remembered to live go on for a while, and an operator may have chosen to let everyone in (`away`).
"""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, assert_never

from aiohttp import web
from multidict import CIMultiDictProxy

from gateway.access import AccessLog, Exchange, trace_id_of
from gateway.audit import Audit
from gateway.edge import answers, cookies
from gateway.edge.away import TurnUnconfirmed
from gateway.edge.client import NOWHERE, Client, identify, request_id_of
from gateway.edge.crowd import Crowd, Crowded
from gateway.edge.framing import ALLOW
from gateway.edge.language import pick_language
from gateway.edge.line import Line
from gateway.edge.manner import Manner, manner_of
from gateway.edge.newcomers import Newcomers
from gateway.edge.proofs import Proofs
from gateway.edge.proxy.errors import (
    BackendError,
    BackendTimeout,
    BadFraming,
    BodyTimeout,
    BodyTooLarge,
    PassEnded,
    TooManyAtOnce,
    Unserved,
)
from gateway.edge.proxy.forward import Forwarder
from gateway.edge.proxy.headers import hops_left
from gateway.edge.proxy.relay import Answered, Cookies, Errand, Inspect, add_nothing
from gateway.edge.settle import InLine, Inside, Knocking, Refused, Through, Told
from gateway.edge.visitors import LOOKING, Visitors
from gateway.edge.watch import stock_of
from gateway.metrics import FORWARDED, STREAMED, Meters, kind_of
from gateway.room.match import AmbiguousTarget, Network, Target, canonical_host, find_area, find_bypass, read_target
from gateway.room.model import Snapshot
from gateway.room.ticket import Pass
from gateway.sampling import Sampling
from gateway.store.base import StoreError
from shared.wire import COMMAND_HEADER, DRILL_HEADER, GATE_HEADER, OWN_PATH, STOCK_HEADER, Command

_LOG: Final = logging.getLogger(__name__)
_AUTHORITY_END: Final = re.compile(r"[/?#]")
# X-HTTP-Method-Override, X-HTTP-Method, X-Method-Override, with any mark for the hyphen: to CGI they are the same.
_METHOD_OVERRIDE: Final = re.compile(r"x[\W_](?:http[\W_])?method(?:[\W_]override)?", re.IGNORECASE | re.ASCII)
_OWN: Final = OWN_PATH.rstrip("/")
# What a request remembers: its id, and its room for the case that it fails.
_REQUEST_ID: Final = web.RequestKey("request_id", str)
_LINE: Final = web.RequestKey("line", Line)


class Misdirected(Exception):
    """The host is none of those this gateway stands for."""


# What a failure that is the visitor's is called; it needs no line in the log.
_KINDS: Final[Mapping[type[Exception], str]] = {
    AmbiguousTarget: "bad_request",
    Misdirected: "misdirected",
    BadFraming: "bad_request",
    BodyTimeout: "too_slow",
    BodyTooLarge: "too_large",
    PassEnded: "too_slow",
    TooManyAtOnce: "too_many",
}


@dataclass(frozen=True, slots=True)
class Address:
    """raw: the target as it came, in origin form. host: as it came. target: every reading of it."""

    raw: str
    host: str
    target: Target


class Gate:
    """Answers every request of the visitors' listener."""

    def __init__(
        self,
        lines: Sequence[Line],
        visitors: Visitors,
        forwarder: Forwarder,
        proofs: Proofs,
        audit: Audit,
        access: AccessLog,
        newcomers: Newcomers,
        at_backend: Crowd,
        meters: Meters,
        *,
        trusted: Sequence[Network],
        open_hosts: Sequence[str],
        tls: bool,
        by_forwarded: bool = False,
    ) -> None:
        self._access = access
        self._newcomers = newcomers
        self._at_backend = at_backend
        self._meters = meters
        self._lines = {line.name: line for line in lines}
        self._areas = [line.area for line in lines]
        self._visitors = visitors
        self._forwarder = forwarder
        self._proofs = proofs
        self._audit = audit
        self._sampling = Sampling()
        self._trusted = trusted
        self._tls = tls
        self._by_forwarded = by_forwarded
        # Where no room names a host there is nothing to be misdirected from. Where one does, another name for the same
        # backend would be a way around it, whatever other rooms take.
        named = {host for area in self._areas for host in area.hosts}
        self._hosts = named | {canonical_host(host) for host in open_hosts} if named else None
        for line in lines:
            line.on_sold_out(self._sold_out)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Only a cancellation and a client that is gone come out as exceptions."""
        began_s = time.monotonic()
        client = self._client(request)
        request[_REQUEST_ID] = request_id_of(request.headers, client)
        try:
            response = await self._route(request, client)
        except Exception as error:
            if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
                raise  # the client is gone
            if request.writer.output_size:
                # Half an answer is out already, and a second must not follow into it.
                _LOG.error("an answer failed through a fault of the gateway's", exc_info=error, extra=_where(request))
                raise ConnectionResetError("the answer had begun") from error
            # Whatever it is, nobody gets through by it.
            response = self._failed(request, error)
        finally:
            self._forwarder.drop(request.protocol)
        self._meters.answered(_kind(response), time.monotonic() - began_s)
        if self._access.on:
            self._access.note(_exchange(request, response, began_s))
        return response

    async def _route(self, request: web.BaseRequest, client: Client) -> web.StreamResponse:
        address = read_address(request)
        if _is_last_hop(request):
            return web.Response(headers={"Allow": ALLOW, GATE_HEADER: "options", "Server": "sunbeon"})
        if any(reading == _OWN or reading.startswith(OWN_PATH) for reading in address.target.readings):
            return await self._own(request, address, client)
        area = find_area(address.target, self._areas)
        if area is not None:
            line = self._lines[area.name]
            request[_LINE] = line
            return await self._room(request, address, client, line)
        if self._hosts is not None and address.target.host not in self._hosts:
            raise Misdirected("this gateway does not stand for that host")
        return await self._forward(request, address, client)

    def _failed(self, request: web.BaseRequest, error: Exception, *, cookies: Iterable[str] = ()) -> web.Response:
        """The answer to a request that failed; the one place where a failure becomes a status."""
        line: Line | None = request.get(_LINE)
        # On the page and in the log; also spreads the moments at which the pages ask again.
        reference = secrets.token_hex(4)
        where = {**_where(request), "reference": reference}
        match error:
            case (
                AmbiguousTarget()
                | Misdirected()
                | BodyTooLarge()
                | BodyTimeout()
                | BadFraming()
                | PassEnded()
                | TooManyAtOnce()
            ):
                kind, detail = _KINDS[type(error)], str(error)
            case BackendError():
                kind, detail = error.kind, str(error)
                self._warn("the backend failed", kind, {"why": detail, **where})
                if line is not None:
                    line.count(f"backend.{kind}")
            case Unserved():
                kind, detail = "unserved", "the backend failed; your turn is kept"
                self._warn("the backend failed", kind, {"why": str(error), **where})
            case TurnUnconfirmed():
                kind, detail = "turn_kept", "your turn cannot be confirmed just now; it is kept"
            case StoreError():
                kind, detail = "unavailable", "the line is out of reach; every place is kept"
                _LOG.debug("the store failed a request", extra={"why": error, **where})
            case _:
                kind, detail = "unavailable", "the gateway failed; every place is kept"
                beside = self._sampling.take(type(error).__name__, time.monotonic())
                if beside is not None:
                    told = {**where, **beside}
                    _LOG.error("a request failed through a fault of the gateway's", exc_info=error, extra=told)
        response = self._visitors.notice(request, kind, detail, line=line, cookies=cookies, reference=reference)
        if request.body_exists:
            # The body may be half read: what follows on this connection cannot be told from it.
            response.force_close()
        return response

    def _warn(self, event: str, kind: str, facts: Mapping[str, object]) -> None:
        """Log what visitors can provoke: in a flood, a line in a second."""
        beside = self._sampling.take(f"{event} {kind}", time.monotonic())
        if beside is not None:
            _LOG.warning(event, extra={"kind": kind, **facts, **beside})

    async def _own(self, request: web.BaseRequest, address: Address, client: Client) -> web.StreamResponse:
        """The visitors' endpoints; only in their plain spelling."""
        path = address.raw.partition("?")[0]
        language = pick_language(request.headers.get("Accept-Language"))
        answer = await self._visitors.answer(request, path, language, client.address)
        return answer or self._notice(request, "not_found", "there is no such page here")

    async def _room(self, request: web.BaseRequest, address: Address, client: Client, line: Line) -> web.StreamResponse:
        if DRILL_HEADER in request.headers:
            line.count("drill")
        agent = request.headers.get("User-Agent", "")
        # A backend may heed such a header, and then its method is not the one a rule was made for.
        rules = [rule for rule in line.rules if not rule.methods] if _overrides_method(request) else line.rules
        bypass = find_bypass(request.method, address.target, client.address, agent, rules)
        brought = self._visitors.read(request, line)
        # A knock that has lapsed says who asks, and brings nothing: whoever sends it again and again takes no seats.
        knock = brought.knocks_only
        newcomer = brought.empty or (knock is not None and not line.accepts(knock))
        manner = manner_of(request.method, request.headers) if newcomer else Manner.AT_ONCE
        if newcomer and manner is Manner.AT_ONCE and not self._newcomers.may_enter(client.address):
            manner = Manner.KNOCK
        standing = await self._visitors.stand(
            line, brought, rule=bypass.name if bypass else None, at_once=manner is Manner.AT_ONCE
        )
        match standing:
            case Through() | Inside():
                return await self._enter(request, address, client, line, standing)
            case InLine() | Knocking():
                return self._visitors.wait(request, line, standing, silent=manner is Manner.STRANGER)
            case Told():
                return self._visitors.tell(request, line, standing)
            case Refused(why):
                dropped = [cookies.drop_cookie(line.cookies.visitor_pass, secure=line.cookies.secure)]
                if manner is Manner.STRANGER:
                    dropped = []
                return self._notice(request, why.value, f"refused: {why.value}", line=line, cookies=dropped)
            case _ as unreachable:
                assert_never(unreachable)

    async def _enter(
        self, request: web.BaseRequest, address: Address, client: Client, line: Line, standing: Inside | Through
    ) -> web.StreamResponse:
        room = line.snapshot
        proof = self._proofs.make(line.name, room, standing)
        held = standing.visitor_pass if isinstance(standing, Inside) else None

        def inspect(status: int, headers: CIMultiDictProxy[str]) -> Cookies | Awaitable[Cookies]:
            """Heed what the backend says, and say which cookies to set."""
            self._take_stock(request, line, headers.get(STOCK_HEADER))
            return obey(status, headers) if COMMAND_HEADER in headers else answered(status)

        async def obey(status: int, headers: CIMultiDictProxy[str]) -> Cookies:
            words = [word.strip().lower() for word in ",".join(headers.getall(COMMAND_HEADER, ())).split(",")]
            ended = [await self._obey(request, line, held, word) for word in words if word]
            return answered(status, ended=any(ended))

        def answered(status: int, *, ended: bool = False) -> Cookies:
            failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
            if _note_served(line, standing, works=not failed) and failed and not ended and _is_opening(request):
                raise Unserved(f"the backend answered {status} to a pass it has not served yet")
            if ended:
                names = (line.cookies.visitor_pass, line.cookies.ticket)
                return [cookies.drop_cookie(name, secure=line.cookies.secure) for name in names]
            return self._visitors.admission_cookies(line, standing)

        try:
            holder = (line, held) if held is not None else None
            return await self._forward(request, address, client, proof=proof, holder=holder, inspect=inspect)
        except (BackendError, Unserved, BadFraming, BodyTimeout, BodyTooLarge, PassEnded, TooManyAtOnce) as error:
            if isinstance(error, BackendError):
                _note_served(line, standing, works=False)
            if request.writer.output_size:
                raise
            # Whoever was just admitted keeps the pass: the backend's trouble must not cost a turn.
            return self._failed(request, error, cookies=self._visitors.admission_cookies(line, standing))

    def _take_stock(self, request: web.BaseRequest, line: Line, sent: str | None) -> None:
        if sent is None:
            return
        left = stock_of(sent)
        if left is not None:
            line.watch.report(line.snapshot, left)
        else:
            self._warn("the backend sent a Sunbeon-Stock that is no number", "stock", _where(request))

    def _sold_out(self, room: Snapshot) -> None:
        self._audit.operated("sold_out", room.room, room.now_ms, by="backend", version=room.limits.version)

    async def _obey(self, request: web.BaseRequest, line: Line, held: Pass | None, word: str) -> bool:
        """Carry out one command of the backend's; True if it ended the pass. An unknown one is logged and ignored."""
        try:
            match Command(word):
                case Command.COMPLETE:
                    return held is not None and await line.end(held, "completed")
                case Command.REVOKE:
                    return held is not None and await line.end(held, "revoked")
                case Command.SOLD_OUT:
                    await line.within(asyncio.create_task(line.sell_out()))
                    return False
                case _ as unreachable:
                    assert_never(unreachable)
        except ValueError:
            self._warn("the backend sent an unknown Sunbeon-Command", "command", _where(request))
        except StoreError as error:
            # The backend's answer must still reach its visitor. The line tells the store when that is back.
            told = {**_where(request), "command": word, "why": error}
            self._warn("a command of the backend's waits for the store", word, told)
        return False

    async def _forward(
        self,
        request: web.BaseRequest,
        address: Address,
        client: Client,
        *,
        proof: str | None = None,
        holder: tuple[Line, Pass] | None = None,
        inspect: Inspect = add_nothing,
    ) -> web.StreamResponse:
        began_s = time.monotonic()

        def measure(status: int, headers: CIMultiDictProxy[str]) -> Cookies | Awaitable[Cookies]:
            took_s = time.monotonic() - began_s
            self._meters.backend_answered(status, took_s)
            line: Line | None = request.get(_LINE)
            if line is not None and not request.body_exists:  # how long a visitor takes to send one says nothing of it
                line.latency.add(took_s)
            return inspect(status, headers)

        errand = Errand(request, address.raw, address.host, client, request[_REQUEST_ID], proof, holder, measure)
        try:
            network = self._at_backend.enter(None if client.address == NOWHERE else str(client.address))
        except Crowded:
            raise TooManyAtOnce("too many requests of one network are under way") from None
        try:
            return await self._forwarder.forward(errand)
        except BackendError as error:
            self._meters.backend_failed(_how(error))
            raise
        finally:
            self._at_backend.leave(network)

    def _client(self, request: web.BaseRequest) -> Client:
        return identify(request.remote, request.headers, self._trusted, tls=self._tls, by_forwarded=self._by_forwarded)

    def _notice(
        self, request: web.BaseRequest, kind: str, detail: str, *, line: Line | None = None, cookies: Iterable[str] = ()
    ) -> web.Response:
        """Say one thing, as a page or as a problem document."""
        return self._visitors.notice(request, kind, detail, line=line, cookies=cookies)


def _exchange(request: web.BaseRequest, response: web.StreamResponse, began_s: float) -> Exchange:
    line: Line | None = request.get(_LINE)
    answered = response if isinstance(response, Answered) else None
    body = response.body if isinstance(response, web.Response) else None
    return Exchange(
        method=request.method,
        target=request.raw_path,
        request_id=request[_REQUEST_ID],
        traceparent=request.headers.get("traceparent"),
        room=line.name if line is not None else None,
        status=response.status,
        gate=None if answered else response.headers.get(GATE_HEADER),
        server=answered.server if answered else None,
        size=answered.size if answered else len(body) if isinstance(body, bytes) else 0,
        began_s=began_s,
        drill=request.headers.get(DRILL_HEADER),
    )


def _note_served(line: Line, standing: Inside | Through, *, works: bool) -> bool:
    """Have it known what the backend made of a pass on trial; False for any other."""
    if not isinstance(standing, Inside) or not line.is_on_trial(standing.visitor_pass, standing.grant):
        return False
    line.note_served(standing.visitor_pass, works=works)
    return True


def _is_opening(request: web.BaseRequest) -> bool:
    """Whether somebody opens a page: to ask for it again sends nothing twice."""
    return request.method in LOOKING and answers.wants_page(request)


def _where(request: web.BaseRequest) -> dict[str, object]:
    """Which request a line in the log is about."""
    line: Line | None = request.get(_LINE)
    return {
        "room": line.name if line else None,
        "request_id": request.get(_REQUEST_ID),
        "trace_id": trace_id_of(request.headers.get("traceparent")),
    }


def _kind(response: web.StreamResponse) -> str:
    """Of an answer, for the metrics."""
    if isinstance(response, Answered):
        return STREAMED if response.endless else FORWARDED
    return kind_of(response.headers.get(GATE_HEADER, ""))


def _how(error: BackendError) -> str:
    """Why there was no answer of the backend's, for the metrics."""
    if isinstance(error, BackendTimeout):
        return "timeout"
    return "unreachable" if isinstance(error.__cause__, OSError) else "broken"


def _overrides_method(request: web.BaseRequest) -> bool:
    return any(_METHOD_OVERRIDE.fullmatch(name) for name in request.headers)


def _is_last_hop(request: web.BaseRequest) -> bool:
    """Whether an OPTIONS request says that it goes no further (RFC 9110, 7.6.2)."""
    left = request.headers.get("Max-Forwards", "").encode("utf-8", "surrogateescape")
    return request.method == "OPTIONS" and hops_left(left) == 0


def read_address(request: web.BaseRequest) -> Address:
    """Where a request wants to go. Raises `AmbiguousTarget`.

    An absolute target (RFC 9112, 3.2.2) says the host itself; the backend gets its origin form.
    """
    hosts = request.headers.getall("Host", ())
    if len(hosts) > 1:
        raise AmbiguousTarget("the request names more than one host")
    host = hosts[0].strip() if hosts else ""
    raw = request.raw_path
    scheme, separator, rest = raw.partition("://")
    if separator and scheme.lower() in {"http", "https"}:
        end = _AUTHORITY_END.search(rest)
        host, raw = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
        if not raw.startswith("/"):
            # Without a path, it is the server as a whole that is asked for its options (RFC 9112, 3.2.4).
            raw = "*" if not raw and request.method == "OPTIONS" else "/" + raw
    if any(mark in host for mark in "/\\?#@% \t"):
        raise AmbiguousTarget("the host holds a character no host has")
    if raw == "*" and request.method == "OPTIONS":
        # Of the server as a whole (RFC 9112, 3.2.4): its root stands for it.
        return Address(raw, host, replace(read_target(host, "/"), path=raw))
    return Address(raw, host, read_target(host, raw.partition("?")[0]))
