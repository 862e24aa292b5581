"""`provenance`: how each booking got in, as its own pass said; for `sunbeon reconcile`. Nothing of any person."""

import argparse
import csv
import sys
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from booking.commands import start
from booking.commands.store import DONE, opened
from booking.settings import Booking

Commands = Any  # argparse has no public name for what `add_subparsers` gives

COLUMNS: Final = (
    "ref", "created_at", "room", "epoch", "number", "place", "how", "rule", "pass_id", "settings_version", "cancelled",
)  # fmt: skip


def add_parsers(commands: Commands) -> None:
    """Exit codes: 0 done, 1 not done, 2 wrong settings or argument."""
    export = commands.add_parser("provenance", help="how each booking got in, as CSV, with nothing of any person")
    start.add_config(export)
    export.set_defaults(handle=_handle)


def _handle(arguments: argparse.Namespace) -> int:
    return start.run(_export(start.read_settings(arguments).booking), log_level="warning")


async def _export(mine: Booking) -> int:
    table = csv.writer(sys.stdout)
    table.writerow(COLUMNS)
    async with opened(mine) as store:
        async for row in store.provenance():
            created = datetime.fromtimestamp(row.created_ms / 1000, UTC).isoformat(timespec="milliseconds")
            origin = (row.room, row.epoch, row.number, row.place, row.how, row.bypass_rule, row.pass_id)
            cancelled = int(row.cancelled_ms is not None)
            table.writerow((_ref(row.made_by), created, *origin, row.settings_version, cancelled))
    return DONE


def _ref(made_by: str) -> str:
    """Names a booking to whoever has the database, and is of no use to anybody else: a code would open it."""
    return sha256(made_by.encode()).hexdigest()[:16]
