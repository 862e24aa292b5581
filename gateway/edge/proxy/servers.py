"""The servers behind the gateway, and the connections to them.

`Upstreams.borrow` lends a connection to the server that is next (`balance`), kept open from an earlier exchange or new,
and takes it back. A server that cannot be reached is passed over for another: nothing was sent, so nothing can happen
twice. What is thought of each server is `health`'s, which addresses it has is `resolve`'s.
"""

import asyncio
import logging
import math
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from gateway.edge.proxy.balance import Balance, Candidate, LeastConnections, RoundRobin
from gateway.edge.proxy.check import watch, why
from gateway.edge.proxy.connection import Connection
from gateway.edge.proxy.errors import BackendError, BackendTimeout
from gateway.edge.proxy.health import Attempt, Health, Verdict
from gateway.edge.proxy.resolve import Addresses, Resolve, resolve
from gateway.settings import Upstream, parse_origin
from shared.errors import SettingsError

_LOG: Final = logging.getLogger(__name__)

# How often connections that were kept too long are closed and names looked after.
TIDY_S: Final = 1.0


class ServerState(NamedTuple):
    """One server, for metrics and console. failures: in a row; idle: connections kept open."""

    name: str
    healthy: bool
    resting: bool
    in_flight: int
    idle: int
    failures: int


class _Kept(NamedTuple):
    connection: Connection
    address: str
    since_s: float


