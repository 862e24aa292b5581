"""Birth dates put in few words are the same birth dates."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.births import BirthIndex
from shared.rules.groups import BirthGroup, group
from shared.rules.model import Births

YEARS = (date(1966, 1, 1), date(1970, 1, 1))
# Cut by years, by a day in the middle of one, and by last digits of both kinds.
CLASSES = list(
    BirthIndex(
        [
            Births((YEARS,), year_digits=frozenset({6, 8})),
            Births(((date(1967, 3, 1), date(1969, 1, 1)),), day_digits=frozenset({1, 2})),
        ]
    ).classes()
)
DAYS = [date(1965, 12, 25) + timedelta(days=days) for days in range(1_490)]


@given(st.sets(st.sampled_from([each for each, _ in CLASSES if each.first in {YEARS[0], date(1967, 3, 1)}])))
def test_groups_contain_exactly_the_dates_of_their_classes(wanted):
    groups = group(wanted, [each for each, _ in CLASSES])

    for day in DAYS:
        inside = any(
            each.first <= day < each.before and day.year % 10 == each.year_digit and day.day % 10 == each.day_digit
            for each in wanted
        )
        assert sum(each.contains(day) for each in groups) == inside, (day, groups)


@pytest.mark.parametrize(
    ("births", "text"),
    [
        (BirthGroup(date(1967, 1, 1), date(1969, 1, 1)), "1967-1968"),
        (BirthGroup(date(1967, 1, 1), date(1968, 1, 1)), "1967"),
        (BirthGroup(None, date(1968, 1, 1)), "1967 or earlier"),
        (BirthGroup(date(1967, 1, 1), None), "1967 or later"),
        (BirthGroup(None, None), "any date"),
        (BirthGroup(date(1967, 3, 2), date(1968, 1, 1)), "1967-03-02 to 1967-12-31"),
        (BirthGroup(date(1968, 2, 29), date(1968, 3, 1)), "1968-02-29"),
        (BirthGroup(date(1967, 3, 2), None), "1967-03-02 or later"),
        (BirthGroup(None, date(1968, 3, 2)), "1968-03-01 or earlier"),
        (BirthGroup(None, None, (1, 6), (7,)), "any date, year ending in 1 or 6, day ending in 7"),
    ],
)
def test_groups_read_as_people_say_it(births, text):
    assert str(births) == text
