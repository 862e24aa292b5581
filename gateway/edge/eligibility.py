"""Whose turn it is by birth date: a room's eligibility calendar, as the file now has it, and what it says of a visitor.

The rules are `shared.rules`, what follows from them for the line is `gateway.room.entitle`; both pure. This reads the
file again when it changes. The clock is the store's, as for everything that decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from gateway.room.entitle import Entitled, Register
from gateway.room.model import Snapshot
from shared.calendar_file import CalendarFile, find_calendar
from shared.rules.calendar import Calendar
from shared.rules.data import verdict_data
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
        self._register: Register | None = None

    @property
    def problem(self) -> str | None:
        """What is wrong with the file as it is now, so that the calendar before it stays; None: nothing."""
        return self._file.problem

    def calendar(self, now_ms: int) -> Calendar:
        return self._current(now_ms).calendar

    def pending(self, now_ms: int) -> Mapping[str, int]:
        """The windows that are still to open, by the names of their pre-queues, and when."""
        return self._current(now_ms).pending(now_ms)

    def entitle(self, cohorts: str, room: Snapshot) -> Entitled:
        """What somebody whose ticket names these cohorts may do now."""
        return self._current(room.now_ms).entitle(cohorts, room)

    def judge(self, birth: date, room: Snapshot) -> Answer:
        """What somebody born then may do now."""
        register = self._current(room.now_ms)
        cohorts = register.cohorts_of(birth)
        return Answer(cohorts, register.entitle(cohorts, room))

    def today(self, now_ms: int) -> date:
        """Where the calendar is from."""
        return to_local(now_ms, find_zone(self.calendar(now_ms).zone)).date()

    def explain(self, birth: date, room: Snapshot) -> dict[str, Any]:
        """The answer that the gate would give at `room.now_ms`, and all it rests on, for operators."""
        answer = self.judge(birth, room)
        verdict = answer.entitled.verdict
        return {
            **(verdict_data(verdict) if verdict is not None else {}),
            "room": room.room,
            "at": self._moment(room.now_ms),
            "ticket_cohorts": answer.cohorts,
            "way": answer.entitled.way.value,
            "wave": answer.entitled.wave or None,
            "lines_up_from": self._moment(answer.entitled.joins_ms),
        }

    def _moment(self, at_ms: int | None) -> str | None:
        zone = self._register and self._register.calendar.zone
        return None if at_ms is None or not zone else to_local(at_ms, find_zone(zone)).isoformat()

    def _current(self, now_ms: int) -> Register:
        calendar = self._file.current(now_ms)
        if self._register is None or self._register.calendar is not calendar:
            self._register = Register(calendar)
        return self._register
