"""The claims bitmap: one bit per place, set once it has had its turn or its holder has left."""

import sqlite3

from gateway.store.sqlite_schema import CHUNK_BYTES, CHUNK_PLACES


class Marks:
    """The bits of one room, within one transaction; `write` puts back what was changed."""

    def __init__(self, connection: sqlite3.Connection, room_id: int) -> None:
        self._connection = connection
        self._room_id = room_id
        self._chunks: dict[int, bytearray] = {}
        self._changed: set[int] = set()

    def has(self, place: int) -> bool:
        chunk, bit = divmod(place, CHUNK_PLACES)
        return bool(self._chunk(chunk)[bit >> 3] >> (bit & 7) & 1)

    def add(self, place: int) -> None:
        chunk, bit = divmod(place, CHUNK_PLACES)
        self._chunk(chunk)[bit >> 3] |= 1 << (bit & 7)
        self._changed.add(chunk)

    def bitmap(self, first: int, places: int) -> bytes:
        """Bits of `places` places from `first`, least significant first, without the zeros at the end."""
        begin, end = first // CHUNK_PLACES, (first + places - 1) // CHUNK_PLACES
        whole = int.from_bytes(b"".join(self._chunk(chunk) for chunk in range(begin, end + 1)), "little")
        wanted = whole >> (first - begin * CHUNK_PLACES) & ((1 << places) - 1)
        return wanted.to_bytes((wanted.bit_length() + 7) // 8, "little")

    def count(self, first: int, last: int) -> int:
        """How many of the places first..last are marked."""
        return int.from_bytes(self.bitmap(first, last - first + 1), "little").bit_count() if first <= last else 0

    def write(self) -> None:
        rows = [(self._room_id, chunk, bytes(self._chunks[chunk])) for chunk in sorted(self._changed)]
        self._connection.executemany("INSERT OR REPLACE INTO marks (room, chunk, bits) VALUES (?, ?, ?)", rows)
        self._changed.clear()

    def _chunk(self, chunk: int) -> bytearray:
        if chunk not in self._chunks:
            row = self._connection.execute(
                "SELECT bits FROM marks WHERE room = ? AND chunk = ?", (self._room_id, chunk)
            ).fetchone()
            self._chunks[chunk] = bytearray(row[0]) if row else bytearray(CHUNK_BYTES)
        return self._chunks[chunk]
