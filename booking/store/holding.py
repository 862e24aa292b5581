"""Holds: a seat kept while somebody looks once more at what they are about to book."""

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import schedule
from booking.errors import (
    AlreadyBooked,
    BookingError,
    HoldExpired,
    NoSuchSlot,
    PassUsed,
    ProxyLimitReached,
    SlotClosed,
    SoldOut,
)
from booking.model import BookingCard, Hold, Party, Slot
from booking.store import seats, statements
from booking.store.database import Again
from booking.store.rows import (
    Terms,
    card_of,
    carried,
    check_hold,
    check_owner,
    draw_code,
    hold_of,
    one,
    party_columns,
    pass_columns,
)
from booking.store.seats import already_booked
from booking.store.tables import HoldRow
from shared.passes import PassClaims

HOLD_ID_BYTES: Final = 16

# All that a new hold must know, asked at once. slot, now_ms, by_pass, person.
_BEFORE: Final = statements.SLOT.add_columns(
    statements.PASS_USED,
    select(statements.LIVE_BOOKING.subquery().c.code).exists(),
)


async def look(db: AsyncConnection, terms: Terms, slot_id: int, party: Party, by: PassClaims, now_ms: int) -> None:
    """Raises what can be told without a lock: a crowd before a full slot goes this way, and holds up nobody."""
    slot = await _check_free_to_hold(db, terms, slot_id, party, by, now_ms)
    if slot.left > 0:
        return
    own = await _own_hold(db, party, by)
    if own is None or own.slot_id != slot_id:
        raise SoldOut("no seat is left at this time")


async def hold(
    db: AsyncConnection, terms: Terms, slot_id: int, party: Party, by: PassClaims, now_ms: int
) -> Hold | BookingError:
    async def find() -> tuple[Any, set[int]]:
        row = await _own_hold(db, party, by)
        return row, {slot_id} | ({row.slot_id} if row is not None else set())

    own = await seats.find_and_lock(db, find)
    slot = await _check_free_to_hold(db, terms, slot_id, party, by, now_ms)
    if own is not None and own.slot_id == slot_id and own.expires_ms > now_ms:
        if _is_for(own, party):
            return await hold_of(db, own, now_ms)  # asked again: the answer was lost
        # For somebody else now. The seat stays with this visitor, and no longer than it would have.
        await db.execute(statements.END_HOLD, {"hold": own.id})
        return await _add(db, terms, slot, party, by, own.expires_ms)
    _, promoted = await seats.end_holds(db, terms, slot_id, now_ms)
    if party.person.key in promoted:
        return AlreadyBooked("this person was on the waitlist, and has a booking now")
    if not await seats.take(db, slot_id):
        return SoldOut("no seat is left at this time")
    slot = replace(slot, left=slot.left - len(promoted) - 1)
    if own is not None and (await db.execute(statements.END_HOLD, {"hold": own.id})).rowcount:
        await seats.give_back(db, terms, [own.slot_id], now_ms)
    return await _add(db, terms, slot, party, by, now_ms + terms.hold_ms)


async def find(db: AsyncConnection, hold_id: str, by: PassClaims, now_ms: int) -> Hold:
    row = await one(db, statements.HOLD, hold=hold_id)
    check_hold(row, by, now_ms)
    return await hold_of(db, row, now_ms)


async def drop(db: AsyncConnection, terms: Terms, hold_id: str, by: PassClaims, now_ms: int) -> BookingError | None:
    async def find() -> tuple[Any, set[int]]:
        row = await one(db, statements.HOLD, hold=hold_id)
        return row, set() if row is None else {row.slot_id}

    row = await seats.find_and_lock(db, find)
    if row is not None:
        check_owner(row, by)
        if (await db.execute(statements.END_HOLD, {"hold": hold_id})).rowcount:
            await seats.give_back(db, terms, [row.slot_id], now_ms)
        return None
    booked = await one(db, statements.BOOKING_OF_HOLD, hold=hold_id)
    if booked is not None and booked.cancelled_ms is None:
        raise AlreadyBooked("this hold has become a booking", by_proxy=booked.booker_key is not None)
    return None


