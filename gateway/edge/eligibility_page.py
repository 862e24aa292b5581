"""The page about one's own window: asks for the birth date, or says when, by which rule, or why not. Pure.

What was typed is never shown again: a birth date leaves no trace, not even in the page.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.edge.pages import Page, Pages
from gateway.edge.strings import STRINGS
from gateway.room.entitle import NO_COHORT, Entitled, Register
from gateway.room.model import Limits
from shared.calendar_file import find_calendar, read_calendar
from shared.rules.calendar import Calendar
from shared.rules.model import Rule, Text, Verdict
from shared.rules.times import find_zone, to_local

TEMPLATE: Final = "eligibility.html"

# What the page is tried on: 53-54, 55-59 and nobody's, before, in and after the windows of July 2021, and in a pause.
SAMPLE_COHORTS: Final = ("50-54+53-54", "55-59", NO_COHORT)
SAMPLE_MOMENTS: Final = (1_626_000_000_000, 1_626_080_000_000, 1_626_696_000_000, 1_626_780_000_000, 1_628_000_000_000)

_DAYS: Final[Mapping[str, str]] = {"ko": "월화수목금토일"}


@dataclass(frozen=True, slots=True)
class EligibilityView:
    """What the page shows.

    ask_url: where the form posts. back: the path that was asked for.
    error: what is wrong with the birth date that was typed (`missing`, `bad`, `range`); "" for nothing.
    note: one line above all, by its key; "" for none.
    leave_url: where a place that is held can be given up; "" where none is to be.
    """

    entitled: Entitled
    calendar: Calendar
    now_ms: int
    ask_url: str
    back: str
    error: str = ""
    note: str = ""
    leave_url: str = ""


def render(pages: Pages, view: EligibilityView, title: Mapping[str, str], language: str) -> Page:
    return pages.special(TEMPLATE, page_values(view, language), title, language)


def eligibility_samples(pages: Pages, language: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The page's template with values to try it on, for `check`: the question, and every answer."""
    register = Register(read_calendar(find_calendar("july-2021")))
    for cohorts in ("", *SAMPLE_COHORTS):
        for at_ms in SAMPLE_MOMENTS:
            entitled = register.entitle(cohorts, Limits(prequeue_ms=0), at_ms)
            error = "bad" if entitled.verdict is None else ""
            view = EligibilityView(
                entitled, register.calendar, at_ms, "/_sunbeon/sample/eligibility", "/sample", error,
                leave_url="/_sunbeon/sample/leave",
            )  # fmt: skip
            yield TEMPLATE, pages.framed(page_values(view, language), {}, language)


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
        "zone": f"{to_local(view.now_ms, find_zone(view.calendar.zone)):%Z}",
        "calendar": t["calendar_version"].format(
            title=_in(view.calendar.title, language), version=view.calendar.version
        ),
        "ask_url": view.ask_url,
        "back": view.back,
        "error": t[f"birth_{view.error}"] if view.error else "",
        "leave_url": view.leave_url,
    }  # fmt: skip


def when(at_ms: int, zone: str, language: str) -> str:
    """A moment with its weekday and zone: `2021년 7월 19일(월) 22:00(KST)`, `Mon 19 July 2021, 22:00 (KST)`."""
    at = to_local(at_ms, find_zone(zone))
    clock = f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
    if language == "ko":
        return f"{at.year}년 {at.month}월 {at.day}일({_DAYS['ko'][at.weekday()]}) {clock}({at:%Z})"
    return f"{at:%a} {at.day} {at:%B %Y}, {clock} ({at:%Z})"


def brief(at_ms: int, now_ms: int, zone: str, language: str) -> str:
    """The same for a narrow column: without zone, and without its year where that is this one."""
    at, now = (to_local(each, find_zone(zone)) for each in (at_ms, now_ms))
    year = at.year != now.year
    if language == "ko":
        return f"{f'{at.year}년 ' if year else ''}{at.month}월 {at.day}일({_DAYS['ko'][at.weekday()]}) {at:%H:%M}"
    return f"{at:%a} {at.day} {at:%b}{f' {at.year}' if year else ''}, {at:%H:%M}"


