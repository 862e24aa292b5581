from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.room.model import (
    AGE_BINS,
    LOOKAHEAD_PLACES,
    MAX_STEP_MS,
    USER_CREDIT,
    Call,
    Curve,
    Limits,
    Mode,
    QueueingMethod,
    Snapshot,
    age_bin,
)
from gateway.room.policy import CERTAIN, burst, chances, plan_tick, serve_to
from gateway.room.schedule import Change

NOW = 1_626_692_400_000


def room(**changes):
    """An open, empty room, ticked this moment, with these fields changed."""
    fresh = Snapshot(
        room="r",
        epoch=1,
        limits=Limits(),
        tick=1,
        now_ms=NOW,
        last_tick_ms=NOW,
        pass_clock_ms=0,
        call_clock_ms=0,
        tail=0,
        serving=0,
        watermark=0,
        left_ahead=0,
        absent=b"",
        credit=0,
        call_credit=0,
        entry_credit=0,
        admitting=True,
        live=0,
        lane_waiting=0,
        lane_granted=0,
        pace_milli=0,
        curve=Curve(),
        calls=(),
        counters={},
        draw_secret="",
        draw_size=None,
    )
    return replace(fresh, **changes)


counts = st.integers(0, 5_000)
curves = st.builds(
    Curve,
    st.tuples(*[counts] * AGE_BINS),
    st.tuples(*[counts] * AGE_BINS),
)


@st.composite
def rooms(draw):
    serving = draw(counts)
    tail = serving + draw(counts)
    outflow = draw(st.integers(0, 100_000))
    calls = []
    if serving:
        first = draw(st.integers(1, serving))
        calls = [Call(first, serving, draw(st.integers(0, 100_000)), draw(st.integers(0, serving - first + 1)))]
    absent = draw(st.binary(max_size=64))
    left_ahead = int.from_bytes(absent, "little") & ((1 << (tail - serving)) - 1)
    return room(
        limits=Limits(
            mode=draw(st.sampled_from(Mode)),
            total_active_users=draw(counts),
            new_users_per_minute=outflow,
            opens_at_ms=draw(st.sampled_from([None, NOW - 1, NOW + 60_000])),
        ),
        last_tick_ms=NOW - draw(st.integers(-5_000, 100_000)),
        call_clock_ms=100_000,
        tail=tail,
        serving=serving,
        left_ahead=left_ahead.bit_count(),
        absent=absent,
        credit=draw(st.integers(0, max(USER_CREDIT, outflow * 2_000))),
        call_credit=draw(st.integers(0, max(USER_CREDIT, outflow * 2_000))),
        live=draw(counts),
        lane_waiting=draw(st.integers(0, 50)),
        lane_granted=draw(st.integers(0, 50)),
        pace_milli=draw(st.integers(0, 10**7)),
        curve=draw(curves),
        calls=tuple(calls),
    )


@given(rooms())
def test_a_plan_never_calls_more_than_wait_nor_backwards_nor_unless_the_room_is_open(state):
    plan = plan_tick(state, NOW)
    assert state.serving <= plan.serve_to <= state.tail
    assert plan.watermark >= state.watermark
    assert 0 <= plan.grants <= state.lane_waiting
    open_now = state.limits.mode is Mode.OPEN and (state.limits.opens_at_ms or 0) <= NOW
    assert plan.admitting is open_now
    if not open_now:
        assert (plan.serve_to, plan.grants, plan.credit_add) == (state.serving, 0, 0)
        assert plan.call_clock_ms == state.call_clock_ms


@given(rooms())
def test_clocks_never_run_backwards_nor_faster_than_the_longest_step(state):
    plan = plan_tick(state, NOW)
    assert 0 <= plan.pass_clock_ms - state.pass_clock_ms <= MAX_STEP_MS
    assert 0 <= plan.call_clock_ms - state.call_clock_ms <= MAX_STEP_MS
    assert plan.now_ms >= state.last_tick_ms


@pytest.mark.parametrize("mode", Mode)
def test_the_pass_clock_stands_still_in_passthrough_and_nowhere_else(mode):
    plan = plan_tick(room(limits=Limits(mode=mode), pass_clock_ms=7), NOW + 200)
    assert plan.pass_clock_ms == (7 if mode is Mode.PASSTHROUGH else 207)


