"""What gateways tell one another (`QueueStore.observe`): one small row per room, each telling merged into it."""

import sqlite3
from dataclasses import asdict
from typing import Any, Final

import orjson

from gateway.room.presence import Sightings, merged
from gateway.room.stock import Stock, newest
from gateway.store.sqlite_line import read_line

# Made where it is missing: a program that does not know it loses nothing by it, so the schema keeps its version.
TABLE: Final = """
CREATE TABLE IF NOT EXISTS observed (
  room INTEGER PRIMARY KEY,
  seen TEXT NOT NULL,
  stock TEXT NOT NULL
) STRICT
"""


def observe(
    connection: sqlite3.Connection, room: str, seen: Sightings, stock: Stock | None
) -> tuple[Sightings, Stock | None]:
    """`QueueStore.observe`."""
    line = read_line(connection, room)
    row = connection.execute("SELECT seen, stock FROM observed WHERE room = ?", (line.id,)).fetchone()
    if row is not None:
        seen = merged(_sightings(orjson.loads(row[0])), seen)
        kept = orjson.loads(row[1])
        stock = newest(Stock(**kept) if kept is not None else None, stock)
    told = (orjson.dumps(value).decode() for value in (_plain(seen), asdict(stock) if stock is not None else None))
    connection.execute("INSERT OR REPLACE INTO observed (room, seen, stock) VALUES (?, ?, ?)", (line.id, *told))
    return seen, stock


def _plain(seen: Sightings) -> dict[str, Any]:
    bits = [[*cell, found.hex()] for cell, found in seen.bits.items()]
    return {
        "epoch": seen.epoch, "drawn": seen.drawn, "at_ms": seen.at_ms, "since_ms": seen.since_ms, "bits": bits,
        "tails": [*seen.tails.items()],
    }  # fmt: skip


def _sightings(plain: dict[str, Any]) -> Sightings:
    bits = {(interval, step, chunk): bytes.fromhex(found) for interval, step, chunk, found in plain.pop("bits")}
    return Sightings(**{**plain, "tails": dict(plain["tails"])}, bits=bits)
