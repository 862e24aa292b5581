"""A crowd in virtual time in front of the real policy and the real SQLite store.

People stand in line from the start; the called ones come within seconds (their page asks every two), some of them much
later, and a share never. Who is inside stays for a while and leaves. Nothing sleeps: the store's clocks are ours.
"""

import asyncio
import heapq
import random
from dataclasses import dataclass, field
from pathlib import Path

from gateway.room.model import Limits
from gateway.room.policy import plan_tick
from gateway.store.base import Admitted, AtDoor, Claim, PassRef, Spent
from gateway.store.sqlite import SqliteStore

TICK_MS = 200
POLL_MS = 2_000
START_MS = 1_626_692_400_000  # 19 July 2021, 20:00 in Korea


@dataclass
class Crowd:
    """How people behave. Shares are parts of one; times in milliseconds."""

    no_show: float
    stay_mean_ms: int
    dawdle: float = 0.1
    dawdle_mean_ms: int = 30_000


@dataclass
class Result:
    """Samples once per tick after the warm-up: `live` passes; every admission's time."""

    live: list[int] = field(default_factory=list)
    most_live: int = 0
    admitted_ms: list[int] = field(default_factory=list)
    places_admitted: list[int] = field(default_factory=list)

    def used(self, ceiling: int) -> float:
        """Mean share of the ceiling that was in use."""
        return sum(self.live) / len(self.live) / ceiling


async def simulate(
    path: Path, limits: Limits, crowd: Crowd, *, waiting: int, minutes: int, warm_up_ms: int, seed: int
) -> Result:
    """Run the room for `minutes` with `waiting` people in line from the start."""
    rng = random.Random(seed)
    now = START_MS
    store = SqliteStore(path, first_epoch=1, wall_ms=lambda: now, mono_ms=lambda: now - START_MS, boot_id="simulation")
    await store.open_room("r", limits)
    await store.join("r", [None] * waiting, expires_ms=now)
    result = Result()
    comes: list[tuple[int, int]] = []  # (when, place), of called people on their way
    leaves: list[tuple[int, int, str]] = []
    called = 0
    while now < START_MS + minutes * 60_000:
        now += TICK_MS
        snapshot = await store.load("r")
        _, snapshot = await store.commit("r", plan_tick(snapshot, snapshot.now_ms), snapshot.tick)
        for place in range(called + 1, snapshot.serving + 1):
            if rng.random() >= crowd.no_show:
                delay = rng.uniform(0, POLL_MS)
                if rng.random() < crowd.dawdle:
                    delay += rng.expovariate(1 / crowd.dawdle_mean_ms)
                heapq.heappush(comes, (now + int(delay), place))
        called = snapshot.serving
        gone = []
        while leaves and leaves[0][0] <= now:
            _, place, pass_id = heapq.heappop(leaves)
            gone.append(PassRef(1, place, pass_id))
        if gone:
            await store.complete("r", gone, reason="completed")
        here = []
        while comes and comes[0][0] <= now:
            here.append(heapq.heappop(comes)[1])
        if here:
            answers = await store.claim("r", [Claim(1, place, f"p{place}-{now}") for place in here])
            for place, answer in zip(here, answers, strict=True):
                match answer:
                    case Admitted(grant):
                        stay = int(rng.expovariate(1 / crowd.stay_mean_ms))
                        heapq.heappush(leaves, (now + stay, place, grant.pass_id))
                        result.admitted_ms.append(now)
                        result.places_admitted.append(place)
                    case AtDoor():
                        heapq.heappush(comes, (now + POLL_MS, place))
                    case other:
                        assert not isinstance(other, Spent), f"place {place} was used twice"
                        raise AssertionError(f"place {place}: {other}")
        live = (await store.load("r")).live
        result.most_live = max(result.most_live, live)
        if now > START_MS + warm_up_ms:
            result.live.append(live)
    await store.close()
    return result


def run(path: Path, limits: Limits, crowd: Crowd, **options: int) -> Result:
    """`simulate`, from synchronous code."""
    return asyncio.run(simulate(path, limits, crowd, **options))
