"""A provider that invents its answers, as slow and as unreliable as it is told to be.

Nothing leaves the machine. Everyone who is asked for exists; how long that takes, how often it fails and how many are
asked for at once are settings, because a rehearsal with an instant identity check rehearses nothing.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from booking.errors import IdentityRefused, IdentityUnavailable
from booking.identity.base import Light, Subject
from booking.person import Person, same_person
from booking.settings import SimulatedMethod

# Of so many last checks, the share that failed makes a method "down".
REMEMBERED: Final = 20
DOWN_SHARE: Final = 0.5
# Judged on fewer, one unlucky visitor would close a method for all.
JUDGED_FROM: Final = 5
# From this share of its capacity on, a method is "busy".
BUSY_SHARE: Final = 0.8
_PERCENT: Final = 100

Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class _Method:
    settings: SimulatedMethod
    seats: asyncio.Semaphore
    under_way: int = 0
    failed: deque[bool] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


class SimulatedIdentity:
    """As `IdentityProvider` promises. sleep, chance: of a test's own."""

    def __init__(
        self,
        methods: Mapping[str, SimulatedMethod],
        *,
        timeout_s: float,
        sleep: Sleep = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """timeout_s: the longest a visitor waits for one check, standing in its queue included."""
        self._methods = {name: _Method(each, asyncio.Semaphore(each.capacity)) for name, each in methods.items()}
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._chance = chance

    @property
    def methods(self) -> Sequence[str]:
        return tuple(self._methods)

    def light(self, method: str) -> Light:
        it = self._methods[method]
        if len(it.failed) >= JUDGED_FROM and sum(it.failed) >= DOWN_SHARE * len(it.failed):
            return Light.DOWN
        return Light.BUSY if it.under_way >= BUSY_SHARE * it.settings.capacity else Light.FREE

    async def verify(self, method: str, person: Person) -> Subject:
        it = self._methods[method]
        await self._ask(it)
        if self._happens(it.settings.refusal_percent):
            raise IdentityRefused("the provider does not confirm this person")
        return Subject(same_person(person))

    async def find(self, person: Person) -> Subject:
        """At once: the register is not the bottleneck."""
        return Subject(same_person(person))

    async def _ask(self, it: _Method) -> None:
        it.under_way += 1
        try:
            async with asyncio.timeout(self._timeout_s), it.seats:
                await self._sleep(it.settings.latency_ms * (0.5 + self._chance()) / 1000)
        except TimeoutError:
            it.failed.append(True)
            raise IdentityUnavailable("the provider did not answer in time") from None
        finally:
            # A visitor who went away says nothing about the provider: nothing is noted then.
            it.under_way -= 1
        fails = self._happens(it.settings.failure_percent)
        it.failed.append(fails)
        if fails:
            raise IdentityUnavailable("the provider failed")

    def _happens(self, percent: float) -> bool:
        return self._chance() * _PERCENT < percent


if TYPE_CHECKING:
    from booking.identity.base import IdentityProvider

    _conforms: type[IdentityProvider] = SimulatedIdentity
