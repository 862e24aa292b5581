"""The task that tidies up while the site runs: any number of processes may have one."""

import asyncio
import logging

from booking.errors import StoreUnavailable
from booking.store.store import BookingStore
from shared.clock import Clock

_log = logging.getLogger("booking")


async def sweep_for_ever(store: BookingStore, clock: Clock, *, every_s: float) -> None:
    """Sweep every so often, until cancelled: so long may a seat of an ended hold wait for those on the waitlist.

    A database that fails is said once, and tried again.
    """
    was_well = True
    while True:
        try:
            await store.sweep(now_ms=clock())
            was_well = True
        except StoreUnavailable as error:
            if was_well:
                _log.error("the database failed", extra={"reason": str(error)})
            was_well = False
        except Exception:  # noqa: BLE001 - a fault of ours must not end the sweeping for good
            _log.exception("sweeping failed through a fault of this program's")
        await asyncio.sleep(every_s)
