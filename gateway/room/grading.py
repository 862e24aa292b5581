"""Estimates, graded: of those shown, how many came true. Pure and bounded; one for each room and process.

A sample of what was shown is kept until the call comes to its place, and is then graded by the store's clock: `within`
the range, `earlier` or `later`. Each estimate has the same chance to be in the sample: those with the lowest lots are
kept, and when they grow too many, half of the lots are out.

A wait that somebody changed meanwhile is no forecast that failed. If the operators changed the settings after it was
shown (paused, postponed, another outflow: the page says so), or the line was out of sight as the call came, it is
counted apart, as `changed`. The timetable and the windows were known, and count.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from gateway.room.forecast import RESULTS
from gateway.room.model import MAX_STEP_MS, Snapshot

# Estimates of a room that await their grade, at most.
MOST_PENDING: Final = 512
# Lots are drawn from 0 to below this.
LOTS: Final = 1 << 32
_FAR: Final = 1 << 62
# Ticks and answers come in steps: as much sooner or later than the range is still within it.
GRAIN_MS: Final = 1_000

_WITHIN, _EARLIER, _LATER = (f"estimate.{result}" for result in RESULTS)
_CHANGED: Final = "estimate.changed"


@dataclass(frozen=True, slots=True)
class _Shown:
    place: int
    at_ms: int
    low_ms: int
    high_ms: int
    version: int
    lot: int


class Grades:
    """The sample. Memory: `MOST_PENDING` estimates."""

    def __init__(self) -> None:
        self._pending: list[_Shown] = []
        self._epoch = 0
        # The lowest place among them.
        self._next = _FAR
        self._below = LOTS
        self._seen_ms = 0

    def __len__(self) -> int:
        return len(self._pending)

    def note(self, room: Snapshot, place: int, eta_ms: tuple[int, int], *, lot: int) -> None:
        """An estimate is shown. lot: from 0 to below `LOTS`, each as likely."""
        if lot >= self._below or place <= room.serving or room.epoch != self._epoch:
            return
        low_ms, high_ms = eta_ms
        self._pending.append(_Shown(place, room.now_ms, low_ms, high_ms, room.limits.version, lot))
        self._next = min(self._next, place)
        if len(self._pending) > MOST_PENDING:
            self._below //= 2
            self._keep([shown for shown in self._pending if shown.lot < self._below])

    def grade(self, room: Snapshot) -> Counter[str]:
        """What came of those whose place was called since the last look, as the room's counters."""
        out_of_sight = not 0 <= room.now_ms - self._seen_ms <= MAX_STEP_MS
        self._seen_ms = room.now_ms
        if room.epoch != self._epoch:
            # Nobody will be called by a place of an earlier line.
            self._epoch = room.epoch
            self._keep([])
        if room.serving < self._next:
            return Counter()
        called = [shown for shown in self._pending if shown.place <= room.serving]
        self._keep([shown for shown in self._pending if shown.place > room.serving])
        if len(self._pending) < MOST_PENDING // 4:
            self._below = min(self._below * 2, LOTS)
        return Counter(
            _CHANGED if out_of_sight or shown.version != room.limits.version else _result(shown, room.now_ms)
            for shown in called
        )

    def _keep(self, pending: list[_Shown]) -> None:
        self._pending = pending
        self._next = min((shown.place for shown in pending), default=_FAR)


def _result(shown: _Shown, called_ms: int) -> str:
    waited_ms = called_ms - shown.at_ms
    if waited_ms < shown.low_ms - GRAIN_MS:
        return _EARLIER
    return _LATER if waited_ms > shown.high_ms + GRAIN_MS else _WITHIN


def share_within(room: Snapshot) -> float | None:
    """Of the forecasts graded so far, those that came true, from 0 to 1; None before there are any."""
    within, earlier, later = (room.counters.get(name, 0) for name in (_WITHIN, _EARLIER, _LATER))
    graded = within + earlier + later
    return within / graded if graded else None
