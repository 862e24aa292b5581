from collections import Counter
from dataclasses import replace

from gateway.room.grading import LOTS, MOST_PENDING, Grades, share_within
from gateway.room.model import Limits
from gateway.room.tests.test_policy import NOW, room

STATE = room(tail=100_000)


def fresh(state=STATE):
    grades = Grades()
    grades.grade(state)
    return grades


def called(grades, place, after_ms, **changes):
    """The call comes to a place, a while after; seen every second."""
    for now_ms in range(NOW + 1_000, NOW + after_ms, 1_000):
        assert not grades.grade(replace(STATE, now_ms=now_ms, **changes))
    return grades.grade(replace(STATE, now_ms=NOW + after_ms, serving=place, **changes))


def test_an_estimate_is_graded_when_the_call_comes_to_its_place():
    for after_ms, result in ((8_000, "earlier"), (9_500, "within"), (15_000, "within"), (22_000, "later")):
        grades = fresh()
        grades.note(STATE, 50, (10_000, 20_000), lot=0)
        assert called(grades, 50, after_ms) == Counter({f"estimate.{result}": 1})
        assert len(grades) == 0


def test_what_an_operator_changed_meanwhile_is_no_forecast():
    grades = fresh()
    grades.note(STATE, 50, (10_000, 20_000), lot=0)
    assert called(grades, 50, 60_000, limits=Limits(version=2)) == Counter({"estimate.changed": 1})


def test_a_call_that_nobody_saw_come_is_no_forecast_either():
    grades = fresh()
    grades.note(STATE, 50, (10_000, 20_000), lot=0)
    assert grades.grade(replace(STATE, now_ms=NOW + 15_000, serving=50)) == Counter({"estimate.changed": 1})


def test_a_line_that_starts_anew_forgets_what_was_shown_of_the_last():
    grades = fresh()
    grades.note(STATE, 50, (10_000, 20_000), lot=0)
    assert not grades.grade(replace(STATE, epoch=2, now_ms=NOW + 1_000, serving=60))
    grades.note(STATE, 70, (10_000, 20_000), lot=0)
    assert len(grades) == 0


def test_however_many_are_shown_few_are_kept_and_each_place_as_likely():
    grades = fresh()
    for place in range(1, 50_001):
        # As good as drawn: a step through all lots that visits them evenly.
        grades.note(STATE, place, (0, 10**9), lot=place * 2_654_435_761 % LOTS)
        assert len(grades) <= MOST_PENDING
    early = called(grades, 25_000, 1_000)["estimate.within"]
    late = grades.grade(replace(STATE, now_ms=NOW + 2_000, serving=50_000))["estimate.within"]
    assert early + late >= MOST_PENDING // 2 - 1
    assert abs(early - late) < MOST_PENDING // 8


def test_the_share_is_of_forecasts_alone():
    counts = {"estimate.within": 6, "estimate.earlier": 1, "estimate.later": 1, "estimate.changed": 100}
    assert share_within(room(counters=counts)) == 0.75
    assert share_within(room()) is None