@given(rooms())
def test_seats_kept_for_the_lane_fit_under_the_ceiling_and_the_credit(state):
    plan = plan_tick(state, NOW)
    credit = min(state.credit + plan.credit_add, plan.credit_cap)
    assert plan.grants * USER_CREDIT <= max(credit, 0)
    if plan.grants:
        assert state.live + state.lane_granted + plan.grants <= state.limits.total_active_users


@given(st.integers(0, 100_000), st.lists(st.integers(0, MAX_STEP_MS), min_size=1, max_size=200))
def test_credit_adds_up_to_the_same_however_time_is_cut_into_ticks(outflow, steps):
    state = room(limits=Limits(new_users_per_minute=outflow))
    now, earned = NOW, 0
    for step in steps:
        now += step
        plan = plan_tick(state, now)
        earned += plan.credit_add
        state = replace(state, last_tick_ms=plan.now_ms)
    assert earned == outflow * sum(steps)


@given(st.integers(1, 6_000), st.lists(st.integers(1, MAX_STEP_MS), min_size=60, max_size=120))
@settings(max_examples=50)
def test_exactly_the_outflow_is_called_while_everyone_comes(outflow, steps):
    """With certain comers the calls of any stretch of ticks are outflow x time, to within one place."""
    always = Curve(at_risk=(10**6,) * AGE_BINS, came=(10**6,) * AGE_BINS)
    limits = Limits(new_users_per_minute=outflow, total_active_users=10**6)
    state = room(limits=limits, tail=10**6, curve=always)
    now = NOW
    for step in steps:
        now += step
        plan = plan_tick(state, now)
        state = replace(state, serving=plan.serve_to, call_credit=plan.call_credit, last_tick_ms=now)
    earned = outflow * (now - NOW) / USER_CREDIT
    # The chance is a hair under one because of what was assumed before anything was measured.
    assert earned - burst(outflow) - 1 <= state.serving <= earned * 1.001 + 1


steps_ms = st.integers(0, MAX_STEP_MS + 1_000) | st.integers(150, 250) | st.just(200)


@given(
    st.sampled_from([0, 1, 29, 30, 31, 59, 77, 600, 6_001]) | st.integers(0, 100_000),
    st.integers(0, USER_CREDIT - 1),
    # After some ticks everyone there is credit for comes, after others nobody does: lulls and rushes.
    st.lists(st.tuples(steps_ms, st.booleans()), min_size=2, max_size=120),
)
def test_no_span_after_any_tick_sees_more_than_its_outflow_and_the_burst(outflow, part, ticks):
    state = room(limits=Limits(new_users_per_minute=outflow), credit=part)
    now, allowed = NOW, burst(outflow) * USER_CREDIT
    # Of all ticks so far, the most by which the users since then exceed the outflow since then.
    most_over = 0
    for step, rush in ticks:
        now += step
        plan = plan_tick(state, now)
        credit = min(state.credit + plan.credit_add, plan.credit_cap)
        users = credit // USER_CREDIT if rush else 0
        most_over = max(most_over - outflow * step, 0) + users * USER_CREDIT
        assert most_over <= allowed
        state = replace(state, credit=credit - users * USER_CREDIT, last_tick_ms=now)


def test_a_part_of_a_user_kept_beside_the_burst_is_in_the_burst():
    state = room(limits=Limits(new_users_per_minute=30), last_tick_ms=NOW - 200, credit=2 * USER_CREDIT - 1)
    plan = plan_tick(state, NOW)
    left = min(state.credit + plan.credit_add, plan.credit_cap) - USER_CREDIT
    later = plan_tick(replace(state, credit=left, last_tick_ms=NOW), NOW + 200)
    assert left + later.credit_add >= USER_CREDIT
    assert burst(30) == 2


@pytest.mark.parametrize(("outflow", "users"), [(0, 0), (1, 2), (30, 2), (31, 3), (77, 4), (600, 21)])
def test_the_burst_is_two_seconds_outflow_and_one_user(outflow, users):
    assert burst(outflow) == users


def test_an_outflow_of_0_lets_nobody_in_on_what_was_saved_before():
    limits = Limits(new_users_per_minute=0)
    saved = room(limits=limits, tail=9, serving=2, lane_waiting=2, credit=5 * USER_CREDIT, call_credit=5 * USER_CREDIT)
    plan = plan_tick(saved, NOW + 200)
    assert (plan.credit_cap, plan.call_credit, plan.grants, plan.serve_to) == (0, 0, 0, 2)


