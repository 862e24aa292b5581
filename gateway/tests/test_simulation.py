"""The two limits under crowds in virtual time: real policy, real store."""

import pytest

from gateway.room.model import USER_CREDIT, Limits
from gateway.room.policy import burst
from gateway.tests.simulation import START_MS, Crowd, run

CEILING = 200
HOUR_MS = 3_600_000


@pytest.mark.parametrize("no_show", [0.1, 0.3, 0.7])
def test_the_ceiling_is_used_to_95_percent_and_never_exceeded(tmp_path, no_show):
    limits = Limits(
        total_active_users=CEILING,
        new_users_per_minute=100_000,
        claim_window_ms=120_000,
        session_length_ms=HOUR_MS,
        idle_limit_ms=HOUR_MS,
    )
    crowd = Crowd(no_show, stay_mean_ms=90_000)
    result = run(tmp_path / "line.db", limits, crowd, waiting=10_000, minutes=6, warm_up_ms=60_000, seed=1)
    print(f"no-shows {no_show:.0%}: {result.used(CEILING):.1%} of the ceiling used, most {result.most_live}")
    assert result.most_live <= CEILING
    assert result.used(CEILING) >= 0.95


@pytest.mark.parametrize("no_show", [0.0, 0.7])
# A slow room sees too few people in these minutes to learn well how many come.
@pytest.mark.parametrize(("outflow", "reached"), [(77, 0.75), (600, 0.95)])
def test_the_outflow_is_reached_and_no_window_exceeds_it_by_more_than_the_burst(tmp_path, outflow, reached, no_show):
    limits = Limits(
        total_active_users=100_000,
        new_users_per_minute=outflow,
        claim_window_ms=120_000,
        session_length_ms=HOUR_MS,
        idle_limit_ms=HOUR_MS,
    )
    crowd = Crowd(no_show, stay_mean_ms=300_000)
    result = run(tmp_path / "line.db", limits, crowd, waiting=12_000, minutes=4, warm_up_ms=60_000, seed=2)
    times = result.admitted_ms
    for window_ms in (1_000, 10_000, 60_000):
        allowed = outflow * window_ms // USER_CREDIT + burst(outflow)
        first = 0
        for last, at in enumerate(times):
            # A tick's credit is earned over the time before it, so a window is open at its beginning.
            while times[first] <= at - window_ms:
                first += 1
            assert last - first + 1 <= allowed
    # In the first minute the policy learns how many of the called come.
    settled = [at for at in times if at > START_MS + 60_000]
    minutes = (settled[-1] - settled[0]) / 60_000
    assert len(settled) / minutes >= reached * outflow
