"""A scenario on a store: from its place to what the evening came to."""

import asyncio
import gc
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gateway.room.model import Limits
from gateway.simulate.checks import Broken
from gateway.simulate.evening import Evening, Watch
from gateway.simulate.loop import AtOnce
from gateway.simulate.record import Outcome, shares, true_waits
from gateway.simulate.scenario import MINUTE, Scenario
from gateway.simulate.server import Kind, running
from gateway.simulate.stage import Stage, on_redis, on_sqlite
from shared.clock import now_ms

# Estimates are told in the report by parts of the evening of so long.
PART_MS: Final = 5 * MINUTE
# Objects made before garbage is looked for, as of `gc.set_threshold`.
GARBAGE: Final = (50_000, 50, 1_000)
_MEMORY_DISK: Final = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


def play(scenario: Scenario, store: str, watch: Watch, *, wrap: Callable[[Stage], None] | None = None) -> Outcome:
    """store: `sqlite`, `redis` or `valkey`. wrap: lays hands on the stage before the evening, for tests.

    Raises `NoServer` where there is no such server, and `StoreError`.
    """
    begun_s, before = time.monotonic(), _processor_s()
    with _seldom_tidied(), asyncio.Runner(loop_factory=AtOnce) as runner:
        evening, broken = runner.run(_play(scenario, store, watch, wrap))
    spent = {"wall_s": time.monotonic() - begun_s}
    spent |= {name: after - before[name] for name, after in _processor_s().items()}
    return _outcome(evening, store, broken, spent)


@contextmanager
def _seldom_tidied() -> Iterator[None]:
    """Hundreds of thousands are inside, and there are no circles among them to look for again and again."""
    usual = gc.get_threshold()
    gc.set_threshold(*GARBAGE)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


async def _play(
    scenario: Scenario, store: str, watch: Watch, wrap: Callable[[Stage], None] | None
) -> tuple[Evening, Broken | None]:
    async with _stage(scenario, store) as stage:
        if wrap is not None:
            wrap(stage)
        evening = Evening(scenario, stage, watch)
        try:
            await evening.play()
        except Broken as broken:
            return evening, broken
        return evening, None


@asynccontextmanager
async def _stage(scenario: Scenario, store: str) -> AsyncIterator[Stage]:
    def limits(origin_ms: int) -> Limits:
        return replace(scenario.limits, opens_at_ms=origin_ms + scenario.opens_ms)

    folder = _MEMORY_DISK if _MEMORY_DISK.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="sunbeon-evening-", dir=folder) as place:
        opened: AbstractAsyncContextManager[Stage]
        if store == "sqlite":
            opened = on_sqlite(Path(place) / "line.db", limits, scenario.begins_ms, scenario.gateways)
            async with opened as stage:
                yield stage
            return
        with running(Kind(store), Path(place)) as url:
            async with on_redis(url, limits, now_ms(), scenario.gateways) as stage:
                yield stage


def _outcome(evening: Evening, store: str, broken: Broken | None, spent: dict[str, float]) -> Outcome:
    scenario, polls, course = evening.scenario, evening.polls, evening.course
    waiting, inside = evening.waiting, evening.inside
    totals = {
        **evening.totals,
        "numbers": waiting.tail,
        "called": waiting.serving,
        "admitted": inside.admitted,
        "left": waiting.left,
        "polls": polls.asked,
        "polls every five seconds": round(polls.fixed),
    }
    return Outcome(
        scenario=_told(scenario),
        store=store,
        points=course.points,
        peaks=course.peaks,
        most_waiting=course.most_waiting,
        most_inside=course.most_inside,
        totals=totals,
        tricks=dict(evening.cheats.tried),
        refused=dict(evening.cheats.refused),
        polls_by_wait=dict(polls.by_band),
        grades=shares(polls.told, polls.called_ms, evening.versions),
        waits=true_waits(polls.told, polls.called_ms, evening.versions, PART_MS * scenario.steps // 18_000 or MINUTE),
        checks=dict(evening.checks.done),
        digest=evening.digest,
        spent=spent,
        broken=None if broken is None else {"check": broken.check, "at_ms": broken.at_ms, "told": broken.told},
    )


def _told(scenario: Scenario) -> dict[str, Any]:
    names = ("name", "begins_ms", "ends_ms", "opens_ms", "fails_ms", "postponed_ms", "reopens_ms", "arrivals")
    found: dict[str, Any] = {
        name: getattr(scenario, name) for name in (*names, "gateways", "step_ms", "seed", "times_faster")
    }
    return found | {
        "ceiling": scenario.limits.total_active_users,
        "outflow": scenario.limits.new_users_per_minute,
        "claim_window_ms": scenario.limits.claim_window_ms,
    }


def _processor_s() -> dict[str, float]:
    """Of this process, and of the servers it started and that have ended."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"program_cpu_s": own.ru_utime + own.ru_stime, "server_cpu_s": others.ru_utime + others.ru_stime}
