"""One evening, step by step: the crowd asks, the store answers, every check is made. The only loop there is.

Each step ticks (now and then all gateways at once), and then does in batches what a gateway does for one visitor each:
ends and renews visits, lets in who was called and came, takes places back, gives numbers out, and turns cheats away.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, Final, TypeVar

from gateway.room.estimate import poll_at_door, poll_at_opening
from gateway.room.model import Snapshot
from gateway.room.postpone import postponed
from gateway.room.stay import INSIDE_S
from gateway.simulate.cheats import Cheats, pass_id
from gateway.simulate.checks import Books, Checks, Kept
from gateway.simulate.inside import Inside
from gateway.simulate.polls import Polls
from gateway.simulate.record import Course
from gateway.simulate.scenario import Scenario
from gateway.simulate.stage import ROOM, Stage
from gateway.simulate.waiting import Waiting
from gateway.store.base import Admitted, AtDoor, Claim, Held, PassRef, QueueStore, Served

# People asked about in one call of the store, at most.
BATCH: Final = 2_000
JOIN_BATCH: Final = 10_000
# All gateways plan for the same room in one of so many steps.
RACE_STEPS: Final = 10
# The sample of those who ask for themselves has about so many places in it...
SAMPLE: Final = 2_000
# ... or is one in so many, in a small one.
LEAST_SHARE: Final = 50
# In each step so many bring real knocks, and later bring them back once more.
KNOCKS: Final = 8
KNOCK_AGAIN_STEPS: Final = 20
KNOCK_MS: Final = 120_000
# Passes of which it is looked at closely what a postponement leaves of them.
KEPT_PASSES: Final = 500
# Counters are written once in so many steps, as gateways do.
COUNT_STEPS: Final = 5
# Of those who find no seat in a step, so many draw when to ask again, and the others do as they do.
DOOR_WAITS: Final = 16
# Places whose visits are over, kept to be tried again by cheats.
OVER: Final = 4_096

Watch = Callable[[int, Snapshot], None]
Q = TypeVar("Q")


class Evening:
    """watch: sees the moment and the room after each step, for a progress bar."""

    def __init__(self, scenario: Scenario, stage: Stage, watch: Watch) -> None:
        self.scenario = scenario
        self.stage = stage
        self.checks = Checks(scenario.arrivals)
        self._rng = random.Random(scenario.seed)  # noqa: S311 - an evening that can be repeated
        self.waiting = Waiting(scenario.habits, scenario.step_ms, self._rng)
        self.inside = Inside(scenario.habits, scenario.limits, self._rng)
        self.cheats = Cheats(random.Random(scenario.seed + 1), self.checks)  # noqa: S311
        self.polls = Polls(
            scenario.habits, scenario.step_ms, max(LEAST_SHARE, scenario.arrivals // SAMPLE), scenario.seed + 2
        )
        self.course = Course(scenario)
        self.totals: Counter[str] = Counter()
        self._watch = watch
        self._untold: Counter[str] = Counter()
        self._inside_ms = self._ended = 0
        self._over: list[int] = []
        self._knocks: dict[int, list[tuple[int, int]]] = {}
        self._digest = sha256()
        # Of each version of the settings that is over, the moment of the evening when it ended.
        self.versions: dict[int, int] = {}
        self._kept_passes: Sequence[PassRef] = ()

    @property
    def digest(self) -> str:
        """Of all that happened, in order: the same on every store."""
        return self._digest.hexdigest()[:16]

    async def play(self) -> None:
        """The whole of it. Raises `Broken` at the first check that does not hold."""
        for step in range(self.scenario.steps):
            at_ms = (step + 1) * self.scenario.step_ms
            self.stage.at_ms = self.checks.at_ms = at_ms
            self._watch(at_ms, await self._step(step, at_ms))

    async def _step(self, step: int, at_ms: int) -> Snapshot:
        moves = self.scenario.moves(at_ms)
        await self._operate(at_ms)
        before, after, won = await self.stage.tick(all_at_once=step % RACE_STEPS == 0)
        self.checks.ticked(before, after, won)
        # As `stay.spent_ms` counts it.
        self._inside_ms += before.live * (after.pass_clock_ms - before.pass_clock_ms)
        self.waiting.called(after.serving, step)
        await self._visits(after, step, at_ms)
        claims = await self._admit(after, step, moves=moves)
        left = self.waiting.leavers()
        await self._each(left, lambda store, part: store.leave(ROOM, [(after.epoch, place) for place in part]))
        joins = await self._join(after, step, at_ms)
        await self._cheat(after, at_ms)
        if step % COUNT_STEPS == 0:
            await self._count()
        room = await self.stage.turn().load(ROOM)
        waiting, inside = self.waiting, self.inside
        books = Books(waiting.tail, waiting.left_ahead, waiting.left, inside.admitted, self._ended)
        self.checks.looked(room, books, moves=moves)
        self._untold.update(self.polls.grades.grade(room))
        polls = self.polls.step(room, step, at_ms, waits=waiting.waits)
        self.course.add(room, at_ms, self.polls, admitted=inside.admitted, joins=joins, claims=claims, polls=polls)
        told = (room.serving, room.tail, room.live, room.lane_waiting, room.left_ahead, inside.admitted, self._ended)
        self._digest.update(repr(told).encode())
        return room

    async def _operate(self, at_ms: int) -> None:
        """What the operators do at this moment; a postponement must leave everything as it was."""
        scenario, step_ms = self.scenario, self.scenario.step_ms
        store = self.stage.turn()
        if scenario.postponed_ms <= at_ms < scenario.postponed_ms + step_ms:
            room = await store.load(ROOM)
            self._kept_passes = self.inside.some(KEPT_PASSES)
            patch = postponed(room.limits, room.now_ms, self.stage.origin_ms + scenario.reopens_ms)
            await store.update_settings(ROOM, patch, expected_version=room.limits.version)
            self.versions[room.limits.version] = at_ms
            self.checks.stopped(await self._kept())
        elif scenario.reopens_ms <= at_ms < scenario.reopens_ms + step_ms:
            self.checks.resumed(await self._kept())

    async def _kept(self) -> Kept:
        store = self.stage.turn()
        room = await store.load(ROOM)
        grants = await store.look(ROOM, self._kept_passes) if self._kept_passes else ()
        return Kept(room.serving, room.watermark, room.pass_clock_ms, room.live, tuple(grants))

    async def _visits(self, room: Snapshot, step: int, at_ms: int) -> None:
        """Who is inside asks the backend, is done, or goes on; the places of those who are done may be tried again."""
        works = self.scenario.backend_works(at_ms)
        deeds = self.inside.deeds(room.pass_clock_ms, step, works=works, step_ms=self.scenario.step_ms)

        # One of the two is empty.
        asked = [Served(ref, works) for ref in (*deeds.served, *deeds.failed)]
        await self._each(asked, lambda store, part: store.serve(ROOM, part))
        await self._each(deeds.renews, lambda store, part: store.renew(ROOM, part))
        ended = await self._each(deeds.completes, lambda store, part: store.complete(ROOM, part, reason="completed"))
        self._ended += sum(ended)
        self.totals["renewals"] += len(deeds.renews)
        self.totals["failures of the backend"] += len(deeds.failed)
        self._over = [*(ref.place for ref in deeds.completes[-OVER:]), *self._over][:OVER]

    async def _admit(self, room: Snapshot, step: int, *, moves: bool) -> int:
        """Who was called and has come asks to be let in. How many asked."""
        here = self.waiting.comes(step)
        if here and not room.admitting:
            # The gate does not ask the store for them: they wait on their page like everybody.
            after_ms = poll_at_opening(room, None, jitter=self._rng.getrandbits(32))
            self.waiting.asks_again(here, step, after_ms or 0)
            return 0
        claims = [Claim(room.epoch, place, pass_id(place)) for place in here]
        answers = await self._each(claims, lambda store, part: store.claim(ROOM, part))
        fresh, at_door = [], []
        for claim, answer in zip(claims, answers, strict=True):
            match answer:
                case Admitted(fresh=True):
                    fresh.append(PassRef(*claim[:3]))
                case AtDoor() | Held():
                    at_door.append(claim.place)
                case _:
                    self.checks.turned_away(claim.place, answer)
        self.checks.admitted([ref.place for ref in fresh], room, moves=moves)
        self.inside.enter(fresh, room.pass_clock_ms)
        waits_ms = [poll_at_door(room, jitter=self._rng.getrandbits(32)) for _ in range(DOOR_WAITS)] if at_door else []
        for index, place in enumerate(at_door):
            self.waiting.asks_again((place,), step, waits_ms[index % DOOR_WAITS])
        self.totals["claims"] += len(here)
        self.totals["claims that found no seat yet"] += len(at_door)
        return len(here)

    async def _join(self, room: Snapshot, step: int, at_ms: int) -> int:
        """Newcomers get their numbers, some of them twice by the same knock. How many numbers that was."""
        scenario = self.scenario
        come = scenario.come_by(at_ms) - scenario.come_by(at_ms - scenario.step_ms)
        fleeting = min(come, int(come * scenario.habits.fleeting + self._rng.random()))
        new = come - fleeting
        expires_ms = room.now_ms + KNOCK_MS
        knocks: list[int | None] = [self._rng.getrandbits(63) for _ in range(min(new, KNOCKS))]
        asked = knocks + [None] * (new - len(knocks))
        for begun in range(0, new, JOIN_BATCH):
            part = asked[begun : begun + JOIN_BATCH]
            numbers = await self.stage.turn().join(ROOM, part, expires_ms=expires_ms, epoch=room.epoch)
            self.checks.joined(numbers)
            for knock, number in zip(part, numbers, strict=True):
                if knock is None:
                    break
                self._knocks.setdefault(step + KNOCK_AGAIN_STEPS, []).append((knock, number))
        again = self._knocks.pop(step, ())
        if again:
            numbers = await self.stage.turn().join(ROOM, [knock for knock, _ in again], expires_ms=expires_ms)
            for (_, first), number in zip(again, numbers, strict=True):
                self.checks.told_again(first, number)
        self.waiting.joined(new)
        self.totals["arrivals"] += come
        self.totals["arrivals without a number"] += fleeting
        return new

    async def _cheat(self, room: Snapshot, at_ms: int) -> None:
        scenario = self.scenario
        come = scenario.come_by(at_ms) - scenario.come_by(at_ms - scenario.step_ms)
        number = int(come * scenario.habits.cheat + self._rng.random())
        if number:
            await self.cheats.come(number, room, self.stage, self._over)

    async def _count(self) -> None:
        """What gateways count beside the line: time spent inside, and how estimates came out."""
        self._untold[INSIDE_S] += self._inside_ms // 1000
        self._inside_ms %= 1000
        told = {name: number for name, number in self._untold.items() if number}
        if told:
            await self.stage.turn().count(ROOM, told)
        self._untold.clear()

    async def _each(
        self, questions: Sequence[Q], ask: Callable[[QueueStore, Sequence[Q]], Awaitable[Sequence[Any]]]
    ) -> list[Any]:
        """Ask all of them in batches, each through another gateway."""
        answers: list[Any] = []
        for begun in range(0, len(questions), BATCH):
            answers += await ask(self.stage.turn(), questions[begun : begun + BATCH])
        return answers
