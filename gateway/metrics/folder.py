"""Where the workers of a supervisor put their metrics: a folder of its own, in memory."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

# Memory cannot be full when a disk is. Where there is none: wherever files of an hour go.
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder in it is ours alone
_PREFIX: Final = "sunbeon-pid-"
_LOCK: Final = "lock"


@contextmanager
def metrics_folder(beside: Path = MEMORY) -> Iterator[Path]:
    """A folder that nobody else can read, until the context ends. Those that `kill -9` left are cleared away.

    Raises OSError where none can be made.
    """
    usable = beside.is_dir() and os.access(beside, os.W_OK)
    place = beside if usable else Path(tempfile.gettempdir())
    for left in place.glob(f"{_PREFIX}*"):
        _clear_if_left(left)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
    try:
        # Held by a living supervisor, whatever its process is called in another container.
        with (folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clear_if_left(folder: Path) -> None:
    # Not ours to open, just being made, or in use: not left.
    with suppress(OSError), (folder / _LOCK).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
