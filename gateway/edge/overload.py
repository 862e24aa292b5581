"""When more is asked than this worker can answer: people inside first, then who is in line, then newcomers.

Two things are bounded in every turn of the event loop, whatever there is to do: how many new connections are taken
(`certificate.Site`), and how many of the gateway's own answers are given to kept ones. Who has had one when there have
been `PER_TURN` in a turn is not read again until it is their turn, so many of them in each turn of the loop, and who
waited longest first. What they send meanwhile stays in the kernel, one request of each, and costs nothing until it is
answered in full. So turns are short, and people inside, whose connections are always read, wait for a few short turns
and not for everybody; so do the store's answers and the backend's. Who heeds `poll_after_ms` notices nothing: it is
longer than the wait for a turn.

When that wait is longer than `BEHIND_S`, or many new connections wait to be taken, or the loop comes round late by its
own work, and it stays so (`IN_A_ROW` looks), this is `on`: the worker cannot keep up. Then newcomers are told to come
back in a moment, in a few words, most of them before anything else is made for their connection (`doorstep`): their
page is costly, not urgent and nobody's yet, as they hold no place that could be lost. And fewer connections wait in the
kernel, as those who wait there for longer get nothing better for it. Once it has caught up, more and more of the
newcomers are served, and when all are, it is over.

To answer each request with a refusal would not do: reading and refusing costs a third of answering, so that at five
times of what can be done nothing would be left to answer with.

Pure but for `watch`; `soon` is the loop's `call_soon`.
"""

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from aiohttp.helpers import rfc822_formatted_time

from gateway.edge.chance import CHANCE
from shared.wire import GATE_HEADER

LOOK_S: Final = 0.05
PER_TURN: Final = 64
MARKED: Final = 16
BEHIND_S: Final = 0.1
# Connections that wait to be taken: a worker that keeps up never has so many.
WAITING: Final = 128
# By which the loop is late, of its own work: some hundred answers.
LATE_S: Final = 0.03
# Looks: one can have a reason that is gone with it.
IN_A_ROW: Final = 4
# Of newcomers, by how many per look more are served: from none to all in two seconds and a half.
MORE: Final = 0.02
# How many connections may wait to be taken, at most: usually, and while there is too much to do.
BACKLOG: Final = 4_096
SHORT_BACKLOG: Final = 512
# In `struct tcp_info`, of a socket that listens: how many wait.
_WAITING_AT: Final = struct.Struct("=24xI")
# Least and most seconds until a page comes back: spread, so that they do not all come in the same one.
RETRY_S: Final = (5, 15)

_PAGE: Final = (
    '<!doctype html><html lang="ko"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<meta http-equiv="refresh" content="{s}"><title>잠시만 기다려 주십시오</title></head><body>'
    "<p>지금 접속하시는 분이 매우 많습니다. 이 화면은 {s}초 후에 자동으로 다시 연결되므로 그대로 기다려 주십시오.</p>"
    '<p lang="en">Very many people are coming at this moment. This page tries again by itself in {s} seconds.</p>'
    "</body></html>"
)
_HEAD: Final = (
    "HTTP/1.1 503 Service Unavailable\r\n"
    f"{GATE_HEADER}: busy\r\n"
    "Server: sunbeon\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    "Content-Type: text/html; charset=utf-8\r\nContent-Security-Policy: default-src 'none'\r\n"
    "Retry-After: {s}\r\nContent-Length: {size}\r\nDate: "
)


def _answer(retry_s: int) -> tuple[bytes, bytes]:
    body = _PAGE.format(s=retry_s).encode()
    return _HEAD.format(s=retry_s, size=len(body)).encode(), b"\r\n\r\n" + body


_ANSWERS: Final = [_answer(retry_s) for retry_s in range(RETRY_S[0], RETRY_S[1] + 1)]
BUSY: Final = _ANSWERS[0][0].partition(b"Server:")[0]
# Parts those who came together.
_lots: Final = CHANCE


class Held(Protocol):
    """A connection that is not read for a while."""

    def rest(self) -> None: ...

    def go_on(self) -> None: ...


class Overload:
    """Of one worker. on: it cannot keep up. share: of newcomers who are served then. shed: how many were not.

    door: where new connections wait; None where nobody looks.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        soon: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.on = False
        self.share = 1.0
        self.shed = 0
        self.door: socket.socket | None = None
        self._behind = 0
        self._monotonic = monotonic
        self._soon = soon
        self._in_turn = 0
        self._held: deque[tuple[float, Held]] = deque()
        # How long who went on had to wait, at most, since the last look.
        self._waited_s = 0.0

    def answered(self, connection: Held) -> None:
        """A kept connection has been given an answer of our own."""
        self._in_turn += 1
        if self._held or self._in_turn > PER_TURN:
            self.hold(connection)
        elif self._in_turn == MARKED:
            # To see where a turn ends is not for nothing: only so often.
            self._call_soon(self._turn_is_over)

    def hold(self, connection: Held) -> None:
        """Read its next request when it is its turn."""
        connection.rest()
        if not self._held:
            self._call_soon(self._turn)
        self._held.append((self._monotonic(), connection))

    def sheds(self) -> bool:
        """Whether a newcomer is to be told to come back."""
        return self.on and _lots.random() >= self.share

    def answer(self) -> bytes:
        """The whole answer to a newcomer's request for a page."""
        self.shed += 1
        head, body = _lots.choice(_ANSWERS)
        return head + rfc822_formatted_time().encode() + body

    def look(self, late_s: float, waiting: int = 0) -> None:
        """How late the event loop came round, and how many connections wait to be taken."""
        behind = late_s >= LATE_S or self._waited_s > BEHIND_S or waiting > WAITING
        self._waited_s = 0.0
        self._behind = self._behind + 1 if behind else 0
        if not self.on:
            if self._behind >= IN_A_ROW:
                self.on, self.share = True, 0.0
                self._let_wait(SHORT_BACKLOG)
        elif behind:
            self.share /= 2
        else:
            self.share += MORE
            if self.share >= 1:
                self.on = False
                self._let_wait(BACKLOG)

    async def watch(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        worked: Callable[[], float] = time.thread_time,
    ) -> None:
        """Look at the loop until cancelled. worked: seconds of processor that this thread has used."""
        while True:
            due_s, before_s = self._monotonic() + LOOK_S, worked()
            await sleep(LOOK_S)
            late_s = min(self._monotonic() - due_s, worked() - before_s)
            self.look(late_s, 0 if self.door is None else waiting_at(self.door))

    def _let_wait(self, most: int) -> None:
        if self.door is not None:
            # Of a socket that listens already, this changes how many may wait.
            self.door.listen(most)

    def _call_soon(self, do: Callable[[], None]) -> None:
        """At the beginning of the loop's next turn."""
        (self._soon or asyncio.get_running_loop().call_soon)(do)

    def _turn_is_over(self) -> None:
        self._in_turn = 0

    def _turn(self) -> None:
        """The next ones go on."""
        held = self._held
        longest_s, _ = held[0]
        for _ in range(min(PER_TURN, len(held))):
            _, connection = held.popleft()
            connection.go_on()
        self._waited_s = max(self._waited_s, self._monotonic() - longest_s)
        self._in_turn = 0
        if held:
            self._call_soon(self._turn)


def waiting_at(door: socket.socket) -> int:
    """Connections that wait there to be taken."""
    found: tuple[int] = _WAITING_AT.unpack(door.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _WAITING_AT.size))
    return found[0]
