"""What every page handler does: show a page, or send the visitor on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import hdrs, web
from yarl import URL

from booking import person
from booking.model import Slot, Vaccine
from booking.routes.context import PAGES, STORE, language_of, now_of
from booking.routes.session import Session, read_session

# Drafts of forms, as `draft.js` names them.
IDENTITY_DRAFTS: Final = "self family"
ALL_DRAFTS: Final = "self family find"


@dataclass(frozen=True, slots=True)
class Visit:
    """Masked names of whom this visit is for, and of who books for them, if not they."""

    person: str
    booker: str | None


def live_session(request: web.Request) -> Session | None:
    """The visitor's session, unless it has ended."""
    session = read_session(request)
    return None if session is None or session.ended else session


def is_identified(request: web.Request) -> bool:
    session = live_session(request)
    return session is not None and session.person is not None


def show(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """The page, with whom this visit is for."""
    visit = _visit(live_session(request))
    values.setdefault("visit", visit)
    values.setdefault("forget", IDENTITY_DRAFTS if visit else "")
    return request.app[PAGES].render(
        request, language_of(request), template, status=status, now_ms=now_of(request), **values
    )


def go(request: web.Request, path: str | URL) -> web.Response:
    """Send the visitor on to a page of ours, in the language they switched to: reloading that sends nothing twice."""
    target = URL(path)
    if "lang" in request.query:
        target = target.update_query(lang=request.query["lang"])
    return web.Response(status=web.HTTPSeeOther.status_code, headers={hdrs.LOCATION: str(target)})


def ask_identity(request: web.Request, where: Mapping[str, str]) -> web.Response:
    """To the form they filled in before, their own or a relative's. where: what the visitor was about to do."""
    ended = read_session(request)
    family = {"for": "family"} if ended is not None and ended.booker is not None else {}
    return go(request, URL("/booking/identify").with_query(family | dict(where)))


async def vaccine_of(request: web.Request, vaccine_id: str | None) -> Vaccine | None:
    """None for none: any vaccine, or one that is no longer listed."""
    return next((each for each in await request.app[STORE].vaccines() if each.id == vaccine_id), None)


async def place_of(request: web.Request, slot: Slot) -> dict[str, Any]:
    """The slot's centre and vaccine, as templates want them."""
    return {
        "centre": await request.app[STORE].centre(slot.centre_id),
        "vaccine": await vaccine_of(request, slot.vaccine_id),
    }


def slot_id_of(request: web.Request) -> int:
    return int(request.match_info["slot_id"])


def _visit(session: Session | None) -> Visit | None:
    if session is None or session.person is None:
        return None
    booker = session.booker
    return Visit(
        person.mask_name(session.person.person.name),
        person.mask_name(booker.person.name) if booker is not None else None,
    )
