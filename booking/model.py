"""What the store takes and gives back: values, detached from the database."""

from dataclasses import dataclass, field
from datetime import date

from shared.wire import How


@dataclass(frozen=True, slots=True)
class Centre:
    id: str
    region_ko: str
    region_en: str
    name_ko: str
    name_en: str
    address_ko: str
    address_en: str


@dataclass(frozen=True, slots=True)
class Vaccine:
    id: str
    name_ko: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Slot:
    """An appointment time for one vaccine at a centre. left: seats nobody has booked or holds."""

    id: int
    centre_id: str
    vaccine_id: str
    starts_ms: int
    left: int


@dataclass(frozen=True, slots=True)
class PersonKeys:
    """What is kept of a person's identity, and all that is: two keyed hashes and a name with its middle blotted out.

    key: tells that two bookings are for the same person, without telling who. For the rule of one booking each.
    birth_check: proves a birth date typed at look-up. Depends on `key`, so equal dates do not look equal.
    masked_name: lets a family tell its booking cards apart.
    """

    key: bytes = field(repr=False)
    birth_check: bytes = field(repr=False)
    masked_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Party:
    """For whom a seat is asked, and by whom.

    contact: the phone number to notify, sealed.
    booker: who books for the person; None: they book themself.
    consent: version of the text the booker agreed to. rule: name and version of the calendar's rule that let them.
    """

    person: PersonKeys
    contact: bytes = field(repr=False)
    booker: PersonKeys | None = None
    consent: str | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A seat kept for one visitor until `expires_ms`. code: will be the booking's, when there is one."""

    id: str = field(repr=False)
    code: str = field(repr=False)
    slot: Slot
    expires_ms: int
    masked_name: str = field(repr=False)
    booker_masked_name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class BookingCard:
    """A booking. how, number: how its maker got in; number is None for those who never stood in the line."""

    code: str = field(repr=False)
    slot: Slot
    masked_name: str = field(repr=False)
    booker_masked_name: str | None = field(repr=False)
    how: How
    number: int | None
    cancelled: bool


@dataclass(frozen=True, slots=True)
class WaitCard:
    """A place on the waitlist of a centre and a day. vaccine_id: None takes any. ahead: entries that come before it.

    code: will be the booking's, when a seat comes free.
    """

    code: str = field(repr=False)
    centre_id: str
    vaccine_id: str | None
    day: date
    masked_name: str = field(repr=False)
    booker_masked_name: str | None = field(repr=False)
    ahead: int


@dataclass(frozen=True, slots=True)
class Stock:
    """Seats of the slots that can still be booked. left: free now; unbooked: also those only held."""

    left: int
    unbooked: int


@dataclass(frozen=True, slots=True)
class Swept:
    """ended: holds whose seats were given back; promoted: waitlist entries that became bookings."""

    ended: int = 0
    promoted: int = 0


@dataclass(frozen=True, slots=True)
class Purged:
    """bookings: those that lost what they kept of a person; waiting: waitlist entries removed."""

    bookings: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done for one person.

    cancelled: live bookings cancelled; bookings: blanked, those among them; waiting, holds: removed;
    booked_for_others: bookings, holds and waitlist entries of others that no longer name them as their booker.
    """

    cancelled: int
    bookings: int
    waiting: int
    holds: int
    booked_for_others: int
