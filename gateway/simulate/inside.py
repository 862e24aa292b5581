"""People inside: how long they stay, when they use their passes, how the backend treats them. Pure, drawn from a seed.

All of it runs on the room's pass clock, as the passes do: while that stands still, nobody's time is used up.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.room.model import Limits
from gateway.simulate.scenario import Habits
from gateway.store.base import PassRef

# A pass is used again after this part of the idle limit, in thousandths.
USED_AGAIN: Final = 600
# While the backend fails, each whom it has never answered tries once in so many ms; all do as it works again.
TRIES_MS: Final = 600_000
# Once it works again, all who waited for it are done within so long, in thousandths of a mean visit.
CATCHES_UP: Final = 300
_SECOND: Final = 1_000


@dataclass(frozen=True, slots=True)
class Deeds:
    """What is done with passes in a step. served, failed: a first request that the backend answers, or fails."""

    served: Sequence[PassRef]
    failed: Sequence[PassRef]
    renews: Sequence[PassRef]
    completes: Sequence[PassRef]


class Inside:
    def __init__(self, habits: Habits, limits: Limits, rng: random.Random) -> None:
        self._habits = habits
        self._session_ms = limits.session_length_ms
        self._again_ms = limits.idle_limit_ms * USED_AGAIN // 1000
        self._rng = rng
        self.admitted = self.completed = 0
        self._fresh: list[PassRef] = []
        # By seconds of the pass clock: who is done then; and who uses the pass then, with the moment they are done.
        self._done: defaultdict[int, list[PassRef]] = defaultdict(list)
        self._uses: defaultdict[int, list[tuple[PassRef, int]]] = defaultdict(list)
        self._second = 0
        # By steps, as the wall clock goes on: whom the backend fails; and who is done but for the backend.
        self._tries: defaultdict[int, list[PassRef]] = defaultdict(list)
        self._stuck: list[PassRef] = []

    def enter(self, passes: Sequence[PassRef], pass_clock_ms: int) -> None:
        """Let in now; the backend is asked in the next step."""
        self._fresh.extend(passes)
        draw, stays = self._rng.random, self._rng.expovariate
        rate, walk_off, again_ms = 1 / self._habits.stay_ms, self._habits.walk_off, self._again_ms
        most_ms = self._session_ms * 9 // 10
        self.admitted += len(passes)
        for ref in passes:
            if draw() < walk_off:
                continue
            done_ms = pass_clock_ms + min(int(stays(rate)), most_ms)
            self._done[done_ms // _SECOND].append(ref)
            if done_ms - pass_clock_ms > again_ms:
                self._uses[(pass_clock_ms + again_ms) // _SECOND].append((ref, done_ms))

    def deeds(self, pass_clock_ms: int, step: int, *, works: bool, step_ms: int) -> Deeds:
        """works: whether the backend does."""
        due: list[PassRef] = []
        renews: list[PassRef] = []
        while self._second <= pass_clock_ms // _SECOND:
            due += self._done.pop(self._second, ())
            for ref, done_ms in self._uses.pop(self._second, ()):
                renews.append(ref)
                next_ms = self._second * _SECOND + self._again_ms
                if next_ms < done_ms:
                    self._uses[next_ms // _SECOND].append((ref, done_ms))
            self._second += 1
        asking = self._fresh + self._tries.pop(step, [])
        self._fresh = []
        if not works:
            self._stuck += due
            later = max(1, TRIES_MS // step_ms)
            for ref in asking:
                self._tries[step + 1 + int(self._rng.random() * later)].append(ref)
            return Deeds((), asking, renews, ())
        for later_on in self._tries.values():
            asking += later_on
        self._tries.clear()
        if self._stuck:
            spread = max(1, self._habits.stay_ms * CATCHES_UP // 1000 // _SECOND)
            for ref in self._stuck:
                self._done[self._second + int(self._rng.random() * spread)].append(ref)
            self._stuck = []
        self.completed += len(due)
        return Deeds(asking, (), renews, due)

    def some(self, number: int) -> list[PassRef]:
        """Passes of people who will be done later: at most so many."""
        found: list[PassRef] = []
        for second in sorted(self._done):
            found += self._done[second]
            if len(found) >= number:
                break
        return found[:number]
