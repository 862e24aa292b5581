"""From what the scripts return to what the store answers."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import Any, Final

import orjson

from gateway.room.model import LOOKAHEAD_PLACES, Append, Block, Call, Curve, PassGrant, Snapshot, TickPlan, Trial
from gateway.room.presence import GAP_MS, INTERVAL_MS, Cell, Sightings
from gateway.room.stock import Stock
from gateway.store.base import Admitted, AtDoor, Claim, ClaimAnswer, Held, NotCalled, PassRef, Spent, Whereabouts
from gateway.store.limits_text import decode_limits
from shared.wire import How

HOWS: Final = {b"d": How.DIRECT, b"l": How.LINE, b"t": How.LATE_LANE}
LETTERS: Final = {how: letter.decode() for letter, how in HOWS.items()}
_OTHER_ANSWERS: Final[dict[bytes, ClaimAnswer]] = {b"D": AtDoor(), b"N": NotCalled(), b"H": Held(), b"S": Spent()}
# SETBIT counts from the most significant bit of a byte, snapshots from the least.
_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

# Beside the bitmaps of an interval, its first tail: see observe.lua.
_TAIL: Final = "tail"

# Passes that one tick expires at most: some milliseconds of the server's time. What is left, the next one does.
MOST_EXPIRED: Final = 5_000


def read_snapshot(room: str, reply: Sequence[Any], now_ms: int) -> Snapshot:
    """From what room.lua's `snapshot` returns; now_ms: the line's clock."""
    _, _, line, counters, calls, awaited, live, waiting, kept, absent = reply[:10]
    numbers = [int(value) for value in line[1:14]]
    epoch, tick, last_tick_ms, pass_clock_ms, call_clock_ms, tail, serving, watermark, left_ahead = numbers[:9]
    credit, call_credit, admitting, pace_milli = numbers[9:]
    remaining = {int(first): int(number) for first, number in _pairs(lines(awaited))}
    return Snapshot(
        room=room,
        epoch=epoch,
        limits=decode_limits(line[0].decode()),
        tick=tick,
        now_ms=max(now_ms, last_tick_ms),
        last_tick_ms=last_tick_ms,
        pass_clock_ms=pass_clock_ms,
        call_clock_ms=call_clock_ms,
        tail=tail,
        serving=serving,
        watermark=watermark,
        left_ahead=left_ahead,
        absent=_absent(absent, serving + 1),
        credit=credit,
        call_credit=call_credit,
        # A line of an older program's has none; the next tick gives it some.
        entry_credit=int(line[22] or 0),
        admitting=bool(admitting),
        live=live,
        lane_waiting=waiting,
        lane_granted=kept,
        pace_milli=pace_milli,
        curve=Curve(tuple(orjson.loads(line[14])), tuple(orjson.loads(line[15]))),
        calls=tuple(_call(call, remaining) for call in lines(calls)),
        counters={name.decode(): int(number) for name, number in _pairs(counters)},
        draw_secret=line[19].decode(),
        draw_size=int(line[20]) if line[20] else None,
        blocks={wave: Block(*block) for wave, block in orjson.loads(line[21] or "{}").items()},
    )


def shift_and_home(reply: Sequence[Any]) -> tuple[int, str, int]:
    """Of a snapshot's line: what to add to the server's clock, the server that has the whole line, how many had it."""
    return int(reply[2][16]), reply[2][17].decode(), int(reply[2][18] or 0)


def lines(answers: bytes) -> list[bytes]:
    """A script's answers, one for each that was asked."""
    return answers.split(b"\n") if answers else []


def read_answer(claim: Claim, answer: bytes, pass_clock_ms: int) -> ClaimAnswer:
    """A line of claim.lua."""
    other = _OTHER_ANSWERS.get(answer)
    if other is not None:
        return other
    how, numbers = answer[1:2], answer[2:].split(b":", 4)
    fresh = answer[:1] == b"A"
    pass_id = claim.pass_id if fresh else numbers.pop().decode()
    return Admitted(grant_of(pass_id, claim.place, (how, *map(int, numbers)), pass_clock_ms), fresh)


