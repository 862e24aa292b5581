"""What must hold at every step, however many come: each check raises `Broken`, which says what and where.

The crowd's own books are compared with the store's: who has left, who is inside, which numbers were given out.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.room.model import USER_CREDIT, Limits, PassGrant, Snapshot
from gateway.room.policy import burst, credit_cap
from shared.errors import SunbeonError
from shared.wire import RoomState

# Windows over which the outflow is looked at, in steps.
WINDOWS: Final = (1, 60)

CHECKS: Final[dict[str, str]] = {
    "numbers": "every number is given out once, in order; a knock brought back gets its own again",
    "serving": "the call never goes back, nor beyond the numbers given out",
    "ceiling": "live passes and kept seats never exceed the ceiling",
    "outflow": "no time sees more admissions than the outflow and the burst",
    "opening": "nobody is admitted before the opening, nor while it is moved",
    "called": "nobody is admitted who is not called",
    "order": "nobody is passed over: calls come in the order of the places, and whoever is called may come in",
    "once": "no place is admitted twice",
    "ticks": "of gateways that tick at once, one counts",
    "books": "the store counts as the crowd does: who waits, who has left, who is inside",
    "kept": "a postponement costs nobody place, pass or time",
    "cheats": "no forged, copied, old or early credential gets anybody in",
}


class Broken(SunbeonError):
    """check: a key of `CHECKS`. at_ms: moment of the evening."""

    def __init__(self, check: str, at_ms: int, told: str) -> None:
        super().__init__(f"{check}: {told}")
        self.check = check
        self.at_ms = at_ms
        self.told = told


@dataclass(frozen=True, slots=True)
class Books:
    """What the crowd counts for itself. ended: passes that were completed."""

    tail: int
    left_ahead: int
    left: int
    admitted: int
    ended: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What a postponement must not change. grants: of some who are inside: none of them may have less time left."""

    serving: int
    watermark: int
    pass_clock_ms: int
    live: int
    grants: Sequence[PassGrant | None]


