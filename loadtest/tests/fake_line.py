"""The line of a gate small enough to read, which keeps the rules, or breaks one of them on purpose.

It exists to prove that the checks can fail. It is no model of the real gate: one process, nothing durable.
"""

import hmac
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto


class Fault(Enum):
    """One rule broken."""

    ABOVE_CEILING = auto()
    TOO_FAST = auto()
    OUT_OF_ORDER = auto()
    SERVING_GOES_BACK = auto()
    DOUBLE_NUMBER = auto()
    NUMBERS_VANISH = auto()
    LOSES_TICKETS = auto()
    CHANGES_NUMBERS = auto()
    PUTS_OUT = auto()
    SECOND_PASS = auto()
    REFUSES_REPEATS = auto()
    NO_PASS = auto()
    BEFORE_OPENING = auto()
    COUNTS_NO_FALSE = auto()
    # Each lets one kind of trick through.
    FORGED_TICKET = auto()
    ALTERED_TICKET = auto()
    FORGED_PASS = auto()
    TICKET_AS_PASS = auto()
    HEADERS = auto()
    DEEP_LINK = auto()
    METHODS = auto()
    KNOCK_REPLAY = auto()
    EARLY_CLAIM = auto()
    FAST_POLL = auto()
    USED_TICKET = auto()
    BACKEND_DIRECT = auto()


@dataclass
class Bucket:
    """Credit that fills with time and holds two seconds' worth, at least one."""

    per_minute: int
    level: float = 1e9
    filled_s: float = field(default_factory=time.monotonic)

    def fill(self) -> None:
        now_s = time.monotonic()
        most = max(1.0, self.per_minute / 30)
        self.level = min(most, self.level + (now_s - self.filled_s) * self.per_minute / 60)
        self.filled_s = now_s

    def take(self) -> bool:
        if self.level < 1:
            return False
        self.level -= 1
        return True


@dataclass
class Line:
    """Who waits, who is called, who is inside."""

    ceiling: int
    per_minute: int
    faults: frozenset[Fault] = frozenset()
    window_s: float = 0.15
    opens_in_s: float = 0.0
    status_claims: bool = True  # a status request of a called place enters, as the page does
    tail: int = 0
    serving: int = 0
    version: int = 1
    key: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    knocks: dict[str, int] = field(default_factory=dict)
    called_s: dict[int, float] = field(default_factory=dict)
    passes: dict[int, str] = field(default_factory=dict)
    spent: set[int] = field(default_factory=set)
    counters: Counter[str] = field(default_factory=Counter)
    asked: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.born_s = time.monotonic()
        self.calls, self.claims = Bucket(self.per_minute), Bucket(self.per_minute)

    def has(self, fault: Fault) -> bool:
        return fault in self.faults

    @property
    def prequeue(self) -> bool:
        return time.monotonic() < self.born_s + self.opens_in_s

    def seal(self, kind: str, text: str) -> str:
        mac = hmac.new(self.key, f"{kind}.{text}".encode(), "sha256").hexdigest()[:16]
        return f"{kind}.{text}.{mac}"

    def open_seal(self, kind: str, token: str | None) -> str | None:
        """What was sealed, or None for what this line never made."""
        head, _, _ = (token or "").rpartition(".")
        made_kind, _, text = head.partition(".")
        return text if made_kind == kind and token == self.seal(kind, text) else None

    def tick(self) -> None:
        """Call as many as there is room and credit for."""
        self.calls.fill()
        self.claims.fill()
        if self.prequeue and not self.has(Fault.BEFORE_OPENING):
            return
        now_s = time.monotonic()
        while self.serving < self.tail:
            awaited = sum(called_s + self.window_s > now_s for called_s in self.called_s.values())
            full = len(self.passes) + awaited >= self.ceiling and not self.has(Fault.ABOVE_CEILING)
            if full or not (self.has(Fault.TOO_FAST) or self.calls.take()):
                return
            self.serving += 1
            self.called_s[self.serving] = now_s

    def join(self) -> int:
        if self.has(Fault.DOUBLE_NUMBER) and self.tail and self.tail % 5 == 0 and secrets.randbelow(2):
            return self.tail
        self.tail += 2 if self.has(Fault.NUMBERS_VANISH) and self.tail % 5 == 0 else 1
        self.counters["joined"] += 1
        self.tick()
        return self.tail

    def idle(self) -> bool:
        """Whether a newcomer would come in at once."""
        self.tick()
        seat = len(self.passes) < self.ceiling and self.claims.level >= 1 and self.calls.level >= 1
        return self.serving == self.tail and not self.called_s and not self.prequeue and seat

    def is_called(self, place: int) -> bool:
        jumped = self.has(Fault.OUT_OF_ORDER) and place % 5 == 0
        return place <= self.serving or jumped

    def claim(self, place: int) -> str | None:
        """The id of the pass of this place, or None: not called, no seat, spent."""
        self.tick()
        if place in self.passes:
            if self.has(Fault.REFUSES_REPEATS):
                return None
            if self.has(Fault.SECOND_PASS):
                self.counters["admitted"] += 1
            return self.passes[place]
        if place in self.spent or not self.is_called(place):
            return None
        if len(self.passes) >= self.ceiling and not self.has(Fault.ABOVE_CEILING):
            return None
        return self.admit(place) if self.has(Fault.TOO_FAST) or self.claims.take() else None

    def admit(self, place: int) -> str:
        self.called_s.pop(place, None)
        self.passes[place] = secrets.token_hex(8)
        self.counters["admitted"] += 1
        self.counters["peak_live"] = max(self.counters["peak_live"], len(self.passes))
        return self.passes[place]

    def end(self, place: int, reason: str) -> None:
        self.called_s.pop(place, None)
        self.passes.pop(place, None)
        self.spent.add(place)
        self.counters[reason] += 1

    def state(self, number: int) -> str:
        self.tick()
        if number in self.passes:
            return "inside"
        if number in self.spent:
            return "used"
        return "called" if self.is_called(number) else "waiting"
