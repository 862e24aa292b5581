"""What a drill found: a row for each kind of bypass, with what was sent and what came back.

A row is green only if the forbidden did not happen and what was expected came. What could not be tried is yellow, with
the reason; what cannot be tried here at all says so and counts for nothing.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

FORMAT: Final = "sunbeon-drill-report-1"


class Severity(StrEnum):
    """What a red row means. CRITICAL: people get in. HIGH: the way in may be found. MEDIUM: a defence is missing."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    INFO = "info"


class Finding(StrEnum):
    HELD = "held"
    BROKEN = "broken"
    UNCLEAR = "unclear"


class Result(StrEnum):
    """NONE: there is nothing to try here, or it is never tried on a live system."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was tried. why: what is wrong with what came; "" where nothing is."""

    what: str
    sent: str
    came: str
    finding: Finding
    why: str = ""


@dataclass(slots=True)
class Row:
    """not_tried: why this, or part of it, was not. notes: what else is known. applies: False for `Result.NONE`."""

    name: str
    title: str
    severity: Severity
    evidence: list[Evidence] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    applies: bool = True

    @property
    def result(self) -> Result:
        found = {each.finding for each in self.evidence}
        if Finding.BROKEN in found:
            return Result.RED
        if not self.applies:
            return Result.NONE
        if self.not_tried or found != {Finding.HELD}:
            return Result.YELLOW
        return Result.GREEN


@dataclass(frozen=True, slots=True)
class Report:
    """settings_version, epoch: None where nobody could be asked. numbers_used: places the drill took and left again."""

    drill: str
    url: str
    room: str | None
    epoch: int | None
    settings_version: int | None
    began_ms: int
    ended_ms: int
    requests: int
    numbers_used: int
    rows: Sequence[Row]

    @property
    def red(self) -> list[str]:
        return [row.name for row in self.rows if row.result is Result.RED]

    @property
    def yellow(self) -> list[str]:
        return [row.name for row in self.rows if row.result is Result.YELLOW]

    def exit_code(self, *, strict: bool = False) -> int:
        """0: no red row; strict: no yellow one either."""
        return int(bool(self.red or (strict and self.yellow)))

    def as_json(self) -> dict[str, Any]:
        rows = [
            {
                "name": row.name,
                "title": row.title,
                "severity": row.severity.value,
                "result": row.result.value,
                "not_tried": row.not_tried,
                "notes": row.notes,
                "evidence": [asdict(each) for each in row.evidence],
            }
            for row in self.rows
        ]
        heads = {name: getattr(self, name) for name in Report.__slots__ if name != "rows"}
        return {"format": FORMAT, **heads, "red": self.red, "yellow": self.yellow, "rows": rows}


def digest(report: Mapping[str, Any]) -> str:
    """The hash by which the audit log names a report: SHA-256 of its JSON with sorted keys, without spaces."""
    return hashlib.sha256(orjson.dumps(report, option=orjson.OPT_SORT_KEYS)).hexdigest()


def lines_of(row: Row, *, everything: bool = False) -> Iterator[str]:
    """A row for people: what went wrong in full, of what held one example."""
    result = row.result
    mark = result.value.upper() if result is Result.RED else "-" if result is Result.NONE else result.value
    held = sum(each.finding is Finding.HELD for each in row.evidence)
    count = f" ({held} of {len(row.evidence)} held)" if row.evidence else ""
    yield f"{mark:<7} {row.severity.value:<9} {row.name:<16} {row.title}{count}"
    yield from (f"{'':<18} not tried: {text}" for text in row.not_tried)
    yield from (f"{'':<18} {text}" for text in row.notes)
    shown = row.evidence
    if not everything:
        shown = [each for each in row.evidence if each.finding is not Finding.HELD] or row.evidence[:1]
    for each in shown:
        yield f"{'':<18} {each.what}{': ' + each.why if each.why else ''}"
        yield f"{'':<20} sent  {each.sent}"
        yield f"{'':<20} came  {each.came}"


def summary(report: Report) -> Iterator[str]:
    count = {result: sum(row.result is result for row in report.rows) for result in Result}
    yield (
        f"{count[Result.GREEN]} green, {count[Result.YELLOW]} yellow, {count[Result.RED]} red"
        + (f": {', '.join(report.red)}" if report.red else "")
    )
    yield f"drill {report.drill}: {report.requests} requests, {report.numbers_used} numbers used and left again"
