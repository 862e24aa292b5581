"""Reading a form as a browser sends it."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from aiohttp import web

from booking import person
from booking.errors import BadBody, InvalidFields, WrongContentType

_CONTENT_TYPE: Final = "application/x-www-form-urlencoded"
_DATE_AS_TYPED: Final = re.compile(
    r"([0-9]{4})(?:(?=[0-9]{4}$)|[^0-9]{1,2})([0-9]{1,2})(?:(?=[0-9]{2}$)|[^0-9]{1,2})([0-9]{1,2})[^0-9]?"
)


async def read_form(request: web.Request, names: Iterable[str]) -> dict[str, str]:
    """These fields as typed, "" for one that is missing. Raises `WrongContentType`, `BadBody`."""
    if request.content_type != _CONTENT_TYPE:
        # Never multipart: the framework would write its parts to files.
        raise WrongContentType(f"this is not {_CONTENT_TYPE}")
    try:
        sent = await request.post()
    except (LookupError, ValueError):
        raise BadBody("the form's character set is wrong") from None
    return {name: str(sent.get(name, "")) for name in names}


def iso_date(typed: str) -> str:
    """`19680302`, `1968.3.2`, `1968. 03. 02.`, `1968년 3월 2일` as `1968-03-02`; anything else as it is."""
    match = _DATE_AS_TYPED.fullmatch(unicodedata.normalize("NFKC", typed).strip())
    return "-".join(part.zfill(2) for part in match.groups()) if match else typed


def check_find(typed: Mapping[str, str], *, today: date) -> date:
    """The birth date of a look-up form. Raises `InvalidFields` with all that is wrong."""
    problems = {} if typed["code"].strip() else {"code": "code_missing"}
    try:
        birth_date = person.read_birth_date(iso_date(typed["birth_date"]), today=today)
    except InvalidFields as error:
        raise InvalidFields(problems | error.problems) from None
    if problems:
        raise InvalidFields(problems)
    return birth_date
