"""Many gateways tick one room at once, on one real server, while a crowd stands at its door.

    python -m gateway.store.tests.many_gateways --gateways 1000 --seconds 10

Each gateway is a store of its own, with its own connection, clock and memory of the line.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

from gateway.room.model import USER_CREDIT, Limits, Snapshot
from gateway.room.policy import plan_tick
from gateway.store.base import Admitted, AtDoor, Claim, StoreUnavailable
from gateway.store.redis import RedisStore
from gateway.store.redis_nodes import Access
from gateway.store.redis_url import parse_redis_url
from gateway.store.tests.plans import idle_plan
from gateway.tests.redis.fixtures import fresh_name
from gateway.tests.redis.process import Kind
from gateway.tests.redis.servers import RedisServer

ROOM: Final = "hall"
# Ten users a second: not a whole number of them for any tick.
LIMITS: Final = Limits(total_active_users=10**6, new_users_per_minute=613)
TICK_S: Final = 0.2
# Of the crowd, how many ask at once, and how far ahead of those who were let in.
ASKING: Final = 50


@dataclass(frozen=True, slots=True)
class Watched:
    """before, after: the line around the time in which all ticked. passes: place -> each pass that it was told of.

    said: what commits were told. server_ms: the time that passed on the server's own clock, around all of it.
    """

    before: Snapshot
    after: Snapshot
    passes: dict[int, set[str]]
    said: Counter[str]
    server_ms: int

    @property
    def ticked_ms(self) -> int:
        """The time that ticks have counted; each counts its own part of it."""
        return self.after.pass_clock_ms - self.before.pass_clock_ms

    @property
    def earned(self) -> int:
        """Credit, of one gateway that ticked alone."""
        return self.before.credit + LIMITS.new_users_per_minute * self.ticked_ms

    @property
    def let_in(self) -> int:
        """Admitted, and with a seat kept: both are paid for."""
        since = self.after.counters["admitted"] - self.before.counters.get("admitted", 0)
        return since + self.after.lane_granted - self.before.lane_granted

    def report(self) -> str:
        return (
            f"{self.said['done']} ticks in {self.ticked_ms / 1000:.2f} s of the line's clock "
            f"({self.server_ms / 1000:.2f} s of the server's), {self.said['late']} came too late, "
            f"{self.said['unanswered']} without an answer; let in {self.let_in}, earned {self.earned / USER_CREDIT:.3f}"
        )


async def crowd_at_the_door(store: RedisStore, people: int) -> Snapshot:
    """So many are called and come while there is no credit: whoever is let in from now on is so by a tick's credit."""
    await store.open_room(ROOM, LIMITS)
    await store.join(ROOM, [None] * people, expires_ms=10**15)
    snapshot = await store.load(ROOM)
    done, snapshot = await store.commit(ROOM, idle_plan(snapshot, admitting=True, serve_to=people), snapshot.tick)
    assert done
    answers = await store.claim(ROOM, [Claim(snapshot.epoch, place, "early") for place in range(1, people + 1)])
    assert set(answers) == {AtDoor()}
    return await store.load(ROOM)


async def tick(store: RedisStore, until_s: float, every_s: float, said: Counter[str]) -> None:
    """As a gateway does; `every_s` 0 for as fast as it can."""
    while time.monotonic() < until_s:
        try:
            snapshot = await store.load(ROOM)
            done, _ = await store.commit(ROOM, plan_tick(snapshot, snapshot.now_ms), snapshot.tick)
            said["done" if done else "late"] += 1
        except StoreUnavailable:
            said["unanswered"] += 1
        await asyncio.sleep(every_s)


async def claim(store: RedisStore, who: str, epoch: int, until_s: float, passes: dict[int, set[str]]) -> None:
    """The lowest of the crowd who are not in ask, at this gateway too, and again and again."""
    first = 1
    while time.monotonic() < until_s:
        asked = [Claim(epoch, place, f"{who}-{place}") for place in range(first, first + ASKING)]
        for question, answer in zip(asked, await store.claim(ROOM, asked), strict=True):
            if isinstance(answer, Admitted):
                passes.setdefault(question.place, set()).add(answer.grant.pass_id)
                first = max(first, question.place - ASKING // 2)
        await asyncio.sleep(0.05)


async def watch(server: RedisServer, gateways: int, seconds: float, every_s: float = TICK_S) -> Watched:
    """every_s: between two ticks of one gateway; they are not spread over it, and tick at the same moments."""
    url = parse_redis_url(f"{server.url}?prefix={fresh_name()}")
    stores = [RedisStore(url, Access(timeout_s=10), mend_patience_ms=0) for _ in range(gateways)]
    # More than would come in if nothing limited them by ten times, so that the door is never empty.
    people = ASKING + int(10 * (seconds + 2) * LIMITS.new_users_per_minute / 60)
    before = await crowd_at_the_door(stores[0], people)
    for store in stores[1:]:
        await store.open_room(ROOM, LIMITS)
    said: Counter[str] = Counter()
    passes: dict[int, set[str]] = {}
    began_ms = before.now_ms
    until_s = time.monotonic() + seconds
    await asyncio.gather(
        *(tick(store, until_s, every_s, said) for store in stores),
        *(claim(store, str(n), before.epoch, until_s, passes) for n, store in enumerate(stores[:3])),
    )
    after = await stores[-1].load(ROOM)
    for store in stores:
        await store.close()
    return Watched(before, after, passes, said, after.now_ms - began_ms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateways", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--every", type=float, default=TICK_S, help="seconds between two ticks of one gateway")
    parser.add_argument("--server", choices=["redis", "valkey"], default="redis")
    given = parser.parse_args()
    kind: Kind = given.server
    with RedisServer(kind) as server:
        commands = int(server.info("stats")["total_commands_processed"])
        watched = asyncio.run(watch(server, given.gateways, given.seconds, given.every))
        commands = int(server.info("stats")["total_commands_processed"]) - commands
    sys.stdout.write(f"{given.gateways} gateways: {watched.report()}; {commands / given.seconds:,.0f} commands/s\n")


if __name__ == "__main__":
    main()
