"""SQLite and PostgreSQL give the same answers to the same questions, whatever is asked in whatever order."""

import asyncio
import hashlib
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from booking import codes, schedule
from booking.errors import BookingError
from booking.model import BookingCard, Hold, WaitCard
from booking.store import BookingStore, database_at
from booking.store.tests.desk import (
    BIRTH,
    BUSAN,
    DAY,
    FIRST,
    GAON,
    HOLD_MS,
    HOUR_MS,
    NEXT_DAY,
    NOW_MS,
    NURI,
    SEOUL,
    Desk,
    claims,
    keys,
    party,
)
from shared.passes import PassClaims

# Few of each, so that they get into each other's way.
NAMES: Final = ("홍길동", "김순자", "이하늘", "Kim Minji", "Hong")
CODES: Final = 40
EMPTYING: Final = (
    "DELETE FROM bookings",
    "DELETE FROM holds",
    "DELETE FROM waitlist",
    "UPDATE slots SET taken = 0, capacity = 1",
)
# All there is, but numbers the databases give: they may leave gaps.
STATE: Final = (
    "SELECT id, taken FROM slots ORDER BY id",
    "SELECT id, code, slot_id, expires_ms, masked_name, booker_masked_name, pass_id FROM holds ORDER BY id",
    """SELECT code, hold_id, waitlist_id IS NULL, slot_id, created_ms, changed_ms, cancelled_ms, masked_name,
    booker_masked_name, booker_seat, pass_id, number, how FROM bookings ORDER BY code""",
    "SELECT code, centre_id, vaccine_id, masked_name, booker_masked_name, pass_id, joined_ms FROM waitlist ORDER BY id",
)
# Free seats that fit somebody who waits for themself. Nobody else could be passed over for good.
PASSED_OVER: Final = (
    "SELECT slots.id FROM slots JOIN waitlist ON waitlist.centre_id = slots.centre_id "
    "AND (waitlist.vaccine_id IS NULL OR waitlist.vaccine_id = slots.vaccine_id) "
    "WHERE waitlist.booker_key IS NULL AND slots.taken < slots.capacity AND slots.starts_ms >= {bookable} "
    "AND slots.starts_ms >= {day_start} AND slots.starts_ms < {day_end} AND waitlist.day = '{day}'"
)

people = st.sampled_from(NAMES)
bookers = st.sampled_from((None, None, *NAMES[:2]))
slots = st.sampled_from((FIRST, FIRST, 2, 3, 4, 5, 999))
births = st.sampled_from((BIRTH, BIRTH, BIRTH, BIRTH.replace(day=3)))
passes = st.integers(0, 5)


class Drawn:
    """Random bytes that both stores are given in one order; of codes there are so few that some are drawn twice."""

    def __init__(self) -> None:
        self._count = itertools.count()

    def __call__(self, length: int) -> bytes:
        drawn = hashlib.sha256(str(next(self._count)).encode()).digest()
        return bytes([drawn[0] % CODES] * length) if length == codes.LENGTH else drawn[:length]


