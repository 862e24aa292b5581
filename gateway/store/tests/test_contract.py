"""The promises of `QueueStore`, kept by every backend (`conftest.BACKENDS`). Time passes only in plans."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.room.allow import Allowed
from gateway.room.approval import Approval
from gateway.room.grading import share_within
from gateway.room.model import (
    AGE_BINS,
    LOOKAHEAD_PLACES,
    USER_CREDIT,
    Append,
    Block,
    Call,
    Limits,
    Mode,
    PassGrant,
    QueueingMethod,
    Snapshot,
    Trial,
)
from gateway.room.policy import burst, plan_tick
from gateway.room.presence import GAP_MS, INTERVAL_MS, MOST_SAMPLED, Cell, Sightings, merged
from gateway.room.schedule import Change, Window
from gateway.room.stay import GUESS_PART, stay_ms
from gateway.room.stock import Stock
from gateway.store.base import (
    Admitted,
    AtDoor,
    Claim,
    ClaimAnswer,
    Held,
    NotCalled,
    PassRef,
    QueueStore,
    Served,
    Spent,
    StaleEpoch,
    StoreError,
    UnknownRoom,
    VersionConflict,
)
from gateway.store.tests.conftest import StoreFactory
from gateway.store.tests.plans import PLENTY, idle_plan, opening_plan
from shared.wire import How

LIMITS = Limits(total_active_users=10, session_length_ms=100_000, idle_limit_ms=20_000)
FAR = 10**15


async def opened(store: QueueStore, people: int = 0, limits: Limits = LIMITS, room: str = "hall") -> Snapshot:
    """A room with `people` in its line, nobody called."""
    await store.open_room(room, limits)
    if people:
        await store.join(room, [None] * people, expires_ms=FAR)
    return await store.load(room)


async def tick(store: QueueStore, room: str = "hall", **changes: Any) -> Snapshot:
    snapshot = await store.load(room)
    done, after = await store.commit(room, idle_plan(snapshot, **changes), snapshot.tick)
    assert done
    return after


async def all_called(store: QueueStore, people: int, limits: Limits = LIMITS) -> Snapshot:
    snapshot = await opened(store, people, limits)
    done, after = await store.commit("hall", opening_plan(snapshot), snapshot.tick)
    assert done
    return after


async def claim(store: QueueStore, *places: int, epoch: int = 1, tag: str = "") -> list[ClaimAnswer]:
    return list(await store.claim("hall", [Claim(epoch, place, f"pass{tag}-{place}") for place in places]))


def ref(place: int, epoch: int = 1) -> PassRef:
    return PassRef(epoch, place, f"pass-{place}")


# --- open_room, load ---


async def test_a_new_room_begins_with_epoch_1_and_nothing_issued(store):
    snapshot = await opened(store)
    assert (snapshot.epoch, snapshot.tail, snapshot.serving, snapshot.live, snapshot.admitting) == (1, 0, 0, 0, False)
    assert snapshot.limits == LIMITS
    assert snapshot.last_tick_ms <= snapshot.now_ms


async def test_a_room_that_was_never_opened_is_unknown(store):
    await opened(store)
    for call in (
        store.load("other"),
        store.join("other", [None], expires_ms=FAR),
        store.claim("other", [Claim(1, 1, "x")]),
        store.renew("other", [ref(1)]),
        store.look("other", [ref(1)]),
        store.where("other", [(1, 1)]),
        store.find_pass("other", "x"),
        store.serve("other", [Served(ref(1), works=True)]),
        store.complete("other", [ref(1)], reason="completed"),
        store.leave("other", [(1, 1)]),
        store.count("other", {"x": 1}),
        store.observe("other", sighting(), None),
        store.update_settings("other", {}, expected_version=None),
        store.reset("other", expected_version=None),
    ):
        with pytest.raises(UnknownRoom):
            await call


async def test_opening_again_changes_nothing_when_the_file_has_not_changed(store):
    await opened(store, 3)
    live = await store.update_settings("hall", {"mode": Mode.PAUSED}, expected_version=None)
    again = await store.open_room("hall", replace(LIMITS, version=99))
    assert again.limits == live.limits
    assert (again.tick, again.tail) == (live.tick, 3)


async def test_opening_again_takes_only_the_fields_that_changed_in_the_file(store):
    await opened(store)
    await store.update_settings(
        "hall", {"total_active_users": 77, "new_users_per_minute": 5, "mode": "paused"}, expected_version=None
    )
    after = await store.open_room("hall", replace(LIMITS, total_active_users=20, claim_window_ms=1))
    assert after.limits == replace(
        LIMITS,
        total_active_users=20,
        claim_window_ms=1,
        new_users_per_minute=5,
        mode=Mode.PAUSED,
        version=3,
        mode_since=2,
    )
    # And the next opening compares with this one.
    await store.update_settings("hall", {"total_active_users": 8}, expected_version=None)
    again = await store.open_room("hall", replace(LIMITS, total_active_users=20, claim_window_ms=1))
    assert again.limits.total_active_users == 8


async def test_rooms_do_not_touch_each_other(store):
    await opened(store, 3)
    await opened(store, 1, room="annex")
    await all_called(store, 2)
    assert isinstance((await claim(store, 1))[0], Admitted)
    annex = await store.load("annex")
    assert (annex.tail, annex.serving, annex.live) == (1, 0, 0)


async def test_every_setting_survives_being_kept(store):
    limits = Limits(
        Mode.SOLD_OUT, QueueingMethod.REJECT, 1, 2, 3, 4, 5, 6, 7, (Window(8, 9), Window(10)), 11,
        (Change(12, 13), Change(14, total_active_users=15)), 16, 17, {"ko": "잠시만요", "en": "A moment"},
        {"drill": "abc"}, 1,
        (Allowed("vip", "why", 18, ("10.0.0.0/8",), ("/a",), "kim"),), (Approval("id", "reset", "kim", 1, 19),), 20, 21,
    )  # fmt: skip
    await store.open_room("hall", limits)
    assert (await store.load("hall")).limits == limits


# --- join ---


async def test_numbers_count_from_1_in_the_order_asked(store):
    await opened(store)
    assert list(await store.join("hall", [7, None, 8], expires_ms=FAR)) == [1, 2, 3]
    assert (await store.load("hall")).tail == 3


async def test_a_knock_answered_before_gets_the_same_number(store, store_factory):
    await opened(store)
    assert list(await store.join("hall", [7, 7, None, 0, 2**64 - 1, 0], expires_ms=FAR)) == [1, 1, 2, 3, 4, 3]
    elsewhere = store_factory()
    assert list(await elsewhere.join("hall", [2**64 - 1, 9, 7], expires_ms=FAR)) == [4, 5, 1]


async def test_an_empty_batch_is_answered_with_nothing(store):
    await opened(store)
    assert list(await store.join("hall", [], expires_ms=FAR)) == []
    assert list(await store.claim("hall", [])) == []
    assert list(await store.renew("hall", [])) == []
    assert list(await store.look("hall", [])) == []
    assert list(await store.complete("hall", [], reason="completed")) == []
    assert list(await store.leave("hall", [])) == []


# --- commit ---


async def test_a_plan_made_for_another_tick_changes_nothing(store):
    before = await opened(store, 5)
    done, after = await store.commit("hall", opening_plan(before), before.tick + 1)
    assert not done
    assert replace(after, now_ms=before.now_ms) == before


async def test_of_plans_made_for_the_same_tick_one_is_carried_out(store, store_factory):
    before = await opened(store, 5)
    first = await store.commit("hall", opening_plan(before), before.tick)
    second = await store_factory().commit("hall", opening_plan(before, serve_to=2), before.tick)
    assert (first[0], second[0]) == (True, False)
    assert second[1].serving == 5
    assert second[1].tick == before.tick + 1


async def test_a_plan_sets_clocks_credit_and_pace(store):
    before = await opened(store)
    plan = idle_plan(
        before,
        now_ms=before.now_ms + 9,
        pass_clock_ms=11,
        call_clock_ms=12,
        credit_add=70,
        credit_cap=50,
        call_credit=13,
        pace_milli=14,
        admitting=True,
    )
    _, after = await store.commit("hall", plan, before.tick)
    assert (after.last_tick_ms, after.pass_clock_ms, after.call_clock_ms) == (before.now_ms + 9, 11, 12)
    assert (after.credit, after.call_credit, after.pace_milli, after.admitting) == (50, 13, 14, True)
    assert after.now_ms >= after.last_tick_ms


async def test_a_whole_batch_of_old_new_repeated_and_missing_knocks_is_answered_in_order(store):
    await store.open_room("hall", Limits())
    first = list(await store.join("hall", [None if n % 5 == 0 else n for n in range(200)], expires_ms=FAR))
    assert first == list(range(1, 201))
    # Every knock from 100 on twice, beside as many new ones from 1,000 on, and some who bring none.
    asked = [knock for n in range(100, 200) for knock in (n, None if n % 7 == 0 else 900 + n, n)]
    told = list(await store.join("hall", asked, expires_ms=FAR))
    known, issued = {n: n + 1 for n in range(200) if n % 5}, 200
    for knock, number in zip(asked, told, strict=True):
        if knock is None or knock not in known:
            issued += 1
            assert number == issued
            if knock is not None:
                known[knock] = number
        assert knock is None or number == known[knock]
    assert (await store.load("hall")).tail == issued


async def test_calling_never_goes_past_the_last_number_issued(store):
    await opened(store, 5)
    after = await tick(store, serve_to=99, call_clock_ms=30)
    assert after.serving == 5
    assert after.calls == (Call(1, 5, 30, 5),)


async def test_calling_never_goes_back(store):
    await opened(store, 5)
    await tick(store, serve_to=4)
    assert (await tick(store, serve_to=2)).serving == 4


async def test_a_call_is_dropped_with_its_window_and_who_stayed_away_is_counted(store):
    await all_called(store, 3)
    await claim(store, 2)
    after = await tick(store, watermark=3)
    assert after.calls == ()
    assert after.watermark == 3
    assert after.counters["no_shows"] == 2


async def test_the_curve_learns_and_halves(store):
    await all_called(store, 3)
    await tick(store, call_clock_ms=1_500)
    await claim(store, 1, 2)
    added = tuple(range(AGE_BINS))
    after = await tick(store, at_risk_add=added)
    assert after.curve.at_risk == added
    assert after.curve.came[:3] == (0, 2, 0)
    after = await tick(store, at_risk_add=added, halve_curve=True)
    assert after.curve.at_risk == added
    assert after.curve.came[:3] == (0, 1, 0)


# --- claim ---


async def test_who_is_called_is_admitted_once_and_told_the_same_pass_again(store):
    await all_called(store, 3)
    (fresh,) = await claim(store, 2)
    assert isinstance(fresh, Admitted)
    assert fresh.fresh
    assert fresh.grant.pass_id == "pass-2"
    assert (fresh.grant.expires_ms, fresh.grant.ends_ms, fresh.grant.lives_ms) == (20_000, 100_000, 20_000)
    again = await claim(store, 2, 2, tag="other")
    assert again == [Admitted(fresh.grant, fresh=False)] * 2
    after = await store.load("hall")
    assert (after.live, after.credit, after.counters["admitted"]) == (1, PLENTY - USER_CREDIT, 1)
    assert after.calls[0].remaining == 2


async def test_a_place_claimed_twice_in_one_batch_yields_one_pass(store):
    await all_called(store, 3)
    first, second = await store.claim("hall", [Claim(1, 1, "a"), Claim(1, 1, "b")])
    assert isinstance(first, Admitted)
    assert second == Admitted(first.grant, fresh=False)


async def test_a_place_above_serving_or_never_issued_or_of_another_epoch_is_not_called(store):
    await opened(store, 5)
    await tick(store, serve_to=2, admitting=True, credit_add=PLENTY)
    assert await claim(store, 3, 6, 0, -1, 10**12) == [NotCalled()] * 5
    assert await claim(store, 1, epoch=2) == [NotCalled()]


async def test_how_somebody_got_in_is_told_alike_however_often_it_is_asked(store):
    await all_called(store, 2)
    first = await store.claim("hall", [Claim(1, 1, "a", direct=True), Claim(1, 2, "b")])
    again = await store.claim("hall", [Claim(1, 1, "c"), Claim(1, 2, "d", direct=True)])
    told = [answer.grant.how for answer in [*first, *again] if isinstance(answer, Admitted)]
    assert told == [How.DIRECT, How.LINE, How.DIRECT, How.LINE]


async def test_nobody_is_admitted_while_admission_stands_still(store):
    before = await all_called(store, 3)
    await store.update_settings("hall", {"mode": "paused"}, expected_version=None)
    assert await claim(store, 1) == [Held()]
    after = await store.load("hall")
    assert (after.calls, after.credit, after.lane_waiting) == (before.calls, before.credit, 0)


async def test_a_pass_is_told_again_while_admission_stands_still(store):
    await all_called(store, 3)
    await claim(store, 1)
    await tick(store, admitting=False)
    assert [type(answer) for answer in await claim(store, 1, 2)] == [Admitted, Held]


async def test_live_passes_never_pass_the_ceiling(store):
    await all_called(store, 15)
    answers = await claim(store, *range(1, 16))
    assert [type(answer) for answer in answers] == [Admitted] * 10 + [AtDoor] * 5
    after = await store.load("hall")
    assert (after.live, after.lane_waiting) == (10, 5)
    assert after.calls[0].remaining == 0


async def test_nobody_is_admitted_without_credit(store):
    await opened(store, 5)
    await tick(store, serve_to=5, admitting=True, credit_add=2 * USER_CREDIT - 1)
    assert [type(answer) for answer in await claim(store, 1, 2)] == [Admitted, AtDoor]
    assert (await store.load("hall")).credit == USER_CREDIT - 1


async def test_nobody_passes_those_who_wait_at_the_door(store):
    await all_called(store, 13)
    await claim(store, *range(1, 13))
    await store.complete("hall", [ref(1), ref(2), ref(3)], reason="completed")
    assert await claim(store, 13, 11) == [AtDoor(), AtDoor()]
    assert (await store.load("hall")).lane_waiting == 3


async def test_seats_are_kept_for_the_lowest_places_at_the_door(store):
    await all_called(store, 13)
    await claim(store, 13, 12, *range(1, 12))
    # 13, 12 and 1..8 are inside; 9, 10, 11 at the door.
    await store.complete("hall", [ref(13), ref(1)], reason="completed")
    after = await tick(store, grants=5)
    assert (after.lane_waiting, after.lane_granted, after.live) == (1, 2, 8)
    assert [type(answer) for answer in await claim(store, 11, 10, 9)] == [AtDoor, Admitted, Admitted]
    after = await store.load("hall")
    assert (after.lane_waiting, after.lane_granted, after.live) == (1, 0, 10)
    assert after.credit == PLENTY - 12 * USER_CREDIT


async def test_kept_seats_need_credit(store):
    await opened(store, 5)
    await tick(store, serve_to=5, admitting=True)
    await claim(store, 1, 2, 3)
    after = await tick(store, grants=3, credit_add=2 * USER_CREDIT + 5)
    assert (after.lane_granted, after.lane_waiting, after.credit) == (2, 1, 5)


async def test_many_with_seats_kept_who_come_together_come_in_no_faster_than_others(store):
    await opened(store, 6)
    await tick(store, serve_to=6, admitting=True)
    assert await claim(store, 1, 2, 3, 4, 5) == [AtDoor()] * 5
    # Nobody asks for a while: seats are kept for one after another; how many may come in at once has a limit.
    for _ in range(2):
        await tick(store, grants=2, credit_add=2 * USER_CREDIT, credit_cap=2 * USER_CREDIT)
    after = await tick(store, grants=1, credit_add=USER_CREDIT, credit_cap=2 * USER_CREDIT)
    assert (after.lane_granted, after.credit, after.entry_credit) == (5, 0, 2 * USER_CREDIT)
    assert [type(answer) for answer in await claim(store, 4, 3, 2, 1)] == [Admitted, Admitted, AtDoor, AtDoor]
    after = await tick(store, credit_add=USER_CREDIT, credit_cap=2 * USER_CREDIT)
    # Nor does one who is called just now: there is a seat, and it is paid for, but there is no way in for both.
    assert [type(answer) for answer in await claim(store, 2, 6, 1)] == [Admitted, AtDoor, AtDoor]
    after = await store.load("hall")
    assert (after.live, after.lane_granted, after.lane_waiting) == (3, 2, 1)
    assert (after.credit, after.entry_credit) == (USER_CREDIT, 0)


async def test_a_crowd_that_comes_back_together_after_silence_comes_in_no_faster_than_the_outflow(store):
    limits = Limits(total_active_users=10**6, new_users_per_minute=6_000)
    await store.open_room("hall", limits)
    await store.join("hall", [None] * 3_000, expires_ms=FAR)
    await tick(store, serve_to=3_000, admitting=True)
    assert set(await claim(store, *range(1, 3_001))) == {AtDoor()}
    now_ms, let_in, asking = (await store.load("hall")).now_ms, [], list(range(1, 3_001))
    for step in range(80):
        now_ms += 200
        room = await store.load("hall")
        assert (await store.commit("hall", plan_tick(room, now_ms), room.tick))[0]
        # For ten seconds they are cut off, for the next six they ask whenever they can.
        let_in.append(0)
        if step >= 50:
            answers = await claim(store, *asking)
            asking = [place for place, answer in zip(asking, answers, strict=True) if answer == AtDoor()]
            let_in[-1] = len(answers) - len(asking)
    assert (await store.load("hall")).lane_granted > burst(6_000)
    for first in range(80):
        for last in range(first + 1, 80):
            assert sum(let_in[first + 1 : last + 1]) <= 6_000 * 200 * (last - first) // USER_CREDIT + burst(6_000)
    # Two seconds' worth at once, and then the outflow.
    assert sum(let_in) == 200 + 29 * 20


async def test_a_kept_seat_admits_nobody_past_a_ceiling_lowered_since(store):
    await all_called(store, 13)
    await claim(store, *range(1, 14))
    await store.complete("hall", [ref(1), ref(2), ref(3)], reason="completed")
    await tick(store, grants=3)
    await store.update_settings("hall", {"total_active_users": 8}, expected_version=None)
    await tick(store, admitting=True)
    assert [type(answer) for answer in await claim(store, 11, 12, 13)] == [Admitted, AtDoor, AtDoor]
    after = await store.load("hall")
    assert (after.live, after.lane_granted) == (8, 2)
    # The seats stay kept, and paid for.
    await store.complete("hall", [ref(4)], reason="completed")
    assert [type(answer) for answer in await claim(store, 12, 13)] == [Admitted, AtDoor]
    assert (await store.load("hall")).credit == after.credit


async def test_a_seat_kept_too_long_is_free_again_and_its_holder_counted(store):
    await opened(store, 5)
    await tick(store, serve_to=5, admitting=True)
    await claim(store, 1)
    await tick(store, grants=1, credit_add=USER_CREDIT, call_clock_ms=1_000)
    assert (await tick(store, call_clock_ms=1_500, grant_expiry_ms=500)).lane_granted == 1
    after = await tick(store, call_clock_ms=1_501, grant_expiry_ms=500, watermark=1)
    assert (after.lane_granted, after.counters["no_shows"]) == (0, 1)
    # Late, but not lost.
    assert await claim(store, 1) == [AtDoor()]
    after = await tick(store, grants=1, credit_add=USER_CREDIT)
    assert after.calls[0].remaining == 4
    (answer,) = await claim(store, 1)
    assert isinstance(answer, Admitted)
    assert answer.grant.how is How.LATE_LANE


async def test_who_let_a_kept_seat_go_by_is_awaited_again_until_the_window_is_over(store):
    await opened(store, 5)
    await tick(store, serve_to=5, admitting=True)
    await claim(store, 1, 2)
    await tick(store, grants=2, credit_add=2 * USER_CREDIT, call_clock_ms=1_000)
    after = await tick(store, call_clock_ms=1_501, grant_expiry_ms=500)
    assert (after.lane_granted, after.calls[0].remaining, after.counters.get("no_shows", 0)) == (0, 5, 0)
    await claim(store, 1)
    assert (await store.load("hall")).calls[0].remaining == 4
    assert (await tick(store, watermark=5)).counters["no_shows"] == 4


async def test_who_comes_after_the_window_is_late_and_admitted_all_the_same(store):
    await all_called(store, 3)
    await tick(store, watermark=2)
    answers = await claim(store, 2, 3)
    assert [isinstance(answer, Admitted) and answer.grant.how is How.LATE_LANE for answer in answers] == [True, False]
    after = await store.load("hall")
    assert (after.counters["admitted"], after.counters["admitted_late"]) == (2, 1)
    assert sum(after.curve.came) == 1


async def test_who_came_in_time_is_not_late_for_having_waited_at_the_door(store):
    await opened(store, 2)
    await tick(store, serve_to=2, admitting=True)
    await claim(store, 1)
    await tick(store, watermark=2, grants=1, credit_add=USER_CREDIT)
    (answer,) = await claim(store, 1)
    assert isinstance(answer, Admitted)
    assert answer.grant.how is How.LINE


async def test_who_was_late_in_an_earlier_epoch_is_not_so_in_the_next(store):
    await opened(store, 2)
    await tick(store, serve_to=2, admitting=True)
    await tick(store, watermark=2)
    assert await claim(store, 1) == [AtDoor()]
    await store.reset("hall", expected_version=None)
    await store.join("hall", [None], expires_ms=FAR)
    await tick(store, serve_to=1, admitting=True)
    assert await claim(store, 1, epoch=2) == [AtDoor()]
    await tick(store, grants=1, credit_add=USER_CREDIT)
    (answer,) = await claim(store, 1, epoch=2)
    assert isinstance(answer, Admitted)
    assert answer.grant.how is How.LINE


async def test_asking_again_at_the_door_counts_once(store):
    await opened(store, 2)
    await tick(store, serve_to=2, admitting=True)
    assert await claim(store, 1, 1) == [AtDoor(), AtDoor()]
    await claim(store, 1)
    after = await store.load("hall")
    assert (after.lane_waiting, after.calls[0].remaining, sum(after.curve.came)) == (1, 1, 1)


# --- passes ---


async def test_a_pass_ends_on_the_pass_clock_and_its_place_is_spent(store):
    await all_called(store, 3)
    await claim(store, 1)
    assert (await tick(store, pass_clock_ms=19_999)).live == 1
    after = await tick(store, pass_clock_ms=20_000)
    assert (after.live, after.counters["expired"]) == (0, 1)
    assert await claim(store, 1) == [Spent()]
    assert list(await store.renew("hall", [ref(1)])) == [None]


async def test_a_renewed_pass_lives_another_idle_limit_but_never_past_its_end(store):
    await all_called(store, 3)
    await claim(store, 1)
    for now_ms, expires_ms in ((15_000, 35_000), (30_000, 50_000), (45_000, 65_000), (60_000, 80_000)):
        await tick(store, pass_clock_ms=now_ms)
        (grant,) = await store.renew("hall", [ref(1)])
        assert grant is not None
        assert (grant.expires_ms, grant.lives_ms) == (expires_ms, 20_000)
    await tick(store, pass_clock_ms=78_000)
    await store.renew("hall", [ref(1)])
    await tick(store, pass_clock_ms=95_000)
    (grant,) = await store.renew("hall", [ref(1)])
    assert grant is not None
    assert grant.expires_ms in {98_000, 100_000}
    assert (grant.ends_ms, grant.lives_ms) == (100_000, grant.expires_ms - 95_000)
    assert (await tick(store, pass_clock_ms=100_000)).live == 0


async def test_a_renewal_that_gains_a_tenth_of_the_idle_limit_is_kept(store):
    await all_called(store, 1)
    await claim(store, 1)
    await tick(store, pass_clock_ms=2_000)
    await store.renew("hall", [ref(1)])
    (grant,) = await store.look("hall", [ref(1)])
    assert grant is not None
    assert grant.expires_ms == 22_000


async def test_renewal_needs_the_pass_itself(store):
    await all_called(store, 3)
    await claim(store, 1)
    refs = [ref(1), ref(1, epoch=2), PassRef(1, 1, "forged"), ref(2)]
    assert [grant is not None for grant in await store.renew("hall", refs)] == [True, False, False, False]
    assert [grant is not None for grant in await store.look("hall", refs)] == [True, False, False, False]


async def test_looking_at_a_pass_keeps_it_alive_no_longer(store):
    await all_called(store, 1)
    await claim(store, 1)
    await tick(store, pass_clock_ms=15_000)
    (grant,) = await store.look("hall", [ref(1)])
    assert grant is not None
    assert (grant.expires_ms, grant.lives_ms) == (20_000, 5_000)
    await tick(store, pass_clock_ms=20_000)
    assert list(await store.look("hall", [ref(1)])) == [None]


async def test_it_is_told_how_it_is_with_any_place_and_nothing_changes_by_it(store, store_factory):
    called = await all_called(store, 5, replace(LIMITS, total_active_users=1))
    await store.join("hall", [None], expires_ms=FAR)
    await claim(store, 1, 3, 4)
    await store.leave("hall", [(1, 2), (1, 4)])
    before = await store.load("hall")
    places = [(1, place) for place in range(1, 7)] + [(1, 7), (1, 0), (2, 1)]
    for each in (store, store_factory()):
        await each.open_room("hall", replace(LIMITS, total_active_users=1))
        found = list(await each.where("hall", places))
        states = [one and (one.spent, one.at_door, one.seat_kept, one.grant is not None) for one in found]
        assert states == [
            (True, False, False, True),
            (True, False, False, False),
            (False, True, False, False),
            (True, False, False, False),
            (False, False, False, False),
            (False, False, False, False),
            *[None] * 3,
        ]
        assert found[0] is not None
        assert [found[0].grant] == list(await store.look("hall", [ref(1)]))
    assert (await store.load("hall")).tick == before.tick == called.tick
    await store.complete("hall", [ref(1)], reason="revoked")
    await tick(store, grants=1, credit_add=PLENTY)
    gone, kept = await store.where("hall", [(1, 1), (1, 3)])
    assert gone is not None
    assert (gone.spent, gone.grant) == (True, None)
    assert kept is not None
    assert (kept.at_door, kept.seat_kept) == (True, True)
    assert list(await store.where("hall", [])) == []


async def test_a_live_pass_is_found_by_its_id_alone(store):
    await all_called(store, 3)
    await claim(store, 1, 2, 3)
    found = await store.find_pass("hall", "pass-2")
    assert [found] == list(await store.look("hall", [ref(2)]))
    for other in ("2", "ass-2", "pass-", "pass-4", "l", ":pass-2", "%", "1"):
        assert await store.find_pass("hall", other) is None
    await store.complete("hall", [ref(2)], reason="completed")
    assert await store.find_pass("hall", "pass-2") is None
    await store.reset("hall", expected_version=None)
    assert await store.find_pass("hall", "pass-1") is None


async def test_a_shorter_idle_limit_shortens_no_pass(store):
    await all_called(store, 1)
    await claim(store, 1)
    await store.update_settings("hall", {"idle_limit_ms": 10}, expected_version=None)
    (grant,) = await store.renew("hall", [ref(1)])
    assert grant is not None
    assert grant.expires_ms == 20_000


# --- serve


async def granted(store: QueueStore) -> PassGrant:
    (answer,) = await claim(store, 1)
    assert isinstance(answer, Admitted)
    return answer.grant


async def serve(store: QueueStore, place: int, *, works: bool) -> PassGrant:
    (grant,) = await store.serve("hall", [Served(ref(place), works)])
    assert grant is not None
    return grant


async def test_the_life_of_a_pass_begins_when_the_backend_first_answers(store):
    after = await all_called(store, 1)
    start_ms = after.pass_clock_ms
    first = await granted(store)
    assert first.trial == Trial(start_ms + 600_000)
    await tick(store, pass_clock_ms=start_ms + 15_000)
    failed = await serve(store, 1, works=False)
    assert (failed.ends_ms, failed.expires_ms) == (start_ms + 115_000, start_ms + 35_000)
    await tick(store, pass_clock_ms=start_ms + 30_000)
    works = await serve(store, 1, works=True)
    assert (works.ends_ms, works.expires_ms, works.trial) == (start_ms + 130_000, start_ms + 50_000, None)
    # From now on it is a pass like any other.
    await tick(store, pass_clock_ms=start_ms + 40_000)
    assert (await serve(store, 1, works=False)).ends_ms == works.ends_ms
    room = await tick(store, pass_clock_ms=start_ms + 50_000)
    assert (room.live, room.counters["unserved"], room.counters["restarted"], room.counters["expired"]) == (0, 1, 1, 1)


async def test_a_pass_that_works_at_once_is_put_forward_by_nothing(store):
    after = await all_called(store, 1)
    first = await granted(store)
    await tick(store, pass_clock_ms=after.pass_clock_ms + 5_000)
    works = await serve(store, 1, works=True)
    assert (works.ends_ms, works.expires_ms, works.trial) == (first.ends_ms, first.expires_ms, None)
    assert (await serve(store, 1, works=False)).ends_ms == first.ends_ms
    assert "unserved" not in (await store.load("hall")).counters


async def test_a_backend_that_never_answers_puts_a_pass_forward_up_to_a_bound(store):
    limits = replace(LIMITS, unserved_limit_ms=50_000)
    start_ms = (await all_called(store, 1, limits)).pass_clock_ms
    await claim(store, 1)
    for after_ms in range(10_000, 120_000, 10_000):
        await tick(store, pass_clock_ms=start_ms + after_ms)
        await serve(store, 1, works=False)
        await store.renew("hall", [ref(1)])
    assert (await serve(store, 1, works=True)).ends_ms == start_ms + 40_000 + 100_000
    room = await tick(store, pass_clock_ms=start_ms + 140_000)
    assert (room.live, room.counters["unserved"], room.counters.get("restarted")) == (0, 4, None)


async def test_without_a_limit_for_it_no_pass_is_on_trial(store):
    await all_called(store, 1, replace(LIMITS, unserved_limit_ms=0))
    first = await granted(store)
    assert first.trial is None
    assert await serve(store, 1, works=False) == first


async def test_a_trial_is_told_alike_by_every_process_and_ends_for_all(store, store_factory):
    await all_called(store, 1)
    await claim(store, 1)
    failed = await serve(store, 1, works=False)
    other = store_factory()
    assert (await other.renew("hall", [ref(1)]))[0] == failed
    assert (await claim(other, 1))[0] == Admitted(failed, fresh=False)
    works = await serve(other, 1, works=True)
    assert (await store.look("hall", [ref(1)]))[0] == works
    assert store.recall("hall", ref(1)) == works


async def test_what_the_backend_made_of_a_pass_that_does_not_live_is_nobodys(store):
    await all_called(store, 2)
    await claim(store, 1, 2)
    await store.complete("hall", [ref(1)], reason="completed")
    asked = [Served(ref(1), works=False), Served(PassRef(1, 2, "forged"), works=False), Served(ref(2, 2), works=False)]
    assert list(await store.serve("hall", asked)) == [None, None, None]
    assert "unserved" not in (await store.load("hall")).counters


@pytest.mark.parametrize("reason", ["completed", "revoked", "left"])
async def test_a_completed_pass_frees_its_seat_once_and_is_counted_by_reason(store, reason):
    await all_called(store, 3)
    await claim(store, 1)
    refs = [PassRef(1, 1, "forged"), ref(1, epoch=2), ref(1), ref(1), ref(2)]
    assert list(await store.complete("hall", refs, reason=reason)) == [False, False, True, False, False]
    after = await store.load("hall")
    assert (after.live, after.counters[reason]) == (0, 1)
    assert await claim(store, 1) == [Spent()]


# --- leave ---


async def test_who_leaves_while_waiting_is_not_called(store):
    await opened(store, 5)
    assert list(await store.leave("hall", [(1, 2), (1, 2), (1, 4), (2, 1), (1, 6), (1, 0)])) == [
        True,
        False,
        True,
        False,
        False,
        False,
    ]
    before = await store.load("hall")
    assert (before.left_ahead, before.waiting, before.absent, before.counters["left"]) == (2, 3, b"\x0a", 2)
    after = await tick(store, serve_to=3)
    assert (after.calls[0].remaining, after.left_ahead, after.absent) == (2, 1, b"\x01")
    assert (await tick(store, serve_to=5)).absent == b""
    assert await claim(store, 2, 4) == [Spent(), Spent()]


async def test_absence_is_told_across_any_boundary_within_the_lookahead(store):
    people = LOOKAHEAD_PLACES + 40
    await opened(store, people)
    away = [21, LOOKAHEAD_PLACES - 1, LOOKAHEAD_PLACES, LOOKAHEAD_PLACES + 10, LOOKAHEAD_PLACES + 11]
    await store.leave("hall", [(1, place) for place in away])
    snapshot = await tick(store, serve_to=10)
    bits = int.from_bytes(snapshot.absent, "little")
    assert [11 + i for i in range(LOOKAHEAD_PLACES) if bits >> i & 1] == away[:4]
    assert snapshot.left_ahead == 5
    after = await tick(store, serve_to=people)
    assert sum(call.remaining for call in after.calls) == people - 5


async def test_who_leaves_after_the_call_is_expected_no_more(store):
    await all_called(store, 3)
    await store.leave("hall", [(1, 2)])
    after = await store.load("hall")
    assert (after.calls[0].remaining, after.left_ahead, sum(after.curve.came)) == (2, 0, 0)


async def test_who_leaves_the_door_gives_back_the_kept_seat(store):
    await opened(store, 3)
    await tick(store, serve_to=3, admitting=True)
    await claim(store, 1, 2)
    await tick(store, grants=1, credit_add=USER_CREDIT)
    assert list(await store.leave("hall", [(1, 1), (1, 2)])) == [True, True]
    after = await store.load("hall")
    assert (after.lane_granted, after.lane_waiting, after.calls[0].remaining) == (0, 0, 1)


async def test_who_leaves_from_inside_frees_the_seat(store):
    await all_called(store, 3)
    await claim(store, 1)
    assert list(await store.leave("hall", [(1, 1), (1, 1)])) == [True, False]
    after = await store.load("hall")
    assert (after.live, after.counters["left"]) == (0, 1)


# --- count, update_settings, reset ---


async def test_counters_add_up(store):
    await opened(store)
    await store.count("hall", {"refused_forged": 2, "exempt": 1})
    await store.count("hall", {"refused_forged": 3})
    assert (await store.load("hall")).counters == {"refused_forged": 5, "exempt": 1}


async def test_a_change_of_settings_grows_version_and_tick_and_stops_admission(store):
    before = await all_called(store, 1)
    after = await store.update_settings(
        "hall", {"total_active_users": 3, "opens_at_ms": 5, "message": {"en": "Soon"}}, expected_version=1
    )
    assert after.limits == replace(LIMITS, total_active_users=3, opens_at_ms=5, message={"en": "Soon"}, version=2)
    assert (after.tick, after.admitting) == (before.tick + 1, False)
    done, _ = await store.commit("hall", idle_plan(before), before.tick)
    assert not done


async def test_it_is_known_which_version_set_the_mode(store):
    assert (await opened(store)).limits.mode_since == 1
    sold_out = {"mode": "sold_out"}
    changes = [({"message": {"en": "Soon"}}, 1), (sold_out, 3), ({"total_active_users": 3}, 3), (sold_out, 3)]
    for patch, since in (*changes, ({"mode": "open"}, 6)):
        after = await store.update_settings("hall", patch, expected_version=None)
        assert after.limits.mode_since == since


async def test_a_change_made_for_another_version_is_refused_with_what_is_there(store):
    await opened(store)
    await store.update_settings("hall", {"mode": "paused"}, expected_version=1)
    with pytest.raises(VersionConflict) as refusal:
        await store.update_settings("hall", {"mode": "open"}, expected_version=1)
    assert refusal.value.snapshot.limits.mode is Mode.PAUSED
    with pytest.raises(VersionConflict):
        await store.reset("hall", expected_version=1)
    assert (await store.load("hall")).limits.version == 2


@pytest.mark.parametrize("patch", [{"nonsense": 1}, {"mode": "ajar"}])
async def test_a_setting_there_is_not_is_refused(store, patch):
    before = await opened(store)
    with pytest.raises(StoreError):
        await store.update_settings("hall", patch, expected_version=None)
    assert (await store.load("hall")).tick == before.tick


async def test_a_lowered_ceiling_ends_no_pass_and_admits_nobody_until_there_is_room(store):
    await all_called(store, 12)
    await claim(store, *range(1, 6))
    await store.update_settings("hall", {"total_active_users": 2}, expected_version=None)
    after = await tick(store, admitting=True)
    assert after.live == 5
    assert await claim(store, 6) == [AtDoor()]
    assert (await tick(store, grants=9)).lane_granted == 0


async def test_nobody_joins_an_epoch_that_has_passed(store: QueueStore) -> None:
    await store.open_room("hall", Limits())
    await store.reset("hall", expected_version=None)
    with pytest.raises(StaleEpoch):
        await store.join("hall", [None], expires_ms=FAR, epoch=1)
    assert list(await store.join("hall", [None], expires_ms=FAR, epoch=2)) == [1]


async def test_a_reset_starts_a_new_epoch_and_keeps_counters_settings_and_clocks(store):
    await all_called(store, 12)
    await claim(store, *range(1, 12))
    await store.join("hall", [5], expires_ms=FAR)
    await store.count("hall", {"exempt": 3})
    before = await tick(store, pass_clock_ms=7, call_clock_ms=8)
    after = await store.reset("hall", expected_version=before.limits.version)
    assert (after.epoch, after.tail, after.serving, after.watermark, after.live) == (2, 0, 0, 0, 0)
    assert (after.lane_waiting, after.lane_granted, after.calls, after.admitting) == (0, 0, (), False)
    assert (after.counters, after.limits) == ({**before.counters, "stay_from": 10}, before.limits)
    assert (after.pass_clock_ms, after.call_clock_ms, after.last_tick_ms) == (7, 8, before.last_tick_ms)
    assert after.tick > before.tick
    assert await claim(store, 1) == [NotCalled()]
    assert list(await store.renew("hall", [ref(1)])) == [None]
    assert list(await store.join("hall", [5, 6], expires_ms=FAR)) == [1, 2]
    await tick(store, serve_to=2, admitting=True, credit_add=PLENTY)
    assert [type(answer) for answer in await claim(store, 1, epoch=2)] == [Admitted]


async def test_a_reset_forgets_how_long_those_before_stayed_and_what_became_of_what_they_were_told(store):
    before = await all_called(store, 12)
    learned = {
        "inside_s": 9_000,
        "estimate.within": 5,
        "estimate.earlier": 2,
        "estimate.later": 3,
        "estimate.changed": 1,
    }
    await store.count("hall", {**learned, "estimated": 1})
    await claim(store, *range(1, 5))
    after = await store.reset("hall", expected_version=None)
    session_ms = before.limits.session_length_ms
    assert stay_ms(after) == stay_ms(before) == (session_ms // GUESS_PART, 0)
    assert share_within(after) is None
    assert not set(learned) & set(after.counters)
    assert after.counters["estimated"] == 1
    # What is learned then is of those who came then.
    await store.join("hall", [5], expires_ms=FAR)
    await tick(store, serve_to=1, admitting=True, credit_add=PLENTY)
    await claim(store, 1, epoch=2)
    await store.count("hall", {"inside_s": 60})
    assert list(await store.complete("hall", [ref(1, epoch=2)], reason="completed")) == [True]
    assert stay_ms(await store.load("hall")) == ((60_000 + session_ms // GUESS_PART) // 2, 1)


# --- durability ---


async def test_everything_is_there_again_after_closing(store_factory: StoreFactory):
    store = store_factory()
    await all_called(store, 12)
    await claim(store, *range(1, 12))
    await store.leave("hall", [(1, 12)])
    before = await store.load("hall")
    await store.close()
    again = store_factory()
    after = await again.open_room("hall", LIMITS)
    assert replace(after, now_ms=before.now_ms) == before
    assert list(await again.join("hall", [None], expires_ms=FAR)) == [13]


# --- recall ---


async def test_a_pass_is_recalled_without_asking_as_long_as_it_was_last_seen_alive(store):
    await all_called(store, 3)
    assert store.recall("hall", ref(1)) is None
    (admitted, _) = await claim(store, 1, 2)
    assert isinstance(admitted, Admitted)
    assert store.recall("hall", ref(1)) == admitted.grant
    assert store.recall("hall", PassRef(1, 1, "another")) is None
    assert store.recall("hall", ref(1, epoch=2)) is None
    assert store.recall("other", ref(1)) is None
    await store.complete("hall", [ref(1)], reason="completed")
    assert store.recall("hall", ref(1)) is None
    await store.leave("hall", [(1, 2)])
    assert store.recall("hall", ref(2)) is None


async def test_a_pass_seen_alive_or_ended_by_another_process_is_recalled_so(store, store_factory):
    other = store_factory()
    await all_called(store, 3)
    await claim(store, 1, 2)
    assert other.recall("hall", ref(1)) is None
    await other.look("hall", [ref(1)])
    await other.renew("hall", [ref(2)])
    assert other.recall("hall", ref(1)) is not None
    assert other.recall("hall", ref(2)) is not None
    await store.complete("hall", [ref(1), ref(2)], reason="completed")
    await other.look("hall", [ref(1)])
    await other.renew("hall", [ref(2)])
    assert other.recall("hall", ref(1)) is other.recall("hall", ref(2)) is None


async def test_a_pass_that_ran_out_or_is_of_an_earlier_epoch_is_not_recalled(store):
    await all_called(store, 2)
    await claim(store, 1)
    await tick(store, pass_clock_ms=LIMITS.idle_limit_ms)
    await store.load("hall")
    assert store.recall("hall", ref(1)) is None
    await claim(store, 2)
    assert store.recall("hall", ref(2)) is not None
    await store.reset("hall", expected_version=None)
    await store.load("hall")
    assert store.recall("hall", ref(2)) is None


# --- acknowledge ---


async def test_a_number_shown_by_a_ticket_is_not_issued_again(store, store_factory):
    await opened(store, people=3)
    seen = await store.acknowledge("hall", 1, 10)
    assert (seen.tail, seen.serving, seen.waiting) == (10, 0, 10)
    assert await store_factory().join("hall", [None], expires_ms=FAR) == [11]
    after = await all_called(store, 0)
    assert after.serving == 11
    (answer,) = await claim(store, 10)
    assert isinstance(answer, Admitted)


async def test_a_number_that_is_no_news_or_of_another_epoch_changes_nothing(store):
    before = await opened(store, people=3)
    for epoch, number in ((1, 3), (1, 0), (2, 9), (0, 9)):
        seen = await store.acknowledge("hall", epoch, number)
        assert replace(seen, now_ms=0) == replace(before, now_ms=0)


# --- lots ---


async def test_lots_are_drawn_once_among_the_numbers_issued_by_then(store):
    before = await opened(store, people=7)
    assert before.draw_size is None
    assert (await tick(store, draw=True)).draw_size == 7
    await store.join("hall", [None] * 3, expires_ms=FAR)
    after = await tick(store, draw=True)
    assert (after.draw_size, after.tail) == (7, 10)


async def test_the_secret_of_the_lots_is_one_for_each_room_and_epoch(store, store_factory):
    first = await opened(store)
    annex = await opened(store, room="annex")
    assert len(bytes.fromhex(first.draw_secret)) == 32
    assert first.draw_secret != annex.draw_secret
    assert (await store_factory().open_room("hall", LIMITS)).draw_secret == first.draw_secret
    await tick(store, draw=True)
    again = await store.reset("hall", expected_version=None)
    assert again.draw_secret not in {first.draw_secret, annex.draw_secret}
    assert again.draw_size is None


# --- waves ---


async def test_a_wave_joins_behind_every_number_issued_before_and_ahead_of_every_later_one(store, store_factory):
    await opened(store, people=7)
    after = await tick(store, append=Append("fifties", 500_000, "5e" * 32))
    assert (after.tail, after.blocks) == (500_007, {"fifties": Block(7, 500_000, "5e" * 32)})
    assert await store.join("hall", [None], expires_ms=FAR) == [500_008]
    assert (await store_factory().open_room("hall", LIMITS)).blocks == after.blocks


async def test_a_wave_joins_once_whoever_asks_again(store):
    await opened(store, people=2)
    await tick(store, append=Append("fifties", 3))
    await tick(store, append=Append("fifties", 9))
    after = await tick(store, append=Append("forties", 1))
    assert (after.tail, after.blocks) == (6, {"fifties": Block(2, 3), "forties": Block(5, 1)})


async def test_of_two_who_append_a_wave_at_once_one_does(store, store_factory):
    await opened(store, people=2)
    other = store_factory()
    await other.open_room("hall", LIMITS)
    seen = await store.load("hall")
    plan = idle_plan(seen, append=Append("fifties", 3))
    told = [await each.commit("hall", plan, seen.tick) for each in (store, other)]
    assert [done for done, _ in told] == [True, False]
    assert {after.tail for _, after in told} == {5}


async def test_the_places_of_a_wave_are_called_claimed_and_left_as_any_other(store):
    await opened(store, people=1)
    await tick(store, append=Append("fifties", 4))
    await store.leave("hall", [(1, 3)])
    after = await tick(store, admitting=True, credit_add=PLENTY, serve_to=5)
    assert (after.serving, after.calls[0].remaining) == (5, 4)
    answers = await claim(store, 1, 2, 3, 5, 6)
    assert [type(answer) for answer in answers] == [Admitted, Admitted, Spent, Admitted, NotCalled]


async def test_a_wave_that_joins_as_lots_are_drawn_takes_part_in_them(store):
    await opened(store, people=2)
    after = await tick(store, append=Append("fifties", 3), draw=True)
    assert (after.draw_size, after.tail) == (5, 5)


async def test_after_a_reset_no_wave_has_joined(store):
    await opened(store, people=2)
    await tick(store, append=Append("fifties", 3))
    after = await store.reset("hall", expected_version=None)
    assert (after.tail, after.blocks) == (0, {})


async def test_the_room_of_a_wave_is_a_room_of_its_own(store):
    await opened(store, people=2)
    await opened(store, people=5, room="hall~1~50-54:pause")
    assert ((await store.load("hall")).tail, (await store.load("hall~1~50-54:pause")).tail) == (2, 5)


# --- the ceiling in force ---


async def test_the_ceiling_of_the_last_plan_counts_whatever_the_settings_say(store):
    await opened(store, people=6)
    await tick(store, admitting=True, credit_add=PLENTY, serve_to=6, total_active_users=2)
    assert [type(answer) for answer in await claim(store, 1, 2, 3)] == [Admitted, Admitted, AtDoor]
    after = await tick(store, grants=5, total_active_users=3)
    assert (after.live, after.lane_granted) == (2, 1)
    assert isinstance((await claim(store, 3))[0], Admitted)


async def test_a_file_that_comes_to_what_an_operator_has_set_already_changes_no_version(store, store_factory):
    await opened(store)
    await store.update_settings("hall", {"new_users_per_minute": 77}, expected_version=1)
    again = await store_factory().open_room("hall", replace(LIMITS, new_users_per_minute=77))
    assert again.limits.version == 2
    after = await store.update_settings("hall", {"new_users_per_minute": 78}, expected_version=2)
    assert after.limits.version == 3
    # And the file's value counts as the file's from now on.
    assert (await store_factory().open_room("hall", replace(LIMITS, new_users_per_minute=77))).limits == after.limits


# --- observe ---


def sighting(*cells: tuple[int, int, int, int], at_ms: int = 10 * INTERVAL_MS, **more: Any) -> Sightings:
    """cells: interval, step, chunk, and a bit that is set."""
    bits: dict[Cell, bytes] = {}
    for interval, step, chunk, bit in cells:
        bits[interval, step, chunk] = (1 << bit).to_bytes(MOST_SAMPLED // 8, "little")
    return Sightings(
        **{"epoch": 1, "drawn": False, "at_ms": at_ms, "since_ms": at_ms, "bits": bits, "tails": {}, **more}
    )


async def test_what_every_gateway_saw_is_told_to_all(store, store_factory):
    await opened(store, 3)
    mine, other = sighting((9, 1, 0, 3), (10, 1, 0, 4)), sighting((10, 1, 0, 9), (10, 2, 1, 700), at_ms=1_800_007)
    assert await store.observe("hall", mine, None) == (mine, None)
    both, _ = await store_factory().observe("hall", other, None)
    assert both == merged(mine, other)
    assert set(both.bits) == {(9, 1, 0), (10, 1, 0), (10, 2, 1)}
    assert (await store.observe("hall", mine, None))[0] == both


@pytest.mark.parametrize(
    "then",
    [
        pytest.param(sighting((11, 1, 0, 1), at_ms=11 * INTERVAL_MS, since_ms=5), id="a gap"),
        pytest.param(sighting((10, 1, 0, 1), at_ms=10 * INTERVAL_MS - GAP_MS, since_ms=7), id="an older clock"),
        pytest.param(sighting((10, 1, 0, 1), at_ms=10 * INTERVAL_MS + GAP_MS, since_ms=7), id="a newer clock"),
        pytest.param(sighting((7, 1, 0, 1), (12, 1, 0, 2)), id="other intervals"),
        pytest.param(sighting((10, 1, 0, 1), drawn=True), id="lots drawn"),
        pytest.param(sighting((10, 1, 0, 1), epoch=2), id="a later epoch"),
        pytest.param(sighting((10, 1, 0, 1), epoch=0, drawn=True), id="an earlier epoch"),
        pytest.param(sighting(), id="nobody seen"),
        pytest.param(sighting(tails={9: 9, 10: 100, 11: 7}), id="other tails"),
    ],
)
async def test_sightings_come_together_as_the_rule_says(store, then):
    await opened(store)
    first = sighting((9, 1, 0, 3), (10, 1, 0, 4), (10, 4, 2, 5), tails={9: 70, 10: 90})
    await store.observe("hall", first, None)
    assert (await store.observe("hall", then, None))[0] == merged(first, then)
    last = sighting((10, 1, 0, 6), tails={9: 71, 10: 89, 12: 99})
    assert (await store.observe("hall", last, None))[0] == merged(merged(first, then), last)


async def test_of_the_stock_the_newest_report_is_kept_whoever_tells_it(store, store_factory):
    await opened(store)
    seen, old, new = sighting(), Stock(70, 5, 100, 90, 3), Stock(60, 6, -4, 90, -9)
    other = store_factory()
    assert (await store.observe("hall", seen, old))[1] == old
    assert (await other.observe("hall", seen, new))[1] == new
    assert (await store.observe("hall", seen, old))[1] == new
    assert (await other.observe("hall", seen, None))[1] == new
    less = replace(new, left=59)
    assert (await store.observe("hall", seen, less))[1] == less
    assert (await other.observe("hall", seen, new))[1] == less


async def test_observing_touches_no_line_and_no_other_room(store):
    before = await opened(store, 3)
    await opened(store, 1, room="annex")
    stock = Stock(1, 1, 1, 1, 1)
    await store.observe("hall", sighting((10, 1, 0, 1)), stock)
    assert replace(await store.load("hall"), now_ms=0) == replace(before, now_ms=0)
    seen = sighting((10, 1, 0, 2))
    assert await store.observe("annex", seen, None) == (seen, None)
