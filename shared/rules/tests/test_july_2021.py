"""12 to 24 July 2021, hour by hour and birth year by birth year, written down by hand.

Each line holds from its moment until the next line's. Columns are birth years. n: not yet, E: eligible, P: paused,
O: over, -: not eligible.
"""

from datetime import date, datetime
from pathlib import Path

import pytest

from shared.rules.calendar import judge
from shared.rules.load import load
from shared.rules.model import Kind

LETTERS = {
    Kind.NOT_YET: "n",
    Kind.ELIGIBLE: "E",
    Kind.PAUSED: "P",
    Kind.OVER: "O",
    Kind.NOT_ELIGIBLE: "-",
}

YEARS = """    1960 61  62 63 64 65 66  67 68  69 70 71  72 73 """

AS_IT_BECAME = """
    07-11 00:00  -  -   n  n  n  n  n   n  n   n  n  n   -  -
    07-12 00:00  -  -   E  E  E  E  E   n  n   n  n  n   -  -
    07-12 15:30  -  -   P  P  P  P  P   n  n   n  n  n   -  -
    07-14 20:00  -  -   E  E  E  E  E   n  n   n  n  n   -  -
    07-19 20:00  -  -   E  E  E  E  E   n  n   n  n  n   -  -
    07-19 20:48  -  -   E  E  E  E  E   n  n   n  n  n   -  -
    07-19 22:00  -  -   E  E  E  E  E   E  E   n  n  n   -  -
    07-20 18:00  -  -   E  E  E  E  E   P  P   n  n  n   -  -
    07-20 20:00  -  -   E  E  E  E  E   P  P   E  E  E   -  -
    07-21 18:00  -  -   E  E  E  E  E   P  P   P  P  P   -  -
    07-21 20:00  -  -   E  E  E  E  E   E  E   E  E  E   -  -
    07-24 18:00  -  -   O  O  O  O  O   O  O   O  O  O   -  -
    08-24 18:00  -  -   O  O  O  O  O   O  O   O  O  O   -  -
"""

AS_ANNOUNCED = """
    07-11 00:00  -  -   n  n  n  n  n   n  n   n  n  n   -  -
    07-12 00:00  -  -   E  E  E  E  E   n  n   n  n  n   -  -
    07-12 15:30  -  -   P  P  P  P  P   n  n   n  n  n   -  -
    07-14 20:00  -  -   E  E  E  E  E   n  n   n  n  n   -  -
    07-19 20:00  -  -   E  E  E  E  E   E  E   n  n  n   -  -
    07-19 22:00  -  -   E  E  E  E  E   E  E   n  n  n   -  -
    07-20 18:00  -  -   E  E  E  E  E   P  P   n  n  n   -  -
    07-20 20:00  -  -   E  E  E  E  E   P  P   E  E  E   -  -
    07-21 18:00  -  -   E  E  E  E  E   P  P   P  P  P   -  -
    07-21 20:00  -  -   E  E  E  E  E   E  E   E  E  E   -  -
    07-24 18:00  -  -   O  O  O  O  O   O  O   O  O  O   -  -
"""

# Which rule let somebody in, at moments of which each rule has one.
LET_IN_BY = """
    07-12 15:29  1962 55-59-first/1
    07-14 20:00  1966 55-59-second/1
    07-19 22:30  1966 55-59-second/1
    07-19 22:30  1967 53-54/2
    07-20 17:59  1968 53-54/2
    07-20 20:00  1969 50-52/1
    07-21 17:59  1971 50-52/1
    07-21 20:00  1967 50-54/1
    07-21 20:00  1971 50-54/1
    07-24 17:59  1966 55-59-second/1
"""

# The first and the last day of a year, and one on which it had a day more.
DAYS = [(1, 1), (2, 28), (2, 29), (3, 1), (12, 31)]


def calendar(name):
    path = Path(__file__).parents[2] / "calendars" / f"{name}.toml"
    return load(path.read_text(encoding="utf-8"), file=path.name)


def moment(day, hour):
    return int(datetime.fromisoformat(f"2021-{day}T{hour}:00+09:00").timestamp()) * 1000


def births(year):
    leap = year in {1960, 1964, 1968, 1972}
    return [date(year, month, day) for month, day in DAYS if leap or (month, day) != (2, 29)]


