"""What visitors do to a room: join, claim, renew, complete, leave. Each function is one transaction's work.

They run one at a time, inside `StoreFile.read` or `StoreFile.write`; nothing here waits or looks at a clock.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from gateway.room.model import USER_CREDIT, PassGrant, Trial
from gateway.room.trial import on_trial, tried
from gateway.store.base import (
    Admitted,
    AtDoor,
    Claim,
    ClaimAnswer,
    Held,
    NotCalled,
    PassRef,
    Served,
    Spent,
    StaleEpoch,
    UnknownRoom,
    Whereabouts,
)
from gateway.store.limits_text import decode_limits
from gateway.store.sqlite_awaited import Awaited
from gateway.store.sqlite_line import Line, read_line, write_line
from gateway.store.sqlite_marks import Marks
from shared.wire import How

# Numbers reserved ahead: this much of a minute's outflow, so that a disk flush per block is nothing to notice.
RESERVE_PART_OF_MINUTE: Final = 6
RESERVE_LEAST: Final = 16

_MASK: Final = (1 << 64) - 1
_JOINED: Final = "SELECT id, epoch, tail, reserved, settings FROM rooms WHERE name = ?"
_KNOWN: Final = (
    "SELECT knock, number, expires_ms FROM knocks WHERE room = ? AND epoch = ?"
    " AND knock IN (SELECT value FROM json_each(?))"
)
# The list's first is to have the number ?3.
_REMEMBER: Final = "INSERT INTO knocks SELECT ?1, ?2, value, ?3 + key, ?4 FROM json_each(?5) WHERE value IS NOT NULL"


class MustReserve(Exception):
    """Numbers have to be reserved, which has to be flushed to the disk. Nothing was changed."""


def join(
    connection: sqlite3.Connection,
    room: str,
    knocks: Sequence[int | None],
    expires_ms: int,
    epoch: int | None = None,
    *,
    flushed: bool,
) -> list[int]:
    """`QueueStore.join`. flushed: the transaction will be; else it raises `MustReserve` if more must be reserved.

    However many join, this is a handful of statements: others wait for their turn to write while this runs, and between
    statements a thread may have to wait for the other threads of its process.
    """
    line = connection.execute(_JOINED, (room,)).fetchone()
    if line is None:
        raise UnknownRoom(f"room {room!r} was never opened in this store")
    room_id, of_epoch, tail, reserved, settings = line
    if epoch is not None and epoch != of_epoch:
        raise StaleEpoch(f"room {room} is at epoch {of_epoch}")
    if not flushed and tail + len(knocks) > reserved:
        raise MustReserve
    known = _answered(connection, room_id, of_epoch, [knock for knock in knocks if knock is not None], expires_ms)
    # None for who is to have a number and brings no knock.
    new: list[int | None] = []
    numbers: list[int] = []
    for knock in knocks:
        number = None if knock is None else known.get(knock)
        if number is None:
            new.append(None if knock is None else _signed(knock))
            number = tail + len(new)
            if knock is not None:
                known[knock] = number
        numbers.append(number)
    if len(new) > new.count(None):
        connection.execute(_REMEMBER, (room_id, of_epoch, tail + 1, expires_ms, orjson.dumps(new).decode()))
    if new:
        tail += len(new)
        if tail > reserved:
            pace = decode_limits(settings).new_users_per_minute
            reserved = tail + max(RESERVE_LEAST, pace // RESERVE_PART_OF_MINUTE)
        connection.execute("UPDATE rooms SET tail = ?, reserved = ? WHERE id = ?", (tail, reserved, room_id))
    return numbers


def acknowledge(connection: sqlite3.Connection, room: str, epoch: int, number: int) -> None:
    """`QueueStore.acknowledge`."""
    line = read_line(connection, room)
    if epoch == line.epoch and number > line.tail:
        line.tail = number
        line.reserved = max(line.reserved, number)
        write_line(connection, line)


def claim(connection: sqlite3.Connection, room: str, claims: Sequence[Claim]) -> list[ClaimAnswer]:
    """`QueueStore.claim`."""
    line = read_line(connection, room)
    marks, awaited = Marks(connection, line.id), Awaited(connection, line.id)
    rows = connection.total_changes
    answers = [_claim_one(connection, line, marks, awaited, one) for one in claims]
    # Whoever changes the line also comes into the lane or gets a pass. Asking again at the door costs no disk flush.
    if connection.total_changes != rows:
        marks.write()
        awaited.write()
        write_line(connection, line)
    return answers


def find(connection: sqlite3.Connection, room: str, passes: Sequence[PassRef]) -> list[PassGrant | None]:
    """`QueueStore.look`."""
    line = read_line(connection, room)
    return [_live_pass(connection, line, ref.epoch, ref.place, ref.pass_id) for ref in passes]


def unless_gain(connection: sqlite3.Connection, room: str, passes: Sequence[PassRef]) -> list[PassGrant | None] | None:
    """The passes as they are; None if any would gain enough by a renewal to be written."""
    line = read_line(connection, room)
    grants: list[PassGrant | None] = []
    for ref in passes:
        grant = _live_pass(connection, line, ref.epoch, ref.place, ref.pass_id)
        if grant is not None and _renewed_to(line, grant) != grant.expires_ms:
            return None
        grants.append(grant)
    return grants


def where(connection: sqlite3.Connection, room: str, places: Sequence[tuple[int, int]]) -> list[Whereabouts | None]:
    """`QueueStore.where`."""
    line = read_line(connection, room)
    marks = Marks(connection, line.id)
    found: list[Whereabouts | None] = []
    for epoch, place in places:
        if epoch != line.epoch or not 1 <= place <= line.tail:
            found.append(None)
            continue
        lane = connection.execute(
            "SELECT granted_at_ms FROM lane WHERE room = ? AND place = ?", (line.id, place)
        ).fetchone()
        grant = _live_pass(connection, line, epoch, place, None)
        found.append(Whereabouts(marks.has(place), lane is not None, lane is not None and lane[0] is not None, grant))
    return found


def find_pass(connection: sqlite3.Connection, room: str, pass_id: str) -> PassGrant | None:
    """`QueueStore.find_pass`."""
    line = read_line(connection, room)
    row = connection.execute("SELECT place FROM passes WHERE room = ? AND pass_id = ?", (line.id, pass_id)).fetchone()
    return None if row is None else _live_pass(connection, line, line.epoch, row[0], pass_id)


def renew(connection: sqlite3.Connection, room: str, passes: Sequence[PassRef]) -> list[PassGrant | None]:
    """`QueueStore.renew`."""
    line = read_line(connection, room)
    grants: list[PassGrant | None] = []
    for ref in passes:
        grant = _live_pass(connection, line, ref.epoch, ref.place, ref.pass_id)
        if grant is not None and (expires_ms := _renewed_to(line, grant)) != grant.expires_ms:
            connection.execute(
                "UPDATE passes SET expires_ms = ? WHERE room = ? AND place = ?", (expires_ms, line.id, ref.place)
            )
            grant = grant._replace(expires_ms=expires_ms, lives_ms=expires_ms - line.pass_clock_ms)
        grants.append(grant)
    return grants


def serve(connection: sqlite3.Connection, room: str, served: Sequence[Served]) -> list[PassGrant | None]:
    """`QueueStore.serve`."""
    line = read_line(connection, room)
    grants: list[PassGrant | None] = []
    for one in served:
        before = _live_pass(connection, line, one.ref.epoch, one.ref.place, one.ref.pass_id)
        after = before and tried(before, line.limits, line.pass_clock_ms, works=one.works)
        if before is not None and after is not None and after != before:
            trial, key = after.trial, (line.id, after.place)
            connection.execute(
                "UPDATE passes SET trial_ms = ?, failed = ? WHERE room = ? AND place = ?", (*_columns(trial), *key)
            )
            # The table is also in the order of expiry, which most of them leave as it is.
            if (after.expires_ms, after.ends_ms) != (before.expires_ms, before.ends_ms):
                connection.execute(
                    "UPDATE passes SET expires_ms = ?, ends_ms = ? WHERE room = ? AND place = ?",
                    (after.expires_ms, after.ends_ms, *key),
                )
            line.add("restarted", int(trial is None and before.trial is not None and before.trial.failed))
        if before is not None and on_trial(before, line.pass_clock_ms):
            line.add("unserved", int(not one.works))
        grants.append(after)
    write_line(connection, line)
    return grants


def complete(connection: sqlite3.Connection, room: str, passes: Sequence[PassRef], reason: str) -> list[bool]:
    """`QueueStore.complete`."""
    line = read_line(connection, room)
    answers = [ref.epoch == line.epoch and _end_pass(connection, line, ref.place, ref.pass_id) for ref in passes]
    line.add(reason, sum(answers))
    write_line(connection, line)
    return answers


def leave(connection: sqlite3.Connection, room: str, places: Sequence[tuple[int, int]]) -> list[bool]:
    """`QueueStore.leave`."""
    line = read_line(connection, room)
    marks, awaited = Marks(connection, line.id), Awaited(connection, line.id)
    answers = [_leave_one(connection, line, marks, awaited, epoch, place) for epoch, place in places]
    line.add("left", sum(answers))
    marks.write()
    awaited.write()
    write_line(connection, line)
    return answers


def count(connection: sqlite3.Connection, room: str, deltas: Mapping[str, int]) -> None:
    """`QueueStore.count`."""
    line = read_line(connection, room)
    for counter, number in deltas.items():
        line.add(counter, number)
    write_line(connection, line)


def _signed(knock: int) -> int:
    """SQLite's integers have 63 bits and a sign."""
    return knock - (1 << 64) if knock >> 63 else knock


