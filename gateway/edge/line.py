"""One room at work in this process: its settings, its newest snapshot, its ticks, and what is asked of the store.

Every worker ticks every room a few times a second. That is no election: a tick reads the room, plans, and commits with
compare-and-set, so that of many that come at once one counts. A tick that follows another too closely is not worth its
transaction and is left out, unless a newcomer waits for it.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import tzinfo
from hashlib import sha256
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from gateway.edge.cookies import TICKET_MAX_AGE_S, CookieNames
from gateway.edge.eligibility import Eligibility
from gateway.edge.outage import Outage
from gateway.edge.pages import KST, Pages
from gateway.edge.trials import Trials
from gateway.edge.untold import Untold, ref_of
from gateway.edge.versions import Versions
from gateway.edge.watch import EXCHANGE_S, Watch
from gateway.edge.waves import LOOK_MS, Pending, Waves, nothing_pending
from gateway.metrics import CalendarFacts, StoreFacts
from gateway.room.allow import in_force, rule_of
from gateway.room.decide import counted, missed_wave, place_of_ticket
from gateway.room.entitle import Entitled
from gateway.room.grading import LOTS, Grades
from gateway.room.match import BypassRule
from gateway.room.model import Limits, Mode, PassGrant, Prequeue, Snapshot
from gateway.room.policy import plan_tick
from gateway.room.postpone import postponed
from gateway.room.stay import INSIDE_S, spent_ms
from gateway.room.ticket import Knock, Pass, Ticket
from gateway.room.trial import on_trial
from gateway.settings import Room
from gateway.store.base import (
    Claim,
    ClaimAnswer,
    PassRef,
    Spent,
    StaleEpoch,
    StoreError,
    StoreUnavailable,
    VersionConflict,
    Whereabouts,
)
from gateway.store.batching import BatchingStore
from shared.clock import Clock, now_ms

T = TypeVar("T")

_LOG: Final = logging.getLogger(__name__)

TICK_S: Final = 0.2
# Someone else's tick younger than this will do.
TICK_SPACING_MS: Final = 120
# A newcomer's tick that lost the race is tried again, this often at most.
TICK_TRIES: Final = 4

# How long a knock may be brought back. A page does it at once, a browser without scripts within its refresh.
KNOCK_LIFETIME_MS: Final = 120_000

# How long the number is remembered that a ticket got which missed its wave: for as long as a ticket may be brought.
MISSED_MS: Final = TICKET_MAX_AGE_S * 1000

# Nearer to its end than this, a knock is not handed out as it is: it would lapse before it is brought back.
KNOCK_MARGIN_MS: Final = 30_000

# What was seen this lately need not be looked at again for one newcomer.
GLANCE_S: Final = 0.02

# The time that people spend inside is written once in so many ticks.
INSIDE_STEP_TICKS: Final = 25

# After this long without word from the store the room counts as out of reach.
STALE_S: Final = 3.0


class StoreSlow(StoreUnavailable):
    """The store has not answered within the patience a visitor is owed. What was asked goes on."""


class Line:
    """A room's line as this process sees it. `start` before use.

    wall: this machine's clock, to compare with the store's. patience_s: longest wait for a visitor's answer.
    grace_s: how long, since the store was last heard from, a pass remembered to live counts as living.
    pending: windows for which people may line up beforehand; None: those of the room's calendar.
    """

    def __init__(
        self,
        config: Room,
        store: BatchingStore,
        *,
        secure: bool,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Clock = now_ms,
        patience_s: float = 1.0,
        grace_s: float = 60.0,
        pending: Pending | None = None,
    ) -> None:
        self.config = config
        self.name = config.name
        self.area = config.area()
        self._rules = tuple(rule.rule() for rule in config.bypass)
        self._versions = Versions()
        self.cookies = CookieNames.of(config.name, secure=secure)
        self.pages = Pages(config.templates)
        # Of the times on pages without a script.
        self.zone: tzinfo = KST if config.timezone is None else ZoneInfo(config.timezone)
        self.eligibility = Eligibility(config.calendar) if config.calendar is not None else None
        if pending is None:
            pending = nothing_pending if self.eligibility is None else self.eligibility.pending
        self.waves = Waves(config.name, config.limits(), store, pending)
        self._waves_looked_s = 0.0
        self._store = store
        self._monotonic = monotonic
        self._wall = wall
        self._patience_s = patience_s
        self._grace_s = grace_s
        self._snapshot: Snapshot | None = None
        self._seen_s = 0.0
        self._skew_ms = 0
        self._tick_lock = asyncio.Lock()
        self._ticks_begun = 0
        self._untold = Untold(config.name)
        self._grades = Grades()
        self._inside_ms = self._unwritten_ticks = 0
        self._trials = Trials(config.name, store)
        self._asked: set[asyncio.Future[Any]] = set()
        self.outage = Outage(config.name, monotonic)
        # Newcomers who joined without a knock since the newest snapshot: they take seats it still shows as free.
        self.joined_ahead = 0
        self.watch = Watch()
        self._exchange_s = 0.0
        # The version of the settings when the backend said that nothing is left and the store could not be told.
        self._sold_out_at: int | None = None

    async def start(self) -> None:
        """Make the room known to the store. Raises `StoreError`."""
        self._see(await self._store.store.open_room(self.name, self.config.limits()))
        await self.tick_now()
        await self._look_at_waves()

    @property
    def snapshot(self) -> Snapshot:
        """The room as last seen, with `now_ms` carried on to this moment."""
        known = self.known
        return replace(known, now_ms=known.now_ms + int(self._unheard_s * 1000))

    @property
    def known(self) -> Snapshot:
        """The room as last seen, as of that moment. Raises `StoreUnavailable` before `start`."""
        if self._snapshot is None:
            raise StoreUnavailable("the room has not been opened yet")
        return self._snapshot

    @property
    def rules(self) -> tuple[BypassRule, ...]:
        """Who needs no turn: as configured, and as operators have allowed until now."""
        allow = self._snapshot.limits.allow if self._snapshot is not None else ()
        return (*self._rules, *map(rule_of, in_force(allow, self.snapshot.now_ms))) if allow else self._rules

    @property
    def rule_names(self) -> frozenset[str]:
        """Of the rules as configured."""
        return frozenset(rule.name for rule in self._rules)

    @property
    def fresh(self) -> bool:
        """Whether the store was heard from lately."""
        return self._snapshot is not None and self._unheard_s < STALE_S

    @property
    def out_of_reach(self) -> bool:
        """Whether it is no use to ask the store: it fails or keeps silent, has for a while, and ticks ask it anyway."""
        return not self.fresh and (self.outage.away or self._tick_lock.locked())

    @property
    def store_facts(self) -> StoreFacts:
        """For the metrics."""
        outage = self.outage
        return StoreFacts(
            self.name, self.fresh and not outage.away, self._unheard_s, self._skew_ms, outage.errors, outage.grace,
            outage.let_in, outage.fails_open,
        )  # fmt: skip

    @property
    def calendar_facts(self) -> CalendarFacts | None:
        """For the metrics, in a room with an eligibility calendar."""
        asked = self.eligibility
        return CalendarFacts(self.name, asked.calendar.version, asked.problem is None) if asked is not None else None

    @property
    def people_waiting(self) -> int | None:
        """How many of those in line are still there; None while nobody can say."""
        return self.watch.people_there(self.snapshot)

    @property
    def stock_left(self) -> int | None:
        """What the backend last said it has left; None: it never did."""
        return self.watch.stock.left if self.watch.stock is not None else None

    @property
    def will_sell_out(self) -> bool:
        """Whether the backend has said that nothing is left, and the store has yet to be told."""
        return self._sold_out_at is not None

    @property
    def _unheard_s(self) -> float:
        return self._monotonic() - self._seen_s

    @property
    def prequeues(self) -> dict[str, Prequeue]:
        """The waves that have yet to join the line."""
        return self.waves.prequeues(self.snapshot)

    async def run(self) -> None:
        """Tick until cancelled. A store that fails is tried again, and said so once."""
        while True:
            await asyncio.sleep(TICK_S * (0.9 + secrets.randbelow(200) / 1000))
            try:
                async with self._tick_lock:
                    await self._tick(spacing_ms=TICK_SPACING_MS)
                await self._untold.tell(self._store.store)
                await self._repeat_sold_out()
                if self._monotonic() - self._waves_looked_s >= LOOK_MS / 1000:
                    await self._look_at_waves()
                if self._monotonic() >= self._exchange_s:
                    await self.exchange()
            except StoreError as error:
                self.outage.tick_failed(error, heard_s=self._seen_s)
            except Exception:  # noqa: BLE001
                # A fault of ours must not stop the ticks for good: without them nobody is called any more.
                _LOG.exception("a tick failed through a fault of the gateway's", extra={"room": self.name})
                self.outage.tick_failed(StoreUnavailable("ticks fail"), heard_s=self._seen_s)
            else:
                self.outage.tick_succeeded()

    async def within(self, asked: asyncio.Future[T]) -> T:
        """The answer, if it comes within a visitor's patience. Raises `StoreSlow`; what was asked goes on unheard."""
        # Held until it is done: the loop itself holds tasks weakly.
        self._asked.add(asked)
        asked.add_done_callback(self._asked.discard)
        asked.add_done_callback(_hear)
        await asyncio.wait((asked,), timeout=self._patience_s)
        if not asked.done():
            raise StoreSlow("the store did not answer in time")
        return asked.result()

    async def exchange(self) -> None:
        """Tell the other processes who waits and what is left, and learn what they know."""
        await self.watch.exchange(self.snapshot, self._store.store)
        self._exchange_s = self._monotonic() + EXCHANGE_S

    async def tick_now(self) -> None:
        """Have a tick that begins after this call; those who ask meanwhile share one."""
        asked_at = self._ticks_begun
        async with self._tick_lock:
            if self._ticks_begun == asked_at:
                await self._tick(spacing_ms=0)

    async def join(self, knock: Knock | None, *, wave: str = "", cohorts: str = "") -> Ticket:
        """Issue a number, or tell again the one this knock got.

        wave: of that pre-queue, as long as its window is still to open. cohorts: for the ticket.
        """
        room = self.snapshot
        # Longer than this knock lasts: if the answer is late, its holder is given it for longer (`knock_again`).
        expires_ms = room.now_ms + KNOCK_LIFETIME_MS + int(self._patience_s * 1000)
        knock_id = knock.id if knock else None
        if wave and self.waves.is_pending(wave, room):
            number = await self.waves.join(wave, room, knock_id, expires_ms)
            return Ticket(room.epoch, number, room.now_ms, cohorts, wave)
        await self._let_waves_in()
        self.joined_ahead += knock is None
        return await self._join_room(knock_id, expires_ms, cohorts)

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

    async def _join_room(self, knock_id: int | None, expires_ms: int, cohorts: str) -> Ticket:
        room = self.snapshot
        try:
            number = await self._store.join_one(self.name, knock_id, expires_ms, room.epoch)
        except StaleEpoch:
            await self.tick_now()
            room = self.snapshot
            number = await self._store.join_one(self.name, knock_id, expires_ms, room.epoch)
        return Ticket(room.epoch, number, room.now_ms, cohorts)

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
        return replace(ticket, number=number, wave="")

    async def _let_waves_in(self) -> None:
        """Nobody joins before a wave whose window has opened: it has lined up for longer."""
        for _ in range(TICK_TRIES):
            if not self.waves.due(self.snapshot):
                return
            await self.tick_now()
        if self.waves.due(self.snapshot):
            raise StoreUnavailable("a wave has yet to join the line")

    async def look_again(self) -> None:
        """Have what was seen be no older than `GLANCE_S`."""
        if self._monotonic() - self._seen_s > GLANCE_S:
            await self.tick_now()

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
        return await self._store.claim_one(self.name, Claim(ticket.epoch, place, pass_id, direct))

    async def renew(self, visitor_pass: Pass) -> PassGrant | None:
        """The pass, kept alive, if it lives."""
        if self.has_ended(visitor_pass):
            return None
        return await self._store.renew_one(self.name, ref_of(visitor_pass))

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
        return await self._living(self._store.store.look, passes)

    async def renew_all(self, passes: Sequence[Pass]) -> list[bool]:
        """Keep passes alive; which of them live."""
        return await self._living(self._store.store.renew, passes)

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
            return await self.within(self._store.complete_one(self.name, ref_of(visitor_pass), reason=reason))
        except StoreError as error:
            self.outage.failed(error)
            self._untold.ended(visitor_pass, reason)
            return True

    async def leave(self, ticket: Ticket) -> bool:
        """Give up the ticket's place. False if it has none yet: then nobody will come for it."""
        place = place_of_ticket(ticket, self.snapshot)
        return place is not None and await self.within(self._store.leave_one(self.name, ticket.epoch, place))

    async def where(self, places: Sequence[tuple[int, int]]) -> Sequence[Whereabouts | None]:
        """As `QueueStore.where`."""
        return await self._store.store.where(self.name, places)

    async def find_pass(self, pass_id: str) -> PassGrant | None:
        """As `QueueStore.find_pass`."""
        return await self._store.store.find_pass(self.name, pass_id)

    async def revoke(self, ref: PassRef) -> bool:
        """End a pass everywhere, by an operator's word. False if it did not live. Raises `StoreError`, not having."""
        (ended,) = await self._store.store.complete(self.name, [ref], reason="revoked")
        self._untold.revoked(ref.pass_id)
        return ended

    def settings_at(self, version: int) -> Limits | None:
        """The live settings as they were at a version, if this process saw them then and remembers."""
        return self._versions.get(version)

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
        version = self.snapshot.limits.version
        try:
            while self.snapshot.limits.mode is Mode.OPEN:
                with suppress(VersionConflict):  # an operator was faster: look at what the room is now
                    await self.change({"mode": Mode.SOLD_OUT}, expected_version=self.snapshot.limits.version)
                    return True
        except StoreError:
            self._sold_out_at = version
            raise
        return False

    async def reset(self, *, expected_version: int | None) -> Snapshot:
        """Start the line anew: a new epoch, in which no earlier ticket or pass counts. Raises `VersionConflict`."""
        await self._alter(self._store.store.reset(self.name, expected_version=expected_version))
        await self._look_at_waves()
        return self.snapshot

    def count(self, counter: str) -> None:
        """Add one to a counter of the room; written with the next tick."""
        self._untold.count(counter)

    def shown(self, place: int, eta_ms: tuple[int, int]) -> None:
        """An estimate goes to a visitor: it may be graded when the call comes to the place."""
        self._grades.note(self.snapshot, place, eta_ms, lot=secrets.randbelow(LOTS))

    def new_knock(self, cohorts: str = "") -> Knock:
        return Knock(secrets.randbits(63), self.snapshot.now_ms, cohorts)

    def entitle(self, cohorts: str) -> Entitled | None:
        """What the eligibility calendar says of these cohorts; None without one."""
        return None if self.eligibility is None else self.eligibility.entitle(cohorts, self.snapshot)

    def knock_again(self, knock: Knock) -> Knock:
        """An accepted knock for as long as a new one. It stays the same: what it was given unheard comes with it."""
        now_ms = self.snapshot.now_ms
        lasts = now_ms - knock.issued_ms + STALE_S * 1000 <= KNOCK_LIFETIME_MS - KNOCK_MARGIN_MS
        return knock if lasts else replace(knock, issued_ms=now_ms)

    def accepts(self, knock: Knock) -> bool:
        """Whether a knock may still be brought back."""
        return 0 <= self.snapshot.now_ms - knock.issued_ms + STALE_S * 1000 <= KNOCK_LIFETIME_MS

    async def flush(self) -> None:
        """Write what was counted; before stopping. A store out of reach is not waited for."""
        try:
            if self.out_of_reach:
                raise StoreUnavailable("the store is out of reach")
            await self._untold.tell(self._store.store)
        except StoreError as error:
            _LOG.warning("the last counts were not written", extra={"room": self.name, "why": error})

    async def _alter(self, altering: Awaitable[Snapshot]) -> Snapshot:
        """Await an operator's change of the room, see what it came to, and tick."""
        try:
            snapshot = await altering
        except VersionConflict as conflict:
            self._see(conflict.snapshot)
            raise
        self._see(snapshot)
        await self.tick_now()
        return self.snapshot

    async def _living(
        self,
        ask: Callable[[str, Sequence[PassRef]], Coroutine[Any, Any, Sequence[PassGrant | None]]],
        passes: Sequence[Pass],
    ) -> list[bool]:
        if self.out_of_reach:
            raise StoreUnavailable("the store is out of reach")
        grants = await self.within(asyncio.create_task(ask(self.name, [*map(ref_of, passes)])))
        return [grant is not None for grant in grants]

    async def _look_at_waves(self) -> None:
        self._waves_looked_s = self._monotonic()
        await self.waves.look(self.snapshot)

    def _see(self, snapshot: Snapshot) -> None:
        # Answers may overtake one another; an older one must not undo what was seen.
        if self._snapshot is None or (snapshot.epoch, snapshot.tick) >= (self._snapshot.epoch, self._snapshot.tick):
            if self._snapshot is None or snapshot.tick != self._snapshot.tick:
                self.joined_ahead = 0
                self._versions.note(snapshot.limits)
            self._snapshot = snapshot
            self._untold.count_all(self._grades.grade(snapshot))
            self._seen_s = self._monotonic()
            self._skew_ms = self._wall() - snapshot.now_ms

    async def _tick(self, *, spacing_ms: int) -> None:
        self._ticks_begun += 1
        store = self._store.store
        snapshot = await store.load(self.name)
        if self.eligibility is not None:
            self.eligibility.refresh(snapshot.now_ms)
        for _ in range(TICK_TRIES):
            self._see(snapshot)
            if 0 <= snapshot.now_ms - snapshot.last_tick_ms < spacing_ms:
                return
            plan = replace(plan_tick(snapshot, snapshot.now_ms), append=await self.waves.next(snapshot))
            done, after = await store.commit(self.name, plan, snapshot.tick)
            if done:
                self._spent(spent_ms(snapshot, plan))
            snapshot = after
            self._see(snapshot)
            if done:
                return

    async def _repeat_sold_out(self) -> None:
        """Carry out what the backend said while the store was away.

        But not once settings were changed: that may be a reopening with new stock.
        """
        if self._sold_out_at is not None:
            stopped = self._sold_out_at == self.snapshot.limits.version and await self.sell_out()
            self._sold_out_at = None
            _LOG.warning("the backend had said sold out while the store was away", extra={"stopped": stopped})

    def _spent(self, inside_ms: int) -> None:
        """Count what all who are inside have spent there: each tick by the one gateway that made it."""
        self._inside_ms += inside_ms
        self._unwritten_ticks += 1
        if self._unwritten_ticks >= INSIDE_STEP_TICKS and self._inside_ms >= 1000:  # noqa: PLR2004 - a second
            self._untold.count(INSIDE_S, self._inside_ms // 1000)
            self._inside_ms %= 1000
            self._unwritten_ticks = 0


def _hear(asked: asyncio.Future[Any]) -> None:
    """A failure that nobody waits for any more is no news: the ticks meet the same one."""
    if not asked.cancelled():
        asked.exception()


def _knock_of(ticket: Ticket) -> int:
    """A knock that is this ticket's alone: whoever brings it again gets the number it got."""
    text = f"{ticket.epoch}:{ticket.wave}:{ticket.number}"
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 1
