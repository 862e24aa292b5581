"""The JSON API. Times are ISO 8601 with the Korean offset; errors are problem+json with a stable `code`.

What repeats is harmless: a hold confirmed again is the same booking, one cancelled again stays cancelled, a change to
the time it has changes nothing, and joining the same waitlist again is the same place.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from functools import cache
from importlib.metadata import version
from typing import Final, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from booking import errors, person
from booking.errors import BadBody, InvalidFields, WrongContentType
from booking.routes import bodies
from booking.routes.context import CALENDAR, HEALTH_PATH, SETTINGS, STORE, now_of
from booking.routes.journey import (
    COMPLETE,
    hold_seat,
    identify,
    join_waitlist,
    judge_birth,
    own_booking,
    proving,
    today,
)
from booking.routes.operations import Operation, document, in_path, in_query
from booking.routes.session import Session, read_identity, require_person, seal_session
from booking.routes.shapes import card_json, moment_json, slot_json, verdict_json
from shared.admission import CLAIMS
from shared.wire import COMMAND_HEADER

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PERSON: Final = {"name", "birth_date", "phone"}
# A centre's name or an address; whoever searches for more finds nothing anyway.
_SEARCH_MAX: Final = 100

B = TypeVar("B", bound=BaseModel)
F = TypeVar("F", bound=bodies.FindBody)


def operations() -> list[Operation]:
    held = in_path("hold_id", "of `POST /api/holds`")
    own = (errors.NotIdentified, errors.NotEligible, errors.AlreadyBooked, errors.PassUsed, errors.ProxyLimitReached)
    return [
        Operation("GET", HEALTH_PATH, healthz, "Whether the program runs", bodies.Health, guarded=False),
        Operation(
            "GET", "/api/centres", centres, "Centres", bodies.Centres,
            parameters=[in_query("q", "words of its name, region or address", maxLength=_SEARCH_MAX)],
            refuses=[InvalidFields],
        ),
        Operation("GET", "/api/vaccines", vaccines, "Vaccines", bodies.Vaccines),
        Operation(
            "GET", "/api/slots", slots, "Appointment times that can still be booked, also full ones", bodies.Slots,
            parameters=[
                in_query("centre", "id of a centre"),
                in_query("vaccine", "id of a vaccine"),
                in_query("day", "in Korea", format="date"),
            ],
            refuses=[InvalidFields, errors.NoSuchCentre, errors.NoSuchVaccine],
        ),
        Operation(
            "POST", "/api/eligibility", eligibility, "Whether a birth date may book now, and by which rule",
            bodies.Eligibility, body=bodies.EligibilityBody,
        ),
        Operation(
            "POST", "/api/identity", identity, "Prove who is booking, and for whom", bodies.Identity, status=201,
            body=bodies.IdentityBody,
            refuses=[errors.IdentityRefused, errors.IdentityUnavailable, errors.TooManyAttempts],
        ),
        Operation(
            "POST", "/api/holds", hold, "Keep a seat; the one this pass held before is given back", bodies.Hold,
            status=201, body=bodies.HoldBody, refuses=[*own, errors.NoSuchSlot, errors.SlotClosed, errors.SoldOut],
            leads_to=[(confirm.__name__, "hold_id", "hold_id"), (drop.__name__, "hold_id", "hold_id")],
        ),
        Operation(
            "DELETE", "/api/holds/{hold_id}", drop, "Give the seat back", None, status=204, parameters=[held],
            refuses=[errors.OtherPass, errors.AlreadyBooked],
        ),
        Operation(
            "POST", "/api/holds/{hold_id}/confirm", confirm, "Book it; again gives the same booking", bodies.Booking,
            status=201, parameters=[held],
            refuses=[
                errors.HoldExpired, errors.OtherPass, errors.AlreadyBooked, errors.PassUsed, errors.ProxyLimitReached,
            ],
        ),
        Operation(
            "POST", "/api/bookings/find", find, "Look up a booking or a place on a waitlist", bodies.Found,
            body=bodies.FindBody, refuses=[errors.NoSuchBooking, errors.AlreadyBooked, errors.TooManyGuesses],
        ),
        Operation(
            "POST", "/api/bookings/change", change, "Move a booking to another time; it keeps its code", bodies.Booking,
            body=bodies.ChangeBody,
            refuses=[
                errors.NoSuchBooking, errors.NoSuchSlot, errors.SlotClosed, errors.SoldOut, errors.TooLateToChange,
                errors.BookingCancelled, errors.TooManyGuesses,
            ],
        ),
        Operation(
            "POST", "/api/bookings/cancel", cancel, "Cancel a booking", bodies.Booking, body=bodies.FindBody,
            refuses=[errors.NoSuchBooking, errors.TooLateToCancel, errors.TooManyGuesses],
        ),
        Operation(
            "POST", "/api/waitlist", wait, "Wait for the first seat that comes free on a full day", bodies.Waiting,
            status=201, body=bodies.WaitlistBody,
            refuses=[*own, errors.NoSuchCentre, errors.NoSuchVaccine, errors.SeatsLeft, errors.AlreadyWaiting],
        ),
        Operation(
            "POST", "/api/waitlist/leave", leave, "Give up a place on a waitlist", None, status=204,
            body=bodies.FindBody, refuses=[errors.NoSuchBooking, errors.AlreadyBooked, errors.TooManyGuesses],
        ),
    ]  # fmt: skip


def routes() -> list[web.RouteDef]:
    described = [web.route(one.method, one.path, one.handler) for one in operations()]
    return [*described, web.get("/api/openapi.json", openapi)]


@cache
def openapi_bytes() -> bytes:
    """The document, as indented JSON."""
    told = document(operations(), title="Sunbeon booking", version=version("sunbeon"))
    return orjson.dumps(told, option=orjson.OPT_INDENT_2)


async def openapi(_request: web.Request) -> web.Response:
    return web.Response(body=openapi_bytes(), content_type="application/json")


async def healthz(request: web.Request) -> web.Response:
    """That the program runs; asked without a pass, so it asks no database."""
    request.app[CALENDAR].current(now_of(request))
    return _json({"status": "ok", "rules": "old" if request.app[CALENDAR].problem else "ok"})


async def centres(request: web.Request) -> web.Response:
    asked = request.query.get("q", "")
    if len(asked) > _SEARCH_MAX:
        raise InvalidFields({"q": "field_bad"})
    return _json({"centres": await request.app[STORE].centres(search=asked or None)})


async def vaccines(request: web.Request) -> web.Response:
    return _json({"vaccines": await request.app[STORE].vaccines()})


async def slots(request: web.Request) -> web.Response:
    store, query = request.app[STORE], request.query
    centre_id, vaccine_id = query.get("centre"), query.get("vaccine")
    day = _day("day", query["day"]) if "day" in query else None
    if centre_id is not None:
        await store.centre(centre_id)
    if vaccine_id is not None and all(each.id != vaccine_id for each in await store.vaccines()):
        raise errors.NoSuchVaccine("there is no such vaccine")
    found = await store.slots(now_ms=now_of(request), centre_id=centre_id, vaccine_id=vaccine_id, day=day)
    return _json({"slots": [slot_json(slot) for slot in found]})


async def eligibility(request: web.Request) -> web.Response:
    body = await _body(request, bodies.EligibilityBody)
    birth_date = person.read_birth_date(body.birth_date, today=today(request))
    return _json(verdict_json(judge_birth(request, birth_date)))


async def identity(request: web.Request) -> web.Response:
    body = await _body(request, bodies.IdentityBody)
    typed_for = body.for_.model_dump() if body.for_ else None
    session = await identify(request, body.method, body.model_dump(include=_PERSON), typed_for, consent=body.consent)
    whom = require_person(session)
    ends_ms = session.verified_ms + request.app[SETTINGS].session_s * 1000
    told = {
        "identity": seal_session(request, session),
        "expires_at": moment_json(ends_ms),
        "eligibility": verdict_json(judge_birth(request, whom.person.birth_date, whom.attributes)),
        "has_booking": await _has_booking(request, session),
    }
    return _json(told, status=201)


async def _has_booking(request: web.Request, session: Session) -> bool | None:
    try:
        return await own_booking(request, session) is not None
    except errors.StoreUnavailable:
        # Proving an identity is dear, and does not depend on our database.
        return None


async def hold(request: web.Request) -> web.Response:
    body = await _body(request, bodies.HoldBody)
    made = await hold_seat(request, read_identity(request, body.identity), body.slot_id)
    told = {
        "hold_id": made.id,
        "code": made.code,
        "expires_at": moment_json(made.expires_ms),
        "slot": slot_json(made.slot),
    }
    return _json(told, status=201)


async def drop(request: web.Request) -> web.Response:
    await request.app[STORE].drop_hold(request.match_info["hold_id"], request[CLAIMS], now_ms=now_of(request))
    return web.Response(status=204)


async def confirm(request: web.Request) -> web.Response:
    """Answers the same again when it is sent again, should the first answer have been lost."""
    card = await request.app[STORE].confirm(request.match_info["hold_id"], request[CLAIMS], now_ms=now_of(request))
    return _json(card_json(card), status=201, headers={COMMAND_HEADER: COMPLETE})


async def find(request: web.Request) -> web.Response:
    async with _proof(request, bodies.FindBody) as (body, birth_date):
        return _json(card_json(await request.app[STORE].find(body.code, birth_date, now_ms=now_of(request))))


async def change(request: web.Request) -> web.Response:
    async with _proof(request, bodies.ChangeBody) as (body, birth_date):
        card = await request.app[STORE].change(body.code, birth_date, body.slot_id, now_ms=now_of(request))
        return _json(card_json(card))


async def cancel(request: web.Request) -> web.Response:
    async with _proof(request, bodies.FindBody) as (body, birth_date):
        return _json(card_json(await request.app[STORE].cancel(body.code, birth_date, now_ms=now_of(request))))


async def wait(request: web.Request) -> web.Response:
    body = await _body(request, bodies.WaitlistBody)
    session, day = read_identity(request, body.identity), _day("day", body.day)
    return _json(card_json(await join_waitlist(request, session, body.centre_id, day, body.vaccine_id)), status=201)


async def leave(request: web.Request) -> web.Response:
    async with _proof(request, bodies.FindBody) as (body, birth_date):
        await request.app[STORE].leave_waitlist(body.code, birth_date, now_ms=now_of(request))
        return web.Response(status=204)


@asynccontextmanager
async def _proof(request: web.Request, model: type[F]) -> AsyncIterator[tuple[F, date]]:
    """Around what code and birth date must prove."""
    body = await _body(request, model)
    birth_date = person.read_birth_date(body.birth_date, today=today(request))
    async with proving(request, body.code):
        yield body, birth_date


def _day(field: str, text: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidFields({field: "day_bad"})


async def _body(request: web.Request, model: type[B]) -> B:
    # Also what keeps foreign pages out: a browser sends them this content type only after asking us, and we refuse.
    if request.content_type != "application/json":
        raise WrongContentType("this is not application/json")
    try:
        value = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise BadBody("this is not JSON") from None
    if not isinstance(value, dict):
        raise BadBody("this is not a JSON object")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidFields({_name(found["loc"]): _field_code(found["type"]) for found in error.errors()}) from None


def _name(location: tuple[int | str, ...]) -> str:
    # `for.name` is called as on the pages.
    return "_".join(str(part) for part in location)


def _field_code(kind: str) -> str:
    return {"missing": "field_missing", "extra_forbidden": "field_unknown"}.get(kind, "field_bad")


def _json(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, headers=headers, content_type="application/json")
