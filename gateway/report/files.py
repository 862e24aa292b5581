"""Reads what a report is made of: the audit logs, line by line, and the history file."""

import heapq
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway import audit_files
from gateway.history import HistoryFile, Span
from gateway.report.figures import USUAL_APART, Log, Report, places_in_a_window
from gateway.report.tally import PARTS, Tally
from gateway.settings import Room
from shared.errors import SunbeonError

# Where a room names none, as on the pages of visitors.
USUAL_ZONE: Final = "Asia/Seoul"
_NO_SPAN: Final = Span(0, None, ())


class NoPast(SunbeonError):
    """A history that is there, and cannot be read."""


def gather(
    room: Room,
    *,
    from_ms: int,
    before_ms: int,
    logs: Sequence[Path],
    history: Path | None,
    made_ms: int,
    apart: int | None = None,
) -> Report:
    """logs: of one gateway each; what was moved aside from them is read too. Raises `NoLog`, `NoPast`.

    apart: places between two people, beyond which nobody may be overtaken; None: as many as were called in the
    busiest claim window.
    """
    fine, coarse = _spans(history, room.name, from_ms, before_ms)
    measured = places_in_a_window(fine.points)
    tally = Tally(from_ms, before_ms, apart if apart is not None else measured or USUAL_APART)
    readers = [_Reader(path, room.name) for path in logs]
    # By time across logs; within one, as it was written.
    for _, facts in heapq.merge(*(reader.lines() for reader in readers), key=lambda pair: pair[0]):
        tally.read(facts)
    return Report(
        room=room.name,
        title=dict(room.title),
        zone=ZoneInfo(room.timezone or USUAL_ZONE),
        made_ms=made_ms,
        tally=tally,
        logs=[reader.log() for reader in readers],
        base=fine.base,
        points=coarse.points,
        fine=fine.points,
        apart_from_history=apart is None and measured is not None,
    )


class _Reader:
    """One log, verified as it is read."""

    def __init__(self, path: Path, room: str) -> None:
        self._path = path
        self._room = room
        self._reading = audit_files.Reading([path])

    def lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The room's lines, each with a time that never goes back."""
        latest_ms = 0
        for _, facts in self._reading.lines():
            if facts["room"] == self._room and type(facts.get("time_ms")) is int:
                latest_ms = max(latest_ms, facts["time_ms"])
                yield latest_ms, facts

    def log(self) -> Log:
        report = self._reading.end()
        return Log(str(self._path), audit_files.holds(report), audit_files.told(report))


def _spans(path: Path | None, room: str, from_ms: int, before_ms: int) -> tuple[Span, Span]:
    """The points of the time, as close as they come and as few as a chart takes; none if there is no such file."""
    if path is None or not path.exists():
        return _NO_SPAN, _NO_SPAN
    file = HistoryFile(path, days=1, create=False)
    try:
        return (
            file.read(room, from_ms, before_ms),
            file.read(room, from_ms, before_ms, (before_ms - from_ms) // (2 * PARTS)),
        )
    except (sqlite3.Error, OSError) as error:
        raise NoPast(f"{path}: the history cannot be read: {error}") from None
    finally:
        file.close()
