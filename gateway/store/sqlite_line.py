"""A room's row as the transitions work on it: read, changed in memory, written back whole, in one transaction."""

import sqlite3
from dataclasses import dataclass, fields
from typing import Final

import orjson

from gateway.room.model import LOOKAHEAD_PLACES, Block, Call, Curve, Limits, Snapshot, age_bin
from gateway.store.base import UnknownRoom
from gateway.store.limits_text import decode_limits
from gateway.store.sqlite_marks import Marks


@dataclass(slots=True)
class Line:
    """The row; what its fields mean is said at `Snapshot` and in the schema."""

    id: int
    name: str
    limits: Limits
    epoch: int
    tick: int
    last_tick_ms: int
    pass_clock_ms: int
    call_clock_ms: int
    tail: int
    reserved: int
    serving: int
    watermark: int
    left_ahead: int
    credit: int
    call_credit: int
    entry_credit: int
    admitting: bool
    live: int
    lane_waiting: int
    lane_granted: int
    pace_milli: int
    ceiling: int
    draw_secret: str
    draw_size: int | None
    blocks: dict[str, Block]
    at_risk: tuple[int, ...]
    came: tuple[int, ...]
    counters: dict[str, int]

    def add(self, counter: str, number: int) -> None:
        """Count `number` more of something; nothing for zero."""
        if number:
            self.counters[counter] = self.counters.get(counter, 0) + number

    def has_come(self, called_at_ms: int) -> None:
        """Somebody of a call came: marked on the curve."""
        counts = list(self.came)
        counts[age_bin(self.call_clock_ms - called_at_ms)] += 1
        self.came = tuple(counts)

    @property
    def seats(self) -> int:
        """Seats neither taken nor kept for someone in the lane."""
        return max(0, self.ceiling - self.live - self.lane_granted)


_READ: Final = tuple("settings" if field.name == "limits" else field.name for field in fields(Line))
_WRITTEN: Final = tuple(name for name in _READ if name not in {"id", "name", "settings"})
# Made of the names above, nothing from outside.
_SELECT: Final = f"SELECT {', '.join(_READ)} FROM rooms WHERE name = ?"  # noqa: S608
_UPDATE: Final = f"UPDATE rooms SET {', '.join(f'{name} = ?' for name in _WRITTEN)} WHERE id = ?"  # noqa: S608


def read_line(connection: sqlite3.Connection, room: str) -> Line:
    """Raises `UnknownRoom`."""
    row = connection.execute(_SELECT, (room,)).fetchone()
    if row is None:
        raise UnknownRoom(f"room {room!r} was never opened in this store")
    line = Line(*row)
    line.limits = decode_limits(row[2])
    line.admitting = bool(line.admitting)
    line.blocks = {wave: Block(**block) for wave, block in orjson.loads(row[-4]).items()}
    line.at_risk, line.came = tuple(orjson.loads(row[-3])), tuple(orjson.loads(row[-2]))
    line.counters = orjson.loads(row[-1])
    return line


def write_line(connection: sqlite3.Connection, line: Line) -> None:
    """Put back everything but the settings."""
    values = [getattr(line, name) for name in _WRITTEN]
    values[-4:] = [orjson.dumps(value).decode() for value in values[-4:]]
    connection.execute(_UPDATE, (*values, line.id))


def snapshot(connection: sqlite3.Connection, line: Line, now_ms: int) -> Snapshot:
    """The room as `line` says, at `now_ms` of the store's clock."""
    calls = connection.execute(
        "SELECT first, last, called_at_ms, remaining FROM calls WHERE room = ? ORDER BY first", (line.id,)
    )
    return Snapshot(
        room=line.name,
        epoch=line.epoch,
        limits=line.limits,
        tick=line.tick,
        now_ms=max(now_ms, line.last_tick_ms),
        last_tick_ms=line.last_tick_ms,
        pass_clock_ms=line.pass_clock_ms,
        call_clock_ms=line.call_clock_ms,
        tail=line.tail,
        serving=line.serving,
        watermark=line.watermark,
        left_ahead=line.left_ahead,
        absent=Marks(connection, line.id).bitmap(line.serving + 1, LOOKAHEAD_PLACES) if line.left_ahead else b"",
        credit=line.credit,
        call_credit=line.call_credit,
        entry_credit=line.entry_credit,
        admitting=line.admitting,
        live=line.live,
        lane_waiting=line.lane_waiting,
        lane_granted=line.lane_granted,
        pace_milli=line.pace_milli,
        curve=Curve(line.at_risk, line.came),
        calls=tuple(map(Call._make, calls)),
        counters=line.counters,
        draw_secret=line.draw_secret,
        draw_size=line.draw_size,
        blocks=line.blocks,
    )
