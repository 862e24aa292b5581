"""A crowd in virtual time in front of the real policy and a plain model of a line: an hour of it takes seconds.

The model keeps what the policy looks at, and skips what it does not (passes, tickets, transactions): that the stores do
as it does is shown elsewhere. Ticks come every second.
"""

import heapq
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import exp

from gateway.room.model import LOOKAHEAD_PLACES, USER_CREDIT, Call, Curve, Limits, Snapshot, age_bin
from gateway.room.policy import plan_tick
from gateway.room.stay import INSIDE_S, spent_ms

TICK_MS = 1_000
POLL_MS = 2_000
START_MS = 1_626_692_400_000  # 19 July 2021, 20:00 in Korea

# Sees the room after every tick; what it returns is added to the room's counters.
Watch = Callable[[Snapshot], Mapping[str, int]]


@dataclass(frozen=True)
class Crowd:
    """How people behave. Shares are parts of one; times in milliseconds.

    stays_ms: how long a visit takes, drawn by the crowd's lots. leave: share that gives its place up, at any moment of
    the half hour after joining. late: share of the called that comes late, by a minute on average. close_per_hour: of
    those who wait, who close the page without a word.
    """

    waiting: int
    join_per_minute: int
    no_show: float
    stays_ms: Callable[[random.Random], float]
    leave: float = 0.05
    late: float = 0.1
    close_per_hour: float = 0.0
    seed: int = 1


class Night:
    """One run."""

    def __init__(self, limits: Limits, crowd: Crowd, watch: Watch) -> None:
        self._crowd = crowd
        self._watch = watch
        self._rng = random.Random(crowd.seed)
        self._counters: Counter[str] = Counter()
        self._gone = 0  # bit p: the holder of place p has left
        self._lane: list[int] = []
        self._inside: list[int] = []  # when each leaves
        self._comes: list[tuple[int, int]] = []
        self._gives_up: list[tuple[int, int]] = []
        self._inside_ms = 0
        nothing = (0,) * 6
        self.room = Snapshot(
            "r", 1, limits, 0, START_MS, START_MS, *nothing, b"", 0, 0, 0, True, *nothing[:4], Curve(), (), {}, "", None
        )  # fmt: skip
        self._join(crowd.waiting)

    def run(self, minutes: int) -> None:
        begin_ms = self.room.now_ms
        for now in range(begin_ms + TICK_MS, begin_ms + minutes * 60_000 + 1, TICK_MS):
            self._tick(now)

    def _join(self, people: int) -> None:
        for place in range(self.room.tail + 1, self.room.tail + people + 1):
            if self._rng.random() < self._crowd.leave:
                heapq.heappush(self._gives_up, (self.room.now_ms + self._rng.randrange(30 * 60_000), place))
        self.room = replace(self.room, tail=self.room.tail + people)

    def _tick(self, now: int) -> None:
        before = replace(self.room, now_ms=now)
        while self._inside and self._inside[0] <= now:
            heapq.heappop(self._inside)
        while self._gives_up and self._gives_up[0][0] <= now:
            place = heapq.heappop(self._gives_up)[1]
            self._gone |= (place > before.serving) << place
        ahead = self._gone >> (before.serving + 1)
        absent = (ahead & ((1 << LOOKAHEAD_PLACES) - 1)).to_bytes(LOOKAHEAD_PLACES // 8, "little")
        before = replace(before, left_ahead=ahead.bit_count(), absent=absent, live=len(self._inside))
        plan = plan_tick(before, now)
        self._inside_ms += spent_ms(before, plan)
        self.room = replace(
            before,
            tick=before.tick + 1,
            last_tick_ms=plan.now_ms,
            pass_clock_ms=plan.pass_clock_ms,
            call_clock_ms=plan.call_clock_ms,
            serving=plan.serve_to,
            watermark=plan.watermark,
            credit=min(before.credit + plan.credit_add, plan.credit_cap),
            call_credit=plan.call_credit,
            entry_credit=min(before.entry_credit + plan.credit_add, plan.credit_cap),
            admitting=plan.admitting,
            pace_milli=plan.pace_milli,
            calls=tuple(call for call in before.calls if call.last > plan.watermark),
            curve=Curve(
                tuple(
                    (n >> plan.halve_curve) + new for n, new in zip(before.curve.at_risk, plan.at_risk_add, strict=True)
                ),
                tuple(n >> plan.halve_curve for n in before.curve.came),
            ),
        )
        self._call(range(before.serving + 1, plan.serve_to + 1), now)
        self._admit(now, plan.total_active_users)
        fresh = self._crowd.join_per_minute * (now - START_MS) // 60_000 - (self.room.tail - self._crowd.waiting)
        self._join(max(fresh, 0))
        self._counters.update({**self._watch(self.room), INSIDE_S: self._inside_ms // 1000})
        self._inside_ms %= 1000
        self.room = replace(self.room, counters=dict(self._counters))

    def _call(self, places: range, now: int) -> None:
        people = [place for place in places if not self._gone >> place & 1]
        if places:
            call = Call(places[0], places[-1], self.room.call_clock_ms, len(people))
            self.room = replace(self.room, calls=(*self.room.calls, call))
        # As if all had come in the beginning.
        here = (1 - self._crowd.no_show) * exp(-self._crowd.close_per_hour * (now - START_MS) / 3_600_000)
        for place in people:
            if self._rng.random() < here:
                late = self._rng.expovariate(1 / 60_000) if self._rng.random() < self._crowd.late else 0
                heapq.heappush(self._comes, (now + int(self._rng.uniform(0, POLL_MS) + late), place))

    def _admit(self, now: int, ceiling: int) -> None:
        """Who is in the lane first, then who comes: each for a seat and a unit of credit, or into the lane."""
        credit, came = self.room.credit, list(self.room.curve.came)
        calls = list(self.room.calls)
        while self._comes and self._comes[0][0] <= now:
            place = heapq.heappop(self._comes)[1]
            heapq.heappush(self._lane, place)
            index = bisect_left(calls, place, key=lambda call: call.last)
            if index < len(calls) and calls[index].first <= place:
                came[age_bin(self.room.call_clock_ms - calls[index].called_at_ms)] += 1
                calls[index] = calls[index]._replace(remaining=calls[index].remaining - 1)
        while self.room.admitting and self._lane and credit >= USER_CREDIT and len(self._inside) < ceiling:
            heapq.heappop(self._lane)
            credit -= USER_CREDIT
            self._counters["admitted"] += 1
            heapq.heappush(self._inside, now + int(self._crowd.stays_ms(self._rng)))
        self.room = replace(
            self.room,
            credit=credit,
            calls=tuple(calls),
            curve=replace(self.room.curve, came=tuple(came)),
            live=len(self._inside),
            lane_waiting=len(self._lane),
        )
