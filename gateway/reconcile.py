"""How each booking got in: bookings compared with the audit log. Pure.

A booking says by which pass it was made (the claims of `Sunbeon-Pass`). The audit log says which passes there were. A
booking is proven only by a line of the log that says the same of it: what a booking says of itself proves nothing.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any, Final

from gateway.room.model import Mode
from shared.wire import How

# The gateway's and the booking site's clocks may differ by this much.
SKEW_MS: Final = 60_000
# A visitor without a pass is let in with each request, of which not all are in the log in a flood: one of the same kind
# within this time before the booking is taken for its evidence.
EXEMPT_WITHIN_MS: Final = 3_600_000

MINUTE_MS: Final = 60_000

# Room, how, and rule.
Way = tuple[str, str, str | None]

_PASSAGES: Final = frozenset({"exempt", "failed_open"})
_EXEMPT: Final = frozenset({How.EXEMPT, How.PASSTHROUGH, How.FAIL_OPEN})


class Class(StrEnum):
    """How a booking got in."""

    QUEUED = "queued in order"
    LATE = "late lane"
    EXEMPT = "exempt"
    UNPROVEN = "unproven"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Booking:
    """One booking, as the booking site has it. where: its line in the list. how: as it was said, whatever it is."""

    where: str
    ref: str
    created_ms: int
    room: str
    epoch: int | None
    number: int | None
    place: int | None
    how: str
    rule: str | None
    pass_id: str


@dataclass(frozen=True, slots=True)
class Judged:
    """evidence: the line of the log, by file, line and number; None without one. why: in words."""

    booking: Booking
    judged: Class
    why: str
    evidence: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the audit log that can prove a booking."""

    where: str
    facts: Mapping[str, Any]

    @property
    def named(self) -> str:
        return f"{self.where} (line {self.facts.get('seq', '?')} of the room)"


class Evidence:
    """What logs say of certain bookings. Feed it every line, then ask.

    Memory grows with the bookings, and with the minutes in which somebody was let in without the line.
    """

    def __init__(self, bookings: Iterable[Booking]) -> None:
        self._wanted = {booking.pass_id for booking in bookings}
        self._admitted: dict[str, list[Line]] = {}
        # Of room, way and rule: when somebody was let in without the line, and where the log says so.
        self._moments: dict[Way, list[tuple[int, str]]] = {}
        self.passages: Counter[Way] = Counter()
        self.left_out = 0
        # Of a room: when everybody was let through, and by whom; "" where no name is on record.
        self._switches: dict[str, list[tuple[int, str]]] = {}
        # Of a room and an entry of its allow-list: when it was made, and by whom.
        self._allowed: dict[tuple[str, str], list[tuple[int, str]]] = {}

    def read(self, where: str, facts: Mapping[str, Any]) -> None:
        """The next line of the log; one of no use here is passed over."""
        event, room, time_ms = facts.get("event"), facts.get("room"), facts.get("time_ms")
        left_out = facts.get("lines_not_written")
        self.left_out += left_out if type(left_out) is int else 0
        pass_id, rule = facts.get("pass_id"), facts.get("rule")
        if not isinstance(room, str) or not isinstance(event, str) or type(time_ms) is not int:
            return
        if event == "admitted" and isinstance(pass_id, str) and pass_id in self._wanted:
            self._admitted.setdefault(pass_id, []).append(Line(where, facts))
        elif event in _PASSAGES and (rule is None or isinstance(rule, str)):
            self._pass(Line(where, facts), room, time_ms)
        elif event == "settings" and _opens_up(facts.get("changed")):
            self._switches.setdefault(room, []).append((time_ms, str(facts.get("by") or "")))
        elif event == "allowed" and facts.get("by"):
            self._allowed.setdefault((room, str(facts.get("name"))), []).append((time_ms, str(facts["by"])))

    def _pass(self, line: Line, room: str, time_ms: int) -> None:
        way = (room, str(line.facts.get("how", How.FAIL_OPEN)), line.facts.get("rule"))
        self.passages[way] += 1
        moments = self._moments.setdefault(way, [])
        if moments and moments[-1][0] // MINUTE_MS == time_ms // MINUTE_MS:
            moments.pop()
        moments.append((time_ms, line.named))

    def done(self) -> None:
        """All lines were read: those of several logs are put in the order of time."""
        for moments in (*self._moments.values(), *self._switches.values(), *self._allowed.values()):
            moments.sort()

    def admitted(self, pass_id: str) -> Sequence[Line]:
        return self._admitted.get(pass_id, ())

    def passage(self, booking: Booking) -> str | None:
        """Where the log says that somebody was let in like this not long before."""
        found = self._moments.get((booking.room, booking.how, booking.rule), [])
        latest = _latest(found, booking.created_ms + SKEW_MS)
        return None if latest is None or latest[0] < booking.created_ms - EXEMPT_WITHIN_MS else latest[1]

    def switched_by(self, booking: Booking) -> str | None:
        """Who had everybody let through last before a booking; None where that is not known, or not what happened."""
        if booking.how != How.PASSTHROUGH:
            return None
        latest = _latest(self._switches.get(booking.room, []), booking.created_ms)
        return (latest[1] or None) if latest is not None else None

    def allowed_by(self, booking: Booking) -> str | None:
        """Who made the entry of the allow-list by which they went through, if it was one."""
        made = self._allowed.get((booking.room, booking.rule), []) if booking.rule else []
        latest = _latest(made, booking.created_ms + SKEW_MS)
        return None if latest is None else latest[1]


