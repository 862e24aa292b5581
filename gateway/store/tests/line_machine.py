"""Whatever is done to a room, in whatever order, every store and the obvious model agree.

The model is `line_model`. Plans are arbitrary but valid: not what a wise policy would do, all that a policy may.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from gateway.room.model import AGE_BINS, USER_CREDIT, Append, Mode, Trial
from gateway.store.base import Admitted, Claim, PassRef, QueueStore, Served, StaleEpoch
from gateway.store.tests.all_alike import AllAlike, bare
from gateway.store.tests.plans import idle_plan
from gateway.store.tests.sides import ROOM

FAR: Final = 10**15

handles = st.integers(0, 1)
knocks = st.none() | st.integers(0, 12) | st.just(2**64 - 1)
places = st.integers(1, 12) | st.integers(-1, 40)
# Mostly the present epoch.
behind = st.sampled_from([0, 0, 0, 0, 0, 0, 0, 1])
tags = st.sampled_from("aaab")
refs = st.lists(st.tuples(behind, places, tags), min_size=1, max_size=6)
claims = st.tuples(behind, places, tags, st.booleans())
waves = st.builds(Append, st.sampled_from("ab"), st.integers(1, 5), st.sampled_from(["", "5e"]))
QUIET: Final[dict[str, Any]] = {
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
    "wave": None,
}


class LineMachine(AllAlike):
    def crowd(self) -> None:
        self.join(which=0, late=0, asked=[None] * 12)
        self.tick(**{**QUIET, "credit": 20 * USER_CREDIT, "call": 9})

    @rule(which=handles, late=behind, asked=st.lists(knocks, max_size=6))
    def join(self, which: int, late: int, asked: list[int | None]) -> None:
        epoch = self.model.epoch - late

        async def join(store: QueueStore) -> list[int] | None:
            try:
                return list(await store.join(ROOM, asked, expires_ms=FAR, epoch=epoch))
            except StaleEpoch:
                return None

        if late:
            assert self.ask(which, join)[0] is None
            return
        before = len(self.model.people) + (sum(knock is None for knock in asked) if self.losing else 0)
        numbers, expected = self.ask(which, join, lambda: [self.model.join(knock) for knock in asked])
        assert numbers == expected
        for number in {number for number in expected if number > before}:
            assert (epoch, number) not in self.numbers
            self.numbers.add((epoch, number))

    @rule(which=handles, late=behind, more=st.integers(-2, 3))
    def acknowledge(self, which: int, late: int, more: int) -> None:
        epoch, number = self.model.epoch - late, max(0, len(self.model.people) + more)
        self.ask(
            which,
            lambda store: store.acknowledge(ROOM, epoch, number),
            lambda: self.model.acknowledge(epoch, number),
        )

    @rule(which=handles, asked=st.lists(claims, min_size=1, max_size=8))
    def claim(self, which: int, asked: list[tuple[int, int, str, bool]]) -> None:
        made = [Claim(self.model.epoch - late, place, f"{tag}{place}", direct) for late, place, tag, direct in asked]
        answers, expected = self.ask(
            which, lambda store: store.claim(ROOM, made), lambda: [self.model.claim(claim) for claim in made]
        )
        for claim, answer, wanted in zip(made, answers, expected, strict=True):
            if not isinstance(answer, Admitted):
                assert type(answer) is wanted
                continue
            grant = answer.grant
            told = (Admitted, grant.pass_id, answer.fresh, grant.how, grant.expires_ms, grant.ends_ms)
            assert told == wanted
            assert grant.lives_ms == grant.expires_ms - self.model.pass_clock_ms
            # One pass per place, ever.
            assert self.passes_of.setdefault((claim.epoch, claim.place), grant.pass_id) == grant.pass_id

    @rule(which=handles, data=st.data())
    def claim_what_was_called(self, which: int, data: st.DataObject) -> None:
        called = st.tuples(st.just(0), st.sampled_from(self.awaited() or [1]), tags, st.booleans())
        self.claim(which=which, asked=data.draw(st.lists(called, min_size=1, max_size=8)))

    @rule(which=handles, data=st.data())
    def come_late(self, which: int, data: st.DataObject) -> None:
        self.tick(**{**QUIET, "which": which, "closes": 1, "credit": 8 * USER_CREDIT})
        late = [place for place in self.awaited() if place <= self.model.watermark] or [1]
        asked = data.draw(st.lists(st.sampled_from([late[-1], *late]), min_size=1, max_size=3))
        self.claim(which=which, asked=[(0, place, "a", False) for place in asked])

    @rule(which=handles, data=st.data(), much=st.booleans())
    def let_in_from_the_door(self, *, which: int, data: st.DataObject, much: bool) -> None:
        """What it is all for: a seat comes free, is kept for the lowest at the door, who comes for it or does not."""
        self.end_what_lives(which=which, data=data)
        self.tick(**{**QUIET, "which": which, "credit": (8 if much else 1) * USER_CREDIT, "grants": 2})
        coming = [person.place for person in self.model.people.values() if person.at_door] + self.awaited()[:2]
        asked = data.draw(st.lists(st.sampled_from(coming or [1]), max_size=4))
        self.claim(which=which, asked=[(0, place, "a", False) for place in asked])

    def awaited(self) -> list[int]:
        """Places called and not used."""
        people = self.model.people.items()
        return [place for place, person in people if place <= self.model.serving and not person.done]

    @rule(which=handles, data=st.data())
    def end_what_lives(self, *, which: int, data: st.DataObject) -> None:
        inside = [(person.place, person.pass_id or "") for person in self.model.inside()] or [(1, "a1")]
        ended = data.draw(st.lists(st.sampled_from(inside), min_size=1, max_size=3))
        self.end(which, [PassRef(self.model.epoch, place, pass_id) for place, pass_id in ended], "completed")

    @rule(which=handles, asked=refs, reason=st.sampled_from(["completed", "revoked", "left"]))
    def complete(self, which: int, asked: list[tuple[int, int, str]], reason: str) -> None:
        self.end(which, self.named(asked), reason)

    def end(self, which: int, passes: Sequence[PassRef], reason: str) -> None:
        answers, expected = self.ask(
            which,
            lambda store: store.complete(ROOM, passes, reason=reason),
            lambda: [self.model.complete(ref, reason) for ref in passes],
        )
        assert list(answers) == expected

    def named(self, asked: Sequence[tuple[int, int, str]]) -> list[PassRef]:
        return [PassRef(self.model.epoch - late, place, f"{tag}{place}") for late, place, tag in asked]

    @rule(which=handles, asked=refs)
    def look(self, which: int, asked: list[tuple[int, int, str]]) -> None:
        passes = self.named(asked)
        for ref, grant in zip(passes, self.ask(which, lambda store: store.look(ROOM, passes))[0], strict=True):
            person = self.model.holder(ref)
            assert (grant and grant.expires_ms) == (person and person.expires_ms)

    @rule(which=handles, asked=st.lists(st.tuples(behind, places), min_size=1, max_size=4))
    def where(self, which: int, asked: list[tuple[int, int]]) -> None:
        wanted = [(self.model.epoch - late, place) for late, place in asked]
        found, expected = self.ask(
            which, lambda store: store.where(ROOM, wanted), lambda: [self.model.where(*one) for one in wanted]
        )
        for one, person in zip(found, expected, strict=True):
            assert (one is None) == (person is None)
            if one is not None and person is not None:
                assert (one.spent, one.at_door) == (person.done, person.at_door)
                assert (one.seat_kept, one.grant is not None) == (person.seat_kept_at_ms is not None, person.inside)

    @rule(which=handles, asked=refs, data=st.data())
    def serve(self, which: int, asked: list[tuple[int, int, str]], data: st.DataObject) -> None:
        """Mostly passes that live, some of them more than once, answered and failed."""
        inside = [(person.place, person.pass_id or "") for person in self.model.inside()]
        living = data.draw(st.lists(st.sampled_from(inside), max_size=6)) if inside else []
        passes = [*self.named(asked), *(PassRef(self.model.epoch, *each) for each in living)]
        served = [Served(ref, data.draw(st.booleans())) for ref in passes]

        def told(one: Served) -> tuple[int, int, int, bool] | None:
            person = self.model.serve(one.ref, works=one.works)
            if person is None:
                return None
            return person.expires_ms, person.ends_ms, person.trial_until_ms, person.failed

        answers, wanted = self.ask(which, lambda store: store.serve(ROOM, served), lambda: [*map(told, served)])
        for grant, expected in zip(answers, wanted, strict=True):
            trial = (grant and grant.trial) or Trial(0)
            assert (grant and (grant.expires_ms, grant.ends_ms, trial.until_ms, trial.failed)) == expected

    @rule(which=handles, asked=refs)
    def renew(self, which: int, asked: list[tuple[int, int, str]]) -> None:
        self.keep(which, self.named(asked))

    @rule(which=handles, more=st.integers(-1, 1))
    def keep_alive(self, which: int, more: int) -> None:
        """At about the moment from which a renewal has to be written down."""
        tenth = -(-self.limits.idle_limit_ms // 10)
        self.tick(**{**QUIET, "which": which, "elapsed_ms": max(0, tenth + more)})
        passes = [PassRef(self.model.epoch, person.place, person.pass_id or "") for person in self.model.inside()]
        self.keep(which, passes)

    def keep(self, which: int, passes: Sequence[PassRef]) -> None:
        for ref, grant in zip(passes, self.ask(which, lambda store: store.renew(ROOM, passes))[0], strict=True):
            person = self.model.holder(ref)
            assert (grant is None) == (person is None)
            if grant is not None and person is not None:
                assert grant.expires_ms in self.model.renewed_to(person)
                person.expires_ms = grant.expires_ms

    @rule(which=handles, asked=st.lists(st.tuples(behind, places), min_size=1, max_size=4))
    def leave(self, which: int, asked: list[tuple[int, int]]) -> None:
        given_up = [(self.model.epoch - late, place) for late, place in asked]
        answers, expected = self.ask(
            which, lambda store: store.leave(ROOM, given_up), lambda: [self.model.leave(*one) for one in given_up]
        )
        assert list(answers) == expected

    @rule(which=handles, name=st.sampled_from(["forged", "knocked"]), number=st.integers(0, 3))
    def count(self, which: int, name: str, number: int) -> None:
        self.ask(which, lambda store: store.count(ROOM, {name: number}), lambda: self.model.add(name, number))

    @rule(
        which=handles,
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
        wave=st.none() | waves,
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
        wave: Append | None,
    ) -> None:
        found = {store: self.run(store.load(ROOM)) for store in self.processes[which]}
        before = next(iter(found.values()))
        changes: dict[str, Any] = {
            "pass_clock_ms": before.pass_clock_ms + elapsed_ms,
            "call_clock_ms": before.call_clock_ms + (0 if standing else elapsed_ms),
            "admitting": admitting,
            "credit_add": credit,
            "credit_cap": cap,
            "watermark": max([before.watermark, *(call.last for call in before.calls[:closes])]),
            "serve_to": before.serving + call,
            "grants": grants,
            "grant_expiry_ms": grant_expiry_ms,
            "at_risk_add": tuple(range(AGE_BINS)),
            "halve_curve": halve,
            "append": wave,
        }
        # Each by its own clock.
        plans = {store: idle_plan(seen, **changes) for store, seen in found.items()}
        lost = self.losing
        (done, after), _ = self.ask(which, lambda store: store.commit(ROOM, plans[store], found[store].tick))
        # Whose answer was lost finds that somebody was faster: it was itself.
        assert done is not lost
        assert after.tick == before.tick + 1
        self.model.commit(plans[self.processes[which][0]])
        self.model.check(after)
        # The other process planned on the same state, and is too late.
        late = dict(zip(self.processes[1 - which], plans, strict=True))
        (done, seen), _ = self.ask(
            1 - which, lambda store: store.commit(ROOM, plans[late[store]], found[late[store]].tick)
        )
        assert not done
        assert bare(seen) == bare(after)

    @rule(which=handles, mode=st.sampled_from(["paused", "open"]), more=st.integers(-3, 3))
    def set(self, which: int, mode: str, more: int) -> None:
        ceiling = max(0, self.model.limits.total_active_users + more)
        patch = {"mode": mode, "total_active_users": ceiling}

        def expected() -> None:
            before = self.model.limits
            version = before.version + 1
            since = before.mode_since if before.mode == mode else version
            self.model.limits = replace(
                before, mode=Mode(mode), total_active_users=ceiling, version=version, mode_since=since
            )
            self.model.admitting = False

        after, _ = self.ask(which, lambda store: store.update_settings(ROOM, patch, expected_version=None), expected)
        assert after.limits == self.model.limits

    @rule(which=handles, dice=st.integers(0, 9))
    def reset(self, which: int, dice: int) -> None:
        # Now and then: most bugs need a past.
        if dice == 0:
            version = self.model.limits.version
            self.ask(which, lambda store: store.reset(ROOM, expected_version=version), self.model.reset)

    @rule(which=handles, dice=st.integers(0, 4))
    def reopen(self, which: int, dice: int) -> None:
        if dice == 0:
            for store in self.processes[which]:
                self.run(store.close())
                self.last_now_ms.pop(store, None)
            self.processes[which] = self.open()

    @rule(
        elapsed_ms=st.integers(0, 10_000), jump_ms=st.integers(-20_000, 20_000) | st.sampled_from([-600_000, 600_000])
    )
    def pass_time(self, elapsed_ms: int, jump_ms: int) -> None:
        self.clocks.pass_time(elapsed_ms, jump_ms)

    @rule()
    def lose_the_next_answer(self) -> None:
        self.losing = True

    @rule(dice=st.integers(0, 9))
    def harm(self, dice: int) -> None:
        # A server that is killed takes a tenth of a second.
        if dice <= 1:
            self.everywhere("change_server")
            self.model.credit = self.model.entry_credit = 0
            self.model.admitting = False
            self.model.add("store_repairs")
        elif dice == 2:
            self.everywhere("cut")
        elif dice == 3:
            self.everywhere("forget_scripts")
