"""The JSON API. Times are ISO 8601 with the Korean offset; errors are problem+json with a stable `code`."""

import re
from datetime import date
from typing import Any, Final, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from booking import person, schedule
from booking.errors import BadBody, InvalidFields, WrongContentType
from booking.model import BookingCard, Slot
from booking.routes.context import HEALTH_PATH, STORE, now_of
from booking.routes.journey import COMPLETE, make_hold, today
from shared.admission import CLAIMS
from shared.wire import COMMAND_HEADER

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LARGEST_ID: Final = 2**53

B = TypeVar("B", bound=BaseModel)


class HoldBody(BaseModel):
    """`POST /api/holds`."""

    model_config = ConfigDict(extra="forbid")

    slot_id: int = Field(ge=1, le=_LARGEST_ID)
    name: str
    birth_date: str
    phone: str


class CancelBody(BaseModel):
    """`POST /api/bookings/{code}/cancel`."""

    model_config = ConfigDict(extra="forbid")

    birth_date: str


def routes() -> list[web.RouteDef]:
    return [
        web.get(HEALTH_PATH, healthz),
        web.get("/api/centres", centres),
        web.get("/api/slots", slots),
        web.post("/api/holds", hold),
        web.post("/api/holds/{hold_id}/confirm", confirm),
        web.post("/api/bookings/{code}/cancel", cancel),
    ]


async def healthz(_request: web.Request) -> web.Response:
    """That the program runs; asked without a pass, so it touches nothing."""
    return _json({"status": "ok"})


async def centres(request: web.Request) -> web.Response:
    found = await request.app[STORE].centres()
    return _json({"centres": found})


async def slots(request: web.Request) -> web.Response:
    store = request.app[STORE]
    centre_id = request.query.get("centre")
    if centre_id is not None:
        await store.centre(centre_id)
    found = await store.slots(now_ms=now_of(request), centre_id=centre_id, day=_day(request.query.get("day")))
    return _json({"slots": [slot_json(slot) for slot in found]})


async def hold(request: web.Request) -> web.Response:
    body = await _body(request, HoldBody)
    made = await make_hold(request, body.slot_id, body.model_dump(include={"name", "birth_date", "phone"}))
    return _json({"hold_id": made.id, "expires_at": _iso(made.expires_ms), "slot": slot_json(made.slot)}, status=201)


async def confirm(request: web.Request) -> web.Response:
    """Answers the same again when it is sent again, should the first answer have been lost."""
    card = await request.app[STORE].confirm(request.match_info["hold_id"], request[CLAIMS], now_ms=now_of(request))
    return _json(_card_json(card), status=201, headers={COMMAND_HEADER: COMPLETE})


async def cancel(request: web.Request) -> web.Response:
    body = await _body(request, CancelBody)
    birth_date = person.read_birth_date(body.birth_date, today=today(request))
    card = await request.app[STORE].cancel(request.match_info["code"], birth_date, now_ms=now_of(request))
    return _json(_card_json(card) | {"cancelled": card.cancelled})


def slot_json(slot: Slot) -> dict[str, Any]:
    return {"id": slot.id, "centre_id": slot.centre_id, "starts_at": _iso(slot.starts_ms), "left": slot.left}


def _card_json(card: BookingCard) -> dict[str, Any]:
    return {"code": card.code, "slot": slot_json(card.slot), "how": card.how.value, "number": card.number}


def _iso(moment_ms: int) -> str:
    return schedule.in_korea(moment_ms).isoformat(timespec="seconds")


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidFields({"day": "day_bad"})


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
        raise InvalidFields({str(found["loc"][0]): _field_code(found["type"]) for found in error.errors()}) from None


def _field_code(kind: str) -> str:
    return {"missing": "field_missing", "extra_forbidden": "field_unknown"}.get(kind, "field_bad")


def _json(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, headers=headers, content_type="application/json")
