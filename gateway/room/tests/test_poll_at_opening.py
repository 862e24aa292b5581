"""When those who wait are told to ask again, around an opening."""

from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gateway.room.estimate import (
    LONGEST_POLL_MS,
    OPENING_MOMENT_MS,
    OPENING_PART,
    OPENING_SPREAD_MS,
    SHORTEST_POLL_MS,
    poll_at_opening,
)
from gateway.room.model import Limits, QueueingMethod
from gateway.room.tests.test_policy import NOW, room


def before(left_ms, **changes):
    """A room that opens in so long."""
    limits = replace(Limits(), opens_at_ms=NOW + left_ms, **changes)
    return room(limits=limits)


@given(st.integers(1, 10**7), st.integers(10, 3_600), st.integers(0, 2**32))
def test_before_an_opening_a_poll_comes_well_before_it_or_shortly_after(left_ms, window_s, jitter):
    state = before(left_ms, claim_window_ms=window_s * 1000)
    after = poll_at_opening(state, None, jitter=jitter)
    assert after is not None
    longest = max(SHORTEST_POLL_MS, min(LONGEST_POLL_MS, window_s * 1000 // 3))
    if after > left_ms:
        assert (
            OPENING_MOMENT_MS <= after - left_ms <= OPENING_MOMENT_MS + min(OPENING_SPREAD_MS, longest / OPENING_PART)
        )
    else:
        assert after >= longest * 0.84
    assert after <= longest * 1.16 + OPENING_MOMENT_MS + OPENING_SPREAD_MS


def asked_per_second(waiting, minutes):
    """Polls of so many who came within the first minutes, by second before (-) and after the opening."""
    lots = Random(7)
    counts = Counter[int]()
    for _ in range(waiting):
        at_ms = -lots.randrange(60_000 * (minutes - 2), 60_000 * minutes)
        while at_ms < 0:
            counts[at_ms // 1000] += 1
            after = poll_at_opening(before(-at_ms), None, jitter=lots.getrandbits(32))
            assert after is not None
            at_ms += after
        counts[at_ms // 1000] += 1
    return counts


def test_an_opening_brings_no_more_than_four_times_the_polls_per_second_of_the_minute_before():
    counts = asked_per_second(20_000, 10)
    minute_before = sum(counts[second] for second in range(-60, 0)) / 60
    assert max(counts[second] for second in range(30)) < OPENING_PART * minute_before * 1.3
    # Everyone asks once, within the half minute that the page promises.
    assert sum(counts[second] for second in range(27)) == 20_000


@given(st.integers(0, 2**32))
def test_whoever_stands_in_front_asks_when_the_turn_is_likely_to_come(jitter):
    assert poll_at_opening(before(5_000), (5_000, 6_000), jitter=jitter) == 5_000 + OPENING_MOMENT_MS
    second = poll_at_opening(before(5_000), (6_000, 9_000), jitter=jitter)
    assert second is not None
    assert second <= 6_000 + OPENING_MOMENT_MS


@given(st.integers(0, 2**32))
def test_while_lots_are_being_drawn_everyone_asks_again_within_half_a_minute(jitter):
    drawing = before(0, queueing_method=QueueingMethod.DRAW)
    after = poll_at_opening(drawing, None, jitter=jitter)
    assert after is not None
    assert OPENING_MOMENT_MS <= after <= OPENING_MOMENT_MS + OPENING_SPREAD_MS


def test_where_no_opening_is_awaited_it_has_no_say():
    assert poll_at_opening(room(), (9, 9), jitter=0) is None
    assert poll_at_opening(before(0), (9, 9), jitter=0) is None
    assert poll_at_opening(room(limits=Limits(closes_at_ms=NOW - 1)), None, jitter=0) is None