class Alike(RuleBasedStateMachine):
    """What is done is done to both; what differs is a fault of one."""

    def __init__(self, runner: asyncio.Runner, desks: list[Desk]) -> None:
        super().__init__()
        self._runner = runner
        self._desks = desks
        self._now_ms = NOW_MS
        self._hold_ids = ["unknown"]
        self._codes = ["0000000000"]
        self._passes: dict[int, PassClaims] = {}

    @initialize()
    def begin(self) -> None:
        for each in self._desks:
            for statement in EMPTYING:
                self._runner.run(each.run(statement))
            each.store = BookingStore(each.database, secret=b"s" * 32, hold_ms=HOLD_MS, proxy_limit=2, random=Drawn())

    def ask(self, question: Callable[[BookingStore], Awaitable[Any]]) -> None:
        told = [self._runner.run(self._answer(question(each.store))) for each in self._desks]
        assert told[0] == told[1]
        match told[0]:
            case Hold(id=hold_id, code=code):
                self._hold_ids.append(hold_id)
                self._codes.append(code)
            case BookingCard(code=code) | WaitCard(code=code):
                self._codes.append(code)

    @staticmethod
    async def _answer(question: Awaitable[Any]) -> Any:
        try:
            return await question
        except BookingError as error:
            return type(error), str(error), getattr(error, "by_proxy", None)

    def by(self, which: int) -> PassClaims:
        """One pass in six is of those who never stood in the line."""
        if which not in self._passes:
            self._passes[which] = claims(**({"number": None, "place": None} if which == 0 else {}))
        return self._passes[which]

    def one_of(self, known: list[str], which: int) -> str:
        """Rather one of the latest."""
        return known[-1 - which % min(len(known), 6)]

    @rule(slot=slots, name=people, booker=bookers, which=passes)
    def hold(self, slot: int, name: str, booker: str | None, which: int) -> None:
        who = party(name, booker=booker if booker != name else None)
        self.ask(lambda store: store.hold(slot, who, self.by(which), now_ms=self._now_ms))

    @rule(slot=slots, name=people, booker=bookers)
    def book(self, slot: int, name: str, booker: str | None) -> None:
        who, by = party(name, booker=booker if booker != name else None), claims()

        async def both(store: BookingStore) -> BookingCard:
            held = await store.hold(slot, who, by, now_ms=self._now_ms)
            return await store.confirm(held.id, by, now_ms=self._now_ms)

        self.ask(both)

    @rule(hold=st.integers(0, 5), which=passes)
    def find_hold(self, hold: int, which: int) -> None:
        hold_id = self.one_of(self._hold_ids, hold)
        self.ask(lambda store: store.find_hold(hold_id, self.by(which), now_ms=self._now_ms))

    @rule(hold=st.integers(0, 5), which=passes)
    def drop(self, hold: int, which: int) -> None:
        hold_id = self.one_of(self._hold_ids, hold)
        self.ask(lambda store: store.drop_hold(hold_id, self.by(which), now_ms=self._now_ms))

    @rule(hold=st.integers(0, 5), which=passes)
    def confirm(self, hold: int, which: int) -> None:
        hold_id = self.one_of(self._hold_ids, hold)
        self.ask(lambda store: store.confirm(hold_id, self.by(which), now_ms=self._now_ms))

    @rule(code=st.integers(0, 5), birth=births)
    def find(self, code: int, birth: Any) -> None:
        chosen = self.one_of(self._codes, code)
        self.ask(lambda store: store.find(chosen, birth, now_ms=self._now_ms))

    @rule(code=st.integers(0, 5), birth=births)
    def cancel(self, code: int, birth: Any) -> None:
        chosen = self.one_of(self._codes, code)
        self.ask(lambda store: store.cancel(chosen, birth, now_ms=self._now_ms))

    @rule(code=st.integers(0, 5), birth=births, slot=slots)
    def change(self, code: int, birth: Any, slot: int) -> None:
        chosen = self.one_of(self._codes, code)
        self.ask(lambda store: store.change(chosen, birth, slot, now_ms=self._now_ms))

    @rule(
        centre=st.sampled_from((SEOUL, BUSAN, BUSAN)),
        day=st.sampled_from((DAY, DAY, NEXT_DAY)),
        vaccine=st.sampled_from((None, None, GAON, NURI)),
        name=people,
        booker=bookers,
        which=passes,
    )
    def join(self, centre: str, day: Any, vaccine: str | None, name: str, booker: str | None, which: int) -> None:
        who = party(name, booker=booker if booker != name else None)
        by = self.by(which)
        self.ask(lambda store: store.join_waitlist(centre, day, who, by, vaccine_id=vaccine, now_ms=self._now_ms))

    @rule(code=st.integers(0, 5), birth=births)
    def leave(self, code: int, birth: Any) -> None:
        chosen = self.one_of(self._codes, code)
        self.ask(lambda store: store.leave_waitlist(chosen, birth, now_ms=self._now_ms))

    @rule(name=people)
    def look(self, name: str) -> None:
        self.ask(lambda store: store.find_person(keys(name).key, now_ms=self._now_ms))
        self.ask(lambda store: store.export_person(keys(name).key))
        self.ask(lambda store: store.slots(now_ms=self._now_ms))
        self.ask(lambda store: store.stock(now_ms=self._now_ms))

    @rule(ahead_ms=st.sampled_from((1, HOLD_MS - 1, HOLD_MS, HOUR_MS, 6 * HOUR_MS)))
    def wait(self, ahead_ms: int) -> None:
        self._now_ms += ahead_ms

    @rule()
    def sweep(self) -> None:
        self.ask(lambda store: store.sweep(now_ms=self._now_ms))
        self.ask(lambda store: store.sweep(now_ms=self._now_ms))

    @rule(name=people)
    def erase(self, name: str) -> None:
        self.ask(lambda store: store.erase_person(keys(name).key, now_ms=self._now_ms))

    @rule(back_ms=st.sampled_from((0, HOUR_MS, 12 * HOUR_MS)), dry_run=st.booleans())
    def purge(self, back_ms: int, dry_run: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
        self.ask(lambda store: store.purge(before_ms=self._now_ms - back_ms, dry_run=dry_run))

    @invariant()
    def sound(self) -> None:
        for each in self._desks:
            assert self._runner.run(each.store.check()) == []

    @invariant()
    def same(self) -> None:
        for query in STATE:
            one, other = (self._runner.run(each.rows(query)) for each in self._desks)
            assert one == other

    @invariant()
    def nobody_is_passed_over(self) -> None:
        for day in (DAY, NEXT_DAY):
            start, end = schedule.day_bounds(day)
            bookable = schedule.bookable_from(self._now_ms)
            query = PASSED_OVER.format(bookable=bookable, day_start=start, day_end=end, day=day)
            for each in self._desks:
                assert self._runner.run(each.rows(query)) == []


@pytest.mark.slow
def test_both_databases_give_the_same_answers(server, tmp_path):
    urls = f"sqlite+aiosqlite:///{tmp_path}/booking.db", server.database()
    with asyncio.Runner() as runner:
        desks = [Desk(database_at(url), capacity=1) for url in urls]
        try:
            for each in desks:
                runner.run(each.open())
            run_state_machine_as_test(
                lambda: Alike(runner, desks),  # type: ignore[arg-type]
                settings=settings(
                    max_examples=8, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
                ),
            )
        finally:
            for each in desks:
                runner.run(each.close())
