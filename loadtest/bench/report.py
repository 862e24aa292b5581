"""From what was found to the text of docs/benchmarks.md, and into its place there. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from loadtest.bench.figures import Round, Spread, ratios, slowdowns
from loadtest.bench.row import OURS, Figure, Found, Kind, Row

BEGIN: Final = "<!-- measured: written by `make bench` -->"
END: Final = "<!-- end of measured -->"
NO_PROXY: Final = "no proxy"


def as_json(found: Found) -> dict[str, Any]:
    """All rounds, raw."""
    series = {
        name: [{key: getattr(each, key) for key in Round.__slots__} for each in rounds]
        for name, rounds in found.series.items()
    }
    figures = [{key: getattr(each, key) for key in Figure.__slots__} for each in found.figures]
    return {
        "kind": found.kind.value,
        "reference": found.reference,
        "series": series,
        "figures": figures,
        "notes": list(found.notes),
        "table": [list(line) for line in found.table],
    }


def from_json(data: Mapping[str, Any]) -> Found:
    """What `as_json` made."""
    series = {name: [Round(**each) for each in rounds] for name, rounds in data["series"].items()}
    figures = [Figure(**each) for each in data["figures"]]
    return Found(
        Kind(data["kind"]),
        series,
        data["reference"],
        figures,
        data["notes"],
        tuple(tuple(line) for line in data.get("table", ())),
    )


def table(found: Found) -> str:
    """Its rounds as a table in Markdown, with the notes below."""
    match found.kind:
        case Kind.RATE:
            lines = _rates(found)
        case Kind.LATENCY:
            lines = _latencies(found)
        case Kind.FIGURES:
            lines = ["| | |", "|---|---|", *(f"| {each.what} | {each.value} |" for each in found.figures)]
            lines += _lines(found.table)
    return "\n".join([*lines, *(f"\n{note}" for note in found.notes)]) + "\n"


def section(row: Row, found: Found, when: str) -> str:
    """A row whole. when: date and version it was measured at."""
    return f"### {row.title}\n\n{row.meaning} ({when}; `make bench ROWS={row.name}`)\n\n{table(found)}"


def into(text: str, generated: str) -> str:
    """A document with what lies between its marks replaced. Raises `ValueError` without the marks."""
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError("the document has no place for what was measured")
    return f"{before}{BEGIN}\n\n{generated.strip()}\n\n{END}{after}"


def _lines(table: Sequence[Sequence[str]]) -> list[str]:
    """A table of its own; nothing for none."""
    rows = [f"| {' | '.join(line)} |" for line in table]
    return ["", rows[0], "|---" * len(table[0]) + "|", *rows[1:]] if rows else []


def _rates(found: Found) -> list[str]:
    reference = found.series[found.reference]
    lines = [
        f"| | requests per CPU second | of {found.reference} | least-most | CPU each | requests per second | p99 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rounds in _ordered(found.series):
        ratio = ratios(rounds, reference)
        cells = (
            _spread([each.per_cpu_s for each in rounds]),
            f"{ratio.middle:.2f}",
            f"{ratio.least:.2f}-{ratio.most:.2f}",
            f"{Spread.of([each.us_each for each in rounds]).middle:,.1f} us",
            f"{Spread.of([each.per_s for each in rounds]).middle:,.0f}",
            _ms(Spread.of([each.p99_us for each in rounds]).middle),
        )
        lines.append(f"| {_name(name)} | {' | '.join(cells)} |")
    return lines


def _latencies(found: Found) -> list[str]:
    reference, bare = found.series[found.reference], found.series[NO_PROXY]
    lines = [f"| | p50 | least-most | p99 | added, p50 | added, of {found.reference}'s |", "|---|---|---|---|---|---|"]
    for name, rounds in _ordered(found.series):
        p50 = Spread.of([each.p50_us for each in rounds])
        added = Spread.of([one.p50_us - other.p50_us for one, other in zip(rounds, bare, strict=True)])
        times = slowdowns(rounds, reference, bare)
        cells = (
            f"{p50.middle:.0f} us",
            f"{p50.least:.0f}-{p50.most:.0f}",
            f"{Spread.of([each.p99_us for each in rounds]).middle:.0f} us",
            "" if name == NO_PROXY else f"{added.middle:.0f} us",
            "" if name == NO_PROXY else f"{times.middle:.1f} ({times.least:.1f}-{times.most:.1f})",
        )
        lines.append(f"| {_name(name)} | {' | '.join(cells)} |")
    return lines


def _ordered(series: Mapping[str, Sequence[Round]]) -> list[tuple[str, Sequence[Round]]]:
    """As they were measured, but the noise beside what it is the noise of."""
    again = [each for each in series.items() if each[0].endswith(" again")]
    others = [each for each in series.items() if each not in again]
    return [*others[:1], *again, *others[1:]]


def _name(name: str) -> str:
    return f"**{name}**" if name.startswith(OURS) else name


def _spread(values: Sequence[float]) -> str:
    spread = Spread.of(values)
    return f"{spread.middle:,.0f} ({spread.least:,.0f}-{spread.most:,.0f})"


def _ms(micros: float) -> str:
    return f"{micros / 1000:.1f} ms"
