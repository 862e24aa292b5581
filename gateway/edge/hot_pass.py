"""Requests of the hot path that wait to hear whether their pass still lives.

Of a pass that was not used for a second the store has to be asked. All that come in one turn of the event loop travel
to it in one call, those by one pass as one question. When it has answered, what is to be known is known (`Line.lives`),
and the request goes on from its beginning, as if it had only come now. Whatever the pass has become, and whenever the
store fails or takes its time, the ordinary path says so: it has been told nothing yet, and nothing has been sent.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from gateway.edge.later import LATER, Caller, Later, Send
from gateway.edge.patience import Patience
from gateway.room.model import PassGrant
from gateway.sampling import Sampling

_LOG: Final = logging.getLogger(__name__)

# By then a store that is well has answered many times over.
PATIENCE_S: Final = 0.1

# Takes the request from there, and its answer goes to whom it was promised; False: it does not.
GoOn = Callable[[], bool]


class Confirming:
    """Of one worker."""

    def __init__(self) -> None:
        self.under_way = Patience(lambda: PATIENCE_S)
        self._sampling = Sampling()

    def wait(self, asked: asyncio.Future[PassGrant | None], go_on: GoOn, send: Send, caller: Caller) -> Later:
        """Go on when `asked` is answered; if that is not soon, or not to be, None goes to `send`."""
        waiting = _Waiting(self, go_on, send, caller)
        caller.gone = waiting.gone
        self.under_way.begin(waiting)
        # Never called in here, even if it is answered already.
        asked.add_done_callback(waiting.heard)
        return LATER

    def failed(self, error: Exception) -> None:
        """A fault of ours: whatever it is, the ordinary path answers for it."""
        beside = self._sampling.take(type(error).__name__, time.monotonic())
        if beside is not None:
            _LOG.error("a request could not go on through a fault of the gateway's", exc_info=error, extra=beside)


class _Waiting:
    """One request."""

    __slots__ = ("_caller", "_go_on", "_of", "_send", "began_s")

    def __init__(self, of: Confirming, go_on: GoOn, send: Send, caller: Caller) -> None:
        self.began_s = time.monotonic()
        self._of = of
        self._go_on: GoOn | None = go_on
        self._send = send
        self._caller = caller

    def heard(self, asked: asyncio.Future[PassGrant | None]) -> None:
        go_on = self._end()
        if go_on is None:
            return
        taken = False
        if not asked.cancelled() and asked.exception() is None:
            try:
                taken = go_on()
            except Exception as error:  # noqa: BLE001
                self._of.failed(error)
        if not taken:
            self._send(None)

    def give_up(self) -> None:
        if self._end() is not None:
            self._send(None)

    def gone(self) -> None:
        """The visitor has hung up; what others may wait for is asked on."""
        self._end()

    def _end(self) -> GoOn | None:
        """What was to be done then; None if it waits no more."""
        go_on, self._go_on = self._go_on, None
        if go_on is not None:
            self._caller.gone = None
            self._of.under_way.end(self)
        return go_on
