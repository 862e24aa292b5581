"""Zones, attributes and holes: what a calendar may say, and what it may not leave unsaid."""

import os
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest

from shared.rules.calendar import judge
from shared.rules.load import load
from shared.rules.model import AttributeValue, BadCalendar, Kind
from shared.rules.tests.faults import GOOD


def problems_of(text):
    with pytest.raises(BadCalendar) as caught:
        load(text, file="x.toml")
    return caught.value.problems


@pytest.mark.parametrize(
    ("zone", "local", "offset"),
    [
        ("Europe/Berlin", "2021-07-01T09:00:00", "+02:00"),
        ("Europe/Berlin", "2021-01-01T09:00:00", "+01:00"),
        ("America/New_York", "2021-03-14T01:59:59.999", "-05:00"),
        ("America/New_York", "2021-03-14T03:00:00", "-04:00"),
    ],
)
def test_local_times_are_those_of_the_zone_at_that_moment(zone, local, offset):
    times = [
        load(one_window(zone, opens, "2022-01-01T00:00:00"), file="x.toml").rules[0].opens_ms
        for opens in (local, local + offset)
    ]
    assert times == [int(datetime.fromisoformat(local + offset).timestamp() * 1000)] * 2


@pytest.mark.parametrize(
    ("zone", "opens", "message"),
    [
        ("Europe/Berlin", "2021-03-28T02:00:00", "2021-03-28T02:00:00 does not exist in Europe/Berlin"),
        ("Europe/Berlin", "2021-03-28T02:59:59.999", "does not exist in Europe/Berlin"),
        ("America/New_York", "2021-03-14T02:30:00", "does not exist in America/New_York"),
        (
            "Europe/Berlin",
            "2021-10-31T02:00:00",
            "exists twice in Europe/Berlin: write 2021-10-31T02:00:00+02:00 or 2021-10-31T02:00:00+01:00",
        ),
        ("America/New_York", "2021-11-07T01:59:59", "exists twice in America/New_York"),
        ("Europe/Berlin", "2021-10-31T02:00:00+03:00", "has not the offset of Europe/Berlin"),
    ],
)
def test_a_time_that_clocks_leave_out_or_show_twice_is_refused(zone, opens, message):
    (problem,) = problems_of(one_window(zone, opens, "2022-01-01T00:00:00"))

    assert (problem.kind, problem.where, problem.line) == ("time", "rule w", 12)
    assert message in problem.message


def test_an_hour_that_exists_twice_is_told_apart_by_its_offset():
    first, second = (
        load(one_window("Europe/Berlin", f"2021-10-31T02:30:00{offset}", "2022-01-01T00:00:00"), file="x.toml")
        for offset in ("+02:00", "+01:00")
    )
    assert second.rules[0].opens_ms - first.rules[0].opens_ms == 3_600_000


def test_a_day_of_23_hours_is_one():
    calendar = load(one_window("Europe/Berlin", "2021-03-28T00:00:00", "2021-03-29T00:00:00"), file="x.toml")
    (rule,) = calendar.rules

    assert rule.closes_ms - rule.opens_ms == 23 * 3_600_000
    assert judge(calendar, date(1960, 1, 1), {}, rule.closes_ms - 1).kind is Kind.ELIGIBLE
    assert judge(calendar, date(1960, 1, 1), {}, rule.closes_ms).kind is Kind.OVER


def one_window(zone, opens, closes):
    return f"""\
title = {{ ko = "시험", en = "Test" }}
version = 1
zone = "{zone}"
[[cohort]]
id = "c"
label = {{ ko = "모두", en = "All" }}
birth_years = {{ to = 2008 }}
[[window]]
id = "w"
version = 1
cohorts = ["c"]
opens = {opens}
closes = {closes}
"""


def test_where_the_system_has_no_time_zones_the_package_has_them_and_without_either_it_is_said():
    code = "from shared.rules.times import find_zone; print(find_zone('Asia/Seoul').key)"
    environ = {**os.environ, "PYTHONTZPATH": ""}
    assert subprocess.check_output([sys.executable, "-c", code], env=environ, text=True).strip() == "Asia/Seoul"

    without = f"import sys; sys.modules['tzdata'] = None; {code}"
    found = subprocess.run([sys.executable, "-c", without], env=environ, text=True, capture_output=True, check=False)
    assert "install the package tzdata" in found.stderr


