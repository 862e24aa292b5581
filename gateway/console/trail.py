"""The newest lines of a room's audit log, for operators; and the head of its chain, to be noted elsewhere."""

import asyncio
from dataclasses import asdict
from typing import Any, Final, Protocol

from aiohttp import web
from pydantic import BaseModel

from gateway.audit_tail import Tail
from gateway.chain import Head
from gateway.console.answers import Refused, json
from gateway.console.context import find
from gateway.console.operations import Operation, in_query
from gateway.tokens import Role

USUAL: Final = 50
MOST: Final = 500


class Trail(Protocol):
    """The audit log, to be read."""

    def head(self, room: str) -> Head | None: ...

    def newest(self, room: str, limit: int, *, operators: bool) -> Tail | None: ...


TRAIL: Final[web.AppKey[Trail | None]] = web.AppKey("trail")


class HeadShown(BaseModel):
    """The newest line of the chain, by its number and hash."""

    chain: str
    seq: int
    hash: str


class Lines(BaseModel):
    """lines: newest first, as they are in the log. whole: there are no more in the newest file of this gateway's."""

    head: HeadShown | None
    lines: list[dict[str, Any]]
    whole: bool


async def show_audit(request: web.Request) -> web.Response:
    room, trail = find(request).name, request.app[TRAIL]
    limit, only = request.query.get("limit", str(USUAL)), request.query.get("by")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= MOST):  # noqa: PLR2004
        raise Refused(422, f"`limit` is a whole number from 1 to {MOST}")
    if only not in {None, "operators"}:
        raise Refused(422, "`by` is `operators`, or is not given")
    try:
        found = (
            await asyncio.to_thread(trail.newest, room, int(limit), operators=only is not None)
            if trail is not None
            else None
        )
    except OSError as error:
        raise Refused(503, f"the audit log cannot be read: {error.strerror}") from None
    if trail is None or found is None:
        raise Refused(404, "no audit log is kept")
    head = trail.head(room)
    try:
        return json({"head": asdict(head) if head is not None else None, "lines": found.lines, "whole": found.whole})
    except TypeError:
        raise Refused(503, "the audit log holds a line that no gateway wrote: `sunbeon audit verify`") from None


_ASKED: Final = (
    in_query("limit", f"So many at most, from 1 to {MOST}.", pattern="^[0-9]{1,3}$"),
    in_query("by", "`operators`: only what operators did.", enum=["operators"]),
)

OPERATIONS: Final = (
    Operation(
        "GET", "/api/rooms/{room}/audit", show_audit, "The newest lines of the audit log.", Role.VIEWER, Lines,
        parameters=_ASKED,
        refuses={404: "no log is kept", 422: "asked for what cannot be", 503: "the log cannot be read"},
    ),
)  # fmt: skip
