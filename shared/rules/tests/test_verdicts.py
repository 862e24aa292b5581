"""What a verdict says beside yes or no: until when, what comes next, and what was said before."""

from datetime import date

import pytest

from shared.rules.calendar import judge
from shared.rules.diff import changes
from shared.rules.load import load
from shared.rules.model import Kind

CALENDAR = """
title = { ko = "시험", en = "Test" }
version = 1
zone = "UTC"
[[cohort]]
id = "all"
label = { ko = "모두", en = "All" }
birth_years = { to = 2008 }
[[window]]
id = "w"
version = 4
cohorts = ["all"]
opens = 1970-01-02T10:00:00
closes = 1970-01-02T20:00:00
[[window.earlier]]  # opened at another hour
version = 1
opens = 1970-01-02T09:00:00
closes = 1970-01-02T20:00:00
replaced_at = 1970-01-01T01:00:00
[[window.earlier]]  # closed at another hour
version = 2
opens = 1970-01-02T10:00:00
closes = 1970-01-02T21:00:00
replaced_at = 1970-01-01T02:00:00
[[window.earlier]]  # only its reason was another
version = 3
opens = 1970-01-02T10:00:00
closes = 1970-01-02T20:00:00
replaced_at = 1970-01-01T03:00:00
[[closed]]
id = "lunch"
cohorts = ["all"]
from = 1970-01-02T12:00:00
until = 1970-01-02T13:00:00
reason = { ko = "점심", en = "Lunch" }
[[closed]]
id = "repair"
cohorts = ["all"]
from = 1970-01-02T12:00:00
until = 1970-01-02T14:00:00
reason = { ko = "수리", en = "Repair" }
[[closed]]
id = "evening"
cohorts = ["all"]
from = 1970-01-02T19:00:00
until = 1970-01-02T22:00:00
reason = { ko = "저녁", en = "Evening" }
"""

HOUR_MS = 3_600_000


def hour(of_the_second_day):
    return (24 + of_the_second_day) * HOUR_MS


# From the hour, until the hour; the pause; when it opens; versions that said something else about what matters.
ANSWERS = [
    (Kind.NOT_YET, None, 10, None, 10, [1]),
    (Kind.ELIGIBLE, 10, 12, None, None, [2]),
    (Kind.PAUSED, 12, 14, "repair", 14, []),
    (Kind.ELIGIBLE, 14, 19, None, None, [2]),
    (Kind.OVER, 19, None, None, None, [2]),
]


@pytest.mark.parametrize(("kind", "start", "end", "pause", "opens", "superseded"), ANSWERS)
def test_a_pause_within_a_window_divides_it(kind, start, end, pause, opens, superseded):
    calendar = load(CALENDAR, file="x.toml")
    for at_ms in (hour(start if start is not None else -24), hour(end if end is not None else 48) - 1):
        verdict = judge(calendar, date(1968, 3, 2), {}, at_ms)

        assert verdict.kind is kind
        assert (verdict.from_ms, verdict.until_ms, verdict.opens_ms) == tuple(
            None if each is None else hour(each) for each in (start, end, opens)
        )
        assert (verdict.pause.id if verdict.pause else None) == pause
        assert [earlier.version for earlier in verdict.superseded] == superseded
        assert verdict.rule_name == "w/4"


def test_two_pauses_on_end_are_one_change_of_the_answer():
    calendar = load(CALENDAR, file="x.toml")
    lunch, repair = CALENDAR.split('id = "repair"')
    followed = f'{lunch}id = "repair"{repair.replace("from = 1970-01-02T12", "from = 1970-01-02T13", 1)}'
    without = CALENDAR[: CALENDAR.index("[[closed]]")]
    for divided in (calendar, load(followed, file="x.toml")):
        changed = changes(load(without, file="x.toml"), divided)
        assert [(change.from_ms, change.until_ms, change.new.kind) for change in changed] == [
            (hour(12), hour(14), Kind.PAUSED),
            (hour(19), hour(20), Kind.OVER),
        ]
