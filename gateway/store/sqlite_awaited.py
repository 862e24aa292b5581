"""Whom the calls still await, within one transaction: each call is looked up once, and written once."""

import sqlite3
from bisect import bisect_right, insort
from collections import Counter
from operator import itemgetter
from typing import Final

_FIRST: Final = itemgetter(0)


class Awaited:
    """The calls of one room; `write` puts back what was changed."""

    def __init__(self, connection: sqlite3.Connection, room_id: int) -> None:
        self._connection = connection
        self._room_id = room_id
        # In order: first, last, called_at_ms.
        self._found: list[tuple[int, int, int]] = []
        self._fewer: Counter[int] = Counter()

    def less(self, place: int) -> int | None:
        """Take the holder of a place off its call, and say when it was called. None: no call awaits the place."""
        call = self._of(place)
        if call is None:
            return None
        self._fewer[call[0]] += 1
        return call[2]

    def write(self) -> None:
        rows = [(fewer, self._room_id, first) for first, fewer in self._fewer.items()]
        self._connection.executemany("UPDATE calls SET remaining = remaining - ? WHERE room = ? AND first = ?", rows)
        self._fewer.clear()

    def _of(self, place: int) -> tuple[int, int, int] | None:
        index = bisect_right(self._found, place, key=_FIRST) - 1
        if index >= 0 and self._found[index][1] >= place:
            return self._found[index]
        row: tuple[int, int, int] | None = self._connection.execute(
            "SELECT first, last, called_at_ms FROM calls WHERE room = ? AND first <= ? ORDER BY first DESC LIMIT 1",
            (self._room_id, place),
        ).fetchone()
        if row is None or row[1] < place:
            return None
        insort(self._found, row)
        return row
