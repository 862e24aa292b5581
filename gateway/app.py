"""The composition root of one worker process: everything is made here, handed to what needs it, and given back.

A worker serves two listeners, visitors and operators, and shares both ports with the other workers.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final, NamedTuple

from aiohttp import web
from prometheus_client import Metric

from gateway.access import AccessLog
from gateway.audit import Audit
from gateway.console.api import create_app as create_console
from gateway.edge.certificate import Certificate, Site
from gateway.edge.crowd import Crowd
from gateway.edge.descriptors import most_connections, raise_limit
from gateway.edge.desk import Desk
from gateway.edge.gate import Gate
from gateway.edge.hot import Hot
from gateway.edge.hot_forward import HotForward
from gateway.edge.line import Line
from gateway.edge.newcomers import Newcomers
from gateway.edge.overload import BACKLOG, Overload
from gateway.edge.proofs import Proofs
from gateway.edge.proxy.forward import Forwarder
from gateway.edge.proxy.servers import Upstreams
from gateway.edge.recorder import Recorder
from gateway.edge.regulars import Regulars, Trust
from gateway.edge.server import AppRunner, Server, limits_of
from gateway.edge.streams import Streams
from gateway.edge.visitors import Visitors
from gateway.history import History
from gateway.keys import KeyStore
from gateway.metrics import Meters, Pool, Seat, WorkerFacts, room_metrics, worker_metrics
from gateway.room.match import parse_networks
from gateway.settings import Gateway, Room, Settings
from gateway.store.base import QueueStore, StoreMisconfigured, StoreUnavailable
from gateway.store.batching import BatchingStore
from gateway.store.open import open_configured
from gateway.store.timed import timed
from gateway.tokens import Tokens
from shared.clock import Clock, now_ms
from shared.errors import SettingsError
from shared.rules.model import BadCalendar

_LOG: Final = logging.getLogger(__name__)

KEYS_LOOK_S: Final = 1.0
# How long an operator's request may go on when the visitors have been served.
OPERATORS_DRAIN_S: Final = 1.0
FLUSH_S: Final = 1.5


class Worker(NamedTuple):
    """What one process serves, visitors and operators; its streams, which must end before it can stop; its servers."""

    server: Server
    console: web.Application
    streams: Streams
    upstreams: Upstreams
    overload: Overload

    def leave(self) -> None:
        """Be ready no more, and have every answer end its connection; visitors are still served."""
        self.streams.stopping = True
        self.server.leaving = True


@asynccontextmanager
async def gateway(
    settings: Settings,
    *,
    operator_token: str,
    clock: Clock = now_ms,
    store: QueueStore | None = None,
    seat: Seat | None = None,
) -> AsyncIterator[Worker]:
    """A worker, working until the context ends.

    store: in place of the one the settings name. seat: where its metrics meet those of other workers. Raises
    `SettingsError` for a store that cannot be used as it is set, and `SunbeonError` or `OSError` for what cannot be
    opened now.
    """
    async with AsyncExitStack() as stack:
        tokens = Tokens(settings.gateway.operator_tokens_file, operator_token)
        audit = Audit(settings.gateway.audit_log, max_bytes=settings.gateway.audit_log_max_bytes)
        stack.callback(audit.close)
        access = AccessLog(settings.gateway.access_log, settings.gateway.access_log_share)
        stack.callback(access.close)
        history = History(settings.gateway.history_file, days=settings.gateway.history_days)
        stack.push_async_callback(history.close)
        keys = KeyStore(settings.gateway.keys_file)
        meters = Meters()
        chosen = store or open_configured(settings.gateway, os.environ)
        batching = BatchingStore(timed(chosen, meters.store_called))
        stack.push_async_callback(batching.close)
        lines = [_line(room, batching, settings.gateway, clock, meters) for room in settings.room]
        await asyncio.gather(*map(_start, lines))
        stack.push_async_callback(_flush, lines)
        upstreams = Upstreams(settings.upstream)
        await upstreams.start()
        stack.push_async_callback(upstreams.close)
        streams = Streams()
        await stack.enter_async_context(_task(streams.run(), "streams"))
        birth_dates = Newcomers(settings.gateway.birth_dates_per_network_per_minute, monotonic=time.monotonic)
        visitors = Visitors(lines, keys, audit, Desk(keys, audit, birth_dates))
        trusted = parse_networks(settings.gateway.trusted_proxies)
        forwarder = Forwarder(settings, upstreams, streams)
        proofs = Proofs(keys, lifetime_s=settings.upstream.pass_lifetime_s, clock=clock)
        at_backend = Crowd(settings.upstream.max_requests_per_network or -(-settings.upstream.max_connections // 4))
        trust = Trust(trusted, settings.gateway.https, settings.gateway.client_address_from == "forwarded")
        gate = Gate(
            lines,
            visitors,
            forwarder,
            proofs,
            audit,
            access,
            Newcomers(settings.gateway.direct_entries_per_network_per_minute, monotonic=time.monotonic),
            at_backend,
            meters,
            trusted=trusted,
            open_hosts=settings.gateway.open_hosts,
            tls=trust.tls,
            by_forwarded=trust.by_forwarded,
        )
        for line in lines:
            await stack.enter_async_context(_task(line.run(), f"line {line.name}"))
        await stack.enter_async_context(_task(_watch_keys(keys), "keys"))
        await stack.enter_async_context(_task(Recorder(lines, history).run(), "history"))
        hot_forward = HotForward(forwarder, proofs, Regulars(keys, at_backend, trust), at_backend, meters)
        hot = Hot(lines, visitors, keys, meters, limits_of(settings.gateway), hot_forward)
        await stack.enter_async_context(_task(hot.overload.watch(), "overload"))
        server = Server(
            gate.handle,
            settings.gateway,
            crowd=Crowd(settings.gateway.max_connections_per_network, trusted),
            handler_cancellation=True,
            # Every request has a line in the access log only on the ordinary path.
            hot=None if access.on else hot.answer,
            overload=hot.overload,
            most_connections=most_connections(
                settings.gateway.max_connections, upstream=settings.upstream.max_connections, files=raise_limit()
            ),
        )

        def facts() -> WorkerFacts:
            stock = {line.name: line.stock_left for line in lines}
            people = {line.name: line.people_waiting for line in lines}
            stores = [line.store_facts for line in lines]
            calendars = [line.calendar_facts for line in lines if line.calendar_facts is not None]
            return WorkerFacts(
                server.open_connections,
                {**server.refused, "busy": hot.overload.shed},
                len(streams),
                upstreams.state(),
                stock,
                stores,
                calendars,
                people,
                audit.facts,
            )

        pool = Pool(lambda: _measured(lines, facts(), meters), seat)
        await stack.enter_async_context(_task(pool.run(), "metrics"))
        await stack.enter_async_context(_task(meters.watch_loop(), "event loop"))

        console = create_console(
            lines,
            tokens,
            pool.scrape,
            draining=lambda: streams.stopping,
            book=audit,
            log=audit,
            kept=history,
            facts=facts,
            keys=lambda: keys.current.cookies,
            two_person_actions=settings.gateway.two_person_actions,
        )
        yield Worker(server, console, streams, upstreams, hot.overload)


async def serve(
    settings: Settings,
    visitors_socket: socket.socket,
    operators_socket: socket.socket,
    *,
    operator_token: str,
    ready: Callable[[], None],
    stop: asyncio.Event,
    seat: Seat | None = None,
) -> None:
    """Serve on the given sockets until `stop`; for `drain_delay_s` as one who leaves; then finish what is under way.

    The operators' listener stays to the end: until then it can be asked whether this worker is ready.
    """
    certificate = Certificate.of(settings.gateway)
    async with gateway(settings, operator_token=operator_token, seat=seat) as worker, AsyncExitStack() as stack:
        if certificate is not None:
            await stack.enter_async_context(_task(certificate.watch(), "certificate"))
        drain_s = settings.gateway.drain_s
        runners: list[web.BaseRunner] = [
            web.ServerRunner(worker.server, shutdown_timeout=drain_s),
            AppRunner(worker.console, settings.gateway, shutdown_timeout=min(drain_s, OPERATORS_DRAIN_S)),
        ]
        try:
            contexts = (certificate.context if certificate is not None else None, None)
            for runner, sock, context in zip(runners, (visitors_socket, operators_socket), contexts, strict=True):
                await runner.setup()
                await Site(runner, sock, backlog=BACKLOG, ssl_context=context).start()
            worker.overload.door = visitors_socket
            ready()
            await stop.wait()
            worker.leave()
            await asyncio.sleep(settings.gateway.drain_delay_s)
        finally:
            worker.overload.door = None
            worker.streams.stop()
            for runner in runners:
                await runner.cleanup()


def _measured(lines: Sequence[Line], facts: WorkerFacts, meters: Meters) -> Iterable[Metric]:
    yield from room_metrics([line.snapshot for line in lines], {line.name: line.prequeues for line in lines})
    yield from worker_metrics(facts)
    yield from meters.collect()


def _line(room: Room, store: BatchingStore, gateway: Gateway, clock: Clock, meters: Meters) -> Line:
    """Raises `SettingsError` for an eligibility calendar that cannot be used."""
    try:
        return Line(
            room,
            store,
            secure=gateway.https,
            wall=clock,
            patience_s=gateway.store_timeout_s,
            grace_s=gateway.pass_grace_s,
            meters=meters,
        )
    except BadCalendar as error:
        raise SettingsError([f"room.{room.name}.calendar: {problem}" for problem in error.problems]) from error


async def _flush(lines: Sequence[Line]) -> None:
    """Write what was counted, as far as that takes no longer than a worker has to go."""
    with suppress(TimeoutError):
        async with asyncio.timeout(FLUSH_S):
            await asyncio.gather(*(line.flush() for line in lines))


async def _start(line: Line) -> None:
    """Open a room, and say which setting it is about if that fails."""
    try:
        await line.start()
    except StoreMisconfigured as error:
        raise SettingsError([f"gateway.store: {error}"]) from error
    except StoreUnavailable as error:
        raise StoreUnavailable(f"gateway.store: {error}") from error


async def _watch_keys(keys: KeyStore) -> None:
    while True:
        await asyncio.sleep(KEYS_LOOK_S)
        if keys.refresh():
            _LOG.info("the key file was read again", extra={"signing": keys.current.cookies.current})


@asynccontextmanager
async def _task(work: Coroutine[None, None, None], name: str) -> AsyncIterator[None]:
    """Run a coroutine beside the body, cancelled with it."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
