"""What is wrong between the parts of a calendar, each of them right by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from shared.rules.births import BirthClass, BirthIndex
from shared.rules.calendar import Lookup, People
from shared.rules.groups import BirthGroup, group
from shared.rules.lines import Path
from shared.rules.model import Births, Cohort, Hole, Pause, Rule, Text
from shared.rules.table import Notes
from shared.rules.timeline import Facts
from shared.rules.times import to_local

_Span = tuple[int, int]


@dataclass
class Parts:
    """What was read so far. known: every cohort's id, also of those that could not be read. paths: by key and id."""

    cohorts: dict[str, Cohort] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    pauses: dict[str, Pause] = field(default_factory=dict)
    holes: list[tuple[Path, Hole]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    paths: dict[tuple[str, str], Path] = field(default_factory=dict)


def check(parts: Parts, notes: Notes, zone: ZoneInfo, *, whole: bool) -> None:
    """Note what is wrong. whole: everything could be read, so that what is missing really is."""
    _Check(parts, notes, zone).run(whole=whole)


class _Check:
    def __init__(self, parts: Parts, notes: Notes, zone: ZoneInfo) -> None:
        self._parts = parts
        self._notes = notes
        self._zone = zone
        facts = Facts(0, Text("", ""), zone.key, tuple(parts.cohorts.values()))
        self._people = list(Lookup(facts, (), ()).people())

    def run(self, *, whole: bool) -> None:
        self._empty_cohorts()
        self._overlaps()
        if whole:
            self._cohorts_without_rule()
            self._closed_rules()
            self._idle_pauses()
            self._gaps()
            self._holes()

    def _empty_cohorts(self) -> None:
        inhabited = {cohort.id for people in self._people for cohort in people.cohorts}
        for name in self._parts.cohorts:
            if name not in inhabited:
                self._note("cohort", name, "empty", f"cohort {name}", "nobody can be in it: no date meets all of it")

    def _cohorts_without_rule(self) -> None:
        named = {name for rule in self._parts.rules.values() for name in rule.cohorts}
        for name in self._parts.cohorts:
            if name not in named:
                self._note("cohort", name, "empty", f"cohort {name}", "no window lets it in")

    def _overlaps(self) -> None:
        found: dict[tuple[str, str], list[People]] = {}
        for people, rules in self._with_rules():
            for position, one in enumerate(rules):
                for other in rules[position + 1 :]:
                    if other.opens_ms < one.closes_ms:
                        found.setdefault((one.id, other.id), []).append(people)
        for pair, together in found.items():
            # Told where the later of the two stands in the file.
            first, second = sorted(pair, key=lambda name: self._parts.paths["window", name][1])
            rules = [self._parts.rules[name] for name in pair]
            start, end = max(rule.opens_ms for rule in rules), min(rule.closes_ms for rule in rules)
            place = self._notes.place(self._parts.paths["window", first])
            message = (
                f"open at the same time as rule {first} ({place}), {self._times(start, end)}, for {self._who(together)}"
            )
            self._note("window", second, "overlap", f"rule {second}", message)

    def _gaps(self) -> None:
        found: dict[tuple[str, str, _Span], list[People]] = {}
        for people, rules in self._with_rules():
            pauses = self._pauses_of(people)
            last = rules[0]
            for rule in rules[1:]:
                for span in _minus((last.closes_ms, rule.opens_ms), pauses):
                    found.setdefault((last.id, rule.id, span), []).append(people)
                last = max(last, rule, key=lambda each: each.closes_ms)
        for (one_id, other_id, span), together in found.items():
            place = self._notes.place(self._parts.paths["window", one_id])
            message = (
                f"after rule {one_id} ({place}) nothing is said about {self._times(*span)} for {self._who(together)}:"
                " declare it with [[closed]]"
            )
            self._note("window", other_id, "gap", f"rule {other_id}", message)

    def _closed_rules(self) -> None:
        found: dict[str, list[People]] = {}
        for people, rules in self._with_rules():
            pauses = self._pauses_of(people)
            for rule in rules:
                if not _minus((rule.opens_ms, rule.closes_ms), pauses):
                    found.setdefault(rule.id, []).append(people)
        for name, together in found.items():
            message = f"[[closed]] leaves nothing of it for {self._who(together)}: take them out of the rule instead"
            self._note("window", name, "empty", f"rule {name}", message)

    def _idle_pauses(self) -> None:
        busy = set()
        for people, rules in self._with_rules():
            for pause in self._pauses_of(people):
                if rules[0].opens_ms < pause.until_ms and pause.from_ms < max(rule.closes_ms for rule in rules):
                    busy.add(pause.id)
        for name in self._parts.pauses:
            if name not in busy:
                message = "none of its cohorts has a window then or on both sides of it"
                self._note("closed", name, "empty", f"closed {name}", message)

    def _holes(self) -> None:
        """A hole is a birth date no cohort has, between dates that one has.

        Cohorts with attributes do not count: one of all health workers is no thought for others of their age.
        """
        open_to_all = [cohort.births for cohort in self._parts.cohorts.values() if not cohort.attributes]
        declared = [hole.births for _, hole in self._parts.holes]
        classes = list(BirthIndex([*open_to_all, *declared]).classes())
        covered = {births for births, mask in classes if mask & ((1 << len(open_to_all)) - 1)}
        for number, (path, _) in enumerate(self._parts.holes):
            bit = 1 << (len(open_to_all) + number)
            both = [births for births, mask in classes if mask & bit and births in covered]
            if both:
                message = f"is no hole: some cohort has those born {self._born(both, classes)}"
                self._notes.add(path, "hole", f"hole {number + 1}", message)
        if not covered:
            return
        first, before = min(births.first for births in covered), max(births.before for births in covered)
        first = min(births.extent()[0] for births in covered if births.first == first)
        before = max(births.extent()[1] for births in covered if births.before == before)
        # Once more, with the dates from the first to the last as a set: whoever is in no other is missing.
        classes = list(BirthIndex([*open_to_all, *declared, Births(((first, before),))]).classes())
        missing = [births for births, mask in classes if mask == 1 << len(open_to_all) + len(declared)]
        for span in group(missing, [births for births, _ in classes]):
            message = f"no cohort has those born {span}: declare it with [[hole]], or add them to one"
            self._notes.add(self._after(span), "hole", "cohorts", message)

    def _after(self, span: BirthGroup) -> Path:
        """The path of the cohort that goes on where the hole ends: there one would add what is missing."""
        for name, cohort in self._parts.cohorts.items():
            if any(first == span.before for first, _ in cohort.births.spans):
                return self._parts.paths["cohort", name]
        return self._parts.paths["cohort", next(iter(self._parts.cohorts))]

    def _with_rules(self) -> Iterator[tuple[People, list[Rule]]]:
        """Everybody who has a rule, with their rules in the order in which they open."""
        rules = sorted(self._parts.rules.values(), key=lambda rule: (rule.opens_ms, rule.closes_ms))
        for people in self._people:
            ids = {cohort.id for cohort in people.cohorts}
            mine = [rule for rule in rules if not ids.isdisjoint(rule.cohorts)]
            if mine:
                yield people, mine

    def _pauses_of(self, people: People) -> list[Pause]:
        ids = {cohort.id for cohort in people.cohorts}
        return [pause for pause in self._parts.pauses.values() if not ids.isdisjoint(pause.cohorts)]

    def _who(self, people: Sequence[People]) -> str:
        """`those born 1967-1968`, with what attributes it takes."""
        everyone = [(each.births, 0) for each in self._people]
        text = f"those born {self._born([each.births for each in people], everyone)}"
        shortest = min((each.attributes for each in people), key=len)
        shown = ", ".join(f"{name} = {value!r}" for name, value in shortest.items())
        return f"{text} with {shown}" if shown else text

    @staticmethod
    def _born(births: Sequence[BirthClass], everyone: Sequence[tuple[BirthClass, int]]) -> str:
        return "; ".join(str(each) for each in group(births, [births for births, _ in everyone]))

    def _times(self, from_ms: int, until_ms: int) -> str:
        return " to ".join(_show(to_local(moment, self._zone)) for moment in (from_ms, until_ms))

    def _note(self, key: str, name: str, kind: str, where: str, message: str) -> None:
        self._notes.add(self._parts.paths[key, name], kind, where, message)


def _show(moment: datetime) -> str:
    text = moment.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
    return text.removesuffix(".000")


def _minus(span: _Span, pauses: Sequence[Pause]) -> list[_Span]:
    """What of the span no pause covers."""
    left = []
    start, end = span
    for pause in sorted(pauses, key=lambda each: each.from_ms):
        if start < min(pause.from_ms, end):
            left.append((start, min(pause.from_ms, end)))
        start = max(start, pause.until_ms)
    if start < end:
        left.append((start, end))
    return left
