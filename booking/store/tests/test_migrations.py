"""What upgrading promises: no booking of release 0.1.0 is lost, and the tables become those of the code."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from booking.errors import AlreadyBooked, HoldExpired, NoSuchBooking, PassUsed, StoreUnavailable
from booking.model import BookingCard, Party
from booking.person import person_keys
from booking.store import Database, UnknownSchema, database_at
from booking.store.tables import Base
from booking.store.tests import first_release
from booking.store.tests.desk import NOW_MS, SECRET, Desk, claims, plan
from booking.store.tests.first_release import HONG, KIM, NINE
from shared.wire import How


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request) -> str:
    """A database that has never been used."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def old_url(empty_url: str, request: pytest.FixtureRequest) -> str:
    """A database that 0.1.0 has been used with."""
    if empty_url.startswith("sqlite"):
        path = Path(empty_url.partition(":///")[2])
        path.parent.mkdir()
        old = sqlite3.connect(path)
        old.executescript(first_release.sqlite_script())
        old.close()
        return empty_url
    name = empty_url.partition("@/")[2].partition("?")[0]
    request.getfixturevalue("server").sql(first_release.postgresql_script(), database=name)
    return empty_url


@pytest.fixture
async def close():
    """Closes at the end what it is given."""
    opened: list[Database] = []

    def later(database: Database) -> Database:
        opened.append(database)
        return database

    yield later
    for database in opened:
        await database.close()


async def look(database: Database, question: Any) -> Any:
    async with database.read() as db:
        return await db.run_sync(question)


async def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    async with database.read() as db:
        return [tuple(row) for row in (await db.execute(text(query))).all()]


async def test_a_database_of_the_first_release_keeps_its_bookings(old_url, close):
    now = Desk(close(database_at(old_url)))
    await now.open()

    slot = await now.store.slot(3, now_ms=NOW_MS)
    assert (slot.centre_id, slot.starts_ms) == ("seoul", NINE)
    hongs = BookingCard("AAAAAAAAAA", slot, "홍*동", None, How.LINE, 200_123, cancelled=False)
    assert await now.store.find("AAAAAAAAAA", HONG.birth_date, now_ms=NOW_MS) == hongs
    kims = await now.store.find("BBBBBBBBBB", KIM.birth_date, now_ms=NOW_MS)
    assert kims == BookingCard("BBBBBBBBBB", slot, "김*자", None, How.EXEMPT, None, cancelled=True)
    with pytest.raises(NoSuchBooking):
        await now.store.find("AAAAAAAAAA", KIM.birth_date, now_ms=NOW_MS)
    kept = "hold_id, created_ms, cancelled_ms, pass_id, room, epoch, number, place, how, bypass_rule, settings_version"
    assert await now.rows(f"SELECT {kept} FROM bookings ORDER BY code") == [
        ("hold-a", 1000, None, "pass-a", "vaccine", 3, 200_123, 199_000, "line", None, 7),
        ("hold-b", 2000, 3000, "pass-b", "vaccine", 3, None, None, "exempt", "clinic", 7),
    ]
    assert await now.store.check() == []


async def test_people_of_the_first_release_are_known_and_go_on_as_they_could(old_url, close):
    now = Desk(close(database_at(old_url)))
    await now.open()
    hong, kim = (Party(person_keys(each, SECRET), b"sealed") for each in (HONG, KIM))

    with pytest.raises(AlreadyBooked):
        await now.hold(3, hong)
    with pytest.raises(PassUsed):
        await now.hold(3, kim, claims(pass_id="pass-b"))
    again = await now.store.confirm("hold-a", claims(pass_id="pass-a"), now_ms=NOW_MS)
    assert again.code == "AAAAAAAAAA"
    # The seat of a hold from before is free; who had it chooses once more.
    assert await now.left(3) == 4
    with pytest.raises(HoldExpired):
        await now.store.confirm("hold-c", claims(pass_id="pass-c"), now_ms=NOW_MS)
    assert (await now.book(3, kim, claims(pass_id="pass-c"))).slot.id == 3

    moved = await now.store.change("AAAAAAAAAA", HONG.birth_date, 7, now_ms=NOW_MS)
    assert (moved.code, moved.slot.centre_id, moved.slot.left) == ("AAAAAAAAAA", "atlantis", 0)
    assert (await now.store.cancel("AAAAAAAAAA", HONG.birth_date, now_ms=NOW_MS)).cancelled
    assert await now.store.check() == []


async def test_appointments_added_after_an_upgrade_lie_beside_the_old_ones(old_url, close):
    now = Desk(close(database_at(old_url)))
    await now.open()

    old_and_new = await now.rows("SELECT id, centre_id, vaccine_id, starts_ms, capacity FROM slots ORDER BY id")
    assert old_and_new[:2] == [(3, "seoul", "gaon", NINE, 5), (7, "atlantis", "gaon", NINE, 1)]
    # At nine in Seoul there was one already.
    added = [(centre, vaccine, start) for centre, vaccine, start, _ in plan(1)[1:]]
    assert [tuple(row[1:4]) for row in old_and_new[2:]] == added
    assert min(row[0] for row in old_and_new[2:]) > 7
    regions = {centre.id: centre.region_en for centre in await now.store.centres()}
    assert regions == {"seoul": "Seoul", "busan": "Busan", "atlantis": ""}


