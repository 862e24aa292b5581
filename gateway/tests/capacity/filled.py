"""A room in a real server with as many people as wanted, brought there through the store itself."""

import random
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from gateway.room.model import Limits, Snapshot, TickPlan
from gateway.room.policy import plan_tick
from gateway.store.base import Admitted, Claim, PassRef, Served
from gateway.store.batching import MAX_BATCH
from gateway.store.redis import RedisStore
from gateway.store.redis_nodes import Access
from gateway.store.redis_url import parse_redis_url
from gateway.tests.redis.process import wait_for
from gateway.tests.redis.servers import RedisServer

ROOM: Final = "hall"
EPOCH: Final = 1
# Joining by the thousand is quicker than as a gateway does it, and comes to the same.
JOIN_BATCH: Final = 10_000
PLENTY: Final = 10**13
LIMITS: Final = Limits(total_active_users=10**6, new_users_per_minute=10**6)
KNOCK_MS: Final = 120_000
# As a claim window of five minutes holds, at one every quarter of a second.
CALLS: Final = 1_200
CALL_EVERY_MS: Final = 250


@asynccontextmanager
async def opened(server: RedisServer, *, options: str = "", timeout_s: float = 30.0) -> AsyncIterator[RedisStore]:
    """A store whose one room is open. options: more of the URL's query."""
    store = RedisStore(
        parse_redis_url(f"{server.url}?{options}".rstrip("?")),
        Access(timeout_s),
        first_epoch=EPOCH,
        mend_patience_ms=0,
    )
    try:
        await store.open_room(ROOM, LIMITS)
        yield store
    finally:
        await store.close()


async def join(store: RedisStore, people: int) -> None:
    """So many more have a number."""
    for size in _parts(people, JOIN_BATCH):
        await store.join(ROOM, [None] * size, expires_ms=0)


async def knock(store: RedisStore, people: int) -> None:
    """So many more have a number, each by a knock that is remembered for two minutes."""
    now_ms = (await store.load(ROOM)).now_ms
    for size in _parts(people, MAX_BATCH):
        await store.join(ROOM, [random.getrandbits(63) for _ in range(size)], expires_ms=now_ms + KNOCK_MS)


async def plan(store: RedisStore, **changes: Any) -> Snapshot:
    """One tick as the policy would have it, but for what is given; the room after it."""
    room = await store.load(ROOM)
    planned: TickPlan = replace(plan_tick(room, room.now_ms), admitting=True, **changes)
    done, room = await store.commit(ROOM, planned, room.tick)
    assert done, "somebody else ticked"
    return room


async def call(store: RedisStore, upto: int) -> None:
    """Everyone up to that place is called, and there is credit for all of them."""
    room = await plan(store, serve_to=upto, credit_add=PLENTY, credit_cap=PLENTY)
    assert room.serving == upto


async def fill_window(store: RedisStore) -> None:
    """As many calls as a claim window holds, of ten people each."""
    room = await store.load(ROOM)
    for number in range(1, CALLS + 1):
        clock_ms, serve_to = room.call_clock_ms + number * CALL_EVERY_MS, room.serving + number * 10
        changes = {"credit_add": PLENTY, "credit_cap": PLENTY, "watermark": 0}
        await plan(store, serve_to=serve_to, call_clock_ms=clock_ms, **changes)


async def enter(store: RedisStore, first: int, people: int) -> None:
    """So many places from `first` on, called before, claim their passes, and the backend answers them."""
    place = first
    for size in _parts(people, MAX_BATCH):
        claims = [Claim(EPOCH, each, secrets.token_urlsafe(12)) for each in range(place, place + size)]
        answers = await store.claim(ROOM, claims)
        assert all(isinstance(answer, Admitted) for answer in answers)
        served = [Served(PassRef(EPOCH, claim.place, claim.pass_id), works=True) for claim in claims]
        assert None not in await store.serve(ROOM, served)
        place += size


def used_memory(server: RedisServer) -> int:
    """Bytes, with no client connected but the one that asks."""
    wait_for(lambda: int(server.info("clients")["connected_clients"]) == 1, "all others are gone")
    return int(server.info("memory")["used_memory"])


def _parts(whole: int, size: int) -> Iterator[int]:
    for begun in range(0, whole, size):
        yield min(size, whole - begun)
