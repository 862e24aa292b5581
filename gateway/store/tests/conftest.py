"""Stores for tests. A backend that is to keep the contract joins `BACKENDS`, and needs no other change here."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.store.base import QueueStore
from gateway.store.redis import RedisStore
from gateway.store.redis_nodes import Access
from gateway.store.redis_url import parse_redis_url
from gateway.store.sqlite import SqliteStore
from gateway.tests.redis.fixtures import fresh_name, redis_cluster, redis_server, valkey_server

__all__ = ["redis_cluster", "redis_server", "valkey_server"]

# Opens one more store on the state of this test: another process, or the same one started again.
StoreFactory = Callable[[], QueueStore]


def sqlite_factory(folder: Path) -> StoreFactory:
    return lambda: SqliteStore(folder / "queue.db", first_epoch=1)


def redis_factory(url: str) -> StoreFactory:
    """On keys that no other test has. Only this process uses them: nobody else is to be waited for."""
    prefix = fresh_name()
    there = parse_redis_url(f"{url}?prefix={prefix}")
    return lambda: RedisStore(there, Access(timeout_s=10), first_epoch=1, mend_patience_ms=0)


# Name of the backend -> the fixture that has its server.
BACKENDS: dict[str, str | None] = {
    "cluster": "redis_cluster",
    "redis": "redis_server",
    "sqlite": None,
    "valkey": "valkey_server",
}


def factory_of(backend: str, request: pytest.FixtureRequest, folder: Path) -> StoreFactory:
    fixture = BACKENDS[backend]
    return sqlite_factory(folder) if fixture is None else redis_factory(request.getfixturevalue(fixture).url)


@pytest.fixture(params=sorted(BACKENDS))
async def store_factory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreFactory]:
    make = factory_of(request.param, request, tmp_path)
    opened: list[QueueStore] = []

    def open_one() -> QueueStore:
        opened.append(make())
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture(params=sorted(BACKENDS))
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store for several processes, as settings name it; on keys that no other test has."""
    fixture = BACKENDS[request.param]
    if fixture is None:
        return f"sqlite:///{tmp_path / 'queue.db'}"
    return f"{request.getfixturevalue(fixture).url}?prefix={fresh_name()}"


@pytest.fixture
def store(store_factory: StoreFactory) -> QueueStore:
    return store_factory()


class RedisStores:
    """Opens stores on servers of a test's own choice, all on the same keys, and closes them at the end."""

    def __init__(self) -> None:
        self.prefix = fresh_name()
        self.opened: list[RedisStore] = []

    def __call__(self, url: str, *, options: str = "", patience_ms: int = 0, **access: Any) -> RedisStore:
        """options: more of the URL. access: as of `Access`; an answer may take 10 s."""
        there = parse_redis_url(f"{url}?prefix={self.prefix}{options}")
        found = Access(**{"timeout_s": 10, **access})
        self.opened.append(RedisStore(there, found, first_epoch=1, mend_patience_ms=patience_ms))
        return self.opened[-1]

    def key(self, name: str, room: str = "hall") -> str:
        return f"{self.prefix}:{{{room}}}:{name}"


@pytest.fixture
async def stores() -> AsyncIterator[RedisStores]:
    stores = RedisStores()
    yield stores
    for store in stores.opened:
        await store.close()


@pytest.fixture
async def closing() -> AsyncIterator[Callable[[SqliteStore], SqliteStore]]:
    """Closes what it is given, at the end."""
    async with contextlib.AsyncExitStack() as stack:

        def keep(store: SqliteStore) -> SqliteStore:
            stack.push_async_callback(store.close)
            return store

        yield keep
