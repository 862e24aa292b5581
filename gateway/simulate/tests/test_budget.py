"""The poll budget, exactly: with the logarithm of the line up to the longest pause, one in that pause from there."""

from math import log

import pytest

from gateway.room.estimate import LONGEST_POLL_MS, POLL_SHARE, people_ahead
from gateway.room.forecast import Forecast
from gateway.simulate.budget import OUTFLOWS, budget, horizon, line_of, logarithm
from gateway.simulate.polls import Polls, pauses
from gateway.simulate.scenario import Habits

LONGEST_S = 100  # a third of the usual claim window
PATIENT = Habits(gone_at_once=0, gone_after_ms=10**12, leave_per_hour=0)


@pytest.mark.parametrize("outflow", OUTFLOWS)
def test_up_to_the_longest_pause_polls_grow_with_the_logarithm_of_the_line(outflow):
    found, fit = logarithm(outflow)
    assert fit.r2 > 0.999
    # Eight times the outflow for each e-fold; a little more, as the low end of the estimate counts.
    assert 1 <= fit.per_e_fold / (POLL_SHARE * outflow / 60) <= 1.2
    assert found[-1].waiting / found[0].waiting > 20
    assert found[-1].polls / found[0].polls < 4


@pytest.mark.parametrize("outflow", OUTFLOWS)
def test_beyond_it_each_further_person_asks_once_in_the_longest_pause(outflow):
    near, far, farther = (budget(times * horizon(outflow), outflow) for times in (2, 4, 8))
    for less, more in ((near, far), (far, farther)):
        assert (more.polls - less.polls) / (more.waiting - less.waiting) == pytest.approx(1 / LONGEST_S, rel=0.02)


def test_of_six_million_the_polls_are_those_of_the_formula():
    """The logarithm for those within the horizon, and one in the longest pause for all behind it."""
    for outflow in OUTFLOWS:
        known = horizon(outflow)
        inside = budget(known, outflow).polls
        assert budget(6_000_000, outflow).polls == pytest.approx(inside + (6_000_000 - known) / LONGEST_S, rel=0.03)


def test_exact_figures():
    """Polls a second, of 10, 1,000, 100,000 and 6,000,000 who wait, at 30,000 a minute."""
    found = [round(budget(waiting, 30_000).polls) for waiting in (10, 1_000, 100_000, 6_000_000)]
    assert found == pytest.approx([7, 667, 16_765, 79_109], rel=0.01)
    # A hundred times the line: 25 times the polls, then 5 for 60 times. Every five seconds, it would be 100 and 60.
    assert budget(6_000_000, 30_000).fixed == 1_200_000


def test_the_logarithm_alone_would_be_half_of_what_six_million_ask():
    """What the longest pause costs: told here, so that nobody takes the budget for a logarithm at every length."""
    _, fit = logarithm(30_000)
    alone = fit.base + fit.per_e_fold * log(6_000_000)
    assert alone == pytest.approx(34_000, rel=0.05)
    assert budget(6_000_000, 30_000).polls > 2 * alone


def test_a_longer_claim_window_has_people_ask_more_seldom_up_to_two_minutes():
    found = {window_s: budget(6_000_000, 6_000, claim_window_ms=window_s * 1000).polls for window_s in (60, 300, 3_600)}
    assert found[60] > 4 * found[300]
    assert found[3_600] == pytest.approx(6_000_000 / (LONGEST_POLL_MS / 1000), rel=0.1)


@pytest.mark.parametrize("waiting", [100, 10_000, 500_000])
def test_a_line_that_is_played_asks_as_often_as_the_sum_says(waiting):
    """In virtual time: the same people stand there for ten minutes, and every poll is counted."""
    state = line_of(waiting, 6_000)
    polls = Polls(PATIENT, 1_000, max(1, waiting // 500), seed=1)
    counted = [polls.step(state, step, step * 1_000, waits=lambda place: place > 0) for step in range(600)]
    # The first minutes are those of people who all came at once.
    asked = sum(counted[300:]) / 300
    assert asked == pytest.approx(budget(waiting, 6_000).polls, rel=0.05)
    assert polls.sampled * polls.share == pytest.approx(polls.asked, rel=0.1)


def test_who_waits_longer_never_asks_sooner():
    state = line_of(1_000_000, 6_000)
    forecast = Forecast(state)
    found = [pauses(state, forecast.wait_range(state, people_ahead(state, place))) for place in range(1, 10**6, 9_973)]
    assert found == sorted(found)
