"""Who is booking, and for whom. Whatever goes wrong, what was typed stays."""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from yarl import URL

from booking.errors import (
    BookingError,
    IdentityRefused,
    IdentityUnavailable,
    InvalidFields,
    NotEligible,
    StoreUnavailable,
    TooManyAttempts,
)
from booking.model import BookingCard, Slot
from booking.person import Person
from booking.routes import problems
from booking.routes.context import SETTINGS, STORE, now_of
from booking.routes.forms import read_form
from booking.routes.html.refusals import refuse
from booking.routes.html.seat import keep, open_booking, take_seat
from booking.routes.html.show import go, place_of, show
from booking.routes.html.waitlist import wanted_day
from booking.routes.journey import CONSENT_VERSION, identify, methods, own_booking, require_eligible
from booking.routes.session import Identified, Session, read_session
from shared.birth_date import iso_date

FIELDS: Final = ("name", "birth_date", "phone")
FOR_FIELDS: Final = tuple(f"for_{name}" for name in FIELDS)
ALL_FIELDS: Final = ("method", *FIELDS, *FOR_FIELDS, "consent")
# What the query may carry on to where the visitor was: the chosen time, or the full day.
CARRIED: Final = ("slot", "centre", "day", "vaccine")


async def ask(request: web.Request) -> web.Response:
    session = read_session(request)
    over = session is not None and session.ended and session.person is not None
    return await _page(request, _known(session), over=over)


async def check(request: web.Request) -> web.Response:
    typed = await read_form(request, ALL_FIELDS)
    try:
        session = await identify(
            request,
            typed["method"],
            _part(typed, ""),
            _part(typed, "for_") if _is_family(request) else None,
            consent=bool(typed["consent"]),
        )
    except InvalidFields as error:
        return await _page(request, typed, problems=error.problems, status=problems.STATUS[InvalidFields])
    except (IdentityRefused, IdentityUnavailable, TooManyAttempts) as error:
        return await _failed(request, typed, error)
    try:
        return await _on(request, session)
    except StoreUnavailable as error:
        # Identified all the same: the next attempt need not ask for that again.
        return keep(request, await _failed(request, typed, error), session)


async def _on(request: web.Request, session: Session) -> web.Response:
    """Where the visitor was before we asked who they are. A booking of their own is shown first: it is all they get."""
    own = await own_booking(request, session)
    if isinstance(own, BookingCard):
        return open_booking(request, session, own)
    slot_id = _slot_id(request)
    if slot_id is not None:
        return await take_seat(request, session, slot_id)
    try:
        require_eligible(request, session)
    except NotEligible as error:
        return keep(request, refuse(request, session, error), session)
    if "centre" in request.query and "day" in request.query:
        return keep(request, go(request, URL("/booking/waitlist").with_query(carried(request))), session)
    return keep(request, go(request, "/booking"), session)


def carried(request: web.Request) -> dict[str, str]:
    """What of the query says where the visitor was."""
    return {name: request.query[name] for name in CARRIED if name in request.query}


def _is_family(request: web.Request) -> bool:
    return request.query.get("for") == "family"


def _slot_id(request: web.Request) -> int | None:
    text = request.query.get("slot", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None  # noqa: PLR2004


def _part(typed: Mapping[str, str], prefix: str) -> dict[str, str]:
    part = {name: typed[prefix + name] for name in FIELDS}
    return part | {"birth_date": iso_date(part["birth_date"])}


def _known(session: Session | None) -> dict[str, str]:
    """What an earlier check tells: all of an ended one; of a live one who is booking, as the person may be another."""
    if session is None or session.person is None:
        return {}
    known = {"method": session.method} | _fields(session.booker or session.person, "")
    if session.ended and session.booker is not None:
        known |= _fields(session.person, "for_")
    return known


def _fields(found: Identified, prefix: str) -> dict[str, str]:
    who: Person = found.person
    values = (who.name, who.birth_date.isoformat(), who.phone)
    return {prefix + name: value for name, value in zip(FIELDS, values, strict=True)}


async def _page(
    request: web.Request,
    typed: Mapping[str, str],
    *,
    status: int = 200,
    failure: str = "",
    over: bool = False,
    **values: Any,
) -> web.Response:
    family = _is_family(request)
    lights = methods(request)
    # The first that runs best: whoever has no preference should not stand in the longer queue.
    best = min(lights, key=lambda each: ("free", "busy", "down").index(each[1]))[0] if lights else ""
    where = carried(request)
    return show(
        request,
        "identify.html",
        status=status,
        # Its own drafts are what this page is for.
        forget="",
        typed=dict.fromkeys(ALL_FIELDS, "") | {"method": best} | {name: text for name, text in typed.items() if text},
        answered=request.method == "POST",
        methods=lights,
        family=family,
        here=URL("/booking/identify").with_query(({"for": "family"} if family else {}) | where),
        other_way=URL("/booking/identify").with_query(({} if family else {"for": "family"}) | where),
        failure=failure,
        over=over,
        proxy_limit=request.app[SETTINGS].proxy_limit,
        consent_version=CONSENT_VERSION,
        **values,
        **await _chosen(request),
    )


async def _failed(request: web.Request, typed: Mapping[str, str], error: BookingError) -> web.Response:
    """The form with what was typed, and what to do."""
    page = await _page(request, typed, failure=error.code, status=problems.STATUS[type(error)])
    if isinstance(error, (IdentityUnavailable, StoreUnavailable)):
        page.headers["Retry-After"] = str(problems.RETRY_AFTER_S)
    return page


async def _chosen(request: web.Request) -> dict[str, object]:
    """The time or day that was chosen before; nothing of it if it is gone, or if nobody can tell now."""
    nothing: dict[str, object] = {"slot": None, "day": None, "day_ms": 0, "centre": None, "vaccine": None}
    slot_id = _slot_id(request)
    try:
        if slot_id is not None:
            slot: Slot = await request.app[STORE].slot(slot_id, now_ms=now_of(request))
            return nothing | {"slot": slot} | await place_of(request, slot)
        if "centre" in request.query and "day" in request.query:
            return nothing | await wanted_day(request)
    except BookingError:
        # The form itself must stay up even if the database is down.
        pass
    return nothing
