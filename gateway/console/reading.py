"""What can be asked without changing anything: health, metrics, the rooms, and this API's own description."""

from typing import Any, Final

from aiohttp import web

from gateway import metrics
from gateway.console.answers import Refused, json
from gateway.console.context import DRAINING, ROOMS, SCRAPE, described, etag, find
from gateway.console.explaining import explain
from gateway.console.operations import Operation, in_query
from gateway.console.shapes import Anything, Health, RoomList, RoomShown
from gateway.tokens import Role

DOCUMENT: Final[web.AppKey[dict[str, Any]]] = web.AppKey("document")


async def health(_: web.Request) -> web.Response:
    return json({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Whether this process should get visitors: it knows its rooms, and is not on its way out.

    Also while the store is away. All gateways share the store, so all would turn unready at once, and visitors would
    get a balancer's error page in place of a waiting page that keeps their places.
    """
    if request.app[DRAINING]():
        raise Refused(503, "draining")
    rooms = request.app[ROOMS].values()
    # Raises `StoreUnavailable` for a room that was never seen.
    away = sorted(room.snapshot.room for room in rooms if not room.fresh)
    bad = sorted(room.name for room in rooms if room.eligibility is not None and room.eligibility.problem is not None)
    found = {"store_away": away, "calendar_not_taken": bad}
    return json({"status": "ok", **{name: names for name, names in found.items() if names}})


async def show_metrics(request: web.Request) -> web.Response:
    return web.Response(body=request.app[SCRAPE](), headers={"Content-Type": metrics.CONTENT_TYPE})


async def list_rooms(request: web.Request) -> web.Response:
    return json({"rooms": [described(room) for room in request.app[ROOMS].values()]})


async def show_room(request: web.Request) -> web.Response:
    room = find(request)
    return json(described(room), headers=etag(room.snapshot))


async def explain_rules(request: web.Request) -> web.Response:
    """What somebody born then is told at that moment (`?birth=1968-03-02&at=2021-07-19T22:30:00`), and why."""
    room = find(request)
    if room.eligibility is None:
        raise Refused(404, "this room has no eligibility calendar")
    try:
        return json({"room": room.name, **explain(room.eligibility, room.snapshot, request.query)})
    except ValueError as error:
        raise Refused(422, str(error)) from None


async def show_document(request: web.Request) -> web.Response:
    return json(request.app[DOCUMENT])


_EXPLAINED: Final = (
    in_query("birth", "A birth date, as 1968-03-02; neither kept nor logged.", required=True),
    in_query("at", "A moment, as 2021-07-19T22:30:00; none: now."),
)

OPERATIONS: Final = (
    Operation("GET", "/healthz", health, "Whether this process lives.", None, Health),
    Operation("GET", "/readyz", ready, "Whether it should get visitors.", None, Health, refuses={503: "draining"}),
    Operation("GET", "/metrics", show_metrics, "For Prometheus.", Role.VIEWER, None, kind="text/plain"),
    Operation("GET", "/api/openapi.json", show_document, "This document.", Role.VIEWER, Anything),
    Operation("GET", "/api/rooms", list_rooms, "All rooms.", Role.VIEWER, RoomList),
    Operation("GET", "/api/rooms/{room}", show_room, "A room; its ETag is for `If-Match`.", Role.VIEWER, RoomShown),
    Operation(
        "GET", "/api/rooms/{room}/explain", explain_rules, "What somebody born then is told, and why.", Role.VIEWER,
        Anything, parameters=_EXPLAINED, refuses={404: "no eligibility calendar", 422: "no such date or moment"},
    ),
)  # fmt: skip
