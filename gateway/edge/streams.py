"""Answers without an end of their own: WebSockets and server-sent events. They end with the pass they came in by.

Once a second every one of them is looked at, all of a room in one call to the store: a pass that was revoked, completed
or has expired ends it within `LOOK_S` and the time of that call. What a visitor sends through a WebSocket counts as a
sign of life, as a request would; what the backend sends does not. While the store is away nothing is ended: clocks
stand still then. A worker that stops ends all of them at once, so that it need not wait for what has no end.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Final

from gateway.edge.line import Line
from gateway.room.ticket import Pass
from gateway.store.base import StoreError

_LOG: Final = logging.getLogger(__name__)

LOOK_S: Final = 1.0


class Why(Enum):
    """Why a stream was ended from our side."""

    PASS_ENDED = "its pass has ended"
    IDLE = "nothing was sent for too long"
    STOPPING = "the gateway is stopping"


class Stream:
    """One of them. on_end: called once, in the event loop, when it has to end."""

    def __init__(self, holder: tuple[Line, Pass] | None, on_end: Callable[[Why], None]) -> None:
        self.holder = holder
        self.ended: Why | None = None
        self._on_end = on_end
        self._touched = False

    def touch(self) -> None:
        """The visitor has sent something."""
        self._touched = True

    def take_touch(self) -> bool:
        """Whether the visitor has sent something since this was last asked."""
        touched, self._touched = self._touched, False
        return touched

    def end(self, why: Why) -> None:
        if self.ended is None:
            self.ended = why
            self._on_end(why)

    def forget(self) -> None:
        """It is over: what carried it may carry something else by now, which must not be ended in its place."""
        self._on_end = _ignore


def _ignore(_why: Why) -> None: ...


class Streams:
    """All of one worker. stopping: it takes no more, and connections end with the answers under way."""

    def __init__(self) -> None:
        self._open: set[Stream] = set()
        self.stopping = False

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def hold(self, holder: tuple[Line, Pass] | None, on_end: Callable[[Why], None]) -> Iterator[Stream]:
        """Watch a stream while the context lasts. holder: the pass it came in by, None where it needed none."""
        stream = Stream(holder, on_end)
        self._open.add(stream)
        try:
            if self.stopping:
                stream.end(Why.STOPPING)
            yield stream
        finally:
            stream.forget()
            self._open.discard(stream)

    def stop(self) -> None:
        """End all there are, and at once all that come."""
        self.stopping = True
        for stream in list(self._open):
            stream.end(Why.STOPPING)

    async def run(self) -> None:
        """Look after them until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except Exception:  # noqa: BLE001
                # A fault of ours must not let passes that have ended live on in here for good.
                _LOG.exception("looking after open streams failed through a fault of the gateway's")

    async def look(self) -> None:
        """End those whose pass has ended; keep alive those whose visitor has sent something."""
        rooms: dict[Line, list[tuple[Stream, Pass]]] = {}
        for stream in self._open:
            if stream.holder is not None and stream.ended is None:
                line, visitor_pass = stream.holder
                rooms.setdefault(line, []).append((stream, visitor_pass))
        for line, held in rooms.items():
            touched: list[tuple[Stream, Pass]] = []
            quiet: list[tuple[Stream, Pass]] = []
            for each in held:
                (touched if each[0].take_touch() else quiet).append(each)
            try:
                for pairs, ask in ((touched, line.renew_all), (quiet, line.look)):
                    living = await ask([visitor_pass for _, visitor_pass in pairs]) if pairs else ()
                    for (stream, _), lives in zip(pairs, living, strict=True):
                        if not lives:
                            stream.end(Why.PASS_ENDED)
            except StoreError as error:
                _LOG.debug("the store did not say which passes live", extra={"room": line.name, "why": error})
