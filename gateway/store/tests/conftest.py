"""Stores for tests. A backend that is to keep the contract joins `BACKENDS`, and needs no other change here."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.store.base import QueueStore
from gateway.store.sqlite import SqliteStore

# Opens one more store on the state of this test: another process, or the same one started again.
StoreFactory = Callable[[], QueueStore]


def sqlite_factory(folder: Path) -> StoreFactory:
    return lambda: SqliteStore(folder / "queue.db", first_epoch=1)


BACKENDS: dict[str, Callable[[Path], StoreFactory]] = {"sqlite": sqlite_factory}


@pytest.fixture(params=sorted(BACKENDS))
async def store_factory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreFactory]:
    make = BACKENDS[request.param](tmp_path)
    opened: list[QueueStore] = []

    def open_one() -> QueueStore:
        opened.append(make())
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
def store(store_factory: StoreFactory) -> QueueStore:
    return store_factory()


@pytest.fixture
async def closing() -> AsyncIterator[Callable[[SqliteStore], SqliteStore]]:
    """Closes what it is given, at the end."""
    async with contextlib.AsyncExitStack() as stack:

        def keep(store: SqliteStore) -> SqliteStore:
            stack.push_async_callback(store.close)
            return store

        yield keep
