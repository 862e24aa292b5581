"""When a store does not answer, stop asking for a moment, and do not all ask again at once.

Two failures in a row open the breaker: calls then fail at once, so that visitors are told without waiting. After a
pause one call is let through to try. The pause doubles up to a second, and is drawn by lot, so that a thousand gateways
whose store comes back do not fall upon it in the same millisecond.
"""

from collections.abc import Callable
from typing import Final

FAILURES: Final = 2
FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0


class Breaker:
    """monotonic: seconds. lot: uniform in [0, 1)."""

    def __init__(self, monotonic: Callable[[], float], lot: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lot = lot
        self._failures = 0
        self._pause_s = 0.0
        self._open_until_s = 0.0
        self._trying = False
        # Calls under way when the breaker opened fail too, for the same reason: they must not count again.
        self._generation = 0

    @property
    def is_open(self) -> bool:
        return self._failures >= FAILURES

    def begin(self) -> int | None:
        """Whether a call may be made: a token for `end`, or None. What is begun must be ended."""
        if self.is_open:
            if self._trying or self._monotonic() < self._open_until_s:
                return None
            self._trying = True
        return self._generation

    def end(self, token: int, *, answered: bool | None) -> None:
        """answered: the server did, whatever it said. None: nobody waited for it any more."""
        if token != self._generation:
            return
        self._trying = False
        if answered is None:
            return
        if answered:
            if self._failures:
                self._generation += 1
            self._failures, self._pause_s = 0, 0.0
            return
        self._failures += 1
        if self.is_open:
            self._generation += 1
            self._pause_s = min(max(self._pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            self._open_until_s = self._monotonic() + self._pause_s * (0.5 + self._lot() / 2)
