"""The report's charts: which lines each has, and what it says in words. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from gateway.charts import Frame, Series, chart, legend
from gateway.points import per_minute
from gateway.report.figures import Report
from gateway.report.texts import TEXTS, count, short

_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class _Plan:
    """lines: the word of each, and its values."""

    name: str
    times_ms: Sequence[int]
    lines: Sequence[tuple[str, Sequence[float | None]]]


def figures(report: Report, frame: Frame, language: str) -> list[str]:
    """Each chart of which anything is known, with its caption."""
    return [
        _figure(plan, frame, language)
        for plan in (*_of_points(report), _of_waits(report))
        if any(value is not None for _, values in plan.lines for value in values)
    ]


def _of_points(report: Report) -> list[_Plan]:
    points = report.points
    times = [point.at_ms for point in points]

    def rate(name: str) -> list[float | None]:
        return per_minute(report.base, points, name)

    def column(name: str) -> list[float | None]:
        return [getattr(point, name) for point in points]

    plans = {
        "chart_flow": [
            ("admitted", rate("admitted")),
            ("line_outflow", column("outflow")),
            ("arrivals", rate("arrivals")),
        ],
        "chart_line": [("line_waiting", column("waiting")), ("line_people", column("people_waiting"))],
        "chart_inside": [("line_live", column("live")), ("line_ceiling", column("ceiling"))],
        "chart_lost": [
            ("no_shows", rate("no_shows")),
            ("line_expired", rate("expired")),
            ("line_left", rate("left")),
        ],
        "chart_refused": [("refused", rate("refused")), ("line_backend", rate("backend_errors"))],
        "chart_latency": [
            ("line_latency_p50", column("latency_p50_ms")),
            ("line_latency_p95", column("latency_p95_ms")),
        ],
    }
    return [_Plan(name, times, lines) for name, lines in plans.items()]


def _of_waits(report: Report) -> _Plan:
    """Real waits by the moment of entry, and what was told to the last in line, by the moment it was told."""
    tally = report.tally
    found = [part.percentiles((50, 95)) for part in tally.parts]
    told: list[float | None] = [None] * len(found)
    for point in report.points:
        if point.wait_high_ms is not None and tally.from_ms <= point.at_ms < tally.before_ms:
            told[(point.at_ms - tally.from_ms) // tally.step_ms] = point.wait_high_ms / _MINUTE_MS
    times = [tally.from_ms + index * tally.step_ms + tally.step_ms // 2 for index in range(len(found))]
    return _Plan(
        "chart_waits",
        times,
        [
            ("line_median", [each[0] / 60 if each else None for each in found]),
            ("line_p95", [each[1] / 60 if each else None for each in found]),
            ("line_told", told),
        ],
    )


def _figure(plan: _Plan, frame: Frame, language: str) -> str:
    t = TEXTS[language]
    said: Callable[[float], str] = partial(short, language=language)
    summary = []
    for word, values in plan.lines:
        known = [(value, -at_ms) for at_ms, value in zip(plan.times_ms, values, strict=True) if value is not None]
        if known:
            most, at_ms = max(known)
            when = f"{datetime.fromtimestamp(-at_ms / 1000, frame.zone):%H:%M}"
            summary.append(t["chart_said"].format(name=t[word], most=count(most, language), when=when))
    names = [t[word] for word, _ in plan.lines]
    series = [Series(t[word], values) for word, values in plan.lines]
    key = f"{plan.name.replace('_', '-')}-{language}"
    drawn = chart(key, t[plan.name], plan.times_ms, series, frame, said=said, summary="; ".join(summary))
    return f"<figure><figcaption>{t[plan.name]}</figcaption>{legend(names)}{drawn}</figure>"
