"""Joins of the hot path: knocks brought back for a number.

All that come in one turn of the event loop travel to the store in one call, and are told in one turn when it is back.
So what can be is done once for all of them: one look at the clock and at the room, one timer, no task and no future.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from gateway.edge.later import LATER, Later, Send
from gateway.edge.line import Line
from gateway.edge.patience import Patience
from gateway.edge.plain import PlainHead
from gateway.metrics import Meters
from gateway.room.model import Snapshot
from gateway.room.ticket import Knock, Ticket
from gateway.sampling import Sampling
from gateway.store.base import StoreError

_LOG: Final = logging.getLogger(__name__)

# What is said to the holder of a ticket; None: the ordinary path says it.
Tell = Callable[[Ticket, PlainHead], bytes | None]


class Joins:
    """Of one room."""

    def __init__(self, line: Line, meters: Meters, tell: Tell) -> None:
        self.tell = tell
        self._line = line
        self._meters = meters
        self._sampling = Sampling()
        # Whom it takes longer, the ordinary path asks for once more, and says what to do.
        self._under_way = Patience(lambda: line.patience_s)

    def ask(self, room: Snapshot, knock: Knock, head: PlainHead, send: Send) -> Later | None:
        """`LATER`, and the answer goes to `send`, once. None: it cannot be asked for."""
        line = self._line
        joining = _Joining(self, knock, room.epoch, head, send, time.monotonic())
        try:
            line.ask_number(knock, line.knock_expires_ms(room), room.epoch, joining)
        except StoreError:
            return None
        self._under_way.begin(joining)
        return LATER

    def ended(self, joining: "_Joining", answer: bytes | None) -> None:
        """One was told, or goes the ordinary way."""
        self._under_way.end(joining)
        if answer is not None:
            self._meters.answered("status", time.monotonic() - joining.began_s)

    def failed(self, error: Exception) -> None:
        """A fault of ours: whatever it is, the ordinary path answers for it."""
        beside = self._sampling.take(type(error).__name__, time.monotonic())
        if beside is not None:
            _LOG.error("a join could not be told through a fault of the gateway's", exc_info=error, extra=beside)


class _Joining:
    """One who joins, as the store's gatherer sees an asker."""

    __slots__ = ("_epoch", "_head", "_joins", "_knock", "_send", "began_s")

    def __init__(self, joins: Joins, knock: Knock, epoch: int, head: PlainHead, send: Send, began_s: float) -> None:
        self._joins = joins
        self._knock = knock
        self._epoch = epoch
        self._head = head
        self._send: Send | None = send
        self.began_s = began_s

    def done(self) -> bool:
        return self._send is None

    def set_result(self, number: int) -> None:
        """The ticket is theirs from now on."""
        knock = self._knock
        told = None
        try:
            told = self._joins.tell(Ticket(self._epoch, number, knock.issued_ms, knock.cohorts), self._head)
        except Exception as error:  # noqa: BLE001
            self._joins.failed(error)
        self._end(told)

    def set_exception(self, _error: Exception, /) -> None:
        self._end(None)

    def cancel(self) -> None:
        self._end(None)

    give_up = cancel

    def _end(self, answer: bytes | None) -> None:
        send, self._send = self._send, None
        if send is not None:
            self._joins.ended(self, answer)
            send(answer)
