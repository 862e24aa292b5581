"""The tables of release 0.1.0, which it made without migrations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "centres",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name_ko", sa.String, nullable=False),
        sa.Column("name_en", sa.String, nullable=False),
        sa.Column("address_ko", sa.String, nullable=False),
        sa.Column("address_en", sa.String, nullable=False),
    )
    op.create_table(
        "slots",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("centre_id", sa.String, sa.ForeignKey("centres.id"), nullable=False),
        sa.Column("starts_ms", sa.BigInteger, nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("taken", sa.Integer, nullable=False),
        sa.UniqueConstraint("centre_id", "starts_ms"),
        sa.CheckConstraint("taken >= 0 AND taken <= capacity", name="never_oversold"),
    )
    op.create_index("ix_slots_starts_ms", "slots", ["starts_ms"])
    op.create_table(
        "holds",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("slot_id", sa.Integer, sa.ForeignKey("slots.id"), nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
        sa.Column("person_key", sa.LargeBinary, nullable=False),
        sa.Column("birth_check", sa.LargeBinary, nullable=False),
        sa.Column("masked_name", sa.String, nullable=False),
        sa.Column("pass_id", sa.String, nullable=False, unique=True),
        sa.Column("number", sa.Integer),
    )
    op.create_index("ix_holds_expires_ms", "holds", ["expires_ms"])
    op.create_table(
        "bookings",
        sa.Column("code", sa.String, primary_key=True),
        sa.Column("hold_id", sa.String, nullable=False, unique=True),
        sa.Column("slot_id", sa.Integer, sa.ForeignKey("slots.id"), nullable=False),
        sa.Column("person_key", sa.LargeBinary, nullable=False),
        sa.Column("birth_check", sa.LargeBinary, nullable=False),
        sa.Column("masked_name", sa.String, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("cancelled_ms", sa.BigInteger),
        sa.Column("pass_id", sa.String, nullable=False, unique=True),
        sa.Column("room", sa.String, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer),
        sa.Column("place", sa.Integer),
        sa.Column("how", sa.String, nullable=False),
        sa.Column("rule", sa.String),
        sa.Column("settings_version", sa.Integer, nullable=False),
    )
    op.create_index("ix_bookings_slot_id", "bookings", ["slot_id"])
    live = sa.text("cancelled_ms IS NULL")
    op.create_index(
        "one_live_booking_per_person",
        "bookings",
        ["person_key"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
    )
