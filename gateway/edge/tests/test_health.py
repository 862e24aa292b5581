"""What is thought of a server: when it rests, when it is tried, when it is up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.proxy.balance import Standing
from gateway.edge.proxy.health import LONGEST_REST_S, Health, Verdict
from gateway.settings import Upstream

GOOD, BAD, DRAIN = Verdict.GOOD, Verdict.BAD, Verdict.DRAIN


def healthy(**settings) -> Health:
    return Health(Upstream(servers=("http://127.0.0.1:1",), **settings))


def fail(health: Health, now_s: float, *, refused: bool = False) -> float | None:
    """A whole request that fails."""
    attempt = health.begin(now_s)
    rest_s = health.failed(attempt, now_s, refused=refused)
    health.end(attempt)
    return rest_s


def succeed(health: Health, now_s: float) -> bool:
    attempt = health.begin(now_s)
    recovered = health.succeeded(attempt, now_s)
    health.end(attempt)
    return recovered


def test_a_server_begins_healthy_and_with_its_whole_share():
    health = healthy()
    assert (health.standing(0.0), health.share(0.0), health.up) == (Standing.READY, 1.0, True)


def test_failures_in_a_row_send_it_to_rest_and_a_success_between_counts_anew():
    health = healthy(passive_fails=3, rest_s=5)
    assert [fail(health, 0), fail(health, 0), succeed(health, 0)] == [None, None, False]
    assert [fail(health, 0), fail(health, 0)] == [None, None]
    assert health.standing(0) is Standing.READY
    assert fail(health, 0) == 5
    assert health.standing(4.9) is Standing.RESTING
    assert health.standing(5.0) is Standing.READY


def break_off(health: Health, now_s: float) -> float | None:
    """A request whose answer begins and never comes whole."""
    attempt = health.begin(now_s)
    health.succeeded(attempt, now_s)
    rest_s = health.failed(attempt, now_s)
    health.end(attempt)
    return rest_s


def test_answers_that_only_begin_are_failures_and_whole_ones_between_count_anew():
    health = healthy(passive_fails=3, rest_s=5)
    assert [break_off(health, 0), break_off(health, 0), succeed(health, 0)] == [None, None, False]
    assert [break_off(health, 0) for _ in range(3)] == [None, None, 5]
    assert health.standing(0) is Standing.RESTING


def test_a_refused_connection_is_enough_to_rest():
    health = healthy(passive_fails=3)
    assert fail(health, 0, refused=True) == 5
    assert health.standing(0) is Standing.RESTING


def test_after_its_rest_it_is_tried_by_one_request_at_a_time():
    health = healthy(rest_s=5)
    fail(health, 0, refused=True)
    trial = health.begin(5)
    assert trial.trial
    assert health.standing(5) is Standing.RESTING
    assert not health.begin(5).trial
    health.end(trial)
    assert health.standing(5) is Standing.READY
    assert health.begin(5).trial


def test_a_trial_that_takes_for_ever_keeps_a_server_out_no_longer_than_the_longest_rest():
    health = healthy(rest_s=5)
    fail(health, 0, refused=True)
    first = health.begin(5)
    assert health.standing(4.9 + LONGEST_REST_S) is Standing.RESTING
    now_s = 5 + LONGEST_REST_S
    assert health.standing(now_s) is Standing.READY
    assert health.begin(now_s).trial
    health.end(first)
    assert health.standing(now_s) is Standing.RESTING, "the trial was given back by the one before"


def test_each_failed_trial_doubles_the_rest_up_to_a_minute():
    health = healthy(rest_s=5)
    now_s, rests = 0.0, []
    for _ in range(6):
        rest_s = fail(health, now_s, refused=True)
        assert rest_s is not None
        rests.append(rest_s)
        now_s += rest_s
    assert rests == [5, 10, 20, 40, LONGEST_REST_S, LONGEST_REST_S]


def test_a_trial_that_succeeds_ends_the_rest_and_the_next_one_is_short_again():
    health = healthy(rest_s=5, slow_start_s=10)
    fail(health, 0, refused=True)
    fail(health, 5, refused=True)
    assert succeed(health, 15)
    assert health.standing(15) is Standing.READY
    assert [health.share(moment) for moment in (15, 20, 25, 1000)] == [0.1, 0.5, 1.0, 1.0]
    assert fail(health, 30, refused=True) == 5


def test_what_began_before_the_rest_says_nothing_about_the_server_now():
    health = healthy(passive_fails=1, rest_s=5)
    early = [health.begin(0) for _ in range(4)]
    assert health.failed(early[0], 1) == 5
    assert health.failed(early[1], 1) is None
    assert not health.succeeded(early[2], 1)
    assert health.standing(1) is Standing.RESTING
    trial = health.begin(6)
    health.end(early[3])
    assert health.standing(6) is Standing.RESTING, "the trial was given back by another request"
    assert health.failed(trial, 6) == 10
    second = health.begin(16)
    assert second.trial
    health.end(trial)
    assert health.standing(16) is Standing.RESTING, "the trial was given back by the one before"


def test_tried_while_it_rests_a_failure_does_not_lengthen_the_rest_but_a_success_ends_it():
    health = healthy(rest_s=5)
    fail(health, 0, refused=True)
    assert fail(health, 1, refused=True) is None
    assert health.standing(5) is Standing.READY
    fail(health, 5, refused=True)
    assert succeed(health, 6)
    assert health.standing(6) is Standing.READY


def test_checks_take_it_down_after_so_many_bad_ones_and_up_after_so_many_good_ones():
    health = healthy(health_fall=3, health_rise=2)
    assert [health.checked(each, 0) for each in (BAD, BAD, GOOD, BAD, BAD)] == [False] * 5
    assert health.standing(0) is Standing.READY
    assert health.checked(BAD, 0)
    assert health.standing(0) is Standing.UNHEALTHY
    assert [health.checked(each, 1) for each in (GOOD, BAD, GOOD)] == [False] * 3
    assert health.checked(GOOD, 2)
    assert health.standing(2) is Standing.READY
    assert health.share(2) == pytest.approx(0.1)


def test_a_server_that_asks_for_it_is_down_at_once():
    health = healthy(health_fall=3)
    assert health.checked(DRAIN, 0)
    assert not health.checked(DRAIN, 0)
    assert health.standing(0) is Standing.UNHEALTHY


def test_good_checks_do_not_wake_a_server_that_fails_its_requests():
    health = healthy(health_rise=1, rest_s=5)
    fail(health, 0, refused=True)
    health.checked(GOOD, 1)
    assert health.standing(1) is Standing.RESTING


def test_without_a_slow_start_its_share_is_whole_at_once():
    health = healthy(slow_start_s=0)
    fail(health, 0, refused=True)
    succeed(health, 5)
    assert health.share(5) == 1.0


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["begin", "begin", "succeed", "fail", "refuse", "end"]),
            st.integers(0, 9),
            st.sampled_from([0.0, 1.0, 5.0, 20.0, 60.0]),
        ),
        min_size=10,
        max_size=60,
    )
)
def test_there_is_never_more_than_one_trial_and_no_order_of_events_locks_a_server_out(steps):
    health, now_s, under_way = healthy(passive_fails=2), 0.0, []
    for what, which, later_s in steps:
        now_s += later_s
        if what == "begin":
            resting = health.resting(now_s)
            attempt = health.begin(now_s)
            assert not (attempt.trial and resting)
            under_way.append((attempt, now_s))
        elif under_way:
            attempt, _ = under_way.pop(which % len(under_way))
            if what == "succeed":
                health.succeeded(attempt, now_s)
            elif what != "end":
                rest_s = health.failed(attempt, now_s, refused=what == "refuse")
                assert rest_s is None or rest_s <= LONGEST_REST_S
            health.end(attempt)
        waited_for = [
            attempt
            for attempt, begun_s in under_way
            if attempt.trial and attempt.era == health._era and now_s < begun_s + LONGEST_REST_S
        ]
        assert len(waited_for) <= 1
        # However long any of them takes.
        assert health.standing(now_s + LONGEST_REST_S) is Standing.READY
