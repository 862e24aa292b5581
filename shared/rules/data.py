"""Verdicts and changes as plain data, for JSON. Moments are ISO 8601 with the offset of the calendar's zone."""

from typing import Any
from zoneinfo import ZoneInfo

from shared.rules.diff import Answer, Change
from shared.rules.groups import BirthGroup
from shared.rules.model import Cohort, Earlier, Pause, Problem, Rule, Text, Verdict
from shared.rules.times import find_zone, to_local


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """All that is needed to explain it to a person, in Korean and in English."""
    zone = find_zone(verdict.zone)
    return {
        "verdict": verdict.kind.value,
        "rule": verdict.rule and _rule(verdict.rule, zone),
        "superseded": [_earlier(earlier, zone) for earlier in verdict.superseded],
        "pause": verdict.pause and _pause(verdict.pause, zone),
        "opens": _moment(verdict.opens_ms, zone),
        "from": _moment(verdict.from_ms, zone),
        "until": _moment(verdict.until_ms, zone),
        "cohort": verdict.cohort and _cohort(verdict.cohort),
        "cohorts": [_cohort(cohort) for cohort in verdict.cohorts],
        "all_cohorts": [_cohort(cohort) for cohort in verdict.all_cohorts],
        "calendar": {
            "version": verdict.calendar_version,
            "title": _text(verdict.calendar_title),
            "zone": verdict.zone,
        },
    }


def change_data(change: Change, zone_name: str) -> dict[str, Any]:
    zone = find_zone(zone_name)
    sets = change.attributes
    return {
        "births": [_group(births) for births in change.births],
        "attributes": None if sets is None else [dict(attributes) for attributes in sets],
        "from": _moment(change.from_ms, zone),
        "until": _moment(change.until_ms, zone),
        "old": _answer(change.old),
        "new": _answer(change.new),
    }


def problem_data(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "kind": problem.kind,
        "where": problem.where,
        "message": problem.message,
    }


def _rule(rule: Rule, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": rule.id,
        "version": rule.version,
        "name": rule.name,
        "cohorts": list(rule.cohorts),
        "opens": _moment(rule.opens_ms, zone),
        "closes": _moment(rule.closes_ms, zone),
        "reason": _text(rule.reason),
        "note": _text(rule.note),
        "earlier": [_earlier(earlier, zone) for earlier in rule.earlier],
    }


def _earlier(earlier: Earlier, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "version": earlier.version,
        "opens": _moment(earlier.opens_ms, zone),
        "closes": _moment(earlier.closes_ms, zone),
        "replaced_at": _moment(earlier.replaced_ms, zone),
        "reason": _text(earlier.reason),
    }


def _pause(pause: Pause, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": pause.id,
        "from": _moment(pause.from_ms, zone),
        "until": _moment(pause.until_ms, zone),
        "reason": _text(pause.reason),
    }


def _cohort(cohort: Cohort) -> dict[str, Any]:
    return {"id": cohort.id, "label": _text(cohort.label)}


def _text(text: Text | None) -> dict[str, str] | None:
    return {"ko": text.ko, "en": text.en} if text else None


def _group(births: BirthGroup) -> dict[str, Any]:
    return {
        "text": str(births),
        "from": births.first and births.first.isoformat(),
        "before": births.before and births.before.isoformat(),
        "year_digits": births.year_digits,
        "day_digits": births.day_digits,
    }


def _answer(answer: Answer) -> dict[str, str | None]:
    return {"verdict": answer.kind.value, "rule": answer.rule}


def _moment(moment_ms: int | None, zone: ZoneInfo) -> str | None:
    return None if moment_ms is None else to_local(moment_ms, zone).isoformat()
