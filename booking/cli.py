"""`python -m booking`: the booking site as a program, and what its operators ask and order beside it."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from booking.commands import person, provenance, rules, start, store
from booking.settings import Settings, split_listen
from shared.errors import SettingsError, SunbeonError

EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 2
# As shells tell a command that was ended by ctrl-C.
EXIT_INTERRUPTED: Final = 130
# Requests under way at a stop may take this long to finish.
SHUTDOWN_S: Final = 5


def main(argv: Sequence[str] | None = None, *, environ: Mapping[str, str] = os.environ) -> int:
    """`run`: until SIGINT or SIGTERM. Returns the exit code: 0 stopped, 1 could not start, 2 wrong settings.

    Every other command has its own codes, told where it is added.
    """
    arguments = _parser().parse_args(argv, argparse.Namespace(environ=environ))
    try:
        code: int = arguments.handle(arguments)
    except SettingsError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return EXIT_SETTINGS
    except (SunbeonError, OSError) as error:
        print(f"booking: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code


def _run(arguments: argparse.Namespace) -> int:
    settings = start.read_settings(arguments, {"listen": arguments.listen})
    start.run(_serve(settings, arguments.environ.get(start.SECRET_VARIABLE)), log_json=arguments.log_json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="booking", description="A vaccination booking site to stand behind Sunbeon.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve until stopped")
    start.add_config(run)
    run.add_argument("--listen", help="host:port, over what the settings say")
    run.add_argument("--log-json", action="store_true", help="one JSON object per log line")
    run.set_defaults(handle=_run)
    # Each module of commands adds its own, with the function that does it as `handle`.
    rules.add_parsers(commands)
    store.add_parsers(commands)
    person.add_parsers(commands)
    provenance.add_parsers(commands)
    return parser


async def _serve(settings: Settings, secret: str | None) -> None:
    # The other commands need no server, and some no database.
    from aiohttp import web

    from booking.app import create_app

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(create_app(settings, secret=secret), access_log=None, shutdown_timeout=SHUTDOWN_S)
    try:
        await runner.setup()
        host, port = split_listen(settings.booking.listen)
        await web.TCPSite(runner, host, port).start()
        # The bound address: with port 0 only the system knows it.
        bound_host, bound_port, *_ = runner.addresses[0]
        shown = f"[{bound_host}]" if ":" in bound_host else bound_host
        print(f"booking: http://{shown}:{bound_port} (entered through the waiting room)", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()
