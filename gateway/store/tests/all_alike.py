"""What a process asks, all of its stores are asked, and must answer alike.

There are two processes, each with a handle of every store. Below, `line_machine` has what is done to them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from gateway.room.model import Limits, Snapshot
from gateway.store.base import QueueStore
from gateway.store.tests.line_model import LineModel
from gateway.store.tests.sides import ROOM, Clocks, Side

T = TypeVar("T")


def bare(answer: Any, repairs: int = 0) -> Any:
    """What stores must agree on: all but the time, which each has from its own clock, and the secret.

    repairs: ticks by which the store is ahead, because gateways have told a new server what it had forgotten.
    """
    match answer:
        case Snapshot():
            absent = answer.absent.rstrip(b"\0")
            tick = answer.tick - repairs
            return replace(answer, tick=tick, now_ms=0, last_tick_ms=0, draw_secret="", absent=absent)
        case list() | tuple():
            return [bare(each, repairs) for each in answer]
    return answer


class AllAlike(RuleBasedStateMachine):
    """sides: makes the stores, on these clocks; the first is not harmed by anything."""

    def __init__(self, sides: Callable[[Clocks], Sequence[Side]]) -> None:
        super().__init__()
        self.clocks = Clocks(wall_ms=time.time_ns() // 1_000_000)
        self.sides = sides(self.clocks)
        self.runner = asyncio.Runner()
        self.processes: list[list[QueueStore]] = []
        self.losing = False
        # Of each side: by how many ticks it is ahead of the first.
        self.repairs = [0] * len(self.sides)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def ask(
        self, which: int, question: Callable[[QueueStore], Awaitable[T]], expected: Callable[[], Any] = lambda: None
    ) -> tuple[T, Any]:
        """What all stores answer to a process, and what the model expects. If the answer is lost, it is asked again."""

        async def heard(store: QueueStore) -> T:
            return await question(store)

        stores = self.processes[which]
        if self.losing:
            self.losing = False
            for side, store in zip(self.sides, stores, strict=True):
                self.run(side.unheard(store, heard))
            expected()
        answers = [self.run(heard(store)) for store in stores]
        for answer, repairs in zip(answers, self.repairs, strict=True):
            assert bare(answer, repairs) == bare(answers[0])
        return answers[0], expected()

    def everywhere(self, name: str) -> None:
        for number, side in enumerate(self.sides):
            self.run(getattr(side, name)([process[number] for process in self.processes]))
        ticks = [self.run(store.load(ROOM)).tick for store in self.processes[0]]
        repairs = [tick - ticks[0] for tick in ticks]
        # None is ever taken back: a plan made before it must not be carried out.
        assert all(after >= before for before, after in zip(self.repairs, repairs, strict=True))
        self.repairs = repairs

    def open(self) -> list[QueueStore]:
        stores = [side.open() for side in self.sides]
        for side, store in zip(self.sides, stores, strict=True):
            assert self.run(store.open_room(ROOM, self.limits)).limits == self.model.limits
            self.run(side.opened(store))
        return stores

    @initialize(
        ceiling=st.integers(1, 6),
        # A renewal is written down from a tenth of it on.
        idle_ms=st.integers(1, 5).map(lambda tenth: 10 * tenth) | st.integers(1, 50),
        session_ms=st.integers(1, 200),
        unserved_ms=st.integers(0, 100),
    )
    def begin(self, ceiling: int, idle_ms: int, session_ms: int, unserved_ms: int) -> None:
        self.limits = Limits(
            total_active_users=ceiling, idle_limit_ms=idle_ms, session_length_ms=session_ms,
            unserved_limit_ms=unserved_ms,
        )  # fmt: skip
        self.model = LineModel(self.limits)
        self.passes_of: dict[tuple[int, int], str] = {}
        self.numbers: set[tuple[int, int]] = set()
        self.last_now_ms: dict[QueueStore, int] = {}
        self.last_live = self.last_taken = 0
        self.processes = [self.open(), self.open()]
        self.crowd()

    def crowd(self) -> None:
        """What every room begins with."""
        raise NotImplementedError

    @invariant()
    def agree(self) -> None:
        for stores in self.processes:
            for store in stores:
                seen = self.run(store.load(ROOM))
                self.model.check(seen)
                # A lowered ceiling sends nobody out, and lets nobody in.
                ceiling = self.model.limits.total_active_users
                assert seen.live <= max(ceiling, self.last_live)
                assert seen.live + seen.lane_granted <= max(ceiling, self.last_taken)
                assert seen.now_ms >= max(self.last_now_ms.get(store, 0), seen.last_tick_ms)
                self.last_now_ms[store] = seen.now_ms
        self.last_live, self.last_taken = len(self.model.inside()), len(self.model.inside()) + len(self.model.kept())

    def teardown(self) -> None:
        for stores in self.processes:
            for store in stores:
                self.run(store.close())
        self.runner.close()
        for side in self.sides:
            side.close()
