"""Why somebody who has said who they are gets no seat: in more words than a problem has in general."""

from aiohttp import web

from booking import texts
from booking.errors import AlreadyBooked, BookingError, NotEligible, StoreUnavailable
from booking.routes import problems
from booking.routes.context import language_of
from booking.routes.html import eligibility
from booking.routes.html.show import live_session, show
from booking.routes.session import Session


def refuse(request: web.Request, session: Session, error: BookingError) -> web.Response:
    """The page that says `error`, and where to go on. Raises `StoreUnavailable` on: who asked knows what to keep."""
    if isinstance(error, StoreUnavailable):
        raise error
    if isinstance(error, NotEligible) and session.person is not None:
        birth_date = session.person.person.birth_date
        return eligibility.page(request, error.verdict, birth_date, status=problems.STATUS[NotEligible])
    if isinstance(error, AlreadyBooked):
        return booked_already(request, error)
    return problems.answer(request, error)


def booked_already(request: web.Request, error: AlreadyBooked) -> web.Response:
    """Says by whom to the person, and nothing but that there is one to whoever books for somebody else."""
    language = language_of(request)
    session = live_session(request)
    note = texts.say("already_booked_proxy" if error.by_proxy else "already_booked_self", language)
    return show(
        request,
        "problem.html",
        status=problems.STATUS[AlreadyBooked],
        code=error.code,
        heading=texts.say(error.code, language),
        detail=texts.say(f"{error.code}_do", language),
        note=note if session is not None and session.booker is None else None,
    )
