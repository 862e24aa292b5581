"""What the store wants of a database, whichever it is: transactions that are whole, and one error when it cannot."""

import asyncio
import random
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.errors import BookingError, StoreUnavailable
from booking.store import migrate

T = TypeVar("T")
# Returning an error keeps what was done and tells it; raising one undoes everything.
Work = Callable[[AsyncConnection], Awaitable[T | BookingError]]

# Nobody waits this long for a turn unless the database is stuck.
QUEUE_TIMEOUT_S: Final = 10
# Transactions that got into each other's way are run again; more often than this it is no accident.
ATTEMPTS: Final = 6
_FIRST_PAUSE_S: Final = 0.01


class Again(Exception):
    """Raised within a transaction: what it was based on has changed. Undo it and run it again."""


class Database(ABC):
    """Raises `StoreUnavailable`, and no error of a driver, when the database cannot do what it is asked.

    shown: its place for messages, without a password.
    """

    def __init__(self, shown: str) -> None:
        self.shown = shown

    @abstractmethod
    async def open(self) -> None:
        """Bring the tables up to date, once however many programs start. Raises `UnknownSchema`."""

    async def open_as_is(self) -> None:
        """For a look beside a running site: nothing is made or brought up to date. Raises `UnknownSchema`."""
        async with self.read() as connection:
            await connection.run_sync(migrate.require_current, self.shown)

    @abstractmethod
    async def close(self) -> None:
        """Let go of all connections."""

    async def forget(self) -> None:  # noqa: B027 - not every database needs it
        """Overwrite what was deleted, as far as that is in our hands."""

    async def write(self, work: Work[T]) -> T:
        """Run `work` as one transaction: kept whole if it returns, undone whole if it raises.

        It may be run several times, so it must do nothing but ask the database. An error it returns is raised once the
        transaction is kept.
        """
        async with self._one_error():
            result = await self._until_it_fits(work)
        if isinstance(result, BookingError):
            raise result
        return result

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that takes no lock. Each statement sees all that was committed before it."""
        async with self._one_error(), self._connect() as connection:
            yield connection

    @abstractmethod
    def _begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that may write."""

    @abstractmethod
    def _connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection that only reads."""

    def _is_clash(self, _error: SQLAlchemyError) -> bool:
        """Whether another transaction was in the way, this one is undone, and running it again may go well."""
        return False

    async def _until_it_fits(self, work: Work[T]) -> T | BookingError:
        for attempt in range(ATTEMPTS):
            try:
                async with self._begin() as connection:
                    return await work(connection)
            except Again:
                pass
            except SQLAlchemyError as error:
                if not self._is_clash(error) or attempt == ATTEMPTS - 1:
                    raise
            await asyncio.sleep(random.uniform(0, _FIRST_PAUSE_S * 2**attempt))  # noqa: S311 - to part two that met
        raise StoreUnavailable(f"{self.shown}: too many are changing the same thing")

    @asynccontextmanager
    async def _one_error(self) -> AsyncIterator[None]:
        try:
            yield
        except StoreUnavailable:
            raise
        except (SQLAlchemyError, sqlite3.Error, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"{self.shown}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    # The driver's own words; SQLAlchemy's would add the statement. Only the first line: PostgreSQL tells values after.
    told = str(getattr(error, "orig", None) or error).splitlines()
    if not told:
        return "too many are waiting for it"
    # asyncpg quotes the value it could not send.
    return "a value it does not take" if "query argument" in told[0] else told[0]
