"""What is SQLite's own: one writer, a file that can be locked, full or damaged."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from booking.errors import StoreUnavailable
from booking.store import database_at
from booking.store.tests.desk import FIRST, NOW_MS, SECOND, Desk, claims


@pytest.fixture
def path(sqlite_url):
    return Path(sqlite_url.removeprefix("sqlite+aiosqlite:///"))


@pytest.fixture
async def desk(sqlite_url):
    opened = Desk(database_at(sqlite_url))
    await opened.open()
    yield opened
    assert await opened.store.check() == []
    await opened.close()


async def test_a_full_disk_loses_nothing(desk):
    by = claims()
    held = await desk.hold(FIRST, "Hong", by)
    await desk.run("UPDATE slots SET capacity = 5000")
    await _limit_pages(desk, 1)
    with pytest.raises(StoreUnavailable, match="full"):
        await _hold_until_it_fails(desk)
    assert await desk.store.check() == []
    await _limit_pages(desk, 1_000_000)

    assert (await desk.store.confirm(held.id, by, now_ms=NOW_MS)).code == held.code


async def _hold_until_it_fails(desk):
    for n in range(4_000):
        await desk.hold(SECOND, f"Visitor {n}")


async def _limit_pages(desk, pages):
    async with desk.database._writer.connect() as connection:
        await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


async def test_a_database_locked_by_another_program_is_said_and_works_again_after(desk, path):
    async with desk.database._writer.connect() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await desk.book(FIRST, "Hong")
    assert await desk.left(FIRST) == 2
    other.execute("COMMIT")
    other.close()

    await desk.book(FIRST, "Hong")


async def test_a_writer_that_waits_too_long_is_told_and_nothing_is_done(monkeypatch, desk):
    monkeypatch.setattr("booking.store.database.QUEUE_TIMEOUT_S", 0)
    async with desk.database._turn:
        with pytest.raises(StoreUnavailable, match="too many are waiting"):
            await desk.book(FIRST, "Hong")
    assert await desk.left(FIRST) == 2


async def test_a_visitor_who_goes_away_in_the_middle_leaves_nothing_half_done(desk):
    for n in range(40):
        going = asyncio.create_task(desk.book(FIRST, f"Visitor {n}"))
        for _ in range(n):
            await asyncio.sleep(0)
        going.cancel()
        await asyncio.wait([going])
        assert await desk.store.check() == []
    await desk.run("UPDATE slots SET capacity = 100")
    await desk.book(FIRST, "Hong")


async def test_a_file_that_is_no_database_is_said_in_one_line(tmp_path):
    (tmp_path / "broken.db").write_bytes(b"this is not a database" * 100)
    database = database_at(f"sqlite+aiosqlite:///{tmp_path}/broken.db")
    with pytest.raises(StoreUnavailable, match=r"broken\.db: file is not a database"):
        await database.open()
    await database.close()


async def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    database = database_at(f"sqlite+aiosqlite:///{tmp_path}/file/booking.db")
    with pytest.raises(StoreUnavailable, match="file"):
        await database.open()
    await database.close()


async def test_what_is_forgotten_is_not_in_the_files_any_more(desk, path):
    card = await desk.book(FIRST, "홍길동")
    name = card.masked_name.encode()

    def everywhere():
        return b"".join(each.read_bytes() for each in path.parent.iterdir())

    assert name in everywhere()
    await desk.store.purge(before_ms=NOW_MS + 14 * 3_600_000)
    assert name not in everywhere()
