"""The stores of several gateways before one room, in virtual time: nothing waits, and the clock is ours.

SQLite's store takes its clocks from whoever opens it. A server of Redis has its own, which nobody turns back; so the
evening is played at that server's date, and each gateway's view of its clock is replaced by the evening's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from gateway.room.model import Limits, Snapshot
from gateway.room.policy import plan_tick
from gateway.store.base import QueueStore
from gateway.store.held_clock import Reading
from gateway.store.redis import RedisStore
from gateway.store.redis_nodes import Access
from gateway.store.redis_url import parse_redis_url
from gateway.store.sqlite import SqliteStore

ROOM: Final = "july19"
_PATIENCE_S: Final = 60.0
_EPOCH: Final = 1
LEAD_MS: Final = 60_000


class Stage:
    """origin_ms: the stores' clock at moment 0 of the evening."""

    def __init__(self, origin_ms: int) -> None:
        self.origin_ms = origin_ms
        self.at_ms = 0
        self.stores: Sequence[QueueStore] = ()
        self._asked = 0

    @property
    def now_ms(self) -> int:
        return self.origin_ms + self.at_ms

    def turn(self) -> QueueStore:
        """The store of the gateway whose turn it is: visitors come to any of them."""
        self._asked += 1
        return self.stores[self._asked % len(self.stores)]

    async def tick(self, *, all_at_once: bool) -> tuple[Snapshot, Snapshot, int]:
        """One gateway ticks, or all plan for the same room and try: before, after, and how many plans counted."""
        ticking = self.stores if all_at_once else (self.turn(),)
        seen = [await store.load(ROOM) for store in ticking]
        won, after = 0, seen[0]
        for store, room in zip(ticking, seen, strict=True):
            done, told = await store.commit(ROOM, plan_tick(room, room.now_ms), room.tick)
            if done:
                won, after = won + 1, told
        return seen[0], after, won


class VirtualClock:
    """In the place of `HeldClock`: the line's time is the evening's, whatever the server's clock says."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def read(self, *, raw_ms: int, shift_ms: int, last_tick_ms: int, mono_ms: int, wall_ms: int) -> Reading:  # noqa: ARG002
        return Reading(max(self._stage.now_ms, last_tick_ms), 0)


@asynccontextmanager
async def on_sqlite(path: Path, limits: Callable[[int], Limits], origin_ms: int, gateways: int) -> AsyncIterator[Stage]:
    """limits: the room's, for an origin."""
    stage = Stage(origin_ms)
    stage.stores = [
        SqliteStore(
            path,
            wall_ms=lambda: stage.now_ms,
            mono_ms=lambda: stage.at_ms,
            boot_id="evening",
            patience_ms=int(_PATIENCE_S * 1000),
            first_epoch=_EPOCH,
        )
        for _ in range(gateways)
    ]
    async with _opened(stage, limits(origin_ms)):
        yield stage


@asynccontextmanager
async def on_redis(url: str, limits: Callable[[int], Limits], now_ms: int, gateways: int) -> AsyncIterator[Stage]:
    """url: of a server that nobody else uses. now_ms: what its clock says."""
    stage = Stage(now_ms + LEAD_MS)
    stage.stores = [
        RedisStore(
            parse_redis_url(url),
            Access(_PATIENCE_S),
            wall_ms=lambda: stage.now_ms,
            mono_ms=lambda: stage.at_ms,
            first_epoch=_EPOCH,
            mend_patience_ms=0,
            clock=lambda: VirtualClock(stage),
        )
        for _ in range(gateways)
    ]
    async with _opened(stage, limits(stage.origin_ms)):
        yield stage


@asynccontextmanager
async def _opened(stage: Stage, limits: Limits) -> AsyncIterator[None]:
    try:
        # Some time before: then the first tick counts as late, and all stores begin with the same clocks.
        stage.at_ms = -LEAD_MS
        for store in stage.stores:
            await store.open_room(ROOM, limits)
        stage.at_ms = 0
        yield
    finally:
        await asyncio.gather(*(store.close() for store in stage.stores), return_exceptions=True)
