"""What the backend made of passes on trial (`gateway.room.trial`), told to the store behind the visitors' backs."""

import asyncio
from typing import Final

from gateway.edge.untold import ref_of
from gateway.room.model import PassGrant
from gateway.room.ticket import Pass
from gateway.store.base import Served
from gateway.store.batching import BatchingStore

# Passes remembered as served; beyond it the oldest are forgotten, and told of once more.
REMEMBERED: Final = 10_000


class Trials:
    """Of one room. What the store could not be told, the next answer of the backend tells."""

    def __init__(self, room: str, store: BatchingStore) -> None:
        self._room = room
        self._store = store
        self._served: dict[str, None] = {}
        # Held until they are done: nobody waits for them.
        self._asked: set[asyncio.Future[PassGrant | None]] = set()

    def is_served(self, visitor_pass: Pass) -> bool:
        """Whether the store was, or is being told that the backend has answered this pass."""
        return visitor_pass.pass_id in self._served

    def note(self, visitor_pass: Pass, *, works: bool) -> None:
        """The backend answered a request by this pass (works), or failed it. Raises `StoreUnavailable` once closed."""
        asked = self._store.serve_one(self._room, Served(ref_of(visitor_pass), works))
        if works:
            # A page comes with its images: once will do.
            self._served[visitor_pass.pass_id] = None
            if len(self._served) > REMEMBERED:
                del self._served[next(iter(self._served))]

        def heard(done: asyncio.Future[PassGrant | None]) -> None:
            self._asked.discard(done)
            if done.cancelled() or done.exception() is not None:
                self._served.pop(visitor_pass.pass_id, None)

        self._asked.add(asked)
        asked.add_done_callback(heard)
