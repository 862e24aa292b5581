"""SQLite: one connection that writes, a few that read.

SQLite has one writer at a time. Within this process writers queue at a lock, in order of arrival; against other
processes there is the busy timeout. So a crowd is served one after another and never meets "database is locked".
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from booking.errors import StoreUnavailable
from booking.store import database, migrate
from booking.store.database import Database

# How long another process may keep the database to itself before a request is told to come back.
BUSY_TIMEOUT_MS: Final = 5_000
READERS: Final = 4

# A code shown to a person must survive a power cut, hence FULL; that still allows thousands of writes a second.
# What is deleted of a person is overwritten.
_PRAGMAS: Final = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
)

_log = logging.getLogger("booking")

# At the level of debugging it tells every statement with its values.
logging.getLogger("aiosqlite").setLevel(logging.INFO)


class SqliteDatabase(Database):
    """A file."""

    def __init__(self, url: str, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._turn = asyncio.Lock()
        self._inode: int | None = None
        self._writer = _engine(url, 1, (*_PRAGMAS, "PRAGMA journal_mode = WAL"))
        self._readers = _engine(url, READERS, (*_PRAGMAS, "PRAGMA query_only = ON"))
        event.listen(self._writer.sync_engine, "begin", _begin_immediate)

    async def open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Ours alone to read; SQLite gives its other files the same mode.
            self._path.touch(mode=0o600)
        except OSError as error:
            raise StoreUnavailable(f"{self._path.parent}: {error.strerror}") from None
        await self.write(lambda connection: connection.run_sync(migrate.upgrade, self.shown))

    def _look(self) -> None:
        """Raises `StoreUnavailable` if the file is no longer the one we opened: nobody would read what we write."""
        try:
            found = self._path.stat().st_ino
        except OSError as error:
            raise StoreUnavailable(f"{self.shown}: {error.strerror}") from None
        if self._inode is None:
            self._inode = found
        elif found != self._inode:
            raise StoreUnavailable(f"{self.shown}: was replaced; start this program again")

    async def open_as_is(self) -> None:
        # SQLite would make an empty file, and an empty file has nothing wrong with it.
        if not self._path.exists():
            raise StoreUnavailable(f"{self.shown}: there is no such file")
        await super().open_as_is()

    async def close(self) -> None:
        await self._readers.dispose()
        await self._writer.dispose()

    async def forget(self) -> None:
        # Until then old pages stay in the write-ahead log.
        async with self._one_error(), self._turn, self._writer.connect() as connection:
            raw: Any = await connection.get_raw_connection()
            cursor = await raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy, *_ = await cursor.fetchone()
            await cursor.close()
        if busy:
            _log.warning("somebody reads the write-ahead log: what was deleted stays in it until the next one is begun")

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[AsyncConnection]:
        async with asyncio.timeout(database.QUEUE_TIMEOUT_S):
            await self._turn.acquire()
        try:
            self._look()
            async with self._writer.begin() as connection:
                yield connection
        finally:
            self._turn.release()

    def _connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._readers.connect()


def _engine(url: str, connections: int, pragmas: tuple[str, ...]) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_size=connections, max_overflow=0, pool_timeout=database.QUEUE_TIMEOUT_S, hide_parameters=True
    )

    def prepare(connection: Any, _record: object) -> None:
        # None: the driver begins no transaction of its own; `_begin_immediate` does.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    event.listen(engine.sync_engine, "connect", prepare)
    return engine


def _begin_immediate(connection: Connection) -> None:
    # Takes the write lock before the first read: what a transaction has read cannot change under it.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
