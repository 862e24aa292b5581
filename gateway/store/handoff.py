"""Turns at writing, handed from process to process.

SQLite lets one process write at a time, and lets the others sleep with growing pauses: two busy writers gain nothing
and one starves (waits of 2 s were measured). So writers here queue before they ask SQLite, on two lock files:

* who wants to write takes `next`, waits for `turn`, gives `next` back, and writes;
* who has just written and wants to write again finds `next` taken by the one that waits, and lines up behind it.

Both are `flock` locks: the kernel gives them back when their process dies, however it dies. They are asked for again
and again rather than waited for in the kernel, because a wait there cannot be bounded without signals; the pause is
short against a transaction.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.store.base import StoreUnavailable

# Between two tries for a lock: short while a turn is expected, longer once something is clearly wrong.
PAUSE_S: Final = 0.000_1
LONG_PAUSE_S: Final = 0.001
LONG_WAIT_S: Final = 0.1


class Turn:
    """The right to write to the file at `path`. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next: int | None = None
        self._turn: int | None = None

    def take(self, deadline: float) -> None:
        """Wait for the turn until `deadline` (`time.monotonic`), trying at least once.

        Raises `StoreUnavailable` when it did not come.
        """
        if self._next is None or self._turn is None:
            self.close()
            self._next, self._turn = self._open("-next"), self._open("-turn")
        self._lock(self._next, deadline)
        try:
            self._lock(self._turn, deadline)
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)

    def give(self) -> None:
        """Let the next one write. Harmless without the turn."""
        if self._turn is not None:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give back the lock files; the turn with them."""
        for handle in (self._next, self._turn):
            if handle is not None:
                with suppress(OSError):
                    os.close(handle)
        self._next = self._turn = None

    def _open(self, suffix: str) -> int:
        return os.open(f"{self._path}{suffix}", os.O_RDWR | os.O_CREAT, 0o600)

    def _lock(self, handle: int, deadline: float) -> None:
        began = time.monotonic()
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                now = time.monotonic()
                if now >= deadline:
                    raise StoreUnavailable(f"{self._path}: another process keeps its turn at writing") from None
                time.sleep(PAUSE_S if now - began < LONG_WAIT_S else LONG_PAUSE_S)
            else:
                return
