"""Bringing the tables up to date, inside a transaction the caller has begun and in which nobody else does the same."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from shared.errors import SunbeonError

FOLDER: Final = Path(__file__).parent / "migrations"
# What 0.1.0 made, before there were migrations.
FIRST: Final = "0001"
_TABLES_OF_FIRST: Final = {"centres", "slots", "holds", "bookings", "facts"}

_NEWER: Final = (
    "its tables are of revision {}, which this program does not know: it was used by a newer one. Start that one; or "
    "restore the backup made before it"
)

# Its every step at the level of our own messages would be noise at each start.
logging.getLogger("alembic").setLevel(logging.WARNING)


class UnknownSchema(SunbeonError):
    """The tables are not ones this program knows."""


def upgrade(connection: Connection, shown: str, target: str = "head") -> str:
    """Run what is missing, and tell the revision there now is. Does nothing if there is nothing to do.

    shown: the database's name for messages. Raises `UnknownSchema`, also for tables of a newer program.
    """
    script = ScriptDirectory(str(FOLDER))
    present = revision(connection)
    if present is None:
        tables = set(inspect(connection).get_table_names())
        if tables >= _TABLES_OF_FIRST:
            MigrationContext.configure(connection).stamp(script, FIRST)
            present = FIRST
        elif tables & _TABLES_OF_FIRST:
            raise UnknownSchema(f"{shown}: has tables of another program; give the booking site a database of its own")
    elif present not in {each.revision for each in script.walk_revisions()}:
        raise UnknownSchema(f"{shown}: {_NEWER.format(present)}")
    wanted = script.as_revision_number(target)
    if present == wanted:
        return str(present)

    def steps(at: Any, _context: object) -> Sequence[Any]:
        return script._upgrade_revs(target, at)  # noqa: SLF001 - as Alembic's own commands do

    with EnvironmentContext(Config(), script, fn=steps) as environment:
        environment.configure(connection=connection)
        environment.run_migrations()
    return str(wanted)


def require_current(connection: Connection, shown: str) -> None:
    """Raises `UnknownSchema` unless the tables are exactly this program's. Changes nothing."""
    script = ScriptDirectory(str(FOLDER))
    present, wanted = revision(connection), script.get_current_head()
    if present == wanted:
        return
    if present is not None and present not in {each.revision for each in script.walk_revisions()}:
        raise UnknownSchema(f"{shown}: {_NEWER.format(present)}")
    told = "has no tables of this version yet" if present is None else f"its tables are of revision {present}"
    raise UnknownSchema(f"{shown}: {told}; `sunbeon booking migrate` brings them to revision {wanted}")


def revision(connection: Connection) -> str | None:
    """The revision the tables say they are of; None if they say nothing."""
    return MigrationContext.configure(connection).get_current_revision()
