"""The database file as one process has it open: transactions, durability, and what can go wrong with a file.

Each piece of work is one transaction, run again while the file is locked and the caller's deadline allows. Any other
failure closes the connection; the next piece of work opens it anew, so the store is back as soon as the cause is gone.
Nothing here knows what a room is.
"""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from gateway.store.base import StoreError, StoreUnavailable
from gateway.store.handoff import Turn
from gateway.store.sqlite_schema import SCHEMA, SCHEMA_VERSION, UPGRADES

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

# Between two tries while a foreign program has the file locked.
BUSY_PAUSE_S: Final = 0.002

# Changed pages gathered before they are carried into the file, which flushes twice while the others wait: fewer
# than SQLite's own 1,000 make each such pause shorter.
CHECKPOINT_PAGES: Final = 500

_REASONS: Final = {
    sqlite3.SQLITE_BUSY: "another program keeps it locked",
    sqlite3.SQLITE_LOCKED: "another program keeps it locked",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is damaged, or no database",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_READONLY: "it may not be written to",
    sqlite3.SQLITE_PERM: "it may not be written to",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
}


class StoreFile:
    """One connection, for one thread. `on_open` runs in the first transaction of every connection, alone."""

    def __init__(self, path: Path, *, on_open: Work[None]) -> None:
        self._path = path
        self._on_open = on_open
        self._turn = Turn(path)
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._durable = False

    def read(self, work: Work[T], deadline: float) -> T:
        """What `work` finds in one consistent view of the file. Waits for no writer."""
        return self._try(lambda connection: _transact(connection, "BEGIN", work), deadline)

    def write(self, work: Work[T], deadline: float, *, durable: bool = False) -> T:
        """Do all of `work`, or nothing.

        durable: it survives a power loss from the moment this returns; else, from the next durable one on. It survives
        the death of processes in any case.
        """

        def attempt(connection: sqlite3.Connection) -> T:
            self._turn.take(deadline)
            try:
                self._set_durable(connection, wanted=durable)
                return _transact(connection, "BEGIN IMMEDIATE", work)
            finally:
                self._turn.give()

        return self._try(attempt, deadline)

    def close(self) -> None:
        """Give back the file. It is opened again when needed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
        self._turn.close()

    def _try(self, attempt: Work[T], deadline: float) -> T:
        while True:
            try:
                return attempt(self._connected(deadline))
            except sqlite3.ProgrammingError:
                raise
            except sqlite3.DatabaseError as error:
                code = (getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR) & 0xFF
                if code not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                    self.close()
                elif time.monotonic() < deadline:
                    time.sleep(BUSY_PAUSE_S)
                    continue
                reason = _REASONS.get(code, "it does not answer as it should")
                raise StoreUnavailable(f"{self._path}: {reason} ({error})") from error
            except OSError as error:
                self.close()
                raise StoreUnavailable(f"{self._path}: {error.strerror}") from error

    def _connected(self, deadline: float) -> sqlite3.Connection:
        if self._connection is not None:
            self._check_identity()
            return self._connection
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Alone, so that two processes neither create the file twice nor trip over each other's recovery.
        self._turn.take(deadline)
        try:
            if self._identity is None and not self._path.exists():
                _create(self._path)
            self._check_identity()
            self._connection = self._open()
        finally:
            self._turn.give()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        connection = _connect(self._path)
        try:
            _check(connection, self._path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            self._set_durable(connection, wanted=True)
            _transact(connection, "BEGIN IMMEDIATE", self._on_open)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_identity(self) -> None:
        """Refuse a file other than the one that was opened first: an older copy would issue numbers again."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self.close()
            raise StoreUnavailable(f"{self._path}: the file is gone") from None
        if self._identity is None:
            self._identity = stat.st_dev, stat.st_ino
        elif self._identity != (stat.st_dev, stat.st_ino):
            self.close()
            raise StoreUnavailable(f"{self._path}: the file was replaced; restart to use the new one")

    def _set_durable(self, connection: sqlite3.Connection, *, wanted: bool) -> None:
        if connection is not self._connection or wanted != self._durable:
            connection.execute(f"PRAGMA synchronous = {'FULL' if wanted else 'NORMAL'}")
            self._durable = wanted


def _transact(connection: sqlite3.Connection, begin: str, work: Work[T]) -> T:
    connection.execute(begin)
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _connect(path: Path) -> sqlite3.Connection:
    """Open a file that exists; SQLite must never make an empty one in its place."""
    # The thread that closes may not be the one that worked; never two at once. Waiting is done here, not in SQLite.
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=0, check_same_thread=False
    )


def _create(path: Path) -> None:
    """Put a whole, empty store at `path` in one step: what is half made there is damage, never a beginning."""
    if path.with_name(path.name + "-wal").exists():
        raise StoreUnavailable(f"{path}: the file is gone, its last changes ({path.name}-wal) are there: put it back")
    draft = path.with_name(path.name + "-new")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(_connect(draft)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN;{SCHEMA}COMMIT;")
        connection.execute("INSERT INTO meta VALUES (1, ?, '', 0, 0)", (SCHEMA_VERSION,))
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise unless this is a whole store of a version we know; one of an earlier version becomes one of ours."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreUnavailable(f"{path}: it is damaged ({found})")
    if connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'").fetchone()[0] == 0:
        raise StoreUnavailable(f"{path}: it is damaged, or a database of something else")
    version = connection.execute("SELECT schema_version FROM meta").fetchone()[0]
    if version in range(1, SCHEMA_VERSION):
        steps = "".join(UPGRADES[step] for step in range(version + 1, SCHEMA_VERSION + 1))
        connection.executescript(f"BEGIN IMMEDIATE;{steps}COMMIT;")
    elif version != SCHEMA_VERSION:
        raise StoreError(f"{path}: written by another version (schema {version}; this program knows {SCHEMA_VERSION})")
