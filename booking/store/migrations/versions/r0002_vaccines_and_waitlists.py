"""Vaccines, bookings for others, waitlists; persons that can be forgotten.

Bookings are carried over. Seats that are only held are given back: their holds know neither code nor phone number.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# Slots had no vaccine; these are the demo's.
_VACCINE = {"id": "gaon", "position": 0, "name_ko": "가온백신", "name_en": "Gaon vaccine"}
_REGIONS = {
    "seoul": ("서울", "Seoul"),
    "busan": ("부산", "Busan"),
    "daegu": ("대구", "Daegu"),
    "gwangju": ("광주", "Gwangju"),
    "daejeon": ("대전", "Daejeon"),
    "jeju": ("제주", "Jeju"),
}


def upgrade() -> None:
    op.execute(
        "UPDATE slots SET taken = taken - (SELECT count(*) FROM holds WHERE holds.slot_id = slots.id) "
        "WHERE id IN (SELECT slot_id FROM holds)"
    )
    op.drop_table("holds")
    # The names are wanted for what comes.
    for index, table in (
        ("ix_slots_starts_ms", "slots"),
        ("ix_bookings_slot_id", "bookings"),
        ("one_live_booking_per_person", "bookings"),
    ):
        op.drop_index(index, table_name=table)
    for table in ("centres", "slots", "bookings"):
        op.rename_table(table, f"{table}_1")
    _create_places()
    _create_people()
    _carry_over()
    for table in ("bookings_1", "slots_1", "centres_1"):
        op.drop_table(table)


def _create_places() -> None:
    op.create_table(
        "centres",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("region_ko", sa.String, nullable=False),
        sa.Column("region_en", sa.String, nullable=False),
        sa.Column("name_ko", sa.String, nullable=False),
        sa.Column("name_en", sa.String, nullable=False),
        sa.Column("address_ko", sa.String, nullable=False),
        sa.Column("address_en", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_centres"),
    )
    op.create_table(
        "vaccines",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name_ko", sa.String, nullable=False),
        sa.Column("name_en", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vaccines"),
    )
    op.create_table(
        "slots",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("centre_id", sa.String, nullable=False),
        sa.Column("vaccine_id", sa.String, nullable=False),
        sa.Column("starts_ms", sa.BigInteger, nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("taken", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_slots"),
        sa.ForeignKeyConstraint(["centre_id"], ["centres.id"], name="fk_slots_centre_id"),
        sa.ForeignKeyConstraint(["vaccine_id"], ["vaccines.id"], name="fk_slots_vaccine_id"),
        sa.UniqueConstraint("centre_id", "vaccine_id", "starts_ms", name="uq_slots_centre_id"),
        sa.CheckConstraint("taken >= 0 AND taken <= capacity", name="never_oversold"),
    )
    op.create_index("ix_slots_starts_ms", "slots", ["starts_ms"])


def _party(*, may_be_gone: bool = False) -> list[sa.Column[object]]:
    return [
        sa.Column("person_key", sa.LargeBinary, nullable=may_be_gone),
        sa.Column("birth_check", sa.LargeBinary, nullable=may_be_gone),
        sa.Column("masked_name", sa.String, nullable=may_be_gone),
        sa.Column("contact", sa.LargeBinary, nullable=may_be_gone),
        sa.Column("booker_key", sa.LargeBinary),
        sa.Column("booker_masked_name", sa.String),
        sa.Column("consent", sa.String),
        sa.Column("calendar_rule", sa.String),
    ]


def _provenance() -> list[sa.Column[object]]:
    return [
        sa.Column("pass_id", sa.String, nullable=False),
        sa.Column("room", sa.String, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer),
        sa.Column("place", sa.Integer),
        sa.Column("how", sa.String, nullable=False),
        sa.Column("bypass_rule", sa.String),
        sa.Column("settings_version", sa.Integer, nullable=False),
    ]


def _create_people() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("slot_id", sa.Integer, nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
        *_party(),
        sa.Column("pass_id", sa.String, nullable=False),
        sa.Column("number", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
        sa.UniqueConstraint("code", name="uq_holds_code"),
        sa.ForeignKeyConstraint(["slot_id"], ["slots.id"], name="fk_holds_slot_id"),
    )
    op.create_index("one_hold_per_pass", "holds", ["pass_id"], unique=True)
    op.create_index("ix_holds_slot_id_expires_ms", "holds", ["slot_id", "expires_ms"])
    op.create_index("ix_holds_expires_ms", "holds", ["expires_ms"])
    op.create_index("ix_holds_person_key", "holds", ["person_key"])
    op.create_table(
        "waitlist",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("centre_id", sa.String, nullable=False),
        sa.Column("vaccine_id", sa.String),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("joined_ms", sa.BigInteger, nullable=False),
        *_party(),
        *_provenance(),
        sa.PrimaryKeyConstraint("id", name="pk_waitlist"),
        sa.UniqueConstraint("code", name="uq_waitlist_code"),
        sa.ForeignKeyConstraint(["centre_id"], ["centres.id"], name="fk_waitlist_centre_id"),
        sa.ForeignKeyConstraint(["vaccine_id"], ["vaccines.id"], name="fk_waitlist_vaccine_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("one_waitlist_entry_per_person", "waitlist", ["person_key"], unique=True)
    op.create_index("one_waitlist_entry_per_pass", "waitlist", ["pass_id"], unique=True)
    op.create_index("ix_waitlist_centre_id_day", "waitlist", ["centre_id", "day"])
    op.create_index("ix_waitlist_booker_key", "waitlist", ["booker_key"])
    op.create_table(
        "bookings",
        sa.Column("code", sa.String, nullable=False),
        sa.Column("hold_id", sa.String),
        sa.Column("waitlist_id", sa.Integer),
        sa.Column("slot_id", sa.Integer, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("changed_ms", sa.BigInteger),
        sa.Column("cancelled_ms", sa.BigInteger),
        *_party(may_be_gone=True),
        sa.Column("booker_seat", sa.Integer),
        *_provenance(),
        sa.PrimaryKeyConstraint("code", name="pk_bookings"),
        sa.UniqueConstraint("hold_id", name="uq_bookings_hold_id"),
        sa.UniqueConstraint("waitlist_id", name="uq_bookings_waitlist_id"),
        sa.ForeignKeyConstraint(["slot_id"], ["slots.id"], name="fk_bookings_slot_id"),
        sa.CheckConstraint(
            "(person_key IS NULL) = (birth_check IS NULL) AND (person_key IS NULL) = (masked_name IS NULL) "
            "AND (person_key IS NOT NULL OR (contact IS NULL AND booker_key IS NULL))",
            name="person_whole_or_gone",
        ),
        sa.CheckConstraint(
            "(booker_key IS NULL) = (booker_masked_name IS NULL) AND (booker_key IS NULL) = (booker_seat IS NULL)",
            name="booker_whole_or_gone",
        ),
        sa.CheckConstraint("booker_seat >= 1 AND booker_seat <= 100", name="booker_seat_in_bounds"),
        sa.CheckConstraint("(hold_id IS NULL) <> (waitlist_id IS NULL)", name="held_or_waited_for"),
    )
    op.create_index("ix_bookings_slot_id", "bookings", ["slot_id"])
    op.create_index("one_booking_per_pass", "bookings", ["pass_id"], unique=True)
    live = sa.text("cancelled_ms IS NULL")
    for name, columns in (
        ("one_live_booking_per_person", ["person_key"]),
        ("one_live_booking_per_booker_seat", ["booker_key", "booker_seat"]),
    ):
        op.create_index(name, "bookings", columns, unique=True, sqlite_where=live, postgresql_where=live)


def _carry_over() -> None:
    db = op.get_bind()
    places = "id, position, name_ko, name_en, address_ko, address_en"
    op.execute(f"INSERT INTO centres ({places}, region_ko, region_en) SELECT {places}, '', '' FROM centres_1")
    centres = sa.table("centres", sa.column("id"), sa.column("region_ko"), sa.column("region_en"))
    for id_, (korean, english) in _REGIONS.items():
        db.execute(centres.update().where(centres.c.id == id_).values(region_ko=korean, region_en=english))
    if db.scalar(sa.text("SELECT count(*) FROM slots_1")):
        db.execute(sa.table("vaccines", *(sa.column(name) for name in _VACCINE)).insert().values(**_VACCINE))
        seats = "id, centre_id, starts_ms, capacity, taken"
        op.execute(f"INSERT INTO slots ({seats}, vaccine_id) SELECT {seats}, 'gaon' FROM slots_1")
        if db.dialect.name == "postgresql":
            op.execute("SELECT setval(pg_get_serial_sequence('slots', 'id'), (SELECT max(id) FROM slots))")
    kept = (
        "code, hold_id, slot_id, person_key, birth_check, masked_name, created_ms, cancelled_ms, "
        "pass_id, room, epoch, number, place, how, settings_version"
    )
    op.execute(f"INSERT INTO bookings ({kept}, bypass_rule) SELECT {kept}, rule FROM bookings_1")
