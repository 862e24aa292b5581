"""The memory of live passes: a page costs one question, and what ends a pass ends it in time."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.edge.line import Line
from gateway.edge.living import HOLDS_S, LATE_S, MOST, NEAR_END_MS, Living
from gateway.edge.settle import Credentials, Inside, settle, stand_by_memory
from gateway.edge.tests.backend import until
from gateway.edge.tests.front import ROOM, Hands
from gateway.room.model import MAX_STEP_MS, PassGrant
from gateway.room.ticket import Pass
from gateway.settings import Room
from gateway.store.base import PassRef, StoreUnavailable
from gateway.store.batching import BatchingStore
from gateway.store.sqlite import SqliteStore
from shared.wire import How

HOLDS_MS = int(HOLDS_S * 1000)
REF = PassRef(1, 7, "id")
IDLE_MS = 300_000
HELD = Pass(1, 7, 7, "id", "line", 0)


def grant(lives_ms: int = 300_000) -> PassGrant:
    return PassGrant("id", 7, How.LINE, lives_ms, 600_000, lives_ms)


class Counting:
    """The real store; counts what it is asked, and passes for which it was asked to renew. A held call waits."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.asked: Counter[str] = Counter()
        self.renewed: Counter[PassRef] = Counter()
        self.answered = 0
        self.failure: Exception | None = None
        # Set: answers of `renew` are worked out, and wait to be told.
        self.late: asyncio.Event | None = None

    def recall(self, room, ref):
        return self._store.recall(room, ref)

    async def renew(self, room, refs):
        self.asked["renew"] += 1
        self.renewed.update(refs)
        if self.failure is not None:
            raise self.failure
        answer = await self._store.renew(room, refs)
        self.answered += 1
        if self.late is not None:
            await self.late.wait()
        return answer

    def __getattr__(self, name):
        self.asked[name] += 1
        return getattr(self._store, name)


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
def open_store(tmp_path, clock):
    """Another process's view of the same file, at each call."""

    def open_one() -> Counting:
        return Counting(SqliteStore(tmp_path / "queue.db", first_epoch=1, wall_ms=clock, mono_ms=clock, boot_id="this"))

    return open_one


@asynccontextmanager
async def gateway_on(store, clock, **room):
    line = Line(
        Room.model_validate({**ROOM, **room}), BatchingStore(store), secure=False, monotonic=clock.seconds, wall=clock
    )
    await line.start()
    try:
        yield line
    finally:
        await line._store.close()


@pytest.fixture
async def store(open_store):
    return open_store()


@pytest.fixture
async def line(store, clock):
    async with gateway_on(store, clock) as made:
        yield made


@pytest.fixture
async def other(open_store, clock, line):
    """Another gateway on the same store."""
    async with gateway_on(open_store(), clock) as made:
        yield made


async def admit(line: Line) -> Pass:
    standing = await settle(line, Credentials(None, (), None, damaged=False))
    assert isinstance(standing, Inside)
    return standing.visitor_pass


def store_of(line: Line):
    return line._store.store


async def lives(line: Line, held: Pass) -> bool:
    """Whether a request by this pass would be forwarded."""
    standing = await settle(line, Credentials(held, (), None, damaged=False), at_once=False)
    return isinstance(standing, Inside) and standing.visitor_pass == held


async def pass_time(line: Line, ms: int) -> None:
    clock: Any = line._wall
    while ms > 0:
        step = min(ms, MAX_STEP_MS)
        clock.now_ms += step
        ms -= step
        await line.tick_now()


# In a running gateway


async def test_a_page_with_all_its_images_asks_the_store_for_its_pass_once_in_a_second(line, store, clock):
    held = await admit(line)
    for _ in range(5):
        clock.now_ms += HOLDS_MS
        for _ in range(40):
            assert await lives(line, held)
            clock.now_ms += 10
    assert store.renewed[PassRef(1, 1, held.pass_id)] == 5


async def test_requests_that_come_together_share_one_question(line, store, clock):
    held = await admit(line)
    clock.now_ms += HOLDS_MS
    assert all(await asyncio.gather(*(lives(line, held) for _ in range(20))))
    assert store.renewed.total() == 1


