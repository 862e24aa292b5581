"""Changes of a room: its live settings, its opening, its line."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from gateway.console.answers import Refused
from gateway.console.approvals import TWO_PERSONS, Approvals, Waiting
from gateway.console.auth import who
from gateway.console.context import (
    RECORD,
    RoomControl,
    checked,
    find,
    if_match,
    read_body,
    read_json,
    rewrite,
    room_answer,
)
from gateway.console.operations import IF_MATCH, IF_MATCH_NEEDED, Operation
from gateway.console.record import By, whose
from gateway.console.shapes import Missed, Postponed, RoomShown
from gateway.room.model import Mode, Snapshot
from gateway.room.postpone import CannotPostpone
from gateway.room.schedule import problems
from gateway.settings import Live, Postponement, as_iso, limits_patch
from gateway.store.limits_text import patched
from gateway.tokens import Role

_IMPOSSIBLE: Final = "settings that cannot be"


class ResetBody(BaseModel):
    """confirm: the room's name, typed by who means it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, strict=True)

    confirm: str = Field(max_length=100)


async def change_settings(request: web.Request) -> web.Response:
    room = find(request)
    wanted = await read_json(request)
    live = checked(wanted, Live, said=_IMPOSSIBLE)
    patch = limits_patch({name: getattr(live, name) for name in live.model_fields_set})
    if patch.get("mode") is Mode.PASSTHROUGH:
        if not who(request).role.may(Role.ADMIN):
            raise Refused(403, f"letting everybody through takes the role {Role.ADMIN}")
        if "passthrough" in request.app[TWO_PERSONS]:
            raise Refused(403, f"letting everybody through takes two: POST to /api/rooms/{room.name}/passthrough")
    return room_answer(room, await change(request, room, patch, live.model_fields_set))


async def change(request: web.Request, room: RoomControl, patch: dict[str, Any], names: Iterable[str]) -> Snapshot:
    """Make a change, if it can be, and put it on record. names: of the settings in it.

    Always of the very settings that the record says it was made of. Raises `Refused`, `VersionConflict`.
    """
    by = whose(request)

    def plan(seen: Snapshot) -> dict[str, Any]:
        planned = patched(seen.limits, patch)
        if found := problems(planned.windows, planned.timetable):
            raise Refused(422, _IMPOSSIBLE, problems=found)
        return patch

    before, after = await rewrite(room, if_match(request), plan)
    # What somebody else has made of the room since is on a record of its own.
    made = replace(after, limits=replace(patched(before.limits, patch), version=before.limits.version + 1))
    request.app[RECORD].changed(before, made, names, by)
    return after


async def postpone(request: web.Request) -> web.Response:
    """Move the opening, before it or after it. Everyone keeps number, place and what was left of their time.

    The answer tells what else has to be moved: `missed`, and a line of `warnings` for each.
    """
    room = find(request)
    version, by = if_match(request), whose(request)
    asked = await read_body(request, Postponement, said="say `opens_at`, and `reason` in a line")
    if asked.by and (by.said or by.name is None):
        by = By(asked.by, said=True)
    try:
        after = await room.postpone(asked.opens_at_ms, reason=asked.reason, expected_version=version, by=by.name)
    except CannotPostpone as error:
        raise Refused(409, str(error)) from None
    request.app[RECORD].postponed(after, asked.reason, by)
    missed = _missed(room, after.now_ms, asked.opens_at_ms)
    warnings = [
        f"window {each.window} ({each.people['en']}) closes at {each.closes_at}, "
        "before the new opening: unless the calendar moves it too, its people do not get in by it"
        for each in missed
    ]
    return room_answer(room, after, missed=[each.model_dump() for each in missed], warnings=warnings)


def _missed(room: RoomControl, now_ms: int, opens_at_ms: int) -> list[Missed]:
    """The windows of the room's calendar that are not over yet, and will be before the room opens."""
    if room.eligibility is None:
        return []
    calendar = room.eligibility.calendar
    labels = {cohort.id: cohort.label for cohort in calendar.cohorts}
    return [
        Missed(
            window=rule.id,
            people={
                "ko": ", ".join(labels[each].ko for each in rule.cohorts),
                "en": ", ".join(labels[each].en for each in rule.cohorts),
            },
            closes_at=as_iso(rule.closes_ms) or "",
        )
        for rule in sorted(calendar.rules, key=lambda rule: rule.closes_ms)
        if now_ms < rule.closes_ms <= opens_at_ms
    ]


async def reset(request: web.Request) -> web.Response:
    """Start the line anew. Everyone loses their place, so it asks twice: the version just seen, and the room's name."""
    room, version, by = find(request), if_match(request), whose(request)
    if version is None:
        raise Refused(428, "a reset ends every place and pass: say with If-Match which version of the room you saw")
    asked = await read_body(request, ResetBody, said="a reset ends every place and pass: `confirm` the room's name")
    if asked.confirm != room.name:
        raise Refused(422, "a reset ends every place and pass: `confirm` the room's name")
    if waiting := await Approvals(request, room).ask("reset"):
        return waiting
    after = await room.reset(expected_version=version)
    request.app[RECORD].reset(after, by)
    return room_answer(room, after)


OPERATIONS: Final = (
    Operation(
        "PATCH", "/api/rooms/{room}", change_settings, "Change live settings, by their names in the settings file.",
        Role.OPERATOR, RoomShown, body=Live, parameters=(IF_MATCH,),
        refuses={403: f"passthrough takes the role {Role.ADMIN}"},
    ),
    Operation(
        "POST", "/api/rooms/{room}/postpone", postpone, "Move the opening, before it or after it.", Role.OPERATOR,
        Postponed, body=Postponement, parameters=(IF_MATCH,), refuses={409: "it cannot be moved there"},
    ),
    Operation(
        "POST", "/api/rooms/{room}/reset", reset, "Start the line anew: every place and pass is lost.", Role.ADMIN,
        RoomShown, body=ResetBody, parameters=(IF_MATCH_NEEDED,), more={202: Waiting},
        refuses={409: "too much waits for a second person", 428: "say which version you saw"},
    ),
)  # fmt: skip
