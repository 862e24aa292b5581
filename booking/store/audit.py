"""Whether what is counted is what there is."""

from typing import Final

from sqlalchemy import func, select, union_all
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


async def check(db: AsyncConnection) -> list[str]:
    found = [
        f"slot {slot}: {taken} of {capacity} seats counted, but {held} held and {booked} booked"
        for slot, capacity, taken, held, booked in await db.execute(_SEATS)
    ]
    # Not which: whoever reads this must not be able to use them.
    twice = await db.scalar(_TWICE)
    return found + ([f"{twice} codes are given to more than one"] if twice else [])
