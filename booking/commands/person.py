"""`person export`, `person erase`: one person's data, given out or forgotten.

The person is read from standard input: arguments end up in shell histories and lists of processes. What is typed is in
no message.
"""

import argparse
import json
import sys
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any, Final

from booking import schedule
from booking.commands import start
from booking.commands.store import DONE, Commands, Handle, opened
from booking.errors import InvalidFields
from booking.identity.chosen import chosen_provider
from booking.person import NAME_MAX, OLDEST_BIRTH, Person, person_keys, read_person
from booking.sealed import Sealer, Unsealable, open_contact, seal_contact
from booking.secret_key import load_secret
from booking.settings import Booking
from shared.clock import now_ms
from shared.errors import SettingsError

FIELDS: Final = ("name", "birth_date", "phone")
# Far more than three short texts.
MAX_INPUT_BYTES: Final = 16 * 1024
INCOMPLETE: Final = 1

# Codes of `InvalidFields`.
_WRONG: Final = {
    "name_missing": "is missing",
    "name_bad": f"must have letters, and {NAME_MAX} characters at most",
    "birth_missing": "is missing",
    "birth_bad": "must be a date, YYYY-MM-DD",
    "birth_range": f"must be a date from {OLDEST_BIRTH} to today",
    "phone_missing": "is missing",
    "phone_bad": "must be a phone number, of 9 to 12 digits that begin with 0",
}


def add_parsers(commands: Commands) -> None:
    """Exit codes: 0 done; 1 not done, or a phone number could not be opened; 2 wrong settings or input."""
    subjects = commands.add_parser("person", help="give out or forget one person's data")
    actions = subjects.add_subparsers(dest="action", required=True)
    stdin = 'the person is read from standard input: {"name": ..., "birth_date": "YYYY-MM-DD", "phone": ...}'
    export = actions.add_parser("export", help="all that is kept of one person, as JSON", description=stdin)
    export.set_defaults(handle=_handle(_export))
    erase = actions.add_parser("erase", help="forget one person; a booking to come is cancelled", description=stdin)
    erase.set_defaults(handle=_handle(_erase))
    for parser in (export, erase):
        start.add_config(parser)


def _handle(work: Callable[[Booking, Person, bytes], Coroutine[Any, Any, int]]) -> Handle:
    def handle(arguments: argparse.Namespace) -> int:
        mine = start.read_settings(arguments).booking
        person = _read_person()
        # A new secret would know nobody.
        secret = load_secret(mine.secret_file, arguments.environ.get(start.SECRET_VARIABLE), make=False)
        return start.run(work(mine, person, secret), log_level="warning")

    return handle


async def _export(mine: Booking, person: Person, secret: bytes) -> int:
    async with opened(mine, secret) as store:
        kept = await store.export_person(await _key(mine, person, secret))
    sealer = Sealer(secret)
    unreadable = [row for part in kept.values() for row in part if isinstance(row, dict) and not _open(row, sealer)]
    _print_json({name: [_shown(row) for row in part] for name, part in kept.items()})
    if not any(kept.values()):
        _say("nothing is kept of this person")
    if unreadable:
        _say(f"{len(unreadable)} phone number(s) cannot be opened: sealed with another secret, or damaged")
        return INCOMPLETE
    return DONE


async def _erase(mine: Booking, person: Person, secret: bytes) -> int:
    sealer, moment_ms = Sealer(secret), now_ms()

    def without_booker(sealed: bytes) -> bytes:
        try:
            own, _ = open_contact(sealer, sealed, now_ms=moment_ms)
        except Unsealable:
            return b""  # nobody can read it, and it may be theirs
        return seal_contact(sealer, own, None, now_ms=moment_ms)

    async with opened(mine, secret) as store:
        key = await _key(mine, person, secret)
        erased = asdict(await store.erase_person(key, now_ms=moment_ms, without_booker=without_booker))
    _print_json(erased)
    if not any(erased.values()):
        _say("nothing is kept of this person")
    return DONE


async def _key(mine: Booking, person: Person, secret: bytes) -> bytes:
    """As the site finds somebody who is booked for."""
    subject = await chosen_provider(mine.identity).find(person)
    return person_keys(person, secret, subject=subject.id).key


def _read_person() -> Person:
    """Raises `SettingsError` with a line for each wrong field."""
    try:
        return read_person(_read_input(), today=schedule.in_korea(now_ms()).date())
    except InvalidFields as error:
        raise SettingsError([f"{field}: {_WRONG[code]}" for field, code in error.problems.items()]) from None


def _read_input() -> dict[str, str]:
    """Raises `SettingsError`. The reader's own words are left out: they could quote what was typed."""
    data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
    wanted = "standard input: write one JSON object of name, birth_date (YYYY-MM-DD) and phone"
    if len(data) > MAX_INPUT_BYTES:
        raise SettingsError([f"{wanted}, {MAX_INPUT_BYTES} bytes at most"])
    try:
        typed = json.loads(data)
    except (ValueError, RecursionError):
        raise SettingsError([wanted]) from None
    if not isinstance(typed, dict):
        raise SettingsError([wanted])
    problems = [f"{field}: must be a text" for field in FIELDS if not isinstance(typed.get(field, ""), str)]
    if typed.keys() - set(FIELDS):
        problems.append(f"standard input: knows no fields but {', '.join(FIELDS)}")
    if problems:
        raise SettingsError(problems)
    return {field: typed[field] for field in FIELDS if field in typed}


def _open(row: dict[str, Any], sealer: Sealer) -> bool:
    """Put the person's own number in place of the sealed ones. Whether it could be read."""
    sealed = row.pop("contact_sealed", None)
    row["phone"] = None
    if not sealed:
        return True  # none is kept
    try:
        row["phone"], _ = open_contact(sealer, sealed.encode(), now_ms=now_ms())
    except Unsealable:
        return False
    return True


def _shown(row: Any) -> Any:
    """Moments as a Korean clock shows them, and no ids that are only ours."""
    if not isinstance(row, dict):
        return row
    return {
        name.removesuffix("_ms"): _iso(value) if name.endswith("_ms") else value
        for name, value in row.items()
        if name != "slot_id"
    }


def _iso(moment_ms: int | None) -> str | None:
    return None if moment_ms is None else schedule.in_korea(moment_ms).isoformat()


def _print_json(data: Any) -> None:
    # Letters a terminal of another encoding does not know must not end in an error.
    plain = sys.stdout.encoding.lower().replace("-", "") != "utf8"
    print(json.dumps(data, ensure_ascii=plain, indent=2))


def _say(line: str) -> None:
    print(f"booking: {line}", file=sys.stderr)
