"""Waitlists: of a centre and a day, for one vaccine or any. A seat that comes free is booked for the first it fits."""

from datetime import date
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import codes, schedule
from booking.errors import (
    AlreadyBooked,
    AlreadyWaiting,
    BookingError,
    NoSuchBooking,
    NoSuchCentre,
    NoSuchSlot,
    NoSuchVaccine,
    PassUsed,
    SeatsLeft,
    SlotClosed,
)
from booking.model import Party, WaitCard
from booking.store import seats, statements
from booking.store.database import Again
from booking.store.holding import check_proxy_limit
from booking.store.rows import Terms, draw_code, one, party_columns, pass_columns, wait_card_of
from booking.store.tables import CentreRow, SlotRow, VaccineRow, WaitRow
from shared.passes import PassClaims


async def join(
    db: AsyncConnection,
    terms: Terms,
    centre_id: str,
    day: date,
    party: Party,
    by: PassClaims,
    vaccine_id: str | None,
    now_ms: int,
) -> WaitCard | BookingError:
    key = party.person.key
    slots = await _open_slots(db, centre_id, day, vaccine_id, now_ms)

    async def find() -> tuple[None, set[int]]:
        return None, set(slots)

    # So that no seat comes free between the look at them and the entry.
    await seats.find_and_lock(db, find)
    present = await one(db, statements.WAITING_OF_PERSON, person=key)
    if present is not None:
        same_booker = present.booker_key == (party.booker and party.booker.key)
        if (present.centre_id, present.day) == (centre_id, day) and same_booker:
            return await wait_card_of(db, present)  # asked again: the answer was lost
        raise AlreadyWaiting("this person is on a waitlist")
    if await one(db, statements.LIVE_BOOKING, person=key) is not None:
        raise await seats.already_booked(db, key)
    if await db.scalar(select(statements.PASS_USED), {"by_pass": by.pass_id, "person": key}):
        raise PassUsed("this pass has made its booking")
    await check_proxy_limit(db, terms, party)
    for slot_id in (await db.scalars(_not_full(slots), {"now_ms": now_ms})).all():
        await seats.end_holds(db, terms, slot_id, now_ms)
        await seats.promote(db, terms, slot_id, now_ms)
    free = select(SlotRow.id).where(SlotRow.id.in_(slots), SlotRow.taken < SlotRow.capacity).limit(1)
    if await db.scalar(free) is not None:
        return SeatsLeft("there is a seat to book")
    new = {
        "code": await draw_code(db, terms),
        "centre_id": centre_id,
        "vaccine_id": vaccine_id,
        "day": day,
        "joined_ms": now_ms,
        **party_columns(party),
        **pass_columns(by),
    }
    try:
        await db.execute(insert(WaitRow), new)
    except IntegrityError:
        # The same person, pass or code at this very moment.
        raise Again from None
    return await wait_card_of(db, await one(db, statements.WAITING, code=new["code"]))


async def leave(db: AsyncConnection, terms: Terms, code: str, birth_date: date) -> BookingError | None:
    code = codes.normalise(code)
    row = await one(db, statements.WAITING, code=code)
    if terms.proves(row, birth_date):
        if (await db.execute(statements.END_WAITING, {"entry": getattr(row, "id", None)})).rowcount:
            return None
        raise Again  # promoted at this moment
    booked = await one(db, statements.BOOKING, code=code)
    if terms.proves(booked, birth_date):
        raise AlreadyBooked("this entry has become a booking")
    raise NoSuchBooking("no waitlist entry has this code and birth date")


async def sweep_slot(db: AsyncConnection, terms: Terms, slot_id: int, now_ms: int) -> tuple[int, int]:
    """How many holds ended, how many entries were promoted. Leaves a slot alone that somebody else is at."""
    if db.dialect.name != "sqlite" and await db.scalar(statements.LOCK_SLOT_IF_IDLE, {"slot": slot_id}) is None:
        return 0, 0
    ended, promoted = await seats.end_holds(db, terms, slot_id, now_ms, also_moot=True)
    return ended, len(promoted) + len(await seats.promote(db, terms, slot_id, now_ms))


async def slots_to_sweep(db: AsyncConnection, now_ms: int) -> list[int]:
    """Slots with holds that are over, and slots with a free seat that somebody waits for."""
    found = set((await db.scalars(statements.SLOTS_TO_SWEEP, {"now_ms": now_ms})).all())
    wanted = select(WaitRow.centre_id, WaitRow.day, WaitRow.vaccine_id).distinct()
    for centre_id, day, vaccine_id in (await db.execute(wanted)).all():
        free = _slots(centre_id, day, vaccine_id).where(
            SlotRow.taken < SlotRow.capacity, SlotRow.starts_ms >= schedule.bookable_from(now_ms)
        )
        found.update((await db.scalars(free)).all())
    return sorted(found)


async def end_lapsed(db: AsyncConnection, now_ms: int) -> int:
    """Remove entries for which nothing can come any more: the day is over, or the person has a booking."""
    today = schedule.in_korea(now_ms).date()
    return (await db.execute(delete(WaitRow).where(statements.LAPSED), {"today": today})).rowcount


async def any_lapsed(db: AsyncConnection, now_ms: int) -> bool:
    query = select(WaitRow.id).where(statements.LAPSED).limit(1)
    return await db.scalar(query, {"today": schedule.in_korea(now_ms).date()}) is not None


async def _open_slots(db: AsyncConnection, centre_id: str, day: date, vaccine_id: str | None, now_ms: int) -> list[int]:
    """Raises `NoSuchCentre`, `NoSuchVaccine`, `NoSuchSlot` and `SlotClosed`."""
    if await db.scalar(select(CentreRow.id).where(CentreRow.id == centre_id)) is None:
        raise NoSuchCentre("there is no such centre")
    if vaccine_id is not None and await db.scalar(select(VaccineRow.id).where(VaccineRow.id == vaccine_id)) is None:
        raise NoSuchVaccine("there is no such vaccine")
    every = _slots(centre_id, day, vaccine_id)
    slots = list((await db.scalars(every.where(SlotRow.starts_ms >= schedule.bookable_from(now_ms)))).all())
    if slots:
        return slots
    if (await db.scalars(every.limit(1))).first() is None:
        raise NoSuchSlot("there are no appointments on this day")
    raise SlotClosed("the appointments of this day can no longer be booked")


def _not_full(slots: list[int]) -> Any:
    """Those that have a seat, or a hold that is over. now_ms."""
    has_seat = (SlotRow.taken < SlotRow.capacity) | statements.SLOT_HAS_ENDED_HOLDS
    return select(SlotRow.id).where(SlotRow.id.in_(slots), has_seat).order_by(SlotRow.id)


def _slots(centre_id: str, day: date, vaccine_id: str | None) -> Any:
    start, end = schedule.day_bounds(day)
    found = select(SlotRow.id).where(
        SlotRow.centre_id == centre_id, SlotRow.starts_ms >= start, SlotRow.starts_ms < end
    )
    return (found if vaccine_id is None else found.where(SlotRow.vaccine_id == vaccine_id)).order_by(SlotRow.id)
