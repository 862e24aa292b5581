"""Prometheus metrics of the rooms, read from what the store last said: right with any number of workers."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gateway.room.model import Snapshot

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_GAUGES: Final[Sequence[tuple[str, str, Callable[[Snapshot], int]]]] = (
    ("sunbeon_waiting_users", "People with a place not yet called.", lambda room: room.waiting),
    ("sunbeon_active_users", "Live passes.", lambda room: room.live),
    ("sunbeon_active_users_limit", "Ceiling on live passes.", lambda room: room.limits.total_active_users),
    ("sunbeon_new_users_per_minute_limit", "Outflow as set.", lambda room: room.limits.new_users_per_minute),
    ("sunbeon_at_door_users", "Called and come, waiting for a seat.", lambda room: room.lane_waiting),
    ("sunbeon_last_number", "Last queue number issued in this epoch.", lambda room: room.tail),
    ("sunbeon_serving_place", "Highest place called.", lambda room: room.serving),
    ("sunbeon_settings_version", "Grows with every change of live settings.", lambda room: room.limits.version),
)


class RoomCollector:
    """Collects from the newest snapshots."""

    def __init__(self, snapshots: Callable[[], Iterable[Snapshot]]) -> None:
        self._snapshots = snapshots

    def collect(self) -> Iterable[Metric]:
        rooms = list(self._snapshots())
        for name, text, read in _GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=["room"])
            for room in rooms:
                gauge.add_metric([room.room], read(room))
            yield gauge
        events = CounterMetricFamily(
            "sunbeon_events", "What happened to visitors, by kind, since the room was made.", labels=["room", "event"]
        )
        for room in rooms:
            for event, number in sorted(room.counters.items()):
                if not event.startswith("peak_"):
                    events.add_metric([room.room, event], number)
        yield events


def render(snapshots: Callable[[], Iterable[Snapshot]]) -> bytes:
    """The exposition text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(RoomCollector(snapshots))
    return generate_latest(registry)
