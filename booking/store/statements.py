"""The statements of the hot transactions, built once: building one costs more than a database takes to run it.

Parameters are named at each `bindparam`.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    LargeBinary,
    String,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from booking.store.tables import BookingRow, HoldRow, SlotRow, WaitRow

_now: Final = bindparam("now_ms", type_=BigInteger)
_pass: Final = bindparam("by_pass", type_=String)
_person: Final = bindparam("person", type_=LargeBinary)
# Wider than the column: a number no slot has must be not found, and no error.
_slot: Final = bindparam("slot", type_=BigInteger)

_ended: Final = (
    select(func.count()).select_from(HoldRow).where(HoldRow.slot_id == SlotRow.id, HoldRow.expires_ms <= _now)
).scalar_subquery()

# Columns as in `model.Slot`. Holds that have ended count as free. now_ms.
SLOTS: Final = select(
    SlotRow.id,
    SlotRow.centre_id,
    SlotRow.vaccine_id,
    SlotRow.starts_ms,
    SlotRow.capacity - SlotRow.taken + _ended,
).order_by(SlotRow.starts_ms, SlotRow.centre_id, SlotRow.vaccine_id)

# The same of one slot. slot, now_ms.
SLOT: Final = SLOTS.where(SlotRow.id == _slot)

# Free and unbooked seats (`model.Stock`) of slots that begin at `from_ms` or later. from_ms, now_ms.
_bookable: Final = SlotRow.starts_ms >= bindparam("from_ms", type_=BigInteger)
_held: Final = select(func.count()).select_from(HoldRow).join(SlotRow).where(_bookable)
STOCK: Final = select(
    select(func.coalesce(func.sum(SlotRow.capacity - SlotRow.taken), 0)).where(_bookable).scalar_subquery(),
    _held.where(HoldRow.expires_ms <= _now).scalar_subquery(),
    _held.scalar_subquery(),
)

# As a condition on slots. now_ms.
SLOT_HAS_ENDED_HOLDS: Final = exists().where(HoldRow.slot_id == SlotRow.id, HoldRow.expires_ms <= _now)

# Locks the seats of slots, in one order for all, so that two who need the same ones do not wait for each other.
# PostgreSQL's; SQLite has one writer anyway. slots; or slot, giving no row if somebody else is at it.
LOCK_SLOTS: Final = (
    select(SlotRow.id)
    .where(SlotRow.id.in_(bindparam("slots", expanding=True, type_=BigInteger)))
    .order_by(SlotRow.id)
    .with_for_update(key_share=True)
)
LOCK_SLOT_IF_IDLE: Final = (
    select(SlotRow.id).where(SlotRow.id == _slot).with_for_update(key_share=True, skip_locked=True)
)

# A seat, if there is one. slot.
TAKE_SEAT: Final = (
    update(SlotRow).where(SlotRow.id == _slot, SlotRow.taken < SlotRow.capacity).values(taken=SlotRow.taken + 1)
)
# slot, seats.
RETURN_SEATS: Final = update(SlotRow).where(SlotRow.id == _slot).values(taken=SlotRow.taken - bindparam("seats"))

# A live booking of this person. person.
LIVE_BOOKING: Final = select(BookingRow).where(BookingRow.person_key == _person, BookingRow.cancelled_ms.is_(None))
# Whether this pass has made a booking, cancelled or not, or waits for one for somebody else. by_pass, person.
PASS_USED: Final = or_(
    exists().where(BookingRow.pass_id == _pass),
    exists().where(WaitRow.pass_id == _pass, WaitRow.person_key != _person),
)

HOLD: Final = select(HoldRow).where(HoldRow.id == bindparam("hold"))
HOLD_BY_PASS: Final = select(HoldRow).where(HoldRow.pass_id == _pass)
# Of somebody whose pass has no number. person, booker.
HOLD_WITHOUT_NUMBER: Final = (
    select(HoldRow)
    .where(
        HoldRow.number.is_(None),
        HoldRow.person_key == _person,
        HoldRow.booker_key.is_not_distinct_from(bindparam("booker", type_=LargeBinary)),
    )
    .order_by(HoldRow.expires_ms)
    .limit(1)
)
HOLDS_OF_PERSON: Final = select(HoldRow.id, HoldRow.slot_id).where(HoldRow.person_key == _person)
END_HOLD: Final = delete(HoldRow).where(HoldRow.id == bindparam("hold"))
# Holds of a slot whose time is over. Not those that another transaction is just ending. slot, now_ms.
_over: Final = HoldRow.expires_ms <= _now
END_HOLDS_OVER: Final = delete(HoldRow).where(
    HoldRow.id.in_(
        select(HoldRow.id).where(HoldRow.slot_id == _slot, _over).order_by(HoldRow.id).with_for_update(skip_locked=True)
    )
)
# Also those that can no longer become a booking, since their person has one. slot, now_ms.
_moot: Final = exists().where(BookingRow.person_key == HoldRow.person_key, BookingRow.cancelled_ms.is_(None))
END_HOLDS_OVER_OR_MOOT: Final = delete(HoldRow).where(
    HoldRow.id.in_(
        select(HoldRow.id)
        .where(HoldRow.slot_id == _slot, or_(_over, _moot))
        .order_by(HoldRow.id)
        .with_for_update(skip_locked=True)
    )
)
SLOTS_TO_SWEEP: Final = select(HoldRow.slot_id).where(or_(_over, _moot)).distinct().order_by(HoldRow.slot_id)

BOOKING_OF_HOLD: Final = select(BookingRow).where(BookingRow.hold_id == bindparam("hold"))
BOOKING: Final = select(BookingRow).where(BookingRow.code == bindparam("code"))
# The numbers a booker's live bookings for others have. booker.
_booker: Final = bindparam("booker", type_=LargeBinary)
BOOKER_SEATS: Final = select(BookingRow.booker_seat).where(
    BookingRow.booker_key == _booker, BookingRow.cancelled_ms.is_(None)
)
# How many others this booker has booked or waits for, without this person. booker, person.
BOOKED_FOR_OTHERS: Final = select(
    select(func.count())
    .select_from(BookingRow)
    .where(BookingRow.booker_key == _booker, BookingRow.cancelled_ms.is_(None), BookingRow.person_key != _person)
    .scalar_subquery()
    + select(func.count())
    .select_from(WaitRow)
    .where(WaitRow.booker_key == _booker, WaitRow.person_key != _person)
    .scalar_subquery()
)

WAITING: Final = select(WaitRow).where(WaitRow.code == bindparam("code"))
WAITING_OF_PERSON: Final = select(WaitRow).where(WaitRow.person_key == _person)
LOCK_WAITING_OF_PERSON: Final = select(WaitRow.id).where(WaitRow.person_key == _person).with_for_update()
END_WAITING_OF_PERSON: Final = delete(WaitRow).where(WaitRow.person_key == _person)
END_WAITING: Final = delete(WaitRow).where(WaitRow.id == bindparam("entry"))
# The first entry a seat fits. Not one that another transaction is at. centre, day, vaccine, skipped.
NEXT_WAITING: Final = (
    select(WaitRow)
    .where(
        WaitRow.centre_id == bindparam("centre"),
        WaitRow.day == bindparam("day"),
        or_(WaitRow.vaccine_id.is_(None), WaitRow.vaccine_id == bindparam("vaccine")),
        WaitRow.id.not_in(bindparam("skipped", expanding=True)),
    )
    .order_by(WaitRow.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
# Entries that come before this one and could take the same seat. centre, day, vaccine, entry.
_vaccine: Final = bindparam("vaccine", type_=String)
AHEAD: Final = (
    select(func.count())
    .select_from(WaitRow)
    .where(
        WaitRow.centre_id == bindparam("centre"),
        WaitRow.day == bindparam("day"),
        WaitRow.id < bindparam("entry"),
        or_(_vaccine.is_(None), WaitRow.vaccine_id.is_(None), WaitRow.vaccine_id == _vaccine),
    )
)
# Entries for which nothing can come any more: the day is over, or the person has a booking. today.
LAPSED: Final = or_(
    WaitRow.day < bindparam("today"),
    exists().where(and_(BookingRow.person_key == WaitRow.person_key, BookingRow.cancelled_ms.is_(None))),
)

# Whether a code is taken already. code.
_code: Final = bindparam("code", type_=String)
CODE_TAKEN: Final = select(
    or_(
        exists().where(HoldRow.code == _code),
        exists().where(WaitRow.code == _code),
        exists().where(BookingRow.code == _code),
    )
)
