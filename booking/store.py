"""Centres, stock, holds and bookings. Each writing method is one whole transaction: all of it happens, or nothing.

Time is always an argument. A hold ends when its time is over, not when somebody tidies up: reading counts ended holds
as free, and the next hold gives their seats back.
"""

import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import codes, person, schedule, statements
from booking.database import Database
from booking.errors import (
    AlreadyBooked,
    HoldExpired,
    NoSuchBooking,
    NoSuchCentre,
    NoSuchSlot,
    OtherPass,
    PassUsed,
    SlotClosed,
    SoldOut,
    TooLateToCancel,
)
from booking.model import BookingCard, Centre, Hold, PersonKeys, Slot
from booking.tables import CentreRow, FactRow, SlotRow
from shared.errors import SunbeonError
from shared.passes import PassClaims
from shared.wire import How

HOLD_ID_BYTES: Final = 16

Random = Callable[[int], bytes]


class WrongSecret(SunbeonError):
    """The database was made with another person key: one booking per person could not be kept."""


class BookingStore:
    """All methods may raise `StoreUnavailable`; then nothing was done."""

    def __init__(
        self, database: Database, *, secret: bytes, hold_ms: int, random: Random = secrets.token_bytes
    ) -> None:
        self._database = database
        self._secret = secret
        self._hold_ms = hold_ms
        self._random = random

    async def prepare(self, centres: Iterable[Centre], slots: Iterable[tuple[str, int]], *, capacity: int) -> None:
        """Add the centres and slots that are not there yet; what is there stays as it is. Raises `WrongSecret`."""
        mark = person.fingerprint(self._secret)
        async with self._database.write() as db:
            known = await db.scalar(select(FactRow.value).where(FactRow.name == "secret"))
            if known is None:
                await db.execute(insert(FactRow).values(name="secret", value=mark))
            elif not hmac.compare_digest(known, mark):
                raise WrongSecret(
                    "the database was made with another secret (booking.secret_file or SUNBEON_BOOKING_SECRET); "
                    "with this one, people who have booked could book again"
                )
            for position, centre in enumerate(centres):
                row = {name: getattr(centre, name) for name in Centre.__slots__}
                await db.execute(sqlite_insert(CentreRow).values(position=position, **row).on_conflict_do_nothing())
            rows = [{"centre_id": id_, "starts_ms": start, "capacity": capacity, "taken": 0} for id_, start in slots]
            if rows:
                await db.execute(sqlite_insert(SlotRow).on_conflict_do_nothing(), rows)

    async def centres(self) -> list[Centre]:
        query = select(
            CentreRow.id, CentreRow.name_ko, CentreRow.name_en, CentreRow.address_ko, CentreRow.address_en
        ).order_by(CentreRow.position)
        async with self._database.read() as db:
            return [Centre(*row) for row in await db.execute(query)]

    async def centre(self, centre_id: str) -> Centre:
        """Raises `NoSuchCentre`."""
        for centre in await self.centres():
            if centre.id == centre_id:
                return centre
        raise NoSuchCentre("there is no such centre")

    async def slots(self, *, now_ms: int, centre_id: str | None = None, day: date | None = None) -> list[Slot]:
        """Slots that can still be booked, also the full ones, by time and centre."""
        query = statements.SLOTS.where(SlotRow.starts_ms >= schedule.bookable_from(now_ms))
        if centre_id is not None:
            query = query.where(SlotRow.centre_id == centre_id)
        if day is not None:
            start, end = schedule.day_bounds(day)
            query = query.where(SlotRow.starts_ms >= start, SlotRow.starts_ms < end)
        async with self._database.read() as db:
            return [Slot(*row) for row in await db.execute(query, {"now_ms": now_ms})]

    async def slot(self, slot_id: int, *, now_ms: int) -> Slot:
        """Raises `NoSuchSlot`."""
        async with self._database.read() as db:
            return await _slot(db, slot_id, now_ms)

    async def hold(self, slot_id: int, keys: PersonKeys, by: PassClaims, *, now_ms: int) -> Hold:
        """Keep a seat for this pass; the seat it held before is given back, so nobody holds two.

        Raises `NoSuchSlot`, `SlotClosed`, `PassUsed`, `AlreadyBooked`, `SoldOut`; an earlier hold then stays.
        """
        asked = {"slot": slot_id, "now_ms": now_ms, "by_pass": by.pass_id, "person": keys.key}
        async with self._database.write() as db:
            row = (await db.execute(statements.BEFORE_HOLD, asked)).one_or_none()
            if row is None:
                raise NoSuchSlot("there is no such appointment")
            *columns, some_are_over, pass_used, already_booked = row
            slot = Slot(*columns)
            if slot.starts_ms < schedule.bookable_from(now_ms):
                raise SlotClosed("this appointment can no longer be booked")
            if pass_used:
                raise PassUsed("this pass has made its booking")
            if already_booked:
                raise AlreadyBooked("this person has a booking")
            if some_are_over:
                for ended in (await db.execute(statements.END_HOLDS, asked)).scalars().all():
                    await db.execute(statements.RETURN_SEAT, {"slot": ended})
                slot = await _slot(db, slot_id, now_ms)
            if not (await db.execute(statements.TAKE_SEAT, asked)).rowcount:
                raise SoldOut("no seat is left at this time")
            hold_id, expires_ms = self._random(HOLD_ID_BYTES).hex(), now_ms + self._hold_ms
            new = {
                "id": hold_id,
                "slot_id": slot_id,
                "expires_ms": expires_ms,
                "person_key": keys.key,
                "birth_check": keys.birth_check,
                "masked_name": keys.masked_name,
                "pass_id": by.pass_id,
                "number": by.number,
            }
            await db.execute(statements.ADD_HOLD, new)
        return Hold(hold_id, replace(slot, left=slot.left - 1), expires_ms, keys.masked_name)

    async def find_hold(self, hold_id: str, by: PassClaims, *, now_ms: int) -> Hold:
        """A live hold. Raises `HoldExpired`, `OtherPass`."""
        async with self._database.read() as db:
            row: Any = (await db.execute(statements.HOLD, {"hold": hold_id})).one_or_none()
            _check_hold(row, by, now_ms)
            return Hold(hold_id, await _slot(db, row.slot_id, now_ms), row.expires_ms, row.masked_name)

    async def confirm(self, hold_id: str, by: PassClaims, *, now_ms: int) -> BookingCard:
        """Turn a hold into a booking. Doing it again gives the same booking.

        Raises `HoldExpired`, `OtherPass`, `AlreadyBooked`, `PassUsed`.
        """
        async with self._database.write() as db:
            # The seat stays taken: it was the hold's and becomes the booking's. Any error below undoes this.
            hold = (await db.execute(statements.END_HOLD, {"hold": hold_id})).one_or_none()
            if hold is None:
                return await _booked_before(db, hold_id, by, now_ms)
            _check_hold(hold, by, now_ms)
            code = codes.code_from(self._random(codes.LENGTH))
            try:
                await db.execute(statements.ADD_BOOKING, _booking(hold, by, code, now_ms))
            except IntegrityError:
                # The database said no. These two are what it can have meant; anything else is a fault.
                await _check_unbooked(db, hold.person_key, by.pass_id)
                raise
            slot = await _slot(db, hold.slot_id, now_ms)
        return BookingCard(code, slot, hold.masked_name, by.how, by.number, cancelled=False)

    async def find_booking(self, code: str, birth_date: date, *, now_ms: int) -> BookingCard:
        """Raises `NoSuchBooking`, also when only the birth date is wrong."""
        async with self._database.read() as db:
            return await _card(db, await self._proved(db, code, birth_date), now_ms)

    async def cancel(self, code: str, birth_date: date, *, now_ms: int) -> BookingCard:
        """Give the seat back. Doing it again changes nothing. Raises `NoSuchBooking`, `TooLateToCancel`."""
        async with self._database.write() as db:
            row = await self._proved(db, code, birth_date)
            card = await _card(db, row, now_ms)
            if row.cancelled_ms is None:
                if card.slot.starts_ms <= now_ms:
                    raise TooLateToCancel("the appointment has begun")
                await db.execute(statements.CANCEL, {"booking": row.code, "now_ms": now_ms})
                await db.execute(statements.RETURN_SEAT, {"slot": row.slot_id})
            return await _card(db, await self._proved(db, code, birth_date), now_ms)

    async def _proved(self, db: AsyncConnection, code: str, birth_date: date) -> Any:
        row = (await db.execute(statements.BOOKING, {"booking": codes.normalise(code)})).one_or_none()
        if row is not None:
            expected = person.birth_check(birth_date, row.person_key, self._secret)
            if hmac.compare_digest(row.birth_check, expected):
                return row
        raise NoSuchBooking("no booking has this code and birth date")