def test_time_lost_never_comes_back_as_a_flood():
    state = room(limits=Limits(new_users_per_minute=6_000, total_active_users=10**6), tail=10**6)
    plan = plan_tick(state, NOW + 3_600_000)
    assert plan.serve_to <= 6_000 * MAX_STEP_MS // 60_000 * 2


def test_a_clock_that_jumps_back_moves_nothing():
    state = room(tail=100, last_tick_ms=NOW + 86_400_000)
    plan = plan_tick(state, NOW)
    assert (plan.serve_to, plan.credit_add, plan.now_ms) == (0, 0, state.last_tick_ms)


def test_a_call_is_over_only_after_the_whole_claim_window():
    limits = Limits(claim_window_ms=60_000)
    state = room(limits=limits, tail=5, serving=5, calls=(Call(1, 5, 0, 3),), call_clock_ms=60_000)
    assert plan_tick(state, NOW).watermark == 0
    assert plan_tick(replace(state, call_clock_ms=60_001), NOW).watermark == 5


@pytest.mark.parametrize(("window_ms", "expiry_ms"), [(60_000, 60_000), (90_000, 90_000), (86_400_000, 90_000)])
def test_a_seat_kept_for_somebody_gone_is_free_again_before_a_long_claim_window_ends(window_ms, expiry_ms):
    assert plan_tick(room(limits=Limits(claim_window_ms=window_ms)), NOW).grant_expiry_ms == expiry_ms


def test_a_paused_room_holds_the_claim_windows_still():
    limits = Limits(mode=Mode.PAUSED, claim_window_ms=60_000)
    state = room(limits=limits, tail=5, serving=5, calls=(Call(1, 5, 0, 3),), call_clock_ms=60_000)
    plan = plan_tick(state, NOW + 1_000)
    assert (plan.call_clock_ms, plan.watermark) == (60_000, 0)


def test_a_newcomer_in_an_idle_room_is_called_at_once():
    state = room(tail=1, credit=USER_CREDIT, call_credit=USER_CREDIT)
    assert plan_tick(state, NOW).serve_to == 1


def test_the_very_first_newcomer_of_a_new_room_is_called_at_once():
    fresh = room(tick=0, tail=1, limits=Limits(new_users_per_minute=1))
    plan = plan_tick(fresh, NOW)
    assert (plan.serve_to, plan.credit_add) == (1, USER_CREDIT)
    assert plan_tick(replace(fresh, limits=Limits(new_users_per_minute=0)), NOW).serve_to == 0


def test_the_pace_is_that_of_the_line_there_is():
    limits = Limits(new_users_per_minute=600)
    arriving = room(limits=limits, tail=1, credit=USER_CREDIT, call_credit=USER_CREDIT, pace_milli=77)
    assert plan_tick(arriving, NOW + 200).pace_milli == 0
    in_line = replace(arriving, tail=100, pace_milli=0)
    assert 0 < plan_tick(in_line, NOW + 200).pace_milli <= 600_000
    blocked = replace(in_line, live=limits.total_active_users, lane_waiting=20, pace_milli=600_000)
    assert plan_tick(blocked, NOW + 200).pace_milli < 600_000


def test_a_lowered_outflow_lowers_the_pace_at_once():
    limits = Limits(new_users_per_minute=60)
    state = room(limits=limits, tail=1_000, pace_milli=6_000_000)
    assert plan_tick(state, NOW + 200).pace_milli <= 60_000 * 1.2


def test_people_at_the_door_come_before_new_calls():
    limits = Limits(total_active_users=10, new_users_per_minute=60_000)
    state = room(limits=limits, tail=100, serving=20, live=8, lane_waiting=5, credit=10 * USER_CREDIT)
    plan = plan_tick(state, NOW + 200)
    assert plan.grants == 2
    assert plan.serve_to == 20


def test_no_shows_are_made_up_for_by_calling_more():
    half = Curve(at_risk=(10_000,) + (5_000,) * (AGE_BINS - 1), came=(5_000,) + (0,) * (AGE_BINS - 1))
    limits = Limits(total_active_users=1_000, new_users_per_minute=10**7)
    plan = plan_tick(room(limits=limits, tail=10_000, curve=half, last_tick_ms=NOW - 1_000), NOW)
    assert 1_800 <= plan.serve_to <= 2_000


