"""`sunbeon gateway`, `check`, `demo`: with a settings file, checked whole before anything starts."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway import demo
from gateway.settings import Settings, load
from shared import logs
from shared.errors import SettingsError

DONE: Final = 0

Commands = Any  # argparse has no public name for what `add_subparsers` gives


def add_parsers(commands: Commands) -> None:
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
    # The rest of the program: only who serves or checks waits for it.
    from gateway.commands import checking
    from gateway.supervisor import Supervisor, operator_token

    if problems := checking.problems(settings):
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
    from gateway.commands import checking

    if problems := checking.problems(settings):
        raise SettingsError(problems)
    for warning in checking.warnings(settings):
        print(f"sunbeon: warning: {warning}", file=sys.stderr)
    print(f"{path}: {len(settings.room)} room(s), no problems")
    return DONE


def _url(address: tuple[str, int], scheme: str = "http") -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{scheme}://{host}:{address[1]}/"
