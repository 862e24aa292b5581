"""A calendar, ready to be asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from shared.rules.attributes import AttributeIndex
from shared.rules.births import BirthClass, BirthIndex
from shared.rules.model import AttributeValue, Cohort, Hole, Pause, Rule, Text, Verdict
from shared.rules.timeline import Facts, Timeline, build


@dataclass(frozen=True, slots=True)
class People:
    """Birth dates and attributes which the calendar does not tell apart, and the cohorts they mean."""

    births: BirthClass
    attributes: Mapping[str, AttributeValue]
    cohorts: tuple[Cohort, ...]
    timeline: Timeline = field(repr=False)


class Lookup:
    """Finds the timeline of a person: one for each set of cohorts that anybody can be in, made beforehand."""

    def __init__(self, facts: Facts, rules: tuple[Rule, ...], pauses: tuple[Pause, ...]) -> None:
        cohorts = facts.cohorts
        self._cohorts = cohorts
        self._births = BirthIndex([cohort.births for cohort in cohorts])
        self._attributes = AttributeIndex(cohorts)
        masks = {0} | {mask for _, _, mask in self._classes()}
        self._timelines = {mask: build(facts, self._named(mask), rules, pauses) for mask in masks}

    def timeline(self, birth_date: date, attributes: Mapping[str, AttributeValue]) -> Timeline:
        return self._timelines[self._attributes.narrow(self._births.mask(birth_date), attributes)]

    def of(self, mask: int) -> Timeline:
        """Of those who are in these cohorts: bit i stands for the calendar's i-th."""
        return self._timelines[mask]

    def people(self) -> Iterator[People]:
        """Everybody, each kind of person once."""
        for births, attributes, mask in self._classes():
            yield People(births, attributes, self._named(mask), self._timelines[mask])

    def _classes(self) -> Iterator[tuple[BirthClass, dict[str, AttributeValue], int]]:
        combinations = list(self._attributes.combinations())
        for births, mask in self._births.classes():
            for attributes in combinations:
                yield births, attributes, self._attributes.narrow(mask, attributes)

    def _named(self, mask: int) -> tuple[Cohort, ...]:
        return tuple(cohort for position, cohort in enumerate(self._cohorts) if mask >> position & 1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Who may book when. Made by `load`, which has looked through it: no overlap, gap or hole that is not declared."""

    title: Text
    version: int
    zone: str
    cohorts: tuple[Cohort, ...]
    rules: tuple[Rule, ...]
    pauses: tuple[Pause, ...] = ()
    holes: tuple[Hole, ...] = ()
    lookup: Lookup = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        facts = Facts(self.version, self.title, self.zone, self.cohorts)
        object.__setattr__(self, "lookup", Lookup(facts, self.rules, self.pauses))


def judge(calendar: Calendar, birth_date: date, attributes: Mapping[str, AttributeValue], at_ms: int) -> Verdict:
    """What the calendar says of this person at this moment: eligible in [opens, closes), exact to the millisecond.

    attributes: as the identity provider gives them; {} if it gives none. Nothing is computed but two look-ups in
    sorted lists: every verdict there can be was made when the calendar was loaded.
    """
    return calendar.lookup.timeline(birth_date, attributes).at(at_ms)
