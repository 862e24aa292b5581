"""The plan: repeatable, exact in its shares, open-loop."""

from collections import Counter

import pytest

from loadtest.scenario import Arrivals, Cheat, Kind, Shares, VisitorPlan, plan_visitors


def plan(*, visitors: int = 1000, seed: int = 7, arrivals: Arrivals = Arrivals.POISSON) -> tuple[VisitorPlan, ...]:
    return plan_visitors(
        visitors=visitors, arrive_ms=60_000, arrivals=arrivals, shares=Shares(), cheats=tuple(Cheat), seed=seed
    )


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert plan() == plan()
    assert plan() != plan(seed=8)


def test_shares_are_exact_and_cheats_take_turns() -> None:
    kinds = Counter(visitor.kind for visitor in plan())
    assert kinds == {Kind.CHEAT: 100, Kind.NO_SHOW: 50, Kind.LEAVER: 30, Kind.HONEST: 820}
    cheats = Counter(visitor.cheat for visitor in plan() if visitor.cheat is not None)
    assert set(cheats) == set(Cheat)
    assert max(cheats.values()) - min(cheats.values()) <= 1
    assert sum(visitor.repeats_claim for visitor in plan()) == 82


def test_only_the_honest_repeat_a_claim() -> None:
    assert {visitor.kind for visitor in plan() if visitor.repeats_claim} == {Kind.HONEST}


@pytest.mark.parametrize(("arrivals", "first_half"), [(Arrivals.POISSON, 0.5), (Arrivals.RAMP, 0.25)])
def test_arrivals_are_in_order_and_spread_as_asked(arrivals: Arrivals, first_half: float) -> None:
    moments = [visitor.arrives_ms for visitor in plan(visitors=5000, arrivals=arrivals)]
    assert moments == sorted(moments)
    assert 0 <= moments[0] <= moments[-1] < 60_000
    assert sum(moment < 30_000 for moment in moments) / 5000 == pytest.approx(first_half, abs=0.03)


def test_one_visitor_is_a_plan_too() -> None:
    assert len(plan(visitors=1)) == 1
