"""Writes the dashboard for Grafana: `python -m gateway.tests.dashboard > deploy/grafana/sunbeon.json`.

Every gateway tells the same of a room: rooms are asked by max. Anything else is one gateway's own.
"""

import json
from itertools import count
from typing import Any, Final, NamedTuple

SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
WIDTH: Final = 8
HEIGHT: Final = 8
PER_ROW: Final = 3


class Panel(NamedTuple):
    """unit: as Grafana calls it. lines: expression and legend."""

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]


def _room(name: str, labels: str = "") -> str:
    return f'max by (room) ({name}{{room=~"$room"{labels}}})'


def _event(event: str) -> str:
    return f'60 * max by (room) (rate(sunbeon_events_total{{room=~"$room", event="{event}"}}[1m]))'


def _events(pattern: str) -> str:
    return f'60 * max by (room, event) (rate(sunbeon_events_total{{room=~"$room", event=~"{pattern}"}}[1m]))'


def _quantile(share: float, name: str, by: str = "") -> str:
    labels = "le" + (f", {by}" if by else "")
    return f"histogram_quantile({share}, sum by ({labels}) (rate({name}_bucket[1m])))"


_FAILED: Final = 'sum(rate(sunbeon_backend_answers_total{result=~"5xx|timeout|unreachable|broken"}[1m]))'

