"""The tables. What must never happen is forbidden here, in the database, and not only in the code that writes."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Their metadata."""


class CentreRow(Base):
    __tablename__ = "centres"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    position: Mapped[int]
    name_ko: Mapped[str]
    name_en: Mapped[str]
    address_ko: Mapped[str]
    address_en: Mapped[str]


class SlotRow(Base):
    """taken: seats booked or held."""

    __tablename__ = "slots"
    __table_args__ = (
        UniqueConstraint("centre_id", "starts_ms"),
        CheckConstraint("taken >= 0 AND taken <= capacity", name="never_oversold"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    centre_id: Mapped[str] = mapped_column(ForeignKey("centres.id"))
    starts_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    capacity: Mapped[int]
    taken: Mapped[int] = mapped_column(default=0)


class HoldRow(Base):
    """A seat kept for a few minutes. The row goes when the hold does, and the person's keys with it."""

    __tablename__ = "holds"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    slot_id: Mapped[int] = mapped_column(ForeignKey("slots.id"))
    expires_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    person_key: Mapped[bytes] = mapped_column(LargeBinary)
    birth_check: Mapped[bytes] = mapped_column(LargeBinary)
    masked_name: Mapped[str]
    # One hold per pass: nobody keeps a row of seats while choosing.
    pass_id: Mapped[str] = mapped_column(unique=True)
    number: Mapped[int | None]


class BookingRow(Base):
    """A booking and its provenance: the claims of the pass that made it, so that no booking is "just a booking"."""

    __tablename__ = "bookings"
    __table_args__ = (
        Index(
            "one_live_booking_per_person",
            "person_key",
            unique=True,
            sqlite_where=text("cancelled_ms IS NULL"),
            postgresql_where=text("cancelled_ms IS NULL"),
        ),
    )

    code: Mapped[str] = mapped_column(String, primary_key=True)
    # Names the request that made the booking, so that repeating it gives the same one.
    hold_id: Mapped[str] = mapped_column(unique=True)
    slot_id: Mapped[int] = mapped_column(ForeignKey("slots.id"), index=True)
    person_key: Mapped[bytes] = mapped_column(LargeBinary)
    birth_check: Mapped[bytes] = mapped_column(LargeBinary)
    masked_name: Mapped[str]
    created_ms: Mapped[int] = mapped_column(BigInteger)
    cancelled_ms: Mapped[int | None] = mapped_column(BigInteger)

    # Also of cancelled ones: a pass, and any copy of it, books once.
    pass_id: Mapped[str] = mapped_column(unique=True)
    room: Mapped[str]
    epoch: Mapped[int]
    number: Mapped[int | None]
    place: Mapped[int | None]
    how: Mapped[str]
    rule: Mapped[str | None]
    settings_version: Mapped[int]


class FactRow(Base):
    """What must stay true of this database from start to start."""

    __tablename__ = "facts"

    name: Mapped[str] = mapped_column(String, primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
