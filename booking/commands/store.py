"""`migrate`, `check`, `purge`: the care of the database. They may run while the site does.

All but `migrate` want a database that is there and of this version: a wrong path must not look like an empty site.
"""

import argparse
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from booking import schedule
from booking.commands import start
from booking.settings import Booking
from shared.clock import now_ms

if TYPE_CHECKING:
    from booking.store import BookingStore

DONE: Final = 0
DIFFERENT: Final = 1
# A hundred years: more is a slip, and would leave the calendar.
MOST_DAYS: Final = 36_500

Commands = Any  # argparse has no public name for what `add_subparsers` gives
Handle = Callable[[argparse.Namespace], int]


def add_parsers(commands: Commands) -> None:
    """Exit codes: 0 done, of `check` sound; 1 not done, of `check` a difference; 2 wrong settings or argument."""
    migrate = commands.add_parser("migrate", help="bring the database to this version (`run` does it, too)")
    migrate.set_defaults(handle=_handle(_migrate))
    check = commands.add_parser("check", help="every difference between seats counted and seats taken")
    check.set_defaults(handle=_handle(_check))
    purge = commands.add_parser("purge", help="forget the people of past appointments; how they got in stays")
    purge.add_argument(
        "--older-than-days", type=_days, required=True, metavar="N",
        help="days from the appointment's, or the cancellation's, to today (Korea); 0: all before today",
    )  # fmt: skip
    purge.add_argument("--dry-run", action="store_true", help="only count")
    purge.set_defaults(handle=_handle(_purge))
    for parser in (migrate, check, purge):
        start.add_config(parser)


@asynccontextmanager
async def opened(mine: Booking, secret: bytes | None = None) -> AsyncIterator["BookingStore"]:
    """The site's stock, as it is. secret: wanted where persons are looked for.

    Raises `StoreUnavailable`, `UnknownSchema`, `WrongSecret`.
    """
    # Only now: to ask what a calendar says takes no database.
    from booking.store import BookingStore, catalogue, database_at

    database = database_at(mine.database)
    try:
        await database.open_as_is()
        if secret is not None:
            async with database.read() as db:
                await catalogue.require_secret(db, secret)
        yield BookingStore(database, secret=secret or b"", hold_ms=mine.hold_s * 1000, proxy_limit=mine.proxy_limit)
    finally:
        await database.close()


def _handle(work: Callable[[Booking, argparse.Namespace], Coroutine[Any, Any, int]]) -> Handle:
    def handle(arguments: argparse.Namespace) -> int:
        mine = start.read_settings(arguments).booking
        return start.run(work(mine, arguments), log_level="warning")

    return handle


async def _migrate(mine: Booking, _arguments: argparse.Namespace) -> int:
    from booking.store import database_at

    database = database_at(mine.database)
    try:
        await database.open()
    finally:
        await database.close()
    print(f"{database.shown}: up to date")
    return DONE


async def _check(mine: Booking, _arguments: argparse.Namespace) -> int:
    async with opened(mine) as store:
        differences = await store.check()
    print("\n".join(differences) or "sound")
    return DIFFERENT if differences else DONE


async def _purge(mine: Booking, arguments: argparse.Namespace) -> int:
    today_ms, _ = schedule.day_bounds(schedule.in_korea(now_ms()).date())
    before_ms = today_ms - arguments.older_than_days * schedule.DAY_MS
    async with opened(mine) as store:
        purged = await store.purge(before_ms=before_ms, dry_run=arguments.dry_run)
    done = "would forget" if arguments.dry_run else "forgot"
    print(f"{done} the people of {purged.bookings} booking(s) and {purged.waiting} waitlist entry(s)", end=" ")
    print(f"from before {schedule.in_korea(before_ms).date()}")
    return DONE


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MOST_DAYS)) or int(text) > MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 0 to {MOST_DAYS}")
    return int(text)
