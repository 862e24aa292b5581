"""The tables. What must never happen is forbidden here, in the database, and not only in the code that writes.

A change here needs a migration: `booking.store.migrations` has to end in exactly these tables.
"""

from datetime import date

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Names by which the code tells what a refused row ran into.
ONE_PER_PERSON = "one_live_booking_per_person"
ONE_PER_PASS = "one_booking_per_pass"
ONE_PER_BOOKER_SEAT = "one_live_booking_per_booker_seat"
ONE_WAITING_PER_PERSON = "one_waitlist_entry_per_person"
ONE_WAITING_PER_PASS = "one_waitlist_entry_per_pass"
ONE_HOLD_PER_PASS = "one_hold_per_pass"
# The largest `proxy_limit` there can be.
MOST_BOOKER_SEATS = 100


class Base(DeclarativeBase):
    """Their metadata. Every key and constraint has a name, the same on both databases."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )


def _live(name: str, *columns: str) -> Index:
    where = text("cancelled_ms IS NULL")
    return Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)


class CentreRow(Base):
    __tablename__ = "centres"

    id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    region_ko: Mapped[str]
    region_en: Mapped[str]
    name_ko: Mapped[str]
    name_en: Mapped[str]
    address_ko: Mapped[str]
    address_en: Mapped[str]


class VaccineRow(Base):
    __tablename__ = "vaccines"

    id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    name_ko: Mapped[str]
    name_en: Mapped[str]


class SlotRow(Base):
    """taken: seats booked or held."""

    __tablename__ = "slots"
    __table_args__ = (
        UniqueConstraint("centre_id", "vaccine_id", "starts_ms"),
        CheckConstraint("taken >= 0 AND taken <= capacity", name="never_oversold"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    centre_id: Mapped[str] = mapped_column(ForeignKey("centres.id"))
    vaccine_id: Mapped[str] = mapped_column(ForeignKey("vaccines.id"))
    starts_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    capacity: Mapped[int]
    taken: Mapped[int] = mapped_column(default=0)


class HoldRow(Base):
    """A seat kept for a few minutes. The row goes when the hold does, and what it keeps of the person with it."""

    __tablename__ = "holds"
    __table_args__ = (
        # Nobody keeps a row of seats while choosing.
        Index(ONE_HOLD_PER_PASS, "pass_id", unique=True),
        Index("ix_holds_slot_id_expires_ms", "slot_id", "expires_ms"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    slot_id: Mapped[int] = mapped_column(ForeignKey("slots.id"))
    expires_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    person_key: Mapped[bytes] = mapped_column(LargeBinary, index=True)
    birth_check: Mapped[bytes] = mapped_column(LargeBinary)
    masked_name: Mapped[str]
    contact: Mapped[bytes] = mapped_column(LargeBinary)
    booker_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    booker_masked_name: Mapped[str | None]
    consent: Mapped[str | None]
    calendar_rule: Mapped[str | None]
    pass_id: Mapped[str]
    number: Mapped[int | None]


class WaitRow(Base):
    """A place on a waitlist. The row goes with the wait: into a booking, or away."""

    __tablename__ = "waitlist"
    __table_args__ = (
        Index(ONE_WAITING_PER_PERSON, "person_key", unique=True),
        Index(ONE_WAITING_PER_PASS, "pass_id", unique=True),
        Index("ix_waitlist_centre_id_day", "centre_id", "day"),
        # Ids are the order of the line: none is given a second time.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    centre_id: Mapped[str] = mapped_column(ForeignKey("centres.id"))
    vaccine_id: Mapped[str | None] = mapped_column(ForeignKey("vaccines.id"))
    day: Mapped[date]
    joined_ms: Mapped[int] = mapped_column(BigInteger)
    person_key: Mapped[bytes] = mapped_column(LargeBinary)
    birth_check: Mapped[bytes] = mapped_column(LargeBinary)
    masked_name: Mapped[str]
    contact: Mapped[bytes] = mapped_column(LargeBinary)
    booker_key: Mapped[bytes | None] = mapped_column(LargeBinary, index=True)
    booker_masked_name: Mapped[str | None]
    consent: Mapped[str | None]
    calendar_rule: Mapped[str | None]

    pass_id: Mapped[str]
    room: Mapped[str]
    epoch: Mapped[int]
    number: Mapped[int | None]
    place: Mapped[int | None]
    how: Mapped[str]
    bypass_rule: Mapped[str | None]
    settings_version: Mapped[int]


class BookingRow(Base):
    """A booking and its provenance: the claims of the pass that made it, so that no booking is "just a booking".

    What is known of the person can be taken out (`person_key` to `booker_seat`); the provenance stays for audits.
    """

    __tablename__ = "bookings"
    __table_args__ = (
        _live(ONE_PER_PERSON, "person_key"),
        # A booker's bookings for others are numbered from 1 to the limit: no two have one number, however they race.
        _live(ONE_PER_BOOKER_SEAT, "booker_key", "booker_seat"),
        # Also of cancelled ones: a pass, and any copy of it, books once.
        Index(ONE_PER_PASS, "pass_id", unique=True),
        CheckConstraint(
            "(person_key IS NULL) = (birth_check IS NULL) AND (person_key IS NULL) = (masked_name IS NULL) "
            "AND (person_key IS NOT NULL OR (contact IS NULL AND booker_key IS NULL))",
            name="person_whole_or_gone",
        ),
        CheckConstraint(
            "(booker_key IS NULL) = (booker_masked_name IS NULL) AND (booker_key IS NULL) = (booker_seat IS NULL)",
            name="booker_whole_or_gone",
        ),
        CheckConstraint(f"booker_seat >= 1 AND booker_seat <= {MOST_BOOKER_SEATS}", name="booker_seat_in_bounds"),
        CheckConstraint("(hold_id IS NULL) <> (waitlist_id IS NULL)", name="held_or_waited_for"),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    # Names the request that made the booking, so that repeating it gives the same one. None: came from the waitlist.
    hold_id: Mapped[str | None] = mapped_column(unique=True)
    waitlist_id: Mapped[int | None] = mapped_column(unique=True)
    slot_id: Mapped[int] = mapped_column(ForeignKey("slots.id"), index=True)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    changed_ms: Mapped[int | None] = mapped_column(BigInteger)
    cancelled_ms: Mapped[int | None] = mapped_column(BigInteger)

    person_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    birth_check: Mapped[bytes | None] = mapped_column(LargeBinary)
    masked_name: Mapped[str | None]
    # None also for bookings from before contacts were kept.
    contact: Mapped[bytes | None] = mapped_column(LargeBinary)
    booker_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    booker_masked_name: Mapped[str | None]
    booker_seat: Mapped[int | None]

    consent: Mapped[str | None]
    calendar_rule: Mapped[str | None]
    pass_id: Mapped[str]
    room: Mapped[str]
    epoch: Mapped[int]
    number: Mapped[int | None]
    place: Mapped[int | None]
    how: Mapped[str]
    # The gateway's rule that let an exempt visitor through; `calendar_rule` is who may book when.
    bypass_rule: Mapped[str | None]
    settings_version: Mapped[int]


class FactRow(Base):
    """What must stay true of this database from start to start."""

    __tablename__ = "facts"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
