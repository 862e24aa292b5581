"""A store on each of the databases, made as the program makes it; the same tests for both."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from booking.store import database_at
from booking.store.tests.desk import Desk
from booking.tests.postgresql import Server

BACKENDS = ("sqlite", "postgresql")
TEMPLATE = "ready"

_SERVER: pytest.StashKey[Server] = pytest.StashKey()


def server_of(config: pytest.Config) -> Server:
    """One server for all tests of this process, started for the first that wants it."""
    server = config.stash.get(_SERVER, None)
    if server is None:
        server = config.stash[_SERVER] = Server().__enter__()
        config.add_cleanup(server.__exit__)
    return server


@pytest.fixture(scope="session")
def server(request) -> Server:
    return server_of(request.config)


@pytest.fixture
def postgres_url(server) -> Iterator[str]:
    """An empty database on the shared server."""
    url = server.database()
    yield url
    _drop(server, url)


def _drop(server: Server, url: str) -> None:
    name = url.partition("@/")[2].partition("?")[0]
    server.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/var/booking.db"


@pytest.fixture(params=BACKENDS)
def url(request) -> str:
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "ready_url")
    return url


@pytest.fixture
async def ready_url(server) -> AsyncIterator[str]:
    """A database on the shared server that has the tables: copied, which is faster than making them."""
    if not server.sql(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'"):
        server.sql(f"CREATE DATABASE {TEMPLATE}")
        made = database_at(server.url(TEMPLATE))
        await made.open()
        await made.close()
    url = server.database(template=TEMPLATE)
    yield url
    _drop(server, url)


@pytest.fixture
async def open_desk(url) -> AsyncIterator[Callable[..., Awaitable[Desk]]]:
    """Opens desks at one database, each as a process of its own would."""
    opened: list[Desk] = []

    async def open_(**terms: Any) -> Desk:
        desk = Desk(database_at(url), **terms)
        opened.append(desk)
        await desk.open()
        return desk

    yield open_
    for desk in opened:
        assert await desk.store.check() == []
        await desk.close()


@pytest.fixture
async def desk(open_desk) -> Desk:
    """Two seats at each time."""
    opened: Desk = await open_desk()
    return opened
