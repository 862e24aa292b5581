"""`sunbeon loadtest simulate`: an evening of millions in virtual time (docs/capacity.md)."""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gateway.simulate import costs
from gateway.simulate.play import play
from gateway.simulate.record import Outcome
from gateway.simulate.scenario import SCENARIOS, Scenario, problems
from gateway.simulate.server import Kind, program
from gateway.simulate.summary import Summary, summarize, tables, verdict
from gateway.simulate.texts import TEXTS
from shared.errors import SettingsError

DONE: Final = 0
BROKEN: Final = 1
WRONG: Final = 2
INTERRUPTED: Final = 130
STORES: Final = ("sqlite", *Kind)
PLAIN_WIDTH: Final = 150
_MOST_FASTER: Final = 60


def main(argv: Sequence[str]) -> int:
    """Exit codes: 0 every check held, 1 one did not (or the stores differ), 2 a wrong command line, 130 interrupted."""
    # Told to stop by any word, it takes its server and its folder along.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _main(argv)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)


def _main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    try:
        from rich.console import Console
    except ImportError:
        print("sunbeon loadtest simulate: needs the extra packages: pip install 'sunbeon[loadtest]'", file=sys.stderr)
        return WRONG
    scenario = _scenario(arguments)
    found = costs.USUAL if arguments.costs is None else costs.read(arguments.costs)
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    outcomes = []
    for store in _stores(arguments.store):
        outcomes.append(_play(scenario, store, console))
        # At once: what comes next may take minutes, or be interrupted.
        summary = summarize(outcomes[-1], found)
        _show(summary, console)
        _write(summary, arguments)
    digests = {outcome.digest for outcome in outcomes}
    if len(digests) > 1:
        console.print("THE STORES DIFFER: the same evening went otherwise on another of them", style="bold red")
    return BROKEN if len(digests) > 1 or any(each.broken for each in outcomes) else DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sunbeon loadtest simulate",
        description="Play an evening of millions in virtual time: the real policy, a real store, a crowd of numbers.",
        epilog="Exit code: 0 every check held, 1 one did not or the stores differ, 2 wrong usage, 130 interrupted.",
    )
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="july19")
    parser.add_argument(
        "--store",
        choices=STORES,
        action="append",
        help="once per store, one evening after the other (default: sqlite, and redis where it is installed)",
    )
    parser.add_argument(
        "--scale", type=_scale, default=1.0, help="so many times the people, seats and admissions (default: 1)"
    )
    parser.add_argument("--faster", type=int, default=1, metavar="N", help="an evening N times shorter, for a look")
    parser.add_argument("--gateways", type=int, metavar="N", help="how many tick (default: 4)")
    parser.add_argument("--step-ms", type=int, metavar="MS", help="between two ticks (default: 1000)")
    parser.add_argument("--seed", type=int, help="the same seed, the same evening")
    parser.add_argument(
        "--costs", type=Path, metavar="JSON", help="what `make bench` wrote (var/bench.json), for the capacity table"
    )
    parser.add_argument("--out", type=Path, metavar="HTML", help="the report; with several stores, the name is added")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the same as data")
    parser.add_argument("--language", choices=tuple(TEXTS), default="ko", help="shown first (default: %(default)s)")
    return parser


def _scenario(arguments: argparse.Namespace) -> Scenario:
    """Raises `SettingsError`."""
    scenario = SCENARIOS[arguments.scenario].scaled(arguments.scale)
    if not 1 <= arguments.faster <= _MOST_FASTER:
        raise SettingsError([f"--faster: 1 to {_MOST_FASTER}"])
    if arguments.faster > 1:
        scenario = scenario.faster(arguments.faster)
    given = {name: getattr(arguments, name) for name in ("gateways", "step_ms", "seed")}
    scenario = replace(scenario, **{name: value for name, value in given.items() if value is not None})
    if found := problems(scenario):
        raise SettingsError(found)
    return scenario


def _stores(asked: Sequence[str] | None) -> Sequence[str]:
    if asked:
        return tuple(dict.fromkeys(asked))
    server = next((kind for kind in Kind if program(kind) is not None), None)
    return ("sqlite",) if server is None else ("sqlite", server)


def _play(scenario: Scenario, store: str, console: Any) -> Outcome:
    from gateway.simulate.progress import progress

    with progress(console, store, scenario.steps * scenario.step_ms) as watch:
        return play(scenario, store, watch)


def _show(summary: Summary, console: Any) -> None:
    from rich.table import Table

    from gateway.simulate.page import moment

    outcome = summary.outcome
    for each in tables(summary, "en"):
        shown = Table(title=each.title, title_justify="left", caption=each.text or None, caption_justify="left")
        width = len(each.rows[0]) if each.rows else len(each.head)
        for index in range(width):
            shown.add_column(each.head[index] if each.head else "", justify="right" if index else "left")
        shown.show_header = bool(each.head)
        for row in each.rows:
            shown.add_row(*row)
        console.print(shown)
    spent = ", ".join(f"{name} {seconds:.0f}" for name, seconds in outcome.spent.items())
    said = verdict(outcome, "en", moment(outcome, outcome.broken["at_ms"]) if outcome.broken else "")
    console.print(f"{outcome.store}: {said}; {spent}; digest {outcome.digest}", highlight=False)


def _write(summary: Summary, arguments: argparse.Namespace) -> None:
    from gateway.simulate.page import render

    several = arguments.store is None or len(arguments.store) > 1
    data = json.dumps(summary.as_json(), indent=1) + "\n"
    for path, text in ((arguments.out, render(summary, arguments.language)), (arguments.json, data)):
        if path is not None:
            named = path.with_name(f"{path.stem}-{summary.outcome.store}{path.suffix}") if several else path
            named.parent.mkdir(parents=True, exist_ok=True)
            named.write_text(text, encoding="utf-8")


def _scale(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0001 <= value <= 2:  # noqa: PLR2004 - a thousand people; twice of what there ever was
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0.0001 to 2")
    return value
