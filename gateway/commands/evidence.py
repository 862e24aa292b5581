"""`draw verify`, `audit`, `reconcile`: what can be proved afterwards. They look at files and public pages only."""

import argparse
import os
import re
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gateway import audit_files, draw_check, draw_files, reconcile_files
from gateway.chain import Head
from shared.terminal import plain

DONE: Final = 0
FAILED: Final = 1
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2199

# Before each finding about a draw.
_MARKS: Final[Mapping[bool | None, str]] = {True: "ok  ", False: "NO  ", None: "    "}

Commands = Any  # argparse has no public name for what `add_subparsers` gives


def add_parsers(commands: Commands) -> None:
    """Exit codes: 0 it holds, 1 it does not or cannot be read, 2 a wrong command line."""
    draw = commands.add_parser("draw", help="check how places were drawn")
    verify = draw.add_subparsers(required=True, metavar="ACTION").add_parser(
        "verify", help="recompute a draw from its public page (docs/draw.md)"
    )
    verify.add_argument("page", metavar="FILE_OR_URL", help="the page /_sunbeon/ROOM/draw, saved or asked for now")
    verify.add_argument("--before", metavar="FILE", action="append", default=[], help="the same, saved earlier")
    verify.add_argument("--commitment", type=_hash, metavar="HEX", help="the commitment, noted earlier")
    verify.add_argument("--number", type=_number, action="append", default=[], help="tell the place of this number")
    verify.add_argument("--places", type=Path, metavar="CSV", help="lines of number,place that visitors were told")
    verify.set_defaults(run=_verify_draw)

    audit = commands.add_parser("audit", help="verify an audit log, or export lines of it")
    audits = audit.add_subparsers(required=True, metavar="ACTION")
    chain = audits.add_parser("verify", help="find what was altered, dropped or moved (docs/audit.md)")
    chain.add_argument("logs", type=Path, nargs="+", metavar="LOG", help="files in the order they were written")
    chain.add_argument(
        "--head", type=_head, action="append", default=[], metavar="ROOM:SEQ:HASH", help="a line that was noted earlier"
    )
    chain.set_defaults(run=_verify_audit)
    export = audits.add_parser("export", help="lines as CSV or JSON, to standard output")
    export.add_argument("logs", type=Path, nargs="+", metavar="LOG", help="files in the order they were written")
    export.add_argument("--format", choices=("csv", "json"), default="csv", help="(default: %(default)s)")
    export.add_argument("--room", help="only of this room")
    export.add_argument("--event", action="append", help="only events of this name")
    export.add_argument("--from", type=moment_ms, dest="from_ms", metavar="TIME", help="2021-07-19T20:00:00+09:00")
    export.add_argument("--before", type=moment_ms, dest="before_ms", metavar="TIME", help="not from this time on")
    export.set_defaults(run=_export_audit)

    compare = commands.add_parser("reconcile", help="how each booking got in, by the audit log (docs/audit.md)")
    source = compare.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--bookings", type=Path, metavar="CSV", help="as `sunbeon booking provenance` writes it; -: from standard input"
    )
    source.add_argument(
        "--database", action="store_true", help="of the booking site here, as its settings name it (--config)"
    )
    compare.add_argument("--config", type=Path, help="settings file of the booking site (or SUNBEON_CONFIG)")
    compare.add_argument(
        "--audit",
        type=Path,
        nargs="+",
        required=True,
        metavar="LOG",
        help="of each gateway; what was moved aside from it is read too",
    )
    compare.add_argument("--rows", type=Path, metavar="CSV", help="write every booking with its evidence")
    compare.add_argument("--json", action="store_true", help="as JSON")
    compare.set_defaults(run=_reconcile)


def _verify_draw(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    began_s = time.monotonic()
    page = draw_files.load(arguments.page)
    print(f"room {page.room}, epoch {page.epoch}, {page.recipe}")
    findings = draw_check.verify(
        page,
        earlier={name: draw_files.load(name) for name in arguments.before},
        commitment=arguments.commitment,
        numbers=arguments.number,
        places=None if arguments.places is None else draw_files.read_places(arguments.places),
    )
    holds = True
    for finding in findings:
        holds = holds and finding.holds is not False
        print(f"{_MARKS[finding.holds]} {finding.says}")
    print(f"{'the draw holds' if holds else 'THE DRAW DOES NOT HOLD'} ({time.monotonic() - began_s:.1f} s)")
    return DONE if holds else FAILED


def _verify_audit(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    began_s = time.monotonic()
    report = audit_files.verify(arguments.logs, arguments.head)
    for line in audit_files.told(report):
        print(line)
    holds = audit_files.holds(report)
    print(f"{'the log holds' if holds else 'THE LOG DOES NOT HOLD'} ({time.monotonic() - began_s:.1f} s)")
    return DONE if holds else FAILED


def _export_audit(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    events = None if arguments.event is None else frozenset(arguments.event)
    wanted = audit_files.Wanted(arguments.room, events, arguments.from_ms, arguments.before_ms)
    try:
        audit_files.export(arguments.logs, wanted, arguments.format)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read it has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


def _reconcile(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    if arguments.database:
        config = arguments.config or environ.get("SUNBEON_CONFIG")
        bookings = reconcile_files.ask_booking_site(Path(config) if config else None)
    elif str(arguments.bookings) == "-":
        bookings = reconcile_files.read_bookings(sys.stdin, "standard input")
    else:
        with arguments.bookings.open(encoding="utf-8-sig", newline="") as file:
            bookings = reconcile_files.read_bookings(file, str(arguments.bookings))
    outcome = reconcile_files.compare(bookings, arguments.audit)
    if arguments.rows is not None:
        with arguments.rows.open("w", encoding="utf-8", newline="") as file:
            reconcile_files.write_rows(outcome, file)
    print(
        reconcile_files.as_json(outcome) if arguments.json else "\n".join(map(plain, reconcile_files.summary(outcome)))
    )
    return DONE if outcome.sound else FAILED


def _head(text: str) -> tuple[str, Head]:
    found = re.fullmatch(r"([a-z0-9][a-z0-9_-]{0,31}):([1-9][0-9]{0,17}):([0-9a-f]{64})", text)
    if found is None:
        raise argparse.ArgumentTypeError("not ROOM:SEQ:HASH, as `verify` and the board tell it")
    return found[1], Head("", int(found[2]), found[3])


def moment_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("not a time such as 2021-07-19T20:00:00+09:00") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("needs its UTC offset, as in 2021-07-19T20:00:00+09:00")
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise argparse.ArgumentTypeError(f"lies outside the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return round(moment.timestamp() * 1000)


def _hash(text: str) -> str:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text) is None:
        raise argparse.ArgumentTypeError("not 64 hexadecimal digits")
    return text.lower()


def _number(text: str) -> int:
    if re.fullmatch(r"[1-9][0-9]{0,17}", text) is None:
        raise argparse.ArgumentTypeError("not a queue number")
    return int(text)
