"""What the lines of an audit log add up to, for a room and a time. Pure; memory does not grow with the lines."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.report.order import MOST_PLACES, Order, Places

# The time is cut into so many parts, for waits over time.
PARTS: Final = 120
# So many changes are told one by one.
MOST_CHANGES: Final = 200
LATE: Final = "late_lane"
# Events that say what operators (or the backend) did to a room; anything else that has a `by` is one too.
_CHANGES: Final = frozenset({"settings", "postponed", "reset", "sold_out"})


class Waits:
    """Waiting times, to the second."""

    def __init__(self) -> None:
        self._seconds: Counter[int] = Counter()
        self.number = 0

    def add(self, ms: int) -> None:
        self._seconds[ms // 1000] += 1
        self.number += 1

    def percentiles(self, wanted: Sequence[int]) -> list[int]:
        """Seconds within which so many percent were admitted; empty if nobody was."""
        if not self.number:
            return []
        found, seen, left = [], 0, sorted(wanted)
        for second in sorted(self._seconds):
            seen += self._seconds[second]
            while left and seen * 100 >= left[0] * self.number:
                found.append(second)
                left.pop(0)
        return found


@dataclass(frozen=True, slots=True)
class Change:
    """facts: the line's, without what every line has."""

    at_ms: int
    event: str
    by: str | None
    by_said: bool
    facts: Mapping[str, Any]


@dataclass(slots=True)
class Tally:
    """Feed it every line of the room in the order of time, also those before `from_ms`: who is told twice is told once.

    apart: see `order`. admitted: by way in; waits and order are of those who came in time. not_written: refusals and
    exemptions that a flood kept from the log. failed_open: without the line, as the store was away.
    """

    from_ms: int
    before_ms: int
    apart: int
    admitted: Counter[str] = field(default_factory=Counter)
    waits: Waits = field(default_factory=Waits)
    parts: list[Waits] = field(default_factory=lambda: [Waits() for _ in range(PARTS)])
    order: Order = field(init=False)
    refused: Counter[str] = field(default_factory=Counter)
    exempt: Counter[str] = field(default_factory=Counter)
    failed_open: int = 0
    not_written: int = 0
    changes: list[Change] = field(default_factory=list)
    changes_left_out: int = 0
    _places: dict[tuple[int, bool], Places] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.order = Order(self.apart)

    @property
    def step_ms(self) -> int:
        """How long a part is."""
        return max(1, -(-(self.before_ms - self.from_ms) // PARTS))

    def read(self, facts: Mapping[str, Any]) -> None:
        """The next line."""
        time_ms, event = facts.get("time_ms"), facts.get("event")
        if type(time_ms) is not int or not isinstance(event, str) or time_ms >= self.before_ms:
            return
        if event == "admitted":
            self._admitted(time_ms, facts)
        elif time_ms >= self.from_ms:
            if type(facts.get("lines_not_written")) is int:
                self.not_written += facts["lines_not_written"]
            self._other(time_ms, event, facts)

    def _admitted(self, time_ms: int, facts: Mapping[str, Any]) -> None:
        epoch, place, how, waited = (facts.get(name) for name in ("epoch", "place", "how", "waited_ms"))
        if type(epoch) is not int or type(place) is not int or not 1 <= place <= MOST_PLACES:
            return
        late = how == LATE
        before = self._places.setdefault((epoch, late), Places())
        if not before.add(place) or time_ms < self.from_ms:
            return
        self.admitted[str(how)] += 1
        if late:
            # It has a low place by its nature: apart from the others it neither overtakes nor is overtaken.
            return
        self.order.admit(place, before)
        if type(waited) is int:
            self.waits.add(waited)
            self.parts[(time_ms - self.from_ms) // self.step_ms].add(waited)

    def _other(self, time_ms: int, event: str, facts: Mapping[str, Any]) -> None:
        if event == "refused":
            self.refused[str(facts.get("why"))] += 1
        elif event == "exempt":
            self.exempt[str(facts.get("rule") or facts.get("how"))] += 1
        elif event == "failed_open":
            self.failed_open += 1
        elif event in _CHANGES or "by" in facts:
            if len(self.changes) == MOST_CHANGES:
                self.changes_left_out += 1
                return
            by = facts.get("by")
            usual = {"seq", "time_ms", "event", "room", "by", "by_said", "version"}
            more = {name: value for name, value in facts.items() if name not in usual}
            self.changes.append(Change(time_ms, event, None if by is None else str(by), "by_said" in facts, more))
