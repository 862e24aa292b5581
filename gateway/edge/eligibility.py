"""Whose turn it is by birth date: a room's eligibility calendar, as the file now has it, and what it says of a visitor.

The rules are `shared.rules`, what follows from them for the line is `gateway.room.entitle`; both pure. This reads the
file again when it changes. The clock is the store's, as for everything that decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from gateway.room.entitle import Entitled, Register
from gateway.room.explain import explained
from gateway.room.model import Limits, Snapshot
from gateway.room.ticket import Ticket
from shared.calendar_file import CalendarFile, find_calendar
from shared.rules.calendar import Calendar
from shared.rules.times import find_zone, to_local


@dataclass(frozen=True, slots=True)
class Answer:
    """What a birth date came to. Not the date itself: that is forgotten."""

    cohorts: str
    entitled: Entitled


class Eligibility:
    """Of one room."""

    def __init__(self, calendar: str) -> None:
        """calendar: the name of a built-in one, or a path. Raises `BadCalendar`."""
        self._file = CalendarFile(find_calendar(calendar))
        self._register = Register(self._file.current(0))

    @property
    def problem(self) -> str | None:
        """What is wrong with the file as it is now, so that the calendar before it stays; None: nothing."""
        return self._file.problem

    @property
    def calendar(self) -> Calendar:
        """As last looked at."""
        return self._register.calendar

    def refresh(self, now_ms: int) -> None:
        """Have a changed file count. Every tick does it, and so does every look at what somebody may do."""
        self._current(now_ms)

    def pending(self, since_ms: int) -> Mapping[str, int]:
        """The windows that open after that moment, by the names of their pre-queues, and when. Looks at no file."""
        return self._register.pending(since_ms)

    def entitle(self, cohorts: str, room: Snapshot) -> Entitled:
        """What somebody whose ticket names these cohorts may do now."""
        return self._current(room.now_ms).entitle(cohorts, room.limits, room.now_ms)

    def judge(self, birth: date, room: Snapshot) -> Answer:
        """What somebody born then may do now."""
        register = self._current(room.now_ms)
        cohorts = register.cohorts_of(birth)
        return Answer(cohorts, register.entitle(cohorts, room.limits, room.now_ms))

    def could_hold(self, cohorts: str, ticket: Ticket, wave: str, room: Snapshot) -> bool:
        """As `Register.could_hold`, in the room as it is set now."""
        return self._current(room.now_ms).could_hold(cohorts, ticket, wave, room.limits)

    def today(self, now_ms: int) -> date:
        """Where the calendar is from."""
        return to_local(now_ms, find_zone(self.calendar.zone)).date()

    def explain(self, birth: date, limits: Limits, at_ms: int) -> dict[str, Any]:
        """The answer that the gate gives at that moment by the calendar and settings of now, and all it rests on."""
        return explained(self._register, birth, limits, at_ms)

    def _current(self, now_ms: int) -> Register:
        calendar = self._file.current(now_ms)
        if self._register.calendar is not calendar:
            self._register = Register(calendar)
        return self._register
