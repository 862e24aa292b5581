"""A process that outlives its test. When the test is gone, however it went, it ends and deletes what was left behind.

Folders come by line on stdin. At its end, which the kernel brings about even after `kill -9` of the other side,
whatever runs *in* one of them (its working directory) is killed, and the folder is removed. So nothing need be told
about single processes, and no number of a process is ever mistaken for another's.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

_lock = threading.Lock()
# Whose watcher it is, and the pipe to it.
_started: list[tuple[int, int]] = []


def watch(folder: Path) -> None:
    """When this process is gone, nothing shall run in the folder, nor the folder be there. Call it before the start."""
    with _lock:
        # A child by fork has our memory but is not whom the watcher looks after.
        if not _started or _started[-1][0] != os.getpid():
            theirs, ours = os.pipe()
            watcher = subprocess.Popen(
                [sys.executable, "-IS", __file__],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
            os.close(theirs)
            # It outlives us: nobody is to wait for it, nor to be warned that nobody did.
            watcher.returncode = 0
            _started.append((os.getpid(), ours))
        os.write(_started[-1][1], f"{folder.resolve()}\n".encode())


def running_in(folder: Path) -> list[int]:
    """The processes of this user whose working directory is the folder."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # gone meanwhile, or another user's
            if link.readlink() == folder:
                found.append(int(link.parent.name))
    return found


def _clear(folder: Path) -> None:
    while left := running_in(folder):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    for folder in {Path(line.rstrip("\n")) for line in sys.stdin}:
        if folder.exists():
            _clear(folder)
