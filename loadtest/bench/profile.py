"""`make profile`, or `python -m loadtest.bench.profile --row forward-1k`: a flame graph of a worker under load.

Any row will do whose contestants are measured by requests. py-spy looks at the worker from outside, some hundred times
a second, so the program runs as it is; with --native it also sees uvloop's, the parser's and SQLite's own functions.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from loadtest.bench import cores, machine, spent
from loadtest.bench.ground import raise_open_files
from loadtest.bench.measure import Contestant
from loadtest.bench.program import Failed
from loadtest.bench.row import OURS, Plan
from loadtest.bench.rows import ROWS

FORMATS: Final = {"flamegraph": "svg", "speedscope": "speedscope.json", "raw": "txt"}
_LEAD_S: Final = 1.0
_OPEN_FILES: Final = 20_000
FAILED: Final = 1


def main(argv: Sequence[str] | None = None) -> int:
    """0: the profile was written; where to is said."""
    given = _parser().parse_args(argv)
    split = cores.split(cores.available())
    with tempfile.TemporaryDirectory(prefix="sunbeon-profile-") as name, ExitStack() as stack:
        Path(name).chmod(0o755)
        plan = Plan(
            rounds=1,
            seconds=given.seconds,
            quick=False,
            cores=split,
            folder=Path(name),
            open_files=raise_open_files(_OPEN_FILES),
            # The others are not wanted here.
            programs=machine.programs() & {"wrk", "nginx", "redis-server"},
            say=_say,
        )
        try:
            start = ROWS[given.row].contestants
            assert start is not None  # noqa: S101 - the parser offers only such
            contestants = start(plan, plan.ground(stack, given.row))
            extra = (["--native"] if given.native else []) + ([] if given.threads else ["--gil"])
            ours = next(each for each in contestants if each.name.startswith(OURS))
            given.output.mkdir(parents=True, exist_ok=True)
            path = given.output / f"profile-{given.row}.{FORMATS[given.format]}"
            record(ours, path, seconds=given.seconds, form=given.format, extra=extra, on=split.generator)
        except Failed as error:
            _say(str(error))
            return FAILED
    _say(str(path))
    return 0


def record(
    ours: Contestant, path: Path, *, seconds: float, form: str, extra: Sequence[str], on: frozenset[int]
) -> None:
    """Watch the busiest process of the gateway's while it is under load. Raises `Failed`."""
    failures: list[Failed] = []

    if ours.before is not None:
        # What can be asked for only once is fetched before we look, as much as it takes: that is learned here.
        ours.measure(_LEAD_S, on=on)
        ours.before(seconds + 2 * _LEAD_S)
        ours = replace(ours, before=None)

    def load() -> None:
        try:
            done = ours.measure(seconds + 2 * _LEAD_S, on=on)
            _say(f"{done.requests:,} requests, {done.us_each:,.1f} us of CPU each (with py-spy looking)")
        except Failed as error:
            failures.append(error)

    program = Path(sys.executable).with_name("py-spy")
    command = [str(program) if program.exists() else shutil.which("py-spy") or "py-spy", "record", "--rate", "250"]
    command += [
        "--duration",
        str(round(seconds)),
        "--format",
        form,
        "--output",
        str(path),
        *extra,
    ]
    # Threads are not started within `cores.on`: affinity is a thread's own.
    thread = threading.Thread(target=load)
    before = {pid: spent.ticks_of(pid) for pid in spent.pids(ours.server.session)}
    thread.start()
    thread.join(_LEAD_S)
    busiest = max(before, key=lambda pid: spent.ticks_of(pid) - before[pid])
    done = subprocess.run([*command, "--pid", str(busiest)], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    thread.join()
    if failures:
        raise failures[0]
    if done.returncode:
        raise Failed(f"py-spy: {done.stderr.strip()[-1000:]}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    rows = [name for name, row in ROWS.items() if row.contestants is not None]
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.bench.profile", description="A flame graph of the gateway."
    )
    parser.add_argument("--row", choices=rows, default="status", help="what it is asked for (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long (default: %(default)s)")
    parser.add_argument("--format", choices=list(FORMATS), default="flamegraph")
    parser.add_argument("--native", action="store_true", help="with the functions of extensions")
    parser.add_argument("--threads", action="store_true", help="also those that wait or do without the GIL: SQLite's")
    parser.add_argument("--output", type=Path, default=Path("var"), metavar="FOLDER", help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
