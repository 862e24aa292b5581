"""The command `sunbeon`.

Exit codes: 0 done, 1 it could not be done, 2 the settings or the command line are wrong.
"""

import argparse
import os
import re
import runpy
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway import audit_files, demo, draw_check, draw_files, keys
from gateway.chain import Head
from gateway.edge import certificate
from gateway.edge.pages import Pages
from gateway.edge.proxy.servers import tls_context
from gateway.settings import Settings, load
from gateway.store.open import open_configured
from gateway.supervisor import Supervisor, operator_token
from shared import logs
from shared.errors import SettingsError, SunbeonError
from shared.passes import ALGORITHMS

DONE: Final = 0
FAILED: Final = 1
WRONG: Final = 2

# Before each finding about a draw.
_MARKS: Final[Mapping[bool | None, str]] = {True: "ok  ", False: "NO  ", None: "    "}

# Programs of their own: called with the rest of the command line, never imported (the packages stay apart).
PROGRAMS: Final = ("booking", "loadtest")


def main(argv: Sequence[str] | None = None, *, environ: Mapping[str, str] = os.environ) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in PROGRAMS:
        sys.argv = [f"sunbeon {words[0]}", *words[1:]]
        runpy.run_module(words[0], run_name="__main__", alter_sys=False)
        return DONE
    arguments = _parser().parse_args(words)
    try:
        code: int = arguments.run(arguments, environ)
    except SettingsError as error:
        for problem in error.problems:
            print(f"sunbeon: {problem}", file=sys.stderr)
        return WRONG
    except (SunbeonError, OSError) as error:
        print(f"sunbeon: {error}", file=sys.stderr)
        return FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sunbeon", description="A virtual waiting room for any booking site.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    gateway = commands.add_parser("gateway", help="serve visitors and operators")
    _add_config(gateway)
    gateway.add_argument("--listen", help="host:port for visitors")
    gateway.add_argument("--operator-listen", help="host:port for operators")
    gateway.add_argument("--workers", type=int, help="number of worker processes")
    gateway.set_defaults(run=_gateway)

    show = commands.add_parser("demo", help="gateway and booking site together, with a small room")
    _add_config(show, default=demo.CONFIG)
    show.set_defaults(run=_demo)

    check = commands.add_parser("check", help="check a settings file and say every problem")
    check.add_argument("config", type=Path)
    check.set_defaults(run=_check)

    key = commands.add_parser("keys", help="create, rotate, list and retire signing keys")
    actions = key.add_subparsers(required=True, metavar="ACTION")
    for name, text in (
        ("create", "write a new key file, and the backend's keys beside it"),
        ("rotate", "add new keys; earlier ones stay valid"),
        ("list", "show the keys, without their secrets"),
        ("retire", "remove a key: what it signed is refused from now on"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--file", type=Path, default=Path("var/keys.json"), help="key file (default: %(default)s)")
        if name in {"create", "rotate"}:
            action.add_argument(
                "--algorithm", choices=ALGORITHMS, help="for Sunbeon-Pass (default: HS256, or as before)"
            )
        if name == "retire":
            action.add_argument("kid", help="the key's id, as `list` shows it")
        action.set_defaults(run=_keys, action=name)

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
    export.add_argument("--from", type=_moment_ms, dest="from_ms", metavar="TIME", help="2021-07-19T20:00:00+09:00")
    export.add_argument("--before", type=_moment_ms, dest="before_ms", metavar="TIME", help="not from this time on")
    export.set_defaults(run=_export_audit)

    for program, text in (("booking", "the booking site alone"), ("loadtest", "replay an opening against a gateway")):
        commands.add_parser(program, help=text)
    return parser


def _add_config(parser: argparse.ArgumentParser, default: Path | None = None) -> None:
    text = (
        "settings file (default: SUNBEON_CONFIG, then %(default)s)" if default else "settings file (or SUNBEON_CONFIG)"
    )
    parser.add_argument("--config", type=Path, default=default, help=text)


def _load(arguments: argparse.Namespace, environ: Mapping[str, str]) -> tuple[Settings, Path | None]:
    path = arguments.config
    if (path is None or path == demo.CONFIG) and environ.get("SUNBEON_CONFIG"):
        path = Path(environ["SUNBEON_CONFIG"])
    named = {
        "listen": getattr(arguments, "listen", None),
        "operator_listen": getattr(arguments, "operator_listen", None),
        "workers": getattr(arguments, "workers", None),
    }
    return load(path, environ=environ, flags={"gateway": named}), path


def _gateway(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings, _ = _load(arguments, environ)
    problems = _problems(settings)
    if problems:
        raise SettingsError(problems)
    logs.configure(json=settings.gateway.log_json, level=settings.gateway.log_level)
    token = operator_token(settings.gateway.operator_token_file, environ)

    def announce(visitors: tuple[str, int], operators: tuple[str, int]) -> None:
        scheme = "https" if settings.gateway.tls_certificate else "http"
        print(f"gateway: visitors  {_url(visitors, scheme)}")
        print(f"gateway: operators {_url(operators)} (token in {settings.gateway.operator_token_file})")
        for room in settings.room:
            print(f"gateway: room {room.name}: {', '.join(room.paths)} on {', '.join(room.hosts) or 'every host'}")
        print("gateway: ready; ctrl-C stops", flush=True)

    Supervisor(settings, token).run(announce)
    return DONE


def _demo(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings, path = _load(arguments, environ)
    demo.prepare(settings)
    return demo.run(path or demo.CONFIG)


def _check(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings, path = _load(arguments, environ)
    problems = _problems(settings)
    if problems:
        raise SettingsError(problems)
    served = _certificate(settings)
    if served is not None and served.warning is not None:
        print(f"sunbeon: warning: gateway.tls_certificate: {served.warning}", file=sys.stderr)
    print(f"{path}: {len(settings.room)} room(s), no problems")
    return DONE


def _problems(settings: Settings) -> list[str]:
    """What only a look at files can tell: keys, certificate, templates, the store's address."""
    problems = []
    try:
        keys.load(settings.gateway.keys_file)
    except SunbeonError as error:
        problems.append(f"gateway.keys_file: {error}")
    try:
        _certificate(settings)
    except SunbeonError as error:
        problems.append(f"gateway.tls_certificate: {error}")
    try:
        tls_context(settings.upstream)
    except SettingsError as error:
        problems += error.problems
    try:
        open_configured(settings.gateway, os.environ)
    except SunbeonError as error:
        problems.append(f"gateway.store: {error}")
    for room in settings.room:
        if room.templates is not None and not room.templates.is_dir():
            problems.append(f"room.{room.name}.templates: {room.templates} is not a folder")
        else:
            problems += [f"room.{room.name}.templates: {problem}" for problem in Pages(room.templates).check()]
    return problems


def _certificate(settings: Settings) -> certificate.Loaded | None:
    """None if HTTPS does not end at the gateway. Raises `CertificateProblem`."""
    files = settings.gateway.tls_certificate, settings.gateway.tls_key
    return certificate.load(files[0], files[1]) if files[0] and files[1] else None


def _keys(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    path: Path = arguments.file
    match arguments.action:
        case "create":
            keys.create(path, algorithm=arguments.algorithm or "HS256")
            print(f"{path} (secret, for gateways) and {path.parent / keys.BACKEND_FILE} (for the backend) written")
        case "rotate":
            keys.rotate(path, algorithm=arguments.algorithm)
            print(f"{path}: new keys sign from now on; earlier ones stay valid until retired")
        case "retire":
            keys.retire(path, arguments.kid)
            print(f"{path}: key {arguments.kid} removed")
        case _:
            for info in keys.describe(path):
                state = "signs" if info.signs else "valid"
                print(f"{info.kid}  {info.use:<8} {info.algorithm:<8} {info.created}  {state}")
    return DONE


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


def _head(text: str) -> tuple[str, Head]:
    found = re.fullmatch(r"([a-z0-9][a-z0-9_-]{0,31}):([1-9][0-9]{0,17}):([0-9a-f]{64})", text)
    if found is None:
        raise argparse.ArgumentTypeError("not ROOM:SEQ:HASH, as `verify` and the board tell it")
    return found[1], Head("", int(found[2]), found[3])


def _moment_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("not a time such as 2021-07-19T20:00:00+09:00") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("needs its UTC offset, as in 2021-07-19T20:00:00+09:00")
    return round(moment.timestamp() * 1000)


def _hash(text: str) -> str:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text) is None:
        raise argparse.ArgumentTypeError("not 64 hexadecimal digits")
    return text.lower()


def _number(text: str) -> int:
    if re.fullmatch(r"[1-9][0-9]{0,17}", text) is None:
        raise argparse.ArgumentTypeError("not a queue number")
    return int(text)


def _url(address: tuple[str, int], scheme: str = "http") -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{scheme}://{host}:{address[1]}/"
