"""Measure, and print a table. Takes ten minutes and some hundred megabytes; with --part, less."""

import argparse
import asyncio

from gateway.tests.capacity import memory, rates, slow
from gateway.tests.redis.process import Kind
from gateway.tests.redis.servers import RedisServer

WAITING = 6_000_000
INSIDE = 300_000
KNOCKS = 1_000_000
TESTIMONY = 100_000
EXPIRING = 5_000


async def show_memory(kind: Kind, scale: int) -> None:
    found = await memory.measure(kind, waiting=WAITING // scale, passes=INSIDE // scale, knocks=KNOCKS // scale)
    print(found.report(), flush=True)


async def show_rates(kind: Kind, scale: int) -> None:
    for words, full in (("an empty room", False), (f"{INSIDE // scale:,} inside, 1,200 calls", True)):
        with RedisServer(kind) as server:
            if full:
                await rates.fill(server, waiting=WAITING // scale, passes=INSIDE // scale)
            for gateways in (1, 10):
                print(f"{kind:7} {words}: {(await rates.idle(server, gateways, seconds=10)).report()}", flush=True)
    for name, cost_ms in (await rates.questions(kind)).items():
        print(f"{kind:7} {name}: a thousand a second take {cost_ms / 1000:.1%} of a core", flush=True)


async def show_waits(kind: Kind, scale: int) -> None:
    for name, took in (await rates.waits(kind, claims=10_000 // scale)).items():
        p50, p99 = (took[int(len(took) * part)] for part in (0.5, 0.99))
        print(f"{kind:7} a claim with {name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, worst {took[-1]:.1f} ms", flush=True)


async def show_slow(kind: Kind, scale: int) -> None:
    times = await slow.full_room(kind, waiting=WAITING // scale, passes=INSIDE // scale, expiring=EXPIRING)
    print(f"{kind:7} longest of each script: {_times(times)}", flush=True)
    times, took_s = await slow.lost_server(kind, waiting=WAITING // scale, passes=TESTIMONY // scale)
    print(f"{kind:7} telling an empty server of {TESTIMONY // scale:,} inside: {took_s:.1f} s in all, {_times(times)}")


def _times(times: slow.Times) -> str:
    return ", ".join(f"{name} {took_ms:.1f} ms" for name, took_ms in times.items())


PARTS = {"memory": show_memory, "rates": show_rates, "waits": show_waits, "slow": show_slow}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gateway.tests.capacity", description=__doc__)
    parser.add_argument("--part", choices=sorted(PARTS), action="append", help="only this; may be given several times")
    parser.add_argument("--kind", choices=("redis", "valkey"), action="append", help="only this server")
    parser.add_argument("--scale", type=int, default=1, help="so many times fewer people")
    given = parser.parse_args()
    for part in given.part or PARTS:
        for kind in given.kind or ("redis", "valkey"):
            asyncio.run(PARTS[part](kind, given.scale))


if __name__ == "__main__":
    main()
