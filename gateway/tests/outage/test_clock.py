"""The store's clock jumps by ten minutes, forward or back: nothing opens early, nobody expires, the line goes on."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from gateway.edge.tests.backend import until
from gateway.tests.outage import evidence
from gateway.tests.outage.evidence import SEEN, Outage
from gateway.tests.outage.people import People, Stage
from gateway.tests.outage.scene import FIRST_PEOPLE, PEOPLE_PER_S, scene
from gateway.tests.redis.servers import RedisServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("outage")]

STEP_S = 600
# In which everybody asks once and more.
MOMENT_S = 2.5
# Longest that nobody comes in of a line that moves: some polls, on a busy machine.
PAUSE_S = 6.0
TOLD = "the store's clock jumped"


@pytest.mark.parametrize("step_s", [STEP_S, -STEP_S], ids=["forward", "back"])
async def test_a_running_room_does_not_notice_that_the_clock_of_its_store_jumps(tmp_path, step_s):
    with RedisServer("valkey", clock_offset_s=0) as server:
        async with scene(tmp_path, server.url) as at:
            people = at.people()
            more = asyncio.create_task(_come(people))
            try:
                await until(lambda: people.at(Stage.WAITING) > 60 and people.at(Stage.INSIDE) > 20, "a line has formed")
                begun_s = time.monotonic()
                server.step_clock(step_s)
                await asyncio.sleep(MOMENT_S)
                newest = await at.start_gateway()
                moved = [person for person in people.everyone if person.stage is Stage.WAITING][::3]
                for person in moved:
                    person.visitor.port = newest.port
                await until(
                    lambda: sum(person.admitted_s is not None for person in moved) > 10,
                    "the new gateway lets people in",
                )
                server.step_clock(-step_s)
                await asyncio.sleep(MOMENT_S)
            finally:
                more.cancel()
            await people.go_home()
            everyone = people.everyone
            assert TOLD in at.output()
            assert evidence.nobody_inside_was_thrown_out(everyone, Outage(begun_s, time.monotonic())) > SEEN
            evidence.everyone_waiting_was_told_so(everyone, Outage(0, 0))
            evidence.every_number_was_one_persons(everyone, at.forwarded)
            evidence.nothing_flooded(everyone)
            evidence.admission_went_on(everyone, begun_s, pause_s=PAUSE_S)
            evidence.time_went_on(everyone)
            counters = (await at.rooms())[0]["counters"]
            assert {name: counters.get(name, 0) for name in ("expired", "no_shows", "admitted_late")} == {
                "expired": 0,
                "no_shows": 0,
                "admitted_late": 0,
            }


@pytest.mark.parametrize("alone", [False, True], ids=["beside others", "alone"])
async def test_a_room_is_not_opened_early_nor_by_a_gateway_that_is_started_after_the_jump(tmp_path, alone):
    opens_at = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    with RedisServer("valkey", clock_offset_s=0) as server:
        async with scene(tmp_path, server.url, opens_at=opens_at) as at:
            people = at.people()
            await people.come(40, over_s=1.0)
            await asyncio.sleep(1.0)
            if alone:
                await people.go_home()
                for gateway in at.gateways:
                    await asyncio.to_thread(gateway.stop)
                at.gateways.clear()
            server.step_clock(STEP_S)
            later = People([(await at.start_gateway()).port])
            await later.come(20, over_s=1.0)
            await asyncio.sleep(MOMENT_S)
            assert [room["state"] for room in await at.rooms()] == ["prequeue"] * len(at.gateways)
            await later.go_home()
            if not alone:
                await people.go_home()
            everyone = [*people.everyone, *later.everyone]
            assert [person for person in everyone if person.admitted_s is not None] == []
            assert at.forwarded == []
            evidence.every_number_was_one_persons(everyone, at.forwarded)
            evidence.time_went_on(everyone)
            assert all(len(person.numbers) == 1 for person in everyone)


async def _come(people) -> None:
    await people.come(FIRST_PEOPLE, over_s=2.0)
    await people.keep_coming(PEOPLE_PER_S)
