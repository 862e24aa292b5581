"""`python -m booking`: the booking site as a program, and what its operators ask and order beside it."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from aiohttp import web

from booking.commands import rules
from booking.settings import Settings, split_listen
from shared import logs
from shared.errors import SettingsError, SunbeonError
from shared.settings import load

EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 2
# Requests under way at a stop may take this long to finish.
SHUTDOWN_S: Final = 5


def main(argv: Sequence[str] | None = None, *, environ: Mapping[str, str] = os.environ) -> int:
    """`run`: until SIGINT or SIGTERM. Returns the exit code: 0 stopped, 1 could not start, 2 wrong settings.

    Every other command has its own codes, told where it is added.
    """
    arguments = _parser().parse_args(argv)
    if "handle" in arguments:
        code: int = arguments.handle(arguments)
        return code
    path = arguments.config or environ.get("SUNBEON_CONFIG")
    try:
        settings = load(
            Settings,
            path=Path(path) if path else None,
            environ=environ,
            flags={"booking": {"listen": arguments.listen}},
        )
    except SettingsError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return EXIT_SETTINGS
    logs.configure(json=arguments.log_json)
    # It tells of every plugin it loads.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings, environ.get("SUNBEON_BOOKING_SECRET")))
    except (SunbeonError, OSError) as error:
        print(f"booking: {error}", file=sys.stderr)
        return EXIT_FAILED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="booking", description="A vaccination booking site to stand behind Sunbeon.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve until stopped")
    run.add_argument("--config", help="settings file (default: SUNBEON_CONFIG, else built-in settings)")
    run.add_argument("--listen", help="host:port, over what the settings say")
    run.add_argument("--log-json", action="store_true", help="one JSON object per log line")
    # Each module of commands adds its own, with the function that does it as `handle`.
    rules.add_parsers(commands)
    return parser


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on Windows
        return None
    return uvloop.new_event_loop


async def _serve(settings: Settings, secret: str | None) -> None:
    # The other commands need neither a server nor a database.
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
