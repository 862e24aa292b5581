import sys

import pytest

from gateway.room.model import USER_CREDIT
from gateway.store.tests.many_gateways import watch


@pytest.mark.parametrize("gateways", [1, 100])
async def test_gateways_that_tick_at_once_admit_exactly_what_one_would(gateways, redis_server, capsys):
    watched = await watch(redis_server, gateways, seconds=3.0)
    with capsys.disabled():
        sys.stdout.write(f"\n  {gateways} gateways: {watched.report()}\n")
    # There was somebody at the door all the time, so every whole user that was earned came in, and nobody else.
    assert watched.after.lane_waiting > 0
    assert (watched.let_in, watched.after.credit) == divmod(watched.earned, USER_CREDIT)
    assert watched.let_in > 0
    # The time that ticks counted is counted once: no more of it than there was.
    assert watched.ticked_ms <= watched.after.last_tick_ms - watched.before.last_tick_ms <= watched.server_ms
    assert watched.said["done"] == watched.after.tick - watched.before.tick
    assert len({pass_id for told in watched.passes.values() for pass_id in told}) == len(watched.passes)
    assert len(watched.passes) <= watched.after.counters["admitted"]
