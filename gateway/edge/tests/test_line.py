"""One room at work in a process: ticks that are shared, news that is not undone, counts that are not lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.edge import untold
from gateway.edge.line import Line
from gateway.edge.settle import Credentials, Inside, settle
from gateway.edge.sight import INSIDE_STEP_TICKS, STALE_S, TICK_S, TICK_SPACING_MS
from gateway.edge.tests.backend import until
from gateway.edge.tests.front import ROOM, Faulty, Hands
from gateway.room.model import MAX_STEP_MS, USER_CREDIT, Mode
from gateway.room.policy import burst
from gateway.room.stay import INSIDE_S
from gateway.room.ticket import Knock, Pass, Ticket
from gateway.settings import Room
from gateway.store.base import Spent, StoreUnavailable, VersionConflict
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

    def make_one(*, grace_s: float = 60.0, **room) -> Line:
        config = Room.model_validate({**ROOM, **room})
        return Line(config, BatchingStore(store), secure=False, monotonic=clock.seconds, wall=clock, grace_s=grace_s)

    return make_one


@asynccontextmanager
async def running(line: Line) -> AsyncIterator[None]:
    """It ticks by itself."""
    task = asyncio.create_task(line.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def admit(line: Line) -> Pass:
    """Somebody's pass who was let in at once."""
    standing = await settle(line, Credentials(None, (), None, damaged=False))
    assert isinstance(standing, Inside)
    return standing.visitor_pass


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
        await until(lambda: "the store is out of reach" in caplog.text, "the failure is said")
        store.failure = None
        await until(lambda: "the store is back" in caplog.text, "the return is said")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert caplog.text.count("the store is out of reach") == 1


async def test_the_return_of_the_store_says_how_long_it_was_away(line, store, clock, caplog):
    caplog.set_level("WARNING")
    async with running(line):
        store.failure = StoreUnavailable("away")
        clock.now_ms += 75_000
        await until(lambda: line.outage.away, "the failure is seen")
        store.failure = None
        await until(lambda: not line.outage.away, "the return is seen")
    (back,) = [record for record in caplog.records if record.message == "the store is back"]
    assert back.__dict__["away_s"] >= 75


async def test_while_the_store_was_away_the_clocks_stood_still_and_nothing_floods(line, store, clock):
    clock.now_ms += 2_000
    await line.tick_now()
    held = await admit(line)
    waiting = [await line.join(None) for _ in range(500)]
    before = await store.load("vaccine")
    async with running(line):
        store.failure = StoreUnavailable("away")
        clock.now_ms += 3_600_000
        await until(lambda: line.outage.away, "the failure is seen")
        store.failure = None
        await until(lambda: not line.outage.away, "the return is seen")
    after = await store.load("vaccine")
    assert after.pass_clock_ms - before.pass_clock_ms <= MAX_STEP_MS
    assert after.call_clock_ms - before.call_clock_ms <= MAX_STEP_MS
    assert after.credit <= burst(after.limits.new_users_per_minute) * USER_CREDIT
    assert (after.tail, after.live) == (len(waiting) + 1, 1)
    assert await line.renew(held) is not None, "an hour away, and five minutes' idle limit"


async def test_settings_changed_through_one_gateway_reach_another_with_its_next_tick(line, make):
    other = make()
    await other.start()
    await line.change({"total_active_users": 77, "message": {"en": "soon"}}, expected_version=None)
    assert other.snapshot.limits.total_active_users != 77
    # Even a tick that is left out because another was just made looks at the room.
    await other._tick(spacing_ms=TICK_SPACING_MS)
    assert (other.snapshot.limits.total_active_users, other.snapshot.limits.message) == (77, {"en": "soon"})
    assert TICK_S * 1.1 < 1, "which comes within a second"


async def test_settings_reach_another_gateway_without_being_asked_for(line, make):
    other = make()
    await other.start()
    async with running(other):
        await line.change({"mode": Mode.PAUSED}, expected_version=None)
        await until(lambda: other.snapshot.limits.mode is Mode.PAUSED, "the other has heard")


