"""How long joins wait while several processes all join as fast as they can.

    python -m gateway.store.tests.contend --processes 2 --seconds 3 --batch 64 [--store redis://...]

Each process joins in batches, one after the other, on one store: a file of its own, if none is named. Figures are of
single store calls, in milliseconds.
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
from itertools import count, islice
from pathlib import Path

from gateway.room.model import Limits
from gateway.store.open import open_store
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


async def join_for(url: str, seconds: float, batch: int) -> tuple[list[int], list[float]]:
    """Say that the store is open, and when told to, join in batches: the numbers, and how long each call took."""
    store = open_store(url, timeout_s=10)
    await store.open_room("hall", Limits())
    # As gateways hand them out.
    knock_ids = count(random.getrandbits(62))
    numbers: list[int] = []
    waits_ms = []
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        knocks = [*islice(knock_ids, batch)]
        began = time.perf_counter()
        numbers += await store.join("hall", knocks, expires_ms=now_ms() + 60_000)
        waits_ms.append((time.perf_counter() - began) * 1000)
    await store.close()
    return numbers, waits_ms


def contend(url: str, *, processes: int, seconds: float, batch: int) -> Contention:
    """Run the processes side by side and gather what they saw."""
    command = [sys.executable, "-m", "gateway.store.tests.contend", "--worker", url]
    command += ["--seconds", str(seconds), "--batch", str(batch)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(processes)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    answers = [json.loads(process.communicate(timeout=60 + seconds)[0]) for process in started]
    return Contention([numbers for numbers, _ in answers], sorted(w for _, waits in answers for w in waits), seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--store", help="its URL")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        seen = asyncio.run(join_for(arguments.worker, arguments.seconds, arguments.batch))
        sys.stdout.write(json.dumps(seen))
        return
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.store or f"sqlite:///{Path(folder) / 'queue.db'}"
        found = contend(url, processes=arguments.processes, seconds=arguments.seconds, batch=arguments.batch)
    sys.stdout.write(found.report() + "\n")


if __name__ == "__main__":
    main()
