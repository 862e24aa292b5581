"""`explain`, `rules check` and `rules diff` answer an operator's questions, in words and in JSON, with exit codes."""

import json
import os
import subprocess
import sys

import pytest

from booking.cli import main
from shared.calendar_file import find_calendar

BECAME = find_calendar("july-2021").read_text()


@pytest.fixture
def ask(capsys):
    """Runs a command. Returns exit code, lines and error lines."""

    def run(*words):
        try:
            code = main(list(words), environ={})
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return run


def july(*words, birth="1968-03-02"):
    return "explain", "--birth", birth, "--rules", "july-2021", *words


def test_who_is_let_in_is_told_by_which_rule_and_from_when_to_when(ask):
    code, lines, errors = ask(*july("--at", "2021-07-19T22:30:00+09:00"))

    assert (code, errors) == (0, [])
    assert lines[:3] == [
        "born 1968-03-02, at 2021-07-19 22:30:00+09:00 (Asia/Seoul)",
        "eligible until 2021-07-20 18:00:00+09:00",
        "  rule      53-54, version 2: 2021-07-19 22:00:00+09:00 to 2021-07-20 18:00:00+09:00",
    ]
    assert "  cohort    53-54: Ages 53-54 (born 1967-1968) / 53~54세(1967~1968년생)" in lines
    assert not any(line.startswith("  then") for line in lines)


def test_who_was_sent_away_at_20_50_is_told_what_was_in_force(ask):
    _, lines, _ = ask(*july("--at", "2021-07-19T20:50:00"))
    assert lines[1] == "not yet: opens 2021-07-19 22:00:00+09:00"
    assert any(
        "version 1: 2021-07-19 20:00:00+09:00 to" in line and "replaced 2021-07-19 20:48" in line for line in lines
    )
    assert not any(line.startswith("  then") for line in lines)

    _, lines, _ = ask(*july("--at", "2021-07-19T20:30:00"))
    assert "  then      version 1 was in force at that moment, and by it the window was open" in lines


@pytest.mark.parametrize(
    ("birth", "at", "answer", "rule"),
    [
        ("1968-03-02", "2021-07-19T22:00:00", "eligible", "53-54/2"),
        ("1968-03-02", "2021-07-19T13:00:00Z", "eligible", "53-54/2"),
        ("1968-03-02", "2021-07-19T21:59:59.999", "not_yet", "53-54/2"),
        ("1968-03-02", "2021-07-20T18:00:00", "paused", "50-54/1"),
        ("1970-02-28", "2021-07-24T18:00:00", "over", "50-54/1"),
        ("1995-11-30", "2021-07-19T22:30:00", "not_eligible", None),
    ],
)
def test_each_answer_is_told_in_json(ask, birth, at, answer, rule):
    code, lines, _ = ask(*july("--at", at, "--json", birth=birth))

    data = json.loads("\n".join(lines))
    assert (code, data["verdict"], data["birth"]) == (0, answer, birth)
    assert (data["rule"] or {}).get("name") == rule
    assert data["calendar"]["version"] == 2
    assert [cohort["id"] for cohort in data["all_cohorts"]] == ["55-59", "53-54", "50-52", "50-54"]


def test_json_has_all_that_a_page_needs_to_explain_it(ask):
    _, lines, _ = ask(*july("--at", "2021-07-13T00:00:00", "--json", birth="1964-02-29"))

    data = json.loads("\n".join(lines))
    assert data["at"] == "2021-07-13T00:00:00+09:00"
    assert (data["from"], data["until"], data["opens"]) == (
        "2021-07-12T15:30:00+09:00",
        "2021-07-14T20:00:00+09:00",
        "2021-07-14T20:00:00+09:00",
    )
    assert data["pause"]["reason"]["ko"] == "준비된 백신이 모두 예약되어 예약을 중단했습니다."
    assert data["cohort"] == {
        "id": "55-59",
        "label": {"ko": "55~59세(1962~1966년생)", "en": "Ages 55-59 (born 1962-1966)"},
    }


def test_without_a_moment_it_is_now_and_without_rules_everyone(ask):
    _, lines, _ = ask("explain", "--birth", "1968-03-02")
    assert lines[1] == "eligible until 2100-01-01 00:00:00+09:00"
    _, lines, _ = ask("explain", "--birth", "2009-01-01")
    assert lines[1:3] == [
        "not eligible",
        "  there are adults: Everyone born in 2008 or earlier / 2008년 이전 출생자(2008년생 포함)",
    ]


