"""What the pages and the API do alike: from typed fields to a held seat."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from aiohttp import web

from booking import person, schedule
from booking.model import Hold
from booking.routes.context import PERSON_SECRET, STORE, now_of
from shared.admission import CLAIMS
from shared.wire import Command

# Said to the gateway with a confirmed booking: this visitor is done, the seat inside is free.
COMPLETE: Final = Command.COMPLETE.value


def today(request: web.Request) -> date:
    """The date in Korea, by the server's clock."""
    return schedule.in_korea(now_of(request)).date()


async def make_hold(request: web.Request, slot_id: int, fields: Mapping[str, str]) -> Hold:
    """Check the person and hold a seat for them. The fields go no further than this function.

    Raises `InvalidFields` and what `BookingStore.hold` raises.
    """
    typed = person.read_person(fields, today=today(request))
    keys = person.person_keys(typed, request.app[PERSON_SECRET])
    return await request.app[STORE].hold(slot_id, keys, request[CLAIMS], now_ms=now_of(request))
