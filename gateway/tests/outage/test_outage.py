"""The store away, in every way it can be: who waits is told so, who is inside stays, nobody comes in; then it goes on.

A crowd of some hundred comes, waits, stays and leaves, through two real gateways on one real server. In the room passes
run out sooner than the store comes back: had the clocks not stood still, everyone inside would be thrown out.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from gateway.edge.tests.backend import until
from gateway.room.model import MAX_STEP_MS
from gateway.tests.outage import evidence
from gateway.tests.outage.evidence import SEEN, Outage
from gateway.tests.outage.people import Stage
from gateway.tests.outage.scene import FIRST_PEOPLE, PEOPLE_PER_S, scene
from gateway.tests.redis.proxy import SlowProxy
from gateway.tests.redis.servers import RedisServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("outage")]

KEY = "sunbeon:{vaccine}:"
AWAY_S = 7.0
FROZEN_S = 10.0
# After the line has moved again: a flood would come at once, and everybody asks once and more.
AFTER_S = 2.0
# Until the line moves again after the store is back: a breaker's pause, a tick, a poll; on a busy machine.
RECOVERY_S = 8.0
# At least so long after every gateway has noticed.
SEEN_S = 3.0
CUT_EVERY_S = 0.15

Break = Callable[[RedisServer, SlowProxy], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def frozen(server: RedisServer, _: SlowProxy) -> AsyncIterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@asynccontextmanager
async def killed(server: RedisServer, _: SlowProxy) -> AsyncIterator[None]:
    """And started again when the time is over, with what it kept."""
    await asyncio.to_thread(server.kill)
    yield
    await asyncio.to_thread(server.start)


@asynccontextmanager
async def slow(_: RedisServer, proxy: SlowProxy) -> AsyncIterator[None]:
    proxy.delay_s = 2.0
    yield
    proxy.heal()


@asynccontextmanager
async def unreachable(_: RedisServer, proxy: SlowProxy) -> AsyncIterator[None]:
    proxy.blackhole()
    yield
    proxy.heal()


@asynccontextmanager
async def out_of_memory(server: RedisServer, _: SlowProxy) -> AsyncIterator[None]:
    await asyncio.to_thread(server.call, "CONFIG", "SET", "maxmemory", 1)
    yield
    await asyncio.to_thread(server.call, "CONFIG", "SET", "maxmemory", 0)


@asynccontextmanager
async def read_only(server: RedisServer, _: SlowProxy) -> AsyncIterator[None]:
    """A replica now, of somebody who is not there: it answers, and takes no writes."""
    await asyncio.to_thread(server.call, "REPLICAOF", "127.0.0.1", 1)
    yield
    await asyncio.to_thread(server.call, "REPLICAOF", "NO", "ONE")


@pytest.mark.parametrize(
    ("breaks", "keeps", "away_s"),
    [
        pytest.param(frozen, "", FROZEN_S, id="frozen"),
        pytest.param(killed, "all", AWAY_S, id="killed and started again with its file"),
        pytest.param(killed, "", AWAY_S, id="killed and started again empty"),
        pytest.param(killed, "old copy", AWAY_S, id="killed and started again from an old copy"),
        pytest.param(slow, "", AWAY_S, id="two seconds late"),
        pytest.param(unreachable, "", AWAY_S, id="unreachable"),
        pytest.param(out_of_memory, "", AWAY_S, id="out of memory"),
        pytest.param(read_only, "", AWAY_S, id="read-only"),
    ],
)
async def test_while_the_store_is_away_places_are_kept_and_nobody_new_comes_in(tmp_path, breaks, keeps, away_s):
    with RedisServer(aof=keeps == "all") as server:
        async with SlowProxy(server) as proxy, scene(tmp_path, proxy.url) as at:
            people = at.people()
            more = asyncio.create_task(_come(people))
            try:
                await _line_is_formed(people)
                if keeps == "old copy":
                    copied_s = time.monotonic()
                    await asyncio.to_thread(server.call, "SAVE")
                    await until(lambda: people.admitted_since(copied_s) > 5, "the copy has become an old one")
                clock_ms = _pass_clock(server)
                async with breaks(server, proxy):
                    begun_s = time.monotonic()
                    await _operators_see(at, within_s=2 * away_s)
                    seen_s = time.monotonic()
                    await asyncio.sleep(max(begun_s + away_s, seen_s + SEEN_S) - time.monotonic())
                    ended_s = time.monotonic()
                outage = Outage(begun_s, ended_s, seen_s)
                await _line_moves_again(people, outage)
            finally:
                more.cancel()
            looked_s = time.monotonic()
            went_ms = _pass_clock(server) - clock_ms
            await people.go_home()
            counters = server.client().hgetall(f"{KEY}counters")
            everyone = people.everyone
            print(f"\n{evidence.figures(everyone, outage)}")
            evidence.answers_were_bounded(everyone)
            evidence.nobody_was_admitted(everyone, at.forwarded, outage)
            assert evidence.nobody_inside_was_thrown_out(everyone, outage) > SEEN
            assert evidence.everyone_waiting_was_told_so(everyone, outage) > SEEN
            evidence.every_number_was_one_persons(everyone, at.forwarded)
            evidence.nothing_flooded(everyone)
            assert evidence.figures(everyone, outage).recovered_s < RECOVERY_S
            # The clock that passes run out by stood still, but for the one step before that was noticed.
            assert 0 <= went_ms <= (looked_s - outage.ended_s) * 1000 + 2 * MAX_STEP_MS
            assert {name: counters.get(name, "0") for name in ("expired", "no_shows", "admitted_late")} == {
                "expired": "0",
                "no_shows": "0",
                "admitted_late": "0",
            }


async def test_connections_that_are_cut_cost_nobody_a_place_and_hold_up_nobody(tmp_path):
    with RedisServer() as server:
        async with SlowProxy(server) as proxy, scene(tmp_path, proxy.url) as at:
            people = at.people()
            more = asyncio.create_task(_come(people))
            try:
                await _line_is_formed(people)
                begun_s = time.monotonic()
                while time.monotonic() < begun_s + AWAY_S:
                    proxy.cut()
                    await asyncio.sleep(CUT_EVERY_S)
                    await asyncio.to_thread(server.cut_connections)
                    await asyncio.sleep(CUT_EVERY_S)
                outage = Outage(begun_s, time.monotonic())
                await _line_moves_again(people, outage)
            finally:
                more.cancel()
            await people.go_home()
            everyone = people.everyone
            print(f"\n{evidence.figures(everyone, outage)}")
            evidence.answers_were_bounded(everyone)
            assert evidence.nobody_inside_was_thrown_out(everyone, outage) > SEEN
            evidence.everyone_waiting_was_told_so(everyone, Outage(0, 0))
            evidence.every_number_was_one_persons(everyone, at.forwarded)
            evidence.nothing_flooded(everyone)
            evidence.admission_went_on(everyone, outage.begun_s, pause_s=RECOVERY_S)


async def _come(people) -> None:
    await people.come(FIRST_PEOPLE, over_s=2.0)
    await people.keep_coming(PEOPLE_PER_S)


async def _line_is_formed(people) -> None:
    await until(lambda: people.at(Stage.WAITING) > 60 and people.at(Stage.INSIDE) > 55, "people wait and are inside")


async def _operators_see(at, *, within_s) -> None:
    """That no gateway hears from its store any more."""
    async with asyncio.timeout(within_s):
        fresh = [True]
        while any(fresh):
            fresh = [room["fresh"] for room in await at.rooms()]


async def _line_moves_again(people, outage) -> None:
    await until(lambda: people.admitted_since(outage.ended_s) > 0, "somebody is admitted after the outage")
    await asyncio.sleep(AFTER_S)


def _pass_clock(server: RedisServer) -> int:
    return int(server.call("HGET", f"{KEY}line", "pass_clock_ms"))
