"""What one request costs a gateway's processor and the store's, in microseconds: measured by `make bench`, or as below.

Ours are of one machine and version, and are told as such wherever they are used. The gateway's are a worker's, for one
request with a browser's headers, without TLS, which a front server ends. The store's are a Redis server's: of a join as
measured beside it, of claims and renewals with 32 people to a call (docs/deployment.md).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from shared.errors import SunbeonError

# Rows of `make bench`, and what we call them. A page is a newcomer's, who gets a knock; a join, the poll that brings it
# back for a number.
ROWS: Final[Mapping[str, str]] = {
    "status": "poll",
    "board": "board",
    "page": "page",
    "join-redis": "join",
    "forward-seldom": "forward",
}
_OURS: Final = "Sunbeon"
_NEWCOMER: Final = "newcomer"


class BadCosts(SunbeonError):
    """The file is not what `make bench` writes."""


@dataclass(frozen=True, slots=True)
class Costs:
    """us: by kind of request. store_us: of the store's one core. source: where they were measured, in words."""

    us: Mapping[str, float]
    store_us: Mapping[str, float]
    source: str


# A poll takes 3 us more than the row has it once it is known who of the line is still there, after three minutes.
USUAL: Final = Costs(
    us={"poll": 46, "board": 14, "page": 70, "join": 58, "claim": 58, "forward": 186},
    store_us={"join": 12, "claim": 18, "renew": 5},
    source=(
        "not measured here: defaults, by `make bench` of 24 November 2026, one worker on an Intel Xeon with two shared"
        " cores; a claim counts as a join, a forward as one of a pass that was not seen for a second"
    ),
)


def read(path: Path) -> Costs:
    """From the JSON of `make bench`; what it has no row for stays as in `USUAL`. Raises `BadCosts`."""
    try:
        told: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows, machine = told["rows"], str(told["about"]["machine"])
        found = {kind: _of(rows[row]["found"]["series"], "cpu_s") for row, kind in ROWS.items() if row in rows}
        store = {
            kind: _of(rows[row]["found"]["series"], "helper_cpu_s")
            for row, kind in ROWS.items()
            if kind == "join" and row in rows
        }
        when = sorted({str(rows[row]["when"]) for row in ROWS if row in rows})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, ZeroDivisionError) as error:
        raise BadCosts(f"{path} is no report of `make bench` ({type(error).__name__})") from None
    if "poll" not in found:
        raise BadCosts(f"{path} has no row `status`: `make bench ROWS=status,page,forward-seldom,join-redis`")
    found.setdefault("join", found["poll"] * USUAL.us["join"] / USUAL.us["poll"])
    found.setdefault("claim", found["join"])
    lacking = [kind for kind in USUAL.us if kind not in found]
    source = f"`make bench` of {', '.join(when)} on {machine}"
    if lacking:
        source += f"; {', '.join(lacking)}: {USUAL.source}"
    return Costs({**USUAL.us, **found}, {**USUAL.store_us, **store}, source)


def _of(series: Mapping[str, Sequence[Mapping[str, float]]], spent: str) -> float:
    """Microseconds for one request, in the median of the rounds of the first contestant that is ours.

    Of pages, a newcomer's. spent: `cpu_s` of the gateway, or `helper_cpu_s` of the store beside it.
    """
    ours = [name for name in series if name.startswith(_OURS)]
    name = next((each for each in ours if _NEWCOMER in each), ours[0])
    return median(each[spent] * 1e6 / each["requests"] for each in series[name])
