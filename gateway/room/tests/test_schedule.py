"""What a schedule says at each moment, and at the edges to the millisecond."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.room.schedule import Change, Phase, Window, in_force, look, problems

TWO = (Window(1_000, 2_000), Window(5_000, 6_000))


@pytest.mark.parametrize(
    ("now_ms", "phase", "opens_ms"),
    [
        (0, Phase.EARLY, 1_000),
        (699, Phase.EARLY, 1_000),
        (700, Phase.PREQUEUE, 1_000),
        (999, Phase.PREQUEUE, 1_000),
        (1_000, Phase.OPEN, 1_000),
        (1_999, Phase.OPEN, 1_000),
        (2_000, Phase.EARLY, 5_000),
        (4_700, Phase.PREQUEUE, 5_000),
        (5_000, Phase.OPEN, 5_000),
        (6_000, Phase.OVER, 5_000),
        (10**15, Phase.OVER, 5_000),
    ],
)
def test_each_edge_belongs_to_what_begins_there(now_ms, phase, opens_ms):
    moment = look(TWO, 300, now_ms)
    assert (moment.phase, moment.opens_at_ms) == (phase, opens_ms)


def test_a_room_without_times_is_always_open():
    moment = look((Window(),), 0, 5)
    assert (moment.phase, moment.opens_at_ms, moment.closes_at_ms) == (Phase.OPEN, None, None)


def test_without_a_length_the_pre_queue_has_no_beginning():
    assert look(TWO, None, -(10**15)).phase is Phase.PREQUEUE
    assert look(TWO, None, 3_000).phase is Phase.PREQUEUE
    assert look(TWO, None, 3_000).joins_from_ms is None


def test_a_pre_queue_of_no_length_is_none():
    assert look(TWO, 0, 999).phase is Phase.EARLY
    assert look(TWO, 0, 1_000).phase is Phase.OPEN


def test_the_last_change_before_now_counts_for_each_limit_alone():
    timetable = (Change(10, 600, 100), Change(20, 1_200), Change(30, total_active_users=50))
    said = [in_force(timetable, now) for now in (9, 10, 19, 20, 29, 30, 99)]
    assert said == [(None, None), (600, 100), (600, 100), (1_200, 100), (1_200, 100), (1_200, 50), (1_200, 50)]


@pytest.mark.parametrize(
    ("windows", "timetable", "word"),
    [
        ((Window(5, 5),), (), "before it opens"),
        ((Window(5), Window(9, 10)), (), "never closes"),
        ((Window(5, 9), Window(None, 10)), (), "open always"),
        ((Window(5, 9), Window(8, 10)), (), "in front of it"),
        ((Window(),), (Change(5, 1), Change(4, 1)), "order of time"),
        ((Window(),), (Change(5, 1), Change(5, 2)), "twice"),
        ((Window(),), (Change(5),), "changes nothing"),
    ],
)
def test_a_schedule_that_can_be_read_in_two_ways_is_refused(windows, timetable, word):
    (problem,) = problems(windows, timetable)
    assert word in problem


@given(
    edges=st.lists(st.integers(0, 50), min_size=2, max_size=8, unique=True).map(sorted),
    prequeue_ms=st.none() | st.integers(0, 20),
    now_ms=st.integers(-30, 90),
)
def test_it_is_open_in_the_windows_and_nowhere_else(edges, prequeue_ms, now_ms):
    edges = edges[: len(edges) // 2 * 2]
    windows = [Window(*pair) for pair in zip(edges[::2], edges[1::2], strict=True)]
    assert problems(windows, ()) == []
    moment = look(windows, prequeue_ms, now_ms)
    inside = any(edges[i] <= now_ms < edges[i + 1] for i in range(0, len(edges), 2))
    assert (moment.phase is Phase.OPEN) == inside
    assert (moment.phase is Phase.OVER) == (now_ms >= edges[-1])
    if moment.phase is Phase.PREQUEUE:
        assert moment.opens_at_ms > now_ms
        assert prequeue_ms is None or moment.opens_at_ms - now_ms <= prequeue_ms
    if moment.phase is Phase.EARLY:
        assert moment.joins_from_ms > now_ms
