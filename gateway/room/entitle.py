"""What an eligibility calendar means for the line: who waits, in which line, and from when. Pure.

A ticket says which cohorts its holder is in, never the birth date; everything else is looked up anew each time, so that
a calendar which changes counts at once, also for who has a number already.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import blake2b
from typing import Final

from gateway.room.model import Limits, QueueingMethod, room_state
from gateway.room.schedule import Moment, look
from gateway.room.ticket import Ticket
from shared.rules.calendar import Calendar
from shared.rules.model import Kind, Verdict
from shared.rules.timeline import Timeline
from shared.wire import RoomState

# Of somebody who is in no cohort at all. No id begins with it.
NO_COHORT: Final = "-"

# What is longer does not go into a cookie as it is.
_LONGEST: Final = 100

_BEFORE_OPENING: Final = frozenset({RoomState.EARLY, RoomState.PREQUEUE})


class Way(StrEnum):
    """What somebody does next."""

    ASK = "ask"  # say the birth date: nobody has, or the calendar no longer knows these cohorts
    NOW = "now"  # their window is open: on as in any room
    ROOM = "room"  # it is still to open, and the room itself opens no sooner: line up for that
    WAVE = "wave"  # it is still to open: line up in a pre-queue of its own
    LATER = "later"  # it is still to open, and it is too soon to line up
    NEVER = "never"  # nothing opens for them any more, or nothing ever does


@dataclass(frozen=True, slots=True)
class Entitled:
    """verdict: None where it is not known who asks. wave: the pre-queue of their window, where that is still to open.

    joins_ms: from when they may line up, where it is too soon; None: not before the window itself.
    """

    way: Way
    verdict: Verdict | None = None
    wave: str = ""
    joins_ms: int | None = None

    @property
    def reason(self) -> str:
        """A word for counters and programs: `not_yet`, `paused`, `over`, `not_eligible`, `eligible`, `unknown`."""
        return "unknown" if self.verdict is None else self.verdict.kind.value


UNKNOWN: Final = Entitled(Way.ASK)


class Register:
    """A calendar, by what tickets say. Only birth dates count: a gate knows no other attribute of anybody."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self._timelines: dict[str, Timeline] = {}
        self._opens_ms: dict[str, int] = {}
        for people in calendar.lookup.people():
            if people.attributes:
                continue
            self._timelines[cohorts_text(cohort.id for cohort in people.cohorts)] = people.timeline
            for verdict in people.timeline.verdicts:
                if verdict.opens_ms is not None:
                    self._opens_ms[self.wave_of(verdict)] = verdict.opens_ms

    def cohorts_of(self, birth: date) -> str:
        """What goes into the ticket of somebody born then."""
        timeline = self.calendar.lookup.timeline(birth, {})
        return cohorts_text(cohort.id for cohort in timeline.verdicts[0].cohorts)

    def verdict(self, cohorts: str, at_ms: int) -> Verdict | None:
        """None for cohorts that are not (or no longer) those of anybody."""
        timeline = self._timelines.get(cohorts)
        return None if timeline is None else timeline.at(at_ms)

    def wave_of(self, verdict: Verdict) -> str:
        """The window that opens next, as its pre-queue is called: the rule's id, and the pause it reopens after."""
        rule = verdict.rule
        if rule is None or verdict.opens_ms is None:
            return ""
        if verdict.opens_ms == rule.opens_ms:
            return _short(rule.id)
        mine = {cohort.id for cohort in verdict.cohorts}
        after = next(
            each
            for each in self.calendar.pauses
            if each.until_ms == verdict.opens_ms and not mine.isdisjoint(each.cohorts)
        )
        return _short(f"{rule.id}:{after.id}")

    def pending(self, now_ms: int) -> Mapping[str, int]:
        """Windows that are still to open, by the names of their pre-queues, and when."""
        return {name: opens_ms for name, opens_ms in self._opens_ms.items() if opens_ms > now_ms}

    def entitle(self, cohorts: str, limits: Limits, now_ms: int) -> Entitled:
        """What somebody of these cohorts may do at this moment, in a room with these settings."""
        verdict = self.verdict(cohorts, now_ms)
        if verdict is None:
            return UNKNOWN
        if verdict.kind is Kind.ELIGIBLE:
            return Entitled(Way.NOW, verdict)
        if verdict.opens_ms is None:
            return Entitled(Way.NEVER, verdict)
        return self._later(verdict, verdict.opens_ms, limits, now_ms)

    def could_hold(self, cohorts: str, ticket: Ticket, wave: str, limits: Limits) -> bool:
        """Whether people of these cohorts could have been given this number when its holder was.

        ticket: as it counts now. wave: the pre-queue in which its number was issued, also if that has joined the line
        by now; "" for the room's own line. True where nobody can say: the calendar does not know the holder's cohorts.
        """
        was = self.entitle(ticket.cohorts, limits, ticket.issued_ms)
        would = self.entitle(cohorts, limits, ticket.issued_ms)
        if was.way is Way.ASK or ticket.cohorts == cohorts:
            return True
        if wave:
            return would.wave == wave or (not ticket.wave and would.way is Way.NOW)
        # By the settings of now: between an opening and the moment it was moved to, the room may have been open.
        start_ms, end_ms = limits.postponed_from_ms, limits.postponed_to_ms
        moved = start_ms is not None and end_ms is not None and start_ms <= ticket.issued_ms < end_ms
        alike = (would.way, would.wave) == (was.way, was.wave)
        return alike or would.way is Way.NOW or (would.way is Way.ROOM and not moved)

    def _later(self, verdict: Verdict, opens_ms: int, limits: Limits, now_ms: int) -> Entitled:
        wave, state = self.wave_of(verdict), room_state(limits, now_ms)
        moment = look(limits.windows, limits.prequeue_ms, now_ms)
        if is_in_rooms_line(opens_ms, state, moment):
            if state is RoomState.PREQUEUE:
                return Entitled(Way.ROOM, verdict, wave)
            return Entitled(Way.LATER, verdict, wave, moment.joins_from_ms)
        if limits.queueing_method is QueueingMethod.REJECT:
            return Entitled(Way.LATER, verdict, wave)
        joins_ms = None if limits.prequeue_ms is None else opens_ms - limits.prequeue_ms
        if joins_ms is None or now_ms >= joins_ms:
            return Entitled(Way.WAVE, verdict, wave)
        return Entitled(Way.LATER, verdict, wave, joins_ms)


def is_in_rooms_line(opens_ms: int, state: RoomState, moment: Moment) -> bool:
    """Whether the line for a window is the room's own: the room is still to open, and opens no sooner."""
    return state in _BEFORE_OPENING and moment.opens_at_ms is not None and moment.opens_at_ms >= opens_ms


def cohorts_text(ids: Iterable[str]) -> str:
    """Cohorts as a ticket has them: ids, sorted, joined by "+"; `NO_COHORT` for none."""
    return _short("+".join(sorted(ids))) or NO_COHORT


def _short(text: str) -> str:
    """The text, or a fingerprint of one that is too long for a cookie."""
    return text if len(text) <= _LONGEST else f"={blake2b(text.encode(), digest_size=12).hexdigest()}"
