"""The task that tidies up while the site runs: any number of processes may have one."""

import asyncio
import logging
from typing import Final

from booking.errors import StoreUnavailable
from booking.store.store import BookingStore
from shared.clock import Clock

_log = logging.getLogger("booking")

# For so long a seat that came free through an ended hold may wait for those on the waitlist.
EVERY_S: Final = 3


async def sweep_for_ever(store: BookingStore, clock: Clock, *, every_s: float = EVERY_S) -> None:
    """Sweep again and again, until cancelled. A database that fails is said once, and tried again."""
    was_well = True
    while True:
        try:
            await store.sweep(now_ms=clock())
            was_well = True
        except StoreUnavailable as error:
            if was_well:
                _log.error("the database failed", extra={"reason": str(error)})
            was_well = False
        await asyncio.sleep(every_s)
