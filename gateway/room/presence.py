"""How many of those in line are still there: a sketch made of polls, of a size that does not grow with the line.

Whoever waits asks again within `INTERVAL_MS`. In each interval of the store's clock a bit is kept per *sampled* number:
one in `step`, a power of two so large that at most `MOST_SAMPLED` lie between the first and the last who wait. Who was
seen, or got the number, in the interval before this one or in this one is there. With a step of 1 everybody is sampled
and counts are exact; else they are off by a few per cent.

Every process marks whom it sees, tells the store all it knows and is told what all know (`merged`): telling twice or in
another order changes nothing. Numbers are given out in order, so whoever holds many counts only for those that ask.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.room.decide import place_of
from gateway.room.estimate import people_ahead
from gateway.room.model import Snapshot

# Longer than the longest pause between two polls (a test compares): who was not seen in a whole interval is gone.
INTERVAL_MS: Final = 180_000
MOST_SAMPLED: Final = 4_096
# A process that saw nobody and told nothing for so long has missed polls.
GAP_MS: Final = 30_000
# A share is taken of no fewer sampled places: of the nearest, where fewer are ahead.
LEAST_SAMPLED: Final = 256
# What is estimated is told with so many digits.
DIGITS: Final = 3

# Names a bitmap: interval, step, chunk. Its bit i, least significant first, is place (chunk * 4096 + i) * step.
Cell = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Sightings:
    """What is known at `at_ms` (store's clock) of who was seen in this interval and in the one before.

    drawn: by places that were drawn; else by queue numbers. since_ms: from when on nobody who asked was missed.
    tails: by interval, the last number issued as it began, or as it was first looked at.
    """

    epoch: int
    drawn: bool
    at_ms: int
    since_ms: int
    bits: Mapping[Cell, bytes] = field(default_factory=dict)
    tails: Mapping[int, int] = field(default_factory=dict)

    @property
    def line(self) -> tuple[int, bool]:
        """What the bits are of; a later one takes the place of an earlier one."""
        return self.epoch, self.drawn


def merged(kept: Sightings | None, told: Sightings) -> Sightings:
    """What is known by both. After a gap in time, or of a later line, `told` says since when."""
    if kept is not None and kept.line > told.line:
        return kept
    bits, tails = dict(told.bits), dict(told.tails)
    if kept is not None and kept.line == told.line:
        for cell, found in kept.bits.items():
            bits[cell] = _either(found, bits.get(cell, b""))
        for interval, tail in kept.tails.items():
            tails[interval] = min(tail, tails.get(interval, tail))
        if abs(told.at_ms - kept.at_ms) <= GAP_MS:
            told = replace(told, at_ms=max(kept.at_ms, told.at_ms), since_ms=min(kept.since_ms, told.since_ms))
    now = told.at_ms // INTERVAL_MS
    return replace(
        told,
        bits={cell: found for cell, found in bits.items() if now - 1 <= cell[0] <= now},
        tails={interval: tail for interval, tail in tails.items() if now - 1 <= interval <= now},
    )


def step_for(places: int) -> int:
    """One in how many is sampled of so many: a power of two."""
    return 1 << max(0, -(-places // MOST_SAMPLED) - 1).bit_length()


class Presence:
    """What one process has seen and been told of one line. Times are the snapshots'.

    early: at a draw, how many of the early numbers were there, and how many there were: they are there still, at places
    nobody has looked at yet.
    """

    def __init__(self, room: Snapshot, early: tuple[int, int] | None = None) -> None:
        self._line = _line(room)
        self._early = early
        self._since_ms = self._touched_ms = room.now_ms
        self._interval = self._step = 0
        # To which moment it has come: hundreds ask in each.
        self._at: Snapshot | None = None
        self._bits: dict[Cell, bytearray] = {}
        self._tails: dict[int, int] = {}
        # Of each bitmap as it was last read, the places marked.
        self._read: dict[Cell, tuple[bytes, tuple[int, ...]]] = {}
        # Places seen, in order, one in `_view_step`.
        self._view: list[int] = []
        self._view_step = 1

    def of(self, room: Snapshot) -> "Presence":
        """This, or what to go on with where the line has begun anew or lots were drawn."""
        return self if _line(room) == self._line else Presence(room, self._drawn_from(room))

    def mark(self, room: Snapshot, number: int) -> None:
        """The holder of a number waits and has just asked. Costs some microseconds and at most one bit."""
        self._come_to(room)
        place = place_of(number, room) or number
        if place % self._step:
            return
        chunk, bit = divmod(place // self._step, MOST_SAMPLED)
        cell = self._bits.get((self._interval, self._step, chunk))
        if cell is None:
            cell = self._bits[self._interval, self._step, chunk] = bytearray(MOST_SAMPLED // 8)
        cell[bit >> 3] |= 1 << (bit & 7)

    def tell(self, room: Snapshot) -> Sightings:
        """All that this process knows, for the store."""
        self._come_to(room)
        bits = {cell: bytes(found) for cell, found in self._bits.items()}
        return Sightings(*self._line, room.now_ms, self._since_ms, bits, dict(self._tails))

    def hear(self, room: Snapshot, told: Sightings) -> None:
        """All that everybody knows, as the store answered. room: as it was when the store was asked."""
        if told.line != self._line:
            return
        self._since_ms = min(self._since_ms, told.since_ms)
        for cell, found in told.bits.items():
            if cell[0] >= self._interval - 1:
                self._bits[cell] = bytearray(_either(found, bytes(self._bits.get(cell, b""))))
        for interval, tail in told.tails.items():
            self._tails[interval] = min(tail, self._tails.get(interval, tail))
        self._view_step = max(self._step, *(step for _, step, _ in self._bits), 1)
        self._view = self._seen_places(room)

    def _seen_places(self, room: Snapshot) -> list[int]:
        """Those above `serving` whose holders have not left; only what has changed since the last time is read anew."""
        read: dict[Cell, tuple[bytes, tuple[int, ...]]] = {}
        found: set[int] = set()
        for cell, marked in self._bits.items():
            _, step, chunk = cell
            if (chunk + 1) * MOST_SAMPLED * step <= room.serving:
                continue  # all of them were called
            kept = self._read.get(cell)
            read[cell] = kept if kept is not None and kept[0] == marked else (bytes(marked), _places(cell, marked))
            found.update(read[cell][1])
        self._read = read
        # The coarsest step does not sample them all.
        return sorted(
            place
            for place in found
            if place > room.serving and not place % self._view_step and not _has_left(place, room)
        )

    def people_there(self, room: Snapshot) -> int | None:
        """How many of those who wait are still there. None: not known yet."""
        return self._there(room, room.tail, room.waiting)

    def there_ahead(self, room: Snapshot, place: int, people: int | None = None) -> int | None:
        """How many of those before a place are still there; never more than `people_ahead`. None: not known yet.

        people: that number, where it is known.
        """
        return self._there(room, place - 1, people_ahead(room, place) if people is None else people)

    def _there(self, room: Snapshot, last: int, people: int) -> int | None:
        """How many of the `people` above `serving`, up to the place `last`, are there."""
        settled = self._tails.get(room.now_ms // INTERVAL_MS - 1)
        known = _line(room) == self._line and room.now_ms - self._since_ms >= INTERVAL_MS
        if known and settled is not None:
            there = self._counted(room, max(room.serving, last), settled)
        elif self._early is not None:
            # Lots pick those who are there as often as those who are not.
            there = _rounded(-(-people * self._early[0] // self._early[1]))
        else:
            there = None
        return None if there is None else min(there, people)

    def _counted(self, room: Snapshot, last: int, issued: int) -> int:
        """issued: the last number of those that can be missing; who got a later one is there."""
        first = room.serving
        settled = max(first, min(last, issued))
        newer = people_ahead(room, last + 1) - people_ahead(room, settled + 1) if settled != last else 0
        if self._view_step == 1 or settled == first:
            return self._seen(first, settled) + newer
        # Of those just ahead too few are sampled: as many of them are there as of the nearest sampled ones.
        end = max(settled, min(first + LEAST_SAMPLED * self._view_step, issued))
        if 2 * (end - first) < LEAST_SAMPLED * self._view_step:
            # The line was long a moment ago, and a sketch of it says nothing of the few who are left.
            return people_ahead(room, last + 1)
        seen = self._seen(first, end) * self._view_step
        return _rounded(-(-seen * (settled - first) // (end - first)) + newer)

    def _seen(self, first: int, last: int) -> int:
        return bisect_right(self._view, last) - bisect_right(self._view, first)

    def _come_to(self, room: Snapshot) -> None:
        """Be at the moment of `room`: in its interval, with the step it needs."""
        if room is self._at:
            return
        self._at = room
        now = room.now_ms
        if now - self._touched_ms > GAP_MS:
            self._since_ms, self._early = now, None
        self._touched_ms = max(now, self._touched_ms)
        step = step_for(room.tail - room.serving)
        if now // INTERVAL_MS != self._interval:
            self._interval, self._step = now // INTERVAL_MS, step
            self._bits = {cell: found for cell, found in self._bits.items() if cell[0] >= self._interval - 1}
            self._tails = {self._interval: room.tail, **self._tails}
            self._tails = {interval: tail for interval, tail in self._tails.items() if interval >= self._interval - 1}
        # Never finer again within the interval: what was marked so far lacks those between.
        self._step = max(self._step, step)

    def _drawn_from(self, room: Snapshot) -> tuple[int, int] | None:
        """At a draw: how many of the early numbers are there, of how many."""
        epoch, drawn = self._line
        if drawn or epoch != room.epoch or not room.draw_size:
            return None
        before = replace(room, draw_size=None, serving=0, left_ahead=0, tail=room.draw_size)
        there = self.people_there(before)
        return None if there is None else (there, room.draw_size)


def _line(room: Snapshot) -> tuple[int, bool]:
    return room.epoch, bool(room.draw_size)


def _either(one: bytes, other: bytes) -> bytes:
    size = max(len(one), len(other))
    return (int.from_bytes(one, "little") | int.from_bytes(other, "little")).to_bytes(size, "little")


def _places(cell: Cell, marked: bytes | bytearray) -> tuple[int, ...]:
    """The places marked in a bitmap."""
    _, step, chunk = cell
    text = f"{int.from_bytes(marked, 'little'):b}"[::-1]
    return tuple((chunk * MOST_SAMPLED + at) * step for at, bit in enumerate(text) if bit == "1")


def _has_left(place: int, room: Snapshot) -> bool:
    """As far as the snapshot says: those not called for long leave unnoticed, until they are not seen any more."""
    byte, bit = divmod(place - room.serving - 1, 8)
    return 0 <= byte < len(room.absent) and bool(room.absent[byte] >> bit & 1)


def _rounded(number: int) -> int:
    """Downwards, to `DIGITS` digits."""
    unit: int = 10 ** max(0, len(str(number)) - DIGITS)
    return number // unit * unit
