"""All rows, by name, in the order of the report."""

from typing import Final

from loadtest.bench import rows_forward, rows_join, rows_overload, rows_own, rows_size
from loadtest.bench.row import Row

ROWS: Final[dict[str, Row]] = {
    row.name: row for row in (*rows_own.ROWS, *rows_join.ROWS, *rows_forward.ROWS, *rows_overload.ROWS, *rows_size.ROWS)
}
