"""What the pages and the API do alike: from typed fields to a proven person, and from there to a held seat."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from typing import Final

from aiohttp import web

from booking import codes, person, schedule
from booking.errors import (
    IdentityUnavailable,
    InvalidFields,
    NoSuchBooking,
    NotEligible,
    TooManyAttempts,
    TooManyGuesses,
)
from booking.identity.base import Attributes, Light, Subject
from booking.model import BookingCard, Hold, Party, PersonKeys, WaitCard
from booking.person import Person
from booking.routes.context import ATTEMPTS, CALENDAR, CHECKING, GUESSES, IDENTITY, PERSON_SECRET, SEALER, STORE, now_of
from booking.routes.session import Identified, Session, require_person
from booking.sealed import seal_contact
from shared.admission import CLAIMS
from shared.rules.calendar import Calendar, judge
from shared.rules.model import Verdict
from shared.wire import Command

# Said to the gateway with a confirmed booking: this visitor is done, the seat inside is free.
COMPLETE: Final = Command.COMPLETE.value

# The consent a booker gives for somebody else; a new wording gets a new version, kept with each booking.
CONSENT_VERSION: Final = "2026-1"
# Wrong proofs of a booking: of one pass, and for one code. With a code at hand, its birth date is soon guessed.
MOST_GUESSES: Final = 10
ATTEMPTS_WITHIN_S: Final = 3_600
# The fields of the one who is booked for, where that is not the visitor.
FOR: Final = "for_"


def today(request: web.Request) -> date:
    """The date in Korea, by the server's clock."""
    return schedule.in_korea(now_of(request)).date()


def calendar_of(request: web.Request) -> Calendar:
    """The calendar in force."""
    return request.app[CALENDAR].current(now_of(request))


def judge_birth(request: web.Request, birth_date: date, attributes: Attributes | None = None) -> Verdict:
    """What the calendar says of such a person now."""
    return judge(calendar_of(request), birth_date, attributes or {}, now_of(request))


def methods(request: web.Request) -> list[tuple[str, Light]]:
    """The identity methods in their order, and how each is doing."""
    provider = request.app[IDENTITY]
    return [(method, provider.light(method)) for method in provider.methods]


async def identify(
    request: web.Request,
    method: str,
    typed: Mapping[str, str],
    typed_for: Mapping[str, str] | None,
    *,
    consent: bool,
) -> Session:
    """The visitor proves to be `typed`, to book for themself, or with consent for `typed_for`. Not yet eligible.

    Both hold `name`, `birth_date` and `phone`. Raises `InvalidFields` (those of `typed_for` named `for_...`),
    `TooManyAttempts`, `IdentityRefused`, `IdentityUnavailable`.
    """
    provider = request.app[IDENTITY]
    problems: dict[str, str] = {} if method in provider.methods else {"method": "method_unknown"}
    visitor = _checked(typed, today(request), problems, "")
    other = None
    if typed_for is not None:
        other = _checked(typed_for, today(request), problems, FOR)
        if not consent:
            problems["consent"] = "consent_missing"
        if visitor and other and person.same_person(visitor) == person.same_person(other):
            problems[f"{FOR}name"] = "same_person"
    if problems or visitor is None:
        raise InvalidFields(problems)
    subject = await _verify(request, method, visitor)
    found = Identified(visitor, subject.id, subject.attributes)
    if other is None:
        return Session(found, method=method, verified_ms=now_of(request))
    subject = await provider.find(other)
    if subject.id == found.subject:
        raise InvalidFields({f"{FOR}name": "same_person"})
    whom = Identified(other, subject.id, subject.attributes)
    return Session(whom, booker=found, consent=CONSENT_VERSION, method=method, verified_ms=now_of(request))


def require_eligible(request: web.Request, session: Session) -> Verdict:
    """The verdict that lets the person book now. Raises `NotIdentified`, `NotEligible`."""
    whom = require_person(session)
    verdict = judge_birth(request, whom.person.birth_date, whom.attributes)
    if not verdict.eligible:
        raise NotEligible(verdict)
    return verdict


