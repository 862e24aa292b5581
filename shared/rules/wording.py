"""How commands say what a calendar says: for operators, in English. Pages have their own texts."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from shared.rules.diff import Answer, Change
from shared.rules.edits import Edit
from shared.rules.model import AttributeValue, Earlier, Kind, Rule, Text, Verdict
from shared.rules.times import find_zone, to_local

_WORDS: Final = {
    Kind.ELIGIBLE: "eligible",
    Kind.NOT_YET: "not yet",
    Kind.PAUSED: "paused",
    Kind.OVER: "over",
    Kind.NOT_ELIGIBLE: "not eligible",
}


def births_line(birth: date, attributes: Mapping[str, AttributeValue], asked: datetime) -> str:
    """What was asked."""
    shown = "".join(f", {name} = {_value(value)}" for name, value in attributes.items())
    return f"born {birth}{shown}, at {_show(asked)} ({asked.tzinfo})"


def explain(verdict: Verdict, at_ms: int) -> Iterator[str]:
    """The answer, and all it rests on."""
    zone = find_zone(verdict.zone)
    yield f"{_WORDS[verdict.kind]}{_since(verdict, zone)}"
    if verdict.rule is not None:
        yield f"  rule      {verdict.rule.id}, version {verdict.rule.version}: {_window(verdict.rule, zone)}"
        yield from _said("reason", verdict.rule.reason)
        yield from _said("note", verdict.rule.note)
        for earlier in verdict.rule.earlier:
            replaced = _show(to_local(earlier.replaced_ms, zone))
            yield f"  earlier   version {earlier.version}: {_window(earlier, zone)}; replaced {replaced}"
            yield from _said("reason", earlier.reason)
        yield from _then(verdict.rule, at_ms)
    if verdict.pause is not None:
        pause = verdict.pause
        yield f"  closed    {pause.id}: {span(pause.from_ms, pause.until_ms, zone)}"
        yield from _said("reason", pause.reason)
    cohorts = verdict.cohorts or verdict.all_cohorts
    for position, cohort in enumerate(cohorts):
        word = "cohort" if verdict.cohorts else "" if position else "there are"
        yield f"  {word:<9} {cohort.id}: {_both(cohort.label)}"
    yield f"  calendar  version {verdict.calendar_version}: {_both(verdict.calendar_title)}"


def change_line(change: Change) -> str:
    """`born 1967-1968: eligible (53-54/1) -> not yet (53-54/2)`."""
    births = "; ".join(map(str, change.births))
    who = "" if change.attributes is None else f" with {' or '.join(map(_attributes, change.attributes))}"
    return f"born {births}{who}: {_answer(change.old)} -> {_answer(change.new)}"


def edit_line(edit: Edit) -> str:
    """`rule 53-54, opens: ... -> ...`, or `rule 53-54: added`."""
    if not edit.field:
        return f"{edit.part}: {'added' if edit.old is None else 'removed'}"
    return f"{edit.part}, {edit.field}: {edit.old or '(none)'} -> {edit.new or '(none)'}"


def span(from_ms: int | None, until_ms: int | None, zone: ZoneInfo) -> str:
    start = None if from_ms is None else _show(to_local(from_ms, zone))
    end = None if until_ms is None else _show(to_local(until_ms, zone))
    if start and end:
        return f"{start} to {end}"
    return f"from {start}" if start else f"until {end}" if end else "at any time"


def _since(verdict: Verdict, zone: ZoneInfo) -> str:
    if verdict.kind is Kind.ELIGIBLE and verdict.until_ms is not None:
        return f" until {_show(to_local(verdict.until_ms, zone))}"
    if verdict.opens_ms is not None:
        return f": opens {_show(to_local(verdict.opens_ms, zone))}"
    if verdict.kind is Kind.OVER and verdict.from_ms is not None:
        return f" since {_show(to_local(verdict.from_ms, zone))}"
    return ""


def _then(rule: Rule, at_ms: int) -> Iterator[str]:
    """An earlier version was still in force at that moment: who asks later should know what people were told then."""
    then = next((earlier for earlier in rule.earlier if at_ms < earlier.replaced_ms), None)
    if then is not None:
        state = "open" if then.opens_ms <= at_ms < then.closes_ms else "not open"
        yield f"  then      version {then.version} was in force at that moment, and by it the window was {state}"


def _window(window: Rule | Earlier, zone: ZoneInfo) -> str:
    return span(window.opens_ms, window.closes_ms, zone)


def _said(word: str, text: Text | None) -> Iterator[str]:
    if text is not None:
        yield f"    {word}: {_both(text)}"


def _both(text: Text) -> str:
    return f"{text.en} / {text.ko}"


def _answer(answer: Answer) -> str:
    return f"{_WORDS[answer.kind]} ({answer.rule})" if answer.rule else _WORDS[answer.kind]


def _attributes(attributes: tuple[tuple[str, AttributeValue], ...]) -> str:
    return " and ".join(f"{name} = {_value(value)}" for name, value in attributes) or "no such attribute"


def _value(value: AttributeValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _show(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="milliseconds" if moment.microsecond else "seconds")
