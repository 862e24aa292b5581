"""What the operator API's routes share: the rooms, and how a request is read."""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from gateway.console.answers import Refused, json
from gateway.console.explaining import Explains
from gateway.console.record import Record
from gateway.console.shown import describe
from gateway.room.match import Area
from gateway.room.model import Limits, PassGrant, Prequeue, Snapshot
from gateway.settings import Room
from gateway.store.base import PassRef, VersionConflict, Whereabouts
from shared.settings import problems_of

MAX_BODY_BYTES: Final = 64 * 1024
# Where a room names none: as on the pages of visitors.
USUAL_ZONE: Final = "Asia/Seoul"
# A body that has not come whole by then is not waited for.
BODY_S: Final = 10.0
# A change of whatever is there is made of what it has become meanwhile, this often.
TRIES: Final = 5

M = TypeVar("M", bound=BaseModel)


class RoomControl(Protocol):
    """What the console needs of a room at work."""

    name: str
    config: Room

    @property
    def snapshot(self) -> Snapshot: ...

    @property
    def prequeues(self) -> Mapping[str, Prequeue]: ...

    @property
    def fresh(self) -> bool: ...

    @property
    def eligibility(self) -> Explains | None: ...

    @property
    def people_waiting(self) -> int | None: ...

    @property
    def stock_left(self) -> int | None: ...

    @property
    def area(self) -> Area: ...

    @property
    def rule_names(self) -> Collection[str]: ...

    def settings_at(self, version: int) -> Limits | None: ...

    async def where(self, places: Sequence[tuple[int, int]]) -> Sequence[Whereabouts | None]: ...

    async def find_pass(self, pass_id: str) -> PassGrant | None: ...

    async def revoke(self, ref: PassRef) -> bool: ...

    async def tick_now(self) -> None: ...

    async def change(self, patch: dict[str, Any], *, expected_version: int | None) -> Snapshot: ...

    async def postpone(
        self, opens_at_ms: int, *, reason: str, expected_version: int | None, by: str | None = None
    ) -> Snapshot: ...

    async def reset(self, *, expected_version: int | None) -> Snapshot: ...


ROOMS: Final = web.AppKey("rooms", Mapping[str, RoomControl])
# The metrics of all workers, for Prometheus.
SCRAPE: Final[web.AppKey[Callable[[], bytes]]] = web.AppKey("scrape")
DRAINING: Final[web.AppKey[Callable[[], bool]]] = web.AppKey("draining")
RECORD: Final = web.AppKey("record", Record)


def find(request: web.Request) -> RoomControl:
    """The room that the path names. Raises `Refused`."""
    room = request.app[ROOMS].get(request.match_info["room"])
    if room is None:
        raise Refused(404, "no such room")
    return room


def if_match(request: web.Request) -> int | None:
    """The settings version a change builds on; None for any. Raises `Refused`."""
    text = request.headers.get("If-Match", "*").strip()
    if text == "*":
        return None
    digits = text.strip('"')
    if not re.fullmatch(r"[0-9]{1,18}", digits):
        raise Refused(400, "If-Match must be an ETag that this API gave")
    return int(digits)


async def as_seen(room: RoomControl, version: int | None) -> Snapshot:
    """The room at the version the caller saw, which may have come about elsewhere a moment ago; None: as it is known.

    What a change is made of: `change` it at this snapshot's version. Raises `VersionConflict` if it is another by now.
    """
    if version not in {None, room.snapshot.limits.version}:
        await room.tick_now()
    seen = room.snapshot
    if version not in {None, seen.limits.version}:
        raise VersionConflict(seen)
    return seen


async def rewrite(
    room: RoomControl, version: int | None, plan: Callable[[Snapshot], dict[str, Any]]
) -> tuple[Snapshot, Snapshot]:
    """Change the room by what `plan` makes of it as it is, whatever else is changed meanwhile; how it was, and is.

    version: the one the caller saw; None: any. Raises `VersionConflict`, and what `plan` raises.
    """
    tries = TRIES
    while True:
        seen = await as_seen(room, version)
        try:
            return seen, await room.change(plan(seen), expected_version=seen.limits.version)
        except VersionConflict:
            tries -= 1
            if not tries:
                raise


async def read_json(request: web.Request) -> Any:
    """The body as a JSON object. Raises `Refused`."""
    if request.content_type != "application/json":
        raise Refused(415, "send application/json")
    try:
        async with asyncio.timeout(BODY_S):
            data = orjson.loads(await request.read())
    except TimeoutError:
        raise Refused(408, "the body did not come whole in time") from None
    except orjson.JSONDecodeError:
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(data, dict):
        raise Refused(422, "send a JSON object")
    return data


async def read_body(request: web.Request, model: type[M], *, said: str = "the body is not as it must be") -> M:
    """The body as the model has it. said: what is wrong if it is not. Raises `Refused`."""
    return checked(await read_json(request), model, said=said)


def checked(data: Any, model: type[M], *, said: str) -> M:
    """Raises `Refused` with every problem."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise Refused(422, said, problems=problems_of(error)) from None


def described(room: RoomControl, seen: Snapshot | None = None) -> dict[str, Any]:
    """The room as it is. seen: as a change has just left it."""
    told = describe(
        seen or room.snapshot,
        fresh=seen is not None or room.fresh,
        waves=room.prequeues,
        people_waiting=room.people_waiting,
        stock=room.stock_left,
    )
    return {**told, "title": dict(room.config.title), "timezone": room.config.timezone or USUAL_ZONE}


def room_answer(room: RoomControl, after: Snapshot, **more: Any) -> web.Response:
    """The room as a change has left it. more: what else is to be said of that."""
    return json({**described(room, after), **more}, headers=etag(after))


def etag(room: Snapshot) -> dict[str, str]:
    return {"ETag": f'"{room.limits.version}"'}
