"""Turns at writing, handed from process to process.

SQLite lets one process write at a time, and lets the others sleep with growing pauses: two busy writers gain nothing
and one starves (waits of 2 s were measured). So writers here queue before they ask SQLite, on lock files that are the
places of a queue: whoever wants to write takes the last one, and from each place the one before it as soon as that is
free, giving back the one behind; who has the first, `turn`, writes. Who has just written and wants to write again lines
up behind those who wait, and nobody overtakes. Only if more processes want to write than there are places, is the order
at the last one the kernel's.

All are `flock` locks: the kernel gives them back when their process dies, however it dies. They are asked for again
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
# The last one first. Each costs a writer two calls of the kernel.
PLACES: Final = ("-next-4", "-next-3", "-next-2", "-next", "-turn")


class Turn:
    """The right to write to the file at `path`. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: list[int] = []

    def take(self, deadline: float) -> None:
        """Wait for the turn until `deadline` (`time.monotonic`), trying at least once.

        Raises `StoreUnavailable` when it did not come.
        """
        if not self._places:
            self._open()
        held: int | None = None
        for place in self._places:
            try:
                self._lock(place, deadline)
            finally:
                if held is not None:
                    fcntl.flock(held, fcntl.LOCK_UN)
            held = place

    def give(self) -> None:
        """Let the next one write. Harmless without the turn."""
        if self._places:
            fcntl.flock(self._places[-1], fcntl.LOCK_UN)

    def close(self) -> None:
        """Give back the lock files; the turn with them."""
        for handle in self._places:
            with suppress(OSError):
                os.close(handle)
        self._places = []

    def _open(self) -> None:
        try:
            for place in PLACES:
                self._places.append(os.open(f"{self._path}{place}", os.O_RDWR | os.O_CREAT, 0o600))
        except OSError:
            self.close()
            raise

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
