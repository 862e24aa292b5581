"""Look-up by code and birth date. What is found is kept in the visitor's sealed session, not in the pages."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from aiohttp import web

from booking.errors import InvalidFields, NoSuchBooking, StoreUnavailable, TooManyGuesses
from booking.routes.context import STORE, now_of
from booking.routes.forms import check_find, read_form
from booking.routes.html.show import go, live_session, show
from booking.routes.journey import proving, today
from booking.routes.problems import RETRY_AFTER_S, STATUS
from booking.routes.session import Managed, Session, write_session

FIELDS: Final = ("code", "birth_date")


async def ask(request: web.Request) -> web.Response:
    return _page(request, dict.fromkeys(FIELDS, ""), first="first" in request.query)


async def find(request: web.Request) -> web.Response:
    typed = await read_form(request, FIELDS)
    try:
        birth_date = check_find(typed, today=today(request))
        async with proving(request, typed["code"]):
            found = await request.app[STORE].find(typed["code"], birth_date, now_ms=now_of(request))
    except InvalidFields as error:
        return _page(request, typed, problems=error.problems, status=STATUS[InvalidFields])
    except (NoSuchBooking, TooManyGuesses) as error:
        return _page(request, typed, failure=error.code, status=STATUS[type(error)])
    except StoreUnavailable as error:
        page = _page(request, typed, failure=error.code, status=STATUS[StoreUnavailable])
        page.headers["Retry-After"] = str(RETRY_AFTER_S)
        return page
    # Who was identified stays so, and no longer than before.
    session = live_session(request) or Session(verified_ms=now_of(request))
    response = go(request, "/booking/manage")
    write_session(request, response, replace(session, managed=Managed(found.code, birth_date)))
    return response


def _page(
    request: web.Request,
    typed: Mapping[str, str],
    *,
    problems: Mapping[str, str] | None = None,
    failure: str = "",
    first: bool = False,
    status: int = 200,
) -> web.Response:
    return show(
        request,
        "find.html",
        status=status,
        typed=typed,
        answered=request.method == "POST",
        problems=problems or {},
        failure=failure,
        first=first,
    )
