"""Calendars made by chance: what is answered, refused and told as changed agrees with rules said plainly."""

import random
from datetime import date

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from shared.rules.calendar import judge
from shared.rules.diff import changes
from shared.rules.load import load
from shared.rules.model import BadCalendar, Kind
from shared.rules.tests.naive import BIRTHS, HOURS, SAID, Group, Plan, age, plans
from shared.rules.values import age as age_span

# 19 July 2021, 00:00 in Seoul.
MIDNIGHT_MS = 1_626_620_400_000
HOUR_MS = 3_600_000

slowly = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=40)


def some_births(seed):
    edges = [date(year, month, day) for year in range(1965, 1970) for month, day in ((1, 1), (3, 1), (12, 31))]
    return [*edges, date(1968, 2, 29), date(1900, 1, 1), *random.Random(seed).sample(BIRTHS, 25)]


@slowly
@given(plans(), st.integers(0, 99))
def test_judge_answers_as_the_rules_say_to_the_millisecond(plan, seed):
    calendar = plan.calendar()
    for birth in some_births(seed):
        for said in SAID:
            mine = plan.of(birth, said)
            for hour in HOURS:
                start_ms = MIDNIGHT_MS + hour * HOUR_MS
                kind = plan.kind(mine, hour)
                event(kind)
                for at_ms in (start_ms, start_ms + HOUR_MS - 1):
                    verdict = judge(calendar, birth, said, at_ms)
                    assert verdict.kind is kind
                    assert {cohort.id for cohort in verdict.cohorts} == {f"c{number}" for number in mine}
                    assert verdict.from_ms is None or verdict.from_ms <= at_ms
                    assert verdict.until_ms is None or at_ms < verdict.until_ms
                    if kind in {Kind.NOT_YET, Kind.PAUSED}:
                        opens = next(later for later in range(hour, HOURS.stop) if plan.is_open(mine, later))
                        assert verdict.opens_ms == MIDNIGHT_MS + opens * HOUR_MS
                    if kind is Kind.ELIGIBLE:
                        assert verdict.rule is not None
                        assert verdict.rule.opens_ms <= at_ms < verdict.rule.closes_ms
                        assert verdict.cohort is not None
                        assert verdict.cohort.id in verdict.rule.cohorts


@slowly
@given(plans(), st.integers(0, 99))
def test_a_verdict_holds_as_long_as_it_says_and_no_longer(plan, seed):
    calendar = plan.calendar()
    for birth in some_births(seed):
        verdict = judge(calendar, birth, {}, MIDNIGHT_MS - HOUR_MS)
        assert verdict.from_ms is None
        while verdict.until_ms is not None:
            assert judge(calendar, birth, {}, verdict.until_ms - 1) == verdict
            following = judge(calendar, birth, {}, verdict.until_ms)
            assert following != verdict
            assert following.from_ms == verdict.until_ms
            verdict = following


# The last whose year ends in 6 was born in 1966, whatever `before` says: nobody of 1967 is missing.
ENDS_EARLY = Group(None, ((date(1966, 1, 1), date(1967, 12, 25)),), None, (6,), (), ())


@slowly
@given(plans())
@example(Plan((ENDS_EARLY,), ((frozenset({0}), 0, 1),), ()))
def test_a_calendar_is_refused_for_exactly_the_kinds_of_problems_it_has(plan):
    try:
        load(plan.text(), file="plan.toml")
        found = set()
    except BadCalendar as error:
        found = {problem.kind for problem in error.problems}
    event(str(sorted(found)))
    assert found == plan.problems()


def covers(change, birth, said, asked, at_ms):
    known = {name: value for name, value in said.items() if (name, repr(value)) in asked}
    return (
        any(births.contains(birth) for births in change.births)
        and (change.attributes is None or repr(known) in [repr(dict(each)) for each in change.attributes])
        and (change.from_ms is None or change.from_ms <= at_ms)
        and (change.until_ms is None or at_ms < change.until_ms)
    )


@slowly
@given(plans(), plans(), st.integers(0, 99))
def test_a_diff_lists_exactly_the_moments_at_which_somebody_is_answered_otherwise(old, new, seed):
    listed = changes(old.calendar(), new.calendar())
    asked = {("worker", repr(value)) for plan in (old, new) for each in plan.groups for value in each.worker}
    for birth in some_births(seed):
        for said in SAID:
            for hour in HOURS:
                kinds = [plan.kind(plan.of(birth, said), hour) for plan in (old, new)]
                for at_ms in (MIDNIGHT_MS + hour * HOUR_MS, MIDNIGHT_MS + (hour + 1) * HOUR_MS - 1):
                    told = [
                        [change.old.kind, change.new.kind]
                        for change in listed
                        if covers(change, birth, said, asked, at_ms)
                    ]
                    assert told == ([] if kinds[0] is kinds[1] else [kinds]), (birth, said, hour)


@given(plans())
@slowly
def test_a_calendar_does_not_differ_from_itself(plan):
    assert changes(plan.calendar(), plan.calendar()) == ()


@given(st.dates(date(1900, 1, 1), date(2021, 12, 31)), st.dates(date(1990, 1, 1), date(2030, 12, 31)))
def test_an_age_counts_birthdays(birth, on):
    if birth > on:
        return
    years = age(birth, on)
    for low, high, inside in ((years, years, True), (0, years, True), (years + 1, 150, False), (0, years - 1, False)):
        if low <= high:
            ((first, before),) = age_span({"on": on, "from": low, "to": high})
            assert (first <= birth < before) is inside


@pytest.mark.parametrize(
    ("on", "years"),
    [
        (date(2001, 2, 28), 0),  # no 29 February that year: not yet
        (date(2001, 3, 1), 1),
        (date(2004, 2, 28), 3),
        (date(2004, 2, 29), 4),
        (date(2100, 2, 28), 99),  # no leap year either
        (date(2100, 3, 1), 100),
    ],
)
def test_who_was_born_on_29_february_is_a_year_older_on_1_march_of_common_years(on, years):
    birth = date(2000, 2, 29)
    ((first, before),) = age_span({"on": on, "from": years, "to": years})
    assert first <= birth < before
    ((first, before),) = age_span({"on": on, "from": years + 1, "to": years + 1})
    assert not first <= birth < before


def test_on_29_february_those_born_on_1_march_are_still_a_year_younger():
    for birth, years in ((date(2001, 2, 28), 3), (date(2001, 3, 1), 2)):
        ((first, before),) = age_span({"on": date(2004, 2, 29), "from": years, "to": years})
        assert first <= birth < before