async def _slot(db: AsyncConnection, slot_id: int, now_ms: int) -> Slot:
    row = (await db.execute(statements.SLOT, {"slot": slot_id, "now_ms": now_ms})).one_or_none()
    if row is None:
        raise NoSuchSlot("there is no such appointment")
    return Slot(*row)


async def _check_unbooked(db: AsyncConnection, person_key: bytes, pass_id: str) -> None:
    if await db.scalar(statements.BOOKING_BY_PASS, {"by_pass": pass_id}):
        raise PassUsed("this pass has made its booking")
    if await db.scalar(statements.LIVE_BOOKING, {"person": person_key}):
        raise AlreadyBooked("this person has a booking")


async def _booked_before(db: AsyncConnection, hold_id: str, by: PassClaims, now_ms: int) -> BookingCard:
    row = (await db.execute(statements.BOOKING_OF_HOLD, {"hold": hold_id})).one_or_none()
    if row is None or row.cancelled_ms is not None:
        raise HoldExpired("the seat is no longer held")
    _check_owner(row, by)
    return await _card(db, row, now_ms)


def _check_hold(row: Any, by: PassClaims, now_ms: int) -> None:
    if row is None or row.expires_ms <= now_ms:
        raise HoldExpired("the seat is no longer held")
    _check_owner(row, by)


def _check_owner(row: Any, by: PassClaims) -> None:
    # Passes from outside the line (exempt, passthrough) have a new id with every request, also when the operator
    # switches the room off while somebody is inside. For them the unguessable id of the hold is the proof.
    if row.pass_id != by.pass_id and row.number is not None and by.number is not None:
        raise OtherPass("this hold was made with another pass")


async def _card(db: AsyncConnection, row: Any, now_ms: int) -> BookingCard:
    slot = await _slot(db, row.slot_id, now_ms)
    return BookingCard(row.code, slot, row.masked_name, How(row.how), row.number, row.cancelled_ms is not None)


def _booking(hold: Any, by: PassClaims, code: str, now_ms: int) -> dict[str, object]:
    return {
        "code": code,
        "hold_id": hold.id,
        "slot_id": hold.slot_id,
        "person_key": hold.person_key,
        "birth_check": hold.birth_check,
        "masked_name": hold.masked_name,
        "created_ms": now_ms,
        "pass_id": by.pass_id,
        "room": by.room,
        "epoch": by.epoch,
        "number": by.number,
        "place": by.place,
        "how": by.how.value,
        "rule": by.rule,
        "settings_version": by.settings_version,
    }
