"""What a program and all its children have taken: processor seconds and memory, from /proc.

A program is started in a session of its own, and a session's processes are its tree. Where the kernel does not account
for interrupts apart (most do not), the network's share of the work is in the time of the process that caused it.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
# Places in /proc/PID/stat, counted from the one behind the command's name (which may hold blanks and parentheses).
_STATE: Final = 0
_SESSION: Final = 3
_TIMES: Final = slice(11, 15)  # of itself, user and system, and of children that are gone
_DEAD: Final = frozenset("ZX")


def cpu_s(session: int) -> float:
    """Seconds that the session's processes have run so far, to a hundredth.

    Those of processes that are gone count, once their parent has noticed.
    """
    return sum(sum(int(part) for part in fields[_TIMES]) for _, fields in _processes(session)) / _TICKS


def ticks_of(pid: int) -> int:
    """What one process has run so far, for comparing; 0 if it is gone."""
    return next((sum(map(int, fields[_TIMES])) for each, fields in _processes() if each == pid), 0)


def pids(session: int) -> list[int]:
    """Those of the session that live."""
    return sorted(pid for pid, fields in _processes(session) if fields[_STATE] not in _DEAD)


def memory_bytes(session: int) -> int:
    """Memory of the session's processes; a page that several share counts once in all (PSS)."""
    total = 0
    for pid in pids(session):
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def _processes(session: int | None = None) -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                if session is None or int(fields[_SESSION]) == session:
                    yield int(entry.name), fields
