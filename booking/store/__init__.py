"""The booking site's stock and bookings, on SQLite or PostgreSQL."""

from pathlib import Path

from sqlalchemy import make_url

from booking.settings import DATABASE_PREFIX
from booking.store.catalogue import WrongSecret
from booking.store.database import Database
from booking.store.migrate import UnknownSchema
from booking.store.sqlite import SqliteDatabase
from booking.store.store import BookingStore

__all__ = ["BookingStore", "Database", "UnknownSchema", "WrongSecret", "database_at"]


def database_at(url: str) -> Database:
    """The database of a `booking.database` setting; nothing is opened yet."""
    if url.startswith(DATABASE_PREFIX):
        return SqliteDatabase(url, Path(url.removeprefix(DATABASE_PREFIX)))
    # Its driver only where it is used.
    from booking.store.postgres import PostgresDatabase

    return PostgresDatabase(make_url(url))
