"""Centres, and one centre's days and times. The same for a new booking and for a change of one."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from aiohttp import web

from booking import schedule
from booking.errors import NoSuchSlot, SlotClosed
from booking.model import BookingCard, Slot, Vaccine
from booking.routes.context import SETTINGS, STORE, now_of
from booking.routes.html.show import is_identified, show
from booking.routes.html.start import sold_out

_SEARCH_MAX = 60


@dataclass(frozen=True, slots=True)
class Day:
    """A day with its times, in groups by vaccine."""

    iso: str
    starts_ms: int
    left: int
    groups: Sequence[tuple[Vaccine, Sequence[Slot]]]


async def choose_centre(request: web.Request) -> web.Response:
    return await centres_page(request, "/booking")


async def choose_time(request: web.Request) -> web.Response:
    return await times_page(request, "/booking")


async def centres_page(request: web.Request, base: str, changing: BookingCard | None = None) -> web.Response:
    """`?q=` searches. base: where these pages are; changing: the booking that is to be moved."""
    store = request.app[STORE]
    q = request.query.get("q", "").strip()[:_SEARCH_MAX]
    vaccines = {vaccine.id: vaccine for vaccine in await store.vaccines()}
    left: dict[str, int] = defaultdict(int)
    offered: dict[str, dict[str, Vaccine]] = defaultdict(dict)
    for slot in await store.slots(now_ms=now_of(request)):
        left[slot.centre_id] += slot.left
        if slot.left:
            offered[slot.centre_id][slot.vaccine_id] = vaccines[slot.vaccine_id]
    return show(
        request,
        "centres.html",
        base=base,
        base_centre=f"{base}/centres/",
        changing=changing,
        q=q,
        centres=await store.centres(search=q or None),
        left=left,
        offered={centre: list(found.values()) for centre, found in offered.items()},
        sold=None if changing else await sold_out(request),
    )


async def times_page(request: web.Request, base: str, changing: BookingCard | None = None) -> web.Response:
    """`?day=` picks the day; without it, the first that has a seat. `?gone=` is a time that has just filled up."""
    store = request.app[STORE]
    centre = await store.centre(request.match_info["centre_id"])
    vaccines = await store.vaccines()
    slots = await store.slots(now_ms=now_of(request), centre_id=centre.id)
    days = [_day(iso, list(group), vaccines) for iso, group in groupby(slots, key=_iso_day)]
    gone = await _gone(request)
    wanted = request.query.get("day") or (_iso_day(gone) if gone else "")
    chosen = next((day for day in days if day.iso == wanted), None)
    return show(
        request,
        "times.html",
        base=base,
        base_centre=f"{base}/centres/",
        changing=changing,
        centre=centre,
        days=days,
        chosen=chosen or next((day for day in days if day.left), days[0] if days else None),
        gone=gone,
        dropped="dropped" in request.query,
        identified=is_identified(request),
        minutes=request.app[SETTINGS].hold_s // 60,
    )


async def _gone(request: web.Request) -> Slot | None:
    text = request.query.get("gone", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 15):  # noqa: PLR2004
        return None
    try:
        slot = await request.app[STORE].slot(int(text), now_ms=now_of(request))
    except (NoSuchSlot, SlotClosed):
        return None
    # Come free again since: then it is simply in the list.
    return None if slot.left else slot


def _day(iso: str, slots: Sequence[Slot], vaccines: Sequence[Vaccine]) -> Day:
    groups = [(vaccine, [slot for slot in slots if slot.vaccine_id == vaccine.id]) for vaccine in vaccines]
    return Day(iso, slots[0].starts_ms, sum(slot.left for slot in slots), [each for each in groups if each[1]])


def _iso_day(slot: Slot) -> str:
    return schedule.in_korea(slot.starts_ms).date().isoformat()
