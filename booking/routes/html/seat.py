"""A seat for somebody who has been identified, and what became of it."""

from dataclasses import replace

from aiohttp import web
from yarl import URL

from booking import person
from booking.errors import BookingError, NoSuchBooking, SoldOut
from booking.model import BookingCard
from booking.routes import problems
from booking.routes.context import PERSON_SECRET, STORE, now_of
from booking.routes.html.held import remember_hold
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
    response = go(request, f"/booking/holds/{held.id}")
    remember_hold(request, response, held.id)
    return keep(request, response, replace(session, managed=managed))


async def what_became_of(request: web.Request, error: BookingError) -> web.Response:
    """A hold is gone. If there is a booking, made of it or the visitor's own elsewhere, it is shown; else `error`."""
    session = live_session(request)
    if session is not None and session.person is not None:
        card = await _opened(request, session)
        if card is not None:
            # It stays opened by what opened it: that may be another person's birth date.
            return go(request, f"/booking/manage{'?own=' if await _is_theirs(request, session, card) else ''}")
        own = await own_booking(request, session)
        if isinstance(own, BookingCard):
            return open_booking(request, session, own)
    return problems.answer(request, error)


def open_booking(request: web.Request, session: Session, card: BookingCard) -> web.Response:
    """To the page of a booking that the session's person turned out to have."""
    managed = Managed(card.code, require_person(session).person.birth_date)
    return keep(request, go(request, "/booking/manage?own="), replace(session, managed=managed))


def keep(request: web.Request, response: web.Response, session: Session) -> web.Response:
    write_session(request, response, session)
    return response


async def _opened(request: web.Request, session: Session) -> BookingCard | None:
    """The live booking this visitor has opened last, or made of the hold."""
    managed = session.managed
    if managed is None:
        return None
    try:
        card = await request.app[STORE].find(managed.code, managed.birth_date, now_ms=now_of(request))
    except NoSuchBooking:
        return None
    return card if isinstance(card, BookingCard) and not card.cancelled else None


async def _is_theirs(request: web.Request, session: Session, card: BookingCard) -> bool:
    """Whether it is the booking of whom the session is for."""
    whom = require_person(session)
    keys = person.person_keys(whom.person, request.app[PERSON_SECRET], subject=whom.subject)
    found = await request.app[STORE].find_person(keys.key, now_ms=now_of(request))
    return found is not None and found.code == card.code
