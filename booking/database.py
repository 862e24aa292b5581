"""The connections to SQLite: one that writes, a few that read, and one kind of error for all that can break.

SQLite has one writer at a time. Within this process writers queue at a lock, in order of arrival; against other
processes there is the busy timeout. So a crowd is served one after another and never meets "database is locked".
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from booking.errors import StoreUnavailable
from booking.settings import DATABASE_PREFIX
from booking.tables import Base

# How long another process may keep the database to itself before a request is told to come back.
BUSY_TIMEOUT_MS: Final = 5_000
# At a thousand writes a second nobody waits this long, unless the database is stuck.
QUEUE_TIMEOUT_S: Final = 10
READERS: Final = 4

# A code shown to a person must survive a power cut, hence FULL; that still allows thousands of writes a second.
_PRAGMAS: Final = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",
)


class Database:
    """Raises `StoreUnavailable`, and nothing else, when the database cannot do what it is asked."""

    def __init__(self, url: str) -> None:
        self._path = Path(url.removeprefix(DATABASE_PREFIX))
        self._turn = asyncio.Lock()
        self._writer = _engine(url, 1, (*_PRAGMAS, "PRAGMA journal_mode = WAL"))
        self._readers = _engine(url, READERS, (*_PRAGMAS, "PRAGMA query_only = ON"))
        event.listen(self._writer.sync_engine, "begin", _begin_immediate)

    async def open(self) -> None:
        """Create the file, its directory and the tables where they are missing."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self._path.parent}: {error.strerror}") from None
        async with self.write() as connection:
            await connection.run_sync(Base.metadata.create_all)

    async def close(self) -> None:
        await self._readers.dispose()
        await self._writer.dispose()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, alone: kept whole if the block ends, undone whole if it raises."""
        with _one_error(self._path):
            async with asyncio.timeout(QUEUE_TIMEOUT_S):
                await self._turn.acquire()
            try:
                async with self._writer.begin() as connection:
                    yield connection
            finally:
                self._turn.release()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that cannot write and does not wait for those who do."""
        with _one_error(self._path):
            async with self._readers.connect() as connection:
                yield connection


class _one_error:  # noqa: N801 - reads as a verb where it is used
    """Turns whatever a broken database raises into `StoreUnavailable`, naming the file and the reason."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case SQLAlchemyError() | sqlite3.Error() | TimeoutError():
                # The driver's own words; SQLAlchemy's would add the statement with its values.
                reason = str(getattr(error, "orig", None) or error) or "too many are waiting for it"
                raise StoreUnavailable(f"{self._path}: {reason}") from error


def _engine(url: str, connections: int, pragmas: tuple[str, ...]) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_size=connections, max_overflow=0, pool_timeout=QUEUE_TIMEOUT_S, hide_parameters=True
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
