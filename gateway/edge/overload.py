"""When more is asked than this worker can answer: people inside first, then who is in line, then newcomers.

Whether it is so is seen from the event loop itself: how much later than asked it comes round to a timer is how long
everything waits that was read meanwhile. As far as that is our own work (other programs on the machine may keep us
waiting too), and `HIGH_S` several times in a row, three things change:

- Who has just been given an answer of the gateway's own is not read again until it is their turn: `PER_TURN` of them in
  each turn of the loop, the one who waited longest first (`hold`). What they send meanwhile stays in the kernel, one
  request of each, and costs nothing until it is answered in full. So a turn is short, and people inside, who are not
  held, wait for a few short turns rather than for everybody; the store's answers and the backend's come round as soon.
  Nobody who heeds `poll_after_ms` notices anything, as it is longer than the wait for a turn.
- Newcomers are told to come back in a moment, in a few words: their page is costly, not urgent and nobody's yet, as
  they hold no place that could be lost.
- A new connection is answered so before anything else is made for it (`doorstep`).

To answer each request with a refusal would not do: reading and refusing costs a third of answering, so that at five
times of what can be done nothing would be left to answer with.

As long as those in line wait for their turn no longer than `BEHIND_S`, more and more of the newcomers are served, and
when all are for a while, it is over. Pure but for `watch` and for `soon`, the loop's `call_soon`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from aiohttp.helpers import rfc822_formatted_time

from gateway.edge.chance import CHANCE
from shared.wire import GATE_HEADER

LOOK_S: Final = 0.05
# Some hundred answers in one turn: more than come in while a worker keeps up.
HIGH_S: Final = 0.03
LOW_S: Final = 0.02
# So many late rounds: one can have a reason that is gone with it.
IN_A_ROW: Final = 4
PER_TURN: Final = 64
BEHIND_S: Final = 0.1
# Of newcomers, by how many per look more are served: from none to all in two seconds and a half.
MORE: Final = 0.02
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
    """Of one worker. on: there is too much to do. share: of newcomers who are served then. shed: how many were not."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        soon: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.on = False
        self.share = 1.0
        self.shed = 0
        self._late = 0
        self._monotonic = monotonic
        self._soon = soon
        self._held: deque[tuple[float, Held]] = deque()
        # How long who went on last had to wait.
        self._waited_s = 0.0

    def hold(self, connection: Held) -> None:
        """Its request was answered: read the next one when it is its turn. Only while `on`."""
        connection.rest()
        if not self._held:
            self._next_turn()
        self._held.append((self._monotonic(), connection))

    def sheds(self) -> bool:
        """Whether a newcomer is to be told to come back."""
        return self.on and _lots.random() >= self.share

    def answer(self) -> bytes:
        """The whole answer to a newcomer's request for a page."""
        self.shed += 1
        head, body = _lots.choice(_ANSWERS)
        return head + rfc822_formatted_time().encode() + body

    def look(self, lag_s: float) -> None:
        """The event loop came round so much later than asked."""
        self._late = self._late + 1 if lag_s >= HIGH_S else 0
        if not self.on:
            if self._late >= IN_A_ROW:
                self.on, self.share = True, 0.0
            return
        if lag_s > LOW_S or self._waited_s > BEHIND_S:
            self.share /= 2
        else:
            self.share += MORE
            self.on = self.share < 1
        self._waited_s = 0.0

    async def watch(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        worked: Callable[[], float] = time.thread_time,
    ) -> None:
        """Look at the loop until cancelled. worked: seconds of processor that this thread has used."""
        while True:
            due_s, before_s = self._monotonic() + LOOK_S, worked()
            await sleep(LOOK_S)
            self.look(min(self._monotonic() - due_s, worked() - before_s))

    def _next_turn(self) -> None:
        (self._soon or asyncio.get_running_loop().call_soon)(self._turn)

    def _turn(self) -> None:
        """The next ones go on."""
        held = self._held
        for _ in range(min(PER_TURN, len(held))):
            since_s, connection = held.popleft()
            connection.go_on()
        self._waited_s = max(self._waited_s, self._monotonic() - since_s)
        if held:
            self._next_turn()