class Checks:
    """One evening's. `done` counts how often each was made."""

    def __init__(self, arrivals: int) -> None:
        self.at_ms = 0
        self.done: Counter[str] = Counter()
        self._room: Snapshot | None = None
        self._tail = 0
        self._used = bytearray(arrivals + 1)
        self._admitted = 0
        # Of the last steps: the moment, and admissions so far.
        self._let_in: deque[tuple[int, int]] = deque(maxlen=max(WINDOWS) + 1)
        self._kept: Kept | None = None

    def hold(self, check: str, told: str, *, holds: bool) -> None:
        """Raise `Broken` unless it holds."""
        self.done[check] += 1
        if not holds:
            raise Broken(check, self.at_ms, told)

    def looked(self, room: Snapshot, books: Books, *, moves: bool) -> None:
        """The room as it is after all that a step brought."""
        before, limits = self._room, room.in_force
        if before is not None:
            told = f"serving {before.serving} -> {room.serving}, watermark {before.watermark} -> {room.watermark}"
            forward = room.serving >= before.serving and room.watermark >= before.watermark
            self.hold("serving", told, holds=forward)
        told = f"watermark {room.watermark}, serving {room.serving}, tail {room.tail}"
        self.hold("serving", told, holds=room.watermark <= room.serving <= room.tail)
        taken = room.live + room.lane_granted
        told = f"{room.live} inside and {room.lane_granted} seats kept, of {limits.total_active_users}"
        self.hold("ceiling", told, holds=taken <= limits.total_active_users)
        self._outflow(room, limits)
        opened = room.serving == 0 or moves or (before is not None and before.serving == room.serving)
        self.hold("opening", f"called up to {room.serving} while nothing moves", holds=opened)
        self._compare(room, books)
        self._room = room

    def joined(self, numbers: Sequence[int]) -> None:
        """Numbers as one call of the store gave them out to newcomers."""
        wanted = range(self._tail + 1, self._tail + 1 + len(numbers))
        self._tail += len(numbers)
        told = f"{numbers[0]}..{numbers[-1]} ({len(numbers)}) instead of {wanted}" if numbers else "none"
        self.hold("numbers", told, holds=list(wanted) == list(numbers))

    def told_again(self, first: int, again: int) -> None:
        """A knock that was brought back once more."""
        self.hold("numbers", f"a knock got {first}, and later {again}", holds=first == again)

    def ticked(self, before: Snapshot, after: Snapshot, won: int) -> None:
        """A tick by one or more gateways that saw the same room. won: how many of them carried their plan out."""
        self.hold("ticks", f"{won} of them counted", holds=won == 1 and after.tick == before.tick + 1)
        reached = max((call.last for call in after.calls), default=after.serving)
        told = f"places up to {after.serving} are called, the newest call ends at {reached}"
        self.hold("order", told, holds=after.serving in {before.serving, reached})
        gapless = all(one.last + 1 == other.first for one, other in zip(after.calls, after.calls[1:], strict=False))
        self.hold("order", "between two calls places were passed over", holds=gapless)

    def admitted(self, places: Sequence[int], room: Snapshot, *, moves: bool) -> None:
        """Fresh passes of a step. room: as of the tick before."""
        if not places:
            return
        self.hold("opening", f"place {places[0]} is in while nothing moves", holds=moves and _is_open(room))
        highest = max(places)
        self.hold("called", f"place {highest} is in, called are {room.serving}", holds=highest <= room.serving)
        used = self._used
        for place in places:
            if used[place]:
                self.hold("once", f"place {place} has a second pass", holds=False)
            used[place] = 1
        self.done["once"] += len(places)
        self._admitted += len(places)

    def turned_away(self, place: int, answer: object) -> None:
        """Somebody who was called and came is told that there is no turn."""
        self.hold("order", f"place {place} was called and is told {answer}", holds=False)

    def stopped(self, kept: Kept) -> None:
        """As it is when the opening is moved."""
        self._kept = kept

    def resumed(self, now: Kept) -> None:
        """As it is when it opens again, before the first tick."""
        before = self._kept
        if before is None:
            return
        for name in ("serving", "watermark", "pass_clock_ms", "live"):
            was, is_now = getattr(before, name), getattr(now, name)
            self.hold("kept", f"{name}: {was} became {is_now}", holds=was == is_now)
        for was, is_now in zip(before.grants, now.grants, strict=True):
            lives = was is None or (is_now is not None and is_now.lives_ms >= was.lives_ms)
            self.hold("kept", f"{was} became {is_now}", holds=lives)

    def cheated(self, kind: str, told: str, *, refused: bool) -> None:
        self.hold("cheats", f"{kind}: {told}", holds=refused)

    def _outflow(self, room: Snapshot, limits: Limits) -> None:
        outflow = limits.new_users_per_minute
        cap = credit_cap(outflow)
        for credit in (room.credit, room.entry_credit):
            self.hold("outflow", f"credit {credit} of {cap}", holds=0 <= credit <= cap)
        self._let_in.append((room.last_tick_ms, self._admitted))
        for steps in WINDOWS:
            if len(self._let_in) <= steps:
                continue
            since_ms, admitted = self._let_in[-1 - steps]
            most = outflow * (room.last_tick_ms - since_ms) // USER_CREDIT + burst(outflow)
            told = f"{self._admitted - admitted} in {steps} steps, at most {most}"
            self.hold("outflow", told, holds=self._admitted - admitted <= most)

    def _compare(self, room: Snapshot, books: Books) -> None:
        counted = room.counters
        expired = counted.get("expired", 0)
        pairs = {
            "numbers given out": (books.tail, room.tail),
            "left the line ahead": (books.left_ahead, room.left_ahead),
            "left": (books.left, counted.get("left", 0)),
            "admitted": (books.admitted, counted.get("admitted", 0)),
            "inside": (books.admitted - books.ended - expired, room.live),
        }
        for name, (ours, stores) in pairs.items():
            self.hold("books", f"{name}: {ours} by the crowd, {stores} by the store", holds=ours == stores)


def _is_open(room: Snapshot) -> bool:
    return room.state is RoomState.OPEN and room.admitting
