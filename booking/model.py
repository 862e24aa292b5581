"""What the store gives back: values, detached from the database."""

from dataclasses import dataclass, field

from shared.wire import How


@dataclass(frozen=True, slots=True)
class Centre:
    id: str
    name_ko: str
    name_en: str
    address_ko: str
    address_en: str


@dataclass(frozen=True, slots=True)
class Slot:
    """An appointment time at a centre. left: seats nobody has booked or holds."""

    id: int
    centre_id: str
    starts_ms: int
    left: int


@dataclass(frozen=True, slots=True)
class PersonKeys:
    """What is kept of a person, and all that is: two keyed hashes and a name with its middle blotted out.

    key: tells that two bookings are for the same person, without telling who. For the rule of one booking each.
    birth_check: proves a birth date typed at look-up. Depends on `key`, so equal dates do not look equal.
    masked_name: lets a family tell its booking cards apart.
    """

    key: bytes = field(repr=False)
    birth_check: bytes = field(repr=False)
    masked_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hold:
    """A seat kept for one visitor until `expires_ms`."""

    id: str
    slot: Slot
    expires_ms: int
    masked_name: str


@dataclass(frozen=True, slots=True)
class BookingCard:
    """A booking. how, number: how its maker got in; number is None for those who never stood in the line."""

    code: str
    slot: Slot
    masked_name: str
    how: How
    number: int | None
    cancelled: bool
