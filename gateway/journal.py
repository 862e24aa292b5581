"""A file of JSON lines that several processes append to, each line with one write.

A file that was moved away (logrotate and its like) is made anew within a second; nobody need be told.
"""

import errno
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

_LOG: Final = logging.getLogger(__name__)


class Journal:
    """Appends to `path`; to nowhere if it is None. name: what it is called when it cannot be written."""

    def __init__(self, path: Path | None, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises OSError if the file cannot be opened."""
        self._path = path
        self._name = name
        self._clock = clock
        self._second = int(clock())
        self._failing = False
        # Half a line is there: the next one begins behind an end of line.
        self._torn = False
        self._descriptor: int | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = _open(path)

    def write(self, line: dict[str, Any]) -> None:
        """Append. A disk that fails is told of once until it works again, and stops nobody."""
        if self._descriptor is None or self._path is None:
            return
        try:
            if self._second != (second := int(self._clock())):
                self._second = second
                self._follow(self._path, self._descriptor)
            data = (b"\n" if self._torn else b"") + orjson.dumps(line) + b"\n"
            written = os.write(self._descriptor, data)
            self._torn = written < len(data)
            if self._torn:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 - as the next write would say
        except OSError as error:
            if not self._failing:
                _LOG.error(f"the {self._name} cannot be written", extra={"why": error.strerror})
            self._failing = True
        else:
            if self._failing:
                _LOG.warning(f"the {self._name} is written again")
            self._failing = False

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _follow(self, path: Path, descriptor: int) -> None:
        try:
            there = path.stat()
        except FileNotFoundError:
            there = None
        if there is None or not os.path.samestat(there, os.fstat(descriptor)):
            self._descriptor = _open(path)
            os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
