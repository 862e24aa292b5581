"""The access log: a JSON line for a request answered, or for a share of them. Off unless the settings name a file.

A line has what an engineer needs to follow a request through front server, gateway and backend (its id and its trace)
and to see where time went. It has no address, no query, no header, no cookie and no user agent: who asked is nobody's
business here, and queries carry names.
"""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.journal import Journal

# https://www.w3.org/TR/trace-context/#traceparent-header: version, trace id, parent id, flags.
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")

# Anybody may send one: nothing else gets into the log by it.
_DRILL: Final = re.compile(r"[0-9a-f]{1,32}")


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace of a request, by its header; None if that is missing or none."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. gate: the gate's own word; None if the backend answered. server: which of it.

    drill: the mark of a drill's request. size: bytes of the answer. began_s: `time.monotonic` when it was read.
    """

    method: str
    target: str
    request_id: str
    traceparent: str | None
    room: str | None
    status: int
    gate: str | None
    server: str | None
    size: int
    began_s: float
    drill: str | None = None


class AccessLog:
    """Writes `share` (0 to 1) of what it is told to `path`, drawn by lot."""

    def __init__(
        self,
        path: Path | None,
        share: float = 1.0,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Raises OSError if the file cannot be opened."""
        self.on = path is not None and share > 0
        self._journal = Journal(path, "access log", clock=monotonic)
        self._share = share
        self._wall = wall
        self._monotonic = monotonic
        self._draw = draw

    def note(self, exchange: Exchange) -> None:
        if not self.on or self._draw() >= self._share:
            return
        line = {
            "time_ms": round(self._wall() * 1000),
            "request_id": exchange.request_id,
            "trace_id": trace_id_of(exchange.traceparent),
            "method": exchange.method,
            "path": exchange.target.partition("?")[0].encode("utf-8", "replace").decode(),
            "room": exchange.room,
            "status": exchange.status,
            "gate": exchange.gate,
            "server": exchange.server,
            "bytes": exchange.size,
            "duration_ms": round((self._monotonic() - exchange.began_s) * 1000, 1),
        }
        if exchange.drill is not None and _DRILL.fullmatch(exchange.drill):
            line["drill"] = exchange.drill
        if self._share < 1:
            line["share"] = self._share
        self._journal.write(line)

    def close(self) -> None:
        self._journal.close()
