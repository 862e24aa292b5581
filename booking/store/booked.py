"""What can be done with a booking once it is made: found, cancelled, changed."""

from datetime import date
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import codes, schedule
from booking.errors import (
    BookingCancelled,
    BookingError,
    NoSuchBooking,
    SlotClosed,
    SoldOut,
    TooLateToCancel,
    TooLateToChange,
)
from booking.model import BookingCard, WaitCard
from booking.store import seats, statements
from booking.store.rows import Terms, card_of, one, proved_booking, slot_of, wait_card_of
from booking.store.tables import BookingRow


async def find(db: AsyncConnection, terms: Terms, code: str, birth_date: date, now_ms: int) -> BookingCard | WaitCard:
    # In this order: an entry that is promoted between the two questions must not be missed.
    waiting = await one(db, statements.WAITING, code=codes.normalise(code))
    if terms.proves(waiting, birth_date):
        return await wait_card_of(db, waiting)
    return await card_of(db, await proved_booking(db, terms, code, birth_date), now_ms)


async def find_person(db: AsyncConnection, person_key: bytes, now_ms: int) -> BookingCard | WaitCard | None:
    waiting = await one(db, statements.WAITING_OF_PERSON, person=person_key)
    booked = await one(db, statements.LIVE_BOOKING, person=person_key)
    if booked is not None:
        return await card_of(db, booked, now_ms)
    return None if waiting is None else await wait_card_of(db, waiting)


async def cancel(
    db: AsyncConnection, terms: Terms, code: str, birth_date: date, now_ms: int
) -> BookingCard | BookingError:
    async def find() -> tuple[Any, set[int]]:
        row = await proved_booking(db, terms, code, birth_date)
        return row, {row.slot_id}

    row = await seats.find_and_lock(db, find)
    if row.cancelled_ms is None:
        if (await slot_of(db, row.slot_id, now_ms)).starts_ms <= now_ms:
            raise TooLateToCancel("the appointment has begun")
        await end(db, terms, row, now_ms)
    return await card_of(db, await one(db, statements.BOOKING, code=row.code), now_ms)


async def end(db: AsyncConnection, terms: Terms, row: Any, now_ms: int) -> None:
    """Cancel a live booking whose slot is locked, and give its seat back."""
    await db.execute(_of(row).values(cancelled_ms=now_ms))
    await seats.give_back(db, terms, [row.slot_id], now_ms)


async def change(
    db: AsyncConnection, terms: Terms, code: str, birth_date: date, slot_id: int, now_ms: int
) -> BookingCard | BookingError:
    async def find() -> tuple[Any, set[int]]:
        row = await proved_booking(db, terms, code, birth_date)
        return row, {row.slot_id, slot_id}

    row = await seats.find_and_lock(db, find)
    if row.cancelled_ms is not None:
        raise BookingCancelled("this booking is cancelled")
    if row.slot_id == slot_id:
        return await card_of(db, row, now_ms)
    if (await slot_of(db, row.slot_id, now_ms)).starts_ms <= now_ms:
        raise TooLateToChange("the appointment has begun")
    wanted = await slot_of(db, slot_id, now_ms)
    if wanted.starts_ms < schedule.bookable_from(now_ms):
        raise SlotClosed("this appointment can no longer be booked")
    await seats.end_holds(db, terms, slot_id, now_ms)
    if not await seats.take(db, slot_id):
        return SoldOut("no seat is left at this time")
    await db.execute(_of(row).values(slot_id=slot_id, changed_ms=now_ms))
    await seats.give_back(db, terms, [row.slot_id], now_ms)
    found = await one(db, statements.BOOKING, code=row.code)
    if found is None:
        raise NoSuchBooking("no booking has this code and birth date")
    return await card_of(db, found, now_ms)


def _of(row: Any) -> Any:
    return update(BookingRow).where(BookingRow.code == row.code)