def window_words(verdict: Verdict, language: str) -> str:
    """The visitor's own window and the rule it is by, in a line of the waiting page."""
    if verdict.rule is None:
        return ""
    t, rule = STRINGS[language], verdict.rule
    opens_ms = rule.opens_ms if verdict.opens_ms is None else verdict.opens_ms
    group = f"{_in(verdict.cohort.label, language)}, " if verdict.cohort is not None else ""
    by = t["why_rule"].format(rule=rule.id, version=rule.version)
    return f"{_span(opens_ms, rule.closes_ms, verdict.zone, language)} ({group}{by})"


def window_why(verdict: Verdict, language: str) -> str:
    """What became of that window, in a line of the waiting page: that it was moved, that it rests, and why."""
    told = [" ".join(change) for change in _changes(verdict, language)]
    if (pause := verdict.pause) is not None:
        rests = _span(pause.from_ms, pause.until_ms, verdict.zone, language)
        told.append(STRINGS[language]["why_pause"].format(span=rests, reason=_in(pause.reason, language)))
    return " ".join(told)


def closes_words(verdict: Verdict, language: str) -> str:
    """Until when the visitor's own window lasts; "" for none."""
    return "" if verdict.rule is None else when(verdict.rule.closes_ms, verdict.zone, language)


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
        for moved, changed in _changes(verdict, language):
            yield t["why_changed"], moved, changed
    yield t["why_judged"], when(now_ms, zone, language), ""


def _changes(verdict: Verdict, language: str) -> Iterator[tuple[str, str]]:
    """Each change of the rule that still matters: from when to when it was moved; why, and when that was decided."""
    t, rule, zone = STRINGS[language], verdict.rule, verdict.zone
    if rule is None:
        return
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
        yield " ".join(moved), f"{_in(rule.reason, language)} {changed}".strip()


def _window(rule: Rule, view: EligibilityView, language: str) -> tuple[str, str, str, str]:
    """Who, from when, until when, and whether that is now."""
    t, groups = STRINGS[language], _groups(rule.cohorts, view.calendar, language)
    if rule.opens_ms <= view.now_ms < rule.closes_ms:
        state = _open_now(rule, view, language)
    else:
        state = t["window_next" if view.now_ms < rule.opens_ms else "window_past"]
    zone = view.calendar.zone
    opens, closes = (brief(at_ms, view.now_ms, zone, language) for at_ms in (rule.opens_ms, rule.closes_ms))
    return groups, opens, closes, state


def _open_now(rule: Rule, view: EligibilityView, language: str) -> str:
    """Whether all whose window it is can book now, or some or all of them are in a declared pause, and until when."""
    t, calendar = STRINGS[language], view.calendar
    resting = [pause for pause in calendar.pauses if pause.from_ms <= view.now_ms < pause.until_ms]
    resting = [pause for pause in resting if not set(pause.cohorts).isdisjoint(rule.cohorts)]
    if not resting:
        return t["window_now"]
    until = brief(max(pause.until_ms for pause in resting), view.now_ms, calendar.zone, language)
    paused = t["window_paused"].format(until=until)
    of = {cohort for pause in resting for cohort in pause.cohorts if cohort in rule.cohorts}
    return paused if of == set(rule.cohorts) else f"{t['window_now']} ({_groups(of, calendar, language)}: {paused})"


def _groups(ids: Collection[str], calendar: Calendar, language: str) -> str:
    return ", ".join(_in(cohort.label, language) for cohort in calendar.cohorts if cohort.id in ids)


def _span(opens_ms: int, closes_ms: int, zone: str, language: str) -> str:
    opens, closes = (when(at_ms, zone, language) for at_ms in (opens_ms, closes_ms))
    return STRINGS[language]["from_to"].format(opens=opens, closes=closes)


def _in(text: Text | None, language: str) -> str:
    return "" if text is None else text.ko if language == "ko" else text.en
