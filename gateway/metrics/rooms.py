"""The metrics of rooms: what the store last said, the same from every worker of every gateway."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from prometheus_client import Metric

from gateway.metrics.families import metric
from gateway.room.forecast import RESULTS
from gateway.room.grading import share_within
from gateway.room.model import Prequeue, Snapshot
from gateway.room.stay import INSIDE_S, STAY_FROM
from shared.wire import RoomState

# Of each room, its waves that have yet to join the line.
Prequeues = Mapping[str, Mapping[str, Prequeue]]

_GAUGES: Final[Sequence[tuple[str, Callable[[Snapshot], int]]]] = (
    ("sunbeon_waiting_users", lambda room: room.waiting),
    ("sunbeon_active_users", lambda room: room.live),
    ("sunbeon_active_users_limit", lambda room: room.in_force.total_active_users),
    ("sunbeon_new_users_per_minute_limit", lambda room: room.in_force.new_users_per_minute),
    ("sunbeon_at_door_users", lambda room: room.lane_waiting),
    ("sunbeon_last_number", lambda room: room.tail),
    ("sunbeon_serving_place", lambda room: room.serving),
    ("sunbeon_settings_version", lambda room: room.limits.version),
)

# Counters that tell something else than what happened to visitors.
_NO_EVENTS: Final = ("peak_", "estimate.", INSIDE_S, STAY_FROM)


def room_metrics(rooms: Sequence[Snapshot], prequeues: Prequeues) -> Iterable[Metric]:
    """All families of these rooms."""
    for name, read in _GAUGES:
        yield metric(name, [((room.room,), read(room)) for room in rooms])
    states = [((room.room, state.value), room.state is state) for room in rooms for state in RoomState]
    yield metric("sunbeon_room_state", states)
    results = (*RESULTS, "changed")
    graded = [((room.room, each), room.counters.get(f"estimate.{each}", 0)) for room in rooms for each in results]
    yield metric("sunbeon_estimates", graded)
    within = [((room.room,), share) for room in rooms if (share := share_within(room)) is not None]
    yield metric("sunbeon_estimates_within_ratio", within)
    waves = [
        ((room, wave), prequeue.waiting)
        for room, found in prequeues.items()
        for wave, prequeue in sorted(found.items())
    ]
    yield metric("sunbeon_prequeue_users", waves)
    yield metric(
        "sunbeon_events",
        [
            ((room.room, event), number)
            for room in rooms
            for event, number in sorted(room.counters.items())
            if not event.startswith(_NO_EVENTS)
        ],
    )
