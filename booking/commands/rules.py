"""`explain`, `rules check`, `rules diff`: what eligibility calendars say. They look at files, never at bookings."""

import argparse
import json
import sys
import tomllib
from datetime import date, datetime
from itertools import groupby
from typing import Any, Final

from shared.calendar_file import find_calendar, read_calendar
from shared.clock import now_ms
from shared.rules.calendar import Calendar, judge
from shared.rules.data import change_data, problem_data, verdict_data
from shared.rules.diff import changes
from shared.rules.edits import edits, not_versioned
from shared.rules.model import AttributeValue, BadCalendar
from shared.rules.times import find_zone, instant_ms, to_local, to_ms
from shared.rules.wording import births_line, change_line, edit_line, explain, span

SAME: Final = 0
DIFFERENT: Final = 1
WRONG: Final = 2

_CALENDAR: Final = "calendar file, or the name of a built-in one, like july-2021"
_ISO_DATE_LENGTH: Final = len("1968-03-02")

Commands = Any  # argparse has no public name for what `add_subparsers` gives


def add_parsers(commands: Commands) -> None:
    """Exit codes: 0 done, and of `diff` no difference; 1 of `diff` a difference; 2 a calendar or argument is wrong."""
    ask = commands.add_parser("explain", help="may somebody born then book at that moment, and by which rule?")
    ask.add_argument("--birth", type=_date, required=True, help="birth date, YYYY-MM-DD")
    ask.add_argument("--at", type=_moment, help="ISO time; without an offset, of the calendar's zone (default: now)")
    ask.add_argument("--rules", default="", help=f"{_CALENDAR} (default: everyone)")
    ask.add_argument(
        "--attribute", type=_attribute, action="append", default=[], metavar="NAME=VALUE",
        help="of the person, like health_worker=true; may be given several times",
    )  # fmt: skip
    ask.set_defaults(handle=_explain)

    subjects = commands.add_parser("rules", help="check and compare eligibility calendars")
    actions = subjects.add_subparsers(dest="action", required=True)
    check = actions.add_parser("check", help="say every problem of calendar files")
    check.add_argument("files", nargs="+", metavar="FILE", help=_CALENDAR)
    check.set_defaults(handle=_check)
    diff = actions.add_parser("diff", help="who is answered otherwise by the new calendar, and when")
    diff.add_argument("old", help=_CALENDAR)
    diff.add_argument("new", help=_CALENDAR)
    diff.set_defaults(handle=_diff)
    for parser in (ask, check, diff):
        parser.add_argument("--json", action="store_true", help="as JSON")


def _explain(arguments: argparse.Namespace) -> int:
    calendar = _load(arguments.rules, as_json=arguments.json)
    if calendar is None:
        return WRONG
    zone = find_zone(calendar.zone)
    at: datetime | None = arguments.at
    try:
        at_ms = now_ms() if at is None else instant_ms(at) if at.tzinfo else to_ms(at, zone)
        asked = to_local(at_ms, zone)
    except (ValueError, OverflowError) as error:
        print(f"booking: --at: {error}", file=sys.stderr)
        return WRONG
    verdict = judge(calendar, arguments.birth, dict(arguments.attribute), at_ms)
    if arguments.json:
        question = {
            "birth": arguments.birth.isoformat(),
            "at": asked.isoformat(),
            "attributes": dict(arguments.attribute),
        }
        _print_json({**question, **verdict_data(verdict)})
    else:
        print(births_line(arguments.birth, dict(arguments.attribute), asked))
        print("\n".join(explain(verdict, at_ms)))
    return SAME


def _check(arguments: argparse.Namespace) -> int:
    told = []
    problems = []
    for name in arguments.files:
        try:
            calendar = read_calendar(find_calendar(name))
        except BadCalendar as error:
            problems += list(error.problems)
        else:
            counts = f"{len(calendar.cohorts)} cohort(s), {len(calendar.rules)} window(s)"
            told.append(f"{name}: version {calendar.version}, {counts}, no problems")
    if arguments.json:
        _print_json([problem_data(problem) for problem in problems])
    else:
        print("".join(f"{line}\n" for line in told), end="")
        print("".join(f"{problem}\n" for problem in problems), end="", file=sys.stderr)
    return WRONG if problems else SAME


def _diff(arguments: argparse.Namespace) -> int:
    old = _load(arguments.old, as_json=arguments.json)
    new = _load(arguments.new, as_json=arguments.json)
    if old is None or new is None:
        return WRONG
    changed, edited, unversioned = changes(old, new), edits(old, new), not_versioned(old, new)
    if arguments.json:
        edit_data = [{"part": edit.part, "field": edit.field, "old": edit.old, "new": edit.new} for edit in edited]
        changed_data = [change_data(change, new.zone) for change in changed]
        _print_json({"changes": changed_data, "edits": edit_data, "not_versioned": list(unversioned)})
    elif changed or edited:
        zone = find_zone(new.zone)
        if not changed:
            print("Nobody is answered otherwise.")
        for (from_ms, until_ms), together in groupby(changed, key=lambda change: (change.from_ms, change.until_ms)):
            print(span(from_ms, until_ms, zone))
            for change in together:
                print(f"  {change_line(change)}")
        print("edited:")
        for edit in edited:
            print(f"  {edit_line(edit)}")
        for part in unversioned:
            print(f"booking: warning: {part} was changed without a higher version", file=sys.stderr)
    return DIFFERENT if changed or edited else SAME


def _load(name: str, *, as_json: bool) -> Calendar | None:
    try:
        return read_calendar(find_calendar(name))
    except BadCalendar as error:
        if as_json:
            _print_json({"problems": [problem_data(problem) for problem in error.problems]})
        print(error, file=sys.stderr)
        return None


def _print_json(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2))


def _date(text: str) -> date:
    if len(text) != _ISO_DATE_LENGTH:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date, YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date, YYYY-MM-DD") from None


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, like 2021-07-19T22:30:00") from None


def _attribute(text: str) -> tuple[str, AttributeValue]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        read = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        read = value
    return name, read if isinstance(read, str | bool | int) else value
