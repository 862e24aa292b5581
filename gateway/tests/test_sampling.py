"""In a flood, few lines are written, and what was left out is counted."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.sampling import EVERY_S, MOST_KINDS, Sampling


def test_the_first_of_each_kind_is_written_at_once():
    sampling = Sampling()
    assert [sampling.take(kind, 5.0) for kind in ("a", "b", "a")] == [{}, {}, None]


def test_the_next_line_says_how_many_were_not_written():
    sampling = Sampling()
    taken = [sampling.take("a", second) for second in (0.0, 0.1, 0.9, 1.0, 1.5, 9.0, 10.0)]
    assert taken == [{}, None, None, {"not_written": 2}, None, {"not_written": 1}, {}]


# In sixteenths, which add up exactly.
@given(st.lists(st.integers(0, 12).map(lambda part: part / 16), max_size=200))
def test_none_is_written_sooner_than_a_second_after_another_and_none_is_lost_from_the_count(gaps):
    sampling, now_s, written, counted = Sampling(), 0.0, [], 0
    for gap in gaps:
        now_s += gap
        beside = sampling.take("a", now_s)
        if beside is not None:
            written.append(now_s)
            counted += 1 + beside.get("not_written", 0)
    assert all(later - sooner >= EVERY_S for sooner, later in pairwise(written))
    assert counted <= len(gaps)
    now_s += EVERY_S
    beside = sampling.take("a", now_s)
    assert beside is not None
    assert counted + beside.get("not_written", 0) == len(gaps)


def test_no_flood_of_kinds_fills_the_memory():
    sampling = Sampling()
    for number in range(2 * MOST_KINDS):
        sampling.take(str(number), float(number))
    assert len(sampling._kinds) == MOST_KINDS