async def hold_seat(request: web.Request, session: Session, slot_id: int) -> Hold:
    """Hold a seat for the session's person. Raises as `require_eligible`, and what `BookingStore.hold` raises."""
    party = _party(request, session, require_eligible(request, session))
    return await request.app[STORE].hold(slot_id, party, request[CLAIMS], now_ms=now_of(request))


async def join_waitlist(
    request: web.Request, session: Session, centre_id: str, day: date, vaccine_id: str | None
) -> WaitCard:
    """Put the session's person on the list of a centre and day. Raises as `require_eligible` and the store do."""
    party = _party(request, session, require_eligible(request, session))
    return await request.app[STORE].join_waitlist(
        centre_id, day, party, request[CLAIMS], vaccine_id=vaccine_id, now_ms=now_of(request)
    )


async def own_booking(request: web.Request, session: Session) -> BookingCard | WaitCard | None:
    """What the visitor already has: theirs to see, since they proved who they are. None also for somebody else's."""
    whom = require_person(session)
    if session.booker is not None:
        return None
    keys = _keys(request, whom)
    return await request.app[STORE].find_person(keys.key, now_ms=now_of(request))


@asynccontextmanager
async def proving(request: web.Request, code: str) -> AsyncIterator[None]:
    """Around whatever is proved by code and birth date. Raises `TooManyGuesses`; counts each `NoSuchBooking`."""
    guesses, now_ms = request.app[GUESSES], now_of(request)
    keys = (f"pass {request[CLAIMS].pass_id}", f"code {codes.normalise(code)}")
    if any(guesses.used_up(key, now_ms) for key in keys):
        raise TooManyGuesses("too many wrong codes or birth dates")
    try:
        yield
    except NoSuchBooking:
        for key in keys:
            guesses.note(key, now_ms)
        raise


async def _verify(request: web.Request, method: str, visitor: Person) -> Subject:
    """Ask the provider, unless the visitor has asked too often. What it could not answer does not count."""
    attempts, now_ms, claims = request.app[ATTEMPTS], now_of(request), request[CLAIMS]
    # A pass from outside the line has a new id with each request: there the person counts.
    key = claims.pass_id if claims.number is not None else person_keys_of(request, visitor).key.hex()
    # One at a time: nobody fills a slow provider alone, and of a double click both are answered.
    async with request.app[CHECKING].setdefault(key, asyncio.Lock()):
        if attempts.used_up(key, now_ms):
            raise TooManyAttempts("this visitor has had their identity checks")
        attempts.note(key, now_ms)
        try:
            return await request.app[IDENTITY].verify(method, visitor)
        except IdentityUnavailable:
            attempts.take_back(key)
            raise


def person_keys_of(request: web.Request, typed: Person) -> PersonKeys:
    """Of somebody the provider has not named yet."""
    return person.person_keys(typed, request.app[PERSON_SECRET])


def _checked(typed: Mapping[str, str], today_: date, problems: dict[str, str], prefix: str) -> Person | None:
    try:
        return person.read_person(typed, today=today_)
    except InvalidFields as error:
        problems.update({f"{prefix}{field}": code for field, code in error.problems.items()})
        return None


def _keys(request: web.Request, found: Identified) -> PersonKeys:
    return person.person_keys(found.person, request.app[PERSON_SECRET], subject=found.subject)


def _party(request: web.Request, session: Session, verdict: Verdict) -> Party:
    """What may be kept."""
    whom, booker = require_person(session), session.booker
    bookers_phone = booker.person.phone if booker else None
    contact = seal_contact(request.app[SEALER], whom.person.phone, bookers_phone, now_ms=now_of(request))
    return Party(
        person=_keys(request, whom),
        contact=contact,
        booker=_keys(request, booker) if booker else None,
        consent=session.consent,
        rule=verdict.rule_name,
    )
