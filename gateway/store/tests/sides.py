"""The stores that `line_machine` drives side by side, and what may befall each of them between two questions.

Whatever befalls a server, its store must answer as the SQLite file does that nothing befell, with one difference that
is stated: where a room has come to another server (or one that was started again), admission begins anew there,
without saved-up credit. `change_server` does the same to the file.
"""

import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from unittest.mock import patch

import pytest
from redis.exceptions import ConnectionError as LostConnection

from gateway.store.base import QueueStore, StoreUnavailable
from gateway.store.redis import RedisStore
from gateway.store.redis_nodes import Access
from gateway.store.redis_url import parse_redis_url
from gateway.store.scripts import script
from gateway.store.sqlite import SqliteStore
from gateway.store.tests.plans import idle_plan
from gateway.tests.redis.clusters import Cluster
from gateway.tests.redis.fixtures import fresh_name
from gateway.tests.redis.servers import RedisServer

ROOM: Final = "hall"
# Within it both gateways of a test tell a new server what they have seen.
PATIENCE_MS: Final = 60_000
TRIES: Final = 1_000
# What survives a power cut is not asked here, so nothing is waited for.
MEMORY: Final = Path("/dev/shm")


@dataclass
class Clocks:
    """Of the machine that the stores run on. They do what they like; the time of a real server goes on beside them."""

    wall_ms: int
    mono_ms: int = 0

    def pass_time(self, elapsed_ms: int, jump_ms: int) -> None:
        self.mono_ms += elapsed_ms
        self.wall_ms += elapsed_ms + jump_ms


class Side(Protocol):
    def open(self) -> QueueStore:
        """One more process on the same state."""
        ...

    async def opened(self, store: QueueStore) -> None:
        """Its room was opened."""
        ...

    async def unheard(self, store: QueueStore, question: Callable[[QueueStore], Awaitable[Any]]) -> None:
        """Have it carried out, and the answer lost."""
        ...

    async def cut(self, stores: Sequence[QueueStore]) -> None: ...

    async def forget_scripts(self, stores: Sequence[QueueStore]) -> None: ...

    async def change_server(self, stores: Sequence[QueueStore]) -> None:
        """Kill it and start it again; in a cluster, move the room to another."""
        ...

    def close(self) -> None: ...


class SqliteSide:
    def __init__(self, clocks: Clocks) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self._clocks = clocks

    def open(self) -> QueueStore:
        return SqliteStore(
            Path(self._folder.name) / "queue.db",
            first_epoch=1,
            wall_ms=lambda: self._clocks.wall_ms,
            mono_ms=lambda: self._clocks.mono_ms,
            boot_id="boot",
        )

    async def opened(self, store: QueueStore) -> None:
        pass

    async def unheard(self, store: QueueStore, question: Callable[[QueueStore], Awaitable[Any]]) -> None:
        await question(store)

    async def cut(self, stores: Sequence[QueueStore]) -> None:
        pass

    async def forget_scripts(self, stores: Sequence[QueueStore]) -> None:
        pass

    async def change_server(self, stores: Sequence[QueueStore]) -> None:
        before = await stores[0].load(ROOM)
        plan = idle_plan(before, admitting=False, credit_cap=0, call_credit=0)
        assert (await stores[0].commit(ROOM, plan, before.tick))[0]
        await stores[0].count(ROOM, {"store_repairs": 1})

    def close(self) -> None:
        self._folder.cleanup()


class RedisSide:
    """On a server, or a cluster, that nobody else uses meanwhile; on keys of its own."""

    def __init__(self, clocks: Clocks, servers: RedisServer | Cluster) -> None:
        self._servers = servers
        self._url = parse_redis_url(f"{servers.url}?prefix={fresh_name()}")
        self._clocks = clocks

    def open(self) -> QueueStore:
        return RedisStore(
            self._url,
            Access(timeout_s=10),
            first_epoch=1,
            # A young server is not to be waited for: nobody has been here before.
            mend_patience_ms=0,
            wall_ms=lambda: self._clocks.wall_ms,
            mono_ms=lambda: self._clocks.mono_ms,
        )

    async def opened(self, store: QueueStore) -> None:
        assert isinstance(store, RedisStore)
        # From now on, whoever finds another server waits for the other to testify.
        store._mend_patience_ms = PATIENCE_MS

    async def unheard(self, store: QueueStore, question: Callable[[QueueStore], Awaitable[Any]]) -> None:
        assert isinstance(store, RedisStore)
        link, load = store._link, script("load")
        once = link._once

        async def deaf(client: Any, command: Sequence[Any], **options: Any) -> Any:
            reply = await once(client, command, **options)
            if command[1] in {load.sha, load.source}:
                # A look before the question itself, which is to be carried out.
                return reply
            raise LostConnection("the answer was lost")

        with patch.object(link, "_once", deaf), pytest.raises(StoreUnavailable):
            await question(store)

    async def cut(self, stores: Sequence[QueueStore]) -> None:
        for server in self._each():
            server.cut_connections()
        await self._settle(stores)

    async def forget_scripts(self, stores: Sequence[QueueStore]) -> None:
        for server in self._each():
            server.call("SCRIPT", "FLUSH")
        await self._settle(stores)

    async def change_server(self, stores: Sequence[QueueStore]) -> None:
        if isinstance(self._servers, Cluster):
            key = f"{{{ROOM}}}"
            self._servers.end_migration(key, *self._servers.begin_migration(key))
        else:
            self._servers.kill()
            self._servers.restart()
        await self._settle(stores)

    def close(self) -> None:
        pass

    def _each(self) -> Sequence[RedisServer]:
        return self._servers.nodes if isinstance(self._servers, Cluster) else [self._servers]

    async def _settle(self, stores: Sequence[QueueStore]) -> None:
        """What is lost with a connection, or has to wait for the other's testimony, is asked again."""
        for _ in range(TRIES):
            answered = 0
            for store in stores:
                try:
                    await store.load(ROOM)
                except StoreUnavailable:
                    # The breaker counts real time.
                    time.sleep(0.01)  # noqa: ASYNC251
                else:
                    answered += 1
            if answered == len(stores):
                return
        raise AssertionError("the store does not answer any more")
