"""The longest that each script holds its server up, in a room as full as they come. Nobody else is served meanwhile."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.store.base import PassRef, StoreUnavailable
from gateway.store.batching import MAX_BATCH
from gateway.store.scripts import script
from gateway.tests.capacity.filled import (
    CALLS,
    EPOCH,
    LIMITS,
    ROOM,
    call,
    enter,
    fill_window,
    join,
    knock,
    opened,
    plan,
)
from gateway.tests.redis.process import Kind
from gateway.tests.redis.servers import RedisServer

_FOLDER: Final = Path(__file__).parents[2] / "store" / "lua"
_NAMES: Final = {script(path.stem).sha: path.stem for path in _FOLDER.glob("*.lua") if path.stem != "room"}
_LOG_ALL: Final = {"slowlog-log-slower-than": 0, "slowlog-max-len": 100_000}

# Milliseconds by script.
Times = Mapping[str, float]


def know_scripts(server: RedisServer) -> None:
    """So that every call is one by name: a first call carries the script, and counts as something else."""
    for sha, name in _NAMES.items():
        assert server.call("SCRIPT", "LOAD", script(name).source) == sha


def worst(server: RedisServer) -> Times:
    """Since the last time this was asked."""
    found: dict[str, float] = {}
    with server.client() as client:
        for entry in client.slowlog_get(100_000):
            words = entry["command"].decode(errors="replace").split(maxsplit=2)
            if words[0] == "EVALSHA" and words[1] in _NAMES:
                name = _NAMES[words[1]]
                found[name] = max(found.get(name, 0), entry["duration"] / 1000)
        client.slowlog_reset()
    return dict(sorted(found.items()))


async def full_room(kind: Kind, *, waiting: int, passes: int, expiring: int) -> Times:
    """Every script in a room with so many, whose calls fill the window, while so many passes run out at once."""
    with RedisServer(kind, directives=_LOG_ALL) as server:
        know_scripts(server)
        async with opened(server) as store:
            await join(store, waiting + passes)
            await call(store, passes)
            await enter(store, 1, passes)
            await fill_window(store)
            worst(server)
            first = passes + 1
            await enter(store, first, MAX_BATCH)
            refs = [PassRef(EPOCH, first + each, "not this one") for each in range(MAX_BATCH)]
            await store.renew(ROOM, refs)
            await store.look(ROOM, refs)
            await store.complete(ROOM, refs, reason="completed")
            await store.leave(ROOM, [(EPOCH, first + MAX_BATCH + each) for each in range(MAX_BATCH)])
            await store.leave(ROOM, [(EPOCH, waiting + passes)])
            await knock(store, 4 * MAX_BATCH)
            await store.count(ROOM, {"completed": 1})
            await store.update_settings(ROOM, {"new_users_per_minute": 60}, expected_version=None)
            room = await store.load(ROOM)
            assert len(room.calls) >= CALLS
            gone = await plan(store, pass_clock_ms=room.pass_clock_ms + LIMITS.idle_limit_ms, watermark=0)
            assert room.live - gone.live == expiring
            await store.open_room(ROOM, LIMITS)
            await store.reset(ROOM, expected_version=None)
            return worst(server)


async def lost_server(kind: Kind, *, waiting: int, passes: int) -> tuple[Times, float]:
    """A server that lost everything is told of so many by a gateway that remembers: the scripts; seconds in all."""
    with RedisServer(kind, directives=_LOG_ALL) as server:
        know_scripts(server)
        async with opened(server) as store:
            await join(store, waiting + passes)
            await call(store, passes)
            await enter(store, 1, passes)
            await store.load(ROOM)
            await asyncio.to_thread(server.restart)
            know_scripts(server)
            loop = asyncio.get_running_loop()
            begun_s = loop.time()
            while True:
                try:
                    room = await store.load(ROOM)
                    break
                except StoreUnavailable:  # the connection of before
                    await asyncio.sleep(0.05)
            took_s = loop.time() - begun_s
            assert (room.live, room.serving) == (passes, passes)
            return worst(server), took_s
