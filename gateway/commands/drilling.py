"""`sunbeon drill`: the known bypasses against one's own site (docs/drill.md)."""

import argparse
import asyncio
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.commands.rooms import TOKEN_VARIABLE
from gateway.drill.outside import is_loopback, unverified, verified
from gateway.drill.plan import Drill
from gateway.drill.report import Row, lines_of, summary
from gateway.drill.run import new_id, run
from gateway.drill.site import Site
from gateway.drill.wire import Budget, Origin, Wire
from gateway.settings import load
from shared.errors import SettingsError

MOST_REQUESTS: Final = 200
PER_SECOND: Final = 10.0

Commands = Any  # argparse has no public name for what `add_subparsers` gives


def add_parsers(commands: Commands) -> None:
    """Exit codes: 0 no red row, 1 one (or, with --strict, a yellow one), 2 a wrong command line."""
    drill = commands.add_parser("drill", help="try the known bypasses against your own site (docs/drill.md)")
    drill.add_argument("--url", required=True, help="a page of the room, as visitors ask for it")
    drill.add_argument("--room", help="the room's name (default: as its cookie says)")
    drill.add_argument("--operator-url", help="the operators' listener")
    drill.add_argument(
        "--operator-token-file", type=Path, metavar="FILE", help=f"a viewer's will do (or {TOKEN_VARIABLE})"
    )
    drill.add_argument("--backend-url", help="the backend's own address, past the gate")
    drill.add_argument("--config", type=Path, help="the gateway's settings file, beside the gateway and its keys")
    drill.add_argument("--ca-file", type=Path, help="certificates to trust beside the system's")
    drill.add_argument(
        "--wait", type=_seconds, default=0.0, metavar="SECONDS", help="wait so long for the drill's turn"
    )
    drill.add_argument("--per-second", type=_rate, default=PER_SECOND, help="requests, at most (default: %(default)g)")
    drill.add_argument("--yes-this-is-mine", action="store_true", help="needed for any host but this machine")
    drill.add_argument("--strict", action="store_true", help="what was not tried is a failure, too")
    drill.add_argument("--json", action="store_true", help="the report, for `sunbeon room arm`")
    drill.add_argument("--report", type=Path, metavar="FILE", help="write the report there as well")
    drill.add_argument("--all", action="store_true", help="show every request, of green rows too")
    drill.set_defaults(run=_run)


def _run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    budget, drill_id = Budget(MOST_REQUESTS, arguments.per_second), new_id()
    drill = _drill(arguments, environ, budget, drill_id)

    def told(row: Row) -> None:
        if not arguments.json:
            print("\n".join(lines_of(row, everything=arguments.all)), flush=True)

    report = asyncio.run(run(drill, budget, drill_id, told=told))
    text = json.dumps(report.as_json(), ensure_ascii=False, indent=1)
    if arguments.report is not None:
        arguments.report.write_text(text + "\n", encoding="utf-8")
    print(text if arguments.json else "\n".join(summary(report)))
    return report.exit_code(strict=arguments.strict)


def _drill(arguments: argparse.Namespace, environ: Mapping[str, str], budget: Budget, drill_id: str) -> Drill:
    """Raises `SettingsError`."""
    urls = {f"--{name}": getattr(arguments, name.replace("-", "_")) for name in ("url", "operator-url", "backend-url")}
    origins = {option: Origin.of(url, option) for option, url in urls.items() if url is not None}
    strange = [f"{option}: {origin.host}" for option, origin in origins.items() if not is_loopback(origin.host)]
    if strange and not arguments.yes_this_is_mine:
        raise SettingsError([f"{each}: is this yours to try? then say --yes-this-is-mine" for each in strange])
    # Nobody in between is to get the operators' token.
    contexts = {option: unverified() for option in origins} | {"--operator-url": _verified(arguments.ca_file)}
    wires = {option: Wire(origin, budget, drill_id, contexts[option]) for option, origin in origins.items()}
    page = urlsplit(arguments.url).path or "/"
    if not page.isascii() or any(mark in page for mark in " %\\;"):
        raise SettingsError([f"--url: {page}: give a plain path, without escapes"])
    return Drill(
        site=Site(wires["--url"], page, arguments.room),
        backend=wires.get("--backend-url"),
        operator=wires.get("--operator-url"),
        token=_token(arguments, environ),
        settings=load(arguments.config, environ=environ) if arguments.config is not None else None,
        wait_s=arguments.wait,
        ca_file=str(arguments.ca_file) if arguments.ca_file is not None else None,
    )


def _verified(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return verified(None if ca_file is None else str(ca_file))
    except OSError as error:
        raise SettingsError([f"--ca-file: {ca_file}: {error.strerror or 'holds no certificate'}"]) from None


def _token(arguments: argparse.Namespace, environ: Mapping[str, str]) -> str | None:
    if arguments.operator_url is None:
        return None
    path: Path | None = arguments.operator_token_file
    try:
        token = (
            path.read_text(encoding="utf-8").strip() if path is not None else environ.get(TOKEN_VARIABLE, "").strip()
        )
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        raise SettingsError([f"--operator-token-file: {path}: {reason}"]) from None
    return token if token.isascii() and token.isprintable() and token else None


def _seconds(text: str) -> float:
    if not text.isdecimal() or int(text) > 3600:  # noqa: PLR2004 - an hour
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds up to 3600")
    return float(text)


def _rate(text: str) -> float:
    if not text.isdecimal() or not 1 <= int(text) <= 100:  # noqa: PLR2004 - more is no drill, but a load test
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 100")
    return float(text)
