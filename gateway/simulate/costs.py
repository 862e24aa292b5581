"""What one request costs a gateway's processor and the store's, in microseconds: measured by `make bench`, or as below.

Ours are of one machine and version, and are told as such wherever they are used. The gateway's are a worker's, per
request with a browser's headers and without TLS, which a front server ends. The store's are a Redis server's, with 32
people to a call, as a busy gateway asks (docs/deployment.md).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from shared.errors import SunbeonError

# Rows of `make bench`, and what we call them. A join is the poll that brings a knock back for a number.
ROWS: Final[Mapping[str, str]] = {
    "status": "poll",
    "board": "board",
    "page": "page",
    "forward-1k": "forward",
    "join-redis": "join",
}
_OURS: Final = "Sunbeon"


class BadCosts(SunbeonError):
    """The file is not what `make bench` writes."""


@dataclass(frozen=True, slots=True)
class Costs:
    """us: by kind of request. store_us: of the store's one core. source: where they were measured, in words."""

    us: Mapping[str, float]
    store_us: Mapping[str, float]
    source: str


USUAL: Final = Costs(
    us={"poll": 590, "board": 181, "page": 1_190, "join": 780, "claim": 780, "forward": 653},
    store_us={"join": 8, "claim": 18, "renew": 5},
    source=(
        "not measured here: defaults of 23 November 2026 (commit 2e494af, before the hot path), one worker on an"
        " Intel Xeon with two shared cores; joins and claims are a poll and a third, as none were measured then"
    ),
)


def read(path: Path) -> Costs:
    """From the JSON of `make bench`; what it has no row for stays as in `USUAL`. Raises `BadCosts`."""
    try:
        told: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows, machine = told["rows"], str(told["about"]["machine"])
        found = {kind: _of(rows[row]["found"]["series"]) for row, kind in ROWS.items() if row in rows}
        when = sorted({str(rows[row]["when"]) for row in ROWS if row in rows})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration, ZeroDivisionError) as error:
        raise BadCosts(f"{path} is no report of `make bench` ({type(error).__name__})") from None
    if "poll" not in found:
        raise BadCosts(f"{path} has no row `status`: `make bench ROWS=status,page,forward-1k,join-redis`")
    found.setdefault("join", found["poll"] * USUAL.us["join"] / USUAL.us["poll"])
    found.setdefault("claim", found["join"])
    lacking = [kind for kind in USUAL.us if kind not in found]
    source = f"`make bench` of {', '.join(when)} on {machine}"
    if lacking:
        source += f"; {', '.join(lacking)}: {USUAL.source}"
    return Costs({**USUAL.us, **found}, USUAL.store_us, source)


def _of(series: Mapping[str, Sequence[Mapping[str, float]]]) -> float:
    """Microseconds for one request, in the median of the rounds of the first contestant that is ours."""
    rounds = next(each for name, each in series.items() if name.startswith(_OURS))
    return median(each["cpu_s"] * 1e6 / each["requests"] for each in rounds)
