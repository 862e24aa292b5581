"""What the store promises: never oversold, one booking each, nothing lost when the database fails."""

import asyncio
import itertools
import sqlite3
from datetime import date

import pytest

from booking import schedule
from booking.errors import AlreadyBooked, HoldExpired, PassUsed, SoldOut, StoreUnavailable
from booking.model import Party
from booking.person import Person, person_keys
from booking.store import BookingStore, WrongSecret, database_at
from booking.tests.conftest import START_MS

SECRET = b"s" * 32
HOLD_MS = 300_000


def someone(name):
    return Party(person_keys(Person(name, date(1968, 3, 2), "01012345678"), SECRET), contact=b"sealed")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "var" / "booking.db"


@pytest.fixture
async def database(path):
    database = database_at(f"sqlite+aiosqlite:///{path}")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def store(database):
    store = BookingStore(database, secret=SECRET, hold_ms=HOLD_MS, proxy_limit=4)
    slots = itertools.islice(schedule.demo_slots(START_MS, capacity=50), 2)
    await store.prepare(schedule.DEMO_CENTRES, schedule.DEMO_VACCINES, slots)
    return store


def rows(path, query):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


async def book(store, passes, name, slot_id=1, **claims):
    by = passes.claims(**claims)
    hold = await store.hold(slot_id, someone(name), by, now_ms=START_MS)
    return await store.confirm(hold.id, by, now_ms=START_MS)


async def test_200_at_once_for_50_seats_make_exactly_50_bookings(store, passes, path):
    results = await asyncio.gather(*(book(store, passes, f"Visitor {n}") for n in range(200)), return_exceptions=True)

    assert sum(isinstance(result, SoldOut) for result in results) == 150
    assert len({card.code for card in results if not isinstance(card, BaseException)}) == 50
    assert rows(path, "SELECT taken, capacity FROM slots WHERE id = 1") == [(50, 50)]
    assert rows(path, "SELECT count(*) FROM bookings WHERE cancelled_ms IS NULL") == [(50,)]
    assert rows(path, "SELECT count(*) FROM holds") == [(0,)]


async def test_one_person_in_20_browsers_gets_one_booking(store, passes, path):
    results = await asyncio.gather(*(book(store, passes, "Hong Gildong") for _ in range(20)), return_exceptions=True)

    assert sum(isinstance(result, (AlreadyBooked, HoldExpired)) for result in results) == 19
    assert rows(path, "SELECT count(*) FROM bookings") == [(1,)]


async def test_two_holds_of_one_person_make_one_booking(store, passes):
    first, second = passes.claims(), passes.claims()
    holds = [await store.hold(1, someone("Hong"), by, now_ms=START_MS) for by in (first, second)]
    await store.confirm(holds[0].id, first, now_ms=START_MS)

    with pytest.raises(HoldExpired):
        await store.confirm(holds[1].id, second, now_ms=START_MS)


async def test_a_copied_pass_in_20_browsers_books_once(store, passes, path):
    results = await asyncio.gather(
        *(book(store, passes, f"Visitor {n}", pass_id="copied") for n in range(20)), return_exceptions=True
    )

    assert all(isinstance(r, (PassUsed, HoldExpired)) for r in results if isinstance(r, BaseException))
    assert rows(path, "SELECT count(*) FROM bookings") == [(1,)]
    assert rows(path, "SELECT sum(taken) FROM slots") == [(1,)]


async def test_the_database_itself_forbids_overselling_and_second_bookings(store, passes, path):
    await book(store, passes, "Hong")
    connection = sqlite3.connect(path)
    columns = "slot_id, birth_check, masked_name, created_ms, room, epoch, how, settings_version"
    for clash in ("'c', 'h', person_key, 'other'", "'c', 'h', x'00', pass_id", "'c', hold_id, x'00', 'other'"):
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            connection.execute(
                f"INSERT INTO bookings (code, hold_id, person_key, pass_id, {columns}) "
                f"SELECT {clash}, {columns} FROM bookings"
            )
    for wrong in ("capacity + 1", "-1"):
        with pytest.raises(sqlite3.IntegrityError, match="never_oversold"):
            connection.execute(f"UPDATE slots SET taken = {wrong}")
    connection.close()


async def test_a_booking_keeps_how_its_maker_got_in(store, passes, path):
    await book(store, passes, "Hong", pass_id="p-7", number=200_123, place=199_000, epoch=3)

    query = "SELECT pass_id, room, epoch, number, place, how, bypass_rule, settings_version, created_ms FROM bookings"
    assert rows(path, query) == [("p-7", "vaccine", 3, 200_123, 199_000, "line", None, 7, START_MS)]


