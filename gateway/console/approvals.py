"""Actions that take two people, where the settings say so: one admin asks, another one confirms within ten minutes.

What is asked for is kept with the room's live settings, so any worker of any gateway can confirm it, after a restart
too. Taking it out of them is what makes it happen once only: of two who confirm at once, one is too late.
"""

import secrets
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from gateway.console.answers import Refused, json
from gateway.console.auth import who
from gateway.console.context import RECORD, ROOMS, RoomControl, as_seen, etag, if_match, room_answer
from gateway.console.operations import Operation, in_path
from gateway.console.record import whose
from gateway.console.shapes import RoomShown
from gateway.room.approval import APPROVAL_MS, Approval, pending
from gateway.room.model import Mode, Snapshot
from gateway.settings import as_iso
from gateway.store.base import VersionConflict
from gateway.tokens import Role

TWO_PERSONS: Final = web.AppKey("two_persons", frozenset[str])
MOST: Final = 10


class Waiting(BaseModel):
    """Nothing was done yet: another admin has to confirm it, by POST to `/api/approvals/{id}`."""

    approval: str
    room: str
    action: str
    by: str
    expires_at: str


class WaitingList(BaseModel):
    approvals: list[Waiting]


class Approvals:
    """Of one request about one room."""

    def __init__(self, request: web.Request, room: RoomControl) -> None:
        self._request = request
        self._room = room

    async def ask(self, action: str) -> web.Response | None:
        """Ask for a second person; None if the action takes one only. Raises `Refused`, `VersionConflict`."""
        if action not in self._request.app[TWO_PERSONS]:
            return None
        seen, by = await as_seen(self._room, if_match(self._request)), whose(self._request)
        waiting = pending(seen.limits.approvals, seen.epoch, seen.now_ms)
        if len(waiting) >= MOST:
            raise Refused(409, f"{MOST} actions wait for a second person already")
        name = who(self._request).name
        one = Approval(secrets.token_urlsafe(12), action, name, seen.epoch, seen.now_ms + APPROVAL_MS)
        # By the version seen here, or what somebody else asked for meanwhile would be lost.
        after = await self._room.change({"approvals": (*waiting, one)}, expected_version=seen.limits.version)
        told = _told(self._room.name, one)
        self._request.app[RECORD].did("approval_asked", after, by, action=action, approval=one.id)
        return json(told, status=202, headers=etag(after))


async def list_approvals(request: web.Request) -> web.Response:
    """What waits for a second person."""
    rooms = request.app[ROOMS].values()
    return json({"approvals": [_told(room.name, one) for room in rooms for one in _waiting(room.snapshot)]})


async def approve(request: web.Request) -> web.Response:
    """Confirm what another admin has asked for, and carry it out."""
    asked = request.match_info["approval"]
    rooms = request.app[ROOMS].values()
    found = [(room, one) for room in rooms for one in _waiting(room.snapshot) if one.id == asked]
    if not found:
        raise Refused(404, "nothing waits by this id: it was confirmed, its time is over, or the line is another")
    room, one = found[0]
    by = whose(request)
    if who(request).name == one.by:
        raise Refused(403, f"{one.by} asked for it: it takes another person")
    seen = room.snapshot
    rest = {"approvals": tuple(each for each in _waiting(seen) if each.id != asked)}
    patch: dict[str, Any] = {**rest, "mode": Mode.PASSTHROUGH} if one.action == "passthrough" else rest
    try:
        after = await room.change(patch, expected_version=seen.limits.version)
    except VersionConflict:
        raise Refused(409, "the room was changed in this very moment: look again, and confirm again") from None
    record = request.app[RECORD]
    record.did("approved", after, by, action=one.action, approval=one.id, asked_by=one.by)
    if one.action == "passthrough":
        record.changed(seen, after, {"state"}, by)
    else:
        after = await room.reset(expected_version=after.limits.version)
        record.reset(after, by)
    return room_answer(room, after)


def _waiting(seen: Snapshot) -> Sequence[Approval]:
    return pending(seen.limits.approvals, seen.epoch, seen.now_ms)


def _told(room: str, one: Approval) -> dict[str, Any]:
    expires_at = as_iso(one.expires_ms) or ""
    return Waiting(approval=one.id, room=room, action=one.action, by=one.by, expires_at=expires_at).model_dump()


OPERATIONS: Final = (
    Operation(
        "GET", "/api/approvals", list_approvals, "What waits for a second person.", Role.VIEWER, WaitingList
    ),
    Operation(
        "POST", "/api/approvals/{approval}", approve, "Confirm what another admin has asked for.", Role.ADMIN,
        RoomShown, parameters=(in_path("approval", "Its id.", pattern="^[A-Za-z0-9_-]{16}$"),),
        refuses={
            403: "it takes another person",
            404: "nothing waits by this id",
            409: "the room was changed in this very moment",
            412: "the room was changed before the line was begun anew: ask again",
        },
    ),
)  # fmt: skip
