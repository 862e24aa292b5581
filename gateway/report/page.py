"""The report as one HTML file: no script, nothing from elsewhere, two languages to choose from, fit for print."""

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from html import escape
from pathlib import Path
from typing import Any, Final

import orjson

from gateway import charts
from gateway.charts import Frame
from gateway.report.course import figures
from gateway.report.figures import PERCENTILES, Report
from gateway.report.tally import Change
from gateway.report.texts import TEXTS, count, duration, percent

_CSS: Final = Path(__file__).with_name("page.css")
_MOST_SAID: Final = 300
_WHOLE: Final = 100

Row = Sequence[str]


def render(report: Report, language: str) -> str:
    """The file. language: shown first."""
    picks = "".join(
        f'<input class="pick" type="radio" name="language" id="pick-{each}"{" checked" if each == language else ""}>'
        f'<label for="pick-{each}" lang="{each}">{TEXTS[each]["language"]}</label> '
        for each in TEXTS
    )
    title = report.title.get(language) or report.room
    css = _CSS.read_text(encoding="utf-8") + charts.CSS
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}: {TEXTS[language]['heading']}</title>\n<style>{css}</style>\n</head>\n<body>\n"
        f"{picks}\n" + "\n".join(_Edition(report, each).page() for each in TEXTS) + "\n</body>\n</html>\n"
    )


