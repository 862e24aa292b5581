"""What operators do to a room, and what its backend says of the whole of it."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from gateway.edge.sight import Sight
from gateway.room.model import Mode, PassGrant, Snapshot
from gateway.room.postpone import postponed
from gateway.store.base import (
    PassRef,
    StoreError,
    VersionConflict,
    Whereabouts,
)

_LOG: Final = logging.getLogger(__name__)


class Control(Sight):
    """A room that can be changed. Each change is acted on by a tick at once."""

    # `mode_since` of the settings when the backend said that nothing is left and the store could not be told.
    _sold_out_at: int | None = None
    _sold_out_heard: Callable[[Snapshot], None] | None = None

    def on_sold_out(self, hear: Callable[[Snapshot], None]) -> None:
        """Have `hear` told, once, whenever the backend's word has stopped the room: also much later than it came."""
        self._sold_out_heard = hear

    @property
    def will_sell_out(self) -> bool:
        """Whether the backend has said that nothing is left, and the store has yet to be told."""
        return self._sold_out_at is not None

    async def change(self, patch: dict[str, Any], *, expected_version: int | None) -> Snapshot:
        """Change live settings and let a tick act on them at once. Raises `VersionConflict`."""
        return await self._alter(self._store.store.update_settings(self.name, patch, expected_version=expected_version))

    async def postpone(
        self, opens_at_ms: int, *, reason: str, expected_version: int | None, by: str | None = None
    ) -> Snapshot:
        """Move the opening. by: who says to do it. Raises `CannotPostpone`, `VersionConflict`."""
        await self.tick_now()
        room = self.snapshot
        if expected_version is not None and expected_version != room.limits.version:
            raise VersionConflict(room)
        patch = postponed(room.limits, room.now_ms, opens_at_ms)
        after = await self.change(patch, expected_version=room.limits.version)
        told = {"room": self.name, "from_ms": patch["postponed_from_ms"], "to_ms": opens_at_ms, "why": reason, "by": by}
        _LOG.warning("the opening was postponed", extra=told)
        return after

    async def sell_out(self) -> bool:
        """The backend says that nothing is left: stop an open room. An operator's own state is left alone.

        True if this stopped it. If the store cannot be told now, it is told when it is back.
        """
        said_at = self.snapshot.limits.mode_since
        try:
            while self.snapshot.limits.mode is Mode.OPEN:
                with suppress(VersionConflict):  # an operator was faster: look at what the room is now
                    version = self.snapshot.limits.version
                    patch = {"mode": Mode.SOLD_OUT}
                    setting = self._store.store.update_settings(self.name, patch, expected_version=version)
                    await self._alter(setting, self._sold_out_heard)
                    return True
        except StoreError:
            if self.known.limits.mode is Mode.OPEN:  # else it is done, and only the tick has failed
                self._sold_out_at = said_at
            raise
        return False

    async def reset(self, *, expected_version: int | None) -> Snapshot:
        """Start the line anew: a new epoch, in which no earlier ticket or pass counts. Raises `VersionConflict`."""
        await self._alter(self._store.store.reset(self.name, expected_version=expected_version))
        await self._look_at_waves()
        return self.snapshot

    async def revoke(self, ref: PassRef) -> bool:
        """End a pass everywhere, by an operator's word. False if it did not live. Raises `StoreError`, not having."""
        (ended,) = await self._store.store.complete(self.name, [ref], reason="revoked")
        self._untold.revoked(ref.pass_id)
        self._living.forget(ref.epoch, ref.place)
        return ended

    async def where(self, places: Sequence[tuple[int, int]]) -> Sequence[Whereabouts | None]:
        """As `QueueStore.where`."""
        return await self._store.store.where(self.name, places)

    async def find_pass(self, pass_id: str) -> PassGrant | None:
        """As `QueueStore.find_pass`."""
        return await self._store.store.find_pass(self.name, pass_id)

    async def _alter(self, altering: Awaitable[Snapshot], hear: Callable[[Snapshot], None] | None = None) -> Snapshot:
        """Await a change of the room, see what it came to, have it heard, and tick."""
        try:
            snapshot = await altering
        except VersionConflict as conflict:
            self._see(conflict.snapshot)
            raise
        self._see(snapshot)
        if hear is not None:
            hear(snapshot)
        await self.tick_now()
        return self.snapshot

    async def _repeat_sold_out(self) -> None:
        """Carry out what the backend said while the store was away.

        But not once the room's mode was changed: that may be a reopening with new stock.
        """
        if self._sold_out_at is not None:
            stopped = self._sold_out_at == self.snapshot.limits.mode_since and await self.sell_out()
            self._sold_out_at = None
            _LOG.warning("the backend had said sold out while the store was away", extra={"stopped": stopped})

    async def _chores(self) -> None:
        await super()._chores()
        await self._repeat_sold_out()
