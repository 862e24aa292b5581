"""19 July 2021 in small, whole: every promise kept, alike on every store."""

from dataclasses import replace

import pytest

from gateway.simulate.checks import CHECKS
from gateway.simulate.scenario import JULY_19
from gateway.simulate.server import Kind, program
from gateway.simulate.tests.small import SMALL, small
from gateway.tests.redis.process import missing


@pytest.fixture(scope="module")
def evening():
    return small()


def test_19_july_in_small_keeps_every_promise_and_makes_every_check(evening):
    assert evening.broken is None
    assert set(evening.checks) == set(CHECKS)
    assert evening.totals["arrivals"] == SMALL.arrivals
    assert evening.most_inside <= SMALL.limits.total_active_users
    assert evening.most_waiting > SMALL.arrivals // 2
    assert evening.totals["admitted"] > 4_000


def test_the_room_is_full_while_it_is_open(evening):
    """Since it filled up again. Where visits take 20 s, the two seconds from a call to its holder are a tenth."""
    full = [
        point.live / point.ceiling
        for point in evening.points
        if point.admitted_per_minute and point.outflow and point.at_ms > SMALL.reopens_ms + SMALL.ends_ms // 20
    ]
    assert len(full) > 100
    assert sum(full) / len(full) > 0.85


def test_all_kinds_of_tricks_were_tried_and_stopped_at_each_step(evening):
    assert len(evening.tricks) == 7
    assert min(evening.tricks.values()) > 20
    assert sum(evening.refused.values()) >= sum(evening.tricks.values())
    assert set(evening.refused) == {"signature", "decision", "store"}


def test_polls_as_counted_are_those_of_the_sample_and_fewer_than_every_five_seconds_where_waits_are_long(evening):
    counted = sum(point.polls_per_s for point in evening.points)
    sampled = sum(point.sampled_per_s for point in evening.points)
    assert counted == pytest.approx(sampled, rel=0.1)
    assert evening.totals["polls"] == sum(evening.polls_by_wait.values())


def test_the_same_seed_is_the_same_evening_and_another_is_not(evening):
    assert small().digest == evening.digest
    assert (
        small(scenario=replace(SMALL, seed=1, ends_ms=30_000)).digest
        != small(scenario=replace(SMALL, ends_ms=30_000)).digest
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_on_redis_and_valkey_the_evening_goes_exactly_as_on_sqlite(evening, kind):
    if program(kind) is None:
        missing(f"{kind}-server")
    other = small(kind)
    assert other.broken is None
    assert other.digest == evening.digest
    assert other.totals == evening.totals


def test_the_whole_scenario_says_what_is_known_of_that_evening():
    assert JULY_19.arrivals == 10_000_000
    assert JULY_19.limits.total_active_users == 300_000
    assert JULY_19.come_by(JULY_19.ends_ms) == JULY_19.arrivals
    shares = [JULY_19.come_by(minute * 60_000) for minute in range(301)]
    assert shares == sorted(shares)
    assert not JULY_19.moves(JULY_19.opens_ms - 1)
    assert JULY_19.moves(JULY_19.opens_ms)
    assert not JULY_19.moves(JULY_19.reopens_ms - 1)