def _answered(
    connection: sqlite3.Connection, room_id: int, epoch: int, knocks: Sequence[int], expires_ms: int
) -> dict[int, int]:
    """The numbers that those of these knocks got before, remembered from now on until `expires_ms` at least."""
    if not knocks:
        return {}
    of = room_id, epoch
    found = connection.execute(_KNOWN, (*of, orjson.dumps([*map(_signed, knocks)]).decode())).fetchall()
    lapsing = [(expires_ms, *of, knock) for knock, _, until_ms in found if until_ms < expires_ms]
    if lapsing:
        connection.executemany("UPDATE knocks SET expires_ms = ? WHERE room = ? AND epoch = ? AND knock = ?", lapsing)
    return {knock & _MASK: number for knock, number, _ in found}


def _claim_one(connection: sqlite3.Connection, line: Line, marks: Marks, awaited: Awaited, one: Claim) -> ClaimAnswer:
    place = one.place
    if one.epoch != line.epoch or not 1 <= place <= line.tail:
        return NotCalled()
    if marks.has(place):
        grant = _live_pass(connection, line, one.epoch, place, None)
        return Spent() if grant is None else Admitted(grant, fresh=False)
    if place > line.serving:
        return NotCalled()
    if not line.admitting:
        return Held()
    in_lane = None
    if line.lane_waiting or line.lane_granted:
        in_lane = connection.execute(
            "SELECT late, granted_at_ms FROM lane WHERE room = ? AND place = ?", (line.id, place)
        ).fetchone()
    if in_lane is None:
        late = place <= line.watermark
        called_at_ms = None if late else awaited.less(place)
        if called_at_ms is not None:
            line.has_come(called_at_ms)
        if line.lane_waiting or min(line.credit, line.entry_credit) < USER_CREDIT or line.seats == 0:
            connection.execute("INSERT INTO lane VALUES (?, ?, ?, NULL)", (line.id, place, late))
            line.lane_waiting += 1
            return AtDoor()
        line.credit -= USER_CREDIT
        how = How.LATE_LANE if late else How.DIRECT if one.direct else How.LINE
    else:
        how = How.LATE_LANE if in_lane[0] else How.LINE
        # A seat was kept under the ceiling of that time; the ceiling may have been lowered since. And many with one may
        # come together: the credit taken then does not say that they come in no faster than the outflow.
        if in_lane[1] is None or line.live >= line.ceiling or line.entry_credit < USER_CREDIT:
            return AtDoor()
        connection.execute("DELETE FROM lane WHERE room = ? AND place = ?", (line.id, place))
        line.lane_granted -= 1
    line.entry_credit -= USER_CREDIT
    return Admitted(_admit(connection, line, marks, one, how), fresh=True)