# Passes, while the store is away


async def test_a_pass_is_recalled_within_the_grace_and_not_when_it_was_ended_here(make, store, clock):
    line = make(grace_s=60.0)
    await line.start()
    clock.now_ms += 2_000
    await line.tick_now()
    held = await admit(line)
    store.failure = StoreUnavailable("away")
    clock.now_ms += 59_999
    assert line.recall(held) is not None
    clock.now_ms += 1
    assert line.recall(held) is None
    clock.now_ms -= 30_000
    assert await line.end(held, "revoked")
    assert (line.recall(held), line.was_revoked(held)) == (None, True)
    store.failure = None
    # Before the store has been told, too.
    assert await line.renew(held) is None
    assert await line.claim(Ticket(held.epoch, held.number, 0), held.place, direct=False, held=held) == Spent()
    await line.tick_now()
    await line.flush()
    room = await store.load("vaccine")
    assert (room.live, room.counters["revoked"]) == (0, 1)


async def test_no_number_of_revoked_passes_fills_the_memory(line, store, monkeypatch):
    monkeypatch.setattr(untold, "REMEMBERED", 3)
    store.failure = StoreUnavailable("away")
    passes = [Pass(1, number, number, f"id-{number}", "line", 0) for number in range(1, 6)]
    for each in passes:
        await line.end(each, "revoked")
    assert [line.was_revoked(each) for each in passes] == [False, False, True, True, True]
    assert len(line._untold) == 3


async def test_a_store_that_fails_for_a_while_is_asked_by_the_ticks_alone(line, store, clock):
    async with running(line):
        store.failure = StoreUnavailable("away")
        await until(lambda: line.outage.away, "the failure is seen")
        assert not line.out_of_reach, "what was seen a moment ago still counts"
        clock.now_ms += int(STALE_S * 1000)
        assert line.out_of_reach
        store.failure = None
        await until(lambda: not line.out_of_reach, "the return is seen")


async def test_a_store_that_keeps_silent_for_a_while_is_out_of_reach_too(line, store, clock):
    store.stall = asyncio.Event()
    async with running(line):
        await until(line._tick_lock.locked, "a tick is under way")
        clock.now_ms += int(STALE_S * 1000)
        assert line.out_of_reach
        store.stall.set()
        await until(lambda: not line.out_of_reach, "the answer is seen")


async def test_a_process_that_stood_still_for_a_while_asks_the_store(line, clock):
    clock.now_ms += 600_000
    assert (line.fresh, line.out_of_reach) == (False, False)


async def test_a_knock_is_accepted_within_its_time_only(line, clock):
    now = line.snapshot.now_ms
    assert line.accepts(line.new_knock())
    assert line.accepts(Knock(1, now - 116_000))
    assert not line.accepts(Knock(1, now - 121_000))
    assert not line.accepts(Knock(1, now + 60_000))


async def test_no_two_knocks_are_alike_through_one_process_or_two(line, make):
    other = make()
    await other.start()
    knocks = [one.new_knock().id for one in (line, other) for _ in range(100)]
    assert len(set(knocks)) == 200
    assert all(0 <= knock < 1 << 63 for knock in knocks)


async def test_a_backend_that_is_sold_out_does_not_undo_what_an_operator_set_through_another_worker(line, make, store):
    other = make()
    await other.start()
    await line.change({"mode": Mode.CLOSED}, expected_version=None)
    assert other._snapshot.limits.mode is Mode.OPEN
    await other.sell_out()
    assert (await store.load("vaccine")).limits.mode is Mode.CLOSED


async def test_the_time_that_people_of_another_line_spent_inside_is_not_counted_after_a_reset(start):
    site = await start()
    assert (await site.visitor().get()).gate is None
    for _ in range(INSIDE_STEP_TICKS // 2):
        await site.pass_time(1_000)
    await site.line.reset(expected_version=None)
    for _ in range(INSIDE_STEP_TICKS + 1):
        await site.pass_time(1_000)
    await site.line.flush()
    assert INSIDE_S not in (await site.room()).counters
