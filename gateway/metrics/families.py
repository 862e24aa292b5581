"""Every metric there is: its name, kind and labels, what it means, and how the workers' values become one.

docs/metrics.md is this table; nothing is told to Prometheus that is not in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from prometheus_client import Metric


class Joined(StrEnum):
    """How the values of several workers become the gateway's.

    SAME: all tell the same of a room, but for a moment; the highest counts. So do all gateways. WIDEST: the one
    furthest from 0.
    """

    SAME = "same"
    SUM = "sum"
    MAX = "max"
    MIN = "min"
    WIDEST = "widest"


@dataclass(frozen=True, slots=True)
class Family:
    """kind: as Prometheus has it. Counters and histograms that are summed never go back when a worker is replaced."""

    name: str
    kind: str
    joined: Joined
    labels: tuple[str, ...]
    text: str

    @property
    def lasts(self) -> bool:
        """Whether what a worker counted still counts when it is gone."""
        return self.joined is Joined.SUM and self.kind in {"counter", "histogram"}

    def sample_name(self) -> str:
        return f"{self.name}_total" if self.kind == "counter" else self.name


_SAME, _SUM, _MAX, _MIN = Joined.SAME, Joined.SUM, Joined.MAX, Joined.MIN
_ROOM: Final = ("room",)


def _table(*families: Family) -> Mapping[str, Family]:
    return MappingProxyType({family.name: family for family in families})


FAMILIES: Final = _table(
    # The rooms: what the store last said.
    Family("sunbeon_room_state", "gauge", _SAME, ("room", "state"), "1 for the state the room is in."),
    Family("sunbeon_waiting_users", "gauge", _SAME, _ROOM, "Places not yet called, less those given up."),
    Family(
        "sunbeon_people_waiting", "gauge", _SAME, _ROOM, "People with a place not yet called who were seen lately."
    ),
    Family("sunbeon_at_door_users", "gauge", _SAME, _ROOM, "Called and come, waiting for a seat."),
    Family("sunbeon_active_users", "gauge", _SAME, _ROOM, "Live passes."),
    Family("sunbeon_active_users_limit", "gauge", _SAME, _ROOM, "Ceiling on live passes."),
    Family("sunbeon_new_users_per_minute_limit", "gauge", _SAME, _ROOM, "Outflow in force, people a minute."),
    Family("sunbeon_last_number", "gauge", _SAME, _ROOM, "Last queue number issued in this epoch."),
    Family("sunbeon_serving_place", "gauge", _SAME, _ROOM, "Highest place called."),
    Family("sunbeon_prequeue_users", "gauge", _SAME, ("room", "wave"), "Lined up for a window that is still to open."),
    Family("sunbeon_stock", "gauge", _SAME, _ROOM, "Left, as the backend last said."),
    Family("sunbeon_settings_version", "gauge", _SAME, _ROOM, "Grows with every change of live settings."),
    Family(
        "sunbeon_events", "counter", _SAME, ("room", "event"),
        "What happened to visitors, by kind, since the room was made.",
    ),
    Family(
        "sunbeon_estimates", "counter", _SAME, ("room", "result"),
        "Estimates shown, by what the wait turned out to be.",
    ),
    Family(
        "sunbeon_estimates_within_ratio", "gauge", _SAME, _ROOM,
        "Share of the estimates not changed by operators that was within its range.",
    ),
    # Requests of visitors.
    Family(
        "sunbeon_request_duration_seconds", "histogram", _SUM, ("kind",),
        "From a request read to its answer: sent, if it is the backend's (forward, stream), else ready to be sent "
        "(waiting, status, board, eligibility, refused, failed, other).",
    ),
    Family("sunbeon_open_connections", "gauge", _SUM, (), "Connections of visitors."),
    Family("sunbeon_open_streams", "gauge", _SUM, (), "WebSockets and event streams."),
    Family("sunbeon_refused_at_listener", "counter", _SUM, ("kind",), "Never reached the gate, by kind."),
    # The way to the backend.
    Family(
        "sunbeon_backend_up", "gauge", _MIN, ("server",),
        "1 if its health checks succeed (or there are none) and it does not rest.",
    ),
    Family(
        "sunbeon_backend_response_seconds", "histogram", _SUM, (),
        "From a request let through to the head of the backend's answer; waiting for a connection counts.",
    ),
    Family(
        "sunbeon_backend_answers", "counter", _SUM, ("result",),
        "By class (2xx, ...); or why there was none: timeout, unreachable, broken.",
    ),
    Family("sunbeon_backend_requests_in_flight", "gauge", _SUM, ("server",), "Requests it is at."),
    Family("sunbeon_backend_idle_connections", "gauge", _SUM, ("server",), "Connections kept open to it."),
    # The store.
    Family("sunbeon_store_up", "gauge", _MIN, _ROOM, "1 if the store answers."),
    Family("sunbeon_store_age_seconds", "gauge", _MAX, _ROOM, "Since the store was last heard from."),
    Family(
        "sunbeon_store_call_duration_seconds", "histogram", _SUM, ("operation",),
        "Calls to the store, answered or failed; most carry many visitors' questions.",
    ),
    Family("sunbeon_store_errors", "counter", _SUM, ("room", "kind"), "Calls to the store that failed, by kind."),
    Family(
        "sunbeon_clock_skew_seconds", "gauge", Joined.WIDEST, _ROOM, "This machine's wall clock less the store's."
    ),
    Family(
        "sunbeon_grace_requests", "counter", _SUM, _ROOM,
        "Forwarded by a remembered pass while the store was away.",
    ),
    Family("sunbeon_fail_open", "counter", _SUM, _ROOM, "Let in without the line while the store was away."),
    Family("sunbeon_failing_open", "gauge", _MAX, _ROOM, "1 while people are let in without the line."),
    Family("sunbeon_tick_duration_seconds", "histogram", _SUM, (), "How long a tick of a room takes."),
    Family("sunbeon_tick_lateness_seconds", "histogram", _SUM, (), "How much later than due a tick begins."),
    # Files.
    Family(
        "sunbeon_audit_lines", "counter", _SUM, ("result",),
        "Lines of the audit log: chained, unchained (it was locked), failed (not written), left_out (in a flood).",
    ),
    Family("sunbeon_calendar_version", "gauge", _MAX, _ROOM, "Of the eligibility calendar in force."),
    Family(
        "sunbeon_calendar_taken", "gauge", _MIN, _ROOM,
        "1 if that is what its file says; 0 if the file is bad, and the one before it stays.",
    ),
    # The processes.
    Family("sunbeon_workers", "gauge", _SUM, (), "Worker processes that are alive."),
    Family("sunbeon_worker_restarts", "counter", _SUM, (), "Workers that took the place of one that was gone."),
    Family(
        "sunbeon_event_loop_lag_seconds", "histogram", _SUM, (),
        "How much later than asked for a worker comes round to things, looked at once a second.",
    ),
    Family("sunbeon_build_info", "gauge", _MAX, ("version",), "1, and which version runs."),
    Family("process_cpu_seconds", "counter", _SUM, (), "User and system time of all workers."),
    Family("process_resident_memory_bytes", "gauge", _SUM, (), "Of all workers; what they share counts for each."),
    Family("process_virtual_memory_bytes", "gauge", _SUM, (), "Of all workers."),
    Family("process_start_time_seconds", "gauge", _MAX, (), "When the newest worker was started, Unix time."),
    Family("process_open_fds", "gauge", _MAX, (), "Open files and connections of the worker that has most."),
    Family("process_max_fds", "gauge", _MIN, (), "How many a worker may have."),
)  # fmt: skip


def metric(name: str, values: Iterable[tuple[Sequence[str], float]]) -> Metric:
    """A family of the table with its values: labels, in the table's order, and number."""
    family = FAMILIES[name]
    made = Metric(name, family.text, family.kind)
    for labels, value in values:
        made.add_sample(family.sample_name(), dict(zip(family.labels, labels, strict=True)), value)
    return made
