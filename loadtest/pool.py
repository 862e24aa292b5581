"""Connections for thousands of visitors: kept open, the one used last before the others, as many as are under way.

A client for everybody takes several times the processor of this one. Nothing is sent again, redirected, or kept of
cookies: that is the visitors' business, who must know of every answer that was lost.
"""

import asyncio
import itertools
import ssl
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from loadtest.connection import Connection, Refused, Reply

# A server may close what was not used for long, just as it is used again: after so long it is closed here.
KEPT_S: Final = 15.0
# Visitors come from many places, and a gateway bears only so much of one. Other systems know one loopback address only.
SOURCES: Final = tuple(f"127.0.8.{number}" for number in range(1, 251))
_SPREAD: Final = sys.platform == "linux"
# How often it is looked whose answer takes too long, and what is not used.
LOOK_EVERY_S: Final = 0.1


@dataclass(slots=True, eq=False)
class Door:
    """What connections are made to, and those that wait there for a request, the one used last at the end."""

    host: str
    port: int
    tls: bool
    idle: deque[Connection] = field(default_factory=deque)


class Pool:
    """limit_s: for a connection, and for an answer by it. opened: connections made so far."""

    def __init__(self, limit_s: float) -> None:
        self.opened = 0
        self._limit_s = limit_s
        self._loop = asyncio.get_running_loop()
        self._doors: dict[tuple[str, int, bool], Door] = {}
        # Answers under way, by when they are due. All have the same limit, so the first is the oldest.
        self._due: deque[tuple[float, asyncio.Future[Reply]]] = deque()
        self._looking: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None
        self._sources = itertools.cycle(SOURCES)

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        for door in self._doors.values():
            for connection in door.idle:
                connection.hang_up()
        # They end in the loop's next turn.
        await asyncio.sleep(0)

    def door(self, host: str, port: int, *, tls: bool = False) -> Door:
        """The same one for the same."""
        return self._doors.setdefault((host, port, tls), Door(host, port, tls))

    async def exchange(self, door: Door, request: bytes, *, bodiless: bool = False) -> Reply:
        """Send a request and have its answer. bodiless: it is one to HEAD. Raises `NoAnswer` and `TimeoutError`."""
        connection = self._last_used(door) or await self._open(door)
        answer = connection.send(request, bodiless=bodiless)
        self._watch(answer)
        try:
            reply = await answer
        except BaseException:
            connection.hang_up()
            raise
        if connection.fit:
            door.idle.append(connection)
        else:
            connection.hang_up()
        return reply

    def _last_used(self, door: Door) -> Connection | None:
        since_s = self._loop.time() - KEPT_S
        while door.idle:
            connection = door.idle.pop()
            if connection.fit and connection.used_s > since_s:
                return connection
            connection.hang_up()
        return None

    def _drop_unused(self) -> None:
        since_s = self._loop.time() - KEPT_S
        for door in self._doors.values():
            while door.idle and door.idle[0].used_s <= since_s:
                door.idle.popleft().hang_up()

    async def _open(self, door: Door) -> Connection:
        loop = self._loop
        if door.tls and self._tls is None:
            self._tls = ssl.create_default_context()
        source = (next(self._sources), 0) if _SPREAD and door.host.startswith("127.") else None
        tls = self._tls if door.tls else None
        try:
            async with asyncio.timeout(self._limit_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop), door.host, door.port, ssl=tls, local_addr=source
                )
        except TimeoutError:
            raise
        except OSError as error:
            raise Refused(str(error)) from None
        self.opened += 1
        return connection

    def _watch(self, answer: "asyncio.Future[Reply]") -> None:
        due = self._due
        while due and due[0][1].done():
            due.popleft()
        due.append((self._loop.time() + self._limit_s, answer))
        if self._looking is None:
            self._looking = self._loop.call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        """Break off what is due; its connection is hung up by whoever waited for it. Close what nobody uses."""
        self._looking = None
        self._drop_unused()
        due, loop = self._due, self._loop
        while due and (due[0][1].done() or due[0][0] <= loop.time()):
            _, answer = due.popleft()
            if not answer.done():
                answer.set_exception(TimeoutError())
        if due:
            self._looking = loop.call_later(LOOK_EVERY_S, self._look)
