"""Where is number 123456? Also of a pass, or a visitor's ticket; and the end of a pass by an operator's word.

A ticket's text comes in a body, never in an address, is verified as the gate would, and is neither kept nor logged.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.console.answers import Refused, json
from gateway.console.context import RECORD, RoomControl, find, read_body
from gateway.console.operations import Operation, in_path
from gateway.console.record import whose
from gateway.room.decide import counted, place_of, place_of_ticket
from gateway.room.estimate import people_ahead
from gateway.room.model import PassGrant, Snapshot
from gateway.room.ticket import BadToken, KeyRing, Knock, Pass, verify
from gateway.settings import as_iso, one_line
from gateway.store.base import PassRef, Whereabouts
from gateway.tokens import Role

KEYS: Final[web.AppKey[Callable[[], KeyRing]]] = web.AppKey("keys")
SEARCHING: Final = web.AppKey("searching", asyncio.Lock)

# No line is longer; a longer number is none.
_NUMBER: Final = r"[1-9][0-9]{0,14}"
_PASS_ID: Final = r"[A-Za-z0-9_-]{16}"


class PassShown(BaseModel):
    """A live pass. expires_in_s: unless its holder shows life before. ends_in_s: at the latest."""

    pass_id: str
    place: int
    how: str
    expires_in_s: int
    ends_in_s: int


class PlaceShown(BaseModel):
    """A place in line. number: None where it was asked about by its place. place: None while nobody knows it.

    where: `waiting` (`ahead` people before them), `called`, `at_door` (came, and found every seat taken), `inside`,
    `missed` (the claim window is over; whoever comes now goes to the late lane), `spent` (had their turn, or left),
    `undrawn` (lots are to be drawn), `in_wave` (its window is still to open), `old_epoch` (of a line before a reset),
    `not_issued`.
    """

    room: str
    epoch: int
    number: int | None
    place: int | None
    where: str
    ahead: int | None = None
    seat_kept: bool = False
    live_pass: PassShown | None = None


class TokenShown(PlaceShown):
    """What a visitor's ticket, knock or pass says, and how it is with it. wave: of a later window."""

    kind: str
    issued_at: str | None
    wave: str | None = None


class TicketBody(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, strict=True)

    ticket: Annotated[str, Field(min_length=1, max_length=512, description="A ticket's, knock's or pass's cookie.")]


