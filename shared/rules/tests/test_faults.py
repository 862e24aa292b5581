"""A calendar with a fault is refused, and every fault is told with its line and the rule or cohort it is in."""

import pytest

from shared.rules.load import load
from shared.rules.model import BadCalendar
from shared.rules.tests.faults import FAULTS, FIRST, GOOD, REPLACED_TWICE


def problems_of(text):
    with pytest.raises(BadCalendar) as caught:
        load(text, file="x.toml")
    return caught.value.problems


def test_the_calendar_they_are_made_from_is_good():
    calendar = load(GOOD, file="x.toml")

    assert [rule.id for rule in calendar.rules] == ["first", "all"]
    assert load(GOOD.replace("\n", "\r\n"), file="x.toml") == calendar


def line_of(text, where):
    lines = text.split("\n")
    if "#!" in text:
        return next(number for number, line in enumerate(lines, start=1) if "#!" in line)
    if where == "":
        return 1
    if where.endswith("earlier 1"):
        return lines.index("[[window.earlier]]") + 1
    # A hole is told where the cohort stands that goes on behind it.
    name = "younger" if where == "cohorts" else where.split()[1]
    return lines.index(f'id = "{name}"')


@pytest.mark.parametrize(("old", "new", "kind", "where", "message"), FAULTS)
def test_a_fault_is_told_with_its_line_and_where_it_is(old, new, kind, where, message):
    assert old in GOOD
    text = GOOD.replace(old, new, 1)

    (problem,) = problems_of(text)

    assert (problem.file, problem.line, problem.kind, problem.where) == ("x.toml", line_of(text, where), kind, where)
    assert message in problem.message
    assert str(problem).startswith(f"x.toml:{problem.line}: {where}")


def test_what_follows_from_a_fault_is_told_with_it():
    taken = GOOD.replace('id = "younger"', 'id = "older"')
    assert [str(problem) for problem in problems_of(taken)] == [
        "x.toml:11: cohort older: this id is taken, see x.toml:5 (duplicate)",
        'x.toml:38: rule all: there is no cohort "younger"; there are: older (cohort)',
    ]
    nobody = GOOD.replace("to = 1964 }", "to = 1964 }\nborn = { from = 1965-01-01 }")
    told = [str(problem) for problem in problems_of(nobody)]
    assert told[0] == "x.toml:5: cohort older: nobody can be in it: no date meets all of it (empty)"
    idle = GOOD.replace('cohorts = ["older"]\nfrom', 'cohorts = ["younger"]\nfrom')
    assert [(problem.line, problem.kind, problem.where) for problem in problems_of(idle)] == [
        (28, "empty", "closed rest"),
        (35, "gap", "rule all"),
    ]


def test_versions_are_replaced_one_after_the_other():
    second = REPLACED_TWICE.replace("version = 1 #!", "version = 2").replace("30T13", "30T12")
    text = GOOD.replace("replaced_at = 2021-06-30T12:00:00\n", second).replace(FIRST, FIRST.replace("= 2", "= 3"))

    (problem,) = problems_of(text)

    assert (problem.kind, problem.where) == ("version", "rule first")
    assert problem.line == text[: text.rindex("replaced_at")].count("\n") + 1
    assert problem.message == "version 2 was not replaced after the one before it"


def test_a_window_within_another_makes_no_gap():
    within = '[[window]]\nid = "within"\nversion = 1\ncohorts = ["older"]\n'
    within += "opens = 2021-07-01T10:00:00\ncloses = 2021-07-01T11:00:00\n"

    (problem,) = problems_of(GOOD + within)

    assert (problem.kind, problem.where) == ("overlap", "rule within")


def test_all_faults_are_told_at_once_in_the_order_of_lines():
    text = GOOD
    changes = [
        ("version = 3", 'version = "three"'),
        ('label = { ko = "어른", en = "Older" }', 'label = "Older"'),
        ("opens = 2021-07-03T09:00:00", "opens = 2021-07-02T09:00:00"),
        ("from = 2021-07-02T18:00:00", "from = 2021-07-04T18:00:00"),
        ('["older", "younger"]', '["older", "younger", "youngest"]'),
        ("replaced_at", "replaced"),
    ]
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)

    problems = problems_of(text)

    assert [(problem.kind, problem.where) for problem in problems] == [
        ("type", ""),
        ("type", "cohort older"),
        ("missing", "rule first, earlier 1"),
        ("unknown", "rule first, earlier 1"),
        ("reversed", "closed rest"),
        ("overlap", "rule all"),
        ("cohort", "rule all"),
    ]
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)
