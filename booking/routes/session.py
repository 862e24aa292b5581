"""What a visitor has typed and proved, in a sealed cookie of their own: the site keeps nothing of who has not booked.

The same sealed text is the API's `identity`. It says who proved to be whom, when, and for whom they book; it counts for
`session_s`, and is readable a while longer so that a form can be filled again with what was typed.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

import orjson
from aiohttp import web

from booking.errors import NotIdentified
from booking.identity.base import Attributes
from booking.person import Person
from booking.routes.context import SEALER, SETTINGS, now_of
from booking.sealed import Purpose, Unsealable

COOKIE: Final = "booking_session"
# As a multiple of `session_s`: for so long after its start an ended session still fills the forms.
READABLE: Final = 4
# More than any session takes; browsers keep no larger cookies anyway.
MAX_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Identified:
    """A person the identity provider found. subject: its name for them."""

    person: Person = field(repr=False)
    subject: str = field(repr=False)
    attributes: Attributes = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Managed:
    """A booking the visitor has opened with its code and birth date, to change or cancel it."""

    code: str = field(repr=False)
    birth_date: date = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """person: for whom; None: nobody has been identified. booker: who proved themself, if for somebody else.

    consent: version of the text the booker agreed to. method: how the proof was made; verified_ms: when.
    ended: the proof no longer counts; what was typed may still fill a form.
    """

    person: Identified | None = None
    booker: Identified | None = None
    consent: str | None = None
    method: str = ""
    verified_ms: int = 0
    managed: Managed | None = None
    ended: bool = False


def read_session(request: web.Request) -> Session | None:
    """The visitor's session, also an ended one. None: there is none, or nothing that we sealed."""
    sealed = request.cookies.get(COOKIE)
    return None if sealed is None else _read(request, sealed)


def read_identity(request: web.Request, sealed: str) -> Session:
    """The session the API's `identity` stands for. Raises `NotIdentified` if it is not one of ours."""
    session = _read(request, sealed)
    if session is None:
        raise NotIdentified("this is no identity of ours")
    return session


def require_person(session: Session | None) -> Identified:
    """Whom the session is for, if its proof of identity counts now. Raises `NotIdentified`."""
    if session is None or session.person is None or session.ended:
        raise NotIdentified("no identity has been proved, or too long ago")
    return session.person


def seal_session(request: web.Request, session: Session) -> str:
    """The text of `COOKIE` and of the API's `identity`."""
    data = orjson.dumps(_to_json(session))
    return request.app[SEALER].seal(Purpose.SESSION, data, now_ms=now_of(request)).decode()


def write_session(request: web.Request, response: web.StreamResponse, session: Session) -> None:
    """Keep `session` with the visitor. Not kept by their browser when it is closed: others may use it after them."""
    response.set_cookie(
        COOKIE, seal_session(request, session), path="/", httponly=True, samesite="Lax", secure=_is_tls(request)
    )


def end_session(request: web.Request, response: web.StreamResponse) -> None:
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Lax", secure=_is_tls(request))


def _is_tls(request: web.Request) -> bool:
    # The gateway's word; a client's own is dropped there.
    return request.headers.get("X-Forwarded-Proto") == "https"


def _read(request: web.Request, sealed: str) -> Session | None:
    if len(sealed) > MAX_BYTES:
        return None
    lasts_s, now_ms = request.app[SETTINGS].session_s, now_of(request)
    try:
        sent = sealed.encode("ascii")
        data = request.app[SEALER].unseal(Purpose.SESSION, sent, now_ms=now_ms, max_age_s=lasts_s * READABLE)
        session = _from_json(orjson.loads(data))
    except (Unsealable, UnicodeEncodeError):
        return None
    # Not renewed by use: an identity counts from when it was proved, however often it was sealed since.
    age_ms = now_ms - session.verified_ms
    return replace(session, ended=age_ms > lasts_s * 1000) if age_ms <= lasts_s * READABLE * 1000 else None


def _to_json(session: Session) -> dict[str, Any]:
    managed = session.managed
    return {
        "p": _identified_to_json(session.person),
        "b": _identified_to_json(session.booker),
        "c": session.consent,
        "m": session.method,
        "v": session.verified_ms,
        "x": managed and [managed.code, managed.birth_date.isoformat()],
    }


def _from_json(value: dict[str, Any]) -> Session:
    managed = value["x"]
    return Session(
        person=_identified_from_json(value["p"]),
        booker=_identified_from_json(value["b"]),
        consent=value["c"],
        method=value["m"],
        verified_ms=value["v"],
        managed=Managed(managed[0], date.fromisoformat(managed[1])) if managed else None,
    )


def _identified_to_json(found: Identified | None) -> list[Any] | None:
    if found is None:
        return None
    who = found.person
    return [who.name, who.birth_date.isoformat(), who.phone, found.subject, dict(found.attributes)]


def _identified_from_json(value: list[Any] | None) -> Identified | None:
    if value is None:
        return None
    name, birth_date, phone, subject, attributes = value
    return Identified(Person(name, date.fromisoformat(birth_date), phone), subject, attributes)
