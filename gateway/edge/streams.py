"""What goes on between a visitor and the backend, and what becomes of it when its pass ends.

WebSockets and server-sent events have no end of their own: they end with the pass they came in by. Any other exchange
is given `FINISH_S` more to come to its end.

Once a second those that last are looked at, all of a room in one call to the store. What a visitor sends through a
WebSocket counts as a sign of life, as a request would, and so does an upload or a download under way; what the backend
sends through a stream does not. While the store is away, those go on whose pass is remembered to live, within the grace
that requests have too (`Line.recall`). A worker that stops ends them all, and need not wait for what has no end.
"""

import asyncio
import logging
from collections.abc import Callable
from enum import Enum
from typing import Final

from gateway.edge.line import Line
from gateway.room.ticket import Pass
from gateway.store.base import StoreError

_LOG: Final = logging.getLogger(__name__)

LOOK_S: Final = 1.0
# Exchanges that are over sooner, nearly all of them, cost no look.
LASTING_S: Final = 5.0
FINISH_S: Final = 60.0


class Why(Enum):
    """Why something was ended from our side."""

    PASS_ENDED = "its pass has ended"
    IDLE = "nothing was sent for too long"
    STOPPING = "the gateway is stopping"


class Stream:
    """One exchange. on_end: called at most once, in the event loop, when it has to end.

    endless: it has no end of its own. doomed_s: since when its pass is known to have ended.
    """

    __slots__ = ("_touched", "began_s", "doomed_s", "ended", "endless", "holder", "on_end")

    def __init__(self, holder: tuple[Line, Pass] | None, on_end: Callable[[Why], None], now_s: float) -> None:
        self.holder = holder
        self.began_s = now_s
        self.endless = False
        self.doomed_s: float | None = None
        self.ended: Why | None = None
        self.on_end = on_end
        self._touched = False

    def touch(self) -> None:
        """The visitor has sent something."""
        self._touched = True

    def take_touch(self) -> bool:
        """Whether the visitor has shown life since this was last asked."""
        touched, self._touched = self._touched or not self.endless, False
        return touched

    def end(self, why: Why) -> None:
        if self.ended is None:
            self.ended = why
            self.on_end(why)

    def forget(self) -> None:
        """It is over: what carried it may carry something else by now, which must not be ended in its place."""
        self.on_end = _ignore


def _ignore(_why: Why) -> None: ...


class Streams:
    """All of one worker. stopping: connections end with the answers under way."""

    def __init__(self, *, monotonic: Callable[[], float] | None = None) -> None:
        self._monotonic = monotonic or asyncio.get_running_loop().time
        self._open: set[Stream] = set()
        self.stopping = False
        self._stopped = False

    def __len__(self) -> int:
        """How many WebSockets and event streams are open."""
        return sum(stream.endless for stream in self._open)

    def hold(self, holder: tuple[Line, Pass] | None, on_end: Callable[[Why], None]) -> Stream:
        """Watch an exchange until it is `release`d. holder: the pass it came in by, None where it needed none."""
        stream = Stream(holder, on_end, self._monotonic())
        self._open.add(stream)
        return stream

    def release(self, stream: Stream) -> None:
        """The exchange is over."""
        stream.forget()
        self._open.discard(stream)

    def turn_endless(self, stream: Stream, on_end: Callable[[Why], None] | None = None) -> None:
        """It has turned out to be a WebSocket or an event stream, and ends in its own way."""
        stream.endless = True
        if on_end is not None:
            stream.on_end = on_end
        if self._stopped:
            stream.end(Why.STOPPING)

    def stop(self) -> None:
        """End all that have no end, and at once all that come."""
        self.stopping = self._stopped = True
        for stream in list(self._open):
            if stream.endless:
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
        """End those whose pass has ended; keep alive those whose visitor shows life."""
        now_s = self._monotonic()
        rooms: dict[Line, list[tuple[Stream, Pass]]] = {}
        for stream in self._open:
            lasts = stream.endless or now_s - stream.began_s >= LASTING_S
            if stream.holder is not None and stream.ended is None and lasts:
                line, visitor_pass = stream.holder
                rooms.setdefault(line, []).append((stream, visitor_pass))
        for line, held in rooms.items():
            touched: list[tuple[Stream, Pass]] = []
            quiet: list[tuple[Stream, Pass]] = []
            for each in held:
                (touched if each[0].take_touch() else quiet).append(each)
            for pairs, ask in ((touched, line.renew_all), (quiet, line.look)):
                passes = [visitor_pass for _, visitor_pass in pairs]
                try:
                    living = await ask(passes) if pairs else []
                except StoreError as error:
                    _LOG.debug("the store did not say which passes live", extra={"room": line.name, "why": error})
                    living = [line.recall(visitor_pass) is not None for visitor_pass in passes]
                for (stream, _), lives in zip(pairs, living, strict=True):
                    if lives:
                        stream.doomed_s = None
                    else:
                        _doom(stream, now_s)


def _doom(stream: Stream, now_s: float) -> None:
    if stream.doomed_s is None:
        stream.doomed_s = now_s
    if stream.endless or now_s - stream.doomed_s >= FINISH_S:
        stream.end(Why.PASS_ENDED)