def _admit(connection: sqlite3.Connection, line: Line, marks: Marks, one: Claim, how: How) -> PassGrant:
    ends_ms = line.pass_clock_ms + line.limits.session_length_ms
    expires_ms = min(ends_ms, line.pass_clock_ms + line.limits.idle_limit_ms)
    limit_ms = line.limits.unserved_limit_ms
    trial = Trial(line.pass_clock_ms + limit_ms) if limit_ms else None
    connection.execute(
        "INSERT INTO passes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (line.id, one.place, one.pass_id, how.value, expires_ms, ends_ms, *_columns(trial)),
    )
    marks.add(one.place)
    line.live += 1
    line.add("admitted", 1)
    line.add("admitted_late", int(how is How.LATE_LANE))
    line.counters["peak_live"] = max(line.live, line.counters.get("peak_live", 0))
    return _grant(line, one.pass_id, one.place, how, expires_ms, ends_ms, trial)


def _leave_one(
    connection: sqlite3.Connection, line: Line, marks: Marks, awaited: Awaited, epoch: int, place: int
) -> bool:
    if epoch != line.epoch or not 1 <= place <= line.tail:
        return False
    if marks.has(place):
        return _end_pass(connection, line, place, None)
    marks.add(place)
    if place > line.serving:
        line.left_ahead += 1
        return True
    in_lane = connection.execute(
        "DELETE FROM lane WHERE room = ? AND place = ? RETURNING granted_at_ms", (line.id, place)
    ).fetchone()
    if in_lane is None:
        if place > line.watermark:
            awaited.less(place)
    elif in_lane[0] is None:
        line.lane_waiting -= 1
    else:
        line.lane_granted -= 1
    return True


