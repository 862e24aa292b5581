"""Which rule of the tables a refused row ran into, on either database."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Index, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.exc import IntegrityError

from booking.store.tables import Base

_SQLITE_SAYS: Final = "UNIQUE constraint failed: "


def _unique_names(table: Table) -> Iterator[tuple[frozenset[str], str]]:
    for rule in (*table.constraints, *table.indexes):
        if isinstance(rule, (UniqueConstraint, PrimaryKeyConstraint)) or (isinstance(rule, Index) and rule.unique):
            yield frozenset(f"{table.name}.{column.name}" for column in rule.columns), str(rule.name)


# SQLite names the columns, PostgreSQL the rule.
_BY_COLUMNS: Final = {
    columns: name for table in Base.metadata.tables.values() for columns, name in _unique_names(table)
}


def violated(error: IntegrityError) -> str | None:
    """The name of the unique index or constraint that `error` is about; None if it is about none."""
    told = str(error.orig)
    if told.startswith(_SQLITE_SAYS):
        return _BY_COLUMNS.get(frozenset(told.removeprefix(_SQLITE_SAYS).split(", ")))
    cause = error.orig.__cause__ if error.orig is not None else None
    name = getattr(cause, "constraint_name", None)
    return name if getattr(cause, "sqlstate", None) == "23505" else None