def rows(table):
    for line in table.strip().splitlines():
        day, hour, *letters = line.split()
        assert len(letters) == 14
        yield moment(day, hour), letters


def told(table_calendar, year, at_ms):
    (letter,) = {LETTERS[judge(table_calendar, birth, {}, at_ms).kind] for birth in births(year)}
    return letter


@pytest.mark.parametrize(("name", "table"), [("july-2021", AS_IT_BECAME), ("july-2021-announced", AS_ANNOUNCED)])
def test_everybody_is_told_what_the_table_says_before_at_and_after_each_edge(name, table):
    july = calendar(name)
    years = range(1960, 1974)
    assert [int(word[-2:]) for word in YEARS.split()] == [year - 1900 for year in years]
    before = None
    for at_ms, letters in rows(table):
        for year, letter in zip(years, letters, strict=True):
            for offset in (0, 1, 1_000):
                assert told(july, year, at_ms + offset) == letter, (year, at_ms, offset)
        for year, letter in zip(years, before or letters, strict=True):
            for offset in (1, 1_000):
                assert told(july, year, at_ms - offset) == letter, (year, at_ms, -offset)
        before = letters


def test_the_rule_that_lets_somebody_in_is_named_with_its_version():
    july = calendar("july-2021")
    for line in LET_IN_BY.strip().splitlines():
        day, hour, year, rule = line.split()
        assert {judge(july, birth, {}, moment(day, hour)).rule_name for birth in births(int(year))} == {rule}, line


def test_who_waited_at_20_00_is_told_of_22_00_and_that_20_00_was_replaced():
    verdict = judge(calendar("july-2021"), date(1968, 3, 2), {}, moment("07-19", "20:50"))

    assert (verdict.kind, verdict.rule_name, verdict.calendar_version) == (Kind.NOT_YET, "53-54/2", 2)
    assert verdict.opens_ms == verdict.until_ms == moment("07-19", "22:00")
    assert verdict.from_ms is None
    assert [cohort.id for cohort in verdict.cohorts] == ["53-54", "50-54"]
    assert verdict.cohort is verdict.cohorts[0]
    (earlier,) = verdict.superseded
    assert (earlier.version, earlier.opens_ms) == (1, moment("07-19", "20:00"))
    assert earlier.replaced_ms == moment("07-19", "20:48")


def test_who_is_in_is_not_told_of_an_opening_that_moved():
    verdict = judge(calendar("july-2021"), date(1968, 3, 2), {}, moment("07-19", "22:30"))

    assert (verdict.kind, verdict.superseded) == (Kind.ELIGIBLE, ())
    assert verdict.rule is not None
    assert len(verdict.rule.earlier) == 1
    assert (verdict.from_ms, verdict.until_ms) == (moment("07-19", "22:00"), moment("07-20", "18:00"))


def test_who_comes_when_the_stock_ran_out_is_told_why_and_until_when():
    verdict = judge(calendar("july-2021"), date(1964, 2, 29), {}, moment("07-13", "12:00"))

    assert verdict.pause is not None
    assert verdict.pause.reason.en == "Booking stopped because the stock had run out."
    assert verdict.until_ms == verdict.opens_ms == moment("07-14", "20:00")
    assert verdict.rule_name == "55-59-second/1"


def test_who_is_in_no_cohort_is_told_which_there_are():
    verdict = judge(calendar("july-2021"), date(1972, 1, 1), {}, moment("07-19", "22:30"))

    assert (verdict.kind, verdict.rule, verdict.cohort, verdict.cohorts) == (Kind.NOT_ELIGIBLE, None, None, ())
    assert [cohort.id for cohort in verdict.all_cohorts] == ["55-59", "53-54", "50-52", "50-54"]


def test_the_demo_is_open_to_adults_at_any_time_and_to_nobody_younger():
    everyone = calendar("everyone")
    for now in ("2026-01-01T00:00:00+09:00", "2026-11-23T12:00:00+09:00", "2099-12-31T23:59:59+09:00"):
        at_ms = int(datetime.fromisoformat(now).timestamp()) * 1000
        assert judge(everyone, date(2008, 12, 31), {}, at_ms).eligible
        assert judge(everyone, date(1900, 1, 1), {}, at_ms).eligible
        assert judge(everyone, date(2009, 1, 1), {}, at_ms).kind is Kind.NOT_ELIGIBLE
