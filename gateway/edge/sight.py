"""One room as this process sees it: its settings, its newest snapshot, its ticks.

Every worker ticks every room a few times a second. That is no election: a tick reads the room, plans, and commits with
compare-and-set, so that of many that come at once one counts. A tick that follows another too closely is not worth its
transaction and is left out, unless a newcomer waits for it.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import tzinfo
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from gateway.edge.chance import CHANCE
from gateway.edge.cookies import CookieNames
from gateway.edge.eligibility import Eligibility
from gateway.edge.hasty import Hasty
from gateway.edge.latency import Latency
from gateway.edge.living import Living
from gateway.edge.outage import Outage
from gateway.edge.pages import KST, Pages
from gateway.edge.trials import Trials
from gateway.edge.untold import Untold
from gateway.edge.versions import Versions
from gateway.edge.watch import EXCHANGE_S, Watch
from gateway.edge.waves import LOOK_MS, Pending, Waves, nothing_pending
from gateway.metrics import CalendarFacts, Meters, StoreFacts
from gateway.room.allow import in_force, rule_of
from gateway.room.entitle import Entitled
from gateway.room.grading import LOTS, Grades
from gateway.room.match import BypassRule
from gateway.room.model import Limits, PassGrant, Prequeue, Snapshot
from gateway.room.policy import plan_tick
from gateway.room.stay import INSIDE_S, spent_ms
from gateway.settings import Room
from gateway.store.base import (
    PassRef,
    StoreError,
    StoreUnavailable,
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

# What was seen this lately need not be looked at again for one newcomer.
GLANCE_S: Final = 0.02

# The time that people spend inside is written once in so many ticks.
INSIDE_STEP_TICKS: Final = 25

# After this long without word from the store the room counts as out of reach.
STALE_S: Final = 3.0


# Which estimates are graded needs no secret.
_lots: Final = CHANCE


class StoreSlow(StoreUnavailable):
    """The store has not answered within the patience a visitor is owed. What was asked goes on."""


class Sight:
    """A room. `start` before use. `gateway.edge.line.Line` is what visitors ask of it, `Control` what operators do.

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
        meters: Meters | None = None,
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
        self.monotonic = monotonic
        self._wall = wall
        self.patience_s = patience_s
        self._grace_s = grace_s
        self._meters = meters or Meters()
        self._snapshot: Snapshot | None = None
        # The same at a later millisecond: everyone who asks in it is told from one.
        self._carried: tuple[Snapshot, Snapshot] | None = None
        self._seen_s = 0.0
        self._skew_ms = 0
        self._tick_lock = asyncio.Lock()
        self._ticks_begun = 0
        self._untold = Untold(config.name)
        self._grades = Grades()
        self._inside_ms = self._unwritten_ticks = 0
        self._trials = Trials(config.name, store)
        self._living = Living()
        # Questions under way whether a pass lives.
        self._asking: dict[PassRef, asyncio.Future[PassGrant | None]] = {}
        self._asked: set[asyncio.Future[Any]] = set()
        self.outage = Outage(config.name, monotonic)
        # Newcomers who joined without a knock since the newest snapshot: they take seats it still shows as free.
        self.joined_ahead = 0
        self.watch = Watch()
        self.hasty = Hasty()
        self.reloads = Hasty()
        # Of the backend's answers in this room, through this worker.
        self.latency = Latency()
        self._exchange_s = 0.0

    async def start(self) -> None:
        """Make the room known to the store. Raises `StoreError`."""
        self._see(await self._store.store.open_room(self.name, self.config.limits()))
        await self.tick_now()
        await self._look_at_waves()

    @property
    def snapshot(self) -> Snapshot:
        """The room as last seen, with `now_ms` carried on to this moment."""
        known = self.known
        now_ms = known.now_ms + int(self._unheard_s * 1000)
        carried = self._carried
        if carried is None or carried[0] is not known or carried[1].now_ms != now_ms:
            carried = self._carried = known, replace(known, now_ms=now_ms)
        return carried[1]

    @property
    def newest(self) -> Snapshot | None:
        """As `known`; None before `start`."""
        return self._snapshot

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
    def _unheard_s(self) -> float:
        return self.monotonic() - self._seen_s

    @property
    def prequeues(self) -> dict[str, Prequeue]:
        """The waves that have yet to join the line."""
        return self.waves.prequeues(self.snapshot)

    async def run(self) -> None:
        """Tick until cancelled. A store that fails is tried again, and said so once."""
        while True:
            pause_s = TICK_S * (0.9 + secrets.randbelow(200) / 1000)
            due_s = self.monotonic() + pause_s
            await asyncio.sleep(pause_s)
            try:
                async with self._tick_lock:
                    await self._measured_tick(due_s)
                await self._chores()
            except StoreError as error:
                self.outage.tick_failed(error, heard_s=self._seen_s)
            except Exception:  # noqa: BLE001
                # A fault of ours must not stop the ticks for good: without them nobody is called any more.
                _LOG.exception("a tick failed through a fault of the gateway's", extra={"room": self.name})
                self.outage.tick_failed(StoreUnavailable("ticks fail"), heard_s=self._seen_s)
            else:
                self.outage.tick_succeeded()

    async def _chores(self) -> None:
        """What is done after each tick that succeeded. Raises `StoreError`."""
        await self._untold.tell(self._store.store)
        if self.monotonic() - self._waves_looked_s >= LOOK_MS / 1000:
            await self._look_at_waves()
        if self.monotonic() >= self._exchange_s:
            await self.exchange()

    async def within(self, asked: asyncio.Future[T]) -> T:
        """The answer, if it comes within a visitor's patience. Raises `StoreSlow`; what was asked goes on unheard."""
        # Held until it is done: the loop itself holds tasks weakly.
        self._asked.add(asked)
        asked.add_done_callback(self._asked.discard)
        asked.add_done_callback(_hear)
        await asyncio.wait((asked,), timeout=self.patience_s)
        if not asked.done():
            raise StoreSlow("the store did not answer in time")
        return asked.result()

    async def exchange(self) -> None:
        """Tell the other processes who waits and what is left, and learn what they know."""
        await self.watch.exchange(self.snapshot, self._store.store)
        self._exchange_s = self.monotonic() + EXCHANGE_S

    async def tick_now(self) -> None:
        """Have a tick that begins after this call; those who ask meanwhile share one."""
        asked_at = self._ticks_begun
        async with self._tick_lock:
            if self._ticks_begun == asked_at:
                await self._tick(spacing_ms=0)

    async def look_again(self) -> None:
        """Have what was seen be no older than `GLANCE_S`."""
        if self.monotonic() - self._seen_s > GLANCE_S:
            await self.tick_now()

    def settings_at(self, version: int) -> Limits | None:
        """The live settings as they were at a version, if this process saw them then and remembers."""
        return self._versions.get(version)

    def count(self, counter: str) -> None:
        """Add one to a counter of the room; written with the next tick."""
        self._untold.count(counter)

    def shown(self, place: int, eta_ms: tuple[int, int], room: Snapshot | None = None) -> None:
        """An estimate goes to a visitor: it may be graded when the call comes to the place. room: it was made from."""
        self._grades.note(room or self.snapshot, place, eta_ms, lot=_lots.randrange(LOTS))

    def entitle(self, cohorts: str) -> Entitled | None:
        """What the eligibility calendar says of these cohorts; None without one."""
        return None if self.eligibility is None else self.eligibility.entitle(cohorts, self.snapshot)

    async def flush(self) -> None:
        """Write what was counted; before stopping. A store out of reach is not waited for."""
        try:
            if self.out_of_reach:
                raise StoreUnavailable("the store is out of reach")
            await self._untold.tell(self._store.store)
        except StoreError as error:
            _LOG.warning("the last counts were not written", extra={"room": self.name, "why": error})

    async def _look_at_waves(self) -> None:
        self._waves_looked_s = self.monotonic()
        await self.waves.look(self.snapshot)

    def _see(self, snapshot: Snapshot) -> None:
        # Answers may overtake one another; an older one must not undo what was seen.
        if self._snapshot is None or (snapshot.epoch, snapshot.tick) >= (self._snapshot.epoch, self._snapshot.tick):
            if self._snapshot is not None and snapshot.epoch != self._snapshot.epoch:
                # Spent by the people of another line: it says nothing of those to come.
                self._inside_ms = self._unwritten_ticks = 0
                self._living.forget_all()
            if self._snapshot is None or snapshot.tick != self._snapshot.tick:
                self.joined_ahead = 0
                self._versions.note(snapshot.limits)
            self._snapshot = snapshot
            self._untold.count_all(self._grades.grade(snapshot))
            self._seen_s = self.monotonic()
            self._skew_ms = self._wall() - snapshot.now_ms

    async def _measured_tick(self, due_s: float) -> None:
        begun_s = self.monotonic()
        try:
            await self._tick(spacing_ms=TICK_SPACING_MS)
        finally:
            self._meters.ticked(late_s=max(0.0, begun_s - due_s), took_s=self.monotonic() - begun_s)

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
