"""A store with a few appointments, and people who come to it. All of them invented."""

import itertools
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import text

from booking import schedule
from booking.model import BookingCard, Centre, Hold, Party, PersonKeys, Vaccine, WaitCard
from booking.person import Person, person_keys
from booking.store import BookingStore, Database
from booking.store.catalogue import SlotPlan
from shared.passes import PassClaims
from shared.wire import How

# Monday evening; appointments begin on Tuesday.
NOW_MS: Final = schedule.to_ms(datetime.fromisoformat("2021-07-19T20:00:00+09:00"))
DAY: Final = date(2021, 7, 20)
NEXT_DAY: Final = date(2021, 7, 21)
HOUR_MS: Final = 3_600_000
HOLD_MS: Final = 300_000
SECRET: Final = b"s" * 32
BIRTH: Final = date(1968, 3, 2)

CENTRES: Final = schedule.DEMO_CENTRES[:2]
VACCINES: Final = schedule.DEMO_VACCINES
SEOUL, BUSAN = (centre.id for centre in CENTRES)
GAON, NURI = (vaccine.id for vaccine in VACCINES)

# Ids of the slots `plan` makes, in its order.
FIRST, SECOND, OTHER_VACCINE, TOMORROW, FAR = 1, 2, 3, 4, 5

_serials = itertools.count(1)


def plan(capacity: int) -> list[SlotPlan]:
    nine, ten = schedule.day_bounds(DAY)[0] + 9 * HOUR_MS, schedule.day_bounds(DAY)[0] + 10 * HOUR_MS
    return [
        (SEOUL, GAON, nine, capacity),
        (SEOUL, GAON, ten, capacity),
        (SEOUL, NURI, nine, capacity),
        (SEOUL, GAON, nine + schedule.DAY_MS, capacity),
        (BUSAN, GAON, nine, capacity),
    ]


def keys(name: str) -> PersonKeys:
    return person_keys(Person(name, BIRTH, "01012345678"), SECRET)


def party(name: str, *, booker: str | None = None, **more: Any) -> Party:
    consent = {"consent": "v1"} if booker else {}
    return Party(keys(name), b"sealed", keys(booker) if booker else None, **{"rule": "53-54/2", **consent, **more})


def claims(**changes: Any) -> PassClaims:
    """A pass nobody has had before."""
    number = next(_serials)
    values: dict[str, Any] = {
        "room": "vaccine",
        "pass_id": f"pass-{number}",
        "how": How.LINE,
        "epoch": 1,
        "number": number,
        "place": number,
        "rule": None,
        "settings_version": 7,
        "issued_s": 0,
        "expires_s": 2**40,
    }
    return PassClaims(**(values | changes))


class Desk:
    """One program's store. Everything happens at `NOW_MS` unless said otherwise."""

    def __init__(
        self, database: Database, *, capacity: int = 2, hold_ms: int = HOLD_MS, proxy_limit: int = 2, **terms: Any
    ) -> None:
        self.database = database
        self.store = BookingStore(
            database, **{"secret": SECRET, "hold_ms": hold_ms, "proxy_limit": proxy_limit, **terms}
        )
        self.capacity = capacity

    async def open(self, centres: Iterable[Centre] = CENTRES, vaccines: Iterable[Vaccine] = VACCINES) -> None:
        await self.database.open()
        await self.store.prepare(centres, vaccines, plan(self.capacity))

    async def close(self) -> None:
        await self.database.close()

    async def hold(self, slot: int, who: str | Party, by: PassClaims | None = None, now_ms: int = NOW_MS) -> Hold:
        return await self.store.hold(slot, _party(who), by or claims(), now_ms=now_ms)

    async def book(
        self, slot: int, who: str | Party, by: PassClaims | None = None, now_ms: int = NOW_MS
    ) -> BookingCard:
        by = by or claims()
        held = await self.hold(slot, who, by, now_ms)
        return await self.store.confirm(held.id, by, now_ms=now_ms)

    async def fill(self, *slots: int, centre: str | None = None, leave: int = 0) -> list[BookingCard]:
        """Book all seats of these slots, or of all the centre's on `DAY`, but `leave`."""
        chosen = slots or tuple({SEOUL: (FIRST, SECOND, OTHER_VACCINE), BUSAN: (FAR,)}[centre or SEOUL])
        return [
            await self.book(slot, f"Filler {next(_serials)}") for slot in chosen for _ in range(self.capacity - leave)
        ]

    async def join(
        self,
        who: str | Party,
        by: PassClaims | None = None,
        *,
        centre: str = SEOUL,
        day: date = DAY,
        vaccine: str | None = None,
    ) -> WaitCard:
        return await self.store.join_waitlist(
            centre, day, _party(who), by or claims(), vaccine_id=vaccine, now_ms=NOW_MS
        )

    async def cancel(self, code: str, now_ms: int = NOW_MS) -> BookingCard:
        return await self.store.cancel(code, BIRTH, now_ms=now_ms)

    async def change(self, code: str, slot: int, now_ms: int = NOW_MS) -> BookingCard:
        return await self.store.change(code, BIRTH, slot, now_ms=now_ms)

    async def find(self, code: str) -> BookingCard | WaitCard:
        return await self.store.find(code, BIRTH, now_ms=NOW_MS)

    async def booking(self, code: str) -> BookingCard:
        """It is one, and not a place on a waitlist."""
        found = await self.find(code)
        assert isinstance(found, BookingCard)
        return found

    async def left(self, slot: int, now_ms: int = NOW_MS) -> int:
        return (await self.store.slot(slot, now_ms=now_ms)).left

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.read() as db:
            return [tuple(row) for row in (await db.execute(text(query))).all()]

    async def one(self, query: str) -> Any:
        ((value,),) = await self.rows(query)
        return value

    async def run(self, statement: str) -> None:
        """As somebody would who writes into the database past us."""

        async def work(db: Any) -> None:
            await db.execute(text(statement))

        await self.database.write(work)


def _party(who: str | Party) -> Party:
    return party(who) if isinstance(who, str) else who
