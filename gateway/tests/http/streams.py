"""Is streaming in constant memory, and does it survive bad clients and bad backends? `python -m` this prints a table.

Ends with 1 if a bound is broken. Takes a few minutes, two cores, some 200 MiB, and 4,096 open files in each process.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import uvloop

from gateway.tests.http.streaming import bodies, held, rude, stopping
from gateway.tests.http.streaming.backends import ROUTES
from gateway.tests.http.streaming.flow import MIB
from gateway.tests.http.streaming.site import Figure, raise_file_limit, site

FILES: Final = 4096
DRAIN_S: Final = 10.0

Scenario = Callable[[Path], Awaitable[list[Figure]]]


async def one_long_body(folder: Path) -> list[Figure]:
    async with site(folder, ROUTES) as (gate, _):
        return await bodies.one_at_a_time(gate, 1024 * MIB)


async def many_slow_bodies(folder: Path) -> list[Figure]:
    figures = []
    for way in ("down", "up"):
        async with site(folder / way, ROUTES) as (gate, backend):
            crowd = bodies.slow_crowd(gate, backend, way, streams=50, size=200 * MIB, burst=8 * MIB, pause_s=1.5)
            figures += await crowd
    return figures


async def clients_that_go(folder: Path) -> list[Figure]:
    async with site(folder, ROUTES, **rude.FAR) as (gate, backend):
        return await rude.gone_clients(gate, backend) + await rude.gone_while_held_back(gate, backend)


async def clients_that_stall(folder: Path) -> list[Figure]:
    async with site(folder, ROUTES, **rude.NEAR) as (gate, backend):
        return await rude.stalling_clients(gate, backend)


async def backends_that_stall(folder: Path) -> list[Figure]:
    async with site(folder, ROUTES, **rude.NEAR) as (gate, _):
        return await rude.bad_backends(gate, drip=10, every_s=1)


async def websockets(folder: Path) -> list[Figure]:
    async with site(folder, ROUTES, gateway={"drain_s": DRAIN_S}) as (gate, backend):
        return await held.websockets(gate, backend, sockets=1000, rounds=5, drain_s=DRAIN_S)


async def event_streams(folder: Path) -> list[Figure]:
    return await held.event_streams(folder, streams=200, events=10)


async def idle_connections(folder: Path) -> list[Figure]:
    async with site(folder, ROUTES) as (gate, _):
        return await held.idle_connections(gate, 2000)


async def a_stop(folder: Path) -> list[Figure]:
    return [
        *await stopping.downloads_under_way(folder / "1", bodies=10, takes_s=5, drain_s=DRAIN_S),
        *await stopping.uploads_under_way(folder / "2", bodies=10, takes_s=5, drain_s=DRAIN_S),
        *await stopping.endless_under_way(folder / "3", drain_s=DRAIN_S),
        *await stopping.tail_under_way(folder / "5", drain_s=DRAIN_S),
        *await stopping.one_of_two_workers(folder / "4", bodies=10, takes_s=5, drain_s=DRAIN_S),
    ]


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "one": one_long_body,
    "many": many_slow_bodies,
    "gone": clients_that_go,
    "stall": clients_that_stall,
    "backends": backends_that_stall,
    "websockets": websockets,
    "events": event_streams,
    "idle": idle_connections,
    "stop": a_stop,
}


async def run(names: list[str]) -> int:
    """Run these scenarios and print what they measured. How many bounds were broken."""
    broken = 0
    with tempfile.TemporaryDirectory(prefix="streams-") as folder:
        for name in names:
            for figure in await SCENARIOS[name](Path(folder) / name):
                broken += not figure.kept
                mark = "" if figure.kept else "BROKEN"
                print(f"{figure.what:<76} {figure.value:>22}  {figure.bound:<16} {mark}", flush=True)
            print()
    return broken


def main() -> int:
    if (files := raise_file_limit()) < FILES:
        print(f"{files} open files are not enough: {FILES} are needed (ulimit -Hn)")
        return 2
    names = sys.argv[1:] or list(SCENARIOS)
    if unknown := set(names) - set(SCENARIOS):
        print(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
        return 2
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        broken = runner.run(run(names))
    print(f"{broken} bounds broken" if broken else "every bound kept")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
