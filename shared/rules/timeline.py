"""All that a calendar says to the people of the same cohorts, from the first moment to the last."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from shared.rules.model import Cohort, Earlier, Kind, Pause, Rule, Text, Verdict


@dataclass(frozen=True, slots=True)
class Facts:
    """Of the calendar, what every verdict names."""

    version: int
    title: Text
    zone: str
    cohorts: tuple[Cohort, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """verdicts[i] holds from edges[i - 1] until edges[i]."""

    edges: tuple[int, ...]
    verdicts: tuple[Verdict, ...]

    def at(self, at_ms: int) -> Verdict:
        return self.verdicts[bisect_right(self.edges, at_ms)]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A time in which nothing opens or ends."""

    from_ms: int | None
    until_ms: int | None
    rule: Rule | None
    pause: Pause | None

    @property
    def is_open(self) -> bool:
        return self.rule is not None and self.pause is None


def build(facts: Facts, cohorts: Sequence[Cohort], rules: Sequence[Rule], pauses: Sequence[Pause]) -> Timeline:
    """The timeline of those who are in exactly these cohorts. rules, pauses: all of the calendar's."""
    ids = {cohort.id for cohort in cohorts}
    mine = [rule for rule in rules if not ids.isdisjoint(rule.cohorts)]
    stretches = _stretches(mine, [pause for pause in pauses if not ids.isdisjoint(pause.cohorts)])
    verdicts: list[Verdict] = []
    for position, stretch in enumerate(stretches):
        following = next((later for later in stretches[position:] if later.is_open), None)
        verdicts.append(_verdict(facts, tuple(cohorts), mine, stretch, following))
    return _joined(verdicts)


def _stretches(rules: Sequence[Rule], pauses: Sequence[Pause]) -> list[_Stretch]:
    edges = {edge for rule in rules for edge in (rule.opens_ms, rule.closes_ms)}
    edges |= {edge for pause in pauses for edge in (pause.from_ms, pause.until_ms)} if rules else set()
    bounds = [None, *sorted(edges), None]
    found = []
    for from_ms, until_ms in pairwise(bounds):
        rule = pause = None
        if from_ms is not None:
            rule = next((each for each in rules if each.opens_ms <= from_ms < each.closes_ms), None)
            # Of several pauses the one that lasts longest: what it says until when is true.
            within = [each for each in pauses if each.from_ms <= from_ms < each.until_ms]
            pause = max(within, key=lambda each: each.until_ms, default=None)
        found.append(_Stretch(from_ms, until_ms, rule, pause))
    return found


def _verdict(
    facts: Facts, cohorts: tuple[Cohort, ...], rules: Sequence[Rule], stretch: _Stretch, following: _Stretch | None
) -> Verdict:
    """following: the first open stretch from this one on."""
    rule, opens_ms = None, None
    if not rules:
        kind = Kind.NOT_ELIGIBLE
    elif following is None:
        kind, rule = Kind.OVER, max(rules, key=lambda each: each.closes_ms)
    elif stretch.is_open:
        kind, rule = Kind.ELIGIBLE, stretch.rule
    else:
        kind, rule = Kind.PAUSED if stretch.pause else Kind.NOT_YET, following.rule
        opens_ms = following.from_ms
    return Verdict(
        kind=kind,
        calendar_version=facts.version,
        calendar_title=facts.title,
        zone=facts.zone,
        rule=rule,
        cohort=next((cohort for cohort in cohorts if rule and cohort.id in rule.cohorts), None),
        cohorts=cohorts,
        pause=stretch.pause if kind is Kind.PAUSED else None,
        opens_ms=opens_ms,
        from_ms=stretch.from_ms,
        until_ms=stretch.until_ms,
        superseded=_superseded(kind, rule, opens_ms),
        all_cohorts=facts.cohorts,
    )


def _superseded(kind: Kind, rule: Rule | None, opens_ms: int | None) -> tuple[Earlier, ...]:
    if rule is None:
        return ()
    if kind in {Kind.ELIGIBLE, Kind.OVER}:
        return tuple(earlier for earlier in rule.earlier if earlier.closes_ms != rule.closes_ms)
    if opens_ms is not None and opens_ms > rule.opens_ms:
        return ()  # It opens again, after a pause: its own opening is not what is waited for.
    return tuple(earlier for earlier in rule.earlier if earlier.opens_ms != rule.opens_ms)


def _joined(verdicts: Sequence[Verdict]) -> Timeline:
    """Verdicts that differ in nothing but their time become one."""
    joined = [verdicts[0]]
    for verdict in verdicts[1:]:
        last = joined[-1]
        if (last.kind, last.rule, last.pause) == (verdict.kind, verdict.rule, verdict.pause):
            joined[-1] = replace(last, until_ms=verdict.until_ms)
        else:
            joined.append(verdict)
    edges = tuple(verdict.from_ms for verdict in joined if verdict.from_ms is not None)
    return Timeline(edges, tuple(joined))
