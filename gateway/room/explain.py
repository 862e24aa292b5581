"""Why somebody was told what they were told, for any birth date and moment. Pure."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from gateway.room.entitle import Entitled, Register, Way
from gateway.room.model import Limits, room_state
from shared.rules.calendar import Calendar
from shared.rules.data import verdict_data
from shared.rules.times import find_zone, instant_ms, to_local, to_ms
from shared.rules.wording import births_line, explain

_ISO_DATE_LENGTH = len("1968-03-02")


def explained(register: Register, birth: date, limits: Limits, at_ms: int) -> dict[str, Any]:
    """The gate's answer and all it rests on, as data for JSON. The birth date itself is not in it."""
    cohorts = register.cohorts_of(birth)
    entitled = register.entitle(cohorts, limits, at_ms)
    zone = find_zone(register.calendar.zone)
    joins_ms = entitled.joins_ms
    return {
        "at": to_local(at_ms, zone).isoformat(),
        "room_state": room_state(limits, at_ms).value,
        "way": entitled.way.value,
        "lines_up_from": None if joins_ms is None else to_local(joins_ms, zone).isoformat(),
        "wave": entitled.wave or None,
        "ticket_cohorts": cohorts,
        **(verdict_data(entitled.verdict) if entitled.verdict is not None else {}),
    }


def told(register: Register, birth: date, limits: Limits, at_ms: int) -> Iterator[str]:
    """The same in lines of text."""
    zone = find_zone(register.calendar.zone)
    entitled = register.entitle(register.cohorts_of(birth), limits, at_ms)
    yield births_line(birth, {}, to_local(at_ms, zone))
    if entitled.verdict is not None:
        yield from explain(entitled.verdict, at_ms)
    yield f"  room      {room_state(limits, at_ms).value}: {_way(entitled, register)}"


def read_birth(text: str) -> date:
    """YYYY-MM-DD. Raises `ValueError`, without the text: it is somebody's."""
    try:
        if len(text) == _ISO_DATE_LENGTH:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("a birth date is written YYYY-MM-DD")


def read_moment(text: str, calendar: Calendar) -> int:
    """An ISO time; without an offset, of the calendar's zone. In milliseconds. Raises `ValueError`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("a moment is written like 2021-07-19T22:30:00, with or without its UTC offset") from None
    try:
        at_ms = instant_ms(moment) if moment.tzinfo else to_ms(moment, find_zone(calendar.zone))
        # Must be one that can be told again, in the calendar's zone.
        to_local(at_ms, find_zone(calendar.zone))
    except OverflowError:
        raise ValueError("that moment lies outside the years that can be told") from None
    return at_ms


def _way(entitled: Entitled, register: Register) -> str:
    if entitled.way is Way.LATER:
        joins_ms = entitled.joins_ms or (entitled.verdict and entitled.verdict.opens_ms)
        return f"lines up from {to_local(joins_ms, find_zone(register.calendar.zone))}" if joins_ms else "waits"
    return {
        Way.NOW: "goes into line, and in",
        Way.ROOM: "lines up for the room's opening",
        Way.WAVE: f"lines up in the pre-queue {entitled.wave}",
        Way.NEVER: "does not wait",
    }.get(entitled.way, "is asked")