def test_people_with_an_attribute_are_told_apart_from_their_year():
    text = one_window("Asia/Seoul", "2021-07-01T00:00:00", "2021-07-02T00:00:00")
    staff = '[[cohort]]\nid = "staff"\nlabel = { ko = "의료진", en = "Staff" }\n'
    staff += 'attributes = { job = ["nurse", "doctor"] }\n'
    calendar = load(text.replace("[[window]]", f"{staff}[[window]]").replace('["c"]', '["staff", "c"]'), file="x.toml")
    at_ms = calendar.rules[0].opens_ms

    people: list[tuple[dict[str, AttributeValue], Kind]] = [
        ({}, Kind.NOT_ELIGIBLE),
        ({"job": "nurse"}, Kind.ELIGIBLE),
        ({"job": "doctor", "else": 1}, Kind.ELIGIBLE),
        ({"job": "teacher"}, Kind.NOT_ELIGIBLE),
        ({"job": True}, Kind.NOT_ELIGIBLE),
    ]
    for attributes, kind in people:
        assert judge(calendar, date(2009, 1, 1), attributes, at_ms).kind is kind


def test_two_cohorts_that_nobody_can_be_in_together_may_be_open_together():
    text = one_window("Asia/Seoul", "2021-07-01T00:00:00", "2021-07-02T00:00:00")
    second = """
[[cohort]]
id = "other"
label = { ko = "기타", en = "Other" }
birth_years = { to = 2008 }
CONDITION
[[window]]
id = "v"
version = 1
cohorts = ["other"]
opens = 2021-07-01T12:00:00
closes = 2021-07-02T12:00:00
"""
    first = text.replace("birth_years = { to = 2008 }", "birth_years = { to = 2008 }\nattributes = { risk = true }")
    assert len(load(first + second.replace("CONDITION", "attributes = { risk = false }"), file="x.toml").rules) == 2
    (problem,) = problems_of(first + second.replace("CONDITION", "attributes = { staff = true }"))
    assert problem.kind == "overlap"
    assert "for those born 2008 or earlier with risk = True, staff = True" in problem.message


def test_a_declared_hole_is_none_and_one_that_is_not_there_is_refused():
    missing = GOOD.replace("[1965, 1966]", "[1966]")
    declared = '\n[[hole]]\nbirth_years = [1965]\nreason = { ko = "다음에", en = "Next month" }\n'

    assert load(missing + declared, file="x.toml").holes[0].reason.en == "Next month"
    (problem,) = problems_of(GOOD + declared)
    assert (problem.kind, problem.where) == ("hole", "hole 1")
    assert problem.line == (GOOD + declared).split("\n").index("[[hole]]") + 1
    assert "some cohort has those born 1965" in problem.message


def test_a_last_digit_left_out_is_a_hole():
    text = GOOD.replace(
        "birth_years = [1965, 1966]", "birth_years = [1965, 1966]\nbirth_day_digits = [0, 1, 2, 3, 4, 5, 6, 8, 9]"
    )
    later = (
        '[[cohort]]\nid = "late"\nlabel = { ko = "늦은", en = "Late" }\nbirth_years = [1967]\n[[window]]\nid = "first"'
    )
    text = text.replace('[[window]]\nid = "first"', later).replace('"younger"]\nopens', '"younger", "late"]\nopens')

    (problem,) = problems_of(text)

    assert problem.kind == "hole"
    assert "no cohort has those born 1965-1966, day ending in 7" in problem.message


def test_attributes_that_can_be_combined_in_too_many_ways_are_refused():
    names = ", ".join(f"a{number} = true" for number in range(13))
    (problem,) = problems_of(GOOD.replace("birth_years = [1965, 1966]", f"attributes = {{ {names} }}"))

    assert problem.kind == "attributes"


def test_the_file_shown_in_the_documentation_is_one():
    text = (Path(__file__).parents[3] / "docs" / "eligibility.md").read_text(encoding="utf-8")
    shown = text.split("```toml\n")[1].split("```")[0]

    calendar = load(shown, file="eligibility.md")

    assert [rule.name for rule in calendar.rules] == ["53-54/2"]
