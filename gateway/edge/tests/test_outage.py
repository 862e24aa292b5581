"""What is said and counted of a store that is away."""

import pytest

from gateway.edge.outage import CALM_S, TELL_S, Outage, kind_of
from gateway.edge.sight import StoreSlow
from gateway.store.base import StoreError, StoreMisconfigured, StoreUnavailable

AWAY = StoreUnavailable("away")


class Now:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def outage(now):
    return Outage("vaccine", now)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (AWAY, "unavailable"),
        (StoreSlow("x"), "slow"),
        (StoreMisconfigured("x"), "misconfigured"),
        (StoreError("x"), "error"),
    ],
)
def test_every_kind_of_failure_has_its_word(error, word):
    assert kind_of(error) == word


def test_failures_are_counted_by_kind(outage):
    for error in (AWAY, StoreSlow("x"), AWAY):
        outage.failed(error)
    outage.tick_failed(AWAY, heard_s=0)
    assert outage.errors == {"unavailable": 3, "slow": 1}


def test_letting_people_in_is_said_when_it_begins_and_once_a_minute_with_how_many(outage, now, caplog):
    for _ in range(181):
        outage.lets_in()
        now.now_s += 1
    said = [record.__dict__["let_in"] for record in caplog.records]
    assert said == [1, TELL_S, TELL_S, TELL_S]
    assert outage.let_in == 181


def test_letting_people_in_is_over_when_nobody_was_for_a_while(outage, now):
    assert not outage.fails_open
    outage.lets_in()
    now.now_s += CALM_S - 1
    assert outage.fails_open
    now.now_s += 1
    assert not outage.fails_open


def test_the_return_says_how_many_were_let_in_that_were_not_told_yet(outage, now, caplog):
    outage.tick_failed(AWAY, heard_s=now.now_s)
    for _ in range(5):
        outage.lets_in()
    now.now_s += 30
    outage.tick_succeeded()
    outage.tick_succeeded()
    (back,) = [record.__dict__ for record in caplog.records if record.message == "the store is back"]
    assert (back["away_s"], back["let_in"]) == (30.0, 4)
