"""The generator: wrk, told by a script what to send, and its own account of what came of it.

wrk sends the next request on a connection when the last was answered (a closed loop), so its latencies under full load
say how long 64 wait for each other, not how long a visitor waits. They are used where one connection asks alone.
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loadtest.bench import cores
from loadtest.bench.program import Failed
from loadtest.bench.wire import Address

SCRIPT: Final = Path(__file__).parent / "programs" / "visitors.lua"
# Beyond its own duration: for a server that answers nothing any more.
_GRACE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """requests: the prepared ones. once: each is sent at most once, and the run ends with the last.

    keep: where what the answers' Set-Cookie lines say is to be written, a line each; that takes wrk longer.
    """

    requests: Path
    connections: int = 64
    once: bool = False
    keep: Path | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What wrk saw. errors: answers that were lost, late, or neither 2xx nor 3xx. Times in microseconds."""

    requests: int
    bytes: int
    seconds: float
    errors: int
    p50_us: int
    p90_us: int
    p99_us: int
    max_us: int


def prepare(path: Path, requests: Sequence[bytes]) -> Path:
    """Write what wrk is to send, in this order, again and again."""
    with path.open("wb") as file:
        for each in requests:
            file.write(b"%d\n" % len(each) + each)
    return path


def run(address: Address, load: Load, *, seconds: float, on: frozenset[int]) -> Told:
    """Raises `Failed` if wrk does not end as it should."""
    host, port = address
    words = ["wrk", "-t1", f"-c{load.connections}", f"-d{max(round(seconds), 1)}s", "--latency", "--timeout", "10s"]
    words += ["-s", str(SCRIPT), f"http://{host}:{port}/", "--", str(load.requests), "once" if load.once else "again"]
    if load.keep is not None:
        words.append(str(load.keep))
    with cores.on(on):
        try:
            done = subprocess.run(  # noqa: S603 - our own
                words, capture_output=True, text=True, timeout=seconds + _GRACE_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"wrk did not end: {words}") from None
    return parse(done.stdout, done.stderr)


def parse(output: str, errors: str = "") -> Told:
    """The line of JSON our script ends with. Raises `Failed` without it."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return Told(
                requests=found["requests"],
                bytes=found["bytes"],
                seconds=found["microseconds"] / 1e6,
                errors=sum(found[kind] for kind in ("refused", "cut", "timeouts", "statuses")),
                p50_us=found["p50_us"],
                p90_us=found["p90_us"],
                p99_us=found["p99_us"],
                max_us=found["max_us"],
            )
    raise Failed(f"wrk told nothing:\n{output}\n{errors}")
