"""What every command that works with the site's own settings begins with."""

import argparse
import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from booking.settings import Settings
from shared import logs
from shared.settings import load

T = TypeVar("T")

SECRET_VARIABLE: Final = "SUNBEON_BOOKING_SECRET"


def add_config(parser: argparse.ArgumentParser) -> None:
    """`--config`, for `read_settings`."""
    parser.add_argument("--config", help="settings file (default: SUNBEON_CONFIG, else built-in settings)")


def read_settings(arguments: argparse.Namespace, flags: Mapping[str, Any] | None = None) -> Settings:
    """From the file, `arguments.environ` and flags of `[booking]`. Raises `SettingsError`."""
    path = arguments.config or arguments.environ.get("SUNBEON_CONFIG")
    return load(
        Settings,
        path=Path(path) if path else None,
        environ=arguments.environ,
        flags={"booking": flags or {}},
    )


def run(work: Coroutine[Any, Any, T], *, log_json: bool = False, log_level: str = "info") -> T:
    """Do it, with the loop and the logs of the site."""
    logs.configure(json=log_json, level=log_level)
    # It tells of every plugin it loads.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # What is no HTTP it would log as it came, with whatever is in it; what goes wrong inside we log ourselves.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on Windows
        return None
    return uvloop.new_event_loop
