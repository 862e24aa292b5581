"""The metrics of one worker: its connections, the servers behind it, the store as it finds it, its files."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from prometheus_client import Metric

from gateway.metrics.facts import CalendarFacts, ServerFacts, StoreFacts, WorkerFacts
from gateway.metrics.families import metric

_SERVER: Final[Sequence[tuple[str, Callable[[ServerFacts], int]]]] = (
    ("sunbeon_backend_up", lambda server: server.healthy and not server.resting),
    ("sunbeon_backend_requests_in_flight", lambda server: server.in_flight),
    ("sunbeon_backend_idle_connections", lambda server: server.idle),
)
_STORE: Final[Sequence[tuple[str, Callable[[StoreFacts], float]]]] = (
    ("sunbeon_store_up", lambda store: store.up),
    ("sunbeon_store_age_seconds", lambda store: store.age_s),
    ("sunbeon_clock_skew_seconds", lambda store: store.skew_ms / 1000),
    ("sunbeon_failing_open", lambda store: store.fails_open),
    ("sunbeon_grace_requests", lambda store: store.grace),
    ("sunbeon_fail_open", lambda store: store.let_in),
)
_CALENDAR: Final[Sequence[tuple[str, Callable[[CalendarFacts], int]]]] = (
    ("sunbeon_calendar_version", lambda calendar: calendar.version),
    ("sunbeon_calendar_taken", lambda calendar: calendar.taken),
)


def worker_metrics(facts: WorkerFacts) -> Iterable[Metric]:
    """All families of this worker."""
    yield metric("sunbeon_open_connections", [((), facts.connections)])
    yield metric("sunbeon_open_streams", [((), facts.streams)])
    yield metric("sunbeon_refused_at_listener", [((kind,), number) for kind, number in facts.refused.items()])
    yield metric("sunbeon_stock", _known(facts.stock))
    yield metric("sunbeon_people_waiting", _known(facts.people))
    for name, of_server in _SERVER:
        yield metric(name, [((server.name,), of_server(server)) for server in facts.servers])
    for name, of_store in _STORE:
        yield metric(name, [((store.room,), of_store(store)) for store in facts.stores])
    errors = [((store.room, kind), number) for store in facts.stores for kind, number in store.errors.items()]
    yield metric("sunbeon_store_errors", errors)
    for name, of_calendar in _CALENDAR:
        yield metric(name, [((calendar.room,), of_calendar(calendar)) for calendar in facts.calendars])
    yield metric("sunbeon_audit_lines", [((result,), number) for result, number in asdict(facts.audit).items()])


def _known(amounts: Mapping[str, int | None]) -> list[tuple[Sequence[str], float]]:
    return [((room,), amount) for room, amount in amounts.items() if amount is not None]
