"""The command `sunbeon`.

Exit codes: 0 done, 1 it could not be done, 2 the settings or the command line are wrong.
"""

import argparse
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from gateway import demo, keys
from gateway.commands import drilling, evidence, explaining, reporting, rooms, simulating, token
from gateway.edge import certificate
from gateway.edge.pages import Pages
from gateway.edge.proxy.servers import tls_context
from gateway.settings import Room, Settings, load
from gateway.store.open import open_configured
from gateway.supervisor import Supervisor, operator_token
from shared import logs
from shared.calendar_file import find_calendar, read_calendar
from shared.errors import SettingsError, SunbeonError
from shared.passes import ALGORITHMS
from shared.rules.model import BadCalendar

DONE: Final = 0
FAILED: Final = 1
WRONG: Final = 2

# Enough to copy a new key file to every machine. A key that signs later costs nothing; one that signs before every
# gateway knows it has visitors refused as forgers.
SIGN_AFTER_S: Final = 300

# Programs of their own: called with the rest of the command line, never imported (the packages stay apart).
PROGRAMS: Final = ("booking", "loadtest")


def main(argv: Sequence[str] | None = None, *, environ: Mapping[str, str] = os.environ) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in PROGRAMS and not simulating.reached(words):
        sys.argv = [f"sunbeon {words[0]}", *words[1:]]
        runpy.run_module(words[0], run_name="__main__", alter_sys=False)
        return DONE
    try:
        if simulating.reached(words):
            # Of the load tester by name, but of the gateway's own parts: see docs/decisions.md.
            return simulating.main(words[2:])
        arguments = _parser().parse_args(words)
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
        if name == "rotate":
            action.add_argument(
                "--sign-after-s",
                type=_seconds,
                default=SIGN_AFTER_S,
                help="known at once, sign this much later; 0: at once (default: %(default)s)",
            )
        if name == "retire":
            action.add_argument("kid", help="the key's id, as `list` shows it")
        action.set_defaults(run=_keys, action=name)

    evidence.add_parsers(commands)
    rooms.add_parsers(commands)
    token.add_parsers(commands)
    explaining.add_parser(commands)
    drilling.add_parser(commands)
    reporting.add_parser(commands)

    for program, text in (("booking", "the booking site alone"), ("loadtest", "replay an opening against a gateway")):
        commands.add_parser(program, help=text)
    return parser


def _seconds(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 30 * 86_400:
        raise argparse.ArgumentTypeError("0 to 2592000 seconds")
    return value


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
    for room in settings.room:
        if room.calendar is not None and any(
            each.attributes for each in read_calendar(find_calendar(room.calendar)).cohorts
        ):
            told = "some cohorts ask for more than a birth date, and nobody here can be known to be in them"
            print(f"sunbeon: warning: room.{room.name}.calendar: {told}", file=sys.stderr)
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
        problems += _calendar_problems(room)
        if room.templates is not None and not room.templates.is_dir():
            problems.append(f"room.{room.name}.templates: {room.templates} is not a folder")
        else:
            problems += [f"room.{room.name}.templates: {problem}" for problem in Pages(room.templates).check()]
    return problems


def _calendar_problems(room: Room) -> list[str]:
    try:
        read_calendar(find_calendar(room.calendar)) if room.calendar is not None else None
    except BadCalendar as error:
        return [f"room.{room.name}.calendar: {problem}" for problem in error.problems]
    return []


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
            from_when = keys.rotate(path, algorithm=arguments.algorithm, sign_after_s=arguments.sign_after_s)
            signs = "sign from now on" if from_when is None else f"are known now and sign from {from_when}"
            print(f"{path}: new keys {signs}; earlier ones stay valid until retired")
        case "retire":
            keys.retire(path, arguments.kid)
            print(f"{path}: key {arguments.kid} removed")
        case _:
            for info in keys.describe(path):
                later = "valid" if info.signs_from is None else f"signs from {info.signs_from}"
                state = "signs" if info.signs else later
                print(f"{info.kid}  {info.use:<8} {info.algorithm:<8} {info.created}  {state}")
    return DONE


def _url(address: tuple[str, int], scheme: str = "http") -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{scheme}://{host}:{address[1]}/"
