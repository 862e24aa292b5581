"""People with a number: who left, who is gone without a word, and who comes when called. Pure, drawn from a seed.

Nothing is kept for each of them but a byte: when somebody joined follows from the place, as numbers are given out in
order, and whether somebody is still there is drawn when the call comes, by how long they have waited.
"""

import random
from array import array
from collections import defaultdict
from collections.abc import Iterable
from math import exp
from typing import Final

from gateway.room.estimate import JITTER_PERCENT, SHORTEST_POLL_MS
from gateway.simulate.scenario import HOUR, Habits

# Who is in front asks every second and a half, give or take: so long after the call the holder is at the door.
FRONT_POLL_MS: Final = SHORTEST_POLL_MS * (100 + JITTER_PERCENT) // 100


class Waiting:
    """Steps are counted from 0; places are those of a line in order of joining."""

    def __init__(self, habits: Habits, step_ms: int, rng: random.Random) -> None:
        self._habits = habits
        self._step_ms = step_ms
        self._rng = rng
        self.tail = self.serving = 0
        self.left = self.left_ahead = 0
        self._has_left = bytearray(1)
        # Of each step, the last number given out by its end.
        self._tails = array("q")
        # The step in which the holder of `serving` joined.
        self._joined = 0
        self._comes: defaultdict[int, list[int]] = defaultdict(list)

    def joined(self, number: int) -> None:
        """So many numbers were given out in this step, which ends with it."""
        self.tail += number
        self._has_left.extend(bytes(number))
        self._tails.append(self.tail)

    def leavers(self) -> list[int]:
        """Who gives a place up in this step: anybody of those not called yet. Counted as gone by that."""
        line = self.tail - self.serving
        each = self._habits.leave_per_hour * self._step_ms / HOUR
        wanted = int((line - self.left_ahead) * each + self._rng.random())
        found = []
        for _ in range(wanted):
            place = self.serving + 1 + int(self._rng.random() * line)
            if not self._has_left[place]:
                self._has_left[place] = 1
                found.append(place)
        self.left += len(found)
        self.left_ahead += len(found)
        return found

    def called(self, serving: int, step: int) -> int:
        """All places up to there are called by now: who is still there comes. How many that are."""
        habits, step_ms, gone, tails = self._habits, self._step_ms, self._has_left, self._tails
        draw, late = self._rng.random, self._rng.expovariate
        coming = 0
        there, reached = 0.0, 0
        for place in range(self.serving + 1, serving + 1):
            if gone[place]:
                self.left_ahead -= 1
                continue
            if place > reached:
                while tails[self._joined] < place:
                    self._joined += 1
                reached = tails[self._joined]
                waited_ms = (step - self._joined) * step_ms
                there = (1 - habits.gone_at_once) * exp(-waited_ms / habits.gone_after_ms)
            if draw() >= there:
                continue
            after_ms = draw() * FRONT_POLL_MS
            if draw() < habits.dawdle:
                after_ms += late(1 / habits.dawdle_ms)
            self._comes[step + int(after_ms // step_ms)].append(place)
            coming += 1
        self.serving = serving
        return coming

    def comes(self, step: int) -> list[int]:
        """Who asks to be let in now."""
        return self._comes.pop(step, [])

    def asks_again(self, places: Iterable[int], step: int, after_ms: int) -> None:
        """They found no seat, or nobody is being let in."""
        due = step + max(1, -(-after_ms // self._step_ms))
        self._comes[due].extend(places)

    def waits(self, place: int) -> bool:
        """Whether the holder of a place has neither left nor been called."""
        return self.serving < place <= self.tail and not self._has_left[place]
