"""What another outflow or ceiling would do to the wait, before anybody sets it. Changes nothing."""

from dataclasses import replace
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from gateway.console.answers import Refused, json
from gateway.console.context import etag, find
from gateway.console.operations import Operation, in_query
from gateway.console.shapes import InForce
from gateway.room.forecast import wait_of_last
from gateway.room.model import Snapshot
from gateway.store.limits_text import patched
from gateway.tokens import Role

MOST_USERS: Final = 10_000_000
_DIGITS: Final = len(str(MOST_USERS))
NAMES: Final = ("new_users_per_minute", "total_active_users")


class Foreseen(BaseModel):
    """in_force: the limits by then; the timetable may set others than were asked about. wait_ms: as of a room."""

    in_force: InForce
    wait_ms: tuple[int, int] | None


class Preview(BaseModel):
    """now: as it is. then: with the limits that were asked about."""

    waiting: int
    version: int
    now: Foreseen
    then: Foreseen


async def preview_limits(request: web.Request) -> web.Response:
    room = find(request).snapshot
    wanted = {name: _users(name, request.query[name]) for name in NAMES if name in request.query}
    then = replace(room, limits=patched(room.limits, wanted))
    told = {"waiting": room.waiting, "version": room.limits.version, "now": foreseen(room), "then": foreseen(then)}
    return json(told, headers=etag(room))


def foreseen(room: Snapshot) -> dict[str, Any]:
    limits = room.in_force
    return {"in_force": {name: getattr(limits, name) for name in NAMES}, "wait_ms": wait_of_last(room)}


def _users(name: str, text: str) -> int:
    """Raises `Refused`."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) <= MOST_USERS):
        raise Refused(422, f"`{name}` is a whole number from 0 to {MOST_USERS}")
    return int(text)


_ASKED: Final = tuple(
    in_query(name, "As if it were that; none: as it is.", pattern=f"^[0-9]{{1,{_DIGITS}}}$") for name in NAMES
)

OPERATIONS: Final = (
    Operation(
        "GET", "/api/rooms/{room}/preview", preview_limits, "The wait of the last in line with other limits.",
        Role.VIEWER, Preview, parameters=_ASKED, refuses={422: "no such number of people"},
    ),
)  # fmt: skip
