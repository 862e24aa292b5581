"""The store of many gateways: Redis or Valkey, one server, watched by Sentinel, or a cluster.

Layout, from here inward:

* `redis.py` (this file): the `QueueStore` of one gateway process: each method one call of one script.
* `redis_line.py`: one room as this process knows it: its keys, its clock, its witness, the server it is at home on.
* `redis_link.py`: scripts to servers, bounded and broken off. `redis_nodes.py`: which server. `breaker.py`: when not.
* `lua/*.lua`, `scripts.py`: what each transition does, atomically. `redis_reply.py`: what they answer.
* `witness.py`, `lua/mend.lua`: what is done when a server has forgotten. `held_clock.py`: when its clock jumps.
* `redis_url.py`, `redis_check.py`: what a store URL says, and whether its servers will do.

What is durable when: an answer survives the death of gateways at once, because the server has it. It survives the death
of the server as far as that wrote it down (AOF) or a replica has it; what neither has is told to the next server by the
gateways, who have seen it. With `min_replicas` an admission, a number or a setting is told only when so many replicas
have it. No number is issued twice and no place gets a second pass while one gateway that saw it lives.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from struct import pack
from typing import TYPE_CHECKING, Any, Final

import orjson

from gateway.room.model import AGE_BINS, USER_CREDIT, Limits, PassGrant, Snapshot, TickPlan
from gateway.room.presence import Sightings
from gateway.room.stock import Stock
from gateway.store.base import (
    Admitted,
    Claim,
    ClaimAnswer,
    PassRef,
    QueueStore,
    Served,
    StaleEpoch,
    StoreUnavailable,
    UnknownRoom,
    VersionConflict,
    Whereabouts,
)
from gateway.store.held_clock import HeldClock, LineClock
from gateway.store.limits_text import changed_in_file, decode_limits, encode_limits, patched
from gateway.store.lots import new_secret
from gateway.store.redis_check import check_room, check_servers, check_type_and_schema
from gateway.store.redis_line import SCHEMA, RoomLine, StillMending
from gateway.store.redis_link import Argument, Link
from gateway.store.redis_nodes import Access
from gateway.store.redis_reply import (
    MOST_EXPIRED,
    append_arguments,
    grant_of,
    lines,
    observe_arguments,
    plan_arguments,
    read_answer,
    read_grant,
    read_observed,
    read_whereabouts,
)
from gateway.store.redis_url import RedisUrl
from gateway.store.witness import PART, PART_BYTES
from shared.clock import Clock, now_ms

# How long a new server waits for gateways that were heard from lately and may know what it does not.
MEND_PATIENCE_MS: Final = 1_500
MEND_PAUSE_MS: Final = 100
# How often a gateway reads which places were used through others.
LEARN_MS: Final = 30_000
# How long a gateway that stops takes at most to say so.
GOODBYE_S: Final = 1.0
# Calls made within this time count as one: as in the SQLite store, for the same reason.
CALL_GROUP_MS: Final = 250
# Over so many small hashes answered knocks are spread: each stays small enough for the servers' packed form.
KNOCK_SHARDS: Final = 1 << 16
# Settings that somebody else changed meanwhile are patched anew.
PATCH_TRIES: Final = 8

_ZEROS: Final = orjson.dumps([0] * AGE_BINS).decode()


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class RedisStore:
    """`QueueStore` at `url`. Nothing is asked before the first call.

    wall_ms, mono_ms: this machine's clocks, by which the server's is watched. first_epoch: of rooms that are new; None
    for the second of their making. mend_patience_ms: 0 for servers of which it is known that nobody else uses them.
    clock: makes what each line's time is read by.
    """

    def __init__(
        self,
        url: RedisUrl,
        access: Access,
        *,
        wall_ms: Clock = now_ms,
        mono_ms: Clock = _monotonic_ms,
        first_epoch: int | None = None,
        mend_patience_ms: int = MEND_PATIENCE_MS,
        clock: Callable[[], LineClock] = HeldClock,
    ) -> None:
        self.gateway = uuid.uuid4().hex
        self._link = Link(url, access)
        self._prefix = url.prefix
        self._clocks = (wall_ms, mono_ms)
        self._first_epoch = "" if first_epoch is None else str(first_epoch)
        self._mend_patience_ms = mend_patience_ms
        self._clock = clock
        self._lines: dict[str, RoomLine] = {}
        self._checked = False
        self._closed = False

    async def open_room(self, room: str, limits: Limits) -> Snapshot:
        if not self._checked:
            await check_servers(self._link)
            self._checked = True
        line = self._line(room)
        await check_room(self._link, line.keys)
        first = replace(limits, version=1)
        given = encode_limits(first)
        hold = int(self._mend_patience_ms > 0)
        arguments: list[Argument] = [given, *_extracts(limits), _ZEROS, SCHEMA, self._first_epoch, hold, new_secret()]
        reply = await self._open(line, arguments)
        line.file_limits = reply[10].decode()
        snapshot = line.see(reply)
        await self._learn_marks(line)
        await self._learn_inside(line)
        for _ in range(PATCH_TRIES):
            changed = changed_in_file(decode_limits(line.file_limits), limits)
            if not changed:
                return snapshot
            merged = patched(snapshot.limits, changed)
            reply = await self._set(line, snapshot.limits, merged, given)
            if reply[0] == b"ok":
                line.file_limits = given
                return line.see(reply)
            snapshot = line.see(reply)
        raise StoreUnavailable("the settings are changed faster than they can be read")

    async def load(self, room: str) -> Snapshot:
        line = self._line(room)
        snapshot = line.see(await self._call(line, "load", [self.gateway]))
        if line.learn_at_ms <= self._clocks[1]():
            await self._learn_marks(line)
        return snapshot

    async def commit(self, room: str, plan: TickPlan, expected_tick: int) -> tuple[bool, Snapshot]:
        line = self._line(room)
        arguments = [expected_tick, *plan_arguments(plan), line.shift_ms, USER_CREDIT, CALL_GROUP_MS, MOST_EXPIRED]
        arguments += append_arguments(plan.append)
        # A wave that has joined is told to its holders, and must not join anew elsewhere.
        reply = await self._call(line, "commit", arguments, durable=plan.append is not None)
        return reply[0] == b"ok", line.see(reply)

    async def join(
        self, room: str, knocks: Sequence[int | None], *, expires_ms: int, epoch: int | None = None
    ) -> Sequence[int]:
        line = self._line(room)
        shards: dict[str, int] = {}
        asked: list[int] = []
        for knock in knocks:
            if knock is None:
                asked += (0, 0)
                continue
            shard = line.key(f"knocks:{knock % KNOCK_SHARDS:x}")
            asked += (shards.setdefault(shard, len(line.keys) + len(shards) + 1), knock)
        packed = pack(">" + "HQ" * len(knocks), *asked)
        arguments: list[Argument] = ["" if epoch is None else epoch, expires_ms, packed]
        reply = await self._call(line, "join", arguments, more_keys=list(shards), durable=True)
        if reply[0] == b"stale":
            raise StaleEpoch(f"room {room} is at epoch {int(reply[1])}")
        numbers = [*map(int, reply[3].split())]
        line.witness.joined(int(reply[2]), numbers)
        return numbers

    async def acknowledge(self, room: str, epoch: int, number: int) -> Snapshot:
        line = self._line(room)
        return line.see(await self._call(line, "acknowledge", [epoch, number], durable=True))

    async def claim(self, room: str, claims: Sequence[Claim]) -> Sequence[ClaimAnswer]:
        line = self._line(room)
        seen = line.witness.snapshot
        arguments: list[Argument] = [USER_CREDIT, (seen.limits if seen is not None else Limits()).unserved_limit_ms]
        for claim in claims:
            arguments += [claim.epoch, claim.place, claim.pass_id, int(claim.direct)]
        reply = await self._call(line, "claim", arguments, durable=True)
        told = lines(reply[3])
        answers = [read_answer(claim, answer, reply[2]) for claim, answer in zip(claims, told, strict=True)]
        for claim, answer in zip(claims, answers, strict=True):
            match answer:
                case Admitted(grant, fresh=True):
                    line.witness.admitted(claim.epoch, int(reply[1]), grant)
                case Admitted(grant, fresh=False):
                    line.witness.lives(claim.epoch, int(reply[1]), grant)
        return answers

    async def renew(self, room: str, passes: Sequence[PassRef]) -> Sequence[PassGrant | None]:
        return await self._look(room, passes, keep_alive=True)

    async def serve(self, room: str, served: Sequence[Served]) -> Sequence[PassGrant | None]:
        line = self._line(room)
        arguments: list[Argument] = []
        for one in served:
            arguments += [one.ref.epoch, one.ref.place, one.ref.pass_id, int(one.works)]
        reply = await self._call(line, "serve", arguments)
        return self._seen(line, [one.ref for one in served], reply)

    async def look(self, room: str, passes: Sequence[PassRef]) -> Sequence[PassGrant | None]:
        return await self._look(room, passes, keep_alive=False)

    async def where(self, room: str, places: Sequence[tuple[int, int]]) -> Sequence[Whereabouts | None]:
        asked: list[Argument] = [each for place in places for each in place]
        _, clock_ms, *answers = await self._call(self._line(room), "where", asked)
        return [read_whereabouts(place, answer, clock_ms) for (_, place), answer in zip(places, answers, strict=True)]

    async def find_pass(self, room: str, pass_id: str) -> PassGrant | None:
        _, clock_ms, *found = await self._call(self._line(room), "find", [pass_id])
        return grant_of(pass_id, found[0], found[1:], clock_ms) if found else None

    def recall(self, room: str, ref: PassRef) -> PassGrant | None:
        return self._line(room).witness.inside.recall(ref)

    async def complete(self, room: str, passes: Sequence[PassRef], *, reason: str) -> Sequence[bool]:
        line = self._line(room)
        arguments: list[Argument] = [reason]
        for ref in passes:
            arguments += [ref.epoch, ref.place, ref.pass_id]
        reply = await self._call(line, "complete", arguments)
        for ref, answer in zip(passes, reply[2:], strict=True):
            if answer:
                line.witness.ended(ref.epoch, int(reply[1]), ref.place, ref.pass_id, reason)
            else:
                line.witness.gone(ref.epoch, int(reply[1]), ref.place, ref.pass_id)
        return [bool(answer) for answer in reply[2:]]

    async def leave(self, room: str, places: Sequence[tuple[int, int]]) -> Sequence[bool]:
        line = self._line(room)
        arguments = [number for place in places for number in place]
        reply = await self._call(line, "leave", arguments)
        for (epoch, place), answer in zip(places, reply[2:], strict=True):
            match answer:
                case 1:
                    line.witness.left(epoch, int(reply[1]), place)
                case 2:
                    line.witness.ended(epoch, int(reply[1]), place, None, "left")
        return [bool(answer) for answer in reply[2:]]

    async def count(self, room: str, deltas: Mapping[str, int]) -> None:
        arguments: list[Argument] = []
        for counter, number in deltas.items():
            arguments += [counter, number]
        await self._call(self._line(room), "count", arguments)

    async def observe(self, room: str, seen: Sightings, stock: Stock | None) -> tuple[Sightings, Stock | None]:
        line = self._line(room)
        reply = await self._call(line, "observe", observe_arguments(seen, stock), more_keys=[line.key("observed")])
        return read_observed(reply)

    async def update_settings(self, room: str, patch: Mapping[str, Any], *, expected_version: int | None) -> Snapshot:
        snapshot = await self.load(room)
        line = self._line(room)
        for _ in range(PATCH_TRIES):
            version = snapshot.limits.version
            if expected_version is not None and expected_version != version:
                raise VersionConflict(snapshot)
            # Also where nothing differs: who changes a room sees its version grow.
            reply = await self._set(line, snapshot.limits, patched(snapshot.limits, {**patch, "version": version}), "")
            snapshot = line.see(reply)
            if reply[0] == b"ok":
                return snapshot
        raise StoreUnavailable("the settings are changed faster than they can be read")

    async def reset(self, room: str, *, expected_version: int | None) -> Snapshot:
        line = self._line(room)
        version = "" if expected_version is None else expected_version
        reply = await self._call(line, "reset", [version, _ZEROS, new_secret()], durable=True)
        snapshot = line.see(reply)
        if reply[0] == b"conflict":
            raise VersionConflict(snapshot)
        return snapshot

    async def close(self) -> None:
        """A gateway that goes says so, or a new server would wait for what it has seen."""
        if self._closed:
            return
        self._closed = True
        with suppress(Exception):  # it only shortens somebody's wait
            async with asyncio.timeout(GOODBYE_S):
                for line in self._lines.values():
                    server = await self._link.server_of(line.keys[0])
                    await server.hdel(line.keys[10], self.gateway)
        await self._link.close()

    async def _look(self, room: str, passes: Sequence[PassRef], *, keep_alive: bool) -> list[PassGrant | None]:
        line = self._line(room)
        arguments: list[Argument] = [int(keep_alive)]
        for ref in passes:
            arguments += [ref.epoch, ref.place, ref.pass_id]
        return self._seen(line, passes, await self._call(line, "renew", arguments))

    @staticmethod
    def _seen(line: RoomLine, passes: Sequence[PassRef], reply: Sequence[Any]) -> list[PassGrant | None]:
        """What the store says of live passes, remembered."""
        grants = [read_grant(ref, answer, reply[2]) for ref, answer in zip(passes, lines(reply[3]), strict=True)]
        for ref, grant in zip(passes, grants, strict=True):
            if grant is None:
                line.witness.gone(ref.epoch, int(reply[1]), ref.place, ref.pass_id)
            else:
                line.witness.lives(ref.epoch, int(reply[1]), grant)
        return grants

    async def _learn_marks(self, line: RoomLine) -> None:
        """Know of every place used so far: whoever admitted them may be gone when the server has to be told."""
        line.learn_at_ms = self._clocks[1]() + LEARN_MS
        offset = 0
        while True:
            _, epoch, marks = await self._call(line, "marks", [offset, PART_BYTES])
            line.witness.learned(int(epoch), offset, marks)
            offset += PART_BYTES
            if len(marks) < PART_BYTES:
                return

    async def _learn_inside(self, line: RoomLine) -> None:
        """Know who is inside, as before we were started anew."""
        first = 0
        while True:
            _, epoch, tick, *found = await self._call(line, "inside", [first, first + PART - 1])
            for place, pass_id, *told in zip(*(found[i::7] for i in range(7)), strict=True):
                line.witness.lives(int(epoch), int(tick), line.grant(place, pass_id, *told))
            first += PART
            if len(found) < 7 * PART:
                return

    async def _open(self, line: RoomLine, arguments: Sequence[Argument]) -> list[Any]:
        """A gateway that starts while others are still telling the server waits for them."""
        tries = 1 + 2 * self._mend_patience_ms // MEND_PAUSE_MS
        for _ in range(tries):
            with suppress(StillMending):
                return await self._call(line, "open", arguments, durable=True, opening=True)
            await asyncio.sleep(MEND_PAUSE_MS / 1000)
        return await self._call(line, "open", arguments, durable=True, opening=True)

    async def _set(self, line: RoomLine, before: Limits, limits: Limits, file_limits: str) -> list[Any]:
        """Settings in place of `before`, as the next version; a file that changes nothing leaves version and text."""
        text = ""
        if not file_limits or limits != before:
            text = encode_limits(replace(limits, version=before.version + 1))
        arguments: list[Argument] = [before.version, text, file_limits, *_extracts(limits)]
        return await self._call(line, "settings", arguments, durable=True)

    def _line(self, room: str) -> RoomLine:
        if room not in self._lines:
            self._lines[room] = RoomLine(room, self._prefix, *self._clocks, self._clock())
        return self._lines[room]

    async def _call(
        self,
        line: RoomLine,
        name: str,
        arguments: Sequence[Argument],
        *,
        more_keys: Sequence[str] = (),
        durable: bool = False,
        opening: bool = False,
    ) -> list[Any]:
        """One call of a script; where the server has to be told first what it forgot, that is done before."""
        if self._closed:
            raise StoreUnavailable("the store was closed")
        for _ in range(2):
            home, moves = line.home, line.moves
            reply = await self._link.call(name, [*line.keys, *more_keys], [home, *arguments], durable=durable)
            match reply[0]:
                case b"unknown" if not line.witness.epoch:
                    raise UnknownRoom(f"room {line.room!r} was never opened in this store")
                case b"fenced" | b"unknown":
                    await line.mend(self._link, self.gateway, home, self._mend_patience_ms)
                case _ if line.moves != moves:
                    # What it told may be told again, or otherwise, where the line is now.
                    raise StoreUnavailable("answered by a server that is not the line's home any more")
                case _:
                    if opening:
                        check_type_and_schema(line.room, reply, SCHEMA)
                    return reply
        raise StoreUnavailable("the store has lost its server again")


def _extracts(limits: Limits) -> list[int]:
    """What the scripts need of the settings, beside their text."""
    return [limits.session_length_ms, limits.idle_limit_ms]


if TYPE_CHECKING:
    _conforms: type[QueueStore] = RedisStore
