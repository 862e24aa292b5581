"""A crowd: people who come, wait, are inside for a while and leave, and write down every answer they get.

They do not do as the waiting page does, which asks seldom while the store is away: they keep asking, so that everything
that happens meanwhile is seen.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from gateway.edge.tests.front import Visitor

# How often who waits asks for the status, and who is inside for a page.
STATUS_EVERY_S: Final = 1.5
PAGE_EVERY_S: Final = 1.0
# How long people stay: some as long as any outage, and every seat that comes free meanwhile does so at once after it.
STAY_S: Final = (2.0, 12.0)


class Stage(StrEnum):
    COMING = "coming"
    WAITING = "waiting"
    INSIDE = "inside"
    LEAVING = "leaving"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer. stage: of the person as they asked. gate: the gate's word; None if the backend answered.

    facts: of a status answer.
    """

    stage: Stage
    asked_s: float
    took_s: float
    status: int
    gate: str | None
    facts: dict[str, Any] | None = None


@dataclass(slots=True)
class Person:
    """admitted_s: when told to be inside; asked_s: when that was asked. numbers: all that were told."""

    name: str
    visitor: Visitor
    stage: Stage = Stage.COMING
    heard: list[Heard] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)
    admitted_s: float | None = None
    asked_s: float | None = None

    async def live(self) -> None:
        while self.stage is not Stage.GONE:
            match self.stage:
                case Stage.COMING:
                    await self._come()
                case Stage.WAITING:
                    await self._wait()
                case Stage.INSIDE:
                    await self._stay()
                case Stage.LEAVING:
                    await self._leave()

    async def _come(self) -> None:
        heard = await self._ask("GET", f"/{self.name}")
        if heard.gate is None and heard.status == 200:
            self._enter(heard)
        elif heard.gate == "waiting":
            self.stage = Stage.WAITING
        else:
            await asyncio.sleep(STATUS_EVERY_S)

    async def _wait(self) -> None:
        heard = await self._ask("GET", "/_sunbeon/vaccine/status", is_status=True)
        if heard.facts is not None:
            if heard.facts["number"] is not None:
                self.numbers.add(heard.facts["number"])
            if heard.facts["state"] == "inside":
                self._enter(heard)
                return
        await asyncio.sleep(STATUS_EVERY_S * random.uniform(0.8, 1.2))

    async def _stay(self) -> None:
        assert self.admitted_s is not None
        until_s = self.admitted_s + random.uniform(*STAY_S)
        while time.monotonic() < until_s:
            await self._ask("GET", f"/{self.name}")
            await asyncio.sleep(PAGE_EVERY_S * random.uniform(0.8, 1.2))
        self.stage = Stage.LEAVING

    async def _leave(self) -> None:
        """As long as this cannot be done, they use the site. It may have been done though its answer was lost."""
        heard = await self._ask("POST", "/_sunbeon/vaccine/leave")
        if heard.status == 200 or (await self._ask("GET", f"/{self.name}")).gate is not None:
            self.stage = Stage.GONE
        else:
            await asyncio.sleep(PAGE_EVERY_S)

    async def _ask(self, method: str, target: str, *, is_status: bool = False) -> Heard:
        stage, begun_s = self.stage, time.monotonic()
        got = await self.visitor.ask(method, target, headers={"Accept": "application/json"} if is_status else None)
        facts = got.json() if is_status and got.status == 200 else None
        heard = Heard(stage, begun_s, time.monotonic() - begun_s, got.status, got.gate, facts)
        self.heard.append(heard)
        return heard

    def _enter(self, heard: Heard) -> None:
        self.stage, self.asked_s, self.admitted_s = Stage.INSIDE, heard.asked_s, time.monotonic()


class People:
    """All who ever came. ports: of the gateways; each person keeps to one, as balancers by address have it."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.everyone: list[Person] = []
        self.ports = list(ports)
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self, number: int, *, over_s: float) -> None:
        """So many more, evenly over that time."""
        for _ in range(number):
            name = f"p{len(self.everyone)}"
            person = Person(name, Visitor(self.ports[len(self.everyone) % len(self.ports)]))
            self.everyone.append(person)
            self._tasks.append(asyncio.create_task(person.live(), name=name))
            await asyncio.sleep(over_s / number)

    async def keep_coming(self, per_second: float) -> None:
        """Until cancelled."""
        while True:
            await self.come(1, over_s=1 / per_second)

    async def go_home(self) -> None:
        """Everyone stops where they are. Raises what went wrong with any of them."""
        broken = [task for task in self._tasks if task.done() and task.exception()]
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        faults = [end for end in ends if isinstance(end, Exception)]
        if broken or faults:
            raise AssertionError(f"{len(faults)} people met a fault: {faults[0]!r}") from faults[0]

    def at(self, stage: Stage) -> int:
        return sum(person.stage is stage for person in self.everyone)

    def admitted_since(self, moment_s: float) -> int:
        """Of `time.monotonic`."""
        return sum(person.admitted_s is not None and person.admitted_s > moment_s for person in self.everyone)
