"""What a run leaves behind for the checks: what each visitor saw, and what the operator's side said meanwhile.

Times are milliseconds of the generator's own monotonic clock since the run began: `sent` rounded down, `got` rounded
up, so that what the server did certainly happened between the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from loadtest.scenario import Cheat, VisitorPlan

# Offences told in full; the rest is a count.
TOLD: Final = 3


class Ending(StrEnum):
    """How a journey ended."""

    UNFINISHED = "unfinished"  # the run was over first
    BOOKED = "booked"
    NOT_BOOKED = "not_booked"  # was inside, found nothing to book
    STAYED = "stayed"  # was inside for a while, as `--no-book` asks
    NO_SHOW = "no_show"
    LEFT = "left"
    TURNED_AWAY = "turned_away"  # the room was closed or sold out
    LOST = "lost"  # the gate no longer knew the ticket
    PUT_OUT = "put_out"  # the gate no longer knew the pass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A wait as it was shown, from `at_ms` on. version: of the room's settings."""

    at_ms: int
    low_ms: int
    high_ms: int
    version: int


@dataclass(slots=True)
class Turn:
    """One number a visitor was given, and what came of it.

    number, place: None while the gate has told neither (it may tell those who never waited only when they book).
    told_ms: when the number was first told.
    waiting_sent_ms: when the last request was sent that was answered "waiting".
    called_ms: when the visitor first learned of being called, at the door, or inside.
    entered_sent_ms, entered_ms: the request that was first answered from inside: a status, or the page itself.
    inside_until_ms: when the last request was sent that the backend answered: the pass lived then.
    entered_server_ms: what the gate's clock said in the status answer that let the visitor in.
    """

    number: int | None = None
    place: int | None = None
    told_ms: int | None = None
    waiting_sent_ms: int | None = None
    called_ms: int | None = None
    entered_sent_ms: int | None = None
    entered_ms: int | None = None
    inside_until_ms: int | None = None
    put_out_ms: int | None = None
    entered_server_ms: int | None = None
    estimates: list[Estimate] = field(default_factory=list)

    def enter(self, sent_ms: int, got_ms: int) -> None:
        """Inside, if it was not before."""
        if self.entered_ms is None:
            self.entered_sent_ms, self.entered_ms = sent_ms, got_ms
        if self.called_ms is None:
            self.called_ms = got_ms


@dataclass(slots=True)
class Trick:
    """What one cheat tried.

    through: how often it worked, with a line in `evidence` for each.
    reached: how often the backend answered, but with an error (its own check of the pass, or no such page).
    by_ended_pass: when, and how, the pass of a visit that was over was honoured once more.
    """

    cheat: Cheat
    tried: int = 0
    through: int = 0
    reached: int = 0
    evidence: list[str] = field(default_factory=list)
    by_ended_pass: list[tuple[int, str]] = field(default_factory=list)

    def worked(self, how: str) -> None:
        self.through += 1
        self.evidence.append(how)


@dataclass(slots=True)
class Journey:
    """One visitor's way.

    due_ms: when the visitor should have come; None if the run was over before.
    unproven: answers of the backend to a visitor who had no number, or no pass.
    asked_at_opening_ms: when one who had come before the opening first wanted to know more after it.
    called_out: whether who still waited when the run was over was told the same number once more; None: was not asked.
    """

    plan: VisitorPlan
    due_ms: int | None = None
    turns: list[Turn] = field(default_factory=list)
    current: Turn | None = None
    ending: Ending = Ending.UNFINISHED
    polls: int = 0
    repeats_tried: int = 0
    repeats_refused: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    unproven: int = 0
    called_out: bool | None = None
    trick: Trick | None = None
    asked_at_opening_ms: int | None = None

    def turn(self, number: int, place: int | None) -> Turn:
        """The turn of this number, which is the current one from now on. place: None until lots are drawn."""
        found = next((turn for turn in self.turns if turn.number == number), None)
        if found is None and self.current is not None and self.current.number is None:
            found = self.current
            found.number, found.place = number, place
        return self._go_on(found or Turn(number, place))

    def nameless(self) -> Turn:
        """The current turn, or one whose number is not known yet."""
        return self._go_on(self.current or Turn())

    def _go_on(self, turn: Turn) -> Turn:
        self.current = turn
        if not any(known is turn for known in self.turns):
            self.turns.append(turn)
        return turn


@dataclass(frozen=True, slots=True)
class Sample:
    """The room as the operator API told it. fresh: the gateway that told it had heard from its store lately."""

    sent_ms: int
    got_ms: int
    epoch: int
    state: str
    settings: Mapping[str, object]
    tail: int
    serving: int
    waiting: int
    live: int
    counters: Mapping[str, int]
    gateway: str = ""
    fresh: bool = True

    @property
    def ceiling(self) -> int:
        return int(str(self.settings["total_active_users"]))

    @property
    def outflow_per_minute(self) -> int:
        return int(str(self.settings["new_users_per_minute"]))

    @property
    def idle_limit_s(self) -> int:
        return int(str(self.settings["idle_limit_s"]))

    @property
    def session_length_s(self) -> int:
        return int(str(self.settings["session_length_s"]))


@dataclass(frozen=True, slots=True)
class Opening:
    """The opening that fell into the run. opens_at_ms: by the server's clock; opens_ms: by ours, at the latest.

    lots: whether they were to be drawn. pages: what was published of the draw, again and again, oldest first.
    asked_ms: when each request of a visitor was wanted.
    """

    opens_at_ms: int
    opens_ms: int
    lots: bool
    pages: Sequence[Mapping[str, Any]] = ()
    asked_ms: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All a check may look at.

    samples: oldest first, the first from before the first visitor, the last from after the last; empty if there was
        no operator API.
    reconnects: connections that failed and were made again.
    troubles: requests that saw an error. away_ms: when an answer said that the line could not be asked, oldest first.
    false_answered, false_lost: requests that brought a forged or misplaced token, with an answer and without.
    orphans: requests without a ticket whose answer was lost, so that a number or a pass may be nobody's.
    alone: nobody else used the room meanwhile.
    opening: None if the run brought about none.
    """

    journeys: Sequence[Journey]
    samples: Sequence[Sample]
    reconnects: int = 0
    orphans: int = 0
    alone: bool = True
    troubles: int = 0
    away_ms: Sequence[int] = ()
    opening: Opening | None = None
    false_answered: int = 0
    false_lost: int = 0

    @property
    def disturbed(self) -> bool:
        """Whether something was killed, cut off or out of reach: what a gateway knows may then be seconds old."""
        return bool(self.reconnects or self.troubles or self.away_ms)


class Verdict(StrEnum):
    OK = "ok"
    BROKEN = "BROKEN"
    UNCHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one check.

    invariant: its number among the project's invariants.
    evidence: figures for "ok", the first offences for "BROKEN", the reason for "not checked".
    required: a run in which this was not checked has proven nothing.
    """

    invariant: int
    name: str
    verdict: Verdict
    evidence: str
    required: bool = True


def judge(invariant: int, name: str, wrong: Sequence[str], figures: str) -> Finding:
    """Ok with the figures, or broken with the first offences."""
    if not wrong:
        return Finding(invariant, name, Verdict.OK, figures)
    more = f"; and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
    return Finding(invariant, name, Verdict.BROKEN, "; ".join(wrong[:TOLD]) + more)
