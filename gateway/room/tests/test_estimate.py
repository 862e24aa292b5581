from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.room.estimate import LONGEST_POLL_MS, SHORTEST_POLL_MS, poll_after, wait_range
from gateway.room.model import Limits
from gateway.room.tests.test_policy import room


def test_the_range_holds_what_the_measured_pace_says():
    eta = wait_range(room(pace_milli=1_000_000), 5_999)
    assert eta is not None
    low, high = eta
    assert low < 6 * 60_000 < high


def test_before_anything_is_measured_the_outflow_stands_in():
    assert wait_range(room(limits=Limits(new_users_per_minute=60)), 59) == (48_000, 80_000)


def test_a_room_that_admits_nobody_gives_no_estimate():
    assert wait_range(room(limits=Limits(new_users_per_minute=0)), 5) is None


@given(st.integers(0, 10**7), st.integers(0, 10**9), st.integers(10, 86_400), st.integers(0, 2**32))
def test_a_poll_is_never_sooner_than_two_seconds_nor_later_than_two_minutes_give_or_take_the_jitter(
    ahead, pace, window_s, jitter
):
    state = room(pace_milli=pace, limits=Limits(claim_window_ms=window_s * 1000))
    after = poll_after(state, wait_range(state, ahead), jitter=jitter)
    assert SHORTEST_POLL_MS * 0.84 <= after <= LONGEST_POLL_MS * 1.16
    # Nobody sleeps through a claim window.
    assert after <= max(window_s * 1000 / 2, SHORTEST_POLL_MS * 1.16)


def test_the_longer_the_wait_the_rarer_the_polls():
    state = replace(room(), pace_milli=60_000)
    assert poll_after(state, (8_000, 8_000), jitter=0) < poll_after(state, (800_000, 800_000), jitter=0)
