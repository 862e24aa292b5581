"""The heads beside an audit log (`audit.log.heads`): the newest line of each chain, and how long the log was. Pure.

It is a help, and no evidence: whoever finds it damaged goes on from what the log itself holds.
"""

from pathlib import Path
from typing import Any, Final

import orjson

from gateway.chain import Head

# Numbers go no further in JSON.
_MOST_LINES: Final = 2**53
_PARTS: Final = 3

# inode, size: of the log as it was. files: moved aside so far. opened: rooms whose chain goes on in it. rooms: heads.
Known = dict[str, Any]


def beside(log: Path) -> Path:
    """Where the heads of a log are."""
    return log.with_name(f"{log.name}.heads")


def read(text: bytes) -> Known | None:
    """What the file says; None if that is nothing to go on from. Made for every line of the log, so it is quick."""
    try:
        known = orjson.loads(text)
        numbers, rooms = (known["inode"], known["size"], known["files"]), known["rooms"].values()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    good = all(type(each) is int for each in numbers) and known["size"] >= 0 and isinstance(known.get("opened"), list)
    return known if good and all(map(_is_head, rooms)) else None


def heads_of(known: Known) -> dict[str, Head]:
    """By room, of what `read` has read."""
    return {room: Head(**head) for room, head in known["rooms"].items()}


def _is_head(kept: Any) -> bool:
    if type(kept) is not dict or len(kept) != _PARTS:
        return False
    seq = kept.get("seq")
    named = type(kept.get("chain")) is str and type(kept.get("hash")) is str
    return named and type(seq) is int and 0 <= seq < _MOST_LINES
