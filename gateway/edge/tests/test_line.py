"""One room at work in a process: ticks that are shared, news that is not undone, counts that are not lost."""

import asyncio

import pytest

from gateway.edge.line import STALE_S, TICK_SPACING_MS, Line
from gateway.edge.tests.backend import until
from gateway.edge.tests.front import ROOM, Faulty, Hands
from gateway.room.model import Mode
from gateway.room.ticket import Knock
from gateway.settings import Room
from gateway.store.base import StoreUnavailable, VersionConflict
from gateway.store.batching import BatchingStore
from gateway.store.sqlite import SqliteStore


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
async def store(tmp_path, clock):
    made = Faulty(SqliteStore(tmp_path / "queue.db", first_epoch=1, wall_ms=clock, mono_ms=clock, boot_id="this"))
    yield made
    made.failure = None
    await made.close()


@pytest.fixture
def make(store, clock):
    """A line that has not been started."""
    return lambda **more: Line(
        Room.model_validate({**ROOM, **more}), BatchingStore(store), secure=False, monotonic=clock.seconds
    )


@pytest.fixture
async def line(make):
    made = make()
    await made.start()
    return made


async def test_before_it_is_started_a_room_is_out_of_reach(make):
    line = make()
    assert not line.fresh
    with pytest.raises(StoreUnavailable):
        line.snapshot  # noqa: B018


async def test_a_room_that_was_not_heard_from_for_long_is_not_fresh(line, clock):
    assert line.fresh
    clock.now_ms += int(STALE_S * 1000)
    assert not line.fresh
    await line.tick_now()
    assert line.fresh


async def test_between_ticks_the_rooms_time_goes_on(line, clock):
    before = line.snapshot.now_ms
    clock.now_ms += 500
    assert line.snapshot.now_ms == before + 500


async def test_those_who_ask_for_a_tick_meanwhile_share_one(line):
    before = line._ticks_begun
    await asyncio.gather(*(line.tick_now() for _ in range(50)))
    assert line._ticks_begun - before <= 2


async def test_a_tick_close_to_another_is_left_out_unless_someone_waits_for_it(line, clock, store):
    tick = (await store.load("vaccine")).tick
    await line._tick(spacing_ms=TICK_SPACING_MS)
    assert (await store.load("vaccine")).tick == tick
    clock.now_ms += TICK_SPACING_MS
    await line._tick(spacing_ms=TICK_SPACING_MS)
    await line.tick_now()
    assert (await store.load("vaccine")).tick == tick + 2


async def test_two_processes_admit_no_more_than_one(line, make, clock, store):
    other = make()
    await other.start()
    before = (await store.load("vaccine")).credit
    clock.now_ms += 100
    await asyncio.gather(*(each.tick_now() for each in (line, other) for _ in range(10)))
    # 100 ms at 6,000 a minute: ten users, whoever ticked.
    assert (await store.load("vaccine")).credit - before == 6_000 * 100


async def test_an_answer_overtaken_by_a_newer_one_undoes_nothing(line, clock):
    older = line._snapshot
    clock.now_ms += 2_000
    await line.tick_now()
    newer = line._snapshot
    line._see(older)
    assert line._snapshot is newer


async def test_a_change_acts_at_once(line, clock):
    clock.now_ms += 2_000
    await line.tick_now()
    assert (await line.change({"mode": Mode.PAUSED}, expected_version=1)).admitting is False
    assert (await line.change({"mode": Mode.OPEN}, expected_version=2)).admitting is True


async def test_a_change_that_comes_second_is_refused_with_what_is(line):
    await line.change({"total_active_users": 9}, expected_version=1)
    with pytest.raises(VersionConflict) as caught:
        await line.change({"total_active_users": 8}, expected_version=1)
    assert caught.value.snapshot.limits.total_active_users == 9
    assert line.snapshot.limits.total_active_users == 9


async def test_only_an_open_room_sells_out(line):
    found = []
    for mode in (Mode.CLOSED, Mode.OPEN):
        await line.change({"mode": mode}, expected_version=None)
        await line.sell_out()
        found.append(line.snapshot.limits.mode)
    assert found == [Mode.CLOSED, Mode.SOLD_OUT]


async def test_what_was_counted_while_the_store_was_away_is_written_when_it_is_back(line, store):
    line.count("refused.forged")
    store.failure = StoreUnavailable("away")
    await line.flush()
    line.count("refused.forged")
    store.failure = None
    await line.flush()
    await line.flush()
    assert (await store.load("vaccine")).counters["refused.forged"] == 2


async def test_a_store_that_fails_is_said_once_and_its_return_too(line, store, caplog):
    task = asyncio.create_task(line.run())
    try:
        store.failure = StoreUnavailable("away")
        await until(lambda: "nobody is admitted" in caplog.text, "the failure is said")
        store.failure = None
        await until(lambda: "the store is back" in caplog.text, "the return is said")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert caplog.text.count("nobody is admitted") == 1


async def test_a_knock_is_accepted_within_its_time_only(line, clock):
    now = line.snapshot.now_ms
    assert line.accepts(line.new_knock())
    assert line.accepts(Knock(1, now - 116_000))
    assert not line.accepts(Knock(1, now - 121_000))
    assert not line.accepts(Knock(1, now + 60_000))


async def test_knocks_are_not_to_be_guessed(line):
    assert len({line.new_knock().id for _ in range(100)}) == 100


async def test_a_backend_that_is_sold_out_does_not_undo_what_an_operator_set_through_another_worker(line, make, store):
    other = make()
    await other.start()
    await line.change({"mode": Mode.CLOSED}, expected_version=None)
    assert other._snapshot.limits.mode is Mode.OPEN
    await other.sell_out()
    assert (await store.load("vaccine")).limits.mode is Mode.CLOSED
