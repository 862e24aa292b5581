"""What is kept of persons: told to them, forgotten on request, and forgotten by age. Provenance stays."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import schedule
from booking.model import Erased
from booking.store import booked, seats
from booking.store.rows import Terms
from booking.store.tables import BookingRow, HoldRow, SlotRow, WaitRow

# Bookings blanked in one transaction: so few that nobody waits noticeably for them.
BATCH: Final = 500

# What is left of a sealed contact without the booker's part; None: nothing.
WithoutBooker = Callable[[bytes], bytes | None]

_GONE: Final = dict.fromkeys(
    ("person_key", "birth_check", "masked_name", "contact", "booker_key", "booker_masked_name", "booker_seat")
)
_NO_BOOKER: Final = {"booker_key": None, "booker_masked_name": None}
# Keyed hashes are left out: they tell the person nothing.
_TOLD: Final = (
    "code",
    "masked_name",
    "booker_masked_name",
    "consent",
    "calendar_rule",
    "pass_id",
    "number",
)


def past(before_ms: int) -> Any:
    """Bookings that still keep something of a person, of appointments before `before_ms` or cancelled before it."""
    begun = select(SlotRow.id).where(SlotRow.starts_ms < before_ms)
    return BookingRow.person_key.is_not(None) & or_(BookingRow.slot_id.in_(begun), BookingRow.cancelled_ms < before_ms)


async def count_past(db: AsyncConnection, before_ms: int) -> tuple[int, int]:
    bookings = await db.scalar(select(func.count()).select_from(BookingRow).where(past(before_ms)))
    day = schedule.in_korea(before_ms).date()
    waiting = await db.scalar(select(func.count()).select_from(WaitRow).where(WaitRow.day < day))
    return bookings or 0, waiting or 0


async def blank_past(db: AsyncConnection, before_ms: int) -> int:
    """Blank one batch of them. How many those were."""
    codes = (await db.scalars(select(BookingRow.code).where(past(before_ms)).limit(BATCH))).all()
    return await _blank(db, codes)


async def drop_past_waiting(db: AsyncConnection, before_ms: int) -> int:
    day = schedule.in_korea(before_ms).date()
    return (await db.execute(delete(WaitRow).where(WaitRow.day < day))).rowcount


async def export(db: AsyncConnection, person_key: bytes) -> dict[str, Any]:
    bookings = select(BookingRow).where(BookingRow.person_key == person_key).order_by(BookingRow.created_ms)
    waiting = select(WaitRow).where(WaitRow.person_key == person_key)
    held = select(HoldRow).where(HoldRow.person_key == person_key).order_by(HoldRow.expires_ms)
    made = [
        select(table.code, table.masked_name).where(table.booker_key == person_key).order_by(table.code)
        for table in (BookingRow, WaitRow, HoldRow)
    ]
    return {
        "bookings": [
            await _told(db, row, "slot_id", "how", "place", "created_ms", "changed_ms", "cancelled_ms")
            for row in (await db.execute(bookings)).all()
        ],
        "waiting": [
            await _told(db, row, "centre_id", "vaccine_id", "how", "place", "joined_ms") | {"day": row.day.isoformat()}
            for row in (await db.execute(waiting)).all()
        ],
        "holds": [await _told(db, row, "slot_id", "expires_ms") for row in (await db.execute(held)).all()],
        # Who these are for is theirs, not this person's, to be told.
        "booked_for_others": [row.code for query in made for row in (await db.execute(query)).all()],
    }


async def erase(
    db: AsyncConnection, terms: Terms, person_key: bytes, now_ms: int, without_booker: WithoutBooker
) -> Erased:
    async def find() -> tuple[tuple[Sequence[Any], Sequence[Any]], set[int]]:
        bookings = (await db.execute(select(BookingRow).where(BookingRow.person_key == person_key))).all()
        holds = (await db.execute(select(HoldRow.id, HoldRow.slot_id).where(HoldRow.person_key == person_key))).all()
        # Of what they hold for others, too: so that none becomes a booking that still names them.
        for_others = set((await db.scalars(select(HoldRow.slot_id).where(HoldRow.booker_key == person_key))).all())
        return (bookings, holds), {each.slot_id for each in (*bookings, *holds)} | for_others

    bookings, holds = await seats.find_and_lock(db, find)
    # First, so that no seat given back below is booked for them.
    waiting = (await db.execute(delete(WaitRow).where(WaitRow.person_key == person_key))).rowcount
    ended = [
        each.slot_id for each in holds if (await db.execute(delete(HoldRow).where(HoldRow.id == each.id))).rowcount
    ]
    live = [each for each in bookings if each.cancelled_ms is None and await _starts_ms(db, each) > now_ms]
    await _blank(db, [each.code for each in bookings])
    for each in live:
        await booked.end(db, terms, each, now_ms)
    await seats.give_back(db, terms, ended, now_ms)
    for_others = await _forget_booker(db, person_key, without_booker)
    return Erased(len(live), len(bookings), waiting, len(ended), for_others)


async def _forget_booker(db: AsyncConnection, person_key: bytes, without_booker: WithoutBooker) -> int:
    """Of bookings, holds and waits for others; these stay. Their number."""
    found = 0
    # In this order: what becomes a booking between two questions must not be missed.
    for table in (HoldRow, WaitRow, BookingRow):
        query = select(table.code, table.contact).where(table.booker_key == person_key)
        for code, sealed in (await db.execute(query)).all():
            left = None if sealed is None else without_booker(sealed)
            # Holds and waits always have one.
            values = {"booker_seat": None, "contact": left} if table is BookingRow else {"contact": left or b""}
            changed = update(table).where(table.code == code).values(**_NO_BOOKER, **values)
            found += (await db.execute(changed)).rowcount
    return found


async def _blank(db: AsyncConnection, codes: Sequence[str]) -> int:
    if not codes:
        return 0
    return (await db.execute(update(BookingRow).where(BookingRow.code.in_(codes)).values(**_GONE))).rowcount


async def _starts_ms(db: AsyncConnection, row: Any) -> int:
    return int(await db.scalar(select(SlotRow.starts_ms).where(SlotRow.id == row.slot_id)) or 0)


async def _told(db: AsyncConnection, row: Any, *more: str) -> dict[str, Any]:
    told = {name: getattr(row, name) for name in (*_TOLD, *more) if hasattr(row, name)}
    told["contact_sealed"] = row.contact.decode(errors="replace") if row.contact is not None else None
    if "slot_id" in told:
        slot: Any = (await db.execute(select(SlotRow.__table__).where(SlotRow.id == row.slot_id))).one()
        told |= {"centre_id": slot.centre_id, "vaccine_id": slot.vaccine_id, "starts_ms": slot.starts_ms}
    return told
