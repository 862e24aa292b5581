"""One timer for all who wait equally long: who has waited for too long is given up.

A timer for each would cost as much as a good part of an answer.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol


class Waiter(Protocol):
    """began_s: since when it waits, by `time.monotonic`."""

    @property
    def began_s(self) -> float: ...

    def give_up(self) -> None:
        """Called at most once, and it is not waited for any more."""
        ...


class Patience:
    """limit_s: says how long anyone waits at most."""

    def __init__(self, limit_s: Callable[[], float]) -> None:
        self._limit_s: Final = limit_s
        # Who has waited longest first.
        self._waiting: dict[Waiter, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, waiter: Waiter) -> None:
        self._waiting[waiter] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._limit_s(), self._look)

    def end(self, waiter: Waiter) -> None:
        """It waits no more, or never did."""
        self._waiting.pop(waiter, None)

    def _look(self) -> None:
        self._timer = None
        now_s, limit_s = time.monotonic(), self._limit_s()
        try:
            for waiter in list(self._waiting):
                if waiter.began_s + limit_s > now_s:
                    break
                del self._waiting[waiter]
                waiter.give_up()
        finally:
            # Whatever befell one of them, the others are not left hanging.
            first = next(iter(self._waiting), None)
            if first is not None:
                left_s = max(0.0, first.began_s + limit_s - now_s)
                self._timer = asyncio.get_running_loop().call_later(left_s, self._look)
