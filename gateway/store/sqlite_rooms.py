"""What happens to a room as a whole: opened, loaded, ticked, set, reset. Each function is one transaction's work.

They run one at a time, inside `StoreFile.read` or `StoreFile.write`; nothing here waits or looks at a clock.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.room.model import AGE_BINS, USER_CREDIT, Append, Block, Limits, Snapshot, TickPlan
from gateway.room.stay import after_reset
from gateway.store.base import VersionConflict
from gateway.store.limits_text import changed_in_file, decode_limits, encode_limits, patched
from gateway.store.sqlite_line import Line, read_line, snapshot, write_line
from gateway.store.sqlite_marks import Marks

# Forgotten knocks deleted per tick: a few milliseconds' work, and faster than a burst of joins brings them.
PURGE_KNOCKS: Final = 4_096

# Calls made within this time count as one, made when the first of them was. Every gateway and every newcomer who finds
# room calls, and every tick reads the log: a window of five minutes then has 1,200 calls at most.
CALL_GROUP_MS: Final = 250


def open_room(
    connection: sqlite3.Connection, room: str, given: Limits, now_ms: int, first_epoch: int, draw_secret: str
) -> Snapshot:
    """`QueueStore.open_room`. draw_secret: for a room that is new."""
    row = connection.execute("SELECT file_settings FROM rooms WHERE name = ?", (room,)).fetchone()
    if row is None:
        _create(connection, room, replace(given, version=1), now_ms, first_epoch, draw_secret)
        return snapshot(connection, read_line(connection, room), now_ms)
    line = read_line(connection, room)
    changed = changed_in_file(decode_limits(row[0]), given)
    if changed:
        connection.execute("UPDATE rooms SET file_settings = ? WHERE id = ?", (encode_limits(given), line.id))
    merged = patched(line.limits, changed)
    if merged != line.limits:
        _set_limits(connection, line, merged)
    return snapshot(connection, line, now_ms)


def commit(
    connection: sqlite3.Connection, room: str, plan: TickPlan, expected_tick: int, now_ms: int
) -> tuple[bool, Snapshot]:
    """`QueueStore.commit`; the order of the steps is that of `TickPlan`."""
    line = read_line(connection, room)
    if line.tick != expected_tick:
        return False, snapshot(connection, line, now_ms)
    line.tick += 1
    line.last_tick_ms = plan.now_ms
    line.pass_clock_ms, line.call_clock_ms = plan.pass_clock_ms, plan.call_clock_ms
    line.admitting, line.call_credit, line.pace_milli = plan.admitting, plan.call_credit, plan.pace_milli
    line.ceiling = plan.total_active_users
    if plan.append is not None:
        _append(line, plan.append)
    if plan.draw and line.draw_size is None:
        line.draw_size = line.tail
    line.credit = min(line.credit + plan.credit_add, plan.credit_cap)
    line.entry_credit = min(line.entry_credit + plan.credit_add, plan.credit_cap)
    _expire_passes(connection, line)
    _close_calls(connection, line, plan.watermark)
    _drop_grants(connection, line, plan.call_clock_ms - plan.grant_expiry_ms)
    _grant(connection, line, plan.grants)
    _call(connection, line, min(plan.serve_to, line.tail))
    _learn(line, plan)
    write_line(connection, line)
    connection.execute(
        "DELETE FROM knocks WHERE (room, epoch, knock) IN"
        " (SELECT room, epoch, knock FROM knocks WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)",
        (now_ms, PURGE_KNOCKS),
    )
    return True, snapshot(connection, line, now_ms)


def update_settings(
    connection: sqlite3.Connection, room: str, patch: Mapping[str, Any], expected_version: int | None, now_ms: int
) -> Snapshot:
    """`QueueStore.update_settings`."""
    line = read_line(connection, room)
    _check_version(connection, line, expected_version, now_ms)
    _set_limits(connection, line, patched(line.limits, {**patch, "version": line.limits.version}))
    return snapshot(connection, line, now_ms)


def reset(
    connection: sqlite3.Connection, room: str, expected_version: int | None, now_ms: int, draw_secret: str
) -> Snapshot:
    """`QueueStore.reset`. What was learned of the crowd that was sent home goes too: the next is another crowd."""
    line = read_line(connection, room)
    _check_version(connection, line, expected_version, now_ms)
    # Knocks carry their epoch, and are forgotten in their time.
    for table in ("marks", "passes", "calls", "lane"):
        connection.execute(f"DELETE FROM {table} WHERE room = ?", (line.id,))  # noqa: S608 - names from above
    line.epoch += 1
    line.tick += 1
    line.admitting = False
    line.tail = line.reserved = line.serving = line.watermark = line.left_ahead = 0
    line.live = line.lane_waiting = line.lane_granted = 0
    line.credit = line.call_credit = line.entry_credit = line.pace_milli = 0
    line.at_risk = line.came = (0,) * AGE_BINS
    line.draw_secret, line.draw_size, line.blocks = draw_secret, None, {}
    line.counters = after_reset(line.counters)
    write_line(connection, line)
    return snapshot(connection, line, now_ms)


def skip_reserved(connection: sqlite3.Connection) -> None:
    """After a power loss: numbers up to `reserved` may have been answered by joins the loss rolled back."""
    connection.execute("UPDATE rooms SET tail = reserved WHERE tail < reserved")


def _create(
    connection: sqlite3.Connection, room: str, limits: Limits, now_ms: int, epoch: int, draw_secret: str
) -> None:
    text = encode_limits(limits)
    zeros = str([0] * AGE_BINS)
    connection.execute(
        "INSERT INTO rooms (name, settings, file_settings, epoch, tick, last_tick_ms, pass_clock_ms, call_clock_ms,"
        " tail, reserved, serving, watermark, left_ahead, credit, call_credit, admitting, live, lane_waiting,"
        " lane_granted, pace_milli, ceiling, draw_secret, blocks, at_risk, came, counters)"
        " VALUES (?, ?, ?, ?, 0, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ?, '{}', ?, ?, '{}')",
        (room, text, text, epoch, now_ms, draw_secret, zeros, zeros),
    )


def _check_version(connection: sqlite3.Connection, line: Line, expected: int | None, now_ms: int) -> None:
    if expected is not None and expected != line.limits.version:
        raise VersionConflict(snapshot(connection, line, now_ms))


def _set_limits(connection: sqlite3.Connection, line: Line, limits: Limits) -> None:
    line.limits = replace(limits, version=line.limits.version + 1)
    line.tick += 1
    line.admitting = False
    connection.execute("UPDATE rooms SET settings = ? WHERE id = ?", (encode_limits(line.limits), line.id))
    write_line(connection, line)


def _append(line: Line, wave: Append) -> None:
    if wave.wave in line.blocks:
        return
    line.blocks[wave.wave] = Block(line.tail, wave.size, wave.secret)
    line.tail += wave.size
    # What is told of them is flushed with this transaction.
    line.reserved = max(line.reserved, line.tail)


def _expire_passes(connection: sqlite3.Connection, line: Line) -> None:
    expired = connection.execute(
        "DELETE FROM passes WHERE room = ? AND expires_ms <= ?", (line.id, line.pass_clock_ms)
    ).rowcount
    line.live -= expired
    line.add("expired", expired)


def _close_calls(connection: sqlite3.Connection, line: Line, watermark: int) -> None:
    line.watermark = watermark
    stayed_away = connection.execute(
        "SELECT coalesce(sum(remaining), 0) FROM calls WHERE room = ? AND last <= ?", (line.id, watermark)
    ).fetchone()[0]
    connection.execute("DELETE FROM calls WHERE room = ? AND last <= ?", (line.id, watermark))
    line.add("no_shows", stayed_away)


def _drop_grants(connection: sqlite3.Connection, line: Line, before_ms: int) -> None:
    dropped = connection.execute(
        "DELETE FROM lane WHERE room = ? AND granted_at_ms < ? RETURNING place", (line.id, before_ms)
    ).fetchall()
    line.lane_granted -= len(dropped)
    awaited = [(line.id, place, place) for (place,) in dropped if place > line.watermark]
    connection.executemany(
        "UPDATE calls SET remaining = remaining + 1 WHERE room = ? AND first <= ? AND last >= ?", awaited
    )
    line.add("no_shows", len(dropped) - len(awaited))


def _grant(connection: sqlite3.Connection, line: Line, wanted: int) -> None:
    number = max(0, min(wanted, line.lane_waiting, line.credit // USER_CREDIT, line.seats))
    if number == 0:
        return
    connection.execute(
        "UPDATE lane SET granted_at_ms = ? WHERE room = ? AND place IN"
        " (SELECT place FROM lane WHERE room = ? AND granted_at_ms IS NULL ORDER BY place LIMIT ?)",
        (line.call_clock_ms, line.id, line.id, number),
    )
    line.lane_waiting -= number
    line.lane_granted += number
    line.credit -= number * USER_CREDIT


def _call(connection: sqlite3.Connection, line: Line, serve_to: int) -> None:
    if serve_to <= line.serving:
        return
    first, absent = line.serving + 1, 0
    if line.left_ahead:
        absent = Marks(connection, line.id).count(first, serve_to)
    people = serve_to - line.serving - absent
    joined = connection.execute(
        "UPDATE calls SET last = ?, remaining = remaining + ? WHERE room = ? AND called_at_ms > ?"
        " AND first = (SELECT max(first) FROM calls WHERE room = ?)",
        (serve_to, people, line.id, line.call_clock_ms - CALL_GROUP_MS, line.id),
    ).rowcount
    if not joined:
        connection.execute(
            "INSERT INTO calls VALUES (?, ?, ?, ?, ?)", (line.id, first, serve_to, line.call_clock_ms, people)
        )
    line.left_ahead -= absent
    line.serving = serve_to


def _learn(line: Line, plan: TickPlan) -> None:
    line.at_risk = tuple(old + new for old, new in zip(line.at_risk, plan.at_risk_add, strict=True))
    if plan.halve_curve:
        line.at_risk = tuple(number // 2 for number in line.at_risk)
        line.came = tuple(number // 2 for number in line.came)