def _end_pass(connection: sqlite3.Connection, line: Line, place: int, pass_id: str | None) -> bool:
    """End the place's live pass, if that is its id (None: whatever its id)."""
    ended = connection.execute(
        "DELETE FROM passes WHERE room = ? AND place = ? AND pass_id = coalesce(?, pass_id)", (line.id, place, pass_id)
    ).rowcount
    line.live -= ended
    return ended > 0


def _live_pass(
    connection: sqlite3.Connection, line: Line, epoch: int, place: int, pass_id: str | None
) -> PassGrant | None:
    """The place's live pass, if that is its id (None: whatever its id)."""
    row = connection.execute(
        "SELECT pass_id, how, expires_ms, ends_ms, trial_ms, failed FROM passes WHERE room = ? AND place = ?",
        (line.id, place),
    ).fetchone()
    if row is None or epoch != line.epoch or pass_id not in {None, row[0]}:
        return None
    trial = Trial(row[4], bool(row[5])) if row[4] else None
    return _grant(line, row[0], place, How(row[1]), row[2], row[3], trial)


def _renewed_to(line: Line, grant: PassGrant) -> int:
    """The expiry a renewal gives: unchanged while it would gain less than a tenth of the idle limit."""
    idle_ms = line.limits.idle_limit_ms
    best = min(grant.ends_ms, line.pass_clock_ms + idle_ms)
    return best if (best - grant.expires_ms) * 10 >= idle_ms else grant.expires_ms


def _columns(trial: Trial | None) -> tuple[int, int]:
    """trial_ms and failed."""
    return (0, 0) if trial is None else (trial.until_ms, int(trial.failed))


def _grant(
    line: Line, pass_id: str, place: int, how: How, expires_ms: int, ends_ms: int, trial: Trial | None
) -> PassGrant:
    return PassGrant(pass_id, place, how, expires_ms, ends_ms, expires_ms - line.pass_clock_ms, trial)