def test_attributes_are_those_of_the_person_asked_about(ask, tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(
        find_calendar("everyone")
        .read_text()
        .replace("to = 2008 }", 'to = 2008 }\nattributes = { job = "nurse", night = true }')
    )
    asked = "explain", "--birth", "1968-03-02", "--rules", str(path)

    for attributes, answer in [
        (("job=nurse", "night=true"), "eligible until"),
        (('job="nurse"', "night=true"), "eligible until"),
        (("job=nurse", "night=1"), "not eligible"),
        (("job=nurse",), "not eligible"),
    ]:
        _, lines, _ = ask(*asked, *(word for attribute in attributes for word in ("--attribute", attribute)))
        assert lines[1].startswith(answer), attributes
    _, lines, _ = ask(*asked, "--attribute", "job=nurse", "--attribute", "night=true")
    assert lines[0].startswith("born 1968-03-02, job = nurse, night = true, at ")


@pytest.mark.parametrize(
    "words",
    [
        july(birth="1968-02-30"),
        july(birth="19680302"),
        july("--at", "yesterday"),
        july("--at", "0001-01-01T00:00:00+23:00"),
        july("--attribute", "nurse"),
        ("explain",),
        ("explain", "--birth", "1968-03-02", "--rules", "nowhere.toml"),
        ("rules",),
        ("rules", "check"),
        ("rules", "diff", "july-2021"),
        ("rules", "diff", "july-2021", "nowhere.toml"),
        ("rules", "check", "july-2021", "nowhere.toml"),
    ],
)
def test_what_cannot_be_asked_is_told_and_exits_2(ask, words):
    code, _, errors = ask(*words)

    assert code == 2
    assert errors


def test_a_moment_that_clocks_leave_out_is_told(ask, tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(find_calendar("everyone").read_text().replace("Asia/Seoul", "Europe/Berlin"))

    code, _, errors = ask("explain", "--birth", "1968-03-02", "--rules", str(path), "--at", "2026-03-29T02:30:00")

    assert code == 2
    assert errors[0].startswith("booking: --at: 2026-03-29T02:30:00 does not exist in Europe/Berlin")


def test_check_tells_every_problem_of_every_file(ask, tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(
        BECAME.replace("opens = 2021-07-21T20:00:00", "opens = 2021-07-21T17:00:00").replace("version = 2\nz", "z")
    )

    code, lines, errors = ask("rules", "check", "july-2021", str(path), "everyone")

    assert code == 2
    assert lines == [
        "july-2021: version 2, 4 cohort(s), 5 window(s), no problems",
        "everyone: version 1, 1 cohort(s), 1 window(s), no problems",
    ]
    assert [line.split(": ")[:2] for line in errors] == [
        [f"{path}:1", "version is missing (missing)"],
        [f"{path}:93", "rule 50-54"],
    ]
    assert "for those born 1969-1971" in errors[1]

    code, lines, _ = ask("rules", "check", str(path), "--json")
    assert [(problem["line"], problem["kind"]) for problem in json.loads("\n".join(lines))] == [
        (1, "missing"),
        (93, "overlap"),
    ]


def test_diff_tells_whom_the_move_of_an_opening_shuts_out_and_for_how_long(ask):
    code, lines, errors = ask("rules", "diff", "july-2021-announced", "july-2021")

    assert (code, errors) == (1, [])
    assert lines[:2] == [
        "2021-07-19 20:00:00+09:00 to 2021-07-19 22:00:00+09:00",
        "  born 1967-1968: eligible (53-54/1) -> not yet (53-54/2)",
    ]
    assert lines[2] == "edited:"
    assert "  rule 53-54, opens: 2021-07-19T20:00:00+09:00 -> 2021-07-19T22:00:00+09:00" in lines

    code, lines, _ = ask("rules", "diff", "july-2021-announced", "july-2021", "--json")
    data = json.loads("\n".join(lines))
    assert code == 1
    (change,) = data["changes"]
    assert change == {
        "births": [
            {"text": "1967-1968", "from": "1967-01-01", "before": "1969-01-01", "year_digits": None, "day_digits": None}
        ],
        "attributes": None,
        "from": "2021-07-19T20:00:00+09:00",
        "until": "2021-07-19T22:00:00+09:00",
        "old": {"verdict": "eligible", "rule": "53-54/1"},
        "new": {"verdict": "not_yet", "rule": "53-54/2"},
    }
    assert data["not_versioned"] == []


def test_diff_of_the_same_rules_says_nothing(ask):
    assert ask("rules", "diff", "july-2021", str(find_calendar("july-2021"))) == (0, [], [])


def test_diff_splits_a_year_that_is_not_uniform_and_warns_of_a_version_not_raised(ask, tmp_path):
    path = tmp_path / "rules.toml"
    text = BECAME.replace(
        "birth_years = { from = 1969, to = 1971 }", "born = { from = 1969-03-01, before = 1972-01-01 }"
    )
    path.write_text(text)

    code, lines, errors = ask("rules", "diff", "july-2021", str(path))

    assert code == 1
    assert lines[:4] == [
        "2021-07-20 20:00:00+09:00 to 2021-07-21 18:00:00+09:00",
        "  born 1969-01-01 to 1969-02-28: eligible (50-52/1) -> not yet (50-54/1)",
        "2021-07-21 18:00:00+09:00 to 2021-07-21 20:00:00+09:00",
        "  born 1969-01-01 to 1969-02-28: paused (50-54/1) -> not yet (50-54/1)",
    ]
    assert lines[5] == "  cohort 50-52, births: 1969-1971 -> 1969-03-01 to 1971-12-31"
    assert errors == ["booking: warning: calendar was changed without a higher version"]


def test_diff_of_words_alone_says_that_nobody_is_answered_otherwise(ask, tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(
        BECAME.replace("It is the turn of ages 50-52.", "Ages 50-52 may book now.").replace("n = 2\nz", "n = 3\nz")
    )

    code, lines, _ = ask("rules", "diff", "july-2021", str(path))

    assert code == 1
    assert lines[0] == "Nobody is answered otherwise."
    assert any(line.startswith("  closed turn-of-50-52, reason: ") for line in lines)


def test_the_commands_are_reached_as_sunbeon_booking():
    words = ["booking", "rules", "diff", "july-2021", "july-2021-announced"]
    code = "import sys; from gateway.cli import main; sys.exit(main(sys.argv[1:]))"
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SUNBEON_")}
    found = subprocess.run(
        [sys.executable, "-c", code, *words], env=environ, text=True, capture_output=True, check=False
    )

    assert found.returncode == 1
    assert "not yet (53-54/2) -> eligible (53-54/1)" in found.stdout
