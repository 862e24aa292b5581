"""PostgreSQL: READ COMMITTED, row locks in one order, and what still meets head-on is run again.

The password comes from the URL, `PGPASSWORD` or a password file (`PGPASSFILE`, `~/.pgpass`); parts the URL leaves out,
from `PGHOST`, `PGPORT` and `PGUSER`. It is in no message.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import asyncpg
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from booking.errors import StoreUnavailable
from booking.store import database, migrate
from booking.store.database import Database

# Per process. More would only wait inside the server instead of here.
CONNECTIONS: Final = 10
READERS: Final = 5
CONNECT_TIMEOUT_S: Final = 5
# Far above what any of our statements takes: past these something is stuck, and a visitor is told to come back.
STATEMENT_TIMEOUT_MS: Final = 8_000
LOCK_TIMEOUT_MS: Final = 5_000
IDLE_TIMEOUT_MS: Final = 15_000
COMMAND_TIMEOUT_S: Final = 12
# Another program that starts may be at a migration for so long.
MIGRATION_TIMEOUT_MS: Final = 600_000
MIGRATION_LOCK: Final = 0x53554E42454F4E  # "SUNBEON"

# Serialization failure, deadlock.
_CLASHES: Final = ("40001", "40P01")

_SERVER_SETTINGS: Final = {
    "application_name": "sunbeon-booking",
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    # A program that hangs in the middle of a transaction must not keep its locks.
    "idle_in_transaction_session_timeout": str(IDLE_TIMEOUT_MS),
    # A code shown to a person must survive a power cut, whatever the server's own default.
    "synchronous_commit": "on",
}


_CONNECT: Final = {"server_settings": _SERVER_SETTINGS, "timeout": CONNECT_TIMEOUT_S}


class PostgresDatabase(Database):
    """A database of a server."""

    def __init__(self, url: URL) -> None:
        where = url.host or url.query.get("host") or "PostgreSQL"
        super().__init__(f"{where}{f':{url.port}' if url.port else ''}/{url.database or ''}")
        self._url = url
        self._engine = create_async_engine(
            url,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=database.QUEUE_TIMEOUT_S,
            # A connection that died while it lay in the pool is replaced before anyone is given it.
            pool_pre_ping=True,
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            connect_args=_CONNECT | {"command_timeout": COMMAND_TIMEOUT_S},
        )
        # Of their own: a crowd that waits for one slot's lock must not keep others from looking at what there is.
        self._readers = create_async_engine(
            url,
            pool_size=READERS,
            max_overflow=0,
            pool_timeout=database.QUEUE_TIMEOUT_S,
            pool_pre_ping=True,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
            connect_args=_CONNECT | {"command_timeout": COMMAND_TIMEOUT_S},
        )

    async def open(self) -> None:
        # A connection of its own, that waits as long as a migration may take.
        async with self._one_error():
            engine = create_async_engine(
                self._url,
                poolclass=NullPool,
                hide_parameters=True,
                connect_args=_CONNECT | {"command_timeout": MIGRATION_TIMEOUT_MS / 1000},
            )
            try:
                async with engine.begin() as connection:
                    await self._upgrade(connection)
            finally:
                await engine.dispose()

    async def close(self) -> None:
        await self._readers.dispose()
        await self._engine.dispose()

    async def _upgrade(self, connection: AsyncConnection) -> None:
        for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            await connection.execute(text(f"SET LOCAL {name} = {MIGRATION_TIMEOUT_MS}"))
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        await connection.run_sync(migrate.upgrade, self.shown)

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.begin() as connection:
            yield connection

    def _connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._readers.connect()

    def _is_clash(self, error: SQLAlchemyError) -> bool:
        return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _CLASHES

    @asynccontextmanager
    async def _one_error(self) -> AsyncIterator[None]:
        try:
            async with super()._one_error():
                yield
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # Connecting is not wrapped by SQLAlchemy.
            raise StoreUnavailable(f"{self.shown}: {str(error).partition(chr(10))[0]}") from None
