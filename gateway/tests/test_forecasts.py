"""Estimates shown to crowds in virtual time come true as often as they claim: the real policy."""

import random
from dataclasses import replace

import pytest

from gateway.room.model import Limits
from gateway.room.schedule import Change
from gateway.tests.crowd_model import START_MS, Crowd, Night
from gateway.tests.forecasts import Forecasts

MINUTE_MS = 60_000
SIX, TWELVE = START_MS + 6 * MINUTE_MS, START_MS + 12 * MINUTE_MS
TIMES = Limits(claim_window_ms=300_000, session_length_ms=900_000)
OUTFLOW_BOUND = replace(TIMES, total_active_users=100_000, new_users_per_minute=600)
# 300 seats for a minute and a half each: 200 a minute, of the 1,000 that the outflow allows.
CEILING_BOUND = replace(TIMES, total_active_users=300, new_users_per_minute=1_000)
ROOMS = {
    "outflow": (OUTFLOW_BOUND, 9_000),
    "outflow 600, 1200, 300": (replace(OUTFLOW_BOUND, timetable=(Change(SIX, 1_200), Change(TWELVE, 300))), 9_000),
    "ceiling": (CEILING_BOUND, 4_500),
    "ceiling 300, 600, 150": (
        replace(CEILING_BOUND, timetable=(Change(SIX, None, 600), Change(TWELVE, None, 150))),
        4_500,
    ),
}


def exponential(rng: random.Random) -> float:
    return rng.expovariate(1 / 90_000)


def alike(rng: random.Random) -> float:
    """Nearly everybody takes as long: seats come free in waves."""
    return rng.gauss(90_000, 20_000)


@pytest.mark.parametrize("no_show", [0.1, 0.4])
@pytest.mark.parametrize("kind", ROOMS)
def test_four_fifths_of_the_estimates_shown_come_true(kind, no_show):
    limits, waiting = ROOMS[kind]
    for seed, stays_ms in ((1, exponential), (2, exponential), (3, alike)):
        forecasts = Forecasts(seed)
        crowd = Crowd(waiting, waiting // 30, no_show, stays_ms, seed=seed)
        Night(limits, crowd, forecasts.watch).run(minutes=20)
        within, earlier, later = forecasts.shares()
        print(
            f"{kind}, no-shows {no_show:.0%}, seed {seed}, {stays_ms.__name__}: {within:.0%} within of"
            f" {len(forecasts.known())}, {earlier:.0%} earlier, {later:.0%} later;"
            f" high / low {forecasts.width():.2f}; by its own sample {forecasts.within:.0%}"
        )
        assert len(forecasts.known()) > 1_000
        assert within >= 0.8
        assert forecasts.unknown == 0
        assert forecasts.within == pytest.approx(within, abs=0.1)


def test_a_long_line_that_thins_out_as_people_close_their_pages_is_told_waits_that_come_true():
    """A quarter of who waits closes the page in an hour, and nobody says so. Taken to stay, 82 % would come true."""
    forecasts = Forecasts(5)
    crowd = Crowd(50_000, 100, 0.1, exponential, close_per_hour=1 / 4, seed=5)
    Night(OUTFLOW_BOUND, crowd, forecasts.watch).run(minutes=90)
    within, earlier, later = forecasts.shares()
    print(f"{within:.0%} within, {earlier:.0%} earlier, {later:.1%} later; high / low {forecasts.width():.2f}")
    assert within >= 0.95
    assert later < 0.02
