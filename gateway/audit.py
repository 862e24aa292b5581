"""The audit log: who was admitted and who was refused, a JSON line each.

It says numbers, places and rules; never an address, a name or a token. Each line holds the hash of all before it
(`gateway.chain`), so that what was altered, dropped or moved shows. In a flood of refusals only so many lines a second
are written, and the next one says how many were not: the counters are exact, the log must not fill the disk.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.audit_tail import Tail, newest
from gateway.chain import Head
from gateway.ledger import Ledger
from gateway.metrics import AuditFacts

LINES_PER_SECOND: Final = 200


class Audit:
    """Appends events to `path`; to nowhere if it is None."""

    def __init__(self, path: Path | None, *, max_bytes: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        """max_bytes: where the file is moved aside; 0 for never.

        Raises OSError if the file cannot be opened: an opening that cannot be proved must not begin.
        """
        self._path = path
        self._ledger = Ledger(path, max_bytes=max_bytes)
        self._clock = clock
        self._second = self._looked = 0
        self._written = 0
        self._dropped = self._left_out = 0

    def admitted(self, room: str, now_ms: int, **facts: object) -> None:
        """An admission: written before it is answered, and once more (`again`) whenever its pass is told again."""
        self._write(room, {"time_ms": now_ms, "event": "admitted", "room": room, **facts})

    def failed_open(self, room: str, now_ms: int, **facts: object) -> None:
        """Somebody let in without the line while its store was away: a line each, however many they are."""
        self._write(room, {"time_ms": now_ms, "event": "failed_open", "room": room, **facts})

    def operated(self, event: str, room: str, now_ms: int, **facts: object) -> None:
        """What an operator did, and whoever said to be one: always written."""
        self._write(room, {"time_ms": now_ms, "event": event, "room": room, **facts})

    def note(self, event: str, room: str, now_ms: int, **facts: object) -> None:
        """A refusal or another event that a flood may repeat: written while there is allowance."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._written = second, 0
        self._written += 1
        if self._written > LINES_PER_SECOND:
            self._dropped += 1
            self._left_out += 1
            return
        if self._dropped:
            facts["lines_not_written"], self._dropped = self._dropped, 0
        self._write(room, {"time_ms": now_ms, "event": event, "room": room, **facts})

    def head(self, room: str) -> Head | None:
        """The newest line of a room; None if there is none yet. Looked up once a second."""
        second = int(self._clock())
        if second != self._looked:
            self._looked = second
            self._ledger.newest()
        return self._ledger.heads.get(room)

    @property
    def facts(self) -> AuditFacts:
        """For the metrics."""
        ledger = self._ledger
        return AuditFacts(ledger.chained, ledger.unchained, ledger.failed, self._left_out)

    def newest(self, room: str, limit: int, *, operators: bool) -> Tail | None:
        """The newest lines of a room in the newest file; None if no log is kept. operators: only what they did.

        Reads a file: not for the event loop. Raises OSError.
        """
        # Whose doing it was is said in their lines alone.
        holding = b'"by":' if operators else b""
        return None if self._path is None else newest(self._path, room, limit, holding=holding)

    def close(self) -> None:
        self._ledger.close()

    def _write(self, room: str, line: dict[str, object]) -> None:
        # A disk that fails stops nobody: the store holds the same facts, and people must not wait for a disk.
        self._ledger.append(room, line)
