"""Arming a room: an operator says by a drill's report that the opening may come. It changes only what is shown.

The report is the operator's own, so this keeps nobody from lying; it keeps people from overlooking a red row, and puts
on record who overrode which, and why. Any later change of the settings, or a reset, ends it.
"""

from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.console.answers import Refused
from gateway.console.context import RECORD, find, if_match, read_body, room_answer
from gateway.console.operations import IF_MATCH, Operation
from gateway.console.record import whose
from gateway.console.shapes import RoomShown
from gateway.drill.report import Result
from gateway.drill.run import TRICKS
from gateway.room.model import Snapshot
from gateway.settings import as_iso
from gateway.tokens import Role

OLDEST_MS: Final = 24 * 3_600_000
# The clock of the machine that drilled may be ahead by this.
AHEAD_MS: Final = 5 * 60_000

RowName = Annotated[str, StringConstraints(pattern=r"^[a-z-]{1,32}$")]
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Whole = Annotated[int, Field(ge=0, le=10**15)]


class _Asked(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)


class DrillRow(_Asked):
    name: RowName
    result: Annotated[Result, Field(strict=False)]


class DrillReport(_Asked):
    """A drill's report, as far as it counts here; what it sent and what came back stays in the file."""

    format: Literal["sunbeon-drill-report-1"]
    drill: str = Field(pattern=r"^[0-9a-f]{1,32}$")
    room: str | None
    epoch: Whole | None
    settings_version: Whole | None
    ended_ms: Whole
    rows: list[DrillRow] = Field(max_length=100)


class Arming(_Asked):
    """sha256: of the whole report, as JSON with sorted keys and no spaces. overrides: by row, why it may be red."""

    report: DrillReport
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    overrides: dict[RowName, Reason] = Field(default_factory=dict, max_length=100)


def why_not(asked: Arming, room: Snapshot) -> list[str]:
    """What stands against arming the room by this report, a line each."""
    report, version = asked.report, room.limits.version
    results = {row.name: row.result for row in report.rows}
    red = [name for name, result in results.items() if result is Result.RED]
    found = [f"{name} is red: repair it, or override it by name" for name in red if name not in asked.overrides]
    found += [f"{name} is not red: there is nothing to override" for name in asked.overrides if name not in red]
    found += [f"the report has no row {trick.name}: it is not whole" for trick in TRICKS if trick.name not in results]
    if len(results) != len(report.rows):
        found.append("the report has a row twice")
    if report.room != room.room:
        found.append("the report is of another room")
    if report.settings_version is None:
        found.append("the report does not say for which settings: drill with --operator-url")
    elif (report.settings_version, report.epoch) != (version, room.epoch):
        found.append(f"the room has changed since the drill: settings version {version}, epoch {room.epoch}")
    if not -AHEAD_MS <= room.now_ms - report.ended_ms <= OLDEST_MS:
        found.append("the report is not of the last 24 hours")
    return found


async def arm(request: web.Request) -> web.Response:
    """Say that the opening may come, as a drill has shown."""
    room = find(request)
    by, wanted = whose(request), if_match(request)
    asked = await read_body(request, Arming, said="send a drill's report: `sunbeon room arm`")
    before = room.snapshot
    if found := why_not(asked, before):
        raise Refused(409, "the room is not armed", problems=found)
    # By the version that was judged: whoever changes something in between leaves it unarmed.
    version = wanted if wanted is not None else before.limits.version
    armed = {
        "drill": asked.report.drill,
        "sha256": asked.sha256,
        "at": as_iso(before.now_ms) or "",
        "by": by.name or "",
        "version": str(version + 1),
        "epoch": str(before.epoch),
    }
    after = await room.change({"armed": armed}, expected_version=version)
    results = {row.name: row.result for row in asked.report.rows}
    request.app[RECORD].armed(
        after, by, drill=asked.report.drill, sha256=asked.sha256, drilled_version=before.limits.version,
        red=[name for name, result in results.items() if result is Result.RED],
        yellow=[name for name, result in results.items() if result is Result.YELLOW], overrides=asked.overrides,
    )  # fmt: skip
    return room_answer(room, after)


OPERATIONS: Final = (
    Operation(
        "POST", "/api/rooms/{room}/arm", arm, "Say by a drill's report that the opening may come.", Role.OPERATOR,
        RoomShown, body=Arming, parameters=(IF_MATCH,),
        refuses={409: "a red row that is not overridden, or a report that is old or of another room or settings"},
    ),
)  # fmt: skip
