"""Estimates, graded on evidence made by hand."""

import pytest

from loadtest.estimates import Grades, check_estimates, grade
from loadtest.evidence import Estimate, Turn, Verdict
from loadtest.tests.test_checks import visitors


def waited(*shown: Estimate, called_ms: int = 60_000) -> Turn:
    return Turn(1, 1, waiting_sent_ms=called_ms - 2_000, called_ms=called_ms, estimates=list(shown))


def test_the_first_estimate_and_the_one_at_half_way_are_graded() -> None:
    first, second, third = Estimate(0, 50_000, 90_000, 1), Estimate(20_000, 0, 1, 1), Estimate(31_000, 0, 9_000, 1)
    assert grade(visitors(waited(first, second, third))) == Grades(1, 0, 1)


def test_an_estimate_is_wrong_only_if_the_call_cannot_have_been_in_its_range() -> None:
    for low, high, result in ((61_500, 90_000, (0, 1, 0)), (60_500, 90_000, (1, 0, 0)), (0, 57_500, (1, 0, 0))):
        assert grade(visitors(waited(Estimate(0, low, high, 1)))) == Grades(*result)
    assert grade(visitors(waited(Estimate(0, 0, 56_000, 1)))) == Grades(0, 0, 1)


def test_what_the_operators_changed_meanwhile_is_not_graded() -> None:
    void, valid = Estimate(0, 0, 1, 1), Estimate(30_000, 20_000, 40_000, 2)
    assert grade(visitors(waited(void, valid))) == Grades(1, 0, 0)


@pytest.mark.parametrize(("wrong", "verdict"), [(99, Verdict.OK), (101, Verdict.BROKEN)])
def test_a_range_that_is_wrong_for_every_second_visitor_is_broken(wrong: int, verdict: Verdict) -> None:
    turns = [
        waited(Estimate(0, 0, 1 if index < wrong else 400_000, 1), called_ms=300_000 if index else 60_000)
        for index in range(200)
    ]
    assert [finding.verdict for finding in check_estimates(visitors(*turns))] == [verdict]
    assert check_estimates(visitors(*turns[:199])) == ()


def test_a_line_that_has_only_begun_is_told_of_and_not_judged() -> None:
    turns = [waited(Estimate(0, 0, 1, 1), called_ms=299_999) for _ in range(200)]
    (finding,) = check_estimates(visitors(*turns))
    assert (finding.verdict, finding.required) == (Verdict.UNCHECKED, False)
    assert "0 % of 200" in finding.evidence
