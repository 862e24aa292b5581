"""One room's line as visitors need it: numbers, places, passes."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from hashlib import sha256
from itertools import count
from typing import Any, Final, TypeVar

from gateway.edge.control import Control
from gateway.edge.cookies import TICKET_MAX_AGE_S
from gateway.edge.sight import STALE_S, TICK_TRIES
from gateway.edge.untold import ref_of
from gateway.edge.waves import WaveAway
from gateway.room.decide import counted, missed_wave, place_of_ticket
from gateway.room.model import PassGrant, Snapshot
from gateway.room.ticket import Knock, Pass, Ticket
from gateway.room.trial import on_trial
from gateway.store.base import (
    Admitted,
    Claim,
    ClaimAnswer,
    PassRef,
    Spent,
    StaleEpoch,
    StoreError,
    StoreUnavailable,
)
from gateway.store.batching import Asker

T = TypeVar("T")

_LOG: Final = logging.getLogger(__name__)

# How long a knock may be brought back. A page does it at once, a browser without scripts within its refresh.
KNOCK_LIFETIME_MS: Final = 120_000

# How long the number is remembered that a ticket got which missed its wave: for as long as a ticket may be brought.
MISSED_MS: Final = TICKET_MAX_AGE_S * 1000

# Nearer to its end than this, a knock is not handed out as it is: it would lapse before it is brought back.
KNOCK_MARGIN_MS: Final = 30_000


class Line(Control):
    """A room at work."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # Knocks are signed, so it does not matter that they can be guessed. As they follow one another, those who come
        # together are remembered side by side: the store then writes a few pages for them, not one for each.
        self._knocks = count(secrets.randbits(62))

    async def join(self, knock: Knock | None, *, wave: str = "", cohorts: str = "") -> Ticket:
        """Issue a number, or tell again the one this knock got.

        wave: of that pre-queue, as long as its window is still to open. cohorts: for the ticket.
        """
        room = self.snapshot
        expires_ms = self.knock_expires_ms(room)
        knock_id = knock.id if knock else None
        # Whoever brings a knock back once more, and is told the same number, has not come later by that.
        issued_ms = knock.issued_ms if knock else room.now_ms
        if wave and self.waves.is_pending(wave, room):
            number = await self.waves.join(wave, room, knock_id, expires_ms)
            return Ticket(room.epoch, number, issued_ms, cohorts, wave)
        await self._let_waves_in()
        self.joined_ahead += knock is None
        epoch, number = await self._join_room(knock_id, expires_ms)
        return Ticket(epoch, number, issued_ms, cohorts)

    def knock_expires_ms(self, room: Snapshot) -> int:
        """How long the number is remembered that a knock gets now."""
        # Longer than this knock lasts: if the answer is late, its holder is given it for longer (`knock_again`).
        return room.now_ms + KNOCK_LIFETIME_MS + int(self.patience_s * 1000)

    def ask_number(self, knock: Knock, expires_ms: int, epoch: int, asker: Asker[int]) -> None:
        """Have `asker` told the number of a knock, in the room's own line. Raises `StoreError`."""
        self._store.join_for(self.name, knock.id, expires_ms, epoch, asker)

    def tells_off(self, ticket: Ticket, now_s: float | None = None, *, page: bool = False) -> int | None:
        """After how many seconds its holder, who waits, is to ask again, having asked far too often; else None.

        now_s: by `monotonic`, where it was looked at. page: for the waiting page, and not where one stands; counted
        apart, so that a page of many images that is opened once more keeps nobody from that.
        """
        if ticket.wave or ticket.epoch != self.known.epoch:
            return None
        of = self.reloads if page else self.hasty
        retry_s = of.takes(ticket.number, self.monotonic() if now_s is None else now_s)
        if retry_s is not None:
            self.count("told_off")
        return retry_s

    async def take_in(self, tickets: Iterable[Ticket]) -> list[Ticket]:
        """Tickets as they count now, the first in line first. One that missed its wave gets a number, always the same.

        It was issued in the moment in which the wave joined the line, so it stands behind whoever came by now.
        """
        found = [
            await self._joined_late(ticket) if missed_wave(ticket, self.snapshot) else counted(ticket, self.snapshot)
            for ticket in tickets
        ]
        epoch = self.snapshot.epoch
        return sorted(found, key=lambda ticket: (ticket.epoch != epoch, ticket.wave != "", ticket.number))

    async def _join_room(self, knock_id: int | None, expires_ms: int) -> tuple[int, int]:
        """Epoch and number."""
        epoch = self.snapshot.epoch
        try:
            return epoch, await self._store.join_one(self.name, knock_id, expires_ms, epoch)
        except StaleEpoch:
            await self.tick_now()
            epoch = self.snapshot.epoch
            return epoch, await self._store.join_one(self.name, knock_id, expires_ms, epoch)

    async def _joined_late(self, ticket: Ticket) -> Ticket:
        """A ticket of the room's line in place of one that missed its wave."""
        await self._let_waves_in()
        # Not gathered with the others: theirs need not be remembered for days.
        expires_ms = self.snapshot.now_ms + MISSED_MS
        try:
            (number,) = await self._store.store.join(
                self.name, [_knock_of(ticket)], expires_ms=expires_ms, epoch=ticket.epoch
            )
        except StaleEpoch:
            return ticket
        return ticket._replace(number=number, wave="")

    async def _let_waves_in(self) -> None:
        """Nobody joins before a wave whose window has opened: it has lined up for longer."""
        for _ in range(TICK_TRIES):
            if not self.waves.due(self.snapshot):
                return
            await self.tick_now()
        if self.waves.due(self.snapshot):
            raise WaveAway("a wave has yet to join the line")

    async def catch_up(self, ticket: Ticket) -> None:
        """Look again if a ticket tells of something not seen yet: issued a moment ago through another worker."""
        room = self.snapshot
        if ticket.wave and ticket.epoch == room.epoch:
            await self.waves.catch_up(ticket, room)
            return
        if (ticket.epoch, ticket.number) > (room.epoch, room.tail):
            await self.tick_now()
            room = self.snapshot
        if ticket.epoch == room.epoch and ticket.number > room.tail and not ticket.wave:
            # We signed it, so it was issued, and the store has forgotten: nobody else may get this number.
            _LOG.warning(
                "a ticket is ahead of the store", extra={"room": self.name, "ahead": ticket.number - room.tail}
            )
            self._see(await self._store.store.acknowledge(self.name, ticket.epoch, ticket.number))

    async def claim(self, ticket: Ticket, place: int, *, direct: bool, held: Pass | None = None) -> ClaimAnswer:
        """Ask for the pass of a called place. direct: its number was issued in this very request.

        held: a pass that was brought. If it is of this very place, and the store no longer knows that the place was
        used (its server died with the last writes), what is granted is that pass again, and never a second one.
        """
        if self._untold.has_ended(ticket.epoch, place):
            return Spent()
        same = held is not None and (held.epoch, held.number, held.place) == (ticket.epoch, ticket.number, place)
        pass_id = held.pass_id if held is not None and same else secrets.token_urlsafe(12)
        asked_s, era = self.monotonic(), self._living.era
        answer = await self._store.claim_one(self.name, Claim(ticket.epoch, place, pass_id, direct))
        if isinstance(answer, Admitted):
            ref = PassRef(ticket.epoch, place, answer.grant.pass_id)
            self._living.saw(ref, answer.grant, asked_s=asked_s, era=era)
        return answer

    async def renew(self, visitor_pass: Pass) -> PassGrant | None:
        """The pass, kept alive, if it lives; the store is asked for it once in `HOLDS_S` at most."""
        if self.has_ended(visitor_pass):
            return None
        # Shielded: others may wait for the same answer.
        return self.lives(visitor_pass) or await asyncio.shield(self._ask(ref_of(visitor_pass)))

    def lives(self, visitor_pass: Pass) -> PassGrant | None:
        """The pass, if the store said a moment ago that it lives: it is kept alive by this request, too.

        None: whether it lives is for `renew` to say.
        """
        grant = self._living.use(visitor_pass, self.monotonic())
        return None if grant is None or self.has_ended(visitor_pass) else grant

    def confirm(self, visitor_pass: Pass) -> asyncio.Future[PassGrant | None] | None:
        """Have the store asked for a pass that `lives` does not know: as soon as it has answered, that does.

        Not to be cancelled: others may wait for the same answer. None: it is no use asking now.
        """
        if self.out_of_reach or self.has_ended(visitor_pass):
            return None
        with suppress(StoreUnavailable):
            return self._ask(ref_of(visitor_pass))
        return None

    def is_on_trial(self, visitor_pass: Pass, grant: PassGrant) -> bool:
        """Whether the backend has yet to answer a request by this pass, as far as is known here."""
        return not self._trials.is_served(visitor_pass) and on_trial(grant, self.known.pass_clock_ms)

    def note_served(self, visitor_pass: Pass, *, works: bool) -> None:
        """Have the store told that the backend answered (works) or failed a pass on trial; nobody waits for it."""
        with suppress(StoreUnavailable):  # the next answer will do
            if not self.out_of_reach:
                self._trials.note(visitor_pass, works=works)

    async def look(self, passes: Sequence[Pass]) -> list[bool]:
        """Which passes live; keeps none of them alive."""
        return await self._which_live(self._store.store.look, passes)

    async def renew_all(self, passes: Sequence[Pass]) -> list[bool]:
        """Keep passes alive; which of them live."""
        return await self._which_live(self._store.store.renew, passes)

    def recall(self, visitor_pass: Pass) -> PassGrant | None:
        """The pass as last known to live, while the store is away; None past the grace, or if it was ended here."""
        if self.has_ended(visitor_pass) or self._unheard_s >= self._grace_s:
            return None
        return self._store.store.recall(self.name, ref_of(visitor_pass))

    def has_ended(self, visitor_pass: Pass) -> bool:
        """Whether it was ended here, and the store has yet to be told."""
        return self._untold.has_ended(visitor_pass.epoch, visitor_pass.place)

    def was_revoked(self, visitor_pass: Pass) -> bool:
        """Whether the backend had this pass revoked, through this process."""
        return self._untold.was_revoked(visitor_pass)

    async def end(self, visitor_pass: Pass, reason: str) -> bool:
        """End a pass and free its seat: `completed`, `revoked` or `left`.

        If the store cannot be told now, the pass is none here from now on, and the store is told when it is back.
        """
        if reason == "revoked":
            self._untold.revoked(visitor_pass.pass_id)
        try:
            asked = self._store.complete_one(self.name, ref_of(visitor_pass), reason=reason)
            return await self.within(self._ending(asked, visitor_pass.epoch, visitor_pass.place))
        except StoreError as error:
            self.outage.failed(error)
            self._untold.ended(visitor_pass, reason)
            return True

    async def leave(self, ticket: Ticket) -> bool:
        """Give up the ticket's place. False if it has none yet: then nobody will come for it."""
        place = place_of_ticket(ticket, self.snapshot)
        if place is None:
            return False
        asked = self._store.leave_one(self.name, ticket.epoch, place)
        return await self.within(self._ending(asked, ticket.epoch, place))

    def new_knock(self, cohorts: str = "") -> Knock:
        return Knock(next(self._knocks), self.snapshot.now_ms, cohorts)

    def knock_again(self, knock: Knock) -> Knock:
        """An accepted knock for as long as a new one. It stays the same: what it was given unheard comes with it."""
        now_ms = self.snapshot.now_ms
        lasts = now_ms - knock.issued_ms + STALE_S * 1000 <= KNOCK_LIFETIME_MS - KNOCK_MARGIN_MS
        return knock if lasts else knock._replace(issued_ms=now_ms)

    def accepts(self, knock: Knock, room: Snapshot | None = None) -> bool:
        """Whether a knock may still be brought back. room: as seen a moment ago, where it was looked at."""
        return 0 <= (room or self.snapshot).now_ms - knock.issued_ms + STALE_S * 1000 <= KNOCK_LIFETIME_MS

    def _ask(self, ref: PassRef) -> asyncio.Future[PassGrant | None]:
        """Renew a pass, unless that is under way; the answer is remembered."""
        asking = self._asking.get(ref)
        if asking is not None:
            return asking
        asked_s, era = self.monotonic(), self._living.era
        asked = self._asking[ref] = self._store.renew_one(self.name, ref)

        def heard(done: asyncio.Future[PassGrant | None]) -> None:
            del self._asking[ref]
            if not done.cancelled() and done.exception() is None:
                self._living.saw(ref, done.result(), asked_s=asked_s, era=era)

        asked.add_done_callback(heard)
        return asked

    def _ending(self, asked: asyncio.Future[T], epoch: int, place: int) -> asyncio.Future[T]:
        """What is asked ends the pass of a place: it is not gone by here any more, and not after what comes late."""
        self._living.forget(epoch, place)
        asked.add_done_callback(lambda _: self._living.forget(epoch, place))
        return asked

    async def _chores(self) -> None:
        await super()._chores()
        for ref in self._living.due(self.monotonic(), self.known.limits.idle_limit_ms):
            self._ask(ref)

    async def _which_live(
        self,
        ask: Callable[[str, Sequence[PassRef]], Coroutine[Any, Any, Sequence[PassGrant | None]]],
        passes: Sequence[Pass],
    ) -> list[bool]:
        if self.out_of_reach:
            raise StoreUnavailable("the store is out of reach")
        grants = await self.within(asyncio.create_task(ask(self.name, [*map(ref_of, passes)])))
        return [grant is not None for grant in grants]


def _knock_of(ticket: Ticket) -> int:
    """A knock that is this ticket's alone: whoever brings it again gets the number it got."""
    text = f"{ticket.epoch}:{ticket.wave}:{ticket.number}"
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 1
