"""What one process sees of its store's failures in one room, and what it does meanwhile: counted and told.

Kept in memory and per process: the store that counts everything else is what is away.
"""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

from gateway.store.base import StoreError

_LOG: Final = logging.getLogger(__name__)

# Letting people in without the line is said when it begins, and then this often.
TELL_S: Final = 60.0
# Nobody was let in without the line for this long: it is over.
CALM_S: Final = 10.0


def kind_of(error: StoreError) -> str:
    """A word for a failure, for counters: `unavailable`, `slow`, `misconfigured`, ..."""
    return type(error).__name__.removeprefix("Store").lower()


class Outage:
    """errors: calls that failed, by kind. grace: requests forwarded with a pass that was only remembered.

    let_in: requests let through without the line (`on_store_error = "admit"`). All three since the start.
    away: the last tick failed.
    """

    def __init__(self, room: str, monotonic: Callable[[], float]) -> None:
        self.away = False
        self.errors: Counter[str] = Counter()
        self.grace = 0
        self.let_in = 0
        self._room = room
        self._monotonic = monotonic
        self._since_s = 0.0
        self._let_in_s = self._told_s = float("-inf")
        self._told = 0

    @property
    def fails_open(self) -> bool:
        """Whether people are being let in without the line."""
        return self._monotonic() - self._let_in_s < CALM_S

    def failed(self, error: StoreError) -> None:
        """A visitor's question failed."""
        self.errors[kind_of(error)] += 1

    def tick_failed(self, error: StoreError, *, heard_s: float) -> None:
        """heard_s: when the store was last heard from. Said once."""
        self.failed(error)
        if not self.away:
            self.away, self._since_s = True, heard_s
            _LOG.error("the store is out of reach", extra={"room": self._room, "why": error})

    def tick_succeeded(self) -> None:
        """The store answers; if it did not before, this says how long it was away."""
        if self.away:
            facts = {"away_s": round(self._monotonic() - self._since_s, 1), "let_in": self.let_in - self._told}
            _LOG.warning("the store is back", extra={"room": self._room, **facts})
            self._told = self.let_in
        self.away = False

    def lets_in(self) -> None:
        """Somebody is let in without the line: said when it begins, and once a minute while it goes on."""
        self.let_in += 1
        self._let_in_s = now_s = self._monotonic()
        if now_s - self._told_s >= TELL_S:
            _LOG.error(
                "people are let in without the line, as on_store_error has it",
                extra={"room": self._room, "let_in": self.let_in - self._told},
            )
            self._told_s, self._told = now_s, self.let_in
