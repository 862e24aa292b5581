"""Seats: locked, taken, given back; and how a seat that comes free goes to those who wait for it.

Locks are taken in one order: slots by id, then a person's waitlist entry, then the booking. What still meets head-on
(a deadlock, a row that was there when we looked) is undone and run again, see `Database.write`.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import schedule
from booking.errors import AlreadyBooked, BookingError, PassUsed, ProxyLimitReached
from booking.store import statements, tables
from booking.store.database import Again
from booking.store.rows import Terms, carried, one
from booking.store.tables import BookingRow, SlotRow
from booking.store.violations import violated

T = TypeVar("T")

# What was found, and the slots it is about.
Find = Callable[[], Awaitable[tuple[T, set[int]]]]


async def find_and_lock(db: AsyncConnection, find: Find[T]) -> T:
    """What `find` finds, with the slots it names locked until the transaction ends."""
    found, slots = await find()
    if db.dialect.name == "sqlite" or not slots:
        return found  # the only writer
    await db.execute(statements.LOCK_SLOTS, {"slots": sorted(slots)})
    found, now_slots = await find()
    if not now_slots <= slots:
        raise Again
    return found


async def take(db: AsyncConnection, slot_id: int) -> bool:
    """A seat, if there is one."""
    return bool((await db.execute(statements.TAKE_SEAT, {"slot": slot_id})).rowcount)


async def give_back(db: AsyncConnection, terms: Terms, slot_ids: Iterable[int], now_ms: int) -> list[bytes]:
    """One seat for each time a slot is named; it goes to who waits for it. Gives the keys of those now booked."""
    promoted = []
    for slot_id in sorted(slot_ids):
        await db.execute(statements.RETURN_SEATS, {"slot": slot_id, "seats": 1})
        promoted += await promote(db, terms, slot_id, now_ms)
    return promoted


async def end_holds(
    db: AsyncConnection, terms: Terms, slot_id: int, now_ms: int, *, also_moot: bool = False
) -> tuple[int, list[bytes]]:
    """End the slot's holds that are over, and give their seats back. How many; and the keys of those now booked."""
    which = statements.END_HOLDS_OVER_OR_MOOT if also_moot else statements.END_HOLDS_OVER
    ended = (await db.execute(which, {"slot": slot_id, "now_ms": now_ms})).rowcount
    if not ended:
        return 0, []
    await db.execute(statements.RETURN_SEATS, {"slot": slot_id, "seats": ended})
    return ended, await promote(db, terms, slot_id, now_ms)


async def promote(db: AsyncConnection, terms: Terms, slot_id: int, now_ms: int) -> list[bytes]:
    """Book the free seats of a locked slot for those who wait, in order. Gives the keys of those now booked."""
    slot: Any = await one(db, select(SlotRow.__table__).where(SlotRow.id == slot_id))
    free = slot.capacity - slot.taken
    if slot.starts_ms < schedule.bookable_from(now_ms):
        return []
    asked = {
        "centre": slot.centre_id,
        "day": schedule.in_korea(slot.starts_ms).date(),
        "vaccine": slot.vaccine_id,
    }
    promoted: list[bytes] = []
    skipped: list[int] = []
    while free > len(promoted):
        entry = await one(db, statements.NEXT_WAITING, **asked, skipped=skipped)
        if entry is None:
            break
        values = {
            **carried(entry, with_pass=True),
            "waitlist_id": entry.id,
            "slot_id": slot_id,
            "created_ms": now_ms,
        }
        refused = await add_booking(db, terms, values)
        if isinstance(refused, ProxyLimitReached):
            # Their turn comes when their booker has cancelled another.
            skipped.append(entry.id)
            continue
        # With a booking the wait is over; and so it is where person or pass have booked meanwhile.
        await db.execute(statements.END_WAITING, {"entry": entry.id})
        if refused is None:
            await take(db, slot_id)
            promoted.append(entry.person_key)
    return promoted


async def add_booking(db: AsyncConnection, terms: Terms, values: dict[str, Any]) -> BookingError | None:
    """Add the row, or tell why there can be none; nothing else of the transaction is lost then.

    Whether there can be one is decided by the tables alone, so that it holds against everyone who books at this moment.
    """
    booker = values["booker_key"]
    while True:
        seat = None
        if booker is not None:
            used = set((await db.scalars(statements.BOOKER_SEATS, {"booker": booker})).all())
            if len(used) >= terms.proxy_limit:
                return ProxyLimitReached("this booker has booked for as many others as one may")
            seat = min(set(range(1, terms.proxy_limit + 1)) - used)
        try:
            async with db.begin_nested():
                await db.execute(insert(BookingRow), {**values, "booker_seat": seat})
        except IntegrityError as error:
            match violated(error):
                case tables.ONE_PER_PERSON:
                    return await already_booked(db, values["person_key"])
                case tables.ONE_PER_PASS:
                    return PassUsed("this pass has made its booking")
                case tables.ONE_PER_BOOKER_SEAT:
                    continue  # their other booking took this number meanwhile
            raise
        return None


async def already_booked(db: AsyncConnection, person_key: bytes) -> AlreadyBooked:
    """The error for this person, who has a booking."""
    row = await one(db, statements.LIVE_BOOKING, person=person_key)
    by_proxy = row is not None and row.booker_key is not None
    return AlreadyBooked("this person has a booking", by_proxy=by_proxy)
