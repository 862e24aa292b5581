"""The figures of a run, as a table for people and as JSON for programs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from math import ceil
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from loadtest.effort import Effort
from loadtest.estimates import grade
from loadtest.evidence import Ending, Evidence, Verdict
from loadtest.flow import turns_inside
from loadtest.runner import Outcome

# From here on a lag is no longer small beside what is measured.
LATE_MS: Final = 1_000

COLOURS = {Verdict.OK: "green", Verdict.BROKEN: "bold red", Verdict.UNCHECKED: "yellow"}


def summary(outcome: Outcome) -> dict[str, Any]:
    """All figures, ready for JSON. Percentiles are of whole milliseconds, None where there is nothing to rank."""
    journeys = outcome.journeys
    endings = Counter(journey.ending for journey in journeys)
    admit_ms = sorted(
        turn.entered_ms - journey.due_ms
        for journey in journeys
        for turn in journey.turns[:1]
        if turn.entered_ms is not None and journey.due_ms is not None
    )
    polls = sorted(journey.polls for journey in journeys if journey.due_ms is not None)
    lags_ms = sorted(outcome.tally.lags_ms)
    counters = {
        name: count - outcome.samples[0].counters.get(name, 0)
        for name, count in (outcome.samples[-1].counters.items() if outcome.samples else ())
    }
    seconds = outcome.elapsed_ms / 1000
    return {
        "elapsed_s": round(seconds, 3),
        "stopped": outcome.stopped,
        "visitors": len(journeys),
        "arrived": len(polls),
        "kinds": dict(Counter(journey.plan.kind.value for journey in journeys)),
        "numbers": sum(len(journey.turns) for journey in journeys),
        "admitted": len(turns_inside(Evidence(journeys, ()))),
        "endings": {ending.value: endings[ending] for ending in Ending},
        "time_to_admit_ms": _percentiles(admit_ms),
        "polls_per_visitor": {**_percentiles(polls), "mean": round(sum(polls) / len(polls), 2) if polls else None},
        "requests": outcome.tally.requests,
        "requests_per_s": round(outcome.tally.requests / seconds, 1) if seconds else None,
        "reconnects": outcome.tally.reconnects,
        "asked": outcome.tally.asked,
        "saw_an_error": outcome.tally.hit,
        "told_to_be_patient": outcome.tally.catching_up,
        "estimates": asdict(grade(Evidence(journeys, ()))),
        "errors_seen": _by_gateway(outcome.tally.troubles),
        "errors": dict(sorted(outcome.tally.errors.items())),
        "generator_lag_ms": _percentiles(lags_ms),
        "opening": outcome.rates,
        "generator": outcome.effort.told(),
        "generator_queued": len(outcome.tally.queued_ms),
        "generator_queued_ms": _percentiles(sorted(outcome.tally.queued_ms)),
        "store_counters_grown": {name: grown for name, grown in sorted(counters.items()) if grown},
    }


def tricks(outcome: Outcome) -> list[dict[str, Any]]:
    """A row per kind of trick: how many cheats, tries, and how many got through."""
    rows: dict[str, dict[str, Any]] = {}
    for trick in (journey.trick for journey in outcome.journeys if journey.trick is not None):
        row = rows.setdefault(
            trick.cheat.value,
            {"kind": trick.cheat.value, "cheats": 0, "tried": 0, "through": 0, "backend_errors": 0, "evidence": []},
        )
        row["cheats"] += 1
        row["tried"] += trick.tried
        row["through"] += trick.through
        row["backend_errors"] += trick.reached
        row["evidence"] += trick.evidence[:3]
    return [rows[kind] for kind in sorted(rows)]


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The whole report. Holds no secret: the operator's token is left out."""
    options = asdict(outcome.options)
    del options["operator_token"]
    return {
        "room": outcome.room,
        "options": options,
        "summary": summary(outcome),
        "tricks": tricks(outcome),
        "checks": [asdict(finding) for finding in outcome.findings],
        "exit_code": outcome.exit_code,
    }


def show(outcome: Outcome, console: Console) -> None:
    """Three tables: figures, tricks, invariants."""
    console.print(_figures(outcome))
    if rows := tricks(outcome):
        table = Table("trick", "cheats", "tries", "got through", "refused by the backend", title="Tricks")
        for row in rows:
            through = Text(str(row["through"]), style="bold red" if row["through"] else "green")
            never = "" if row["tried"] else " (no chance)"
            table.add_row(
                row["kind"], str(row["cheats"]), f"{row['tried']}{never}", through, str(row["backend_errors"])
            )
        console.print(table)
    table = Table("", "invariant", "", "evidence", title="Invariants")
    for finding in outcome.findings:
        verdict = Text(finding.verdict.value, style=COLOURS[finding.verdict])
        table.add_row(str(finding.invariant), finding.name, verdict, Text(finding.evidence))
    console.print(table)
    console.print(_last_line(outcome), highlight=False, soft_wrap=True)


