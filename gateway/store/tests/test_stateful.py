"""Whatever is done to a room, in whatever order, the store and the obvious model agree.

The model is `line_model`. Plans are arbitrary but valid: not what a wise policy would do, all that a policy may.
"""

import asyncio
import os
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.room.model import AGE_BINS, USER_CREDIT, Limits
from gateway.store.base import Admitted, Claim, PassRef, QueueStore
from gateway.store.sqlite import SqliteStore
from gateway.store.tests.line_model import LineModel
from gateway.store.tests.plans import idle_plan

T = TypeVar("T")
FAR = 10**15

knocks = st.none() | st.integers(0, 12) | st.just(2**64 - 1)
places = st.integers(1, 12) | st.integers(-1, 40)
# Mostly the present epoch.
behind = st.sampled_from([0, 0, 0, 0, 0, 0, 0, 1])
tags = st.sampled_from("aaab")
QUIET: dict[str, Any] = {
    "which": 0,
    "elapsed_ms": 0,
    "standing": False,
    "admitting": True,
    "credit": 0,
    "cap": 20 * USER_CREDIT,
    "closes": 0,
    "call": 0,
    "grants": 0,
    "grant_expiry_ms": 10**9,
    "halve": False,
}


class SqliteMachine:
    """The store under test, as the machine wants it: opened, and opened again, on clocks that do what they like."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.wall_ms = 10**12
        self.mono_ms = 0

    def open(self) -> QueueStore:
        return SqliteStore(
            Path(self._folder.name) / "queue.db",
            first_epoch=1,
            wall_ms=lambda: self.wall_ms,
            mono_ms=lambda: self.mono_ms,
            boot_id="boot",
        )

    def pass_time(self, elapsed_ms: int, jump_ms: int) -> None:
        self.mono_ms += elapsed_ms
        self.wall_ms += elapsed_ms + jump_ms

    def close(self) -> None:
        self._folder.cleanup()


class StoreMachine(RuleBasedStateMachine):
    # Another backend's machine is this one with another way to open it.
    backend_type: ClassVar[type[SqliteMachine]] = SqliteMachine

    @initialize(ceiling=st.integers(1, 6), idle_ms=st.integers(1, 50), session_ms=st.integers(1, 200))
    def begin(self, ceiling: int, idle_ms: int, session_ms: int) -> None:
        self.runner = asyncio.Runner()
        self.backend = self.backend_type()
        self.limits = Limits(total_active_users=ceiling, idle_limit_ms=idle_ms, session_length_ms=session_ms)
        self.stores = [self.backend.open(), self.backend.open()]
        self.model = LineModel(self.limits)
        self.passes_of: dict[tuple[int, int], str] = {}
        self.numbers: set[tuple[int, int]] = set()
        self.last_now_ms = [0, 0]
        self.last_live = self.last_taken = 0
        for store in self.stores:
            self.run(store.open_room("hall", self.limits))
        self.join(which=0, asked=[None] * 12)
        self.tick(**{**QUIET, "credit": 20 * USER_CREDIT, "call": 9})

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @rule(which=st.integers(0, 1), asked=st.lists(knocks, max_size=6))
    def join(self, which: int, asked: list[int | None]) -> None:
        before = len(self.model.people)
        numbers = self.run(self.stores[which].join("hall", asked, expires_ms=FAR))
        assert list(numbers) == [self.model.join(knock) for knock in asked]
        for number in {number for number in numbers if number > before}:
            assert (self.model.epoch, number) not in self.numbers
            self.numbers.add((self.model.epoch, number))

    @rule(
        which=st.integers(0, 1),
        asked=st.lists(st.tuples(behind, places, tags, st.booleans()), min_size=1, max_size=8),
    )
    def claim(self, which: int, asked: list[tuple[int, int, str, bool]]) -> None:
        claims = [Claim(self.model.epoch - late, place, f"{tag}{place}", direct) for late, place, tag, direct in asked]
        answers = self.run(self.stores[which].claim("hall", claims))
        for claim, answer in zip(claims, answers, strict=True):
            expected = self.model.claim(claim)
            if not isinstance(answer, Admitted):
                assert type(answer) is expected
                continue
            grant = answer.grant
            told = (Admitted, grant.pass_id, answer.fresh, grant.how, grant.expires_ms, grant.ends_ms)
            assert told == expected
            assert grant.lives_ms == grant.expires_ms - self.model.pass_clock_ms
            # One pass per place, ever.
            assert self.passes_of.setdefault((claim.epoch, claim.place), grant.pass_id) == grant.pass_id

    @rule(which=st.integers(0, 1), data=st.data())
    def claim_what_was_called(self, which: int, data: st.DataObject) -> None:
        fresh = [
            place for place, person in self.model.people.items() if place <= self.model.serving and not person.done
        ]
        called = st.sampled_from(fresh or [1])
        asked = data.draw(st.lists(st.tuples(st.just(0), called, tags, st.booleans()), min_size=1, max_size=8))
        self.claim(which=which, asked=asked)

    @rule(which=st.integers(0, 1), data=st.data(), much=st.booleans())
    def let_in_from_the_door(self, *, which: int, data: st.DataObject, much: bool) -> None:
        """What it is all for: a seat comes free, is kept for the lowest at the door, who comes for it or does not."""
        self.end_what_lives(which=which, data=data)
        self.tick(**{**QUIET, "which": which, "credit": (8 if much else 1) * USER_CREDIT, "grants": 2})
        door = [person.place for person in self.model.people.values() if person.at_door] or [1]
        asked = data.draw(st.lists(st.sampled_from(door), max_size=3))
        self.claim(which=which, asked=[(0, place, "a", False) for place in asked])

    @rule(which=st.integers(0, 1), data=st.data())
    def end_what_lives(self, *, which: int, data: st.DataObject) -> None:
        inside = [(person.place, person.pass_id or "") for person in self.model.inside()] or [(1, "a1")]
        ended = data.draw(st.lists(st.sampled_from(inside), min_size=1, max_size=3))
        refs = [PassRef(self.model.epoch, place, pass_id) for place, pass_id in ended]
        answers = self.run(self.stores[which].complete("hall", refs, reason="completed"))
        assert list(answers) == [self.model.complete(ref, "completed") for ref in refs]

    @rule(which=st.integers(0, 1), asked=st.lists(st.tuples(behind, places, tags), min_size=1, max_size=6))
    def look(self, which: int, asked: list[tuple[int, int, str]]) -> None:
        refs = [PassRef(self.model.epoch - late, place, f"{tag}{place}") for late, place, tag in asked]
        for ref, grant in zip(refs, self.run(self.stores[which].look("hall", refs)), strict=True):
            person = self.model.holder(ref)
            assert (grant and grant.expires_ms) == (person and person.expires_ms)

    @rule(which=st.integers(0, 1), asked=st.lists(st.tuples(behind, places, tags), min_size=1, max_size=6))
    def renew(self, which: int, asked: list[tuple[int, int, str]]) -> None:
        refs = [PassRef(self.model.epoch - late, place, f"{tag}{place}") for late, place, tag in asked]
        for ref, grant in zip(refs, self.run(self.stores[which].renew("hall", refs)), strict=True):
            person = self.model.holder(ref)
            assert (grant is None) == (person is None)
            if grant is not None and person is not None:
                assert grant.expires_ms in self.model.renewed_to(person)
                person.expires_ms = grant.expires_ms

    @rule(
        which=st.integers(0, 1),
        asked=st.lists(st.tuples(behind, places, tags), min_size=1, max_size=6),
        reason=st.sampled_from(["completed", "revoked", "left"]),
    )
    def complete(self, which: int, asked: list[tuple[int, int, str]], reason: str) -> None:
        refs = [PassRef(self.model.epoch - late, place, f"{tag}{place}") for late, place, tag in asked]
        answers = self.run(self.stores[which].complete("hall", refs, reason=reason))
        assert list(answers) == [self.model.complete(ref, reason) for ref in refs]

    @rule(which=st.integers(0, 1), asked=st.lists(st.tuples(behind, places), min_size=1, max_size=4))
    def leave(self, which: int, asked: list[tuple[int, int]]) -> None:
        given_up = [(self.model.epoch - late, place) for late, place in asked]
        answers = self.run(self.stores[which].leave("hall", given_up))
        assert list(answers) == [self.model.leave(*one) for one in given_up]

    @rule(
        which=st.integers(0, 1),
        elapsed_ms=st.integers(0, 30) | st.just(1) | st.integers(0, 3_000),
        standing=st.booleans(),
        admitting=st.sampled_from([True, True, True, False]),
        credit=st.integers(0, 8 * USER_CREDIT),
        cap=st.integers(USER_CREDIT, 10 * USER_CREDIT),
        closes=st.integers(0, 3),
        call=st.integers(0, 12),
        grants=st.integers(0, 4),
        grant_expiry_ms=st.integers(0, 2) | st.integers(0, 2_000),
        halve=st.booleans(),
    )
    def tick(
        self,
        *,
        which: int,
        elapsed_ms: int,
        standing: bool,
        admitting: bool,
        credit: int,
        cap: int,
        closes: int,
        call: int,
        grants: int,
        grant_expiry_ms: int,
        halve: bool,
    ) -> None:
        before = self.run(self.stores[which].load("hall"))
        watermark = max([before.watermark, *(call.last for call in before.calls[:closes])])
        plan = idle_plan(
            before,
            pass_clock_ms=before.pass_clock_ms + elapsed_ms,
            call_clock_ms=before.call_clock_ms + (0 if standing else elapsed_ms),
            admitting=admitting,
            credit_add=credit,
            credit_cap=cap,
            watermark=watermark,
            serve_to=before.serving + call,
            grants=grants,
            grant_expiry_ms=grant_expiry_ms,
            at_risk_add=tuple(range(AGE_BINS)),
            halve_curve=halve,
        )
        done, after = self.run(self.stores[which].commit("hall", plan, before.tick))
        assert done
        assert after.tick == before.tick + 1
        self.model.commit(plan)
        self.model.check(after)
        # The other process planned on the same state, and is too late.
        done, seen = self.run(self.stores[1 - which].commit("hall", plan, before.tick))
        assert not done
        assert replace(seen, now_ms=after.now_ms) == after

    @rule(which=st.integers(0, 1), mode=st.sampled_from(["paused", "open"]), more=st.integers(-3, 3))
    def set(self, which: int, mode: str, more: int) -> None:
        patch = {"mode": mode, "total_active_users": max(0, self.model.limits.total_active_users + more)}
        after = self.run(self.stores[which].update_settings("hall", patch, expected_version=None))
        assert after.limits.version == self.model.limits.version + 1
        self.model.limits = after.limits
        self.model.admitting = False

    @rule(which=st.integers(0, 1), dice=st.integers(0, 9))
    def reset(self, which: int, dice: int) -> None:
        # Now and then: most bugs need a past.
        if dice == 0:
            self.run(self.stores[which].reset("hall", expected_version=self.model.limits.version))
            self.model.reset()

    @rule(which=st.integers(0, 1), dice=st.integers(0, 4))
    def reopen(self, which: int, dice: int) -> None:
        if dice:
            return
        self.run(self.stores[which].close())
        self.stores[which] = self.backend.open()
        self.last_now_ms[which] = 0
        after = self.run(self.stores[which].open_room("hall", self.limits))
        assert after.limits == self.model.limits

    @rule(elapsed_ms=st.integers(0, 10_000), jump_ms=st.integers(-20_000, 20_000))
    def pass_time(self, elapsed_ms: int, jump_ms: int) -> None:
        self.backend.pass_time(elapsed_ms, jump_ms)

    @invariant()
    def agree(self) -> None:
        for which, store in enumerate(self.stores):
            seen = self.run(store.load("hall"))
            self.model.check(seen)
            # A lowered ceiling sends nobody out, and lets nobody in.
            ceiling = self.model.limits.total_active_users
            assert seen.live <= max(ceiling, self.last_live)
            assert seen.live + seen.lane_granted <= max(ceiling, self.last_taken)
            assert seen.now_ms >= max(self.last_now_ms[which], seen.last_tick_ms)
            self.last_now_ms[which] = seen.now_ms
        self.last_live, self.last_taken = seen.live, seen.live + seen.lane_granted

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            for store in self.stores:
                self.run(store.close())
            self.runner.close()
            self.backend.close()


TestSqlite = StoreMachine.TestCase
TestSqlite.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    database=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