ROWS: Final[tuple[tuple[str, tuple[Panel, ...]], ...]] = (
    (
        "The line",
        (
            Panel(
                "Waiting",
                "short",
                (
                    (_room("sunbeon_waiting_users"), "{{room}}: places"),
                    (_room("sunbeon_people_waiting"), "{{room}}: people there"),
                    (_room("sunbeon_at_door_users"), "{{room}}: at the door"),
                ),
            ),
            Panel(
                "Inside and ceiling",
                "short",
                (
                    (_room("sunbeon_active_users"), "{{room}}: inside"),
                    (_room("sunbeon_active_users_limit"), "{{room}}: ceiling"),
                ),
            ),
            Panel(
                "Last number and serving",
                "none",
                (
                    (_room("sunbeon_last_number"), "{{room}}: last number"),
                    (_room("sunbeon_serving_place"), "{{room}}: serving"),
                ),
            ),
            Panel(
                "Lined up for a window",
                "short",
                (("max by (room, wave) (sunbeon_prequeue_users)", "{{room}} {{wave}}"),),
            ),
            Panel("Stock", "short", ((_room("sunbeon_stock"), "{{room}}"),)),
            Panel(
                "State",
                "none",
                (('max by (room, state) (sunbeon_room_state{room=~"$room"}) == 1', "{{room}}: {{state}}"),),
            ),
        ),
    ),
    (
        "Admissions",
        (
            Panel(
                "Admitted a minute, and the outflow set",
                "short",
                (
                    (_event("admitted"), "{{room}}: admitted"),
                    (_room("sunbeon_new_users_per_minute_limit"), "{{room}}: outflow"),
                ),
            ),
            Panel(
                "Ends of visits a minute",
                "short",
                ((_events("completed|expired|left|revoked"), "{{room}}: {{event}}"),),
            ),
            Panel(
                "Not the usual way, a minute",
                "short",
                ((_events("admitted_late|no_shows|fail_open|grace|exempt.*|passthrough.*"), "{{room}}: {{event}}"),),
            ),
        ),
    ),
    (
        "Waits and estimates",
        (
            Panel("Estimates that came true", "percentunit", ((_room("sunbeon_estimates_within_ratio"), "{{room}}"),)),
            Panel(
                "Estimates graded a minute",
                "short",
                (
                    (
                        '60 * max by (room, result) (rate(sunbeon_estimates_total{room=~"$room"}[1m]))',
                        "{{room}}: {{result}}",
                    ),
                ),
            ),
            Panel("Changes of settings", "none", ((_room("sunbeon_settings_version"), "{{room}}: version"),)),
        ),
    ),
    (
        "Refusals",
        (
            Panel(
                "At the gate, a minute", "short", ((_events("refused.*|damaged|eligibility.*"), "{{room}}: {{event}}"),)
            ),
            Panel(
                "At the listener, a minute",
                "short",
                (("60 * sum by (kind) (rate(sunbeon_refused_at_listener_total[1m]))", "{{kind}}"),),
            ),
            Panel(
                "Requests a second, by kind of answer",
                "reqps",
                (("sum by (kind) (rate(sunbeon_request_duration_seconds_count[1m]))", "{{kind}}"),),
            ),
        ),
    ),
    (
        "The booking site",
        (
            Panel(
                "Until it answers",
                "s",
                tuple(
                    (_quantile(share, "sunbeon_backend_response_seconds"), f"{share:.0%}")
                    for share in (0.5, 0.95, 0.99)
                ),
            ),
            Panel(
                "Answers a second",
                "reqps",
                (("sum by (result) (rate(sunbeon_backend_answers_total[1m]))", "{{result}}"),),
            ),
            Panel(
                "Share that fails",
                "percentunit",
                ((f"{_FAILED} / sum(rate(sunbeon_backend_answers_total[1m]))", "fails"),),
            ),
            Panel("Servers", "none", (("min by (server) (sunbeon_backend_up)", "{{server}}"),)),
            Panel(
                "Requests under way",
                "short",
                (("sum by (server) (sunbeon_backend_requests_in_flight)", "{{server}}"),),
            ),
            Panel(
                "Kept connections",
                "short",
                (("sum by (server) (sunbeon_backend_idle_connections)", "{{server}}"),),
            ),
        ),
    ),
    (
        "The store",
        (
            Panel(
                "Answers",
                "none",
                (('min by (instance, room) (sunbeon_store_up{room=~"$room"})', "{{instance}} {{room}}"),),
            ),
            Panel(
                "Calls, 95 %",
                "s",
                ((_quantile(0.95, "sunbeon_store_call_duration_seconds", "operation"), "{{operation}}"),),
            ),
            Panel(
                "Ticks, 95 %",
                "s",
                (
                    (_quantile(0.95, "sunbeon_tick_duration_seconds"), "take"),
                    (_quantile(0.95, "sunbeon_tick_lateness_seconds"), "late"),
                ),
            ),
            Panel(
                "Errors a second",
                "short",
                (("sum by (room, kind) (rate(sunbeon_store_errors_total[1m]))", "{{room}}: {{kind}}"),),
            ),
            Panel("Heard of ago", "s", (("max by (instance) (sunbeon_store_age_seconds)", "{{instance}}"),)),
            Panel("Clock against the store's", "s", (("sunbeon_clock_skew_seconds", "{{instance}} {{room}}"),)),
        ),
    ),
    (
        "Gateways",
        (
            Panel(
                "Connections",
                "short",
                (
                    ("sum by (instance) (sunbeon_open_connections)", "{{instance}}"),
                    ("sum by (instance) (sunbeon_open_streams)", "{{instance}}: streams"),
                ),
            ),
            Panel(
                "Event loop lag, 99 %",
                "s",
                ((_quantile(0.99, "sunbeon_event_loop_lag_seconds", "instance"), "{{instance}}"),),
            ),
            Panel(
                "Requests, 95 %",
                "s",
                ((_quantile(0.95, "sunbeon_request_duration_seconds", "kind"), "{{kind}}"),),
            ),
            Panel(
                "Processors in use",
                "short",
                (("sum by (instance) (rate(process_cpu_seconds_total[1m]))", "{{instance}}"),),
            ),
            Panel("Memory", "bytes", (("sum by (instance) (process_resident_memory_bytes)", "{{instance}}"),)),
            Panel(
                "Workers",
                "none",
                (
                    ("sunbeon_workers", "{{instance}}"),
                    ("increase(sunbeon_worker_restarts_total[5m])", "{{instance}}: restarts in 5 min"),
                ),
            ),
            Panel(
                "Audit lines a second",
                "short",
                (("sum by (result) (rate(sunbeon_audit_lines_total[1m]))", "{{result}}"),),
            ),
            Panel("Version", "none", (("sunbeon_build_info", "{{instance}} {{version}}"),)),
        ),
    ),
)


def render() -> str:
    """The dashboard."""
    ids = count(1)
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS:
        panels.append(
            {"id": next(ids), "type": "row", "title": title, "gridPos": _at(0, top, 24, 1), "collapsed": False}
        )
        top += 1
        for index, panel in enumerate(row):
            x, y = index % PER_ROW * WIDTH, top + index // PER_ROW * HEIGHT
            panels.append(_panel(panel, next(ids), _at(x, y, WIDTH, HEIGHT)))
        top += -(-len(row) // PER_ROW) * HEIGHT
    board = {
        "title": "Sunbeon",
        "uid": "sunbeon",
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source(), _rooms()]},
        "panels": panels,
    }
    return json.dumps(board, indent=1) + "\n"


def _at(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(panel: Panel, number: int, position: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + index), "expr": expression, "legendFormat": legend, "datasource": SOURCE}
        for index, (expression, legend) in enumerate(panel.lines)
    ]
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "gridPos": position,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": None if panel.unit == "s" else 0}, "overrides": []},
        "targets": targets,
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _rooms() -> dict[str, Any]:
    return {
        "name": "room",
        "type": "query",
        "datasource": SOURCE,
        "query": "label_values(sunbeon_waiting_users, room)",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
    }


if __name__ == "__main__":
    print(render(), end="")
