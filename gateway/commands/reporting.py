"""`sunbeon report`: what an evening came to, as one HTML file."""

import argparse
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway.commands.evidence import moment_ms
from gateway.report import files, page
from gateway.report.texts import TEXTS
from gateway.settings import load
from shared.clock import now_ms
from shared.errors import SettingsError

DONE: Final = 0
FAILED: Final = 1


def add_parsers(commands: Any) -> None:
    """Exit codes: 0 written; 1 written, but a log does not hold, or not written; 2 asked wrongly."""
    report = commands.add_parser("report", help="what an evening came to, as one HTML file (docs/operating.md)")
    report.add_argument("--config", type=Path, help="settings file (or SUNBEON_CONFIG)")
    report.add_argument("--room", required=True)
    for name, which in (("from", "from_ms"), ("before", "before_ms")):
        report.add_argument(
            f"--{name}", type=moment_ms, dest=which, required=True, metavar="TIME", help="2021-07-19T20:00:00+09:00"
        )
    report.add_argument(
        "--audit", type=Path, nargs="+", metavar="LOG", help="of each gateway (default: the one of the settings)"
    )
    report.add_argument("--history", type=Path, metavar="FILE", help="(default: the one of the settings)")
    report.add_argument("--apart", type=int, metavar="PLACES", help="see the report on order (default: as measured)")
    report.add_argument("--language", choices=tuple(TEXTS), default="ko", help="shown first (default: %(default)s)")
    report.add_argument("--out", type=Path, required=True, metavar="HTML")
    report.set_defaults(run=_report)


def _report(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    config = arguments.config or environ.get("SUNBEON_CONFIG")
    settings = load(Path(config) if config else None, environ=environ)
    room = next((room for room in settings.room if room.name == arguments.room), None)
    if room is None:
        raise SettingsError([f"--room: there is no room {arguments.room!r}"])
    if arguments.from_ms >= arguments.before_ms:
        raise SettingsError(["--from must be earlier than --before"])
    if arguments.apart is not None and arguments.apart < 0:
        raise SettingsError(["--apart is a number of places"])
    usual = settings.gateway.audit_log
    found = files.gather(
        room,
        from_ms=arguments.from_ms,
        before_ms=arguments.before_ms,
        logs=arguments.audit or ([usual] if usual is not None else []),
        history=arguments.history or settings.gateway.history_file,
        made_ms=now_ms(),
        apart=arguments.apart,
    )
    _write(arguments.out, page.render(found, arguments.language))
    order = found.tally.order
    overtaken = f"{order.overtaken_apart:,} overtaken by somebody more than {order.apart:,} places behind"
    print(f"{arguments.out}: {found.admitted:,} admitted, {overtaken}")
    if not found.points:
        print("no history of that time: charts and some counts are missing")
    print("the audit log holds" if found.holds else "THE AUDIT LOG DOES NOT HOLD: see the report")
    return DONE if found.holds else FAILED


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