class _Edition:
    """The report in one language."""

    def __init__(self, report: Report, language: str) -> None:
        self._report = report
        self._language = language
        self._t = TEXTS[language]
        self._gained = report.sums()
        marks = [(each.at_ms, str(index)) for index, each in enumerate(report.tally.changes, 1)]
        self._frame = Frame(report.tally.from_ms, report.tally.before_ms, report.zone, marks)

    def page(self) -> str:
        sections = (
            self._head(),
            self._summary(),
            self._course(),
            self._waits(),
            self._order(),
            self._how(),
            self._refusals(),
            self._exempt(),
            self._estimates(),
            self._changes(),
            self._evidence(),
        )
        return f'<main lang="{self._language}">' + "\n".join(sections) + "</main>"

    def _head(self) -> str:
        report, t = self._report, self._t
        title = report.title.get(self._language) or report.room
        begins, ends = (self._moment(each) for each in (report.tally.from_ms, report.tally.before_ms))
        period = t["range"].format(begins=begins, ends=ends)
        return (
            f"<h1>{escape(title)}: {t['heading']}</h1>"
            f'<p class="soft">{t["room"]}: {escape(report.room)} · {t["period"]}: {period} '
            f"({escape(str(report.zone))}) · {t['made']}: {self._moment(report.made_ms)}</p>"
        )

    def _summary(self) -> str:
        report, t, gained = self._report, self._t, self._gained
        waits = report.tally.waits.percentiles((50, 95))
        median, high = (duration(each, self._language) for each in waits) if waits else (t["unknown"],) * 2
        known = report.fine
        fullest = max(known, key=lambda point: point.live, default=None)
        inside = t["unknown"] if fullest is None else f"{fullest.live:,} / {fullest.ceiling:,}"
        verdict = t["no_log"] if not report.logs else t["holds"] if report.holds else t["holds_not"]
        past = [gained["exempt"], gained["fail_open"]]
        tiles = (
            ("admitted", self._n(report.admitted), ""),
            ("arrivals", self._n(gained["arrivals"]), ""),
            ("median_wait", median, ""),
            ("p95_wait", high, ""),
            ("most_waiting", self._n(max((point.waiting for point in known), default=None)), ""),
            ("most_inside", inside, ""),
            ("no_shows", self._n(gained["no_shows"]), ""),
            ("refused", self._n(gained["refused"]), ""),
            ("unqueued", self._n(None if None in past else sum(each or 0 for each in past)), ""),
            ("log_holds", verdict, "good" if report.holds else "bad"),
        )
        told = "".join(f'<div><dt>{t[name]}</dt><dd class="{kind}">{text}</dd></div>' for name, text, kind in tiles)
        return self._section("summary", f'<dl class="tiles">{told}</dl>')

    def _course(self) -> str:
        drawn = figures(self._report, self._frame, self._language)
        told = f'<div class="charts">{"".join(drawn)}</div>' if drawn else ""
        if not self._report.points:
            told += f'<p class="soft">{self._t["no_history"]}</p>'
        elif self._report.tally.changes:
            told += f'<p class="soft">{self._t["chart_marks"]}</p>'
        return self._section("course", told)

    def _waits(self) -> str:
        t, found = self._t, self._report.tally.waits.percentiles(PERCENTILES)
        if not found:
            return self._section("waits", self._p("waits_none"))
        names = [t["waits_row"].format(percent=each) if each < _WHOLE else t["waits_row_all"] for each in PERCENTILES]
        rows = [(name, duration(each, self._language)) for name, each in zip(names, found, strict=True)]
        return self._section("waits", self._p("waits_text") + _table((), rows))

    def _order(self) -> str:
        order, t = self._report.tally.order, self._t
        apart = f"{order.apart:,}"
        rows = [
            (t["order_admissions"], self._n(order.admissions)),
            (t["order_overtaken"], self._share(order.overtaken, order.admissions)),
            (t["order_furthest"], self._n(order.furthest)),
            (t["order_apart"].format(apart=apart), self._share(order.overtaken_apart, order.admissions)),
            (t["order_pairs"], self._n(order.pairs)),
        ]
        why = t["order_measured" if self._report.apart_from_history else "order_given"]
        return self._section("order", f"<p>{t['order_text'].format(apart=apart)} {why}</p>{_table((), rows)}")

    def _how(self) -> str:
        report, t = self._report, self._t
        ways = [(t.get(how, escape(how)), number) for how, number in sorted(report.tally.admitted.items())]
        rows = [(name, self._share(number, report.admitted)) for name, number in ways]
        ends = [(t[name], self._n(self._gained[name])) for name in ("no_shows", "completed", "expired", "left")]
        return self._section("how", _table((), [*rows, *ends]))

    def _refusals(self) -> str:
        tally, t = self._report.tally, self._t
        gained = self._report.kinds("refused.")
        kinds = sorted({*gained, *tally.refused}, key=lambda kind: -gained.get(kind, tally.refused[kind]))
        known = bool(self._report.fine)
        rows = [
            (t.get(kind, escape(kind)), self._n(gained.get(kind, 0) if known else None), self._n(tally.refused[kind]))
            for kind in kinds
        ]
        head = ("", t["counted"], t["logged"])
        return self._section("refusals", self._p("refusals_text") + _table(head, rows) if rows else self._p("none"))

    def _exempt(self) -> str:
        report, t = self._report, self._t
        gained = report.kinds("exempt.")
        for name in ("passthrough", "fail_open", "grace"):
            if number := report.gained(name):
                gained[name] = number
        logged = report.tally.exempt.copy()
        if report.tally.failed_open:
            logged["fail_open"] = report.tally.failed_open
        known = bool(report.fine)
        rows = [
            (t.get(each, escape(each)), self._n(gained.get(each, 0) if known else None), self._n(logged[each]))
            for each in sorted({*gained, *logged})
        ]
        head = ("", t["counted"], t["logged"])
        return self._section("exempt", self._p("exempt_text") + _table(head, rows) if rows else self._p("none"))

    def _estimates(self) -> str:
        t, found = self._t, self._report.kinds("estimate.")
        graded = sum(found.get(each, 0) for each in ("within", "earlier", "later"))
        if not graded:
            return self._section("estimates", self._p("unknown"))
        rows = [(t[each], self._n(found.get(each, 0))) for each in ("within", "earlier", "later", "changed")]
        rows.append((t["estimates_rate"], percent(found.get("within", 0), graded)))
        return self._section("estimates", self._p("estimates_text") + _table((), rows))

    def _changes(self) -> str:
        tally, t = self._report.tally, self._t
        if not tally.changes:
            return self._section("changes", self._p("changes_none"))
        rows = [
            (str(index), self._moment(each.at_ms, seconds=True), self._by(each), self._what(each))
            for index, each in enumerate(tally.changes, 1)
        ]
        told = _table(("", t["time"], t["by"], t["what"]), rows, numbers=False)
        if tally.changes_left_out:
            told += f"<p>{t['changes_more'].format(n=f'{tally.changes_left_out:,}')}</p>"
        return self._section("changes", told)

    def _evidence(self) -> str:
        t, report = self._t, self._report
        rows = [(t["log_count"], self._n(report.admitted)), (t["counter_count"], self._n(self._gained["admitted"]))]
        told = [self._p("evidence_text"), _table((), rows)]
        for log in report.logs:
            verdict, kind = (t["holds"], "good") if log.holds else (t["holds_not"], "bad")
            lines = "<br>".join(escape(line) for line in log.told)
            told.append(f'<p><b class="{kind}">{escape(log.name)}: {verdict}</b></p><p class="hash">{lines}</p>')
        return self._section("evidence", "".join(told))

    def _what(self, change: Change) -> str:
        name = self._t.get(f"event_{change.event}", escape(change.event))
        changed = change.facts.get("changed")
        if isinstance(changed, dict):
            said: Iterable[str] = (
                f"{setting}: {_value(each.get('from'))} → {_value(each.get('to'))}"
                for setting, each in changed.items()
                if isinstance(each, dict)
            )
        else:
            said = (f"{fact}: {_value(value)}" for fact, value in change.facts.items())
        return f"<b>{name}</b> {escape('; '.join(said)[:_MOST_SAID])}"

    def _by(self, change: Change) -> str:
        if change.by is None:
            return "-"
        name = escape(change.by)
        return self._t["by_said"].format(name=name) if change.by_said else name

    def _section(self, name: str, told: str) -> str:
        return f"<section><h2>{self._t[name]}</h2>{told}</section>"

    def _p(self, name: str) -> str:
        return f"<p>{self._t[name]}</p>"

    def _n(self, number: int | None) -> str:
        return count(number, self._language)

    def _share(self, part: int, whole: int) -> str:
        return f"{self._n(part)} ({percent(part, whole)})"

    def _moment(self, at_ms: int, *, seconds: bool = False) -> str:
        return moment(at_ms, self._report.zone, "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def moment(at_ms: int, zone: tzinfo, form: str) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime(form)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _table(head: Row, rows: Iterable[Row], *, numbers: bool = True) -> str:
    """numbers: all columns but the first are."""

    def row(cells: Row, tag: str) -> str:
        kinds = [' class="n"' if numbers and index else "" for index in range(len(cells))]
        return (
            "<tr>" + "".join(f"<{tag}{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, cells, strict=True)) + "</tr>"
        )

    body = "".join(row(each, "td") for each in rows)
    return f'<div class="scroll"><table>{row(head, "th") if head else ""}{body}</table></div>'
