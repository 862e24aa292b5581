"""How long joins wait while several processes all join as fast as they can.

    python -m gateway.store.tests.contend --processes 2 --seconds 3 --batch 64

Each process joins in batches, one after the other, on one file. Figures are of single store calls, in milliseconds.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gateway.room.model import Limits
from gateway.store.sqlite import SqliteStore
from shared.clock import now_ms


@dataclass(frozen=True, slots=True)
class Contention:
    """numbers: all that were issued, per process. waits_ms: of every call of all processes, sorted."""

    numbers: list[list[int]]
    waits_ms: list[float]
    seconds: float

    def report(self) -> str:
        issued = [len(own) for own in self.numbers]
        at = {name: self.waits_ms[int(len(self.waits_ms) * part)] for name, part in (("p50", 0.5), ("p99", 0.99))}
        return (
            f"{len(issued)} processes, {sum(issued) / self.seconds:,.0f} joins/s (each: {issued}), "
            f"{len(self.waits_ms)} calls; wait p50 {at['p50']:.2f} ms, p99 {at['p99']:.2f} ms, "
            f"worst {self.waits_ms[-1]:.2f} ms"
        )


async def join_for(path: Path, start: float, seconds: float, batch: int) -> tuple[list[int], list[float]]:
    """Join in batches from `start` (`time.time`) on: the numbers, and how long each call took."""
    store = SqliteStore(path, first_epoch=1)
    await store.open_room("hall", Limits())
    numbers: list[int] = []
    waits_ms = []
    await asyncio.sleep(max(0, start - time.time()))
    while time.time() < start + seconds:
        knocks = [random.getrandbits(64) for _ in range(batch)]
        began = time.perf_counter()
        numbers += await store.join("hall", knocks, expires_ms=now_ms() + 60_000)
        waits_ms.append((time.perf_counter() - began) * 1000)
    await store.close()
    return numbers, waits_ms


def contend(path: Path, *, processes: int, seconds: float, batch: int) -> Contention:
    """Run the processes side by side and gather what they saw."""
    start = time.time() + 0.5 + 0.3 * processes
    command = [sys.executable, "-m", "gateway.store.tests.contend", "--worker", str(path), "--start", str(start)]
    command += ["--seconds", str(seconds), "--batch", str(batch)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(processes)]
    answers = [json.loads(process.communicate(timeout=60 + seconds)[0]) for process in started]
    return Contention([numbers for numbers, _ in answers], sorted(w for _, waits in answers for w in waits), seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--start", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        seen = asyncio.run(join_for(arguments.worker, arguments.start, arguments.seconds, arguments.batch))
        sys.stdout.write(json.dumps(seen))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queue.db"
        found = contend(path, processes=arguments.processes, seconds=arguments.seconds, batch=arguments.batch)
    sys.stdout.write(found.report() + "\n")


if __name__ == "__main__":
    main()
