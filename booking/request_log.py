"""The evidence: one JSON line per request, with how its visitor got in. No name, no query, no address.

It is what an operator needs to answer "did anyone get in without waiting?", and what the tests of the gate read.
`GET /healthz` is not in it: a probe is not a visitor.
"""

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from shared.errors import SunbeonError
from shared.passes import PassClaims

PATH_MAX: Final = 200

_log = logging.getLogger("booking.request_log")


class LogUnwritable(SunbeonError):
    """The request log cannot be opened: a site that must give evidence does not start without it."""


class RequestLog:
    """Appends lines to a file, or does nothing if there is no path. Several processes may share the file."""

    def __init__(self, path: str) -> None:
        """Raises `LogUnwritable`."""
        self._path = path
        self._file: int | None = None
        self._failing = False
        if path:
            try:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
            except OSError as error:
                raise LogUnwritable(f"{path}: {error.strerror} (booking.request_log)") from None

    def write(
        self, *, now_ms: int, method: str, path: str, verdict: str, claims: PassClaims | None, status: int
    ) -> None:
        """Add a line; it is with the system when this returns.

        path: as it came, without the query, codes and ids already replaced.
        verdict: `ok`, or the kind of `PassError`.
        """
        if self._file is None:
            return
        line = {
            "time": datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds"),
            "method": method,
            "path": path[:PATH_MAX],
            "verdict": verdict,
            "pass_id": claims and claims.pass_id,
            "how": claims and claims.how.value,
            "number": claims and claims.number,
            "place": claims and claims.place,
            "status": status,
        }
        try:
            # One write per line: with O_APPEND the lines of several processes do not mix.
            os.write(self._file, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            self._failing = False
        except OSError as error:
            # The visitor did nothing wrong. Said once, not for every request.
            if not self._failing:
                _log.error("the request log cannot be written", extra={"path": self._path, "reason": error.strerror})
            self._failing = True

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
