"""What is PostgreSQL's own: a server that can be out of reach, in the way, or killed."""

import asyncio
import logging

import asyncpg
import pytest

from booking.errors import StoreUnavailable
from booking.store import database_at, postgres
from booking.store.tests.desk import FAR, FIRST, NOW_MS, SECOND, Desk, claims
from booking.tests.postgresql import Server

PASSWORD = "correct-horse-battery"


@pytest.fixture
async def desk(ready_url):
    opened = Desk(database_at(ready_url))
    await opened.open()
    yield opened
    assert await opened.store.check() == []
    await opened.close()


@pytest.fixture
async def intruder(ready_url):
    """Somebody else at the same database."""
    connection = await asyncpg.connect(ready_url.replace("+asyncpg", ""))
    yield connection
    await connection.close()


async def test_two_transactions_that_block_each_other_are_told_apart_and_both_are_done(desk):
    both_hold_one = asyncio.Barrier(2)
    runs = []

    async def lock(db, first, second):
        runs.append(first)
        await db.exec_driver_sql(f"UPDATE slots SET capacity = capacity + 1 WHERE id = {first}")
        if len(runs) <= 2:
            await both_hold_one.wait()
        await db.exec_driver_sql(f"UPDATE slots SET capacity = capacity + 1 WHERE id = {second}")

    await asyncio.gather(
        desk.database.write(lambda db: lock(db, FIRST, SECOND)),
        desk.database.write(lambda db: lock(db, SECOND, FIRST)),
    )

    assert len(runs) == 3
    assert await desk.rows("SELECT capacity FROM slots WHERE id IN (1, 2)") == [(4,), (4,)]


async def test_a_transaction_that_always_clashes_is_given_up(desk):
    runs = []

    async def clash(db):
        runs.append(db)
        await db.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'clash' USING ERRCODE = '40001'; END $$")

    with pytest.raises(StoreUnavailable, match="clash"):
        await desk.database.write(clash)
    assert len(runs) == 6


async def test_a_lock_of_somebody_elses_is_waited_for_only_so_long(monkeypatch, open_desk_of_ready, intruder):
    monkeypatch.setitem(postgres._SERVER_SETTINGS, "lock_timeout", "100")
    desk = await open_desk_of_ready()
    async with intruder.transaction():
        await intruder.execute("LOCK TABLE slots")
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            await desk.book(FIRST, "Hong")

    await desk.book(FIRST, "Hong")


async def test_more_at_once_than_connections_wait_their_turn(open_desk_of_ready):
    desk = await open_desk_of_ready(capacity=100)

    cards = await asyncio.gather(*(desk.book((FIRST, SECOND, FAR)[n % 3], f"Visitor {n}") for n in range(150)))

    assert len({card.code for card in cards}) == 150


@pytest.fixture
async def open_desk_of_ready(ready_url):
    opened = []

    async def open_(**terms):
        opened.append(Desk(database_at(ready_url), **terms))
        await opened[-1].open()
        return opened[-1]

    yield open_
    for desk in opened:
        assert await desk.store.check() == []
        await desk.close()


async def test_connections_that_were_cut_are_replaced_without_anyone_noticing(desk, intruder):
    await asyncio.gather(*(desk.left(FIRST) for _ in range(5)))
    await intruder.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    await desk.book(FIRST, "Hong")
    assert await desk.left(FIRST) == 1


async def test_a_connection_cut_in_the_middle_does_nothing_half(desk, intruder):
    async def cut(db):
        await db.exec_driver_sql("UPDATE slots SET taken = taken + 1")
        await intruder.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await db.exec_driver_sql("UPDATE slots SET taken = taken + 1")

    with pytest.raises(StoreUnavailable):
        await desk.database.write(cut)
    assert await desk.left(FIRST) == 2


async def test_a_visitor_who_goes_away_in_the_middle_leaves_nothing_half_done(desk):
    await desk.run("UPDATE slots SET capacity = 1000")
    for n in range(40):
        going = asyncio.create_task(desk.book(FIRST, f"Visitor {n}"))
        await asyncio.sleep(n / 4_000)
        going.cancel()
        await asyncio.wait([going])
    assert await desk.store.check() == []
    # All connections are well.
    await asyncio.gather(*(desk.book(SECOND, f"Another {n}") for n in range(20)))


async def test_a_server_without_room_for_one_more_says_so(server, desk):
    await desk.run("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    try:
        name = server.sql("SELECT 1") and await desk.one("SELECT current_database()")
        database = database_at(server.url(name).replace("sunbeon@", "crowded@"))
        with pytest.raises(StoreUnavailable, match="too many connections"):
            await database.open()
        await database.close()
    finally:
        await desk.run("DROP ROLE crowded")


@pytest.mark.parametrize("told", ["in the URL", "in a file", "in the environment"])
async def test_a_password_is_taken_from_where_it_is_and_told_nowhere(server, desk, told, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    name = await desk.one("SELECT current_database()")
    url = server.url(name).replace("sunbeon@", f"sunbeon:{PASSWORD}@" if told == "in the URL" else "sunbeon@")
    if told == "in a file":
        file = tmp_path / "pgpass"
        file.write_text(f"*:*:*:sunbeon:{PASSWORD}\n")
        file.chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(file))
    if told == "in the environment":
        monkeypatch.setenv("PGPASSWORD", PASSWORD)

    database = database_at(url)
    await database.open()
    await database.close()
    missing = database_at(url.replace(f"/{name}?", "/there_is_none?"))
    with pytest.raises(StoreUnavailable) as error:
        await missing.open()

    assert "there_is_none" in str(error.value)
    assert PASSWORD not in f"{error.value} {database.shown} {database!r} {caplog.text}"


async def test_a_server_that_is_not_there_is_said_in_one_line(tmp_path):
    database = database_at(f"postgresql+asyncpg://sunbeon:{PASSWORD}@/booking?host={tmp_path}")
    with pytest.raises(StoreUnavailable) as error:
        await database.open()

    assert len(str(error.value).splitlines()) == 1
    assert PASSWORD not in str(error.value)
    await database.close()


@pytest.mark.slow
async def test_a_server_killed_amid_a_crowd_loses_nothing_that_was_told_and_is_back_without_a_restart_of_ours():
    with Server(durable=True) as server:
        url = server.database()
        desk = Desk(database_at(url), capacity=200)
        await desk.open()
        try:
            told: dict[str, str] = {}
            refused: list[StoreUnavailable] = []
            crowd = [asyncio.create_task(_book_until_told(desk, f"Visitor {n}", told, refused)) for n in range(80)]
            while len(told) < 20:  # noqa: ASYNC110 - the clients know of no test
                await asyncio.sleep(0)
            server.kill()
            while not refused:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.start)
            await asyncio.gather(*crowd)

            assert await desk.store.check() == []
            booked = await desk.rows("SELECT code FROM bookings")
            assert {code for (code,) in booked} == set(told.values())
            assert len(booked) == len(told) == 80
        finally:
            await desk.close()


async def _book_until_told(desk, name, told, refused):
    """As an honest client whose answer was lost: asks again until there is one."""
    by = claims()
    slot = (FIRST, SECOND)[len(name) % 2]
    held = await _until_answered(refused, lambda: desk.hold(slot, name, by))
    card = await _until_answered(refused, lambda: desk.store.confirm(held.id, by, now_ms=NOW_MS))
    assert card.code == held.code
    told[name] = card.code


async def _until_answered(refused, ask):
    while True:
        try:
            return await ask()
        except StoreUnavailable as error:
            refused.append(error)
            await asyncio.sleep(0.02)