class Server:
    """One entry of `upstream.servers`. host: the Host header to send if the settings override it, else None."""

    def __init__(
        self,
        name: str,
        settings: Upstream,
        *,
        tls: ssl.SSLContext | None,
        monotonic: Callable[[], float],
        resolve: Resolve = resolve,
    ) -> None:
        self.name = name
        self.host = settings.host
        self.origin = parse_origin(name)
        self.health = Health(settings)
        self.in_flight = 0
        self._tls = tls if self.origin.tls else None
        self._tls_name = (settings.tls_server_name or self.origin.host) if self.origin.tls else None
        self._connect_timeout_s = settings.connect_timeout_s
        self._most_idle = settings.max_idle_connections
        self._longest_idle_s = settings.idle_connection_s
        self._monotonic = monotonic
        self._kept: list[_Kept] = []
        self._addresses: Addresses | None = None
        if self.origin.path is None:
            self._addresses = Addresses(
                self.origin.host, refresh_s=settings.dns_refresh_s, monotonic=monotonic, resolve=resolve
            )

    def candidate(self, number: int) -> Candidate:
        now_s = self._monotonic()
        return Candidate(number, self.health.standing(now_s), self.in_flight, self.health.share(now_s))

    def state(self) -> ServerState:
        now_s = self._monotonic()
        idle = sum(self._is_fit(kept, now_s) for kept in self._kept)
        resting = self.health.resting(now_s)
        return ServerState(self.name, self.health.up, resting, self.in_flight, idle, self.health.failures)

    async def connect(self, timeout_s: float | None = None) -> tuple[Connection, str]:
        """A new connection and the address it goes to. Raises OSError, TimeoutError among them.

        The time is for all its addresses together: each gets an even part of what the ones before it left.
        """
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + (timeout_s or self._connect_timeout_s)
        async with asyncio.timeout_at(deadline_s):
            if self._addresses is None:
                path = self.origin.path
                assert path is not None  # noqa: S101 - one of the two is there
                return (await loop.create_unix_connection(lambda: Connection(loop), path))[1], path
            addresses = await self._addresses.in_turn()
        failure: OSError | None = None
        for index, address in enumerate(addresses):
            now_s = loop.time()
            try:
                async with asyncio.timeout_at(now_s + (deadline_s - now_s) / (len(addresses) - index)):
                    _, connection = await loop.create_connection(
                        lambda: Connection(loop),
                        address,
                        self.origin.port,
                        ssl=self._tls,
                        server_hostname=self._tls_name,
                    )
            except OSError as error:
                self._addresses.mark(address, reached=False)
                # A plain refusal says more than the time that ran out at another address.
                failure = error if failure is None or isinstance(failure, TimeoutError) else failure
            else:
                self._addresses.mark(address, reached=True)
                return connection, address
        raise failure or OSError("no address is known")

    def lease_kept(self, idle_s: float) -> "Lease | None":
        """A kept connection, idle for less than `idle_s`, if there is one; to be returned by `give_back`."""
        if not self._kept:
            return None
        now_s = self._monotonic()
        kept = self._take(idle_s, now_s)
        return None if kept is None else Lease(kept.connection, self, True, kept.address, self._begin(now_s))

    async def lease_new(self) -> "Lease":
        """A new one, to be returned likewise. Raises OSError if the server cannot be reached."""
        attempt = self._begin(self._monotonic())
        try:
            connection, address = await self.connect()
        except BaseException as error:
            if isinstance(error, OSError):
                self.failed(attempt, why(error), refused=True)
            self._end(attempt)
            raise
        return Lease(connection, self, False, address, attempt)

    def give_back(self, lease: "Lease") -> None:
        """The exchange is over; its connection is kept if it is fit for another."""
        self._end(lease.attempt)
        # Idle: nothing was begun with it, or its end was seen to already.
        if lease.connection.idle or lease.connection.finish():
            self._keep(lease.connection, lease.address)

    def tidy(self) -> None:
        """Close the connections that are no longer fit; see to the name."""
        kept, self._kept = self._kept, []
        now_s = self._monotonic()
        for each in kept:
            if self._is_fit(each, now_s):
                self._kept.append(each)
            else:
                each.connection.abort()
        if self._addresses is not None and self._addresses.known:
            self._addresses.refresh()

    async def close(self) -> None:
        """Close the idle connections; those in use are closed when they are given back."""
        self._most_idle = 0
        self._close_idle()
        if self._addresses is not None:
            await self._addresses.close()

    def _begin(self, now_s: float) -> Attempt:
        self.in_flight += 1
        return self.health.begin(now_s)

    def _end(self, attempt: Attempt) -> None:
        self.in_flight -= 1
        self.health.end(attempt)

    def _take(self, idle_s: float, now_s: float) -> _Kept | None:
        """The connection that was kept last, if it was idle for less than `idle_s` and is still fit for an exchange."""
        while self._kept and now_s - self._kept[-1].since_s < idle_s:
            kept = self._kept.pop()
            if self._is_fit(kept, now_s):
                return kept
            kept.connection.abort()
        return None

    def _keep(self, connection: Connection, address: str) -> None:
        now_s = self._monotonic()
        if not self._most_idle or not self.health.up or self.health.resting(now_s):
            connection.abort()
            return
        if len(self._kept) >= self._most_idle:
            self.tidy()
            if len(self._kept) >= self._most_idle:
                self._kept.pop(0).connection.abort()
        self._kept.append(_Kept(connection, address, now_s))

    def _close_idle(self) -> None:
        kept, self._kept = self._kept, []
        for each in kept:
            each.connection.abort()

    def _is_fit(self, kept: _Kept, now_s: float) -> bool:
        return (
            kept.connection.idle
            and now_s - kept.since_s < self._longest_idle_s
            and (self._addresses is None or kept.address in self._addresses.known)
        )

    # What came of a request or a check, and a line in the log where it changes what is thought of the server.

    def succeeded(self, attempt: Attempt) -> None:
        if self.health.succeeded(attempt, self._monotonic()):
            _LOG.info("a server of the backend is back", extra={"server": self.name})

    def failed(self, attempt: Attempt, why: str, *, refused: bool = False) -> None:
        rest_s = self.health.failed(attempt, self._monotonic(), refused=refused)
        if rest_s is not None:
            self._close_idle()
            _LOG.warning("a server of the backend rests", extra={"server": self.name, "why": why, "rest_s": rest_s})

    def checked(self, verdict: Verdict, why: str) -> None:
        if not self.health.checked(verdict, self._monotonic()):
            return
        if self.health.up:
            _LOG.info("a server of the backend is healthy again", extra={"server": self.name, "why": why})
        else:
            self._close_idle()
            why_not = {"server": self.name, "why": why}
            _LOG.warning("a server of the backend gets no requests while another is healthy", extra=why_not)


@dataclass(slots=True)
class Lease:
    """A connection for one exchange. reused: it has carried others. Say what came of it, if anything did."""

    connection: Connection
    server: Server
    reused: bool
    address: str
    attempt: Attempt

    def succeeded(self) -> None:
        """The server answered."""
        self.server.succeeded(self.attempt)

    def failed(self) -> None:
        """It broke off, timed out or spoke nonsense. Not for a kept connection it closed before a byte of an answer."""
        self.server.failed(self.attempt, "requests in a row failed")


