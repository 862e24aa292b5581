"""Reading a form as a browser sends it."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from aiohttp import web

from booking import person
from booking.errors import BadBody, InvalidFields, WrongContentType
from shared.birth_date import iso_date

_CONTENT_TYPE: Final = "application/x-www-form-urlencoded"


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
