"""From the text of a calendar file to a calendar. All that is wrong is told at once."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from shared.rules import values
from shared.rules.attributes import MOST_COMBINATIONS, AttributeIndex
from shared.rules.births import ALWAYS, intersect
from shared.rules.calendar import Calendar
from shared.rules.check import Parts, check
from shared.rules.lines import Lines, unfinished
from shared.rules.model import BadCalendar, Births, Cohort, Earlier, Hole, Pause, Problem, Rule, Text
from shared.rules.table import Notes, Table, Wrong
from shared.rules.times import find_zone, to_ms

_LINE: Final = re.compile(r"\(at line ([0-9]+), column [0-9]+\)$")
# Without a zone nothing is certain about hours, but the rest of the file can still be looked at.
_ANY_ZONE: Final = "UTC"
# Stands for a text that is missing, while the rest is looked at. No calendar has it.
_UNSAID: Final = Text("", "")


def load(text: str, *, file: str) -> Calendar:
    """The calendar this text describes. file: its name, for messages. Raises `BadCalendar` with every problem.

    Where the text is not TOML only that is told, because nothing else can be.
    """
    try:
        lines = Lines(text)
    except tomllib.TOMLDecodeError as error:
        raise BadCalendar((_syntax(text, error, file),)) from None
    notes = Notes(file, lines)
    calendar = _Reader(notes, Table(notes, (), "", tomllib.loads(text))).read()
    problems = notes.all()
    if problems or calendar is None:
        raise BadCalendar(problems)
    return calendar


def _syntax(text: str, error: tomllib.TOMLDecodeError, file: str) -> Problem:
    found, begun = _LINE.search(str(error)), unfinished(text)
    line = int(found[1]) if found else begun
    # A bracket that is never closed is noticed only where something else begins.
    hint = f", in what begins on line {begun}" if begun < line else ""
    return Problem(file, line, "syntax", "", f"is not TOML: {error}{hint}")


@dataclass
class _Reader:
    notes: Notes
    file: Table
    zone: ZoneInfo | None = None
    parts: Parts = field(default_factory=Parts)
    whole: bool = True

    def read(self) -> Calendar | None:
        """None if anything is wrong."""
        title = self.file.get("title", values.text, required=True)
        version = self.file.get("version", values.version, required=True)
        self.zone = self.file.get("zone", _zone, required=True)
        self.file.sound = True  # What is wrong up to here says nothing against looking at the rules.
        for table in self._each("cohort", "cohort"):
            self._cohort(table)
        for table in self.file.tables("hole", "hole", name=""):
            self._hole(table)
        for table in self._each("window", "rule"):
            self._rule(table)
        for table in self._each("closed", "closed"):
            self._pause(table)
        self.whole &= self.file.finish() and self.file.sound
        for key, there in (("cohort", self.parts.cohorts), ("window", self.parts.rules)):
            if self.whole and not there:
                self.file.problem("empty", f"there is no [[{key}]]: nobody could ever book")
        cohorts = tuple(self.parts.cohorts.values())
        if AttributeIndex(cohorts).count() > MOST_COMBINATIONS:
            self.file.problem("attributes", f"attributes can be combined in more than {MOST_COMBINATIONS} ways")
            return None
        check(self.parts, self.notes, self.zone or find_zone(_ANY_ZONE), whole=self.whole)
        if title is None or version is None or self.zone is None or self.notes.all():
            return None
        parts = self.parts
        return Calendar(
            title=title,
            version=version,
            zone=self.zone.key,
            cohorts=cohorts,
            rules=tuple(sorted(parts.rules.values(), key=lambda rule: rule.opens_ms)),
            pauses=tuple(sorted(parts.pauses.values(), key=lambda pause: pause.from_ms)),
            holes=tuple(hole for _, hole in parts.holes),
        )

    def _each(self, key: str, word: str) -> Iterator[Table]:
        """The tables of a kind; of two with one id, the second is told of and still read."""
        first: dict[str, str] = {}
        for table in self.file.tables(key, word):
            name = table.get("id", values.identifier, required=True)
            if name in first:
                table.problem("duplicate", f"this id is taken, see {first[name]}", ("id",))
            elif name is not None:
                table.id = name
                first[name] = table.place()
                self.parts.paths[key, name] = table.path
            yield table

    def _cohort(self, table: Table) -> None:
        births = self._births(table)
        attributes = table.get("attributes", values.attributes)
        usable = table.sound
        label = table.get("label", values.text, required=True) or _UNSAID
        usable &= table.finish()
        if usable and births is None and attributes is None:
            table.problem("missing", "no condition: say at least who was born when, as in birth_years = { to = 2008 }")
            usable = False
        if table.id is not None:
            self.parts.known.add(table.id)
        if not usable or table.id is None:
            self.whole = False
            return
        self.parts.cohorts[table.id] = Cohort(table.id, label, births or Births(ALWAYS), attributes or ())

    def _births(self, table: Table) -> Births | None:
        """None if the table says nothing of births."""
        found = [
            table.get("birth_years", values.birth_years),
            table.get("born", values.born),
            table.get("age", values.age),
        ]
        year_digits = table.get("birth_year_digits", values.digits)
        day_digits = table.get("birth_day_digits", values.digits)
        spans: tuple[tuple[date, date], ...] = ALWAYS
        for each in found:
            spans = spans if each is None else intersect(spans, each)
        any_digit = Births(ALWAYS)
        births = Births(spans, year_digits or any_digit.year_digits, day_digits or any_digit.day_digits)
        return None if births == any_digit else births

    def _hole(self, table: Table) -> None:
        births = self._births(table)
        usable = table.sound
        reason = table.get("reason", values.text, required=True) or _UNSAID
        usable &= table.finish()
        if usable and births is None:
            table.problem("missing", "no condition: say which birth dates are left out")
        if not usable or births is None:
            self.whole = False
            return
        self.parts.holes.append((table.path, Hole(births, reason)))

    def _rule(self, table: Table) -> None:
        version = table.get("version", values.version, required=True)
        cohorts = self._cohorts(table)
        times = self._span(table, "opens", "closes")
        reason, note = table.get("reason", values.text), table.get("note", values.text)
        read = [self._earlier(each) for each in table.tables("earlier", f"{table.where}, earlier", name="version")]
        earlier = tuple(each for each in read if each is not None)
        self._rising(table, version, earlier)
        table.finish()
        if table.id is None or times is None or cohorts is None:
            self.whole = False
            return
        self.parts.rules[table.id] = Rule(table.id, version or 0, cohorts, *times, reason, note, earlier)

    def _earlier(self, table: Table) -> Earlier | None:
        version = table.get("version", values.version, required=True)
        times = self._span(table, "opens", "closes")
        replaced = table.get("replaced_at", self._moment, required=True)
        reason = table.get("reason", values.text)
        table.finish()
        if version is None or times is None or replaced is None:
            return None
        return Earlier(version, *times, replaced, reason)

    def _rising(self, table: Table, version: int | None, earlier: tuple[Earlier, ...]) -> None:
        for position, (one, other) in enumerate(pairwise(earlier), start=1):
            if other.version <= one.version:
                message = f"version {other.version} stands behind version {one.version}"
                table.problem("version", message, ("earlier", position, "version"))
            if other.replaced_ms <= one.replaced_ms:
                message = f"version {other.version} was not replaced after the one before it"
                table.problem("version", message, ("earlier", position, "replaced_at"))
        if version is not None and earlier and version <= earlier[-1].version:
            message = f"version {version} is not higher than {earlier[-1].version}, an earlier one's"
            table.problem("version", message, ("version",))

    def _pause(self, table: Table) -> None:
        cohorts = self._cohorts(table)
        times = self._span(table, "from", "until")
        reason = table.get("reason", values.text, required=True) or _UNSAID
        table.finish()
        if table.id is None or cohorts is None or times is None:
            self.whole = False
            return
        self.parts.pauses[table.id] = Pause(table.id, cohorts, *times, reason)

    def _cohorts(self, table: Table) -> tuple[str, ...] | None:
        named = table.get("cohorts", values.ids, required=True)
        for position, name in enumerate(named or ()):
            if name not in self.parts.known:
                known = ", ".join(sorted(self.parts.known)) or "none"
                table.problem("cohort", f'there is no cohort "{name}"; there are: {known}', ("cohorts", position))
        return named

    def _span(self, table: Table, start: str, end: str) -> tuple[int, int] | None:
        first, last = table.get(start, self._moment, required=True), table.get(end, self._moment, required=True)
        if first is None or last is None:
            return None
        if last <= first:
            if first == last:
                table.problem("empty", f"{start} and {end} are the same moment", (end,))
            else:
                table.problem("reversed", f"{end} is before {start}", (end,))
            return None
        return first, last

    def _moment(self, value: object) -> int:
        return _in_zone(values.moment(value), self.zone)


def _zone(value: object) -> ZoneInfo:
    try:
        return find_zone(values.zone_name(value))
    except ValueError as error:
        raise Wrong("zone", str(error)) from None


def _in_zone(moment: datetime, zone: ZoneInfo | None) -> int:
    try:
        if zone is None:
            return to_ms(moment.replace(tzinfo=None), find_zone(_ANY_ZONE))
        return to_ms(moment, zone)
    except ValueError as error:
        raise Wrong("time", str(error)) from None