def reconcile(bookings: Sequence[Booking], evidence: Evidence) -> list[Judged]:
    """Each booking judged, in the order of the list. Of several made by one pass the earliest is the pass's own."""
    first: dict[tuple[str, str], Booking] = {}
    for booking in bookings:
        key = (booking.room, booking.pass_id)
        if booking.pass_id and (key not in first or booking.created_ms < first[key].created_ms):
            first[key] = booking
    return [_judge(booking, first.get((booking.room, booking.pass_id)), evidence) for booking in bookings]


def counts(judged: Iterable[Judged]) -> dict[Class, int]:
    """How many of each class, all classes named."""
    found = Counter(each.judged for each in judged)
    return {each: found[each] for each in Class}


def _opens_up(changed: object) -> bool:
    """Whether a change of settings is that everybody is let through from then on."""
    state = changed.get("state") if isinstance(changed, Mapping) else None
    return isinstance(state, Mapping) and state.get("to") == Mode.PASSTHROUGH


def _latest(moments: Sequence[tuple[int, str]], at_ms: int) -> tuple[int, str] | None:
    """The last one until a moment."""
    index = bisect_right(moments, at_ms, key=itemgetter(0))
    return moments[index - 1] if index else None


def _judge(booking: Booking, first: Booking | None, evidence: Evidence) -> Judged:
    if not booking.pass_id:
        return Judged(booking, Class.UNPROVEN, "it names no pass")
    if first is not booking and first is not None:
        why = f"the pass had been used already, by {first.ref} ({first.where})"
        return Judged(booking, Class.REPLAYED, why)
    if booking.how in _EXEMPT:
        return _judge_exempt(booking, evidence)
    lines = evidence.admitted(booking.pass_id)
    if not lines:
        return Judged(booking, Class.UNPROVEN, "no line of the log admits its pass")
    differences = [_differences(booking, line) for line in lines]
    for line, found in zip(lines, differences, strict=True):
        if not found:
            late = booking.how == How.LATE_LANE
            why = f"place {booking.place:,}" if booking.place is not None else "admitted"
            return Judged(booking, Class.LATE if late else Class.QUEUED, why, line.named)
    return Judged(booking, Class.UNPROVEN, f"the log says otherwise: {differences[0]}", lines[0].named)


def _judge_exempt(booking: Booking, evidence: Evidence) -> Judged:
    where = evidence.passage(booking)
    rule = f" {booking.rule}" if booking.rule else ""
    if where is None:
        return Judged(booking, Class.UNPROVEN, f"no line of the log lets anybody in by {booking.how}{rule} before it")
    by = evidence.allowed_by(booking) or booking.rule or evidence.switched_by(booking)
    return Judged(booking, Class.EXEMPT, f"{booking.how}{rule}", where, by)


def _differences(booking: Booking, line: Line) -> str:
    """What the log says otherwise, in words; empty if nothing."""
    said = [
        f"{name} {line.facts.get(name)}, not {mine}"
        for name, mine in (
            ("room", booking.room),
            ("epoch", booking.epoch),
            ("number", booking.number),
            ("place", booking.place),
            ("how", booking.how),
        )
        if line.facts.get(name) != mine
    ]
    if line.facts["time_ms"] > booking.created_ms + SKEW_MS:
        said.append("admitted only after it was booked")
    return "; ".join(said)