async def test_an_upgrade_that_fails_leaves_everything_as_it_was_and_can_be_repeated(old_url, close):
    database = close(database_at(old_url))
    # More held than taken: to give these seats back is not possible.
    await _write(database, "UPDATE slots SET taken = 0 WHERE id = 3")
    before = await look(database, lambda db: sorted(inspect(db).get_table_names()))

    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await database.open()
        assert await look(database, lambda db: sorted(inspect(db).get_table_names())) == before
        assert await rows(database, "SELECT code FROM bookings ORDER BY code") == [("AAAAAAAAAA",), ("BBBBBBBBBB",)]
        assert await rows(database, "SELECT id FROM holds") == [("hold-c",)]

    await _write(database, "UPDATE slots SET taken = 2 WHERE id = 3")
    await database.open()
    assert len(await rows(database, "SELECT code FROM bookings WHERE bypass_rule = 'clinic'")) == 1


async def _write(database: Database, statement: str) -> None:
    async def work(db: Any) -> None:
        await db.execute(text(statement))

    await database.write(work)


async def test_the_migrations_end_in_the_tables_of_the_code(empty_url, close):
    database = close(database_at(empty_url))
    await database.open()

    assert await look(database, _differences) == []


async def test_an_upgraded_database_is_as_a_new_one(old_url, close):
    database = close(database_at(old_url))
    await database.open()

    assert await look(database, _differences) == []


def _differences(db: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    found: list[Any] = compare_metadata(MigrationContext.configure(db, opts=options), Base.metadata)
    return found


async def test_what_the_tables_check_is_the_same_by_migration_as_by_the_code(server, sqlite_url, close, tmp_path):
    urls = {"sqlite": (sqlite_url, f"sqlite+aiosqlite:///{tmp_path}/by_code.db")}
    urls["postgresql"] = (server.database(), server.database())
    for migrated_url, made_url in urls.values():
        migrated, made = close(database_at(migrated_url)), close(database_at(made_url))
        await migrated.open()
        if made_url.startswith("sqlite"):
            _make_empty(tmp_path / "by_code.db")
        await made.write(lambda db: db.run_sync(Base.metadata.create_all))

        assert await look(migrated, _checks) == await look(made, _checks)
        assert await look(migrated, _indexes) == await look(made, _indexes)


def _make_empty(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.touch()


def _checks(db: Connection) -> dict[str, Any]:
    names = [table.name for table in Base.metadata.sorted_tables]
    found = {
        name: {each["name"]: each["sqltext"] for each in inspect(db).get_check_constraints(name)} for name in names
    }
    assert found["bookings"]
    return found


def _indexes(db: Connection) -> list[tuple[Any, ...]]:
    """With what they are for: also the condition of a partial one."""
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
        if db.dialect.name == "sqlite"
        else "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> "
        "'alembic_version' ORDER BY indexname"
    )
    return [tuple(row) for row in db.execute(text(query))]


async def test_a_database_of_a_newer_program_is_refused_and_left_alone(url, close):
    database = close(database_at(url))
    await database.open()
    await _write(database, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(UnknownSchema, match=r"revision 9999, .* newer"):
        await database.open()

    assert await rows(database, "SELECT version_num FROM alembic_version") == [("9999",)]
    assert await rows(database, "SELECT count(*) FROM slots") == [(0,)]


async def test_tables_of_something_else_are_not_touched(empty_url, close):
    if empty_url.startswith("sqlite"):
        _make_empty(Path(empty_url.partition(":///")[2]))
    database = close(database_at(empty_url))
    await _write(database, "CREATE TABLE bookings (of_concerts INTEGER)")

    with pytest.raises(UnknownSchema, match="another program"):
        await database.open()

    assert await look(database, lambda db: inspect(db).get_table_names()) == ["bookings"]


async def test_opening_again_changes_nothing(desk):
    card = await desk.book(1, "Hong")

    for _ in range(2):
        await desk.open()

    assert await desk.booking(card.code) == card
    assert await desk.rows("SELECT version_num FROM alembic_version") == [("0002",)]


async def test_many_that_open_an_old_database_at_once_upgrade_it_once(old_url, close):
    desks = [Desk(close(database_at(old_url))) for _ in range(5)]

    await asyncio.gather(*(each.open() for each in desks))

    assert await desks[0].store.check() == []
    assert await desks[0].one("SELECT count(*) FROM bookings") == 2
    assert await desks[0].one("SELECT count(*) FROM slots") == 6


PROGRAM = """
import asyncio, sys
from booking.store import database_at
from booking.store.tests.desk import Desk

async def main():
    desk = Desk(database_at(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    await desk.open()
    print(len(await desk.rows("SELECT code FROM bookings")), await desk.store.check())
    await desk.close()

asyncio.run(main())
"""


def test_two_programs_that_start_at_once_upgrade_it_once(old_url):
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, old_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("\n")
        program.stdin.flush()

    told = [program.communicate(timeout=60) for program in programs]

    assert told == [("2 []\n", "")] * 2
