"""Actions that take two people, where the settings say so: one admin asks, another one confirms within ten minutes.

What is asked for is kept with the room's live settings, so any worker of any gateway can confirm it, after a restart
too. Taking it out of them is what makes it happen once only: of two who confirm at once, one is too late.
"""

import asyncio
import secrets
from collections.abc import Collection, Sequence
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from gateway.console.answers import Refused, json
from gateway.console.auth import who
from gateway.console.context import RECORD, ROOMS, RoomControl, etag, if_match, rewrite, room_answer
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
_GONE: Final = "nothing waits by this id: it was confirmed, its time is over, or the line is another"


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
        by, name, key = whose(self._request), who(self._request).name, secrets.token_urlsafe(12)

        def with_it(seen: Snapshot) -> dict[str, Any]:
            waiting = _waiting(seen)
            if len(waiting) >= MOST:
                raise Refused(409, f"{MOST} actions wait for a second person already")
            return {"approvals": (*waiting, Approval(key, action, name, seen.epoch, seen.now_ms + APPROVAL_MS))}

        seen, after = await rewrite(self._room, if_match(self._request), with_it)
        one = Approval(key, action, name, seen.epoch, seen.now_ms + APPROVAL_MS)
        told = _told(self._room.name, one)
        self._request.app[RECORD].did("approval_asked", after, by, action=action, approval=one.id)
        return json(told, status=202, headers=etag(after))


async def list_approvals(request: web.Request) -> web.Response:
    """What waits for a second person."""
    rooms = request.app[ROOMS].values()
    return json({"approvals": [_told(room.name, one) for room in rooms for one in _waiting(room.snapshot)]})


async def approve(request: web.Request) -> web.Response:
    """Confirm what another admin has asked for, and carry it out."""
    asked, by = request.match_info["approval"], whose(request)
    room, one = await _find(request.app[ROOMS].values(), asked)
    if who(request).name == one.by:
        raise Refused(403, f"{one.by} asked for it: it takes another person")

    def without_it(seen: Snapshot) -> dict[str, Any]:
        waiting = _waiting(seen)
        if one not in waiting:
            raise Refused(404, _GONE)
        rest = {"approvals": tuple(each for each in waiting if each != one)}
        return {**rest, "mode": Mode.PASSTHROUGH} if one.action == "passthrough" else rest

    try:
        seen, after = await rewrite(room, None, without_it)
    except VersionConflict:
        raise Refused(409, "the room is changed faster than it can be read: look again, and confirm again") from None
    record = request.app[RECORD]
    record.did("approved", after, by, action=one.action, approval=one.id, asked_by=one.by)
    if one.action == "passthrough":
        record.changed(seen, after, {"state"}, by)
    else:
        after = await room.reset(expected_version=after.limits.version)
        record.reset(after, by)
    return room_answer(room, after)


async def _find(rooms: Collection[RoomControl], asked: str) -> tuple[RoomControl, Approval]:
    """What waits by this id. Raises `Refused`."""
    for look_again in (True, False):
        for room in rooms:
            for one in _waiting(room.snapshot):
                if one.id == asked:
                    return room, one
        if look_again:
            # It may have been asked for at another worker, a moment ago.
            await asyncio.gather(*(room.tick_now() for room in rooms))
    raise Refused(404, _GONE)


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
            409: "the room is changed faster than it can be read",
            412: "the room was changed before the line was begun anew: ask again",
        },
    ),
)  # fmt: skip