async def confirm(
    db: AsyncConnection, terms: Terms, hold_id: str, by: PassClaims, now_ms: int
) -> BookingCard | BookingError:
    async def find() -> tuple[tuple[Any, list[Any]], set[int]]:
        row = await one(db, statements.HOLD, hold=hold_id)
        if row is None:
            return (None, []), set()
        all_of_person = (await db.execute(statements.HOLDS_OF_PERSON, {"person": row.person_key})).all()
        return (row, [each for each in all_of_person if each.id != hold_id]), {each.slot_id for each in all_of_person}

    row, others = await seats.find_and_lock(db, find)
    if row is None:
        return await _booked_before(db, hold_id, by, now_ms)
    check_hold(row, by, now_ms)
    if db.dialect.name != "sqlite":
        await db.execute(statements.LOCK_WAITING_OF_PERSON, {"person": row.person_key})
    if not (await db.execute(statements.END_HOLD, {"hold": hold_id})).rowcount:
        raise Again
    # The seat stays taken: it was the hold's and becomes the booking's.
    refused = await _refusal(db, terms, row, by, now_ms)
    if refused is not None:
        await seats.give_back(db, terms, [row.slot_id], now_ms)
        return refused
    await db.execute(statements.END_WAITING_OF_PERSON, {"person": row.person_key})
    freed = [other.slot_id for other in others if (await db.execute(statements.END_HOLD, {"hold": other.id})).rowcount]
    await seats.give_back(db, terms, freed, now_ms)
    return await card_of(db, await one(db, statements.BOOKING, code=row.code), now_ms)


async def _own_hold(db: AsyncConnection, party: Party, by: PassClaims) -> Any:
    """The row of the hold this visitor has, or None."""
    row = await one(db, statements.HOLD_BY_PASS, by_pass=by.pass_id)
    if row is None and by.number is None:
        # Passes from outside the line have a new id with every request: there the people are the same.
        booker = party.booker.key if party.booker is not None else None
        row = await one(db, statements.HOLD_WITHOUT_NUMBER, person=party.person.key, booker=booker)
    return row


async def _check_free_to_hold(
    db: AsyncConnection, terms: Terms, slot_id: int, party: Party, by: PassClaims, now_ms: int
) -> Slot:
    key = party.person.key
    before: Any = await one(db, _BEFORE, slot=slot_id, now_ms=now_ms, by_pass=by.pass_id, person=key)
    if before is None:
        raise NoSuchSlot("there is no such appointment")
    *columns, pass_used, booked = before
    slot = Slot(*columns)
    if slot.starts_ms < schedule.bookable_from(now_ms):
        raise SlotClosed("this appointment can no longer be booked")
    if pass_used:
        raise PassUsed("this pass has made its booking")
    if booked:
        raise await already_booked(db, key)
    await check_proxy_limit(db, terms, party)
    return slot


async def _add(db: AsyncConnection, terms: Terms, slot: Slot, party: Party, by: PassClaims, expires_ms: int) -> Hold:
    """The row of a hold whose seat is taken."""
    hold_id, code = terms.random(HOLD_ID_BYTES).hex(), await draw_code(db, terms)
    new = {"id": hold_id, "code": code, "slot_id": slot.id, "expires_ms": expires_ms, **party_columns(party)}
    try:
        await db.execute(insert(HoldRow), new | {"pass_id": by.pass_id, "number": by.number})
    except IntegrityError:
        # The same pass at another slot, or the same code, at this very moment.
        raise Again from None
    booked_by = party.booker.masked_name if party.booker is not None else None
    return Hold(hold_id, code, slot, expires_ms, party.person.masked_name, booked_by)


async def check_proxy_limit(db: AsyncConnection, terms: Terms, party: Party) -> None:
    """Raises `ProxyLimitReached`. A courtesy: whoever gets past it at the same moment is refused by the tables."""
    if party.booker is None:
        return
    asked = {"booker": party.booker.key, "person": party.person.key}
    if (await db.scalar(statements.BOOKED_FOR_OTHERS, asked) or 0) >= terms.proxy_limit:
        raise ProxyLimitReached("this booker has booked for as many others as one may")


async def _refusal(db: AsyncConnection, terms: Terms, row: Any, by: PassClaims, now_ms: int) -> BookingError | None:
    if await db.scalar(select(statements.PASS_USED), {"by_pass": by.pass_id, "person": row.person_key}):
        return PassUsed("this pass has made its booking")
    values = {
        **carried(row, with_pass=False),
        **pass_columns(by),
        "hold_id": row.id,
        "slot_id": row.slot_id,
        "created_ms": now_ms,
    }
    return await seats.add_booking(db, terms, values)


async def _booked_before(db: AsyncConnection, hold_id: str, by: PassClaims, now_ms: int) -> BookingCard:
    row = await one(db, statements.BOOKING_OF_HOLD, hold=hold_id)
    if row is None or row.cancelled_ms is not None:
        raise HoldExpired("the seat is no longer held")
    check_owner(row, by)
    return await card_of(db, row, now_ms)


def _is_for(row: Any, party: Party) -> bool:
    booker_key = party.booker.key if party.booker is not None else None
    return bool(row.person_key == party.person.key and row.booker_key == booker_key)
