"""The history file: one point a slot whoever writes, for some days, through restarts, gaps and broken disks."""

import asyncio
import os
import sqlite3
import threading
from dataclasses import replace

import pytest

from gateway.history import DAY_MS, MOST_READING, MOST_WAITING, History, HistoryFile, NoHistory, Span
from gateway.points import MOST_POINTS, SLOT_MS, Point, counted, per_minute, step_for, take, total
from gateway.room.forecast import wait_of_last
from gateway.room.model import Limits
from gateway.store.sqlite import SqliteStore

START_MS = 1_626_692_400_000

POINT = Point(
    at_ms=START_MS, epoch=1, state="open", waiting=5, people_waiting=None, serving=10, tail=15, live=3, ceiling=4,
    outflow=600, lane=0, claim_window_ms=300_000, wait_low_ms=1_000, wait_high_ms=2_000, latency_p50_ms=None,
    latency_p95_ms=None, stock=None, counters={"admitted": 10},
)  # fmt: skip


def whole(span: Span) -> Span:
    return span


def at(slot: int, **more) -> Point:
    return replace(POINT, at_ms=START_MS + slot * SLOT_MS, **more)


@pytest.fixture
def open_file(tmp_path):
    made = []

    def make(days: int = 7) -> HistoryFile:
        made.append(HistoryFile(tmp_path / "var" / "history.db", days=days))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
async def history(tmp_path):
    made = History(tmp_path / "var" / "history.db", days=7)
    yield made
    await made.close()


async def test_a_point_says_what_the_room_was_like(tmp_path):
    store = SqliteStore(tmp_path / "queue.db", first_epoch=1)
    room = await store.open_room("vaccine", Limits(total_active_users=7, new_users_per_minute=60))
    await store.close()
    counters = {"admitted": 2, "peak_live": 9, "eligibility.ok.a": 1, "eligibility.ok.b": 2}
    room = replace(room, tail=9, serving=4, live=2, counters=counters, now_ms=START_MS + 3_456)
    point = take(room, people_waiting=3, latency=(5, 9), stock=80)
    assert (point.at_ms, point.waiting, point.people_waiting, point.live, point.ceiling) == (START_MS, 5, 3, 2, 7)
    assert (point.outflow, point.latency_p95_ms, point.stock) == (60, 9, 80)
    assert (point.wait_low_ms, point.wait_high_ms) == wait_of_last(room)
    assert point.counters == {"admitted": 2, "eligibility.ok": 3}


def test_of_two_writers_of_one_file_the_first_point_of_a_slot_stays(open_file):
    one, two = open_file(), open_file()
    one.add([("north", at(0, live=1)), ("south", at(0, live=9))])
    two.add([("north", at(0, live=2))])
    two.add([("north", at(1, live=2))])
    one.add([("north", at(1, live=1))])
    for each in (one, two):
        assert [point.live for point in each.read("north", 0, START_MS * 2).points] == [1, 2]
        assert [point.live for point in each.read("south", 0, START_MS * 2).points] == [9]


def test_what_was_written_is_read_as_it_was_also_after_a_restart(open_file):
    one = open_file()
    one.add([("north", at(0)), ("north", at(3, people_waiting=4, counters={"refused.forged": 2}))])
    one.close()
    span = open_file().read("north", 0, START_MS * 2)
    assert span.points == [at(0), at(3, people_waiting=4, counters={"refused.forged": 2})]
    assert span.base is None


def test_a_file_of_an_earlier_version_gets_the_columns_it_lacks(open_file, tmp_path):
    (tmp_path / "var").mkdir()
    old = sqlite3.connect(tmp_path / "var" / "history.db")
    old.execute("CREATE TABLE points (room TEXT NOT NULL, at_ms, counters, PRIMARY KEY (room, at_ms)) WITHOUT ROWID")
    old.close()
    file = open_file()
    file.add([("north", at(0))])
    assert file.read("north", 0, START_MS * 2).points == [at(0)]


def test_points_older_than_asked_for_are_dropped_and_the_file_stops_growing(open_file, tmp_path):
    file = open_file(days=1)
    path = tmp_path / "var" / "history.db"
    sizes = []
    for day in range(4):
        slots = range(day * 8640, (day + 1) * 8640)
        for first in range(slots.start, slots.stop, 360):
            file.add([("north", at(slot)) for slot in range(first, first + 360)])
        with sqlite3.connect(path) as reader:
            reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        reader.close()
        sizes.append(path.stat().st_size)
    held = file.read("north", 0, START_MS * 2).points
    assert held[-1].at_ms - held[0].at_ms <= DAY_MS
    with sqlite3.connect(path) as reader:
        (number,) = reader.execute("SELECT count(*) FROM points").fetchone()
    reader.close()
    assert 8640 <= number <= 8640 + 720
    assert sizes[3] <= sizes[1] * 1.05
    assert sizes[0] < 3_000_000


