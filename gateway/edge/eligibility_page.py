"""The page about one's own window: asks for the birth date, or says when, by which rule, or why not. Pure.

What was typed is never shown again: a birth date leaves no trace, not even in the page.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.edge.pages import Page, Pages
from gateway.edge.strings import STRINGS
from gateway.room.entitle import Entitled
from shared.rules.calendar import Calendar
from shared.rules.model import Rule, Text, Verdict
from shared.rules.times import find_zone, to_local

TEMPLATE: Final = "eligibility.html"

_DAYS: Final[Mapping[str, str]] = {"ko": "월화수목금토일"}


@dataclass(frozen=True, slots=True)
class EligibilityView:
    """What the page shows.

    ask_url: where the form posts. back: the path that was asked for.
    error: what is wrong with the birth date that was typed (`missing`, `bad`, `range`); "" for nothing.
    note: one line above all, by its key; "" for none.
    """

    entitled: Entitled
    calendar: Calendar
    now_ms: int
    ask_url: str
    back: str
    error: str = ""
    note: str = ""


def render(pages: Pages, view: EligibilityView, title: Mapping[str, str], language: str) -> Page:
    return pages.special(TEMPLATE, page_values(view, language), title, language)


def page_values(view: EligibilityView, language: str) -> dict[str, Any]:
    """What the template is given; its first lines say what each means."""
    t, verdict = STRINGS[language], view.entitled.verdict
    kind = verdict.kind.value if verdict is not None else "ask"
    told = _told(verdict, language) if verdict is not None else {}
    rules = sorted(view.calendar.rules, key=lambda each: each.opens_ms)
    return {
        "kind": kind,
        "heading": t[f"verdict_{kind}"].format(**told) if verdict is not None else t["ask_title"],
        "reason": t[f"verdict_{kind}_reason"].format(**told) if verdict is not None else t["ask_reason"],
        "advice": t["birth_hint"],
        "pause": _in(verdict.pause.reason, language) if verdict is not None and verdict.pause is not None else "",
        "joins": _joins(view, language),
        "note": t[view.note] if view.note else "",
        "why": list(_why(verdict, view.now_ms, language)) if verdict is not None else [],
        "windows": [_window(rule, view, language) for rule in rules],
        "calendar": t["calendar_version"].format(
            title=_in(view.calendar.title, language), version=view.calendar.version
        ),
        "ask_url": view.ask_url,
        "back": view.back,
        "error": t[f"birth_{view.error}"] if view.error else "",
    }  # fmt: skip


def when(at_ms: int, zone: str, language: str) -> str:
    """A moment with its weekday and zone: `2021년 7월 19일(월) 22:00(KST)`, `Mon 19 July 2021, 22:00 (KST)`."""
    at = to_local(at_ms, find_zone(zone))
    clock = f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
    if language == "ko":
        return f"{at.year}년 {at.month}월 {at.day}일({_DAYS['ko'][at.weekday()]}) {clock}({at:%Z})"
    return f"{at:%a} {at.day} {at:%B %Y}, {clock} ({at:%Z})"


def window_words(verdict: Verdict, language: str) -> str:
    """The visitor's own window and the rule it is by, in a line of the waiting page."""
    if verdict.rule is None:
        return ""
    t, rule = STRINGS[language], verdict.rule
    opens_ms = rule.opens_ms if verdict.opens_ms is None else verdict.opens_ms
    group = f"{_in(verdict.cohort.label, language)}, " if verdict.cohort is not None else ""
    by = t["why_rule"].format(rule=rule.id, version=rule.version)
    return f"{_span(opens_ms, rule.closes_ms, verdict.zone, language)} ({group}{by})"


def _told(verdict: Verdict, language: str) -> dict[str, str]:
    told = {}
    if verdict.opens_ms is not None:
        told["opens"] = when(verdict.opens_ms, verdict.zone, language)
    if verdict.rule is not None:
        told["closes"] = when(verdict.rule.closes_ms, verdict.zone, language)
    return told


def _joins(view: EligibilityView, language: str) -> str:
    """From when one can line up, where that is not yet."""
    t, verdict, joins_ms = STRINGS[language], view.entitled.verdict, view.entitled.joins_ms
    if verdict is None or verdict.opens_ms is None:
        return ""
    if joins_ms is None or joins_ms >= verdict.opens_ms:
        return t["joins_at_opening"]
    return t["joins_from"].format(joins=when(joins_ms, verdict.zone, language))


def _why(verdict: Verdict, now_ms: int, language: str) -> Iterator[tuple[str, str, str]]:
    """Label, text, and what is said smaller below it."""
    t, rule, zone = STRINGS[language], verdict.rule, verdict.zone
    if rule is not None:
        group = _in(verdict.cohort.label, language) if verdict.cohort is not None else ""
        yield t["why_group"], group, t["why_rule"].format(rule=rule.id, version=rule.version)
        yield t["why_window"], _span(rule.opens_ms, rule.closes_ms, zone, language), _in(rule.note, language)
        for earlier in verdict.superseded:
            moved = [
                t[key].format(before=when(before, zone, language), after=when(after, zone, language))
                for key, before, after in (
                    ("moved_start", earlier.opens_ms, rule.opens_ms),
                    ("moved_end", earlier.closes_ms, rule.closes_ms),
                )
                if before != after
            ]
            changed = t["moved_when"].format(when=when(earlier.replaced_ms, zone, language))
            yield t["why_changed"], " ".join(moved), f"{_in(rule.reason, language)} {changed}".strip()
    yield t["why_judged"], when(now_ms, zone, language), ""


def _window(rule: Rule, view: EligibilityView, language: str) -> tuple[str, str, str]:
    """Who, when, and whether that is now."""
    state = "next" if view.now_ms < rule.opens_ms else "past" if view.now_ms >= rule.closes_ms else "now"
    groups = [_in(cohort.label, language) for cohort in view.calendar.cohorts if cohort.id in rule.cohorts]
    span = _span(rule.opens_ms, rule.closes_ms, view.calendar.zone, language)
    return ", ".join(groups), span, STRINGS[language][f"window_{state}"]


def _span(opens_ms: int, closes_ms: int, zone: str, language: str) -> str:
    opens, closes = (when(at_ms, zone, language) for at_ms in (opens_ms, closes_ms))
    return STRINGS[language]["from_to"].format(opens=opens, closes=closes)


def _in(text: Text | None, language: str) -> str:
    return "" if text is None else text.ko if language == "ko" else text.en
