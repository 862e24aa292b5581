"""A room's history for operators: points as columns, or as CSV. Times are ISO with a UTC offset, or milliseconds."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from gateway.console.answers import Refused, json
from gateway.console.context import find
from gateway.console.operations import Operation, in_query
from gateway.history import History, NoHistory, Span
from gateway.points import COLUMNS, SLOT_MS, SUMS, names, per_minute
from gateway.tokens import Role

# What is told where nobody says from when.
USUAL_MS: Final = 3 * 3_600_000
# No moment lies beyond it: a year has four digits.
_END_OF_TIME_MS: Final = 253_402_300_800_000
_DAY_S: Final = 86_400

T = TypeVar("T")

HISTORY: Final[web.AppKey[History | None]] = web.AppKey("history")


class Columns(BaseModel):
    """Points, `step_s` apart or more, as columns of one length; others beside these say what a point says.

    per_minute: since the point before. counters: totals since the room was made. null: not known.
    """

    model_config = ConfigDict(extra="allow")

    room: str
    step_s: int
    time_ms: list[int]
    per_minute: dict[str, list[float | None]]
    counters: dict[str, list[int]]


def columns(span: Span) -> dict[str, Any]:
    """Points as columns of one length: what they say, what was counted until then, and rates since the one before."""
    points = span.points
    return {
        "time_ms": [point.at_ms for point in points],
        **{name: [getattr(point, name) for point in points] for name in COLUMNS},
        "per_minute": {name: per_minute(span.base, points, name) for name in ("arrivals", *SUMS)},
        "counters": {name: [point.counters.get(name, 0) for point in points] for name in names(points)},
    }


def as_csv(span: Span) -> str:
    """The same as a table. Counters are totals since the room was made."""
    out = io.StringIO()
    table = csv.writer(out)
    counters = names(span.points)
    rates = {name: per_minute(span.base, span.points, name) for name in ("arrivals", *SUMS)}
    table.writerow(["time", *COLUMNS, *(f"{name}_per_minute" for name in rates), *counters])
    for index, point in enumerate(span.points):
        values = (getattr(point, name) for name in COLUMNS)
        table.writerow(
            [
                datetime.fromtimestamp(point.at_ms / 1000, UTC).isoformat(),
                *values,
                *(rate[index] for rate in rates.values()),
                *(point.counters.get(name, 0) for name in counters),
            ]
        )
    return out.getvalue()


async def show_history(request: web.Request) -> web.Response:
    found = await _read(request, lambda span: {"step_s": span.step_ms // 1000, **columns(span)})
    return json({"room": find(request).name, **found})


async def export_history(request: web.Request) -> web.Response:
    table = await _read(request, as_csv)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{find(request).name}-history.csv"',
    }
    return web.Response(text=table, content_type="text/csv", charset="utf-8", headers=headers)


async def _read(request: web.Request, make: Callable[[Span], T]) -> T:
    """What `make` makes of what is asked for. Raises `Refused`."""
    room, history, query = find(request), request.app[HISTORY], request.query
    if history is None or not history.on:
        raise Refused(404, "no history is kept: `history_file` is not set")
    try:
        before_ms = _moment_ms(query["before"]) if "before" in query else room.snapshot.now_ms + SLOT_MS
        from_ms = _moment_ms(query["from"]) if "from" in query else max(0, before_ms - USUAL_MS)
        step_ms = _step_s(query["step_s"]) * 1000 if "step_s" in query else SLOT_MS
    except (ValueError, OverflowError) as error:
        raise Refused(422, str(error)) from None
    if from_ms >= before_ms:
        raise Refused(422, "`from` must be earlier than `before`")
    try:
        return await history.read(room.name, from_ms, before_ms, step_ms, make)
    except NoHistory as error:
        raise Refused(503, str(error)) from None


def _moment_ms(text: str) -> int:
    """Raises ValueError."""
    if text.isascii() and text.isdigit() and len(text) < len(str(_END_OF_TIME_MS)) + 1:
        return min(int(text), _END_OF_TIME_MS)
    try:
        # In a query a plus that was not escaped has become a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise ValueError("a time is 2021-07-19T20:00:00+09:00, or milliseconds since 1970") from None
    if moment.tzinfo is None:
        raise ValueError("a time needs its UTC offset, as in 2021-07-19T20:00:00+09:00")
    return max(0, round(moment.timestamp() * 1000))


def _step_s(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= _DAY_S and len(text) < 6):  # noqa: PLR2004
        raise ValueError(f"`step_s` is a whole number of seconds from 1 to {_DAY_S}")
    return int(text)


_MOMENT: Final = [{"pattern": "^[0-9]{1,13}$"}, {"format": "date-time"}]
_ASKED: Final = (
    in_query("from", "From then on: ISO 8601 with its UTC offset, or milliseconds; none: three hours.", anyOf=_MOMENT),
    in_query("before", "Not from then on; none: until now.", anyOf=_MOMENT),
    in_query("step_s", "Seconds from point to point; a long time has wider steps.", pattern="^[1-9][0-9]{0,3}$"),
)
_REFUSES: Final = {404: "no history is kept", 422: "asked for what cannot be", 503: "the history cannot be read"}

OPERATIONS: Final = (
    Operation(
        "GET", "/api/rooms/{room}/history", show_history, "How the room stood every ten seconds.", Role.VIEWER,
        Columns, parameters=_ASKED, refuses=_REFUSES,
    ),
    Operation(
        "GET", "/api/rooms/{room}/history.csv", export_history, "The same as a table.", Role.VIEWER, None,
        kind="text/csv", parameters=_ASKED, refuses=_REFUSES,
    ),
)  # fmt: skip
