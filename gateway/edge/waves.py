"""The pre-queues of a room's later windows ("waves"): lines of their own, until their windows open.

In the store a wave is a room of its own, with all the durability that rooms have, from which nobody is called. When its
window opens, its whole line joins the room's line as one block (`TickPlan.append`), behind everyone with a number by
then. Nothing is kept for each person: what becomes of their tickets follows from the block (`decide.counted`).

The room of a wave is named for the epoch of its room too. So a reset of the room is one of its waves, in the same step,
and no number is issued twice within an epoch.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from gateway.room.entitle import is_in_rooms_line
from gateway.room.model import WAVE_MARK, Append, Limits, Mode, Prequeue, QueueingMethod, Snapshot
from gateway.room.policy import plan_tick
from gateway.room.ticket import Ticket
from gateway.store.base import StoreError, StoreUnavailable
from gateway.store.batching import BatchingStore

_LOG: Final = logging.getLogger(__name__)

# From a moment (ms) to the waves whose windows open after it, and when they do (ms).
Pending = Callable[[int], Mapping[str, int]]

# How often each process looks at its waves. One of them ticks: by that the store forgets answered knocks.
LOOK_MS: Final = 2_000
# A window that opened while no gateway ran is known for so long; after that, by the first ticket of its wave.
LOOKBACK_MS: Final = 86_400_000
# Somebody may be joining through another gateway as the window opens; after this nobody is.
LINGER_MS: Final = 60_000
# A wave that the calendar no longer knows joins the line after this: for good, so a slip in the file must not do it.
GONE_MS: Final = 300_000
# A moment (ms) before every window.
_EVER: Final = 0


class WaveAway(StoreUnavailable):
    """A wave cannot be asked or let in now, while its room may be at work: whoever comes has to wait for that."""


def nothing_pending(_now_ms: int) -> Mapping[str, int]:
    """Of a room without a calendar."""
    return {}


class Waves:
    """Of one room. pending: as the room's calendar has them. limits: the room's, by its settings."""

    def __init__(self, room: str, limits: Limits, store: BatchingStore, pending: Pending = nothing_pending) -> None:
        self._room = room
        self._limits = replace(limits, mode=Mode.CLOSED, message={})
        self._store = store
        self._pending = pending
        # Known waves, and when they open or opened; 0: a ticket told of it.
        self._opens: dict[str, int] = {}
        # By their rooms' names: as last seen; and those where nobody was when the window had opened.
        self._seen: dict[str, Snapshot] = {}
        self._empty: set[str] = set()
        # Since when the calendar has not known a wave.
        self._gone_since: dict[str, int] = {}
        self._failing = False

    def is_pending(self, wave: str, room: Snapshot) -> bool:
        """Whether people may still line up in it."""
        return wave not in room.blocks and wave in self._ahead(room)

    def due(self, room: Snapshot) -> list[str]:
        """Waves that are to join the line, and have not; in order of their openings.

        Those whose window has opened; those for which people line up in the room's own line by now, as it opens no
        sooner (they would get ahead of who has lined up for longer); those that the calendar has long not known.
        """
        ahead = self._ahead(room)
        # Somebody may come to line up in one where nobody was: so it is looked at again when it is due.
        self._empty.difference_update(_name(room, wave) for wave in ahead)
        found = [
            wave
            for wave in self._opens
            if wave not in room.blocks and wave not in ahead and _name(room, wave) not in self._empty
        ]
        gone = self._gone(found, room)
        return sorted((wave for wave in found if wave not in gone), key=lambda wave: (self._opens[wave], wave))

    def _gone(self, waves: Collection[str], room: Snapshot) -> Collection[str]:
        """Those of them that a calendar lacks which may have a slip in it, since a moment ago."""
        known = self._pending(_EVER) if waves else {}
        # Their openings as last known have come, or else the time that a slip is given has passed.
        gone = [wave for wave in waves if wave not in known and not 0 < self._opens[wave] <= room.now_ms]
        self._gone_since = {wave: self._gone_since.get(wave, room.now_ms) for wave in gone}
        return [wave for wave in gone if room.now_ms - self._gone_since[wave] < GONE_MS]

    def _ahead(self, room: Snapshot) -> Mapping[str, int]:
        """Waves that people line up in, and when their windows open."""
        return {
            wave: opens_ms
            for wave, opens_ms in self._pending(room.now_ms).items()
            if not is_in_rooms_line(opens_ms, room.state, room.moment)
        }

    async def next(self, room: Snapshot) -> Append | None:
        """The wave that is to join the line now; None too while the store cannot say how long it is."""
        try:
            for wave in self.due(room):
                seen = await self._look_at(wave, room)
                if seen.tail:
                    # Where lots are still to be drawn in the room, the wave takes part in those.
                    draws = room.limits.queueing_method is QueueingMethod.DRAW and not room.awaits_draw
                    return Append(wave, seen.tail, seen.draw_secret if draws else "")
                self._empty.add(_name(room, wave))
        except StoreError as error:
            self._failed(error)
        return None

    async def look(self, room: Snapshot) -> None:
        """Open the waves there are, and look at each. A store that cannot be asked is asked again."""
        self._opens.update(self._pending(room.now_ms - LOOKBACK_MS))
        for wave, opens_ms in list(self._opens.items()):
            name = _name(room, wave)
            if wave in room.blocks or (name in self._empty and room.now_ms - opens_ms > LINGER_MS):
                continue
            try:
                seen = await self._look_at(wave, room)
            except StoreError as error:
                self._failed(error)
                return
            if seen.tail:
                self._empty.discard(name)
        self._failing = False

    async def join(self, wave: str, room: Snapshot, knock: int | None, expires_ms: int) -> int:
        """Issue a number of the wave, or tell again the one this knock got. Raises `WaveAway`."""
        with _told_apart():
            if _name(room, wave) not in self._seen:
                await self._look_at(wave, room)
            return await self._store.join_one(_name(room, wave), knock, expires_ms)

    async def catch_up(self, ticket: Ticket, room: Snapshot) -> None:
        """Learn from a ticket that there is such a wave, and such a number in it. Raises `WaveAway`."""
        if ticket.wave not in room.blocks:
            with _told_apart():
                await self._catch_up(ticket, room)

    async def _catch_up(self, ticket: Ticket, room: Snapshot) -> None:
        self._opens.setdefault(ticket.wave, 0)
        name = _name(room, ticket.wave)
        seen = self._seen.get(name)
        if seen is None or seen.tail < ticket.number:
            seen = await self._look_at(ticket.wave, room)
        if seen.tail < ticket.number:
            _LOG.warning("a ticket is ahead of the store", extra={"room": name, "ahead": ticket.number - seen.tail})
            self._seen[name] = await self._store.store.acknowledge(name, seen.epoch, ticket.number)
        self._empty.discard(name)

    def prequeues(self, room: Snapshot) -> dict[str, Prequeue]:
        """Those who have yet to join the line, as last seen: every wave still to open, and any in which people wait."""
        pending, found = self._pending(room.now_ms), {}
        for wave, opens_ms in self._opens.items():
            seen = self._seen.get(_name(room, wave))
            waiting = seen.tail if seen is not None else 0
            if wave not in room.blocks and (waiting or wave in pending):
                found[wave] = Prequeue(waiting, pending.get(wave, opens_ms or None))
        return found

    def opening(self, wave: str) -> int | None:
        """When its window opens or opened (ms), if that is known."""
        return self._opens.get(wave) or None

    def secret(self, wave: str, room: Snapshot) -> str | None:
        """By which lots would be drawn among its numbers; not to be told before it has joined. None: no such wave."""
        if wave in room.blocks:
            return room.blocks[wave].secret
        seen = self._seen.get(_name(room, wave))
        return seen.draw_secret if seen is not None else None

    async def _look_at(self, wave: str, room: Snapshot) -> Snapshot:
        """The wave as it is; made if it is new, ticked if no other process has."""
        name, store = _name(room, wave), self._store.store
        seen = await (store.load(name) if name in self._seen else store.open_room(name, self._limits))
        if seen.now_ms - seen.last_tick_ms >= LOOK_MS:
            _, seen = await store.commit(name, plan_tick(seen, seen.now_ms), seen.tick)
        self._seen[name] = seen
        return seen

    def _failed(self, error: StoreError) -> None:
        if not self._failing:
            _LOG.warning("the waves of a room are out of reach", extra={"room": self._room, "why": str(error)})
        self._failing = True


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise WaveAway(str(error)) from error


def _name(room: Snapshot, wave: str) -> str:
    """What its room is called in the store; no room of the settings has such a name."""
    return WAVE_MARK.join((room.room, str(room.epoch), wave))
