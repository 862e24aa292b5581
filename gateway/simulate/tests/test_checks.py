"""Every check of an evening can fail: a store that breaks the promise is found out, by that check, and the run ends."""

from dataclasses import replace

import pytest

from gateway.room.model import Call, PassGrant, Snapshot
from gateway.room.tests.test_policy import room
from gateway.simulate.checks import CHECKS, Books, Broken, Checks, Kept
from gateway.simulate.tests.small import SMALL, Lying, lying, small
from gateway.store.base import Admitted, Spent
from shared.wire import How

NOBODY = Books(0, 0, 0, 0, 0)
MINUTE = 60_000


class GivesANumberTwice(Lying):
    check = "numbers"

    async def join(self, *args, **more):
        numbers = list(await self.real.join(*args, **more))
        return [*numbers[:-1], numbers[0]] if len(numbers) > 1 else numbers


class ForgetsKnocks(Lying):
    check = "numbers"

    async def join(self, name, knocks, **more):
        return await self.real.join(name, [None] * len(knocks), **more)


class GoesBack(Lying):
    """Now and then it shows the line as it was."""

    check = "serving"
    asked = 0

    async def load(self, name):
        found = await self.real.load(name)
        self.asked += found.serving > 100
        return replace(found, serving=50, watermark=0) if self.asked % 3 == 1 else found


class Overfills(Lying):
    check = "ceiling"

    async def load(self, name):
        found = await self.real.load(name)
        return replace(found, live=found.in_force.total_active_users + 1) if found.live > 100 else found


class LetsInTooMany(Lying):
    check = "outflow"

    async def commit(self, name, plan, tick):
        much = {field: getattr(plan, field) * 50 for field in ("credit_add", "credit_cap")}
        return await self.real.commit(name, replace(plan, **much), tick)


class OpensEarly(Lying):
    check = "opening"

    async def commit(self, name, plan, tick):
        return await self.real.commit(name, replace(plan, admitting=True, serve_to=10), tick)


class TurnsAway(Lying):
    check = "order"

    async def claim(self, name, claims):
        answers = await self.real.claim(name, claims)
        return [Spent() if isinstance(each, Admitted) else each for each in answers]


class PassesOver(Lying):
    check = "order"

    async def commit(self, name, plan, tick):
        done, after = await self.real.commit(name, plan, tick)
        return done, replace(after, calls=after.calls[:1] + after.calls[2:])


class CountsEveryTick(Lying):
    check = "ticks"

    async def commit(self, name, plan, tick):
        return True, (await self.real.commit(name, plan, tick))[1]


class KeepsNoAccount(Lying):
    check = "books"

    async def leave(self, _name, places):
        return [True] * len(places)


class MiscountsAdmissions(Lying):
    check = "books"

    async def load(self, name):
        found = await self.real.load(name)
        counted = dict(found.counters)
        if "admitted" in counted:
            counted["admitted"] -= 1
        return replace(found, counters=counted)


class LosesASeat(Lying):
    """A visit is over, and its pass lives on: found by the books, or by somebody who copied it."""

    check = "books cheats"

    async def complete(self, name, passes, *, reason):
        return [*await self.real.complete(name, passes[1:], reason=reason), True]


class LetsTimeRunOn(Lying):
    """The opening is moved, but nobody says that everyone waits for it."""

    check = "kept"

    async def update_settings(self, name, patch, **more):
        return await self.real.update_settings(name, {**patch, "postponed_to_ms": None}, **more)


class BelievesCheats(Lying):
    check = "cheats"

    async def claim(self, name, claims):
        grant = PassGrant("stolen", 1, How.LINE, 1, 1, 1)
        return [
            Admitted(grant, fresh=True) if claim.pass_id in {"early", "copied"} else answer
            for claim, answer in zip(claims, await self.real.claim(name, claims), strict=True)
        ]


class KeepsOldPasses(Lying):
    check = "cheats"

    async def look(self, _name, passes):
        return [PassGrant(ref.pass_id, ref.place, How.LINE, 1, 1, 1) for ref in passes]


LIARS = (
    GivesANumberTwice, ForgetsKnocks, GoesBack, Overfills, LetsInTooMany, OpensEarly, TurnsAway, PassesOver,
    CountsEveryTick, KeepsNoAccount, MiscountsAdmissions, LosesASeat, LetsTimeRunOn, BelievesCheats, KeepsOldPasses,
)  # fmt: skip


@pytest.mark.parametrize("liar", LIARS, ids=lambda liar: liar.__name__)
def test_a_store_that_breaks_a_promise_is_found_out_by_the_check_of_it(liar):
    broken = small(wrap=lying(liar)).broken
    assert broken is not None
    assert broken["check"] in liar.check.split()
    assert 0 < broken["at_ms"] <= SMALL.ends_ms
    assert broken["told"]


def checks(**state) -> tuple[Checks, Snapshot]:
    return Checks(1_000), replace(room(), **state)


def test_a_second_pass_of_a_place_is_found():
    found, state = checks(serving=10, tail=10, admitting=True)
    found.admitted([3, 4], state, moves=True)
    with pytest.raises(Broken, match="place 3 has a second pass") as broken:
        found.admitted([3], state, moves=True)
    assert broken.value.check == "once"


def test_somebody_in_who_was_not_called_is_found():
    found, state = checks(serving=10, tail=20, admitting=True)
    with pytest.raises(Broken) as broken:
        found.admitted([11], state, moves=True)
    assert broken.value.check == "called"


def test_somebody_in_while_nothing_moves_is_found():
    found, state = checks(serving=10, tail=20, admitting=True)
    with pytest.raises(Broken) as broken:
        found.admitted([1], state, moves=False)
    assert broken.value.check == "opening"


def test_more_in_a_step_than_the_outflow_allows_are_found():
    found, state = checks(serving=500, tail=900, admitting=True, counters={"admitted": 0})
    found.looked(state, replace(NOBODY, tail=900), moves=True)
    found.admitted(range(1, 400), state, moves=True)
    later = replace(state, last_tick_ms=state.last_tick_ms + 1_000, live=0)
    with pytest.raises(Broken) as broken:
        found.looked(later, replace(NOBODY, tail=900), moves=True)
    assert broken.value.check == "outflow"


def test_a_pass_with_less_time_left_after_a_postponement_is_found():
    found, _ = checks()
    grant = PassGrant("p", 1, How.LINE, 10, 20, 10)
    found.stopped(Kept(5, 0, 100, 1, (grant,)))
    found.resumed(Kept(5, 0, 100, 1, (grant._replace(lives_ms=11),)))
    for now in (Kept(5, 0, 100, 1, (grant._replace(lives_ms=9),)), Kept(5, 0, 100, 1, (None,)), Kept(6, 0, 100, 1, ())):
        with pytest.raises(Broken) as broken:
            found.resumed(now)
        assert broken.value.check == "kept"


def test_a_gap_between_two_calls_is_found():
    found, state = checks(tick=5)
    after = replace(state, tick=6, serving=30, tail=40, calls=(Call(1, 10, 0, 0), Call(12, 30, 0, 0)))
    with pytest.raises(Broken) as broken:
        found.ticked(state, after, 1)
    assert broken.value.check == "order"


def test_every_check_has_a_fault_that_it_finds():
    by_liars = {check for liar in LIARS for check in liar.check.split()}
    assert by_liars | {"once", "called"} == set(CHECKS)