async def test_one_who_hangs_up_takes_nobody_elses_answer_along(line, store, clock):
    held = await admit(line)
    clock.now_ms += HOLDS_MS
    store.late = asyncio.Event()
    first, second = (asyncio.create_task(line.renew(held)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    store.late.set()
    assert await second is not None


async def test_who_was_just_admitted_is_known_without_asking(line, store):
    held = await admit(line)
    assert stand_by_memory(line, Credentials(held, (), None, damaged=False)) is not None
    assert store.renewed.total() == 0


async def test_by_memory_stands_only_who_would_stand_there_anyway(line, clock):
    held = await admit(line)
    brought = Credentials(held, (), None, damaged=False)
    assert stand_by_memory(line, brought) == await settle(line, brought)
    assert stand_by_memory(line, brought, rule="health") is None
    assert stand_by_memory(line, Credentials(None, (), None, damaged=False)) is None
    await line.change({"mode": "passthrough"}, expected_version=None)
    assert stand_by_memory(line, brought) is None


async def test_a_pass_revoked_through_another_gateway_stops_within_a_second(line, other, clock):
    held = await admit(line)
    clock.now_ms += HOLDS_MS
    assert await lives(line, held)
    assert await other.end(held, "revoked")
    clock.now_ms += HOLDS_MS - 1
    assert await lives(line, held), "what is promised is a second"
    clock.now_ms += 1
    assert not await lives(line, held)


async def test_the_second_counts_from_the_question_and_not_from_a_slow_answer(line, other, store, clock):
    held = await admit(line)
    clock.now_ms += HOLDS_MS
    store.late = asyncio.Event()
    asked = asyncio.create_task(line.renew(held))
    await until(lambda: store.answered > 0, "the answer is worked out")
    await other.end(held, "completed")
    clock.now_ms += HOLDS_MS
    store.late.set()
    await asked
    assert line.lives(held) is None


@pytest.mark.parametrize("reason", ["completed", "revoked", "left"])
async def test_a_pass_that_ends_here_ends_at_once(line, reason):
    held = await admit(line)
    assert await lives(line, held)
    assert await line.end(held, reason)
    assert line.lives(held) is None
    assert not await lives(line, held)


async def test_a_place_that_is_given_up_here_ends_its_pass_at_once(line):
    standing = await settle(line, Credentials(None, (), None, damaged=False))
    assert isinstance(standing, Inside)
    assert standing.ticket is not None
    assert await line.leave(standing.ticket)
    assert line.lives(standing.visitor_pass) is None


async def test_what_an_operator_revokes_here_ends_at_once(line):
    held = await admit(line)
    assert await line.revoke(PassRef(1, 1, held.pass_id))
    assert line.lives(held) is None


async def test_a_pass_that_cannot_be_ended_in_the_store_is_none_here_any_more(line, store):
    held = await admit(line)
    await line._store.close()
    assert await line.end(held, "completed")
    assert line.lives(held) is None
    assert await line.renew(held) is None


async def test_an_answer_from_before_the_end_revives_nothing(line, store, clock):
    held = await admit(line)
    clock.now_ms += HOLDS_MS
    store.late = asyncio.Event()
    asked = asyncio.create_task(line.renew(held))
    await until(lambda: store.answered > 0, "the answer is worked out")
    await line.end(held, "completed")
    store.late.set()
    await asked
    assert line.lives(held) is None


async def test_a_reset_ends_all_passes_at_once_and_elsewhere_with_the_next_look(line, other):
    held = await admit(line)
    await other.look_again()
    assert await other.renew(held) is not None
    await line.reset(expected_version=None)
    assert line.lives(held) is None
    await other.tick_now()
    assert other.lives(held) is None


async def test_requests_by_memory_keep_a_pass_alive(open_store, clock):
    store = open_store()
    async with gateway_on(store, clock, idle_limit_s=20) as line:
        held = await admit(line)
        await pass_time(line, 1_500)
        assert await lives(line, held), "which gains too little to be written"
        await pass_time(line, HOLDS_MS - 1)
        assert line.lives(held) is not None
        await pass_time(line, 1)
        await line._chores()
        await until(lambda: not line._asking, "the store is told")
        assert store.renewed.total() == 2
        await pass_time(line, 19_900)
        assert (await store.load("vaccine")).live == 1
        await pass_time(line, 200)
        assert (await store.load("vaccine")).live == 0


async def test_the_store_is_not_told_what_it_would_not_write_down(line, store):
    held = await admit(line)
    await pass_time(line, 2_000)
    for _ in range(10):
        assert await lives(line, held)
        assert line.lives(held) is not None
        await pass_time(line, HOLDS_MS)
        await line._chores()
    assert store.renewed.total() == 10


async def test_near_its_end_a_pass_is_asked_for_each_time(open_store, clock):
    store = open_store()
    async with gateway_on(store, clock, session_length_s=60, idle_limit_s=60) as line:
        held = await admit(line)
        await pass_time(line, 60_000 - NEAR_END_MS)
        for _ in range(3):
            assert await lives(line, held)
        assert store.asked["renew"] == 3
        await pass_time(line, NEAR_END_MS)
        assert not await lives(line, held)


async def test_the_ceiling_is_exact_whichever_gateway_ticks_and_however_late(open_store, clock):
    """At no moment does one go through by a pass whose seat is free for the next."""
    short = {"session_length_s": 60, "idle_limit_s": 60}
    async with gateway_on(open_store(), clock, **short) as line, gateway_on(open_store(), clock, **short) as other:
        held = await admit(line)
        seats = []
        for step in range(1, 700):
            clock.now_ms += 100
            # The pass clock stands for nearly two seconds, and then goes on all at once.
            if step % 19 == 0:
                await other.tick_now()
            by_memory = line.lives(held) is not None
            seats.append((await store_of(line).load("vaccine")).live)
            assert seats[-1] or not by_memory, step
            await line.renew(held)
        assert (seats[0], seats[-1]) == (1, 0)


async def test_a_store_that_fails_lets_nobody_through_once_the_second_is_over(line, store, clock):
    held = await admit(line)
    store.failure = StoreUnavailable("gone")
    assert line.lives(held) is not None
    clock.now_ms += HOLDS_MS
    assert line.lives(held) is None
    with pytest.raises(StoreUnavailable):
        await line.renew(held)


async def test_a_failure_that_nobody_waits_for_is_no_fault(open_store, clock):
    store = open_store()
    async with gateway_on(store, clock, idle_limit_s=20) as line:
        held = await admit(line)
        assert line.lives(held) is not None
        clock.now_ms += HOLDS_MS
        store.failure = StoreUnavailable("gone")
        await line._chores()
        assert len(line._asking) == 1
        await until(lambda: not line._asking, "the question has failed")


# By itself


def test_what_was_asked_before_a_pass_ended_is_not_remembered_after():
    living = Living()
    era = living.era
    living.forget(1, 7)
    living.saw(REF, grant(), asked_s=0, era=era)
    assert living.use(HELD, 0) is None
    living.saw(REF, grant(), asked_s=0, era=living.era)
    assert living.use(HELD, 0) == grant()


def test_another_pass_of_the_same_place_or_epoch_is_not_taken_for_it():
    living = Living()
    living.saw(REF, grant(), asked_s=0, era=0)
    for stranger in (Pass(1, 7, 7, "other", "line", 0), Pass(2, 7, 7, "id", "line", 0), Pass(1, 7, 8, "id", "line", 0)):
        assert living.use(stranger, 0) is None


def test_a_pass_that_does_not_live_or_is_near_its_end_is_not_remembered():
    living = Living()
    for answer in (None, grant(NEAR_END_MS)):
        living.saw(REF, grant(), asked_s=0, era=0)
        living.saw(REF, answer, asked_s=0, era=0)
        assert living.use(HELD, 0) is None
        assert len(living) == 0


def test_its_memory_is_bounded_and_what_holds_no_more_goes():
    living = Living()
    for place in range(MOST + 10):
        living.saw(PassRef(1, place, "id"), grant(), asked_s=0, era=0)
    assert len(living) == MOST
    assert living.due(HOLDS_S - 0.01, IDLE_MS) == []
    assert len(living) == MOST
    assert living.due(HOLDS_S, IDLE_MS) == []
    assert len(living) == 0


def test_due_is_who_was_used_and_whose_use_is_news():
    def due(now_s: float, *, lives_ms: int = 260_000, ends_ms: int = 600_000, used: bool = True) -> bool:
        living = Living()
        granted = grant(lives_ms)._replace(ends_ms=ends_ms)
        living.saw(REF, granted, asked_s=0, era=0)
        assert not used or living.use(HELD, 0.5) is not None
        return living.due(now_s, IDLE_MS) == [REF]

    assert due(HOLDS_S)
    assert not due(HOLDS_S, used=False)
    assert not due(LATE_S), "too long ago to be told as if it were now"
    assert not due(HOLDS_S, lives_ms=IDLE_MS), "gains less than a tenth of the limit"
    assert not due(HOLDS_S, ends_ms=260_000), "lives to its end anyway"


def test_an_answer_holds_for_less_than_a_pass_near_its_end_lives():
    assert NEAR_END_MS >= MAX_STEP_MS + HOLDS_MS
