"""Who waits in a simulated crowd, what they are told, and whether it comes true.

Graded twice: by the gateway's own `Grades`, whose counts go to the store and widen or narrow what is told next, and by
everything that was shown against the moment of the call.
"""

import heapq
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from gateway.room.estimate import people_ahead, poll_after
from gateway.room.forecast import Forecast
from gateway.room.grading import GRAIN_MS, LOTS, Grades, share_within
from gateway.room.model import Snapshot

# One place in so many asks; each as often as it is told.
ASKING = 29
LONG_LINE = 1_000


@dataclass
class Told:
    place: int
    at_ms: int
    ahead: int
    low_ms: int
    high_ms: int


@dataclass
class Forecasts:
    """`watch` for a `Night`. called_ms: of each place, the moment of its call. unknown: answers without an estimate.

    within: what the gateway finds out about itself, by its sample.
    """

    seed: int
    told: list[Told] = field(default_factory=list)
    called_ms: list[int] = field(default_factory=list)
    unknown: int = 0
    within: float | None = None

    def __post_init__(self):
        self._rng = random.Random(self.seed)
        self._grades = Grades()
        self._asks: list[tuple[int, int]] = []
        self._joined = 0
        self._forecast: Forecast | None = None

    def watch(self, room: Snapshot) -> Mapping[str, int]:
        graded = self._grades.grade(room)
        self.called_ms += [room.now_ms] * (room.serving - len(self.called_ms))
        for place in range(self._joined + 1, room.tail + 1):
            if place % ASKING == 0:
                heapq.heappush(self._asks, (room.now_ms, place))
        self._joined = room.tail
        while self._asks and self._asks[0][0] <= room.now_ms:
            _, place = heapq.heappop(self._asks)
            if place > room.serving:
                self._ask(room, place)
        self.within = share_within(room)
        return graded

    def _ask(self, room: Snapshot, place: int) -> None:
        ahead = people_ahead(room, place)
        self._forecast = Forecast(room) if self._forecast is None else self._forecast.of(room)
        eta = self._forecast.wait_range(room, ahead)
        if eta is None:
            self.unknown += 1
        else:
            self.told.append(Told(place, room.now_ms, ahead, *eta))
            self._grades.note(room, place, eta, lot=self._rng.randrange(LOTS))
        heapq.heappush(self._asks, (room.now_ms + poll_after(room, eta, jitter=self._rng.getrandbits(32)), place))

    def known(self) -> list[tuple[Told, int]]:
        """What was told to those who were called later, with what they really waited."""
        return [(told, self.called_ms[told.place - 1] - told.at_ms) for told in self.told if self._was_called(told)]

    def _was_called(self, told: Told) -> bool:
        return told.place <= len(self.called_ms)

    def shares(self) -> tuple[float, float, float]:
        """Within, earlier, later: parts of one."""
        known = self.known()
        earlier = sum(waited < told.low_ms - GRAIN_MS for told, waited in known) / len(known)
        later = sum(waited > told.high_ms + GRAIN_MS for told, waited in known) / len(known)
        return 1 - earlier - later, earlier, later

    def width(self) -> float:
        """Median of high / low for lines of more than `LONG_LINE`; 0 where there was none."""
        ratios = [told.high_ms / max(told.low_ms, 1) for told in self.told if told.ahead > LONG_LINE]
        return median(ratios) if ratios else 0.0