def _figures(outcome: Outcome) -> Table:
    data = summary(outcome)
    endings = data["endings"]
    table = Table("", "", title=f"Room {outcome.room}, {data['elapsed_s']:.1f} s", show_header=False)
    rows = (
        ("arrived", f"{data['arrived']} of {data['visitors']} ({_words(data['kinds'])})"),
        ("let in", str(data["admitted"])),
        ("ended", _words({name: count for name, count in endings.items() if count})),
        ("time to be let in", _ranks(data["time_to_admit_ms"], "ms")),
        ("waits inside the range shown", str(grade(Evidence(outcome.journeys, ())))),
        ("polls per visitor", f"mean {data['polls_per_visitor']['mean']}, {_ranks(data['polls_per_visitor'], '')}"),
        ("requests", f"{data['requests']} ({data['requests_per_s']}/s), {data['reconnects']} reconnects"),
        ("requests that saw an error", f"{data['saw_an_error']} of {data['asked']}"),
        *((f"  at {gateway}", _words(kinds)) for gateway, kinds in data["errors_seen"].items()),
        ('answers "catching up"', str(data["told_to_be_patient"])),
        ("other errors", _words(data["errors"]) or "none"),
        ("the generator's own lag", _lag(data["generator_lag_ms"])),
        *((("  of it, for a connection", _queued(data)),) if data["generator_queued"] else ()),
        ("the generator itself", _effort(outcome.effort)),
        *((("requests per second", _rates(outcome.rates)),) if outcome.rates else ()),
        ("the store counted", _words(data["store_counters_grown"]) or "not asked"),
    )
    for name, text in rows:
        table.add_row(name, Text(text))
    return table


def _effort(effort: Effort) -> str:
    waited = "" if effort.waited_s is None else f", waited {effort.waited_s:.1f} s for one"
    return (
        f"{effort.cpu_s:.1f} s of processor{waited}, {effort.most_mib:.0f} MiB, {effort.opened} connections; "
        f"{effort.us_per_request} us a request; {effort.fullest_per_s} in the fullest second "
        f"by {effort.fullest_cpu:.0%} of a processor, so {effort.ceiling_per_s} by one; "
        f"{effort.busiest_cpu:.0%} in the busiest second"
    )


def _lag(ranks: dict[str, Any]) -> str:
    late = ": TOO LATE, it was the generator that was measured" if (ranks["p99"] or 0) > LATE_MS else ""
    return f"{_ranks(ranks, 'ms')}{late}"


def _queued(data: dict[str, Any]) -> str:
    """More wanted one at once than there are: the gate kept them, or `--sockets` is too low for it."""
    ranks = _ranks(data["generator_queued_ms"], "ms")
    return f"{data['generator_queued']} requests waited for one of {data['generator']['sockets']}: {ranks}"


def _rates(rates: dict[str, Any]) -> str:
    return (
        f"{rates['before_per_s']} in the {rates['before_s']} s before the opening, {rates['first_10_s_per_s']} in the "
        f"first 10 s ({rates['of_these_waiting_per_s']} the first of those who waited), ratio {rates['ratio']}, "
        f"most {rates['peak_per_s']}, {rates['peak_at_s']} s from it"
    )


def _by_gateway(troubles: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    told: dict[str, dict[str, int]] = {}
    for (gateway, kind), count in sorted(troubles.items()):
        told.setdefault(gateway, {})[kind] = count
    return told


def _last_line(outcome: Outcome) -> Text:
    broken = sum(finding.verdict is Verdict.BROKEN for finding in outcome.findings)
    unchecked = [f.name for f in outcome.findings if f.required and f.verdict is Verdict.UNCHECKED]
    cut = f" The run was cut short: {outcome.stopped}." if outcome.stopped else ""
    if broken:
        return Text(f"{broken} checks BROKEN.{cut}", style="bold red")
    if outcome.exit_code:
        why = f"not checked: {', '.join(unchecked)}" if unchecked else "nobody was let in"
        return Text(f"Nothing broken, nothing proven either: {why}.{cut}", style="yellow")
    return Text(f"All that was checked held.{cut}", style="green")


def _percentiles(ranked: Sequence[int]) -> dict[str, int | None]:
    """p50, p95, p99 and the most of sorted values, by nearest rank."""
    if not ranked:
        return {"p50": None, "p95": None, "p99": None, "max": None}
    ranks = {f"p{part}": ranked[ceil(len(ranked) * part / 100) - 1] for part in (50, 95, 99)}
    return {**ranks, "max": ranked[-1]}


def _ranks(ranks: dict[str, Any], unit: str) -> str:
    return ", ".join(f"{name} {ranks[name]} {unit}".rstrip() for name in ("p50", "p95", "p99", "max"))


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
