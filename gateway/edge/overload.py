"""When more is asked than this worker can answer: newcomers are told to come back in a moment, in a few words.

Whether it is so is seen from the event loop itself: how much later than asked it comes round to a timer is how long
everything waits that was read meanwhile. As far as that is our own work (other programs on the machine may keep us
waiting too, and no page left out would help), and `HIGH_S` several times in a row, pages for newcomers are left out:
the one kind of request that is costly, not urgent and nobody's yet, as they hold no place that could be lost. Who is
inside or in line is served as before. It ends when the loop has been in time (`LOW_S`) for `CALM_S`. Pure but for
`watch`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp.helpers import rfc822_formatted_time

from gateway.edge.chance import CHANCE
from shared.wire import GATE_HEADER

LOOK_S: Final = 0.05
HIGH_S: Final = 0.25
LOW_S: Final = 0.05
CALM_S: Final = 1.0
# So many late rounds: one can have a reason that is gone with it.
IN_A_ROW: Final = 4
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
    "Server: sunbeon\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    "Content-Type: text/html; charset=utf-8\r\nContent-Security-Policy: default-src 'none'\r\n"
    "Retry-After: {s}\r\nContent-Length: {size}\r\nDate: "
)


def _answer(retry_s: int) -> tuple[bytes, bytes]:
    body = _PAGE.format(s=retry_s).encode()
    return _HEAD.format(s=retry_s, size=len(body)).encode(), b"\r\n\r\n" + body


_ANSWERS: Final = [_answer(retry_s) for retry_s in range(RETRY_S[0], RETRY_S[1] + 1)]
# Parts those who came together.
_lots: Final = CHANCE


class Overload:
    """Of one worker. on: newcomers are to be told. shed: how many were."""

    def __init__(self) -> None:
        self.on = False
        self.shed = 0
        self._late = 0
        self._calm_since_s: float | None = None

    def late(self, lag_s: float, now_s: float) -> None:
        """The event loop came round so much later than asked."""
        if lag_s >= HIGH_S:
            self._late, self._calm_since_s = self._late + 1, None
            self.on = self.on or self._late >= IN_A_ROW
            return
        self._late = 0
        if lag_s > LOW_S:
            self._calm_since_s = None
        elif self._calm_since_s is None:
            self._calm_since_s = now_s
        elif now_s - self._calm_since_s >= CALM_S:
            self.on = False

    def answer(self) -> bytes:
        """The whole answer to a newcomer's request for a page."""
        self.shed += 1
        head, body = _lots.choice(_ANSWERS)
        return head + rfc822_formatted_time().encode() + body

    async def watch(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        worked: Callable[[], float] = time.thread_time,
    ) -> None:
        """Look at the loop until cancelled. worked: seconds of processor that this thread has used."""
        while True:
            due_s, before_s = monotonic() + LOOK_S, worked()
            await sleep(LOOK_S)
            now_s = monotonic()
            self.late(min(now_s - due_s, worked() - before_s), now_s)
