"""What gateways ask of the server in a second, and how much of its one core each question takes."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from gateway.edge.line import Line
from gateway.settings import Room
from gateway.store.base import Admitted, Claim, PassRef
from gateway.store.batching import BatchingStore
from gateway.tests.capacity.filled import EPOCH, KNOCK_MS, LIMITS, ROOM, call, enter, fill_window, join, opened
from gateway.tests.redis.process import Kind
from gateway.tests.redis.servers import RedisServer

# How many people a gateway's batch has: of one that is idle, and of one that is busy.
BATCHES: Final = (1, 32)
ASKED: Final = 6_400
# For the settings file's sake: the same as the room was opened with.
_CONFIG: Final = Room.model_validate(
    {
        "name": ROOM,
        "total_active_users": LIMITS.total_active_users,
        "new_users_per_minute": LIMITS.new_users_per_minute,
    }
)


@dataclass(frozen=True, slots=True)
class Idle:
    """Gateways whose visitors ask nothing: scripts and bytes a second, and the part of a core."""

    gateways: int
    scripts_per_s: float
    sent_per_s: float
    cpu: float

    def report(self) -> str:
        return (
            f"{self.gateways:2} gateways at rest: {self.scripts_per_s:.0f} scripts/s, "
            f"{self.sent_per_s / 1000:.0f} kB/s sent, {self.cpu:.1%} of a core"
        )


async def idle(server: RedisServer, gateways: int, *, seconds: float) -> Idle:
    async with AsyncExitStack() as stack:
        for _ in range(gateways):
            store = await stack.enter_async_context(opened(server))
            line = Line(_CONFIG, BatchingStore(store), secure=False)
            await line.start()
            await stack.enter_async_context(_running(line))
        await asyncio.sleep(1)
        begun = _Spent.of(server)
        await asyncio.sleep(seconds)
        spent = _Spent.of(server).since(begun)
    return Idle(gateways, spent.scripts / spent.at_s, spent.sent / spent.at_s, spent.cpu_s / spent.at_s)


async def questions(kind: Kind) -> dict[str, float]:
    """Milliseconds of the server's time for a thousand people, by what they ask, and how many at once."""
    with RedisServer(kind) as server:
        async with opened(server) as store:
            await join(store, 100_000)
            await call(store, 100_000)
            await enter(store, 50_001, 40_000)
            expires_ms = (await store.load(ROOM)).now_ms + KNOCK_MS
            found = {}
            places = iter(range(1, 50_000))
            for batch in BATCHES:
                refs: list[PassRef] = []

                async def ask_claim(batch: int = batch, refs: list[PassRef] = refs) -> None:
                    claims = [Claim(EPOCH, next(places), "p" * 16) for _ in range(batch)]
                    answers = await store.claim(ROOM, claims)
                    assert all(isinstance(answer, Admitted) for answer in answers)
                    refs += [PassRef(EPOCH, claim.place, claim.pass_id) for claim in claims]

                async def ask_renew(batch: int = batch, refs: list[PassRef] = refs) -> None:
                    assert all(await store.renew(ROOM, refs[:batch]))

                async def ask_number(batch: int = batch) -> None:
                    await store.join(ROOM, [random.getrandbits(63) for _ in range(batch)], expires_ms=expires_ms)

                for name, ask in (("join", ask_number), ("claim", ask_claim), ("renew", ask_renew)):
                    found[f"{name}, {batch} at once"] = await _cost(server, ask, ASKED // batch) / ASKED * 1000 * 1000
            return found


async def waits(kind: Kind, *, claims: int) -> dict[str, list[float]]:
    """How long each of so many claims takes, one after the other, in milliseconds and sorted: without a replica's word,
    and with it."""
    with RedisServer(kind) as primary, RedisServer(kind, replica_of=primary) as replica:
        replica.wait_for_primary()
        found = {}
        for number, options in enumerate(("", "min_replicas=1")):
            async with opened(primary, options=options) as store:
                await join(store, claims)
                await call(store, (number + 1) * claims)
                took = []
                for place in range(number * claims + 1, (number + 1) * claims + 1):
                    begun_s = time.perf_counter()
                    (answer,) = await store.claim(ROOM, [Claim(EPOCH, place, "p" * 16)])
                    took.append((time.perf_counter() - begun_s) * 1000)
                    assert isinstance(answer, Admitted)
                found[options or "min_replicas=0"] = sorted(took)
        return found


async def fill(server: RedisServer, *, waiting: int, passes: int) -> None:
    """A room as full as they come, in which nobody is called any more."""
    async with opened(server) as store:
        await join(store, waiting + passes)
        await call(store, passes)
        await enter(store, 1, passes)
        await fill_window(store)
        await store.update_settings(ROOM, {"new_users_per_minute": 0}, expected_version=None)


async def _cost(server: RedisServer, ask: Callable[[], Awaitable[Any]], times: int) -> float:
    begun = _Spent.of(server)
    for _ in range(times):
        await ask()
    return _Spent.of(server).since(begun).cpu_s


@asynccontextmanager
async def _running(line: Line) -> AsyncIterator[None]:
    task = asyncio.create_task(line.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _Spent:
    """What the server has done since it was started."""

    at_s: float
    cpu_s: float
    scripts: int
    sent: int

    @classmethod
    def of(cls, server: RedisServer) -> "_Spent":
        info = server.info()
        scripts = sum(int(info.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("evalsha", "eval"))
        cpu_s = float(info["used_cpu_user"]) + float(info["used_cpu_sys"])
        return cls(time.monotonic(), cpu_s, scripts, int(info["total_net_output_bytes"]))

    def since(self, begun: "_Spent") -> "_Spent":
        return _Spent(
            self.at_s - begun.at_s, self.cpu_s - begun.cpu_s, self.scripts - begun.scripts, self.sent - begun.sent
        )
