"""One room in Redis as this process knows it: its keys, its clock, what was seen of it, and where it is whole.

`home` is the run id of that server. A script refuses to work where the server, the line and the caller do not agree on
it; then `mend` tells the server what it may have forgotten.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

import orjson

from gateway.room.model import AGE_BINS, WAVE_MARK, PassGrant, Snapshot
from gateway.store.base import StoreUnavailable, UnknownRoom
from gateway.store.held_clock import LineClock
from gateway.store.limits_text import encode_limits
from gateway.store.lots import new_secret
from gateway.store.redis_link import Link
from gateway.store.redis_reply import LETTERS, grant_of, read_snapshot, shift_and_home
from gateway.store.witness import Ended, Left, Part, Used, Witness
from shared.clock import Clock

_LOG: Final = logging.getLogger(__name__)

# Grows with every change that older programs would misread.
SCHEMA: Final = 1

# In the order of KEYS in room.lua. The room's name in braces: in a cluster its keys lie together, rooms apart. Those of
# its waves lie with them, so that a server that is lost is lost to both.
_KEYS: Final = (
    "line",
    "counters",
    "marks",
    "passes",
    "grants",
    "calls",
    "awaited",
    "waiting",
    "kept",
    "late",
    "gateways",
)
_JUMP_TOLD_MS: Final = 1_000
_ZEROS: Final = orjson.dumps([0] * AGE_BINS).decode()


class StillMending(StoreUnavailable):
    """Other gateways have yet to testify, or the time for it to pass."""


class RoomLine:
    def __init__(self, room: str, prefix: str, wall_ms: Clock, mono_ms: Clock, clock: LineClock) -> None:
        self.room = room
        name, mark, wave = room.partition(WAVE_MARK)
        self._stem = f"{prefix}:{{{name}}}{mark}{wave}:"
        self.keys = tuple(self.key(name) for name in _KEYS)
        self.home = ""
        self.shift_ms = 0
        self.witness = Witness()
        self.file_limits = ""
        self.learn_at_ms = 0
        self._clock = clock
        self._wall_ms = wall_ms
        self._mono_ms = mono_ms
        self._mending = asyncio.Lock()
        # How often the line has moved to another server, as this process knows; and ever, as the line says.
        self.moves = 0
        self.homes = 0

    def key(self, name: str) -> str:
        return self._stem + name

    def see(self, reply: Sequence[Any]) -> Snapshot:
        """The snapshot of a reply, on the line's clock; remembered."""
        try:
            return self._see(reply)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise StoreUnavailable(f"the keys of room {self.room!r} contradict one another ({error!r})") from error

    def _see(self, reply: Sequence[Any]) -> Snapshot:
        shift_ms, self.home, homes = shift_and_home(reply)
        # A later epoch may be another line's, which was begun where this one was lost.
        self.homes = max(self.homes, homes) if int(reply[2][1]) == self.witness.epoch else homes
        reading = self._clock.read(
            raw_ms=reply[1],
            shift_ms=shift_ms,
            last_tick_ms=int(reply[2][3]),
            mono_ms=self._mono_ms(),
            wall_ms=self._wall_ms(),
        )
        if abs(reading.jump_ms) >= _JUMP_TOLD_MS and abs(reading.shift_ms - self.shift_ms) >= _JUMP_TOLD_MS:
            told = {"room": self.room, "jump_ms": reading.jump_ms, "shift_ms": reading.shift_ms}
            _LOG.warning("the store's clock jumped; the line goes on by its own", extra=told)
        self.shift_ms = reading.shift_ms
        snapshot = read_snapshot(self.room, reply, reading.now_ms)
        self.witness.look(snapshot)
        return snapshot

    def grant(self, place: int, pass_id: bytes, *told: Any) -> PassGrant:
        """A live pass, as of the newest snapshot. told: as of `grant_of`."""
        clock_ms = self.witness.snapshot.pass_clock_ms if self.witness.snapshot is not None else 0
        return grant_of(pass_id.decode(), place, told, clock_ms)

    async def mend(self, link: Link, gateway: str, found_at: str, patience_ms: int) -> None:
        """Testify to a server that is not (or not for us) the line's home, and learn whether it is by now.

        found_at: the home with which the call was refused. Raises `StillMending`, `StoreUnavailable`.
        """
        async with self._mending:
            if self.home != found_at:
                return  # somebody did it while we waited
            counters = self._counters()
            begun = await self._tell(link, gateway, patience_ms, "begin", counters, Part())
            if begun[0] == b"outdated":
                raise StoreUnavailable(f"{link.reach}: has lost the line to another server, and does not know it yet")
            if begun[0] != b"told":
                for part in self.witness.testimony(begun[1]):
                    await self._tell(link, gateway, patience_ms, "part", counters, part)
            reply = await self._tell(link, gateway, patience_ms, "last", counters, Part())
            if reply[0] != b"whole":
                raise StillMending(f"{link.reach}: has just begun, and is being told what it may have forgotten")
            self.home = reply[1].decode()
            self.homes = max(self.homes, reply[2])
            self.moves += 1
            self.witness.told()
            if self.witness.epoch:
                _LOG.warning(
                    "told the store's server what it may have forgotten", extra={"room": self.room, "homes": self.homes}
                )

    def _counters(self) -> dict[str, Any]:
        counters = self.witness.counters() | {
            "homes": self.homes,
            "zeros": _ZEROS,
            "fresh_secret": new_secret(),
        }
        seen = self.witness.snapshot
        if seen is not None:
            limits = seen.limits
            counters |= {
                "limits": encode_limits(limits),
                "file_limits": self.file_limits or encode_limits(limits),
                "version": limits.version,
                "session_length_ms": limits.session_length_ms,
                "idle_limit_ms": limits.idle_limit_ms,
                "draw_secret": seen.draw_secret,
                "draw_size": "" if seen.draw_size is None else seen.draw_size,
                "blocks": {wave: [block.base, block.size, block.secret] for wave, block in seen.blocks.items()},
                "shift_ms": self.shift_ms,
                "schema": SCHEMA,
                "curve": _ZEROS,
            }
        return counters

    async def _tell(
        self, link: Link, gateway: str, patience_ms: int, step: str, counters: dict[str, Any], part: Part
    ) -> list[Any]:
        used: list[list[str | int]] = []
        ended: list[list[str | int | None]] = []
        left: list[int] = []
        for event in part.events:
            match event:
                case Used(_, grant):
                    trial = (0, 0) if grant.trial is None else (grant.trial.until_ms, int(grant.trial.failed))
                    how = LETTERS[grant.how]
                    used.append([grant.place, grant.pass_id, how, grant.expires_ms, grant.ends_ms, *trial])
                case Ended(_, place, pass_id, counter):
                    ended.append([place, pass_id, counter])
                case Left(_, place):
                    left.append(place)
        reply = await link.call(
            "mend",
            [*self.keys, self.key("scratch"), self.key("ended"), self.key(f"told:{gateway}"), self.key("told")],
            [gateway, patience_ms, step, *map(orjson.dumps, (counters, used, ended, left)), part.offset, part.marks],
            durable=step == "last",
        )
        if reply[0] == b"unknown":
            raise UnknownRoom(f"room {self.room!r} was never opened in this store")
        return reply
