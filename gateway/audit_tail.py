"""The newest lines of an audit log, read from its end: as little of it as it takes, and never more than a bound."""

import os
from collections.abc import Callable, Iterator
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


def newest(path: Path, room: str, limit: int, *, wanted: Callable[[bytes], bool] | None = None) -> Tail:
    """The newest lines of a room that are whole. wanted: a first look at a line as it is written.

    Of a log that was moved away, and not made anew yet, there are none. Raises OSError.
    """
    found: list[dict[str, Any]] = []
    if not path.exists():
        return Tail(found, whole=False)
    # Not what proves who is meant, but what spares reading the others.
    mark = b'"room":"%b"' % room.encode()
    with path.open("rb") as log:
        size = os.fstat(log.fileno()).st_size
        for line in _backwards(log.fileno(), size, max(0, size - MOST_BYTES)):
            if mark not in line or (wanted is not None and not wanted(line)):
                continue
            parts = split(line)
            if parts is None or parts[0]["room"] != room or parts[0].get("event") == BEGIN:
                continue
            found.append({**parts[0], "hash": parts[2]})
            if len(found) == limit:
                return Tail(found, whole=False)
    return Tail(found, whole=size <= MOST_BYTES)


def _backwards(descriptor: int, end: int, stop: int) -> Iterator[bytes]:
    """The lines that end before `end`, last one first; without the one that `stop` falls into."""
    rest = b""
    while end > stop:
        begin = max(stop, end - _CHUNK)
        first, *lines = (os.pread(descriptor, end - begin, begin) + rest).split(b"\n")
        yield from reversed(lines)
        rest, end = first, begin
    if stop == 0:
        yield rest
