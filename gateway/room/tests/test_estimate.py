from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.room.estimate import (
    LONGEST_DOOR_POLL_MS,
    LONGEST_POLL_MS,
    SHORTEST_POLL_MS,
    people_ahead,
    poll_after,
    poll_at_door,
)
from gateway.room.forecast import wait_range
from gateway.room.model import AGE_BINS, LOOKAHEAD_PLACES, Curve, Limits, Mode
from gateway.room.policy import LONGEST_GRANT_MS
from gateway.room.schedule import Change, Window
from gateway.room.stay import after_reset, stay_ms
from gateway.room.tests.test_policy import NOW, room

MINUTE = 60_000
# People who have come and gone: each stayed a minute and a half.
EVENING = {"admitted": 10_000, "inside_s": 900_000}
LEARNED = Curve(at_risk=(1_000,) * AGE_BINS, came=(500,) + (0,) * (AGE_BINS - 1))
FULL = {"limits": Limits(total_active_users=300), "live": 300, "pace_milli": 200_000, "counters": EVENING}


def told(state, ahead):
    eta = wait_range(state, ahead)
    assert eta is not None
    return eta


def held(eta, wait_ms):
    return eta is not None and eta[0] < wait_ms < eta[1]


def test_with_free_seats_the_outflow_decides():
    assert held(wait_range(room(limits=Limits(new_users_per_minute=60)), 59), MINUTE)


def test_in_a_full_room_those_who_leave_decide():
    """300 seats for a minute and a half: 200 a minute."""
    eta = told(room(**FULL), 1_999)
    assert held(eta, 10 * MINUTE)
    assert eta[1] < 1.5 * eta[0]


def test_where_half_of_the_called_stay_away_the_line_moves_twice_as_fast():
    state = room(limits=Limits(new_users_per_minute=60, total_active_users=10_000), curve=LEARNED)
    assert held(wait_range(state, 599), 5 * MINUTE)


def test_after_a_rehearsal_and_a_reset_waits_are_told_by_how_long_people_stay_now():
    """40,000 visits of 5 s; then 300 seats for ten minutes each: 30 a minute."""
    rehearsal = {"admitted": 40_000, "inside_s": 200_000, "estimate.within": 33_000, "exempt": 7}
    begun = after_reset(rehearsal)
    assert begun == {"admitted": 40_000, "stay_from": 40_000, "exempt": 7}
    evening = {**begun, "admitted": 42_100, "inside_s": 1_080_000}
    state = room(limits=Limits(total_active_users=300), live=300, pace_milli=30_000, counters=evening)
    mean_ms, left = stay_ms(state)
    assert mean_ms == pytest.approx(600_000, rel=0.01)
    assert left == 1_800
    assert held(wait_range(state, 999), 2_000_000)


def test_a_full_room_whose_pace_nobody_knows_says_no_less_than_the_whole_truth():
    """One seat, taken for at most ten minutes: the next in line waits anything up to that."""
    limits = Limits(total_active_users=1, new_users_per_minute=30, session_length_ms=600_000)
    for ahead in (0, 2):
        low, high = told(room(limits=limits, live=1), ahead)
        assert low < 10_000 * (ahead + 1)
        assert high == pytest.approx(600_000 * (ahead + 1), rel=1e-3)


def test_the_timetable_sets_the_pace_from_its_moment_on():
    """600 a minute, in a minute 1,200, in two 300: 600 + 1,200 + 3 x 300."""
    changes = (Change(NOW + MINUTE, 1_200), Change(NOW + 2 * MINUTE, 300))
    limits = Limits(total_active_users=100_000, timetable=changes)
    assert held(wait_range(room(limits=limits), 599), MINUTE)
    assert held(wait_range(room(limits=limits), 1_799), 2 * MINUTE)
    assert held(wait_range(room(limits=limits), 2_699), 5 * MINUTE)


def test_a_ceiling_that_will_rise_gives_its_seats_at_once_and_its_pace_from_then_on():
    """Full at 200 a minute; in a minute 300 more seats, and 400 a minute: 200 + 300 + 4 x 400."""
    limits = Limits(total_active_users=300, new_users_per_minute=100_000, timetable=(Change(NOW + MINUTE, None, 600),))
    assert held(wait_range(room(**{**FULL, "limits": limits}), 2_099), 5 * MINUTE)


def test_while_no_window_is_open_nobody_is_called():
    """Ten minutes until it opens, two minutes open, an hour closed, open again."""
    opens = NOW + 10 * MINUTE
    limits = Limits(
        opens_at_ms=opens,
        closes_at_ms=opens + 2 * MINUTE,
        more_windows=(Window(opens + 62 * MINUTE, None),),
        total_active_users=100_000,
    )
    assert held(wait_range(room(limits=limits), 599), 11 * MINUTE)
    assert held(wait_range(room(limits=limits), 2_999), 75 * MINUTE)


def test_whom_the_schedule_may_leave_out_is_told_no_time():
    limits = Limits(closes_at_ms=NOW + 10 * MINUTE, total_active_users=100_000)
    assert held(wait_range(room(limits=limits), 599), MINUTE)
    assert wait_range(room(limits=limits), 5_999) is None
    assert wait_range(room(limits=Limits(mode=Mode.PAUSED)), 5) is None


def test_a_room_set_to_let_nobody_in_yet_waits_for_its_timetable():
    limits = Limits(new_users_per_minute=0, timetable=(Change(NOW + MINUTE, 600),))
    assert held(wait_range(room(limits=limits), 99), MINUTE + 10_000)


def test_estimates_that_came_true_too_seldom_grow_wider_and_the_right_ones_narrower():
    def after(within, earlier, later):
        counts = {"estimate.within": within, "estimate.earlier": earlier, "estimate.later": later}
        return told(room(limits=Limits(total_active_users=10_000), counters=counts), 2_999)

    fresh, sure = after(0, 0, 0), after(1_000, 0, 0)
    assert fresh[0] < sure[0] < sure[1] < fresh[1]
    late = after(600, 0, 400)
    assert late[1] > 1.5 * fresh[1]
    assert after(600, 400, 0)[0] < fresh[0] / 1.5


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
    assert high <= 1.001 * max((ahead // ceiling + 1) * limits.session_length_ms, soonest * 4 / 3 + 1)


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


@pytest.mark.parametrize(
    ("lane", "outflow", "seconds"),
    [(0, 600, 1.5), (3, 600, 1.5), (160, 600, 2), (800, 600, 10), (1_600, 600, 20), (1_000_000, 600, 20), (9, 0, 20)],
)
def test_at_the_door_people_ask_the_more_seldom_the_longer_the_lane_and_soon_enough_for_a_kept_seat(
    lane, outflow, seconds
):
    state = room(limits=Limits(new_users_per_minute=outflow, total_active_users=5), lane_waiting=lane)
    polls = [poll_at_door(state, jitter=jitter) for jitter in range(0, 10**6, 997)]
    assert min(polls) >= seconds * 850
    assert max(polls) <= seconds * 1_150 + 1
    assert max(polls) < 1.2 * LONGEST_DOOR_POLL_MS < LONGEST_GRANT_MS
    short = replace(state, limits=replace(state.limits, claim_window_ms=15_000))
    assert max(poll_at_door(short, jitter=jitter) for jitter in range(3_000)) < 15_000 / 2
