"""The heads beside an audit log (`audit.log.heads`): the newest line of each chain, and how long the log was. Pure.

It is a help, and no evidence: whoever finds it damaged goes on from what the log itself holds.
"""

from pathlib import Path
from typing import Any, Final

import orjson

from gateway.chain import Head

# Numbers go no further in JSON.
_MOST_LINES: Final = 2**53

# inode, size: of the log as it was. files: moved aside so far. opened: rooms whose chain goes on in it. rooms: heads.
Known = dict[str, Any]


def beside(log: Path) -> Path:
    """Where the heads of a log are."""
    return log.with_name(f"{log.name}.heads")


def read(text: bytes) -> Known | None:
    """What the file says; None if that is nothing to go on from."""
    try:
        known = orjson.loads(text)
        heads_of(known)
        good = all(type(known[name]) is int for name in ("inode", "size", "files")) and known["size"] >= 0
        return known if good and isinstance(known["opened"], list) else None
    except (ValueError, KeyError, TypeError):
        return None


def heads_of(known: Known) -> dict[str, Head]:
    """By room. Raises `ValueError` for what holds something else."""
    try:
        heads = {str(room): Head(**head) for room, head in known["rooms"].items()}
        good = all(
            0 <= head.seq < _MOST_LINES and head.chain.isascii() and head.hash.isascii() for head in heads.values()
        )
    except (AttributeError, KeyError, TypeError):
        good = False
    if not good:
        raise ValueError("these are no heads")
    return heads
