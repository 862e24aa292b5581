"""The statements of the hot transactions, built once: building one costs more than SQLite takes to run it.

Parameters are named at each `bindparam`.
"""

from typing import Final

from sqlalchemy import BigInteger, LargeBinary, String, bindparam, delete, exists, func, insert, or_, select, update

from booking.tables import BookingRow, HoldRow, SlotRow

_now: Final = bindparam("now_ms", type_=BigInteger)
_pass: Final = bindparam("by_pass", type_=String)
_person: Final = bindparam("person", type_=LargeBinary)

_ended: Final = (
    select(func.count()).select_from(HoldRow).where(HoldRow.slot_id == SlotRow.id, HoldRow.expires_ms <= _now)
).scalar_subquery()

# Columns as in `model.Slot`. Holds that have ended count as free. now_ms.
SLOTS: Final = select(
    SlotRow.id, SlotRow.centre_id, SlotRow.starts_ms, SlotRow.capacity - SlotRow.taken + _ended
).order_by(SlotRow.starts_ms, SlotRow.centre_id)

# The same of one slot. slot, now_ms.
SLOT: Final = SLOTS.where(SlotRow.id == bindparam("slot"))

# Holds that end when this pass takes a new one: its own, and all whose time is over. now_ms, by_pass.
_over: Final = or_(HoldRow.expires_ms <= _now, HoldRow.pass_id == _pass)
END_HOLDS: Final = delete(HoldRow).where(_over).returning(HoldRow.slot_id)

# A live booking of this person. person.
LIVE_BOOKING: Final = select(BookingRow.code).where(BookingRow.person_key == _person, BookingRow.cancelled_ms.is_(None))
# A booking made by this pass, cancelled or not. by_pass.
BOOKING_BY_PASS: Final = select(BookingRow.code).where(BookingRow.pass_id == _pass)

# All that a new hold must know, asked at once: the slot, whether holds end, the pass is used, the person has booked.
# slot, now_ms, by_pass, person.
BEFORE_HOLD: Final = SLOT.add_columns(exists().where(_over), exists(BOOKING_BY_PASS), exists(LIVE_BOOKING))

# One seat, if there is one. slot.
TAKE_SEAT: Final = (
    update(SlotRow)
    .where(SlotRow.id == bindparam("slot"), SlotRow.taken < SlotRow.capacity)
    .values(taken=SlotRow.taken + 1)
)
RETURN_SEAT: Final = update(SlotRow).where(SlotRow.id == bindparam("slot")).values(taken=SlotRow.taken - 1)

ADD_HOLD: Final = insert(HoldRow)
HOLD: Final = select(HoldRow).where(HoldRow.id == bindparam("hold"))
# Gives the row that was there. hold.
END_HOLD: Final = delete(HoldRow).where(HoldRow.id == bindparam("hold")).returning(HoldRow)

ADD_BOOKING: Final = insert(BookingRow)
BOOKING_OF_HOLD: Final = select(BookingRow).where(BookingRow.hold_id == bindparam("hold"))
BOOKING: Final = select(BookingRow).where(BookingRow.code == bindparam("booking"))
CANCEL: Final = (
    update(BookingRow).where(BookingRow.code == bindparam("booking")).values(cancelled_ms=bindparam("now_ms"))
)
