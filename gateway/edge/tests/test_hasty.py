"""Who asks too often is told off; nobody else is, however many there are, and no place is lost."""

import sys
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.hasty import BURST, LEAST_RETRY_S, PER_SECOND, Hasty
from gateway.room.estimate import JITTER_PERCENT, SHORTEST_POLL_MS

# The soonest that a page is ever told to come again.
SOONEST_S = SHORTEST_POLL_MS * (100 - JITTER_PERCENT) / 100_000


@given(st.lists(st.floats(0, 3), max_size=300))
def test_no_ticket_is_answered_more_than_its_bucket_and_the_refill(pauses):
    hasty, now_s, answered = Hasty(), 0.0, 0
    for pause_s in pauses:
        now_s += pause_s
        answered += hasty.takes(7, now_s) is None
        assert answered <= BURST + now_s * PER_SECOND + 1e-6


def test_a_client_that_asks_every_100_ms_is_told_off_for_most_of_it_and_still_answered_now_and_then():
    hasty = Hasty()
    told = [hasty.takes(7, each / 10) for each in range(6_000)]
    answered = told.count(None)
    assert answered == pytest.approx(600 * PER_SECOND + BURST, abs=2)
    assert min(each for each in told if each is not None) >= LEAST_RETRY_S
    assert hasty.told_off == 6_000 - answered


def test_who_heeds_what_it_is_told_is_answered():
    hasty, now_s = Hasty(), 0.0
    while (retry_s := hasty.takes(7, now_s)) is None:
        now_s += 0.01
    now_s += retry_s
    assert [hasty.takes(7, now_s) for _ in range(LEAST_RETRY_S * PER_SECOND)] == [None] * LEAST_RETRY_S * PER_SECOND


@pytest.mark.parametrize("tabs", [1, 5])
def test_a_page_that_asks_as_it_is_told_is_always_answered_in_several_tabs_too(tabs):
    hasty = Hasty()
    asks = sorted((each * SOONEST_S + tab * 0.1, 7) for tab in range(tabs) for each in range(500))
    assert all(hasty.takes(ticket, now_s) is None for now_s, ticket in asks)


def test_nobody_is_told_off_for_what_others_do_though_there_are_more_than_slots():
    """Of 4,000 hasty clients and 100 patient ones in 64 slots, only hasty ones are ever told off."""
    hasty, lots, patient_told_off, told_off = Hasty(slots=64), Random(5), 0, 0
    for tick in range(100):
        now_s = tick * 0.1
        for _ in range(400):
            told_off += hasty.takes(1_000 + lots.randrange(4_000 if tick % 2 else 20), now_s) is not None
        if tick % 20 == 0:
            patient_told_off += sum(hasty.takes(ticket, now_s) is not None for ticket in range(100))
    assert patient_told_off == 0
    assert told_off > 1_000


def test_memory_does_not_grow_with_the_line():
    hasty = Hasty(slots=256)

    def size():
        return sys.getsizeof(hasty._owners) + sys.getsizeof(hasty._full_at_s)

    before = size()
    for number in range(100_000):
        assert hasty.takes(number, number / 1000) is None
    assert size() == before
    assert len(hasty._owners) == len(hasty._full_at_s) == 256