class Reason(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    reason: Annotated[str, Field(min_length=1, max_length=200, description="For the record."), AfterValidator(one_line)]


class Revoked(BaseModel):
    """The pass that has ended."""

    room: str
    place: int
    pass_id: str


async def find_number(request: web.Request) -> web.Response:
    room = find(request)
    seen = room.snapshot
    number = _whole(request, "number")
    if number > seen.tail:
        return json(_told(seen, number, None, "not_issued"))
    return json(await _at(room, seen, number, place_of(number, seen)))


async def find_pass(request: web.Request) -> web.Response:
    room = find(request)
    text = request.match_info["pass"]
    if re.fullmatch(_NUMBER, text):
        (found,) = await room.where([(room.snapshot.epoch, int(text))])
        grant = found.grant if found is not None else None
    else:
        grant = await _search(request, room, text) if re.fullmatch(_PASS_ID, text) else None
    if grant is None:
        raise Refused(404, "no such pass lives")
    return json(_pass_told(grant))


async def _search(request: web.Request, room: RoomControl, pass_id: str) -> PassGrant | None:
    # Redis looks through all who are inside, and does nothing else meanwhile: one such question at a time.
    async with request.app[SEARCHING]:
        return await room.find_pass(pass_id)


async def find_ticket(request: web.Request) -> web.Response:
    room = find(request)
    asked = await read_body(request, TicketBody, said="say the `ticket`")
    try:
        token = verify(asked.ticket, room.name, request.app[KEYS]())
    except BadToken as error:
        raise Refused(422, f"not a ticket of this room: {error}", kind=error.kind) from None
    seen = room.snapshot
    said = {"kind": type(token).__name__.lower(), "issued_at": as_iso(token.issued_ms)}
    match token:
        case Knock():
            told = _told(seen, None, None, "not_issued")
        case _ if token.epoch != seen.epoch:
            told = _told(seen, token.number, None, "old_epoch") | {"epoch": token.epoch}
        case Pass():
            told = await _at(room, seen, token.number, token.place)
        case ticket:
            said["wave"] = ticket.wave or None
            counts = counted(ticket, seen)
            if counts.wave:
                told = _told(seen, ticket.number, None, "in_wave")
            else:
                told = await _at(room, seen, counts.number, place_of_ticket(ticket, seen))
    return json(told | said)


async def revoke_pass(request: web.Request) -> web.Response:
    """End the pass of a place, in every worker of every gateway; its seat is free at once, its ticket used."""
    room, by = find(request), whose(request)
    place = _whole(request, "pass")
    asked = await read_body(request, Reason, said="say the `reason` in a line")
    seen = room.snapshot
    (found,) = await room.where([(seen.epoch, place)])
    grant = found.grant if found is not None else None
    if grant is None or not await room.revoke(PassRef(seen.epoch, place, grant.pass_id)):
        raise Refused(404, "no pass of this place lives")
    told = {"place": place, "pass_id": grant.pass_id}
    request.app[RECORD].did("pass_revoked", room.snapshot, by, reason=asked.reason, epoch=seen.epoch, **told)
    return json({"room": room.name, **told})


async def _at(room: RoomControl, seen: Snapshot, number: int | None, place: int | None) -> dict[str, Any]:
    if place is None:
        return _told(seen, number, None, "undrawn")
    (found,) = await room.where([(seen.epoch, place)])
    if found is None:
        return _told(seen, number, place, "not_issued")
    where = _where(seen, place, found)
    told = _told(seen, number, place, where) | {"seat_kept": found.seat_kept}
    if where == "waiting":
        told["ahead"] = people_ahead(seen, place)
    if found.grant is not None:
        told["live_pass"] = _pass_told(found.grant)
    return told


def _where(seen: Snapshot, place: int, found: Whereabouts) -> str:
    if found.grant is not None:
        return "inside"
    if found.spent:
        return "spent"
    if found.at_door:
        return "at_door"
    if place > seen.serving:
        return "waiting"
    return "missed" if place <= seen.watermark else "called"


def _told(seen: Snapshot, number: int | None, place: int | None, where: str) -> dict[str, Any]:
    return PlaceShown(room=seen.room, epoch=seen.epoch, number=number, place=place, where=where).model_dump()


def _pass_told(grant: PassGrant) -> dict[str, Any]:
    ends_ms = grant.lives_ms + grant.ends_ms - grant.expires_ms
    return PassShown(
        pass_id=grant.pass_id,
        place=grant.place,
        how=grant.how.value,
        expires_in_s=grant.lives_ms // 1000,
        ends_in_s=ends_ms // 1000,
    ).model_dump()


def _whole(request: web.Request, name: str) -> int:
    text = request.match_info[name]
    if not re.fullmatch(_NUMBER, text):
        raise Refused(404, f"{name} must be a whole number from 1 on")
    return int(text)


_NUMBERED: Final = in_path("number", "A queue number, as visitors see it.", pattern=f"^{_NUMBER}$")
_PLACED: Final = in_path("pass", "A place in line.", pattern=f"^{_NUMBER}$")
_ANY_PASS: Final = in_path("pass", "A place in line, or a pass's id.", pattern=f"^({_NUMBER}|{_PASS_ID})$")

OPERATIONS: Final = (
    Operation(
        "GET", "/api/rooms/{room}/numbers/{number}", find_number, "Where a number is.", Role.VIEWER, PlaceShown,
        parameters=(_NUMBERED,), refuses={404: "no number"},
    ),
    Operation(
        "GET", "/api/rooms/{room}/passes/{pass}", find_pass, "A live pass.", Role.VIEWER, PassShown,
        parameters=(_ANY_PASS,), refuses={404: "no such pass lives"},
    ),
    Operation(
        "DELETE", "/api/rooms/{room}/passes/{pass}", revoke_pass, "End the pass of a place, everywhere.",
        Role.OPERATOR, Revoked, body=Reason, parameters=(_PLACED,), refuses={404: "no pass of this place lives"},
    ),
    Operation(
        "POST", "/api/rooms/{room}/lookup", find_ticket, "Where the holder of a ticket is.", Role.VIEWER, TokenShown,
        body=TicketBody, refuses={422: "not a ticket of this room"},
    ),
)  # fmt: skip
