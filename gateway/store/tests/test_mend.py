"""A server that forgot is told: whatever was answered before stays true, on a server that knows only an earlier line.

Forgetting is done by putting an earlier copy of a room's keys back, as a promoted replica has it, with another home.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from redis import Redis

from gateway.room.model import Append, Limits, Snapshot
from gateway.store.base import Admitted, Claim, PassRef, Served, Spent, StoreUnavailable
from gateway.store.redis import RedisStore
from gateway.store.redis_nodes import Access
from gateway.store.redis_url import parse_redis_url
from gateway.store.tests.plans import idle_plan, opening_plan
from gateway.tests.redis.fixtures import fresh_name
from gateway.tests.redis.servers import RedisServer

LIMITS = Limits(total_active_users=10_000, session_length_ms=10**7, idle_limit_ms=10**7)
FAR = 10**15
PATIENT_MS = 60_000


class Hall:
    """A room, some gateways, and the means to make its server forget."""

    def __init__(self, server: RedisServer) -> None:
        self._url = server.url
        self._prefix = fresh_name()
        self.server = Redis.from_url(server.url, protocol=2)
        self.gateways: list[RedisStore] = []
        self._ids = count()

    def gateway(self, patience_ms: int = PATIENT_MS) -> RedisStore:
        url = parse_redis_url(f"{self._url}?prefix={self._prefix}")
        store = RedisStore(url, Access(timeout_s=10), first_epoch=1, mend_patience_ms=patience_ms)
        self.gateways.append(store)
        return store

    async def open(self, gateways: int = 1, *, limits: Limits = LIMITS, patience_ms: int = PATIENT_MS) -> None:
        """With a line at home already, so that nobody waits for others at the start."""
        first = self.gateway(patience_ms=0)
        await first.open_room("hall", limits)
        for _ in range(gateways - 1):
            await self.gateway(patience_ms).open_room("hall", limits)
        first._mend_patience_ms = patience_ms
        for store in self.gateways:
            await store.load("hall")

    def key(self, name: str) -> str:
        return f"{self._prefix}:{{hall}}:{name}"

    def copy(self) -> dict[bytes, bytes]:
        """What a replica has received by now."""
        keys = list(self.server.scan_iter(f"{self._prefix}:*"))
        return {key: self.server.dump(key) or b"" for key in keys}

    def forget(self, copy: dict[bytes, bytes]) -> None:
        """Have a server that knows only `copy` take over."""
        for key in list(self.server.scan_iter(f"{self._prefix}:*")):
            self.server.delete(key)
        for key, value in copy.items():
            self.server.restore(key, 0, value)
        if copy:
            self.server.hset(self.key("line"), "home", "f" * 40)
        for store in self.gateways:
            # They were at home on the server that is gone.
            store._line("hall").home = "f" * 40

    async def settle(self, *gateways: RedisStore) -> list[Snapshot]:
        """Each looks until the line is whole again."""
        stores = gateways or tuple(self.gateways)
        for _ in range(2):
            seen = []
            for store in stores:
                try:
                    seen.append(await store.load("hall"))
                except StoreUnavailable:
                    continue
        assert len(seen) == len(stores), "the line was not whole after everyone had testified"
        return seen

    async def tick(self, store: RedisStore, **changes: Any) -> Snapshot:
        snapshot = await store.load("hall")
        done, after = await store.commit("hall", idle_plan(snapshot, **changes), snapshot.tick)
        assert done
        return after

    async def call_all(self, store: RedisStore) -> Snapshot:
        snapshot = await store.load("hall")
        done, after = await store.commit("hall", opening_plan(snapshot), snapshot.tick)
        assert done
        return after

    async def admit(self, store: RedisStore, *places: int) -> dict[int, str]:
        claims = [Claim(1, place, f"p{place}-{next(self._ids)}") for place in places]
        answers = await store.claim("hall", claims)
        return {
            claim.place: a.grant.pass_id for claim, a in zip(claims, answers, strict=True) if isinstance(a, Admitted)
        }


@pytest.fixture
def hall(valkey_server: RedisServer) -> Iterator[Hall]:
    made = Hall(valkey_server)
    yield made
    made.server.close()


@pytest.fixture(autouse=True)
async def _closed(hall: Hall):
    yield
    for store in hall.gateways:
        await store.close()


async def test_numbers_forgotten_by_the_server_are_not_issued_again(hall):
    await hall.open(gateways=2)
    one, other = hall.gateways
    await one.join("hall", [None] * 5, expires_ms=FAR)
    copy = hall.copy()
    told = [*await one.join("hall", [None] * 3, expires_ms=FAR), *await other.join("hall", [None] * 4, expires_ms=FAR)]
    assert told == list(range(6, 13))
    hall.forget(copy)
    with pytest.raises(StoreUnavailable):
        await one.join("hall", [None], expires_ms=FAR)
    await hall.settle()
    assert await one.join("hall", [None], expires_ms=FAR) == [13]


async def test_places_used_before_stay_used_and_passes_told_before_live_on(hall):
    await hall.open(gateways=2)
    one, other = hall.gateways
    await one.join("hall", [None] * 8, expires_ms=FAR)
    await hall.call_all(one)
    copy = hall.copy()
    mine, theirs = await hall.admit(one, 1, 2, 3), await hall.admit(other, 4, 5)
    assert await one.complete("hall", [PassRef(1, 3, mine[3])], reason="completed") == [True]
    assert await other.leave("hall", [(1, 6), (1, 5)]) == [True, True]
    before = await one.load("hall")
    hall.forget(copy)
    (after, _) = await hall.settle()
    assert (after.live, dict(after.counters)) == (before.live, {**before.counters, "store_repairs": 1})
    refs = [PassRef(1, place, pass_id) for place, pass_id in (mine | theirs).items()]
    alive = [grant is not None for grant in await other.renew("hall", refs)]
    assert alive == [True, True, False, True, False]
    answers = await one.claim("hall", [Claim(1, place, "second") for place in (3, 5, 6)])
    assert answers == [Spent(), Spent(), Spent()]


@pytest.mark.parametrize("forgotten", ["the admission", "the failure"])
@pytest.mark.parametrize("works", [False, True])
async def test_the_time_that_a_failing_backend_cost_is_not_forgotten_with_the_server(hall, forgotten, works):
    await hall.open(gateways=2)
    one, other = hall.gateways
    await one.join("hall", [None] * 2, expires_ms=FAR)
    await hall.call_all(one)
    copy = hall.copy()
    ref = PassRef(1, 1, (await hall.admit(one, 1))[1])
    if forgotten == "the failure":
        copy = hall.copy()
    clock_ms = (await one.load("hall")).pass_clock_ms
    for answered in (False, works):
        clock_ms += 1_000
        await hall.tick(one, pass_clock_ms=clock_ms)
        (before,) = await one.serve("hall", [Served(ref, answered)])
    assert before is not None
    assert (before.trial is None) is works
    hall.forget(copy)
    await hall.settle()
    (after,) = await other.look("hall", [ref])
    assert after == before


async def test_calls_forgotten_by_the_server_are_called_still(hall):
    await hall.open(gateways=2)
    one, other = hall.gateways
    await one.join("hall", [None] * 9, expires_ms=FAR)
    await hall.tick(one, serve_to=2, admitting=True)
    copy = hall.copy()
    await hall.tick(one, serve_to=7, call_clock_ms=1_000)
    before = await other.load("hall")
    hall.forget(copy)
    (after, _) = await hall.settle()
    assert (after.serving, after.tail, after.calls) == (7, 9, before.calls)
    assert after.tick > before.tick
    assert (after.credit, after.call_credit, after.admitting) == (0, 0, False)


async def test_who_left_ahead_of_the_call_is_not_called_after_all(hall):
    await hall.open(gateways=2)
    one, other = hall.gateways
    await one.join("hall", [None] * 9, expires_ms=FAR)
    copy = hall.copy()
    await one.leave("hall", [(1, 4)])
    await other.leave("hall", [(1, 7), (1, 8)])
    await one.load("hall")
    before = await other.load("hall")
    hall.forget(copy)
    (after, _) = await hall.settle()
    assert (after.left_ahead, after.absent, after.waiting) == (3, before.absent, 6)


async def test_settings_forgotten_by_the_server_are_set_again(hall):
    await hall.open(gateways=2)
    one, other = hall.gateways
    copy = hall.copy()
    before = await other.update_settings("hall", {"mode": "paused", "total_active_users": 3}, expected_version=1)
    hall.forget(copy)
    (after, _) = await hall.settle()
    assert after.limits == before.limits
    assert (await hall.admit(one, 1)) == {}


async def test_a_reset_forgotten_by_the_server_stays_a_reset(hall):
    await hall.open(gateways=2)
    one, other = hall.gateways
    await one.join("hall", [None] * 9, expires_ms=FAR)
    await hall.call_all(one)
    await hall.admit(one, 1, 2)
    await other.load("hall")
    copy = hall.copy()
    await one.reset("hall", expected_version=None)
    assert await one.join("hall", [None] * 2, expires_ms=FAR) == [1, 2]
    hall.forget(copy)
    (after, _) = await hall.settle()
    assert (after.epoch, after.tail, after.serving, after.live) == (2, 2, 0, 0)


async def test_a_gateway_that_died_with_the_server_is_waited_for_and_its_numbers_are_skipped(hall):
    await hall.open(gateways=3)
    one, other, dead = hall.gateways
    await one.join("hall", [None] * 5, expires_ms=FAR)
    for store in hall.gateways:
        await store.load("hall")
    copy = hall.copy()
    unseen = list(await dead.join("hall", [None] * 6, expires_ms=FAR))
    hall.forget(copy)
    for _ in range(3):
        for store in (one, other):
            with pytest.raises(StoreUnavailable):
                await store.load("hall")
    # Its time is over.
    hall.server.hset(hall.key("line"), "mend_until_ms", 0)
    await hall.settle(one, other)
    (number,) = await one.join("hall", [None], expires_ms=FAR)
    assert number > max(unseen)


async def test_a_gateway_that_was_late_is_heard_and_only_raises(hall):
    await hall.open(gateways=3)
    one, other, late = hall.gateways
    await one.join("hall", [None] * 9, expires_ms=FAR)
    await hall.call_all(one)
    for store in hall.gateways:
        await store.load("hall")
    copy = hall.copy()
    unseen = await hall.admit(late, 1, 2)
    hall.forget(copy)
    for store in (one, other):
        with pytest.raises(StoreUnavailable):
            await store.load("hall")
    hall.server.hset(hall.key("line"), "mend_until_ms", 0)
    (before, _) = await hall.settle(one, other)
    after = await late.load("hall")
    assert (before.live, after.live) == (0, 2)
    assert after.tail >= before.tail
    again = await one.claim("hall", [Claim(1, place, "second") for place in unseen])
    assert [answer.grant.pass_id for answer in again if isinstance(answer, Admitted)] == list(unseen.values())


async def test_a_line_lost_whole_is_rebuilt_by_those_who_remember(hall):
    await hall.open(gateways=2)
    one, other = hall.gateways
    await one.join("hall", [None] * 40, expires_ms=FAR)
    await hall.tick(one, serve_to=20, admitting=True, credit_add=10**9)
    mine, theirs = await hall.admit(one, 1, 2, 3), await hall.admit(other, 4, 15)
    await one.complete("hall", [PassRef(1, 2, mine[2])], reason="completed")
    await hall.tick(one, serve_to=30, call_clock_ms=1_000, watermark=20)
    await one.leave("hall", [(1, 33)])
    await other.load("hall")
    before = await one.load("hall")
    hall.forget({})
    for store in (one, other):
        with pytest.raises(StoreUnavailable):
            await store.load("hall")
    hall.server.hset(hall.key("line"), "mend_until_ms", 0)
    (after, _) = await hall.settle()
    same = {
        "tick": 0,
        "now_ms": 0,
        "tail": 0,
        "counters": {},
        "credit": 0,
        "call_credit": 0,
        "entry_credit": 0,
        "admitting": False,
    }
    assert replace(after, **same) == replace(before, **same, curve=after.curve)
    # What a gateway that is gone may have issued unseen is skipped: no more the next time than this time.
    assert after.tail == before.tail + max(store._line("hall").witness.margin for store in (one, other))
    refs = [PassRef(1, place, pass_id) for place, pass_id in (mine | theirs).items()]
    assert [grant is not None for grant in await other.renew("hall", refs)] == [True, False, True, True, True]
    # Nobody may remember who was admitted long ago: whose window is over gets nothing; who is called now, does.
    await hall.tick(one, admitting=True, credit_add=10**9)
    assert await hall.admit(one, 7, 20) == {}
    assert set(await hall.admit(one, 21, 30)) == {21, 30}


async def test_a_gateway_that_starts_on_an_emptied_server_takes_no_line_away_from_those_who_remember(hall):
    await hall.open(gateways=2)
    one, other = hall.gateways
    numbers = await one.join("hall", [None] * 40, expires_ms=FAR)
    await one.load("hall")
    hall.forget({})
    fresh = hall.gateway(patience_ms=0)
    fresh._first_epoch = "77"
    await fresh.open_room("hall", LIMITS)
    # As it is on a server that was started a moment ago: the newcomer's line waits for those who may remember another.
    hall.server.hset(hall.key("line"), mapping={"home": "", "newborn": 1})
    hall.server.hset(hall.key("gateways"), "another", 10**14)
    with pytest.raises(StoreUnavailable):
        await one.load("hall")
    hall.server.hset(hall.key("line"), "mend_until_ms", 0)
    (after, *_) = await hall.settle(one, other)
    assert (after.epoch, after.tail >= len(numbers)) == (1, True)


async def test_a_room_that_nobody_remembers_on_an_emptied_server_is_unknown(hall):
    await hall.open()
    hall.forget({})
    stranger = hall.gateway()
    with pytest.raises(Exception, match="never opened"):
        await stranger.load("hall")


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_is_forgotten_no_number_is_told_twice_and_no_place_gets_a_second_pass(hall, seed):
    dice = random.Random(seed)
    gateways = dice.randint(1, 4)
    await hall.open(gateways)
    numbers: list[int] = []
    passes: dict[int, str] = {}
    ended: set[int] = set()
    copies = [hall.copy()]
    for _ in range(120):
        store = dice.choice(hall.gateways)
        match dice.randint(0, 9):
            case 0 | 1:
                numbers += await store.join("hall", [None] * dice.randint(1, 5), expires_ms=FAR)
            case 2:
                await hall.call_all(store)
            case 3 | 4 | 5:
                known = await store.load("hall")
                places = dice.sample(range(1, known.tail + 1), min(known.tail, dice.randint(1, 4)))
                for place, pass_id in (await hall.admit(store, *places)).items():
                    assert passes.setdefault(place, pass_id) == pass_id
                    assert place not in ended
            case 6 if passes:
                place = dice.choice(sorted(passes))
                if dice.random() < 0.5:
                    lived = await store.complete("hall", [PassRef(1, place, passes[place])], reason="completed")
                else:
                    lived = await store.leave("hall", [(1, place)])
                assert lived == [place not in ended]
                ended.add(place)
            case 7:
                refs = [PassRef(1, place, pass_id) for place, pass_id in passes.items()]
                alive = [grant is not None for grant in await store.renew("hall", refs)]
                assert alive == [ref.place not in ended for ref in refs]
            case 8:
                copies.append(hall.copy())
            case 9 if dice.random() < 0.4:
                # Any copy since the last time, most often the newest: a replica lags a little.
                hall.forget(dice.choice(copies[-2:]))
                seen = await hall.settle()
                assert {(one.tail, one.live, one.epoch) for one in seen} == {
                    (len(numbers), len(passes) - len(ended), 1)
                }
                copies = [hall.copy()]
    hall.forget(copies[-1])
    await hall.settle()
    assert numbers == list(range(1, len(numbers) + 1))
    assert await hall.gateways[0].join("hall", [None], expires_ms=FAR) == [len(numbers) + 1]


async def test_a_server_that_dies_while_it_is_told_leaves_nothing_untold(hall):
    await hall.open(gateways=3)
    one, other, third = hall.gateways
    await one.join("hall", [None] * 9, expires_ms=FAR)
    await hall.call_all(one)
    copy = hall.copy()
    mine, theirs, last = [await hall.admit(store, place) for store, place in ((one, 1), (other, 2), (third, 3))]
    for _ in range(3):
        await hall.tick(one)
    hall.forget(copy)
    with pytest.raises(StoreUnavailable):
        await one.load("hall")
    # Raised in part, it dies, and its replica takes over.
    half = hall.copy()
    hall.forget(half)
    hall.server.hset(hall.key("line"), "mending", "e" * 40)
    await hall.settle()
    refs = [PassRef(1, place, pass_id) for place, pass_id in (mine | theirs | last).items()]
    assert [grant is not None for grant in await one.renew("hall", refs)] == [True, True, True]


async def test_a_pass_that_ended_elsewhere_is_not_revived_by_a_gateway_that_saw_it_live(hall):
    await hall.open(gateways=2)
    one, other = hall.gateways
    await one.join("hall", [None] * 3, expires_ms=FAR)
    await hall.call_all(one)
    passes = await hall.admit(one, 1, 2)
    assert await other.complete("hall", [PassRef(1, 1, passes[1])], reason="completed") == [True]
    hall.forget(hall.copy())
    (after, _) = await hall.settle()
    assert after.live == 1
    assert one.recall("hall", PassRef(1, 1, passes[1])) is not None, "it knows no better"
    # Nor where everything was lost: who ended it says so.
    hall.forget({})
    for store in (one, other):
        with pytest.raises(StoreUnavailable):
            await store.load("hall")
    hall.server.hset(hall.key("line"), "mend_until_ms", 0)
    (after, _) = await hall.settle()
    assert after.live == 1


async def test_a_clock_set_back_while_gateways_testify_makes_nobody_wait_for_it(hall):
    await hall.open(gateways=2, patience_ms=1)
    one, other = hall.gateways
    hall.forget(hall.copy())
    hall.server.hset(hall.key("gateways"), "gone", 10**14)
    with contextlib.suppress(StoreUnavailable):
        await one.load("hall")
    hall.server.hset(hall.key("line"), "mend_until_ms", 10**14)
    with contextlib.suppress(StoreUnavailable):
        await one.load("hall")
    await asyncio.sleep(0.01)
    await hall.settle(one, other)


async def test_lots_that_the_server_forgot_are_not_drawn_again(hall):
    await hall.open(gateways=2)
    one, other = hall.gateways
    await one.join("hall", [None] * 5, expires_ms=FAR)
    copy = hall.copy()
    drawn = await hall.tick(one, draw=True)
    await other.join("hall", [None] * 4, expires_ms=FAR)
    hall.forget(copy)
    (after, _) = await hall.settle()
    assert (after.draw_secret, after.draw_size, after.tail) == (drawn.draw_secret, 5, 9)
    assert (await hall.tick(one, draw=True)).draw_size == 5
    # Nor where everything was lost.
    hall.forget({})
    for store in (one, other):
        with pytest.raises(StoreUnavailable):
            await store.load("hall")
    hall.server.hset(hall.key("line"), "mend_until_ms", 0)
    (after, _) = await hall.settle()
    assert (after.draw_secret, after.draw_size) == (drawn.draw_secret, 5)


async def test_a_wave_that_the_server_forgot_has_joined_still_at_its_place(hall):
    await hall.open(gateways=2)
    one, other = hall.gateways
    await one.join("hall", [None] * 5, expires_ms=FAR)
    copy = hall.copy()
    joined = await hall.tick(one, append=Append("fifties", 100, "5e"))
    assert await other.join("hall", [None] * 4, expires_ms=FAR) == [106, 107, 108, 109]
    hall.forget(copy)
    (after, _) = await hall.settle()
    assert (after.tail, after.blocks) == (109, joined.blocks)
    assert (await hall.tick(one, append=Append("fifties", 7))).blocks == joined.blocks
    # Nor where everything was lost.
    hall.forget({})
    for store in (one, other):
        with pytest.raises(StoreUnavailable):
            await store.load("hall")
    hall.server.hset(hall.key("line"), "mend_until_ms", 0)
    (after, _) = await hall.settle()
    assert after.blocks == joined.blocks


async def test_a_reset_that_the_server_forgot_brings_no_wave_back(hall):
    await hall.open(gateways=2)
    one, other = hall.gateways
    await hall.tick(one, append=Append("fifties", 100))
    await other.load("hall")
    copy = hall.copy()
    await one.reset("hall", expected_version=None)
    hall.forget(copy)
    (after, _) = await hall.settle()
    assert (after.epoch, after.tail, after.blocks) == (2, 0, {})


async def test_a_wave_told_of_too_late_takes_no_number_that_was_issued_meanwhile(hall):
    await hall.open(gateways=3)
    one, other, late = hall.gateways
    await one.join("hall", [None] * 5, expires_ms=FAR)
    for store in hall.gateways:
        await store.load("hall")
    copy = hall.copy()
    await hall.tick(late, append=Append("fifties", 100))
    hall.forget(copy)
    for store in (one, other):
        with pytest.raises(StoreUnavailable):
            await store.load("hall")
    hall.server.hset(hall.key("line"), "mend_until_ms", 0)
    await hall.settle(one, other)
    (number,) = await one.join("hall", [None], expires_ms=FAR)
    after = await late.load("hall")
    assert not any(number in block for block in after.blocks.values())
    again = (await hall.tick(late, append=Append("fifties", 100))).blocks["fifties"]
    assert again.base >= number


async def test_gateways_that_were_killed_long_ago_are_forgotten_when_another_starts(hall):
    await hall.open()
    gateways = hall.key("gateways")
    now_ms = int(hall.server.time()[0]) * 1000
    hall.server.hset(gateways, mapping={"old": now_ms - 4_000_000, "to:old": "to x", "lately": now_ms - 60_000})
    await hall.gateway().open_room("hall", LIMITS)
    assert set(hall.server.hkeys(gateways)) == {b"lately", hall.gateways[0].gateway.encode()}
