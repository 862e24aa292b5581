"""All rooms once a second, as server-sent events, and who it is that listens.

A message is made once a second for all who listen to this worker, however many. A stream ends when its token counts no
more and when the worker is on its way out; whoever listens comes back by themselves, to another worker.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import BaseModel

from gateway.console.answers import Refused, json
from gateway.console.auth import counts_still, who
from gateway.console.context import DRAINING, ROOMS, described
from gateway.console.operations import Operation, in_query
from gateway.metrics import WorkerFacts
from gateway.tokens import Role

# Of each worker.
MOST_LISTENERS: Final = 250
# With one token: whoever got hold of a viewer's must not keep all others from looking.
MOST_OF_ONE: Final = 100
# Who takes nothing for so long is not looking any more.
SLOWEST_S: Final = 10.0
_MOST_MESSAGES: Final = 86_400
# As many messages as there are seconds.
ENDLESS: Final = -1


class Feed:
    """make: what is so at this moment. Times in seconds."""

    def __init__(self, make: Callable[[], Any], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._monotonic = monotonic
        self._second = -1
        self._message = b""
        self._listeners: Counter[str] = Counter()

    def message(self) -> bytes:
        """The message of this second: the same bytes for whoever asks."""
        second = int(self._monotonic())
        if second != self._second:
            self._message = b"data: " + orjson.dumps(self._make()) + b"\n\n"
            self._second = second
        return self._message

    def until_next_s(self) -> float:
        return 1.0 - self._monotonic() % 1.0

    @property
    def listeners(self) -> int:
        return self._listeners.total()

    def is_full(self, name: str) -> bool:
        """Whether nobody else, or nobody else with the token of this name, can listen."""
        return self.listeners >= MOST_LISTENERS or self._listeners[name] >= MOST_OF_ONE

    @contextmanager
    def listening(self, name: str) -> Iterator[None]:
        self._listeners[name] += 1
        try:
            yield
        finally:
            self._listeners[name] -= 1
            self._listeners += Counter()  # forgets who is gone


FEED: Final = web.AppKey("feed", Feed)
FACTS: Final[web.AppKey[Callable[[], WorkerFacts] | None]] = web.AppKey("facts")


class Event(BaseModel):
    """data: a JSON text: `rooms`, and `servers` and `stores` as the worker that answers knows them."""

    data: str


class Me(BaseModel):
    """Whose token it is."""

    name: str
    role: Role


async def show_me(request: web.Request) -> web.Response:
    principal = who(request)
    return json({"name": principal.name, "role": principal.role})


async def stream_events(request: web.Request) -> web.StreamResponse:
    """Endless, unless it is said how many messages are wanted."""
    feed, draining = request.app[FEED], request.app[DRAINING]
    left = _messages(request.query.get("messages"))
    if draining():
        raise Refused(503, "draining")
    if feed.is_full(who(request).name):
        raise Refused(503, "too many listen already")
    # A proxy before this must not gather messages.
    headers = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    if request.method == "HEAD":
        return response
    with feed.listening(who(request).name):
        await response.prepare(request)
        with suppress(ConnectionError):
            while counts_still(request) and not draining():
                try:
                    async with asyncio.timeout(SLOWEST_S):
                        await response.write(feed.message())
                except TimeoutError:
                    if request.transport is not None:
                        request.transport.abort()
                    break
                left -= 1
                if not left:
                    break
                await asyncio.sleep(feed.until_next_s())
    return response


def everything(app: web.Application) -> dict[str, Any]:
    """The rooms, and what this worker knows of the servers behind it and of its store."""
    facts = app[FACTS]
    return {"rooms": [described(room) for room in app[ROOMS].values()], **(_worker(facts()) if facts else {})}


def _worker(facts: WorkerFacts) -> dict[str, Any]:
    return {
        "connections": facts.connections,
        "servers": [
            {
                "name": server.name,
                "up": server.healthy and not server.resting,
                "in_flight": server.in_flight,
            }
            for server in facts.servers
        ],
        "stores": [{"room": store.room, "up": store.up, "age_s": round(store.age_s, 1)} for store in facts.stores],
    }


def _messages(text: str | None) -> int:
    """How many are wanted. Raises `Refused`."""
    if text is None:
        return ENDLESS
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= _MOST_MESSAGES):  # noqa: PLR2004
        raise Refused(422, f"`messages` is a whole number from 1 to {_MOST_MESSAGES}")
    return int(text)


_WANTED: Final = in_query("messages", "So many, then it ends; none: endless.", pattern="^[0-9]{1,5}$")

OPERATIONS: Final = (
    Operation("GET", "/api/me", show_me, "Whose token it is.", Role.VIEWER, Me),
    Operation(
        "GET", "/api/events", stream_events, "All rooms, each second, as server-sent events.", Role.VIEWER, Event,
        kind="text/event-stream", parameters=(_WANTED,),
        refuses={422: "`messages` is no such number", 503: "draining, or too many listen"},
    ),
)  # fmt: skip
