"""Prometheus metrics.

Of the rooms: what the store last said, right with any number of workers. Of connections and servers: what the worker
that answers knows, labelled with its process id, because workers share the port.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gateway.room.forecast import RESULTS
from gateway.room.grading import share_within
from gateway.room.model import Prequeue, Snapshot
from gateway.room.stay import INSIDE_S

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# Of each room, its waves that have yet to join the line.
Prequeues = Callable[[], Mapping[str, Mapping[str, Prequeue]]]

_GAUGES: Final[Sequence[tuple[str, str, Callable[[Snapshot], int]]]] = (
    ("sunbeon_waiting_users", "Places not yet called, less those given up.", lambda room: room.waiting),
    ("sunbeon_active_users", "Live passes.", lambda room: room.live),
    ("sunbeon_active_users_limit", "Ceiling on live passes.", lambda room: room.in_force.total_active_users),
    ("sunbeon_new_users_per_minute_limit", "Outflow in force.", lambda room: room.in_force.new_users_per_minute),
    ("sunbeon_at_door_users", "Called and come, waiting for a seat.", lambda room: room.lane_waiting),
    ("sunbeon_last_number", "Last queue number issued in this epoch.", lambda room: room.tail),
    ("sunbeon_serving_place", "Highest place called.", lambda room: room.serving),
    ("sunbeon_settings_version", "Grows with every change of live settings.", lambda room: room.limits.version),
)


# Counters that tell something else than what happened to visitors.
_NO_EVENTS: Final = ("peak_", "estimate.", INSIDE_S)


class ServerFacts(Protocol):
    """One server of the backend, as one worker sees it."""

    @property
    def name(self) -> str: ...
    @property
    def healthy(self) -> bool: ...
    @property
    def resting(self) -> bool: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def idle(self) -> int: ...


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """The store of one room, as one worker finds it; counts are since its start.

    up: the last tick was made, and lately. age_s: since it was last heard from. skew_ms: this machine's wall clock less
    the store's. errors: by kind. grace: requests forwarded by a remembered pass. let_in: requests let in without the
    line. fails_open: whether that goes on.
    """

    room: str
    up: bool
    age_s: float
    skew_ms: int
    errors: Mapping[str, int]
    grace: int
    let_in: int
    fails_open: bool


@dataclass(frozen=True, slots=True)
class CalendarFacts:
    """The eligibility calendar of a room, as one worker has it. taken: it is what the file says."""

    room: str
    version: int
    taken: bool


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """connections: of visitors, open now. refused: requests and connections that never reached the gate, by kind.

    streams: WebSockets and event streams open now. stores: of each room.
    calendars: of each room that has one.
    By room, None where nobody knows: stock: what its backend last said it has left. people: who wait and are still
    there.
    """

    connections: int
    refused: Mapping[str, int]
    streams: int
    servers: Sequence[ServerFacts]
    stock: Mapping[str, int | None]
    stores: Sequence[StoreFacts] = ()
    calendars: Sequence[CalendarFacts] = ()
    people: Mapping[str, int | None] = field(default_factory=dict)


_SERVER_GAUGES: Final[Sequence[tuple[str, str, Callable[[ServerFacts], int]]]] = (
    (
        "sunbeon_backend_up",
        "1 if its health checks succeed (or there are none) and it does not rest.",
        lambda server: int(server.healthy and not server.resting),
    ),
    ("sunbeon_backend_requests_in_flight", "Requests it is at.", lambda server: server.in_flight),
    ("sunbeon_backend_idle_connections", "Connections kept open to it.", lambda server: server.idle),
)


_STORE_GAUGES: Final[Sequence[tuple[str, str, Callable[[StoreFacts], float]]]] = (
    ("sunbeon_store_up", "1 if the store answers this worker.", lambda store: int(store.up)),
    ("sunbeon_store_age_seconds", "Since the store was last heard from.", lambda store: store.age_s),
    ("sunbeon_clock_skew_ms", "This machine's wall clock less the store's.", lambda store: store.skew_ms),
    ("sunbeon_failing_open", "1 while people are let in without the line.", lambda store: int(store.fails_open)),
)
_STORE_COUNTERS: Final[Sequence[tuple[str, str, Callable[[StoreFacts], int]]]] = (
    ("sunbeon_grace_requests", "Forwarded by a remembered pass while the store was away.", lambda store: store.grace),
    ("sunbeon_fail_open", "Let in without the line while the store was away.", lambda store: store.let_in),
)


_CALENDAR_GAUGES: Final[Sequence[tuple[str, str, Callable[[CalendarFacts], int]]]] = (
    ("sunbeon_calendar_version", "Of the eligibility calendar in force.", lambda calendar: calendar.version),
    (
        "sunbeon_calendar_taken",
        "1 if that is what its file says; 0 if the file is bad, and the one before it stays.",
        lambda calendar: int(calendar.taken),
    ),
)


class WorkerCollector:
    """Collects from one worker."""

    def __init__(self, facts: Callable[[], WorkerFacts], worker: str) -> None:
        self._facts = facts
        self._worker = worker

    def collect(self) -> Iterable[Metric]:
        facts = self._facts()
        for name, text, value in (
            ("sunbeon_open_connections", "Connections of visitors.", facts.connections),
            ("sunbeon_open_streams", "WebSockets and event streams.", facts.streams),
        ):
            gauge = GaugeMetricFamily(name, text, labels=["worker"])
            gauge.add_metric([self._worker], value)
            yield gauge
        refused = CounterMetricFamily(
            "sunbeon_refused_at_listener", "Never reached the gate, by kind.", labels=["worker", "kind"]
        )
        for kind, number in sorted(facts.refused.items()):
            refused.add_metric([self._worker, kind], number)
        yield refused
        # All workers tell the same, but for some seconds.
        for name, text, known in (
            ("sunbeon_stock", "Left, as the backend last said.", facts.stock),
            ("sunbeon_people_waiting", "People with a place not yet called who were seen lately.", facts.people),
        ):
            gauge = GaugeMetricFamily(name, text, labels=["room"])
            for room, amount in sorted(known.items()):
                if amount is not None:
                    gauge.add_metric([room], amount)
            yield gauge
        for name, text, read in _SERVER_GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=["worker", "server"])
            for server in facts.servers:
                gauge.add_metric([self._worker, server.name], read(server))
            yield gauge
        yield from self._stores(facts.stores)
        for name, text, of in _CALENDAR_GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=["worker", "room"])
            for calendar in facts.calendars:
                gauge.add_metric([self._worker, calendar.room], of(calendar))
            yield gauge

    def _stores(self, stores: Sequence[StoreFacts]) -> Iterable[Metric]:
        for name, text, measure in _STORE_GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=["worker", "room"])
            for store in stores:
                gauge.add_metric([self._worker, store.room], measure(store))
            yield gauge
        for name, text, count in _STORE_COUNTERS:
            counter = CounterMetricFamily(name, text, labels=["worker", "room"])
            for store in stores:
                counter.add_metric([self._worker, store.room], count(store))
            yield counter
        errors = CounterMetricFamily(
            "sunbeon_store_errors", "Calls to the store that failed, by kind.", labels=["worker", "room", "kind"]
        )
        for store in stores:
            for kind, number in sorted(store.errors.items()):
                errors.add_metric([self._worker, store.room, kind], number)
        yield errors


class RoomCollector:
    """Collects from the newest snapshots."""

    def __init__(self, snapshots: Callable[[], Iterable[Snapshot]], prequeues: Prequeues) -> None:
        self._snapshots = snapshots
        self._prequeues = prequeues

    def collect(self) -> Iterable[Metric]:
        rooms = list(self._snapshots())
        for name, text, read in _GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=["room"])
            for room in rooms:
                gauge.add_metric([room.room], read(room))
            yield gauge
        graded = CounterMetricFamily(
            "sunbeon_estimates", "Estimates shown, by what the wait turned out to be.", labels=["room", "result"]
        )
        share = GaugeMetricFamily(
            "sunbeon_estimates_within_ratio", "Of those not changed by operators, within the range.", labels=["room"]
        )
        for room in rooms:
            for result in (*RESULTS, "changed"):
                graded.add_metric([room.room, result], room.counters.get(f"estimate.{result}", 0))
            within = share_within(room)
            if within is not None:
                share.add_metric([room.room], within)
        yield from (graded, share)
        yield self._waves()
        events = CounterMetricFamily(
            "sunbeon_events", "What happened to visitors, by kind, since the room was made.", labels=["room", "event"]
        )
        for room in rooms:
            for event, number in sorted(room.counters.items()):
                if not event.startswith(_NO_EVENTS):
                    events.add_metric([room.room, event], number)
        yield events

    def _waves(self) -> Metric:
        waves = GaugeMetricFamily(
            "sunbeon_prequeue_users", "Lined up for a window that is still to open.", labels=["room", "wave"]
        )
        for room, found in self._prequeues().items():
            for wave, prequeue in sorted(found.items()):
                waves.add_metric([room, wave], prequeue.waiting)
        return waves


def render(
    snapshots: Callable[[], Iterable[Snapshot]],
    facts: Callable[[], WorkerFacts] | None = None,
    worker: str = "",
    prequeues: Prequeues = dict,
) -> bytes:
    """The exposition text. facts: of this process, whose name is `worker`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(RoomCollector(snapshots, prequeues))
    if facts is not None:
        registry.register(WorkerCollector(facts, worker))
    return generate_latest(registry)
