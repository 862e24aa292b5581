"""`make bench`, or `python -m loadtest.bench --rows status,forward-1k --rounds 3`."""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from loadtest.bench import cores, document, machine
from loadtest.bench.ground import raise_open_files
from loadtest.bench.program import Failed
from loadtest.bench.report import as_json, table
from loadtest.bench.row import Plan, Row
from loadtest.bench.rows import ROWS

_OPEN_FILES: Final = 220_000
_RAW: Final = Path("var/bench.json")
FAILED: Final = 1


def main(argv: Sequence[str] | None = None) -> int:
    """0: all that was asked for was measured. 1: a row failed, or an answer was wrong."""
    given = _parser().parse_args(argv)
    chosen = [ROWS[name] for name in given.rows]
    # Whoever ends this ends what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if given.install:
        machine.install(_say)
    split = cores.split(cores.available())
    open_files = raise_open_files(_OPEN_FILES)
    _say(machine.machine())
    _say(split.told())
    about = {"machine": machine.machine(), "cores": split.told(), "versions": machine.versions()}
    raw: dict[str, Any] = {}
    measured: dict[str, Any] = {}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="sunbeon-bench-") as name:
        # nginx' workers run as nobody where it is started by root. Keys in there are readable to their owner only.
        Path(name).chmod(0o755)
        plan = Plan(
            rounds=1 if given.quick else given.rounds,
            seconds=1.0 if given.quick else given.seconds,
            quick=given.quick,
            cores=split,
            folder=Path(name),
            open_files=open_files,
            programs=machine.programs(),
            say=_say,
        )
        for row in chosen:
            try:
                measured[row.name] = _run(plan, row)
            except Failed as error:
                failures[row.name] = f"{str(error).splitlines()[0]} ({_when()})"
                _say(f"FAILED {row.name}: {error}")
            if not given.quick:  # a quick look is no measurement
                raw = document.merge(_RAW, measured, failures, about)
    if given.write is not None and not given.quick:
        document.write(given.write, raw)
    return FAILED if failures else 0


def _run(plan: Plan, row: Row) -> dict[str, Any]:
    """Raises `Failed`."""
    _say(f"\n{row.title}")
    found = row.run(plan)
    print(f"\n{table(found)}", flush=True)
    return {"when": _when(), "rounds": plan.rounds, "seconds": plan.seconds, "found": as_json(found)}


def _when() -> str:
    """Date, version, and how busy the machine was: others may use it."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{day}, {machine.revision()}, load average then {os.getloadavg()[1]:.1f}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _rows(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in ROWS:
            raise argparse.ArgumentTypeError(f"no row {name!r}; there are {', '.join(ROWS)}")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", description="Measure the gateway beside others.")
    parser.add_argument("--rows", type=_rows, default=list(ROWS), help=f"of {', '.join(ROWS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each time (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="one round of a second: does it work at all?")
    parser.add_argument("--install", action="store_true", help="install Debian's packages of what is missing")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the document whose figures to replace")
    return parser


if __name__ == "__main__":
    sys.exit(main())
