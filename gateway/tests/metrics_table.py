"""Writes docs/metrics.md from the table of metrics: `python -m gateway.tests.metrics_table > docs/metrics.md`."""

from typing import Final

from gateway.metrics.families import FAMILIES, Family, Joined

HEAD: Final = """# Metrics

`GET /metrics` on the operators' listener, with the token of a `viewer` or above (`sunbeon token create --role viewer
--name prometheus`). In `deploy/prometheus/` are a scrape configuration, alerts and their tests; in `deploy/grafana/` a
dashboard.

**Several workers**: whichever answers tells of all of its machine, with a second's delay. A worker that dies leaves
its counters to the one that takes its place; what a killed one had counted in its last second is lost. One that keeps
silent for five seconds counts in no gauge.

**Several gateways**: scrape each. *Rooms* tell the same everywhere, as the store does: `max by (room) (...)`, never
`sum`, and of counters `max by (room) (rate(...))`. Everything else is one gateway's own: `sum` what can be added.

*is* says how the workers' values become the gateway's: their sum, the highest (max), the lowest (min), or the one
furthest from 0 (widest).

Durations are in seconds. No metric has a visitor's address, number or name. Measuring costs 2 to 5 us of a
request's processor time, and 2 to 3 ms a second in each worker; a scrape of eight workers takes some 10 ms
(`python -m gateway.metrics.tests.cost`).
"""

SECTIONS: Final = (
    ("Rooms", "The same from every gateway.", lambda family: family.joined is Joined.SAME),
    ("A gateway", "Its own.", lambda family: family.joined is not Joined.SAME),
)


def render() -> str:
    """The page."""
    parts = [HEAD]
    for title, text, belongs in SECTIONS:
        rows = [_row(family) for family in FAMILIES.values() if belongs(family)]
        head = ["| metric | kind | is | labels | |", "|---|---|---|---|---|"]
        parts.append("\n".join([f"## {title}\n\n{text}\n", *head, *rows, ""]))
    return "\n".join(parts)


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    return f"| `{family.sample_name()}` | {family.kind} | {family.joined} | {labels} | {family.text} |"


if __name__ == "__main__":
    print(render(), end="")