@given(curves, st.integers(1_000, 2_000_000))
def test_chances_are_chances_and_none_is_left_after_the_window(curve, window_ms):
    by_age = chances(curve, window_ms)
    assert all(0 <= chance <= CERTAIN for chance in by_age)
    assert not any(by_age[age_bin(window_ms - 1) + 1 :])


@given(st.binary(max_size=40), st.integers(0, 400), st.integers(0, 400))
def test_serve_to_counts_only_people_who_have_not_left(absent, waiting, people):
    state = room(tail=1_000 + waiting, serving=1_000, absent=absent)
    place = serve_to(state, people)
    bits = int.from_bytes(absent, "little")
    present = sum(1 for offset in range(place - 1_000) if not bits >> offset & 1)
    assert 1_000 <= place <= state.tail
    assert present <= people
    assert present == people or place == state.tail


def test_serve_to_stops_at_the_end_of_what_a_snapshot_shows():
    state = room(tail=10**6, absent=b"\x01")
    assert serve_to(state, 10**6) == LOOKAHEAD_PLACES


# --- the schedule ---

OPENS = NOW + 10_000
DRAWING = Limits(queueing_method=QueueingMethod.DRAW, opens_at_ms=OPENS, new_users_per_minute=600)


def test_lots_are_drawn_by_the_first_tick_that_admits():
    early = room(limits=DRAWING, tail=50, admitting=False)
    assert not plan_tick(early, OPENS - 1).draw
    plan = plan_tick(replace(early, now_ms=OPENS), OPENS)
    assert plan.draw
    assert plan.admitting


@pytest.mark.parametrize(
    "changes", [{"draw_size": 50}, {"serving": 1}, {"limits": replace(DRAWING, queueing_method=QueueingMethod.FIFO)}]
)
def test_lots_are_drawn_once_and_never_among_places_already_called(changes):
    assert not plan_tick(room(**{"limits": DRAWING, "tail": 50, "now_ms": OPENS, **changes}), OPENS).draw


def test_the_timetable_sets_outflow_and_ceiling():
    limits = Limits(new_users_per_minute=600, total_active_users=100, timetable=(Change(OPENS, 6_000, 7),))
    before, after = (
        room(limits=limits, tail=500, tick=5, now_ms=now, last_tick_ms=now - 100) for now in (OPENS - 1, OPENS)
    )
    plans = [plan_tick(each, each.now_ms) for each in (before, after)]
    assert [plan.credit_add for plan in plans] == [60_000, 600_000]
    assert [plan.total_active_users for plan in plans] == [100, 7]


def test_all_clocks_stand_still_until_a_postponed_opening():
    limits = Limits(opens_at_ms=OPENS, postponed_from_ms=NOW - 60_000, postponed_to_ms=OPENS)
    plan = plan_tick(room(limits=limits, live=5, pass_clock_ms=70, call_clock_ms=80, last_tick_ms=NOW - 1_000), NOW)
    assert (plan.pass_clock_ms, plan.call_clock_ms, plan.admitting, plan.credit_add) == (70, 80, False, 0)
    later = room(limits=limits, live=5, pass_clock_ms=70, call_clock_ms=80, last_tick_ms=OPENS - 500, now_ms=OPENS)
    plan = plan_tick(later, OPENS)
    assert (plan.pass_clock_ms, plan.call_clock_ms, plan.admitting) == (570, 580, True)


def test_who_is_inside_when_a_window_closes_has_their_time_but_nobody_is_admitted():
    limits = Limits(closes_at_ms=NOW, prequeue_ms=0)
    plan = plan_tick(room(limits=limits, live=5, pass_clock_ms=70, tail=9, last_tick_ms=NOW - 1_000), NOW)
    assert (plan.pass_clock_ms, plan.admitting, plan.serve_to) == (1_070, False, 0)


@pytest.mark.parametrize(("outflow", "full"), [(60, 4_096), (600, 4_096), (30_000, 150_000)])
def test_the_curve_forgets_neither_before_thousands_were_called_nor_before_minutes_have_gone_by(outflow, full):
    """Played with ten million: a curve that halved every few seconds took a seventh too many for coming."""
    limits = Limits(new_users_per_minute=outflow)
    for called, halves in ((full, False), (full + 1, True)):
        learned = Curve(at_risk=(called,) + (0,) * (AGE_BINS - 1))
        assert plan_tick(room(limits=limits, curve=learned), NOW).halve_curve is halves
