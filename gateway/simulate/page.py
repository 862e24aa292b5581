"""An evening as one HTML file: no script, nothing from elsewhere, two languages; the event report's style."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from html import escape
from pathlib import Path
from typing import Final

from gateway import charts, report
from gateway.charts import Frame, Series, chart, legend
from gateway.simulate.record import Outcome, Point
from gateway.simulate.scenario import MINUTE
from gateway.simulate.summary import Summary, Table, n, tables, verdict
from gateway.simulate.texts import TEXTS

KST: Final = timezone(timedelta(hours=9), "KST")
_CSS: Final = Path(report.__file__).with_name("page.css")

# Beside charts larger numbers are told in such units.
BRIEF_FROM: Final = 10_000
UNITS: Final = {"en": ((1_000_000, "M"), (1_000, "k")), "ko": ((10_000, "만"),)}

# Of a chart: the word of each line, and its values.
Lines = Sequence[tuple[str, Sequence[float | None]]]


def render(summary: Summary, language: str) -> str:
    """The file. language: shown first."""
    picks = "".join(
        f'<input class="pick" type="radio" name="language" id="pick-{each}"{" checked" if each == language else ""}>'
        f'<label for="pick-{each}" lang="{each}">{TEXTS[each]["language"]}</label> '
        for each in TEXTS
    )
    css = _CSS.read_text(encoding="utf-8") + charts.CSS
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{TEXTS[language]['heading']}</title>\n<style>{css}</style>\n</head>\n<body>\n{picks}\n"
        + "\n".join(_edition(summary, each) for each in TEXTS)
        + "\n</body>\n</html>\n"
    )


def moment(outcome: Outcome, at_ms: int) -> str:
    """A moment of the evening, as clocks in Korea showed it."""
    return f"{datetime.fromtimestamp((outcome.scenario['begins_ms'] + at_ms) / 1000, KST):%H:%M:%S}"


def brief(value: float, language: str) -> str:
    """A round number beside a chart, where there is room for six signs."""
    if value < BRIEF_FROM:
        return n(value)
    size, sign = next((size, sign) for size, sign in UNITS[language] if value >= size)
    return f"{value / size:,g}{sign}"


def _edition(summary: Summary, language: str) -> str:
    outcome, t = summary.outcome, TEXTS[language]
    scenario, spent = outcome.scenario, outcome.spent
    said = verdict(outcome, language, moment(outcome, outcome.broken["at_ms"]) if outcome.broken else "")
    about = t["about"].format(store=outcome.store, gateways=scenario["gateways"], step=scenario["step_ms"])
    figures = {
        name: n(spent[f"{name}_s" if name == "wall" else f"{name}_cpu_s"]) for name in ("wall", "program", "server")
    }
    parts = [
        f"<h1>{t['heading']}</h1>",
        f'<p class="soft">{escape(about)}</p>',
        f'<p class="{"bad" if outcome.broken else "good"}">{escape(said)}</p>',
        f"<h2>{t['course']}</h2>",
        f'<div class="charts">{"".join(_charts(outcome, language))}</div>',
        f'<p class="soft">{t["marks"]}</p>',
        *(_table(each) for each in tables(summary, language)),
        f'<p class="soft">{t["spent"].format(digest=outcome.digest, **figures)}</p>',
    ]
    return f'<main lang="{language}">' + "\n".join(parts) + "</main>"


def _charts(outcome: Outcome, language: str) -> list[str]:
    begins_ms = outcome.scenario["begins_ms"]
    marks = [
        (begins_ms + outcome.scenario[name], str(number))
        for number, name in enumerate(("opens_ms", "postponed_ms", "reopens_ms"), 1)
    ]
    frame = Frame(begins_ms, begins_ms + outcome.scenario["ends_ms"], KST, marks)
    times = [begins_ms + point.at_ms for point in outcome.points]

    def column(read: Callable[[Point], float]) -> list[float | None]:
        return [read(point) for point in outcome.points]

    plans: dict[str, Lines] = {
        "line": [("waiting", column(lambda p: p.waiting)), ("present", column(lambda p: p.present))],
        "inside": [("live", column(lambda p: p.live)), ("ceiling", column(lambda p: p.ceiling))],
        "flow": [("admitted", column(lambda p: p.admitted_per_minute)), ("outflow", column(lambda p: p.outflow))],
        "polls": [
            ("polls", column(lambda p: p.polls_per_s)),
            ("fixed", column(lambda p: p.fixed_per_s)),
            ("sampled", column(lambda p: p.sampled_per_s)),
        ],
    }
    drawn = [_figure(name, times, lines, frame, language) for name, lines in plans.items()]
    waits = outcome.waits
    if waits:
        lines: Lines = [
            (name, [getattr(each, f"{name}_ms") / MINUTE for each in waits]) for name in ("true", "low", "high")
        ]
        drawn.append(_figure("waits", [begins_ms + each.at_ms for each in waits], lines, frame, language))
    return drawn


def _figure(name: str, times: Sequence[int], lines: Lines, frame: Frame, language: str) -> str:
    t = TEXTS[language]
    summary = []
    for word, values in lines:
        most, at_ms = max(
            ((value or 0.0, -at_ms) for at_ms, value in zip(times, values, strict=True)), default=(0.0, 0)
        )
        when = f"{datetime.fromtimestamp(-at_ms / 1000, frame.zone):%H:%M}"
        summary.append(t["said"].format(name=t[f"line_{word}"], most=n(most), when=when))
    series = [Series(t[f"line_{word}"], values) for word, values in lines]
    title = t[f"chart_{name}"]
    drawn = chart(
        f"{name}-{language}",
        title,
        times,
        series,
        frame,
        said=partial(brief, language=language),
        summary="; ".join(summary),
    )
    return f"<figure><figcaption>{title}</figcaption>{legend([each.name for each in series])}{drawn}</figure>"


def _table(table: Table) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        kinds = [' class="n"' if index else "" for index in range(len(cells))]
        inner = "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))
        return f"<tr>{inner}</tr>"

    head = row(table.head, "th") if table.head else ""
    body = "".join(row(each, "td") for each in table.rows)
    text = f"<p>{escape(table.text)}</p>" if table.text else ""
    return f'<h2>{escape(table.title)}</h2>{text}<div class="scroll"><table>{head}{body}</table></div>'
