"""May somebody born on this day book? The birth date comes by POST and goes nowhere else."""

from datetime import date
from typing import Any

from aiohttp import web

from booking import person
from booking.errors import InvalidFields
from booking.routes.forms import read_form
from booking.routes.html.show import show
from booking.routes.journey import calendar_of, judge_birth, today
from booking.routes.problems import STATUS
from shared.birth_date import iso_date
from shared.rules.model import Verdict


async def ask(request: web.Request) -> web.Response:
    return page(request, None, None)


async def tell(request: web.Request) -> web.Response:
    typed = await read_form(request, ("birth_date",))
    try:
        birth_date = person.read_birth_date(iso_date(typed["birth_date"]), today=today(request))
    except InvalidFields as error:
        return page(request, None, None, typed=typed, problems=error.problems, status=STATUS[InvalidFields])
    return page(request, judge_birth(request, birth_date), birth_date)


def page(
    request: web.Request, verdict: Verdict | None, birth_date: date | None, *, status: int = 200, **values: Any
) -> web.Response:
    """The answer first, then why, then everybody's windows. verdict None: only the question."""
    values.setdefault("typed", {"birth_date": ""})
    return show(
        request,
        "eligibility.html",
        status=status,
        verdict=verdict,
        birth=birth_date,
        calendar=calendar_of(request),
        **values,
    )
