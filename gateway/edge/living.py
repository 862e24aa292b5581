"""Passes of one room that the store said a moment ago are alive, so that not every request has to ask it again.

A page comes with dozens of requests, all by one pass. What the store said holds for `HOLDS_S` from when it was asked,
which bounds how long a pass can go on that was ended through another gateway; what ends it here ends it at once
(`forget`). A request by memory is a sign of life all the same: the store is told where that makes a difference (`due`).
So it is asked for a pass once in `HOLDS_S` at most, however many requests come by it.

Near its end a pass is never remembered: when exactly it has to give up its seat is for the store to say.

Pure: seconds are those of one monotonic clock, passed in.
"""

from itertools import takewhile
from typing import Final

from gateway.room.model import MAX_STEP_MS, PassGrant
from gateway.room.ticket import Pass
from gateway.store.base import PassRef

HOLDS_S: Final = 1.0
# The pass clock may be a tick's longest step behind, and then goes on for as long as an answer holds.
NEAR_END_MS: Final = MAX_STEP_MS + 2 * int(HOLDS_S * 1000)
# A request that is this long ago is no sign of life any more.
LATE_S: Final = 5.0
# Passes remembered; beyond it the store is asked each time. More than a worker can serve while an answer holds.
MOST: Final = 32_768


class _Seen:
    __slots__ = ("asked_s", "grant", "ref", "used")

    def __init__(self, ref: PassRef, grant: PassGrant, asked_s: float) -> None:
        self.ref = ref
        self.grant = grant
        self.asked_s = asked_s
        # By a request that the store was not told of.
        self.used = False


class Living:
    """What is remembered. `era` grows whenever a pass ends here: what was asked before that says nothing after it."""

    def __init__(self) -> None:
        self.era = 0
        # By epoch and place: no place gets a second pass.
        self._seen: dict[tuple[int, int], _Seen] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def use(self, visitor_pass: Pass, now_s: float) -> PassGrant | None:
        """The pass, if it is known to live; a request goes on by it. None: ask the store."""
        seen = self._seen.get((visitor_pass.epoch, visitor_pass.place))
        if seen is None or now_s - seen.asked_s >= HOLDS_S or seen.grant.pass_id != visitor_pass.pass_id:
            return None
        seen.used = True
        return seen.grant

    def saw(self, ref: PassRef, grant: PassGrant | None, *, asked_s: float, era: int) -> None:
        """The store's answer (None: it does not live) to what was asked at `asked_s`, when `era` was this."""
        # The newest answers stand last: `due` need not look at all.
        self._seen.pop((ref.epoch, ref.place), None)
        if grant is None or grant.lives_ms <= NEAR_END_MS or era != self.era or len(self._seen) >= MOST:
            return
        self._seen[ref.epoch, ref.place] = _Seen(ref, grant, asked_s)

    def forget(self, epoch: int, place: int) -> None:
        """Its pass ends, or has ended, through this process."""
        self.era += 1
        self._seen.pop((epoch, place), None)

    def forget_all(self) -> None:
        """Another epoch has begun."""
        self.era += 1
        self._seen.clear()

    def due(self, now_s: float, idle_ms: int) -> list[PassRef]:
        """Passes whose answer holds no more, used since, and which the store would keep alive for longer if it knew.

        idle_ms: the room's idle limit. What holds no more is dropped. To be called more often than answers hold: the
        time at which they are renewed is taken for that of their use.
        """
        over = list(takewhile(lambda seen: now_s - seen.asked_s >= HOLDS_S, self._seen.values()))
        for seen in over:
            del self._seen[seen.ref.epoch, seen.ref.place]
        return [seen.ref for seen in over if seen.used and _is_worth_telling(seen, now_s - seen.asked_s, idle_ms)]


def _is_worth_telling(seen: _Seen, ago_s: float, idle_ms: int) -> bool:
    """Whether the store may write it down: it leaves out what gains less than a tenth of the limit, or nothing."""
    most_gained_ms = idle_ms - seen.grant.lives_ms + ago_s * 1000 + MAX_STEP_MS
    return ago_s < LATE_S and seen.grant.expires_ms < seen.grant.ends_ms and most_gained_ms * 10 >= idle_ms
