"""A seat for somebody who has been identified, and what became of it."""

from dataclasses import replace

from aiohttp import web
from yarl import URL

from booking.errors import BookingError, NoSuchBooking, SoldOut
from booking.model import BookingCard
from booking.routes import problems
from booking.routes.context import STORE, now_of
from booking.routes.html.refusals import refuse
from booking.routes.html.show import go, live_session
from booking.routes.journey import hold_seat, own_booking
from booking.routes.session import Managed, Session, require_person, write_session


async def take_seat(request: web.Request, session: Session, slot_id: int) -> web.Response:
    """Hold the seat and go on to the review; or say why not, with other times where it has just filled up."""
    try:
        held = await hold_seat(request, session, slot_id)
    except SoldOut:
        slot = await request.app[STORE].slot(slot_id, now_ms=now_of(request))
        return keep(request, go(request, URL(f"/booking/centres/{slot.centre_id}").with_query(gone=slot_id)), session)
    except BookingError as error:
        return keep(request, refuse(request, session, error), session)
    # Should the answer to "confirm" get lost, this tells us later which booking it made.
    managed = Managed(held.code, require_person(session).person.birth_date)
    return keep(request, go(request, f"/booking/holds/{held.id}"), replace(session, managed=managed))


async def what_became_of(request: web.Request, error: BookingError) -> web.Response:
    """A hold is gone. If there is a booking, made of it or the visitor's own elsewhere, it is shown; else `error`."""
    session = live_session(request)
    if session is not None and session.person is not None:
        card = await _of_hold(request, session) or await own_booking(request, session)
        if isinstance(card, BookingCard):
            return open_booking(request, session, card)
    return problems.answer(request, error)


def open_booking(request: web.Request, session: Session, card: BookingCard) -> web.Response:
    """To the page of a booking that the session's person turned out to have."""
    managed = Managed(card.code, require_person(session).person.birth_date)
    return keep(request, go(request, "/booking/manage?own="), replace(session, managed=managed))


def keep(request: web.Request, response: web.Response, session: Session) -> web.Response:
    write_session(request, response, session)
    return response


async def _of_hold(request: web.Request, session: Session) -> BookingCard | None:
    managed = session.managed
    if managed is None:
        return None
    try:
        card = await request.app[STORE].find(managed.code, managed.birth_date, now_ms=now_of(request))
    except NoSuchBooking:
        return None
    return card if isinstance(card, BookingCard) and not card.cancelled else None
