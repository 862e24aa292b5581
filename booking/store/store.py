"""Centres, stock, holds, bookings and waitlists. Each writing method is one whole transaction: all of it, or nothing.

Time is always an argument. A hold ends when its time is over, not when somebody tidies up: reading counts ended holds
as free, and whoever wants a seat of the slot, or `sweep`, gives them back; first to those on the waitlist.
"""

import secrets
from collections.abc import AsyncIterator, Iterable
from datetime import date
from functools import partial
from typing import Any

from booking.errors import NoSuchCentre
from booking.model import (
    BookingCard,
    Centre,
    Erased,
    Hold,
    Party,
    Purged,
    Slot,
    Stock,
    Swept,
    Vaccine,
    WaitCard,
)
from booking.store import audit, booked, catalogue, holding, people, waiting
from booking.store.catalogue import SlotPlan
from booking.store.database import Database
from booking.store.people import WithoutBooker
from booking.store.rows import Random, Terms, slot_of, storable, storable_id
from shared.passes import PassClaims


class BookingStore:
    """All methods may raise `StoreUnavailable`; then nothing was done."""

    def __init__(
        self,
        database: Database,
        *,
        secret: bytes,
        hold_ms: int,
        proxy_limit: int,
        random: Random = secrets.token_bytes,
    ) -> None:
        """proxy_limit: live bookings and waitlist entries one person may have made for others."""
        self._database = database
        self._terms = Terms(secret, hold_ms, proxy_limit, random)

    async def prepare(self, centres: Iterable[Centre], vaccines: Iterable[Vaccine], slots: Iterable[SlotPlan]) -> None:
        """Add what is not there yet; what is there stays as it is. slots: centre, vaccine, start in ms, capacity.

        Raises `WrongSecret`.
        """
        parts = list(centres), list(vaccines), list(slots)
        await self._database.write(lambda db: catalogue.prepare(db, self._terms, *parts))

    async def centres(self, *, search: str | None = None) -> list[Centre]:
        """search: words that all occur in the region, name or address, in either language."""
        async with self._database.read() as db:
            return await catalogue.centres(db, search)

    async def centre(self, centre_id: str) -> Centre:
        """Raises `NoSuchCentre`."""
        for centre in await self.centres():
            if centre.id == centre_id:
                return centre
        raise NoSuchCentre("there is no such centre")

    async def vaccines(self) -> list[Vaccine]:
        async with self._database.read() as db:
            return await catalogue.vaccines(db)

    async def slots(
        self, *, now_ms: int, centre_id: str | None = None, vaccine_id: str | None = None, day: date | None = None
    ) -> list[Slot]:
        """Slots that can still be booked, also the full ones, by time, centre and vaccine."""
        async with self._database.read() as db:
            return await catalogue.slots(
                db, centre_id and storable(centre_id), vaccine_id and storable(vaccine_id), day, now_ms
            )

    async def slot(self, slot_id: int, *, now_ms: int) -> Slot:
        """Raises `NoSuchSlot`."""
        async with self._database.read() as db:
            return await slot_of(db, storable_id(slot_id), now_ms)

    async def provenance(self) -> AsyncIterator[Any]:
        """How each booking got in, in no order; nothing of any person, and no code."""
        async with self._database.read() as db:
            async for row in audit.provenance(db):
                yield row

    async def stock(self, *, now_ms: int) -> Stock:
        async with self._database.read() as db:
            return await catalogue.stock(db, now_ms)

    async def hold(self, slot_id: int, party: Party, by: PassClaims, *, now_ms: int) -> Hold:
        """Keep a seat for this pass; the seat it held before is given back, so nobody holds two.

        Asking again for the same seat and person gives the same hold, with the time it has left.
        Raises `NoSuchSlot`, `SlotClosed`, `PassUsed`, `AlreadyBooked`, `ProxyLimitReached`, `SoldOut`; an earlier hold
        then stays.
        """
        slot_id = storable_id(slot_id)
        async with self._database.read() as db:
            await holding.look(db, self._terms, slot_id, party, by, now_ms)
        return await self._database.write(lambda db: holding.hold(db, self._terms, slot_id, party, by, now_ms))

    async def find_hold(self, hold_id: str, by: PassClaims, *, now_ms: int) -> Hold:
        """A live hold. Raises `HoldExpired`, `OtherPass`."""
        async with self._database.read() as db:
            return await holding.find(db, storable(hold_id), by, now_ms)

    async def drop_hold(self, hold_id: str, by: PassClaims, *, now_ms: int) -> None:
        """Give the seat back. Of a hold that is gone, nothing is left to do.

        Raises `OtherPass`; `AlreadyBooked` if it has become a booking.
        """
        await self._database.write(lambda db: holding.drop(db, self._terms, storable(hold_id), by, now_ms))

    async def confirm(self, hold_id: str, by: PassClaims, *, now_ms: int) -> BookingCard:
        """Turn a hold into a booking, of the same code. Doing it again gives the same booking.

        The person's other holds and waitlist entry end. Raises `HoldExpired`, `OtherPass`; and `AlreadyBooked`,
        `PassUsed`, `ProxyLimitReached`, after which the seat is given back.
        """
        return await self._database.write(lambda db: holding.confirm(db, self._terms, storable(hold_id), by, now_ms))

    async def find(self, code: str, birth_date: date, *, now_ms: int) -> BookingCard | WaitCard:
        """Raises `NoSuchBooking`, also when only the birth date is wrong."""
        async with self._database.read() as db:
            return await booked.find(db, self._terms, storable(code), birth_date, now_ms)

    async def find_person(self, person_key: bytes, *, now_ms: int) -> BookingCard | WaitCard | None:
        """The person's live booking, or else their waitlist entry."""
        async with self._database.read() as db:
            return await booked.find_person(db, person_key, now_ms)

    async def cancel(self, code: str, birth_date: date, *, now_ms: int) -> BookingCard:
        """Give the seat back. Doing it again changes nothing. Raises `NoSuchBooking`, `TooLateToCancel`."""
        return await self._database.write(lambda db: booked.cancel(db, self._terms, storable(code), birth_date, now_ms))

    async def change(self, code: str, birth_date: date, slot_id: int, *, now_ms: int) -> BookingCard:
        """Move a booking to another slot, of any centre and vaccine. To the slot it has: nothing changes.

        Raises `NoSuchBooking`, `BookingCancelled`, `TooLateToChange`, `NoSuchSlot`, `SlotClosed`, `SoldOut`; the old
        seat then stays.
        """
        code, slot_id = storable(code), storable_id(slot_id)
        return await self._database.write(lambda db: booked.change(db, self._terms, code, birth_date, slot_id, now_ms))

    async def join_waitlist(
        self,
        centre_id: str,
        day: date,
        party: Party,
        by: PassClaims,
        *,
        vaccine_id: str | None = None,
        now_ms: int,
    ) -> WaitCard:
        """Wait for a seat; it is booked as soon as it comes free. Again for the same day: the same entry.

        vaccine_id: None takes any. Raises `NoSuchCentre`, `NoSuchVaccine`, `NoSuchSlot`, `SlotClosed`, `SeatsLeft`,
        `AlreadyBooked`, `AlreadyWaiting`, `PassUsed`, `ProxyLimitReached`.
        """
        centre_id, vaccine_id = storable(centre_id), vaccine_id and storable(vaccine_id)
        return await self._database.write(
            lambda db: waiting.join(db, self._terms, centre_id, day, party, by, vaccine_id, now_ms)
        )

    async def leave_waitlist(self, code: str, birth_date: date, *, now_ms: int) -> None:  # noqa: ARG002 - as its sisters
        """Raises `NoSuchBooking`; `AlreadyBooked` if the entry has become a booking."""
        await self._database.write(lambda db: waiting.leave(db, self._terms, storable(code), birth_date))

    async def sweep(self, *, now_ms: int) -> Swept:
        """Give back the seats of holds that are over, and book free seats for those who wait for them.

        By any number of programs at once. Slot by slot, so that nobody waits long for it.
        """
        async with self._database.read() as db:
            slots = await waiting.slots_to_sweep(db, now_ms)
            lapsed = await waiting.any_lapsed(db, now_ms)
        ended = promoted = 0
        for slot_id in slots:
            sweep_slot = partial(waiting.sweep_slot, terms=self._terms, slot_id=slot_id, now_ms=now_ms)
            of_slot = await self._database.write(sweep_slot)
            ended, promoted = ended + of_slot[0], promoted + of_slot[1]
        if lapsed:
            await self._database.write(lambda db: waiting.end_lapsed(db, now_ms))
        return Swept(ended, promoted)

    async def purge(self, *, before_ms: int, dry_run: bool = False) -> Purged:
        """Forget the persons of appointments before `before_ms`, and of bookings cancelled before it.

        What stays is the provenance: pass, number, how, slot, times. dry_run: only count.
        """
        async with self._database.read() as db:
            counted = Purged(*await people.count_past(db, before_ms))
        if dry_run:
            return counted
        bookings = 0
        while blanked := await self._database.write(lambda db: people.blank_past(db, before_ms)):
            bookings += blanked
        dropped = await self._database.write(lambda db: people.drop_past_waiting(db, before_ms))
        await self._database.forget()
        return Purged(bookings, dropped)

    async def export_person(self, person_key: bytes) -> dict[str, Any]:
        """All that is kept of this person, as JSON has it. `contact_sealed`: the phone number, for `booking.sealed`."""
        async with self._database.read() as db:
            return await people.export(db, person_key)

    async def erase_person(
        self, person_key: bytes, *, now_ms: int, without_booker: WithoutBooker = lambda _sealed: None
    ) -> Erased:
        """Forget this person. A booking still to come is cancelled. What stays is the provenance, as with `purge`.

        without_booker: what is left of a sealed contact, of a booking they made for somebody else.
        """
        erased = await self._database.write(
            lambda db: people.erase(db, self._terms, person_key, now_ms, without_booker)
        )
        await self._database.forget()
        return erased

    async def check(self) -> list[str]:
        """Every difference between seats counted and rows that hold them, and codes given twice; [] is sound."""
        async with self._database.read() as db:
            return await audit.check(db)
