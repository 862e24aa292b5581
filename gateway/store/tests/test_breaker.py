from random import Random

from hypothesis import given
from hypothesis import strategies as st
from pytest import approx  # noqa: PT013 - it reads as a number

from gateway.store.breaker import FAILURES, FIRST_PAUSE_S, LONGEST_PAUSE_S, Breaker


class Watched:
    """A breaker and its clock. lot: what is drawn."""

    def __init__(self, lot=lambda: 1.0):
        self.now_s = 0.0
        self.breaker = Breaker(lambda: self.now_s, lot)

    def begin(self):
        token = self.breaker.begin()
        assert token is not None
        return token

    def call(self, *, answered):
        """Whether it was let through."""
        token = self.breaker.begin()
        if token is not None:
            self.breaker.end(token, answered=answered)
        return token is not None

    def open(self):
        for _ in range(FAILURES):
            assert self.call(answered=False)
        return self


def test_calls_go_through_while_they_are_answered():
    watched = Watched()
    assert all(watched.call(answered=True) for _ in range(100))
    assert not watched.breaker.is_open


def test_one_lost_answer_is_no_outage():
    watched = Watched()
    for _ in range(10):
        assert watched.call(answered=False)
        assert watched.call(answered=True)
    assert not watched.breaker.is_open


def test_after_failures_in_a_row_calls_fail_at_once():
    watched = Watched().open()
    assert watched.breaker.is_open
    assert not watched.call(answered=True)


def test_after_a_pause_one_call_tries_and_all_others_wait_for_its_answer():
    watched = Watched().open()
    watched.now_s += FIRST_PAUSE_S
    token = watched.begin()
    assert watched.breaker.begin() is None
    watched.breaker.end(token, answered=True)
    assert not watched.breaker.is_open
    assert watched.breaker.begin() is not None
    assert watched.breaker.begin() is not None


def test_a_try_that_fails_doubles_the_pause_up_to_the_longest():
    watched = Watched().open()
    pauses = []
    for _ in range(8):
        pauses.append(watched.breaker._open_until_s - watched.now_s)
        watched.now_s = watched.breaker._open_until_s
        assert watched.call(answered=False)
        assert not watched.call(answered=True)
    assert pauses == approx([min(FIRST_PAUSE_S * 2**tries, LONGEST_PAUSE_S) for tries in range(8)])
    assert pauses[-1] == approx(LONGEST_PAUSE_S)


def test_an_answer_makes_the_next_pause_short_again():
    watched = Watched().open()
    for _ in range(5):
        watched.now_s = watched.breaker._open_until_s
        watched.call(answered=False)
    watched.now_s = watched.breaker._open_until_s
    assert watched.call(answered=True)
    watched.open()
    assert watched.breaker._open_until_s - watched.now_s == approx(FIRST_PAUSE_S)


def test_calls_under_way_when_it_opens_count_for_one_failure():
    watched = Watched()
    tokens = [watched.begin() for _ in range(1_000)]
    for token in tokens:
        watched.breaker.end(token, answered=False)
    assert watched.breaker._open_until_s == FIRST_PAUSE_S
    watched.now_s = FIRST_PAUSE_S
    assert watched.call(answered=True)


def test_a_call_that_nobody_waits_for_any_more_says_nothing_of_the_server():
    watched = Watched()
    for _ in range(10):
        watched.breaker.end(watched.begin(), answered=None)
    assert not watched.breaker.is_open
    watched.open()
    watched.now_s += FIRST_PAUSE_S
    watched.breaker.end(watched.begin(), answered=None)
    # The next one tries instead.
    assert watched.call(answered=True)
    assert not watched.breaker.is_open


def test_an_answer_to_an_old_call_does_not_close_it():
    watched = Watched()
    old = watched.begin()
    watched.open()
    watched.breaker.end(old, answered=True)
    assert watched.breaker.is_open


def test_a_thousand_gateways_do_not_come_back_in_the_same_moment():
    dice = Random(1)
    tries = []
    for _ in range(1_000):
        watched = Watched(dice.random).open()
        while watched.breaker._open_until_s < 10:
            watched.now_s = watched.breaker._open_until_s
            watched.call(answered=False)
        tries.append(watched.breaker._open_until_s)
    # The last pause is drawn between half of the longest and the whole of it.
    for tenth in range(10):
        begin = min(tries) + (max(tries) - min(tries)) * tenth / 10
        assert sum(begin <= each <= begin + 0.1 for each in tries) < 400


@given(st.lists(st.tuples(st.floats(0, 2), st.booleans(), st.integers(0, 3)), max_size=60), st.randoms())
def test_it_never_stays_shut_and_never_lets_two_try_at_once(walk, dice):
    watched = Watched(dice.random)
    under_way = []
    for elapsed_s, answered, ended in walk:
        watched.now_s += elapsed_s
        was_open = watched.breaker.is_open
        token = watched.breaker.begin()
        if token is not None:
            under_way.append(token)
            if was_open:
                assert watched.breaker.begin() is None
        for _ in range(min(ended, len(under_way))):
            watched.breaker.end(under_way.pop(0), answered=answered)
    for token in under_way:
        watched.breaker.end(token, answered=False)
    watched.now_s += LONGEST_PAUSE_S
    assert watched.call(answered=True)
    assert not watched.breaker.is_open
