"""What is said of the stock: measured by visits, never surer than what was seen, and borne out by what happens."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.room.model import Snapshot
from gateway.room.stock import Stock, chance_sold_out, newest, reported
from gateway.room.tests.test_policy import room


def at(admitted: int, *, live: int = 0, now_ms: int = 0) -> Snapshot:
    seen: Snapshot = room(counters={"admitted": admitted}, live=live, now_ms=now_ms)
    return seen


def after(left: int, visits: int, *, first: int = 1_000) -> Stock:
    return reported(reported(None, first, at(0)), left, at(visits, now_ms=1))


@pytest.mark.parametrize("visits", [0, 1, 19])
def test_before_enough_visits_nothing_is_said(visits):
    assert chance_sold_out(after(900, visits), 10_000, 5) is None


def test_only_what_has_happened_is_certain():
    assert chance_sold_out(after(0, 5), 3, 0) == 100
    assert chance_sold_out(after(900, 100), 0, 0) == 0
    assert chance_sold_out(after(900, 100), 10**6, 0) == 99
    assert chance_sold_out(after(900, 100), 1, 0) == 1


@given(st.integers(0, 2_000), st.integers(0, 5_000), st.integers(0, 10**6), st.integers(0, 500))
def test_chances_come_in_steps_of_five_and_grow_with_those_ahead(left, visits, ahead, live):
    stock = after(left, visits, first=2_000)
    chance, more = chance_sold_out(stock, ahead, live), chance_sold_out(stock, ahead + 100, live)
    assert chance is None or chance in {0, 1, 99, 100} or chance % 5 == 0
    assert chance is None or more is None or more >= chance


def test_people_inside_may_still_book():
    stock = after(10, 1_000)
    assert (chance_sold_out(stock, 0, 100) or 0) > (chance_sold_out(stock, 0, 2) or 0)


def test_who_is_inside_counts_as_half_a_visit():
    """40 inside, who on the average have done half of what they do: 20 visits."""
    known = reported(None, 100, at(0))
    assert chance_sold_out(reported(known, 90, at(39, live=39)), 50, 39) is None
    assert chance_sold_out(reported(known, 90, at(40, live=40)), 50, 40) is not None


def test_new_stock_is_measured_anew_and_a_cancellation_is_no_new_stock():
    sold = after(10, 1_000)
    assert chance_sold_out(reported(sold, 500, at(1_000, live=30, now_ms=2)), 400, 30) is None
    cancelled = reported(sold, 13, at(1_000, live=30, now_ms=2))
    assert (cancelled.left, cancelled.first_left) == (13, 1_000)
    assert chance_sold_out(cancelled, 400, 30) is not None


def test_a_store_that_forgot_admissions_is_no_fall_of_visits():
    assert chance_sold_out(reported(after(900, 5_000), 890, at(100, now_ms=2)), 50, 0) is None


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 3), st.integers(0, 3))
def test_the_newest_report_counts_in_whatever_order_they_come(left, other_left, at_ms, other_ms):
    one, other = Stock(left, at_ms, 0, 100, 0), Stock(other_left, other_ms, 0, 100, 0)
    assert newest(one, other) == newest(other, one)
    assert newest(one, None) == newest(None, one) == newest(one, one) == one
    assert newest(one, other) in (one, other)
    assert newest(None, None) is None


def test_of_those_told_a_chance_about_so_many_come_too_late():
    """Evenings of all kinds: 200 visits measured, then those ahead book or do not. By chances told, low to high."""
    lot = random.Random(1)
    told: dict[int, list[tuple[int, bool]]] = {}
    for _ in range(4_000):
        share, ahead = lot.uniform(0.1, 0.95), lot.randint(20, 400)
        left = max(1, round(ahead * share * lot.uniform(0.7, 1.3)))
        booked = sum(lot.random() < share for _ in range(200))
        chance = chance_sold_out(after(left, 200, first=left + booked), ahead, 0)
        assert chance is not None
        late = sum(lot.random() < share for _ in range(ahead)) >= left
        told.setdefault(chance // 20, []).append((chance, late))
    assert len(told) == 5
    for evenings in told.values():
        mean = sum(chance for chance, _ in evenings) / len(evenings)
        came_true = 100 * sum(late for _, late in evenings) / len(evenings)
        assert abs(mean - came_true) < 8