class _Free(asyncio.Semaphore):
    """First come, first served; whoever gives up or is cancelled passes on what it was given."""

    def take(self) -> bool:
        """Take one, if one is free and nobody waits for it: `acquire` without a wait."""
        if self._value == 0 or (self._waiters and self.locked()):
            return False
        self._value -= 1
        return True


class Upstreams:
    """All servers. Raises `SettingsError` if the file with the CAs cannot be used."""

    def __init__(
        self, settings: Upstream, *, monotonic: Callable[[], float] = time.monotonic, resolve: Resolve = resolve
    ) -> None:
        tls = tls_context(settings)
        self._settings = settings
        self._servers = [
            Server(name, settings, tls=tls, monotonic=monotonic, resolve=resolve) for name in settings.servers
        ]
        self._all = dict(enumerate(self._servers))
        self._balance: Balance = LeastConnections() if settings.balance == "least_connections" else RoundRobin()
        self._free = _Free(settings.max_connections)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin the health checks."""
        if not self._settings.tls_verify:
            _LOG.warning(
                "the backend's certificates are NOT checked (upstream.tls_verify): anyone in between can pose as it"
            )
        work: list[Coroutine[Any, Any, None]] = [self._tidy()]
        if self._settings.health_path is not None:
            work += [watch(server, self._settings) for server in self._servers]
        self._tasks = [asyncio.create_task(each) for each in work]

    async def close(self) -> None:
        """End the tasks and close the idle connections; those in use are closed when they are given back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers:
            await server.close()

    def state(self) -> list[ServerState]:
        return [server.state() for server in self._servers]

    @asynccontextmanager
    async def lease(self, *, idle_s: float = math.inf) -> AsyncIterator[Lease]:
        """`borrow`, given back at the end of the context."""
        lease = await self.borrow(idle_s=idle_s)
        try:
            yield lease
        finally:
            self.give_back(lease)

    async def borrow(self, *, idle_s: float = math.inf) -> Lease:
        """A connection to the server that is next: one kept that was idle for less than `idle_s`, or a new one.

        Each server that cannot be reached is passed over for another, and tried once at most. Raises `BackendError` if
        none can, `BackendTimeout` if the time ran out at each, or before one of `max_connections` came free. To be
        given back.
        """
        if not self._free.take():
            await self._wait_for_one()
        try:
            return await self._reach(idle_s=idle_s)
        except BaseException:
            self._free.release()
            raise

    def borrow_kept(self) -> Lease | None:
        """As `borrow`, where nothing has to be waited for: there is room, and the next server has one."""
        if not self._free.take():
            return None
        lease = self._servers[self._choose(self._all)].lease_kept(math.inf)
        if lease is None:
            self._free.release()
        return lease

    def give_back(self, lease: Lease) -> None:
        """The exchange is over."""
        try:
            lease.server.give_back(lease)
        finally:
            self._free.release()

    async def _wait_for_one(self) -> None:
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await self._free.acquire()
        except TimeoutError:
            raise BackendTimeout("every connection to the backend is in use") from None

    async def _reach(self, *, idle_s: float) -> Lease:
        untried = dict(self._all)
        failures: list[OSError] = []
        while untried:
            server = untried.pop(self._choose(untried))
            try:
                return server.lease_kept(idle_s) or await server.lease_new()
            except OSError as error:
                failures.append(error)
        if all(isinstance(failure, TimeoutError) for failure in failures):
            raise BackendTimeout("no server of the backend could be reached in time") from failures[-1]
        raise BackendError("no server of the backend could be reached") from failures[-1]

    def _choose(self, untried: Mapping[int, Server]) -> int:
        if len(untried) == 1:
            return next(iter(untried))
        return self._balance.choose([server.candidate(number) for number, server in untried.items()]).number

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_S)
            for server in self._servers:
                server.tidy()


def tls_context(settings: Upstream) -> ssl.SSLContext | None:
    """How https servers are spoken to; None if there are none. Raises `SettingsError` naming the file."""
    if not any(parse_origin(server).tls for server in settings.servers):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca_file)
    except OSError as error:
        reason = (
            error.strerror if error.strerror and not isinstance(error, ssl.SSLError) else "holds no certificate in PEM"
        )
        raise SettingsError([f"upstream.tls_ca_file: {settings.tls_ca_file}: {reason}"]) from None
    context.set_alpn_protocols(["http/1.1"])
    if not settings.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
