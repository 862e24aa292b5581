"""What this process has seen of a room's line: enough to tell a server what it has forgotten.

Replication is asynchronous, and a server may die before it has written down what it answered. Who takes its place knows
the line up to some tick, and nothing after it. What came after it is here, in parts, at every gateway: the numbers it
told people, the calls it saw, the places it admitted. `testimony` is that, for `lua/mend.lua`.

Kept: the newest snapshot, the numbers' end, a bit per place that was used, live passes of people met here, and the last
events with the tick they fell in. The only thing that grows with the line is the bitmap: a bit per place called.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.room.model import PassGrant, Snapshot
from gateway.store.inside import Inside

# Events remembered one by one: minutes of the busiest gateway. For what is older there is the bitmap.
EVENTS: Final = 20_000
# Events told in one call of the script, and bytes of the bitmap: some milliseconds of the server's time.
PART: Final = 1_000
PART_BYTES: Final = 256 * 1024
# Numbers that a gateway which is gone may have issued unseen: so many times what the line grew between two looks.
MARGIN_LOOKS: Final = 4
LEAST_MARGIN: Final = 16
LOOKS: Final = 50


@dataclass(frozen=True, slots=True)
class Used:
    """A place was used while the line was at `tick`."""

    tick: int
    grant: PassGrant


@dataclass(frozen=True, slots=True)
class Ended:
    """A live pass ended. pass_id: None for whatever pass the place had. counter: what that counted as."""

    tick: int
    place: int
    pass_id: str | None
    counter: str


@dataclass(frozen=True, slots=True)
class Left:
    """A place was given up by somebody who was not inside."""

    tick: int
    place: int


Event = Used | Ended | Left


@dataclass(frozen=True, slots=True)
class Part:
    """What one call of the script is told beside the line's counters. offset, marks: of the bitmap."""

    events: Sequence[Event] = ()
    offset: int = 0
    marks: bytes = b""


