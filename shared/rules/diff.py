"""What a new calendar changes: for whom, at which hours, from what to what."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from shared.rules.attributes import AttributeIndex
from shared.rules.births import BirthClass, BirthIndex
from shared.rules.calendar import Calendar
from shared.rules.groups import BirthGroup, group
from shared.rules.model import AttributeValue, Kind
from shared.rules.timeline import Timeline

Attributes = tuple[tuple[str, AttributeValue], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """rule: `53-54/2`, the one that is open, opens next or closed last."""

    kind: Kind
    rule: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """These people get another answer in [from_ms, until_ms); None: no end on that side.

    attributes: they have one of these sets of attributes, and none of the others a calendar asks for; None: any.
    """

    births: tuple[BirthGroup, ...]
    attributes: tuple[Attributes, ...] | None
    from_ms: int | None
    until_ms: int | None
    old: Answer
    new: Answer


_Moment = tuple[int | None, int | None, Answer, Answer]


def changes(old: Calendar, new: Calendar) -> tuple[Change, ...]:
    """Every moment at which `judge` answers somebody with another kind, in the order of time."""
    cohorts = (*old.cohorts, *new.cohorts)
    classes = list(BirthIndex([cohort.births for cohort in cohorts]).classes())
    index = AttributeIndex(cohorts)
    combinations = list(index.combinations())
    found: dict[_Moment, dict[BirthClass, list[int]]] = {}
    for births, every_mask in classes:
        for number, attributes in enumerate(combinations):
            mask = index.narrow(every_mask, attributes)
            before = old.lookup.of(mask & ((1 << len(old.cohorts)) - 1))
            after = new.lookup.of(mask >> len(old.cohorts))
            for moment in _differences(before, after):
                found.setdefault(moment, {}).setdefault(births, []).append(number)
    told = []
    for moment, people in found.items():
        alike: dict[tuple[int, ...], list[BirthClass]] = {}
        for births, numbers in people.items():
            alike.setdefault(tuple(numbers), []).append(births)
        for chosen, together in alike.items():
            sets = tuple(tuple(combinations[number].items()) for number in chosen)
            anyone = len(sets) == len(combinations)
            told.append(Change(group(together, [births for births, _ in classes]), None if anyone else sets, *moment))
    return tuple(sorted(told, key=_order))


def _differences(old: Timeline, new: Timeline) -> Iterator[_Moment]:
    """The stretches of time in which the kinds differ, as long as nothing else of the two answers changes either."""
    bounds = [None, *sorted({*old.edges, *new.edges}), None]
    last: _Moment | None = None
    for from_ms, until_ms in pairwise(bounds):
        answers = [_answer(timeline, from_ms) for timeline in (old, new)]
        if last is not None and last[1] == from_ms and list(last[2:]) == answers:
            last = (last[0], until_ms, *last[2:])
            continue
        if last is not None and last[2].kind is not last[3].kind:
            yield last
        last = (from_ms, until_ms, answers[0], answers[1])
    if last is not None and last[2].kind is not last[3].kind:
        yield last


def _answer(timeline: Timeline, from_ms: int | None) -> Answer:
    verdict = timeline.verdicts[0] if from_ms is None else timeline.at(from_ms)
    return Answer(verdict.kind, verdict.rule_name)


def _order(change: Change) -> tuple[bool, int, str]:
    return change.from_ms is not None, change.from_ms or 0, str(change.births[0])
