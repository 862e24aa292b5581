"""The operator API, first part: read the rooms, change their live settings. JSON, bearer token, problem documents.

`PATCH /api/rooms/{room}` takes any of the live settings by their names in the settings file. With `If-Match` it changes
nothing if another operator was faster (412, with what the settings are now). `POST /api/rooms/{room}/reset` starts the
line anew, and always wants `If-Match`. Changes go on record (`record.py`), with whose token it was (`auth.py`).
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from gateway import metrics
from gateway.console.answers import json as _json
from gateway.console.answers import problem as _problem
from gateway.console.auth import authorise, protect, who
from gateway.console.explaining import Explains, explain
from gateway.console.record import Book, By, Record, whose
from gateway.console.shown import describe
from gateway.metrics import WorkerFacts
from gateway.room.model import Mode, Prequeue, Snapshot
from gateway.room.postpone import CannotPostpone
from gateway.room.schedule import problems
from gateway.settings import Postponement, read_live_patch
from gateway.store.base import StoreError, VersionConflict
from gateway.store.limits_text import patched
from gateway.tokens import Role, Tokens
from shared.settings import problems_of

MAX_BODY_BYTES: Final = 64 * 1024


class RoomControl(Protocol):
    """What the console needs of a room at work."""

    name: str

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

    async def change(self, patch: dict[str, Any], *, expected_version: int | None) -> Snapshot: ...

    async def postpone(
        self, opens_at_ms: int, *, reason: str, expected_version: int | None, by: str | None = None
    ) -> Snapshot: ...

    async def reset(self, *, expected_version: int | None) -> Snapshot: ...


_ROOMS: Final = web.AppKey("rooms", Mapping[str, RoomControl])
_FACTS: Final[web.AppKey[Callable[[], WorkerFacts] | None]] = web.AppKey("facts")
_DRAINING: Final[web.AppKey[Callable[[], bool]]] = web.AppKey("draining")
_RECORD: Final = web.AppKey("record", Record)

# What a route takes; None: reachable without a token (whether this process is alive, and should get visitors).
# What is not named takes a viewer.
_ROLES: Final[Mapping[tuple[str, str], Role | None]] = {
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("PATCH", "/api/rooms/{room}"): Role.OPERATOR,
    ("POST", "/api/rooms/{room}/postpone"): Role.OPERATOR,
    ("POST", "/api/rooms/{room}/reset"): Role.ADMIN,
}
# Settings by which people get in without the line.
_OPENING_UP: Final = frozenset({Mode.PASSTHROUGH})


def create_app(
    rooms: Sequence[RoomControl],
    tokens: Tokens,
    facts: Callable[[], WorkerFacts] | None = None,
    *,
    draining: Callable[[], bool] = lambda: False,
    book: Book | None = None,
) -> web.Application:
    """The operators' application.

    tokens: those that count. facts: for the metrics.
    draining: whether this worker is on its way out. book: where changes go on record.
    """
    app = web.Application(middlewares=[_problems, authorise], client_max_size=MAX_BODY_BYTES)
    app[_ROOMS] = {room.name: room for room in rooms}
    protect(app, tokens, _ROLES)
    app[_FACTS] = facts
    app[_RECORD] = Record(book)
    app[_DRAINING] = draining
    app.on_response_prepare.append(_sign)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _readyz)
    app.router.add_get("/metrics", _metrics)
    app.router.add_get("/api/rooms", _list)
    app.router.add_get("/api/rooms/{room}", _show)
    app.router.add_get("/api/rooms/{room}/explain", _explain)
    app.router.add_patch("/api/rooms/{room}", _patch)
    app.router.add_post("/api/rooms/{room}/postpone", _postpone)
    app.router.add_post("/api/rooms/{room}/reset", _reset)
    return app


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Failures as problem documents; the one place here where an exception becomes a status."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return _problem(error.status, error.reason, headers=headers)
    except VersionConflict as conflict:
        return _problem(412, "the settings were changed by someone else", current=describe(conflict.snapshot))
    except StoreError as error:
        return _problem(503, str(error))


async def _sign(_: web.Request, response: web.StreamResponse) -> None:
    """Name the program, and not which versions of libraries it runs on."""
    response.headers["Server"] = "sunbeon"


async def _healthz(_: web.Request) -> web.Response:
    return _json({"status": "ok"})


async def _readyz(request: web.Request) -> web.Response:
    """Whether this process should get visitors: it knows its rooms, and is not on its way out.

    Also while the store is away. All gateways share the store, so all would turn unready at once, and visitors would
    get a balancer's error page in place of a waiting page that keeps their places.
    """
    if request.app[_DRAINING]():
        return _problem(503, "draining")
    rooms = request.app[_ROOMS].values()
    # Raises `StoreUnavailable` for a room that was never seen.
    away = sorted(room.snapshot.room for room in rooms if not room.fresh)
    bad = sorted(room.name for room in rooms if room.eligibility is not None and room.eligibility.problem is not None)
    found = {"store_away": away, "calendar_not_taken": bad}
    return _json({"status": "ok", **{name: names for name, names in found.items() if names}})


async def _metrics(request: web.Request) -> web.Response:
    rooms = request.app[_ROOMS].values()
    body = metrics.render(
        lambda: [room.snapshot for room in rooms],
        request.app[_FACTS],
        str(os.getpid()),
        lambda: {room.name: room.prequeues for room in rooms},
    )
    return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE})


async def _list(request: web.Request) -> web.Response:
    return _json({"rooms": [_described(room) for room in request.app[_ROOMS].values()]})


async def _show(request: web.Request) -> web.Response:
    room = _find(request)
    return _json(_described(room), headers=_etag(room.snapshot))


async def _explain(request: web.Request) -> web.Response:
    """What somebody born then is told at that moment (`?birth=1968-03-02&at=2021-07-19T22:30:00`), and why."""
    room = _find(request)
    if room.eligibility is None:
        return _problem(404, "this room has no eligibility calendar")
    try:
        return _json({"room": room.name, **explain(room.eligibility, room.snapshot, request.query)})
    except ValueError as error:
        return _problem(422, str(error))


async def _patch(request: web.Request) -> web.Response:
    room = _find(request)
    version, by = _if_match(request), whose(request)
    if request.content_type != "application/json":
        return _problem(415, "send application/json")
    try:
        wanted = orjson.loads(await request.read())
        patch = read_live_patch(wanted)
    except orjson.JSONDecodeError:
        return _problem(400, "the body is not JSON")
    except ValidationError as error:
        return _problem(422, "settings that cannot be", problems=problems_of(error))
    if patch.get("mode") in _OPENING_UP and not who(request).role.may(Role.ADMIN):
        return _problem(403, f"letting everybody through takes the role {Role.ADMIN}")
    before = room.snapshot
    planned = patched(before.limits, patch)
    if found := problems(planned.windows, planned.timetable):
        return _problem(422, "settings that cannot be", problems=found)
    after = await room.change(patch, expected_version=version)
    request.app[_RECORD].changed(before, after, wanted, by)
    return _room(room, after)


async def _postpone(request: web.Request) -> web.Response:
    """Move the opening, before it or after it. Everyone keeps number, place and what was left of their time."""
    room = _find(request)
    version, by = _if_match(request), whose(request)
    try:
        asked = Postponement.model_validate_json(await request.read())
    except ValidationError as error:
        return _problem(422, "say `opens_at`, and `reason` in a line", problems=problems_of(error))
    try:
        if asked.by and (by.said or by.name is None):
            by = By(asked.by, said=True)
        after = await room.postpone(asked.opens_at_ms, reason=asked.reason, expected_version=version, by=by.name)
    except CannotPostpone as error:
        return _problem(409, str(error))
    request.app[_RECORD].postponed(after, asked.reason, by)
    return _room(room, after)


async def _reset(request: web.Request) -> web.Response:
    """Start the line anew. Everyone loses their place, so it takes the version just seen: no bare POST does it."""
    version, by = _if_match(request), whose(request)
    if version is None:
        return _problem(428, "a reset ends every place and pass: say with If-Match which version of the room you saw")
    room = _find(request)
    after = await room.reset(expected_version=version)
    request.app[_RECORD].reset(after, by)
    return _room(room, after)


def _find(request: web.Request) -> RoomControl:
    room = request.app[_ROOMS].get(request.match_info["room"])
    if room is None:
        raise web.HTTPNotFound(reason="no such room")
    return room


def _if_match(request: web.Request) -> int | None:
    """The settings version a change builds on; None for any."""
    text = request.headers.get("If-Match", "*").strip()
    if text == "*":
        return None
    digits = text.strip('"')
    if not re.fullmatch(r"[0-9]{1,18}", digits):
        raise web.HTTPBadRequest(reason="If-Match must be an ETag that this API gave")
    return int(digits)


def _described(room: RoomControl) -> dict[str, Any]:
    return _told_of(room, room.snapshot, fresh=room.fresh)


def _room(room: RoomControl, after: Snapshot) -> web.Response:
    """As a change has left it."""
    return _json(_told_of(room, after), headers=_etag(after))


def _told_of(room: RoomControl, seen: Snapshot, *, fresh: bool = True) -> dict[str, Any]:
    return describe(seen, fresh=fresh, waves=room.prequeues, people_waiting=room.people_waiting, stock=room.stock_left)


def _etag(room: Snapshot) -> dict[str, str]:
    return {"ETag": f'"{room.limits.version}"'}
