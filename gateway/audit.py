"""The audit log: who was admitted and who was refused, a JSON line each.

It says numbers, places and rules; never an address, a name or a token. Several workers append to one file: each line is
one write to a file opened for appending. In a flood of refusals only so many lines a second are written, and the next
one says how many were not: the counters are exact, the log must not fill the disk.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.journal import Journal

LINES_PER_SECOND: Final = 200


class Audit:
    """Appends events to `path`; to nowhere if it is None."""

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises OSError if the file cannot be opened: an opening that cannot be proved must not begin."""
        self._journal = Journal(path, "audit log", clock=clock)
        self._clock = clock
        self._second = 0
        self._written = 0
        self._dropped = 0

    def admitted(self, room: str, now_ms: int, **facts: object) -> None:
        """An admission: written before it is answered, and once more (`again`) whenever its pass is told again."""
        self._write({"time_ms": now_ms, "event": "admitted", "room": room, **facts})

    def failed_open(self, room: str, now_ms: int, **facts: object) -> None:
        """Somebody let in without the line while its store was away: a line each, however many they are."""
        self._write({"time_ms": now_ms, "event": "failed_open", "room": room, **facts})

    def note(self, event: str, room: str, now_ms: int, **facts: object) -> None:
        """A refusal or another event that a flood may repeat: written while there is allowance."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._written = second, 0
        self._written += 1
        if self._written > LINES_PER_SECOND:
            self._dropped += 1
            return
        if self._dropped:
            facts["lines_not_written"], self._dropped = self._dropped, 0
        self._write({"time_ms": now_ms, "event": event, "room": room, **facts})

    def close(self) -> None:
        self._journal.close()

    def _write(self, line: dict[str, object]) -> None:
        # A disk that fails stops nobody: the store holds the same facts, and people must not wait for a disk.
        self._journal.write(line)
