"""The history file: points of every room, for some days, in an SQLite file of its own.

All workers of a machine write to it, and the first point of a slot stays. It is read and written in one thread, so that
a slow disk holds up nobody; a disk that fails, or a file that is damaged, is said once and tried again with the next
point. Nothing hangs on it: moved away or deleted, the file is made anew.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, get_type_hints

import orjson

from gateway.points import COLUMNS, SLOT_MS, Point, step_for
from shared.errors import SunbeonError

T = TypeVar("T")

_LOG: Final = logging.getLogger(__name__)

DAY_MS: Final = 86_400_000
BUSY_S: Final = 5.0
# What may wait for the disk; beyond it points are dropped (counts are totals, so they are only later) and readers told.
MOST_WAITING: Final = 8
# Of these, who reads: whoever asks all the time must not keep points from being written.
MOST_READING: Final = 4
CLOSE_S: Final = 1.0

_COLUMNS: Final = ("at_ms", *COLUMNS, "counters")
_KINDS: Final = {name: kind for name, kind in get_type_hints(Point).items() if name != "counters"}
_NAMED: Final = ", ".join(_COLUMNS)
_TABLE: Final = (
    f"CREATE TABLE IF NOT EXISTS points (room TEXT NOT NULL, {_NAMED}, PRIMARY KEY (room, at_ms)) WITHOUT ROWID"
)
_ADD: Final = f"INSERT OR IGNORE INTO points (room, {_NAMED}) VALUES (?{', ?' * len(_COLUMNS)})"  # noqa: S608 - our own names
# SQLite takes the other columns from the row that has the maximum: the last of each step.
_LAST: Final = f"SELECT max(at_ms), {_NAMED} FROM points WHERE room = ? AND at_ms >= ? AND at_ms < ?"  # noqa: S608


class NoHistory(SunbeonError):
    """The history cannot be read now."""


@dataclass(frozen=True, slots=True)
class Span:
    """Points, `step_ms` apart. base: the last one before the first of them, for differences; None if there is none."""

    step_ms: int
    base: Point | None
    points: Sequence[Point]


class HistoryFile:
    """The file, for one thread. Raises `sqlite3.Error` and `OSError`."""

    def __init__(self, path: Path, *, days: int, create: bool = True) -> None:
        self._path = path
        self._keep_ms = days * DAY_MS
        self._create = create
        self._connection: sqlite3.Connection | None = None
        self._identity: os.stat_result | None = None
        self._swept_ms = 0

    def add(self, points: Sequence[tuple[str, Point]]) -> None:
        """Write points of rooms; one that is there stays as it is. Older ones than are to be kept go."""
        connection = self._connected()
        newest_ms = max(point.at_ms for _, point in points)
        with connection:
            connection.executemany(_ADD, [(room, *_row(point)) for room, point in points])
            if newest_ms - self._swept_ms >= DAY_MS // 24:
                connection.execute("DELETE FROM points WHERE at_ms < ?", (newest_ms - self._keep_ms,))
                self._swept_ms = newest_ms

    def read(self, room: str, from_ms: int, before_ms: int, step_ms: int = SLOT_MS) -> Span:
        """The last point of each step of that time; steps are as long as `MOST_POINTS` wants them."""
        connection = self._connected()
        first, last = connection.execute("SELECT min(at_ms), max(at_ms) FROM points WHERE room = ?", (room,)).fetchone()
        if first is None:
            return Span(step_for(0, 0, step_ms), None, ())
        if not isinstance(first, int) or not isinstance(last, int):
            raise sqlite3.DataError("a point's time is no number")
        from_ms, before_ms = max(from_ms, first), min(before_ms, last + SLOT_MS)
        step_ms = step_for(from_ms, before_ms, step_ms)
        rows = connection.execute(f"{_LAST} GROUP BY at_ms / ? ORDER BY 1", (room, from_ms, before_ms, step_ms))
        points = [point for row in rows if (point := _point(row[1:])) is not None]
        base = connection.execute(_LAST, (room, 0, from_ms)).fetchone()
        return Span(step_ms, None if base is None or base[0] is None else _point(base[1:]), points)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and not self._is_there():
            self.close()
        if self._connection is None:
            if self._create:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            self._identity = self._path.stat()
            # Autocommit, but for what `with connection` holds together.
            connection = sqlite3.connect(self._path, timeout=BUSY_S, check_same_thread=False)
            try:
                if self._create:
                    _prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection, self._swept_ms = connection, 0
        return self._connection

    def _is_there(self) -> bool:
        try:
            return self._identity is not None and os.path.samestat(self._path.stat(), self._identity)
        except FileNotFoundError:
            return False


class History:
    """The file as a worker uses it; nothing if path is None."""

    def __init__(self, path: Path | None, *, days: int) -> None:
        self._file = None if path is None else HistoryFile(path, days=days)
        self._thread = ThreadPoolExecutor(1, "history")
        self._waiting: set[Future[object]] = set()
        self._reading = 0
        self._failing = False

    @property
    def on(self) -> bool:
        return self._file is not None

    def add(self, points: Sequence[tuple[str, Point]]) -> None:
        """Have points written; waits for nothing, fails never."""
        file = self._file
        if file is not None and points and len(self._waiting) < MOST_WAITING:
            self._begin(lambda: self._write(file, points))

    async def read(self, room: str, from_ms: int, before_ms: int, step_ms: int, make: Callable[[Span], T]) -> T:
        """What `make` makes of it, in the same thread, as thousands of points take a while. Raises `NoHistory`.

        Else as `HistoryFile.read`.
        """
        file = self._file
        if file is None:
            raise NoHistory("no history is kept here")
        if self._reading >= MOST_READING or len(self._waiting) >= MOST_WAITING:
            raise NoHistory("too many read the history at once, or its disk does not keep up")
        self._reading += 1
        reading = self._begin(lambda: make(file.read(room, from_ms, before_ms, step_ms)))
        # Also of somebody who went away meanwhile: it is read to its end.
        wrapped = asyncio.wrap_future(reading)
        try:
            return await asyncio.shield(wrapped)
        except (sqlite3.Error, OSError):
            # Why is in the log: points fail alike.
            raise NoHistory("the history cannot be read") from None
        finally:
            wrapped.add_done_callback(self._has_read)

    async def settle(self) -> None:
        """Wait until what was added is written, or has failed."""
        if self._waiting:
            await asyncio.wait([asyncio.wrap_future(each) for each in tuple(self._waiting)])

    async def close(self) -> None:
        """Give the file back; a disk that does not answer is not waited for."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.settle()
        if self._file is not None:
            self._begin(self._file.close)
            self._file = None
        self._thread.shutdown(wait=False, cancel_futures=False)

    def _has_read(self, reading: "asyncio.Future[T]") -> None:
        self._reading -= 1
        if not reading.cancelled():
            reading.exception()  # told to whoever waited for it

    def _begin(self, work: Callable[[], T]) -> "Future[T]":
        future = self._thread.submit(work)
        self._waiting.add(future)  # type: ignore[arg-type]
        future.add_done_callback(self._waiting.discard)
        return future

    def _write(self, file: HistoryFile, points: Sequence[tuple[str, Point]]) -> None:
        try:
            file.add(points)
        except (sqlite3.Error, OSError) as error:
            file.close()
            if not self._failing:
                _LOG.error("the history cannot be written", extra={"why": str(error)})
            self._failing = True
        else:
            if self._failing:
                _LOG.warning("the history is written again")
            self._failing = False


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # A power loss may take the last points with it, and nothing else.
    connection.execute("PRAGMA synchronous = NORMAL")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_TABLE)
        there = {row[1] for row in connection.execute("PRAGMA table_info(points)")}
        for name in _COLUMNS:
            if name not in there:
                connection.execute(f"ALTER TABLE points ADD COLUMN {name}")


def _row(point: Point) -> tuple[object, ...]:
    return (point.at_ms, *(getattr(point, name) for name in COLUMNS), orjson.dumps(point.counters).decode())


def _point(row: Sequence[Any]) -> Point | None:
    """None for what is no point: of a damaged file the others are told."""
    named = dict(zip(_COLUMNS, row, strict=True))
    try:
        counters = orjson.loads(named["counters"])
        good = all(type(each) is int for each in counters.values())
    except (AttributeError, ValueError):
        return None
    for name, kind in _KINDS.items():
        good = good and isinstance(named[name], kind)
    return Point(**{**named, "counters": counters}) if good else None
