"""The newest lines of an audit log, read from its end: as little of it as it takes, and never more than a bound."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.chain import BEGIN, split

MOST_BYTES: Final = 8 * 2**20
_CHUNK: Final = 2**16


@dataclass(frozen=True, slots=True)
class Tail:
    """lines: newest first. whole: there are no more of that kind in this file."""

    lines: list[dict[str, Any]]
    whole: bool


def newest(path: Path, room: str, limit: int, *, holding: bytes = b"") -> Tail:
    """The newest lines of a room that are whole. holding: only those with that in them, as they are written.

    Of a log that was moved away, and not made anew yet, there are none. Raises OSError.
    """
    found: list[dict[str, Any]] = []
    if not path.exists():
        return Tail(found, whole=False)
    # Not what proves who is meant, but what spares reading the others.
    mark = b'"room":"%b"' % room.encode()
    with path.open("rb") as log:
        size = os.fstat(log.fileno()).st_size
        for line in _backwards(log.fileno(), size, max(0, size - MOST_BYTES), holding):
            if mark not in line or holding not in line:
                continue
            parts = split(line)
            if parts is None or parts[0]["room"] != room or parts[0].get("event") == BEGIN:
                continue
            found.append({**parts[0], "hash": parts[2]})
            if len(found) == limit:
                return Tail(found, whole=False)
    return Tail(found, whole=size <= MOST_BYTES)


def _backwards(descriptor: int, end: int, stop: int, holding: bytes) -> Iterator[bytes]:
    """The lines that end before `end`, last one first; without the one that `stop` falls into.

    Whole chunks in which nothing holds what is looked for are passed over: operators' lines are few among millions.
    """
    rest = b""
    while end > stop:
        begin = max(stop, end - _CHUNK)
        data = os.pread(descriptor, end - begin, begin) + rest
        first, *lines = data.split(b"\n") if holding in data else data.split(b"\n", 1)[:1]
        yield from reversed(lines)
        rest, end = first, begin
    if stop == 0:
        yield rest
