"""`sunbeon demo`: gateway and booking site as two child processes, started together and stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway import keys
from gateway.settings import Settings

CONFIG: Final = Path(__file__).with_name("demo.toml")
LOOK_S: Final = 0.1


def prepare(settings: Settings) -> None:
    """Make the key file on the first start. Raises `KeyFileProblem`."""
    if not settings.gateway.keys_file.exists():
        keys.create(settings.gateway.keys_file)


def run(config: Path) -> int:
    """Start both and wait. Returns 0 when stopped by a signal, else the exit code of the one that ended first."""
    commands = [
        [sys.executable, "-m", "booking", "run", "--config", str(config)],
        [sys.executable, "-m", "gateway", "gateway", "--config", str(config)],
    ]
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: stopping.append(received))
    # In a session of their own, so that ctrl-C comes to them once, from here, and not also from the terminal.
    children = [subprocess.Popen(command, start_new_session=True) for command in commands]  # noqa: S603 - our own
    try:
        while not stopping:
            ended = [child.returncode for child in children if child.poll() is not None]
            if ended:
                return ended[0] or 1
            time.sleep(LOOK_S)
    finally:
        _stop(children)
    return 0


def _stop(children: Sequence["subprocess.Popen[bytes]"]) -> None:
    """The gateway first: whoever is being served still needs the booking site."""
    for child in reversed(children):
        if child.poll() is None:
            os.kill(child.pid, signal.SIGTERM)
            child.wait()