def test_a_long_time_has_wider_steps_and_never_more_points_than_a_page_takes(open_file):
    file = open_file()
    file.add([("north", at(slot, live=slot)) for slot in range(2 * MOST_POINTS + 2)])
    span = file.read("north", 0, START_MS * 2)
    assert len(span.points) <= MOST_POINTS
    assert span.step_ms == 3 * SLOT_MS
    assert span.points[-1].live == 2 * MOST_POINTS + 1
    # The last of each step.
    steps = [point.at_ms // span.step_ms for point in span.points]
    assert steps == sorted(set(steps))
    assert step_for(0, SLOT_MS * 10, 25_000) == 30_000


def test_the_point_before_the_first_is_told_so_that_the_first_has_a_rate(open_file):
    file = open_file()
    file.add([("north", at(slot, counters={"admitted": slot * 5})) for slot in range(10)])
    span = file.read("north", START_MS + 4 * SLOT_MS, START_MS + 6 * SLOT_MS)
    assert [point.at_ms for point in span.points] == [START_MS + 4 * SLOT_MS, START_MS + 5 * SLOT_MS]
    assert span.base == at(3, counters={"admitted": 15})
    assert per_minute(span.base, span.points, "admitted") == [30, 30]


def test_a_gap_loses_nothing_and_counts_begun_anew_are_no_rate():
    points = [
        at(0, counters={"admitted": 10, "refused.forged": 1}),
        at(6, counters={"admitted": 70, "refused.forged": 2, "refused.old_epoch": 2}),
        at(7, counters={"admitted": 5}),
    ]
    assert per_minute(None, points, "admitted") == [None, 60, None]
    assert per_minute(None, points, "refused") == [None, 3, None]
    assert total(points[1], "refused") == 4


def test_arrivals_are_numbers_issued_also_where_the_line_began_anew():
    assert counted(at(0, tail=100), at(1, tail=130), "arrivals") == 30
    assert counted(at(0, tail=100), at(1, tail=7, epoch=2), "arrivals") == 7


async def test_a_disk_that_fails_stops_nobody_is_said_once_and_is_tried_again(history, tmp_path, caplog):
    (tmp_path / "var").write_text("in the way")
    for slot in range(3):
        history.add([("north", at(slot))])
        await history.settle()
    with pytest.raises(NoHistory):
        await history.read("north", 0, START_MS * 2, SLOT_MS, whole)
    (tmp_path / "var").unlink()
    history.add([("north", at(3))])
    await history.settle()
    assert [record.message for record in caplog.records] == [
        "the history cannot be written",
        "the history is written again",
    ]
    assert [point.at_ms for point in (await history.read("north", 0, START_MS * 2, SLOT_MS, whole)).points] == [
        at(3).at_ms
    ]


async def test_a_damaged_file_is_said_and_one_that_was_moved_away_is_made_anew(history, tmp_path, caplog):
    path = tmp_path / "var" / "history.db"
    path.parent.mkdir()
    path.write_bytes(os.urandom(8192))
    history.add([("north", at(0))])
    await history.settle()
    assert "the history cannot be written" in caplog.text
    path.rename(tmp_path / "damaged.db")
    history.add([("north", at(1))])
    await history.settle()
    assert len((await history.read("north", 0, START_MS * 2, SLOT_MS, whole)).points) == 1
    path.rename(tmp_path / "good.db")
    history.add([("north", at(2))])
    await history.settle()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (await history.read("north", 0, START_MS * 2, SLOT_MS, whole)).points == [at(2)]


async def test_a_disk_that_stands_still_is_waited_for_by_few(history, monkeypatch):
    free = threading.Event()
    monkeypatch.setattr(HistoryFile, "add", lambda *_: free.wait())
    for slot in range(100):
        history.add([("north", at(slot))])
    assert len(history._waiting) < 10
    with pytest.raises(NoHistory, match="does not keep up"):
        await history.read("north", 0, 1, SLOT_MS, whole)
    free.set()
    await history.settle()


async def test_whoever_reads_all_the_time_keeps_no_point_from_being_written_nor_anybody_from_being_served(history):
    free = threading.Event()

    def slow(span: Span) -> Span:
        free.wait()
        return span

    history.add([("north", at(0))])
    reading = [asyncio.create_task(history.read("north", 0, START_MS * 2, SLOT_MS, slow)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    for each in reading[:2]:
        each.cancel()
    with pytest.raises(NoHistory, match="too many read"):
        await history.read("north", 0, 1, SLOT_MS, whole)
    history.add([("north", at(1))])
    free.set()
    done = await asyncio.gather(*reading, return_exceptions=True)
    assert sum(isinstance(each, Span) for each in done) == MOST_READING - 2
    assert sum(isinstance(each, NoHistory) for each in done) == MOST_WAITING - MOST_READING
    await history.settle()
    assert (await history.read("north", 0, START_MS * 2, SLOT_MS, whole)).points == [at(0), at(1)]


@pytest.mark.parametrize(
    "damage",
    [
        *("counters = '{'", "counters = '[]'", 'counters = \'{"admitted":"x"}\'', "counters = x'ff'", "counters = 7"),
        *("tail = NULL", "live = 'many'", "claim_window_ms = 1.5", "state = 7", "wait_low_ms = 'x'"),
    ],
)
async def test_of_a_file_in_which_a_point_is_damaged_the_others_are_told(history, tmp_path, damage):
    history.add([("north", at(slot)) for slot in range(3)])
    await history.settle()
    with sqlite3.connect(tmp_path / "var" / "history.db") as file:
        file.execute(f"UPDATE points SET {damage} WHERE at_ms = {at(1).at_ms}")
    file.close()
    assert (await history.read("north", 0, START_MS * 2, SLOT_MS, whole)).points == [at(0), at(2)]


async def test_a_file_whose_times_are_none_cannot_be_read(history, tmp_path):
    history.add([("north", at(0))])
    await history.settle()
    with sqlite3.connect(tmp_path / "var" / "history.db") as file:
        file.execute("UPDATE points SET at_ms = 'noon'")
    file.close()
    with pytest.raises(NoHistory):
        await history.read("north", 0, START_MS * 2, SLOT_MS, whole)


async def test_without_a_file_nothing_is_kept(tmp_path):
    history = History(None, days=7)
    history.add([("north", at(0))])
    assert not history.on
    with pytest.raises(NoHistory):
        await history.read("north", 0, 1, SLOT_MS, whole)
    await history.close()
    assert list(tmp_path.iterdir()) == []
