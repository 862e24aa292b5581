"""Between rows and values: what is kept of a party and of a pass, and the cards made of it."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import codes, person
from booking.errors import HoldExpired, NoSuchBooking, NoSuchSlot, OtherPass
from booking.model import BookingCard, Hold, Party, Slot, WaitCard
from booking.store import statements
from booking.store.database import Again
from shared.passes import PassClaims
from shared.wire import How

# Of 50 bits, two in a row that are taken mean that the random numbers are none.
DRAWS: Final = 8

LARGEST_ID: Final = 2**31 - 1

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a store was set up with. proxy_limit: live bookings one person may have made for others."""

    secret: bytes = field(repr=False)
    hold_ms: int
    proxy_limit: int
    random: Random = field(repr=False)

    def proves(self, row: Any, birth_date: date) -> bool:
        """Whether this is the birth date of the person of `row`. Of a person forgotten, none is."""
        if row is None or row.person_key is None:
            return False
        return hmac.compare_digest(row.birth_check, person.birth_check(birth_date, row.person_key, self.secret))


def storable(text: str) -> str:
    """`text`; or, for one that PostgreSQL could not even be asked about, one that is in no row."""
    return "" if "\0" in text else text


def storable_id(number: int) -> int:
    """The same for the number of a row."""
    return number if 0 < number <= LARGEST_ID else 0


async def one(db: AsyncConnection, statement: Any, **parameters: object) -> Row[Any] | None:
    """The one row there is, or None."""
    return (await db.execute(statement, parameters)).one_or_none()


async def draw_code(db: AsyncConnection, terms: Terms) -> str:
    """A code that nothing has. Should another transaction draw it at this moment, the tables refuse one of the two."""
    for _ in range(DRAWS):
        code = codes.code_from(terms.random(codes.LENGTH))
        if not await db.scalar(statements.CODE_TAKEN, {"code": code}):
            return code
    raise Again


async def slot_of(db: AsyncConnection, slot_id: int, now_ms: int) -> Slot:
    """Raises `NoSuchSlot`."""
    row: Any = await one(db, statements.SLOT, slot=slot_id, now_ms=now_ms)
    if row is None:
        raise NoSuchSlot("there is no such appointment")
    return Slot(*row)


async def hold_of(db: AsyncConnection, row: Any, now_ms: int) -> Hold:
    slot = await slot_of(db, row.slot_id, now_ms)
    return Hold(row.id, row.code, slot, row.expires_ms, row.masked_name, row.booker_masked_name)


async def card_of(db: AsyncConnection, row: Any, now_ms: int) -> BookingCard:
    slot = await slot_of(db, row.slot_id, now_ms)
    how, cancelled = How(row.how), row.cancelled_ms is not None
    return BookingCard(row.code, slot, row.masked_name, row.booker_masked_name, how, row.number, cancelled)


async def wait_card_of(db: AsyncConnection, row: Any) -> WaitCard:
    asked = {"centre": row.centre_id, "day": row.day, "vaccine": row.vaccine_id, "entry": row.id}
    ahead = await db.scalar(statements.AHEAD, asked)
    return WaitCard(
        row.code, row.centre_id, row.vaccine_id, row.day, row.masked_name, row.booker_masked_name, ahead or 0
    )


async def proved_booking(db: AsyncConnection, terms: Terms, code: str, birth_date: date) -> Any:
    """The row. Raises `NoSuchBooking`, also when only the birth date is wrong."""
    row = await one(db, statements.BOOKING, code=codes.normalise(code))
    if not terms.proves(row, birth_date):
        raise NoSuchBooking("no booking has this code and birth date")
    return row


def check_hold(row: Any, by: PassClaims, now_ms: int) -> None:
    """Raises `HoldExpired`, `OtherPass`."""
    if row is None or row.expires_ms <= now_ms:
        raise HoldExpired("the seat is no longer held")
    check_owner(row, by)


def check_owner(row: Any, by: PassClaims) -> None:
    """Raises `OtherPass`."""
    # Passes from outside the line (exempt, passthrough) have a new id with every request, also when the operator
    # switches the room off while somebody is inside. For them the unguessable id of the hold is the proof.
    if row.pass_id != by.pass_id and row.number is not None and by.number is not None:
        raise OtherPass("this hold was made with another pass")


def party_columns(party: Party) -> dict[str, object]:
    booker = party.booker
    return {
        "person_key": party.person.key,
        "birth_check": party.person.birth_check,
        "masked_name": party.person.masked_name,
        "contact": party.contact,
        "booker_key": booker and booker.key,
        "booker_masked_name": booker and booker.masked_name,
        "consent": party.consent,
        "calendar_rule": party.rule,
    }


def pass_columns(by: PassClaims) -> dict[str, object]:
    return {
        "pass_id": by.pass_id,
        "room": by.room,
        "epoch": by.epoch,
        "number": by.number,
        "place": by.place,
        "how": by.how.value,
        "bypass_rule": by.rule,
        "settings_version": by.settings_version,
    }


_PARTY: Final = (
    "person_key",
    "birth_check",
    "masked_name",
    "contact",
    "booker_key",
    "booker_masked_name",
    "consent",
    "calendar_rule",
)
_PASS: Final = ("pass_id", "room", "epoch", "number", "place", "how", "bypass_rule", "settings_version")


def carried(row: Any, *, with_pass: bool) -> dict[str, object]:
    """What a booking takes over from its hold, or, with the pass, from its waitlist entry."""
    return {name: getattr(row, name) for name in ("code", *_PARTY, *(_PASS if with_pass else ()))}
