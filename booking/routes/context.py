"""What a handler finds in its application and its request, by typed key."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from aiohttp import web

from booking import texts
from booking.identity.attempts import Attempts
from booking.identity.base import IdentityProvider
from booking.request_log import RequestLog
from booking.routes.pages import Pages
from booking.sealed import Sealer
from booking.settings import Booking, Language
from booking.store import BookingStore
from shared.calendar_file import CalendarFile
from shared.clock import Clock

if TYPE_CHECKING:
    from booking.routes.stock import StockWatch

SETTINGS: Final = web.AppKey("settings", Booking)
# No type at run time: it is a callable's.
CLOCK: Final[web.AppKey[Clock]] = web.AppKey("clock")
STORE: Final = web.AppKey("store", BookingStore)
PERSON_SECRET: Final = web.AppKey("person_secret", bytes)
SEALER: Final = web.AppKey("sealer", Sealer)
# No type at run time: a Protocol.
IDENTITY: Final[web.AppKey[IdentityProvider]] = web.AppKey("identity")
# Identity checks, by pass or person; and wrong proofs of a booking, by pass and by code.
ATTEMPTS: Final = web.AppKey("attempts", Attempts)
# Held while a visitor's check is under way; gone with the last who waits for it.
CHECKING: Final[web.AppKey[WeakValueDictionary[str, asyncio.Lock]]] = web.AppKey("checking")
GUESSES: Final = web.AppKey("guesses", Attempts)
STOCK: Final[web.AppKey["StockWatch"]] = web.AppKey("stock")
CALENDAR: Final = web.AppKey("calendar", CalendarFile)
PAGES: Final = web.AppKey("pages", Pages)
REQUEST_LOG: Final = web.AppKey("request_log", RequestLog)
# How many requests were turned away at the gate, by kind of `PassError`.
REFUSED: Final = web.AppKey("refused", Counter[str])

# The one path without a pass.
HEALTH_PATH: Final = "/healthz"


def language_of(request: web.Request) -> Language:
    default = request.app[SETTINGS].language
    return texts.pick_language(request.query.get("lang"), request.headers.get("Accept-Language", ""), default)


def now_of(request: web.Request) -> int:
    return request.app[CLOCK]()
