"""The composition root: what the booking site consists of, and what is opened and closed with it."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final
from weakref import WeakValueDictionary

from aiohttp import web

from booking import schedule
from booking.identity.attempts import Attempts
from booking.identity.base import IdentityProvider
from booking.identity.chosen import chosen_provider
from booking.request_log import RequestLog
from booking.routes import api, gate, headers, html, journey, origin, problems, stock
from booking.routes.context import (
    ATTEMPTS,
    CALENDAR,
    CHECKING,
    CLOCK,
    GUESSES,
    HEALTH_PATH,
    IDENTITY,
    PAGES,
    PERSON_SECRET,
    REFUSED,
    REQUEST_LOG,
    SEALER,
    SETTINGS,
    STOCK,
    STORE,
)
from booking.routes.pages import Pages
from booking.sealed import Sealer
from booking.secret_key import load_secret
from booking.settings import Settings
from booking.store import BookingStore, database_at
from booking.store.sweeper import sweep_for_ever
from shared.admission import require_pass
from shared.calendar_file import CalendarFile, find_calendar
from shared.clock import Clock, now_ms

_log = logging.getLogger("booking")

# A name, a date and a phone number. Nobody needs more.
MAX_BODY_BYTES: Final = 16 * 1024


def create_app(
    settings: Settings,
    *,
    clock: Clock = now_ms,
    secret: str | None = None,
    identity: IdentityProvider | None = None,
) -> web.Application:
    """The site, not started yet.

    secret: what `SUNBEON_BOOKING_SECRET` says; None takes `secret_file`. identity: None takes the one of the settings.
    Raises `KeyFileError`, `SecretError`, `LogUnwritable`, `BadCalendar`; starting it may raise `StoreUnavailable`,
    `WrongSecret`.
    """
    mine = settings.booking
    # From the outside in: the log sees every answer, and nothing is looked at before the pass.
    app = web.Application(
        client_max_size=MAX_BODY_BYTES,
        middlewares=[
            gate.record,
            headers.secure,
            stock.tell,
            problems.tell_errors,
            require_pass(
                mine.backend_keys, rooms=mine.rooms, open_paths=(HEALTH_PATH,), refuse=gate.refuse, clock=clock
            ),
            origin.plain_address,
            origin.same_origin,
        ],
    )
    app[SETTINGS] = mine
    app[CLOCK] = clock
    app[PERSON_SECRET] = load_secret(mine.secret_file, secret)
    app[SEALER] = Sealer(app[PERSON_SECRET])
    app[CALENDAR] = CalendarFile(find_calendar(mine.rules))
    app[IDENTITY] = identity or chosen_provider(mine.identity)
    app[STOCK] = stock.StockWatch()
    app[ATTEMPTS] = Attempts(mine.identity.attempts_per_pass, within_s=journey.ATTEMPTS_WITHIN_S)
    app[CHECKING] = WeakValueDictionary()
    app[GUESSES] = Attempts(journey.MOST_GUESSES, within_s=journey.ATTEMPTS_WITHIN_S)
    app[PAGES] = Pages()
    app[REFUSED] = Counter()
    app.add_routes([*api.routes(), *html.routes()])
    app.cleanup_ctx.extend((_request_log, _store))
    return app


async def _request_log(app: web.Application) -> AsyncIterator[None]:
    log = RequestLog(app[SETTINGS].request_log)
    app[REQUEST_LOG] = log
    yield
    log.close()
    refused = app[REFUSED]
    if refused:
        _log.warning("refused at the gate, in all", extra={"refused": dict(refused)})


async def _store(app: web.Application) -> AsyncIterator[None]:
    mine = app[SETTINGS]
    database = database_at(mine.database)
    try:
        await database.open()
        store = BookingStore(
            database, secret=app[PERSON_SECRET], hold_ms=mine.hold_s * 1000, proxy_limit=mine.proxy_limit
        )
        # On every start, so that a demo started a week later has days to book.
        slots = schedule.demo_slots(app[CLOCK](), capacity=mine.slot_capacity)
        await store.prepare(schedule.DEMO_CENTRES, schedule.DEMO_VACCINES, slots)
        app[STORE] = store
        sweeping = asyncio.create_task(sweep_for_ever(store, app[CLOCK], every_s=mine.sweep_s))
        yield
        sweeping.cancel()
        await asyncio.wait([sweeping])
    finally:
        await database.close()