class Witness:
    """Of one room. Everything is of the newest epoch seen."""

    def __init__(self) -> None:
        self.inside = Inside()
        self.snapshot: Snapshot | None = None
        self.tail = 0
        self._marks = bytearray()
        self._events: deque[Event] = deque()
        # Every event of this tick and later is in `_events`.
        self._whole_since = 0
        self._growth: deque[int] = deque([0], maxlen=LOOKS)
        self._skipped = False

    @property
    def epoch(self) -> int:
        """0: nothing was seen yet."""
        return self.snapshot.epoch if self.snapshot is not None else 0

    @property
    def margin(self) -> int:
        """Numbers that others may have issued since this process looked last."""
        return max(LEAST_MARGIN, MARGIN_LOOKS * max(self._growth))

    def look(self, snapshot: Snapshot) -> None:
        if self.snapshot is None or snapshot.epoch > self.epoch:
            self.tail = 0
            self._marks.clear()
            self._events.clear()
            self._whole_since = snapshot.tick
            self.snapshot = None
        elif snapshot.epoch < self.epoch:
            return
        if self.snapshot is not None and not self._skipped:
            # A wave that joined is nothing that a gateway issued by itself.
            new = [block.size for wave, block in snapshot.blocks.items() if wave not in self.snapshot.blocks]
            self._growth.append(max(snapshot.tail - self.tail - sum(new), 0))
        self._skipped = False
        if self.snapshot is None or snapshot.tick >= self.snapshot.tick:
            self.snapshot = snapshot
        self.tail = max(self.tail, snapshot.tail)
        self.inside.look(snapshot)

    def told(self) -> None:
        """A server was told; the numbers it may have skipped for it are no growth."""
        self._skipped = True

    def joined(self, epoch: int, numbers: Sequence[int]) -> None:
        if epoch == self.epoch and numbers:
            self.tail = max(self.tail, *numbers)

    def lives(self, epoch: int, tick: int, grant: PassGrant) -> None:
        """Seen alive: by a renewal, or told again. Who admitted them may be gone: then only we know."""
        known = self.inside.get(grant.place) if epoch == self.epoch else None
        # A pass on trial is given a later end now and then (`trial.py`).
        if not self._is_marked(epoch, grant.place) or (known is not None and known.ends_ms < grant.ends_ms):
            self._note(epoch, Used(tick, grant))
        self.inside.lives(epoch, grant)
        self._mark(epoch, grant.place)

    def admitted(self, epoch: int, tick: int, grant: PassGrant) -> None:
        self.inside.lives(epoch, grant)
        self._mark(epoch, grant.place)
        self._note(epoch, Used(tick, grant))

    def ended(self, epoch: int, tick: int, place: int, pass_id: str | None, counter: str) -> None:
        """A live pass of the place was ended here; whoever had seen it live."""
        self.inside.ended(epoch, place, pass_id)
        self._mark(epoch, place)
        self._note(epoch, Ended(tick, place, pass_id, counter))

    def gone(self, epoch: int, tick: int, place: int, pass_id: str) -> None:
        """The store says that this pass does not live. If we took it to, it ended elsewhere, or ran out."""
        known = self.inside.get(place) if epoch == self.epoch else None
        self.inside.ended(epoch, place, pass_id)
        if known is not None and known.pass_id == pass_id:
            self._note(epoch, Ended(tick, place, pass_id, "expired"))

    def learned(self, epoch: int, offset: int, marks: bytes) -> None:
        """A piece of the store's bitmap, from byte `offset` on: what others did, or we before we were started anew."""
        if epoch != self.epoch or not marks:
            return
        end = offset + len(marks)
        if end > len(self._marks):
            self._marks.extend(bytes(end - len(self._marks)))
        ours = int.from_bytes(self._marks[offset:end], "big")
        self._marks[offset:end] = (ours | int.from_bytes(marks, "big")).to_bytes(len(marks), "big")

    def left(self, epoch: int, tick: int, place: int) -> None:
        self._mark(epoch, place)
        self._note(epoch, Left(tick, place))

    def counters(self) -> dict[str, Any]:
        """The line itself, as the script's testimony has it; its settings and schema are for the caller to add."""
        seen = self.snapshot
        if seen is None:
            return {"epoch": 0}
        return {
            "epoch": seen.epoch,
            "tick": seen.tick,
            "last_tick_ms": seen.last_tick_ms,
            "pass_clock_ms": seen.pass_clock_ms,
            "call_clock_ms": seen.call_clock_ms,
            "tail": self.tail,
            "serving": seen.serving,
            "watermark": seen.watermark,
            "pace_milli": seen.pace_milli,
            "calls": [[call.first, call.last, call.called_at_ms] for call in seen.calls],
            "peak_live": seen.counters.get("peak_live", 0),
            "margin": self.margin,
        }

    def must_tell_all(self, tick: int) -> bool:
        """Whether a server that knows the line up to `tick` has lost more than is remembered event by event."""
        return tick < self._whole_since

    def testimony(self, tick: int) -> Iterator[Part]:
        """All that was seen since the line was at `tick`, in parts; at least one. -1: since it began."""
        if self.must_tell_all(tick):
            for offset in range(0, len(self._marks), PART_BYTES):
                yield Part(offset=offset, marks=bytes(self._marks[offset : offset + PART_BYTES]))
            events: list[Event] = [event for event in self._events if not isinstance(event, Used)]
            grants = list(self.inside)
        else:
            events, grants = [event for event in self._events if event.tick >= tick], []
        for begin in range(0, len(grants), PART):
            yield Part([Used(0, grant) for grant in grants[begin : begin + PART]])
        for begin in range(0, max(len(events), 1), PART):
            yield Part(events[begin : begin + PART])

    def _is_marked(self, epoch: int, place: int) -> bool:
        byte = place >> 3
        return epoch == self.epoch and byte < len(self._marks) and bool(self._marks[byte] & 0x80 >> (place & 7))

    def _mark(self, epoch: int, place: int) -> None:
        if epoch != self.epoch:
            return
        byte = place >> 3
        if byte >= len(self._marks):
            self._marks.extend(bytes(byte + 4096 - len(self._marks)))
        # As SETBIT counts: the most significant bit first.
        self._marks[byte] |= 0x80 >> (place & 7)

    def _note(self, epoch: int, event: Event) -> None:
        if epoch != self.epoch:
            return
        self._events.append(event)
        if len(self._events) > EVENTS:
            self._whole_since = self._events.popleft().tick + 1
