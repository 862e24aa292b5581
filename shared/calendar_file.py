"""The calendar in force, and the file it comes from: read again when it changes, without a restart."""

import logging
import os
import stat
from pathlib import Path
from typing import Final

from shared.rules.calendar import Calendar
from shared.rules.edits import not_versioned
from shared.rules.load import load
from shared.rules.model import BadCalendar, Problem

BUILT_IN: Final = Path(__file__).with_name("calendars")
DEFAULT: Final = "everyone"
# The file is looked at no more often than this; a change counts once it has been the same for as long.
LOOK_MS: Final = 1_000
# A calendar of thousands of cohorts has a tenth of it.
MOST_BYTES: Final = 4 << 20

_log = logging.getLogger("shared.calendar")


def find_calendar(name: str) -> Path:
    """The file of a built-in calendar (`july-2021`; "" is `everyone`), or `name` as a path."""
    built_in = {path.stem: path for path in BUILT_IN.glob("*.toml")}
    return built_in.get(name or DEFAULT) or Path(name)


def read_calendar(path: Path) -> Calendar:
    """Raises `BadCalendar` with every problem, one that cannot be read included."""
    return _parse(path, _read(path))


class CalendarFile:
    """The last good calendar of a file.

    problem: what is wrong with the file as it is now, a line each; None if that calendar is the file's.
    """

    def __init__(self, path: Path) -> None:
        """Raises `BadCalendar`: a site that does not know who may book must not start."""
        self._path = path
        # What was last dealt with: the file's bytes, or why it could not be read.
        self._seen = _read(path)
        self._pending: bytes | Problem | None = None
        self._calendar = _parse(path, self._seen)
        self._looked_ms: int | None = None
        self.problem: str | None = None

    def current(self, now_ms: int) -> Calendar:
        """The calendar in force. A file that is bad, half written or gone changes nothing."""
        # The distance, because a clock that was set back must not keep us from looking.
        if self._looked_ms is None or abs(now_ms - self._looked_ms) >= LOOK_MS:
            self._looked_ms = now_ms
            self._look(now_ms)
        return self._calendar

    def _look(self, now_ms: int) -> None:
        # Contents are compared, not times: a copy that keeps its old time, or two writes within a tick, count too.
        found = _read(self._path)
        if found in {self._seen, self._pending} or self._is_at_rest(now_ms):
            self._pending = None
            if found != self._seen:
                self._seen = found
                self._take(found)
        else:
            self._pending = found  # Perhaps half written: it counts if the next look finds the same.

    def _is_at_rest(self, now_ms: int) -> bool:
        """Nothing has been written for a while. Asked after reading: what was written in between shows."""
        try:
            return now_ms - self._path.stat().st_mtime_ns // 1_000_000 >= LOOK_MS
        except OSError:
            return False

    def _take(self, found: bytes | Problem) -> None:
        try:
            calendar = _parse(self._path, found)
        except BadCalendar as error:
            self.problem = str(error)
            told = [str(problem) for problem in error.problems]
            _log.error("calendar not taken, the one before stays", extra={"file": str(self._path), "problems": told})
            return
        unversioned = not_versioned(self._calendar, calendar)
        self._calendar, self.problem = calendar, None
        _log.info("calendar taken", extra={"file": str(self._path), "version": calendar.version})
        if unversioned:
            _log.warning("calendar changed without a new version", extra={"parts": list(unversioned)})


def _read(path: Path) -> bytes | Problem:
    """Its bytes, or why not. Waits for nothing: a pipe in a file's place must not stop whoever looks at it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return Problem(str(path), 0, "file", "", "is no file")
            if found.st_size > MOST_BYTES:
                return Problem(str(path), 0, "file", "", f"is larger than {MOST_BYTES:,} bytes")
            return file.read(MOST_BYTES)
    except OSError as error:
        return Problem(str(path), 0, "file", "", f"cannot be read: {error.strerror}")


def _parse(path: Path, found: bytes | Problem) -> Calendar:
    if isinstance(found, Problem):
        raise BadCalendar((found,))
    try:
        # Some editors put a mark before UTF-8.
        text = found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = found[: error.start].count(b"\n") + 1
        raise BadCalendar((Problem(str(path), line, "syntax", "", "is not UTF-8 text"),)) from None
    try:
        return load(text, file=str(path))
    except RecursionError:
        raise BadCalendar((Problem(str(path), 0, "syntax", "", "is nested too deeply"),)) from None
