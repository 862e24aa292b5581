"""`sunbeon explain`: what a visitor of a room with an eligibility calendar is told, and why."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from gateway.room.entitle import Register
from gateway.room.explain import explained, read_birth, read_moment, told
from gateway.settings import Room, load
from shared.calendar_file import find_calendar, read_calendar
from shared.clock import now_ms
from shared.errors import SettingsError
from shared.rules.model import BadCalendar


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    explain = commands.add_parser("explain", help="what is somebody born then told at that moment, and why?")
    explain.add_argument("--config", type=Path, help="settings file (or SUNBEON_CONFIG)")
    explain.add_argument("--room", help="its name (default: the only one with a calendar)")
    explain.add_argument("--birth", required=True, help="birth date, YYYY-MM-DD")
    explain.add_argument("--at", help="ISO time; without an offset, of the calendar's zone (default: now)")
    explain.add_argument("--json", action="store_true", help="as JSON")
    explain.set_defaults(run=run)


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """0: told. By the settings file: the operator API knows also what was changed while the room runs.

    Raises `SettingsError`.
    """
    path = arguments.config or (Path(environ["SUNBEON_CONFIG"]) if environ.get("SUNBEON_CONFIG") else None)
    room, register = _find(load(path, environ=environ).room, arguments.room)
    try:
        birth = read_birth(arguments.birth)
        at_ms = read_moment(arguments.at, register.calendar) if arguments.at else now_ms()
    except ValueError as error:
        raise SettingsError([str(error)]) from None
    if arguments.json:
        answer = {"room": room.name, **explained(register, birth, room.limits(), at_ms)}
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        print("\n".join(told(register, birth, room.limits(), at_ms)))
    return 0


def _find(rooms: tuple[Room, ...], name: str | None) -> tuple[Room, Register]:
    """The room that was named, or the only one, with its calendar."""
    found = [room for room in rooms if room.calendar is not None and name in {None, room.name}]
    if len(found) != 1:
        known = ", ".join(room.name for room in rooms if room.calendar is not None)
        raise SettingsError([f"--room: name a room with a calendar ({known or 'there is none'})"])
    room = found[0]
    try:
        return room, Register(read_calendar(find_calendar(room.calendar or "")))
    except BadCalendar as error:
        raise SettingsError([f"room.{room.name}.calendar: {problem}" for problem in error.problems]) from None
