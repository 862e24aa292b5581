"""What there is to book: centres, vaccines, appointments and their stock."""

import hmac
import unicodedata
from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import person, schedule
from booking.model import Centre, Slot, Stock, Vaccine
from booking.store import statements
from booking.store.rows import Terms
from booking.store.tables import Base, CentreRow, FactRow, SlotRow, VaccineRow
from shared.errors import SunbeonError

# Centre, vaccine, start, capacity.
SlotPlan = tuple[str, str, int, int]


class WrongSecret(SunbeonError):
    """The database was made with another person key: one booking per person could not be kept."""


async def prepare(
    db: AsyncConnection,
    terms: Terms,
    centres: Iterable[Centre],
    vaccines: Iterable[Vaccine],
    slots: Iterable[SlotPlan],
) -> None:
    await _add_missing(db, FactRow, [{"name": "secret", "value": person.fingerprint(terms.secret)}])
    await require_secret(db, terms.secret)
    await _add_missing(db, CentreRow, [_row(each, at) for at, each in enumerate(centres)])
    await _add_missing(db, VaccineRow, [_row(each, at) for at, each in enumerate(vaccines)])
    await _add_missing(
        db,
        SlotRow,
        [
            {"centre_id": centre, "vaccine_id": vaccine, "starts_ms": start, "capacity": capacity, "taken": 0}
            for centre, vaccine, start, capacity in slots
        ],
    )


async def require_secret(db: AsyncConnection, secret: bytes) -> None:
    """Raises `WrongSecret`. A database that has not been served from yet takes any."""
    known = await db.scalar(select(FactRow.value).where(FactRow.name == "secret"))
    if known is not None and not hmac.compare_digest(known, person.fingerprint(secret)):
        raise WrongSecret(
            "the database was made with another secret (booking.secret_file or SUNBEON_BOOKING_SECRET); "
            "with this one, nobody who has booked would be known"
        )


async def centres(db: AsyncConnection, search: str | None) -> list[Centre]:
    query = select(*(getattr(CentreRow, name) for name in Centre.__slots__)).order_by(CentreRow.position, CentreRow.id)
    found = [Centre(*row) for row in await db.execute(query)]
    words = _folded(search or "").split()
    return [each for each in found if all(word in _searched(each) for word in words)]


async def vaccines(db: AsyncConnection) -> list[Vaccine]:
    query = select(VaccineRow.id, VaccineRow.name_ko, VaccineRow.name_en)
    return [Vaccine(*row) for row in await db.execute(query.order_by(VaccineRow.position, VaccineRow.id))]


async def slots(
    db: AsyncConnection, centre_id: str | None, vaccine_id: str | None, day: date | None, now_ms: int
) -> list[Slot]:
    query = statements.SLOTS.where(SlotRow.starts_ms >= schedule.bookable_from(now_ms))
    if centre_id is not None:
        query = query.where(SlotRow.centre_id == centre_id)
    if vaccine_id is not None:
        query = query.where(SlotRow.vaccine_id == vaccine_id)
    if day is not None:
        start, end = schedule.day_bounds(day)
        query = query.where(SlotRow.starts_ms >= start, SlotRow.starts_ms < end)
    return [Slot(*row) for row in await db.execute(query, {"now_ms": now_ms})]


async def stock(db: AsyncConnection, now_ms: int) -> Stock:
    asked = {"from_ms": schedule.bookable_from(now_ms), "now_ms": now_ms}
    free, ended, held = (await db.execute(statements.STOCK, asked)).one()
    return Stock(left=free + ended, unbooked=free + held)


async def _add_missing(db: AsyncConnection, table: type[Base], rows: list[dict[str, Any]]) -> None:
    if rows:
        insert = sqlite_insert if db.dialect.name == "sqlite" else postgres_insert
        await db.execute(insert(table).on_conflict_do_nothing(), rows)


def _row(value: Centre | Vaccine, position: int) -> dict[str, Any]:
    return {"position": position, **{name: getattr(value, name) for name in type(value).__slots__}}


def _searched(centre: Centre) -> str:
    return _folded(" ".join(getattr(centre, name) for name in Centre.__slots__))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
