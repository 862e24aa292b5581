from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.room.estimate import LONGEST_POLL_MS, SHORTEST_POLL_MS, people_ahead, poll_after, wait_range
from gateway.room.model import LOOKAHEAD_PLACES, Limits
from gateway.room.tests.test_policy import room


def test_the_range_holds_what_the_measured_pace_says():
    eta = wait_range(room(pace_milli=1_000_000), 5_999)
    assert eta is not None
    low, high = eta
    assert low < 6 * 60_000 < high


def test_before_anything_is_measured_the_outflow_stands_in_while_there_are_seats():
    assert wait_range(room(limits=Limits(new_users_per_minute=60)), 59) == (48_000, 80_000)


def test_a_full_room_whose_pace_nobody_knows_says_no_less_than_the_whole_truth():
    """One seat, taken for at most ten minutes: the next in line waits anything up to that."""
    limits = Limits(total_active_users=1, new_users_per_minute=30, session_length_ms=600_000)
    assert wait_range(room(limits=limits, live=1), 0) == (2_000, 600_000)
    assert wait_range(room(limits=limits, live=1), 2) == (6_000, 1_800_000)


@given(
    st.integers(0, 10**7), st.integers(0, 10**9), st.integers(1, 10**5), st.integers(1, 10**5), st.integers(0, 10**5)
)
def test_a_range_is_never_empty_nor_longer_than_whole_sessions_take(ahead, pace, ceiling, outflow, live):
    limits = Limits(total_active_users=ceiling, new_users_per_minute=outflow)
    eta = wait_range(room(limits=limits, pace_milli=pace, live=live), ahead)
    assert eta is not None
    low, high = eta
    assert 0 <= low <= high
    soonest = (ahead + 1) * 60_000 / outflow
    assert high <= max((ahead // ceiling + 1) * limits.session_length_ms, soonest * 4 / 3 + 1)


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


@given(st.binary(max_size=16), st.integers(0, 128), st.integers(0, 300))
def test_people_ahead_are_those_before_one_who_have_not_left(absent, waiting, offset):
    bits = int.from_bytes(absent, "little") & ((1 << waiting) - 1)
    state = room(serving=1_000, tail=1_000 + waiting, absent=bits.to_bytes(16, "little"), left_ahead=bits.bit_count())
    gone = [bits >> i & 1 for i in range(waiting)]
    assert people_ahead(state, 1_001 + offset) == sum(not away for away in gone[:offset])
    assert people_ahead(state, 1_000) == people_ahead(state, 7) == 0


def test_of_those_who_left_beyond_what_a_snapshot_shows_the_number_counts():
    """A tenth of the places beyond the bitmap, and a single one in it."""
    beyond = 100_000
    state = room(tail=LOOKAHEAD_PLACES + beyond, absent=b"\x02", left_ahead=1 + beyond // 10)
    assert people_ahead(state, 2) == 1
    assert people_ahead(state, 3) == 1
    assert people_ahead(state, LOOKAHEAD_PLACES + 1) == LOOKAHEAD_PLACES - 1
    assert people_ahead(state, LOOKAHEAD_PLACES + beyond // 2 + 1) == LOOKAHEAD_PLACES - 1 + beyond * 45 // 100
    assert people_ahead(state, state.tail + 1) == state.waiting


@given(st.binary(max_size=LOOKAHEAD_PLACES // 8), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(1, 10**7))
def test_no_store_can_make_fewer_than_nobody_wait_ahead(absent, tail, left, place):
    state = room(tail=tail, absent=absent, left_ahead=left)
    assert 0 <= people_ahead(state, place) <= min(place - 1, tail)
