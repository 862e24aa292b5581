"""What a run took of this machine, and what the generator can bear: it bounds what a run can measure."""

import asyncio
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from loadtest.tally import Tally

LOOK_EVERY_S: Final = 1.0
# Linux: nanoseconds for which this thread was ready to run, and another was running.
_SCHEDULED: Final = Path("/proc/self/schedstat")
# What else is open, beside the visitors' connections.
_OTHER_FILES: Final = 128


@dataclass(slots=True)
class Effort:
    """Of one run.

    cpu_s: processor time. waited_s: for a processor that others had; None where the system does not tell.
    fullest_per_s, fullest_cpu: of the second in which most was sent, and what of one processor that took, 0..1.
    busiest_cpu: the most of one processor that any second took. From 1 on it is the generator that is measured.
    sockets: connections that were allowed; opened: made.
    """

    requests: int = 0
    cpu_s: float = 0.0
    waited_s: float | None = None
    fullest_per_s: int = 0
    fullest_cpu: float = 0.0
    busiest_cpu: float = 0.0
    most_mib: float = 0.0
    sockets: int = 0
    opened: int = 0

    @property
    def us_per_request(self) -> int | None:
        return round(self.cpu_s / self.requests * 1e6) if self.requests else None

    @property
    def ceiling_per_s(self) -> int | None:
        """What one processor can send, by the fullest second: who does much at once pays less for each."""
        return round(self.fullest_per_s / self.fullest_cpu) if self.fullest_cpu else None

    def told(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        rounded = {name: round(value, 2) if isinstance(value, float) else value for name, value in asdict(self).items()}
        return rounded | {"us_per_request": self.us_per_request, "ceiling_per_s": self.ceiling_per_s}


class Meter:
    """Measures while a run lasts: `watch` as a task, `read` at its end."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._cpu_s, self._waited_s = time.process_time(), _waited_s()
        self._effort = Effort()

    async def watch(self) -> None:
        effort, tally = self._effort, self._tally
        while True:
            began_s, cpu_s, requests = time.monotonic(), time.process_time(), tally.requests
            await asyncio.sleep(LOOK_EVERY_S)
            took_s = time.monotonic() - began_s
            busy, per_s = (time.process_time() - cpu_s) / took_s, round((tally.requests - requests) / took_s)
            effort.busiest_cpu = max(effort.busiest_cpu, busy)
            if per_s > effort.fullest_per_s:
                effort.fullest_per_s, effort.fullest_cpu = per_s, busy

    def read(self) -> Effort:
        effort, waited_s = self._effort, _waited_s()
        effort.requests = self._tally.requests
        effort.cpu_s = time.process_time() - self._cpu_s
        if waited_s is not None and self._waited_s is not None:
            effort.waited_s = waited_s - self._waited_s
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        effort.most_mib = most / (1024 * 1024 if sys.platform == "darwin" else 1024)
        return effort


def sockets_allowed(wanted: int) -> int:
    """As many as wanted, or as files may be open, for which the limit is raised as far as may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - _OTHER_FILES))


def _waited_s() -> float | None:
    try:
        return int(_SCHEDULED.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return None
