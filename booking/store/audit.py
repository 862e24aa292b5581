"""Whether what is counted is what there is, and how each booking got in."""

from collections.abc import AsyncIterator
from typing import Any, Final

from sqlalchemy import String, cast, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.store.tables import BookingRow, HoldRow, SlotRow, WaitRow

_held: Final = select(func.count()).select_from(HoldRow).where(HoldRow.slot_id == SlotRow.id).scalar_subquery()
_booked: Final = (
    select(func.count())
    .select_from(BookingRow)
    .where(BookingRow.slot_id == SlotRow.id, BookingRow.cancelled_ms.is_(None))
    .scalar_subquery()
)
# One statement each: it sees one moment, however many are booking.
_SEATS: Final = (
    select(SlotRow.id, SlotRow.capacity, SlotRow.taken, _held, _booked)
    .where((SlotRow.taken != _held + _booked) | (SlotRow.taken > SlotRow.capacity))
    .order_by(SlotRow.id)
)
_codes: Final = union_all(select(HoldRow.code), select(WaitRow.code), select(BookingRow.code)).subquery()
_TWICE: Final = select(func.count()).select_from(
    select(_codes.c.code).group_by(_codes.c.code).having(func.count() > 1).subquery()
)
# made_by: what names a booking to nobody outside, as its code would: the request that made it, or its wait.
_PROVENANCE: Final = select(
    func.coalesce(BookingRow.hold_id, "wait " + cast(BookingRow.waitlist_id, String)).label("made_by"),
    BookingRow.created_ms,
    BookingRow.cancelled_ms,
    BookingRow.room,
    BookingRow.epoch,
    BookingRow.number,
    BookingRow.place,
    BookingRow.how,
    BookingRow.bypass_rule,
    BookingRow.pass_id,
    BookingRow.settings_version,
)
_PROVENANCE_PAGE: Final = 10_000


async def provenance(db: AsyncConnection) -> AsyncIterator[Any]:
    """In the order of passes, which is none. Page by page: a reader of years must not hold a transaction."""
    last = ""
    page = _PROVENANCE.order_by(BookingRow.pass_id).limit(_PROVENANCE_PAGE)
    while rows := (await db.execute(page.where(BookingRow.pass_id > last))).all():
        for row in rows:
            yield row
        last = rows[-1].pass_id


async def check(db: AsyncConnection) -> list[str]:
    found = [
        f"slot {slot}: {taken} of {capacity} seats counted, but {held} held and {booked} booked"
        for slot, capacity, taken, held, booked in await db.execute(_SEATS)
    ]
    # Not which: whoever reads this must not be able to use them.
    twice = await db.scalar(_TWICE)
    return found + ([f"{twice} codes are given to more than one"] if twice else [])
