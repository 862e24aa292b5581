"""The pages: centre, date and time, person, confirm, card; and look-up with cancel. They work without JavaScript."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final

from aiohttp import hdrs, web
from yarl import URL

from booking import schedule
from booking.errors import InvalidFields, NoSuchBooking, SoldOut, StoreUnavailable
from booking.model import BookingCard, Slot
from booking.routes.context import PAGES, SETTINGS, STORE, language_of, now_of
from booking.routes.forms import check_find, iso_date, read_form
from booking.routes.journey import COMPLETE, make_hold, today
from booking.routes.problems import RETRY_AFTER_S, STATUS
from shared.admission import CLAIMS
from shared.wire import COMMAND_HEADER

PERSON_FIELDS: Final = ("name", "birth_date", "phone")
FIND_FIELDS: Final = ("code", "birth_date")
# Other times offered when the chosen one has just filled up.
OFFERED: Final = 6


def routes() -> list[web.RouteDef]:
    slot = r"/booking/slots/{slot_id:[0-9]{1,15}}"
    return [
        web.get("/", start),
        web.get("/booking", choose_centre),
        web.get("/booking/centres/{centre_id}", choose_time),
        web.get(slot, enter_person),
        web.post(slot, hold),
        web.get("/booking/holds/{hold_id}", review),
        web.post("/booking/holds/{hold_id}", confirm),
        web.get("/booking/find", find_form),
        web.post("/booking/find", find),
        web.post("/booking/cancel", cancel),
    ]


async def start(request: web.Request) -> web.Response:
    return await _centres(request, "start.html", minutes=request.app[SETTINGS].hold_s // 60)


async def choose_centre(request: web.Request) -> web.Response:
    return await _centres(request, "centres.html")


async def choose_time(request: web.Request) -> web.Response:
    """`?day=` picks the day; without it, the first that has a seat."""
    store = request.app[STORE]
    centre = await store.centre(request.match_info["centre_id"])
    slots = await store.slots(now_ms=now_of(request), centre_id=centre.id)
    days = {day: list(group) for day, group in groupby(slots, key=_day_of)}
    left = {day: sum(slot.left for slot in found) for day, found in days.items()}
    wanted = request.query.get("day", "")
    chosen = wanted if wanted in days else next((day for day in days if left[day]), next(iter(days), ""))
    return _render(request, "times.html", centre=centre, days=days, left=left, chosen=chosen)


async def enter_person(request: web.Request) -> web.Response:
    return await _person_page(request, {})


async def hold(request: web.Request) -> web.Response:
    """On success a redirect to the review page: reloading that sends nothing twice."""
    typed = await read_form(request, PERSON_FIELDS)
    try:
        made = await make_hold(request, _slot_id(request), typed | {"birth_date": iso_date(typed["birth_date"])})
    except InvalidFields as error:
        return await _person_page(request, typed, problems=error.problems, status=STATUS[InvalidFields])
    except SoldOut:
        return await _person_page(request, typed, sold_out=True, status=STATUS[SoldOut])
    except StoreUnavailable:
        # The one moment when a fault would cost what was typed; the page carries it to the next attempt.
        page = _render(request, "retry.html", status=STATUS[StoreUnavailable], typed=typed)
        page.headers["Retry-After"] = str(RETRY_AFTER_S)
        return page
    target = URL(f"/booking/holds/{made.id}")
    if "lang" in request.query:
        target = target.update_query(lang=request.query["lang"])
    return web.Response(status=web.HTTPSeeOther.status_code, headers={hdrs.LOCATION: str(target)})


async def review(request: web.Request) -> web.Response:
    store, now_ms = request.app[STORE], now_of(request)
    found = await store.find_hold(request.match_info["hold_id"], request[CLAIMS], now_ms=now_ms)
    centre = await store.centre(found.slot.centre_id)
    left_s = (found.expires_ms - now_ms) // 1000
    return _render(request, "review.html", hold=found, slot=found.slot, centre=centre, left_s=left_s)


async def confirm(request: web.Request) -> web.Response:
    """The card comes with this very answer: the gateway then ends the session, and nothing more could be fetched."""
    store = request.app[STORE]
    # Read first: once the booking is made nothing may fail before its code is shown.
    centres = {centre.id: centre for centre in await store.centres()}
    card = await store.confirm(request.match_info["hold_id"], request[CLAIMS], now_ms=now_of(request))
    page = _render(request, "card.html", card=card, slot=card.slot, centre=centres[card.slot.centre_id])
    page.headers[COMMAND_HEADER] = COMPLETE
    return page


async def find_form(request: web.Request) -> web.Response:
    return _find_page(request, dict.fromkeys(FIND_FIELDS, ""))


async def find(request: web.Request) -> web.Response:
    typed = await read_form(request, FIND_FIELDS)
    try:
        birth_date = check_find(typed, today=today(request))
        card = await request.app[STORE].find_booking(typed["code"], birth_date, now_ms=now_of(request))
    except InvalidFields as error:
        return _find_page(request, typed, problems=error.problems, status=STATUS[InvalidFields])
    except NoSuchBooking:
        return _find_page(request, typed, missing=True, status=STATUS[NoSuchBooking])
    return await _card_page(request, "found.html", card, typed=typed)


async def cancel(request: web.Request) -> web.Response:
    typed = await read_form(request, FIND_FIELDS)
    birth_date = check_find(typed, today=today(request))
    card = await request.app[STORE].cancel(typed["code"], birth_date, now_ms=now_of(request))
    return await _card_page(request, "cancelled.html", card)


async def _centres(request: web.Request, template: str, **values: Any) -> web.Response:
    store = request.app[STORE]
    centres = await store.centres()
    left = dict.fromkeys((centre.id for centre in centres), 0)
    for slot in await store.slots(now_ms=now_of(request)):
        left[slot.centre_id] += slot.left
    return _render(request, template, centres=centres, left=left, **values)


async def _person_page(
    request: web.Request,
    typed: Mapping[str, str],
    *,
    problems: Mapping[str, str] | None = None,
    sold_out: bool = False,
    status: int = 200,
) -> web.Response:
    store, now_ms = request.app[STORE], now_of(request)
    slot = await store.slot(_slot_id(request), now_ms=now_ms)
    centre = await store.centre(slot.centre_id)
    others: list[Slot] = []
    if sold_out:
        free = [other for other in await store.slots(now_ms=now_ms, centre_id=centre.id) if other.left]
        others = sorted(free, key=lambda other: abs(other.starts_ms - slot.starts_ms))[:OFFERED]
    return _render(
        request,
        "person.html",
        status=status,
        slot=slot,
        centre=centre,
        typed=dict.fromkeys(PERSON_FIELDS, "") | dict(typed),
        problems=problems or {},
        sold_out=sold_out,
        others=sorted(others, key=lambda other: other.starts_ms),
    )


def _find_page(
    request: web.Request,
    typed: Mapping[str, str],
    *,
    problems: Mapping[str, str] | None = None,
    missing: bool = False,
    status: int = 200,
) -> web.Response:
    return _render(request, "find.html", status=status, typed=typed, problems=problems or {}, missing=missing)


async def _card_page(request: web.Request, template: str, card: BookingCard, **values: Any) -> web.Response:
    centre = await request.app[STORE].centre(card.slot.centre_id)
    return _render(request, template, card=card, slot=card.slot, centre=centre, **values)


def _render(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    return request.app[PAGES].render(request, language_of(request), template, status=status, **values)


def _slot_id(request: web.Request) -> int:
    return int(request.match_info["slot_id"])


def _day_of(slot: Slot) -> str:
    return schedule.in_korea(slot.starts_ms).date().isoformat()