async def test_a_hold_ends_with_its_time_and_its_seat_is_free_at_once(store, passes, path):
    by = passes.claims()
    hold = await store.hold(1, someone("Hong"), by, now_ms=START_MS)
    assert hold.expires_ms == START_MS + HOLD_MS
    assert (await store.slot(1, now_ms=hold.expires_ms - 1)).left == 49
    assert (await store.find_hold(hold.id, by, now_ms=hold.expires_ms - 1)).slot.left == 49

    assert (await store.slot(1, now_ms=hold.expires_ms)).left == 50
    for finish in (store.find_hold, store.confirm):
        with pytest.raises(HoldExpired):
            await finish(hold.id, by, now_ms=hold.expires_ms)
    await store.hold(2, someone("Kim"), passes.claims(), now_ms=hold.expires_ms)
    await store.sweep(now_ms=hold.expires_ms)
    assert rows(path, "SELECT taken FROM slots ORDER BY id") == [(0,), (1,)]
    assert len(rows(path, "SELECT * FROM holds")) == 1


async def test_a_pass_holds_one_seat_and_keeps_it_when_the_next_is_sold_out(store, passes, path):
    by = passes.claims()
    first = await store.hold(1, someone("Hong"), by, now_ms=START_MS)
    second = await store.hold(2, someone("Hong"), by, now_ms=START_MS)
    assert rows(path, "SELECT taken FROM slots ORDER BY id") == [(0,), (1,)]
    with pytest.raises(HoldExpired):
        await store.confirm(first.id, by, now_ms=START_MS)
    for n in range(50):
        await store.hold(1, someone(f"Visitor {n}"), passes.claims(), now_ms=START_MS)

    with pytest.raises(SoldOut):
        await store.hold(1, someone("Hong"), by, now_ms=START_MS)
    assert (await store.confirm(second.id, by, now_ms=START_MS)).slot.id == 2


async def test_starting_again_adds_days_and_changes_nothing_else(store, passes, path):
    await book(store, passes, "Hong")
    before = rows(path, "SELECT * FROM slots")
    slots = schedule.demo_slots(START_MS, capacity=9)
    await store.prepare(schedule.DEMO_CENTRES, schedule.DEMO_VACCINES, slots)

    assert rows(path, "SELECT * FROM slots")[:2] == before
    assert rows(path, "SELECT count(*) FROM slots") == [(6 * 7 * 8 * 2,)]


async def test_another_secret_is_refused_since_people_could_book_twice(database, store):
    other = BookingStore(database, secret=b"o" * 32, hold_ms=HOLD_MS, proxy_limit=4)
    with pytest.raises(WrongSecret):
        await other.prepare((), (), ())


async def test_a_full_disk_loses_nothing(database, store, passes, path):
    hold = await store.hold(1, someone("Hong"), by := passes.claims(), now_ms=START_MS)
    async with database._writer.begin() as connection:
        await connection.exec_driver_sql("UPDATE slots SET capacity = 5000")
    await _limit_pages(database, 1)
    with pytest.raises(StoreUnavailable, match="full"):
        await _hold_until_it_fails(store, passes)
    await _limit_pages(database, 1_000_000)

    assert (await store.confirm(hold.id, by, now_ms=START_MS)).code
    taken, held, booked = (
        rows(path, query)[0][0]
        for query in ("SELECT sum(taken) FROM slots", "SELECT count(*) FROM holds", "SELECT count(*) FROM bookings")
    )
    assert taken == held + booked


async def _hold_until_it_fails(store, passes):
    for n in range(4_000):
        await store.hold(2, someone(f"Visitor {n}"), passes.claims(), now_ms=START_MS)


async def _limit_pages(database, pages):
    async with database._writer.connect() as connection:
        await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


async def test_a_database_locked_by_another_program_is_said_and_works_again_after(store, passes, path):
    async with store._database._writer.connect() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await book(store, passes, "Hong")
    assert (await store.slot(1, now_ms=START_MS)).left == 50
    other.execute("COMMIT")
    other.close()

    await book(store, passes, "Hong")


async def test_a_writer_that_waits_too_long_is_told_and_nothing_is_done(monkeypatch, database, store, passes):
    monkeypatch.setattr("booking.store.database.QUEUE_TIMEOUT_S", 0)
    async with database._turn:
        with pytest.raises(StoreUnavailable, match="too many are waiting"):
            await book(store, passes, "Hong")
    assert (await store.slot(1, now_ms=START_MS)).left == 50


async def test_a_file_that_is_no_database_is_said_in_one_line(tmp_path):
    (tmp_path / "broken.db").write_bytes(b"this is not a database" * 100)
    database = database_at(f"sqlite+aiosqlite:///{tmp_path}/broken.db")
    with pytest.raises(StoreUnavailable, match=r"broken\.db: file is not a database"):
        await database.open()
    await database.close()