def grant_of(pass_id: str, place: int, told: Sequence[Any], pass_clock_ms: int) -> PassGrant:
    """told: how, expires_ms, ends_ms, trial_until_ms, failed."""
    how, expires_ms, ends_ms, until_ms, failed = told
    trial = Trial(until_ms, bool(failed)) if until_ms else None
    return PassGrant(pass_id, place, HOWS[how], expires_ms, ends_ms, expires_ms - pass_clock_ms, trial)


def read_grant(ref: PassRef, answer: bytes, pass_clock_ms: int) -> PassGrant | None:
    """A line of renew.lua or serve.lua."""
    if answer == b"0":
        return None
    told = (answer[:1], *map(int, answer[1:].split(b":")))
    return grant_of(ref.pass_id, ref.place, told, pass_clock_ms)


def read_whereabouts(place: int, answer: Any, pass_clock_ms: int) -> Whereabouts | None:
    if answer == 0:
        return None
    spent, at_door, seat_kept, *held = answer
    grant = grant_of(held[0].decode(), place, held[1:], pass_clock_ms) if held else None
    return Whereabouts(bool(spent), bool(at_door), bool(seat_kept), grant)


def plan_arguments(plan: TickPlan) -> list[int | bytes]:
    """As commit.lua wants them, from `now_ms` to `draw`."""
    return [
        plan.now_ms,
        plan.pass_clock_ms,
        plan.call_clock_ms,
        int(plan.admitting),
        plan.credit_add,
        plan.credit_cap,
        plan.call_credit,
        plan.watermark,
        plan.grant_expiry_ms,
        plan.grants,
        plan.serve_to,
        orjson.dumps(plan.at_risk_add),
        int(plan.halve_curve),
        plan.pace_milli,
        plan.total_active_users,
        int(plan.draw),
    ]


def append_arguments(wave: Append | None) -> list[int | bytes]:
    """As commit.lua wants them."""
    return [b"", 0, b""] if wave is None else [wave.wave.encode(), wave.size, wave.secret.encode()]


def observe_arguments(seen: Sightings, stock: Stock | None) -> list[int | str | bytes]:
    """As observe.lua wants them."""
    told = "" if stock is None else ":".join(map(str, astuple(stock)))
    arguments: list[int | str | bytes] = [
        seen.epoch, int(seen.drawn), seen.at_ms, seen.since_ms, GAP_MS, INTERVAL_MS, told,
    ]  # fmt: skip
    for cell, found in seen.bits.items():
        arguments += [":".join(map(str, cell)), found]
    for interval, tail in seen.tails.items():
        arguments += [f"{interval}:{_TAIL}", tail]
    return arguments


def read_observed(reply: Sequence[Any]) -> tuple[Sightings, Stock | None]:
    """From what observe.lua returns."""
    _, epoch, drawn, at_ms, since_ms, told, *flat = reply
    bits: dict[Cell, bytes] = {}
    tails: dict[int, int] = {}
    for name, found in _pairs(flat):
        interval, *cell = name.decode().split(":")
        if cell == [_TAIL]:
            tails[int(interval)] = int(found)
        else:
            step, chunk = map(int, cell)
            bits[int(interval), step, chunk] = found
    stock = Stock(*map(int, told.split(b":"))) if told else None
    return Sightings(epoch, bool(drawn), at_ms, since_ms, bits, tails), stock


def _call(text: bytes, remaining: dict[int, int]) -> Call:
    first, last, called_at_ms = map(int, text.split(b":"))
    return Call(first, last, called_at_ms, remaining.get(first, 0))


def _absent(found: bytes, first: int) -> bytes:
    """The bits from place `first` on, without the zeros at the end; `found` begins with the byte it lies in."""
    if not found:
        return b""
    whole = int.from_bytes(found.translate(_MIRRORED), "little") >> (first & 7)
    wanted = whole & ((1 << LOOKAHEAD_PLACES) - 1)
    return wanted.to_bytes((wanted.bit_length() + 7) // 8, "little")


def _pairs(flat: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)
