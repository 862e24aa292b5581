"""Servers that change under calls and gateways: late answers, gateways that start or speak late, old primaries."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis as AsyncRedis

from gateway.room.policy import plan_tick
from gateway.store.base import Admitted, Claim, PassRef, StoreUnavailable
from gateway.store.redis import RedisStore
from gateway.store.redis_link import Argument
from gateway.store.scripts import script
from gateway.store.tests.plans import idle_plan
from gateway.store.tests.test_mend import FAR, LIMITS, Hall
from gateway.store.witness import Part
from gateway.tests.redis.servers import RedisServer


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


async def called(hall: Hall, gateways: int, people: int = 9) -> list[RedisStore]:
    """Gateways that have all looked at a line whose people are called."""
    await hall.open(gateways)
    await hall.gateways[0].join("hall", [None] * people, expires_ms=FAR)
    await hall.call_all(hall.gateways[0])
    for store in hall.gateways:
        await store.load("hall")
    return hall.gateways


async def without(hall: Hall, *those_left: RedisStore) -> None:
    """The others are waited for in vain."""
    for store in those_left:
        with pytest.raises(StoreUnavailable):
            await store.load("hall")
    hall.server.hset(hall.key("line"), "mend_until_ms", 0)
    await hall.settle(*those_left)


def refs(passes: dict[int, str]) -> list[PassRef]:
    return [PassRef(1, place, pass_id) for place, pass_id in passes.items()]


@pytest.mark.parametrize("kind", ["join", "claim"])
async def test_what_a_server_says_after_the_line_has_moved_on_is_not_told(hall, kind, monkeypatch):
    one, _ = await called(hall, gateways=2)
    copy = hall.copy()
    carried_out, told = asyncio.Event(), asyncio.Event()
    once = one._link._once

    async def late(client: AsyncRedis, command: Sequence[Argument], *, durable: bool) -> list[Any]:
        reply = await once(client, command, durable=durable)
        if command[1] in (script(kind).sha, script(kind).source):
            carried_out.set()
            await told.wait()
        return reply

    monkeypatch.setattr(one._link, "_once", late)
    question = one.join("hall", [None], expires_ms=FAR) if kind == "join" else one.claim("hall", [Claim(1, 1, "first")])
    asked = asyncio.create_task(question)
    await carried_out.wait()
    monkeypatch.undo()
    hall.forget(copy)
    await hall.settle()
    told.set()
    with pytest.raises(StoreUnavailable, match="any more"):
        await asked


async def test_passes_told_by_a_gateway_that_started_late_and_speaks_late_live_on(hall):
    one, other = await called(hall, gateways=2)
    late = hall.gateway()
    await late.open_room("hall", LIMITS)
    await late.load("hall")
    copy = hall.copy()
    passes = await hall.admit(late, 1, 2)
    hall.forget(copy)
    await without(hall, one, other)
    assert (await late.load("hall")).live == 2
    assert None not in await one.renew("hall", refs(passes))


async def test_passes_of_a_gateway_that_started_after_the_copy_live_on(hall):
    (one,) = await called(hall, gateways=1)
    copy = hall.copy()
    await hall.tick(one)
    young = hall.gateway()
    await young.open_room("hall", LIMITS)
    passes = await hall.admit(young, 1, 2)
    before = await one.load("hall")
    hall.forget(copy)
    (after, _) = await hall.settle()
    assert (after.live, after.counters["admitted"]) == (2, 2)
    assert [call.remaining for call in after.calls] == [call.remaining for call in before.calls]
    assert None not in await one.renew("hall", refs(passes))


async def test_passes_given_since_a_reset_that_the_server_forgot_live_on(hall):
    one, other = await called(hall, gateways=2)
    copy = hall.copy()
    await one.reset("hall", expected_version=None)
    await one.join("hall", [None] * 4, expires_ms=FAR)
    await hall.call_all(one)
    answers = await one.claim("hall", [Claim(2, place, f"x{place}") for place in (1, 2, 3)])
    assert all(isinstance(answer, Admitted) for answer in answers)
    await other.load("hall")
    hall.forget(copy)
    (after, _) = await hall.settle()
    assert (after.epoch, after.live) == (2, 3)


async def test_a_pass_admitted_by_a_gateway_that_died_is_told_by_one_that_saw_it_live(hall):
    one, other, dead = await called(hall, gateways=3)
    copy = hall.copy()
    passes = await hall.admit(dead, 1)
    assert None not in await one.renew("hall", refs(passes))
    hall.forget(copy)
    await without(hall, one, other)
    (answer,) = await one.claim("hall", [Claim(1, 1, "second")])
    assert isinstance(answer, Admitted)
    assert answer.grant.pass_id == passes[1]


@pytest.mark.parametrize("first_to_speak", [0, 1])
async def test_a_pass_revoked_elsewhere_stays_revoked_whoever_speaks_first(hall, first_to_speak):
    one, other = await called(hall, gateways=2)
    passes = await hall.admit(one, 1, 2)
    assert await other.complete("hall", refs(passes)[:1], reason="revoked") == [True]
    hall.forget({})
    speakers = (one, other) if first_to_speak == 0 else (other, one)
    await without(hall, *speakers)
    assert [grant is not None for grant in await one.renew("hall", refs(passes))] == [False, True]


async def test_what_was_planned_before_a_late_testimony_is_not_carried_out(hall):
    one, late = await called(hall, gateways=2, people=40)
    copy = hall.copy()
    told = await hall.tick(late, watermark=20, call_clock_ms=5_000, pass_clock_ms=5_000)
    hall.forget(copy)
    await without(hall, one)
    seen = await one.load("hall")
    await late.load("hall")
    done, after = await one.commit("hall", idle_plan(seen), seen.tick)
    assert not done
    assert (after.watermark, after.call_clock_ms, after.pass_clock_ms) == (
        told.watermark,
        told.call_clock_ms,
        told.pass_clock_ms,
    )


async def test_a_former_primary_that_wakes_up_is_not_worked_on_by_those_who_have_moved_on(hall):
    (one,) = await called(hall, gateways=1)
    before = hall.copy()
    hall.forget(before)
    (moved,) = await hall.settle()
    await one.join("hall", [None], expires_ms=FAR)
    # The old primary as it was: at home, by its own lights.
    here = one._line("hall").home
    hall.forget(before)
    hall.server.hset(hall.key("line"), "home", here)
    with pytest.raises(StoreUnavailable, match="another server"):
        await one.join("hall", [None], expires_ms=FAR)
    assert moved.tail == 9


async def test_a_gateway_of_a_line_that_was_lost_takes_part_in_the_one_begun_in_its_place(hall):
    (one,) = await called(hall, gateways=1)
    for _ in range(3):
        hall.forget(hall.copy())
        await hall.settle()
    hall.forget({})
    fresh = hall.gateway(patience_ms=0)
    fresh._first_epoch = "77"
    await fresh.open_room("hall", LIMITS)
    assert (await one.load("hall")).epoch == 77
    hall.forget(hall.copy())
    assert {seen.epoch for seen in await hall.settle()} == {77}
    assert await one.join("hall", [None], expires_ms=FAR) == [1]


async def test_a_gateway_that_was_started_anew_knows_what_was_done_before(hall):
    (one,) = await called(hall, gateways=1, people=20)
    passes = await hall.admit(one, 1, 2, 3, 15)
    await one.complete("hall", refs(passes)[:2], reason="completed")
    await one.close()
    hall.gateways.remove(one)
    again = hall.gateway()
    await again.open_room("hall", LIMITS)
    hall.forget({})
    await without(hall, again)
    await hall.call_all(again)
    assert await hall.admit(again, 1, 2) == {}
    assert [grant is not None for grant in await again.renew("hall", refs(passes))] == [False, False, True, True]


async def test_places_used_through_a_gateway_that_is_gone_are_known_to_those_who_looked_since(hall):
    one, gone = await called(hall, gateways=2)
    await hall.admit(gone, 1, 2)
    one._line("hall").learn_at_ms = 0
    await one.load("hall")
    hall.forget({})
    await without(hall, one)
    await hall.call_all(one)
    assert set(await hall.admit(one, 1, 2, 3)) == {3}


async def test_a_line_told_in_part_by_gateways_that_are_gone_is_none(hall):
    (one,) = await called(hall, gateways=1)
    await hall.admit(one, 1, 2)
    hall.forget({})
    line = one._line("hall")
    counters = line._counters()
    await line._tell(one._link, one.gateway, 60_000, "begin", counters, Part())
    await line._tell(one._link, one.gateway, 60_000, "part", counters, next(line.witness.testimony(-1)))
    hall.server.hset(hall.key("line"), "mend_until_ms", 0)
    fresh = hall.gateway(patience_ms=0)
    seen = await fresh.open_room("hall", LIMITS)
    assert (seen.epoch > 1, seen.tail, seen.live) == (True, 0, 0)
    # The lost line's lots may have been published: whoever knows that secret must not know these lots.
    lost = one._line("hall").witness.snapshot
    assert lost is not None
    assert len(seen.draw_secret) == len(lost.draw_secret)
    assert seen.draw_secret != lost.draw_secret
    assert await fresh.join("hall", [None], expires_ms=FAR) == [1]


@pytest.mark.parametrize("lost", ["awaited", "calls", "grants", "counters", "kept", "passes"])
async def test_a_key_that_is_gone_ends_in_no_fault_of_ours(hall, lost):
    (one,) = await called(hall, gateways=1)
    await hall.admit(one, 1, 2)
    hall.server.delete(hall.key(lost))
    for _ in range(2):
        snapshot = await one.load("hall")
        await one.commit("hall", plan_tick(snapshot, snapshot.now_ms + 1_000), snapshot.tick)
    with contextlib.suppress(StoreUnavailable):
        await one.claim("hall", [Claim(1, place, f"x{place}") for place in range(1, 10)])
