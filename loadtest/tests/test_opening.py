"""The checks of an opening, on evidence made by hand: what must be found, and what must not be."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from loadtest.evidence import Evidence, Finding, Journey, Opening, Turn, Verdict
from loadtest.lots import Lots
from loadtest.opening import check_opening_day, rates
from loadtest.scenario import Arrivals, Cheat, Kind, Shares, VisitorPlan, plan_opening
from loadtest.tests.test_checks import sample

SECRET = bytes(range(32)).hex()
COMMITMENT = sha256(bytes.fromhex(SECRET)).hexdigest()
OPENS = 1_626_692_400_000
OPENS_OWN = 100_000
EARLY, LATER = 400, 20
LOTS = Lots(SECRET, EARLY, "vaccine", 1)


def page(at_ms: int, **changes: Any) -> dict[str, Any]:
    drawn = {"secret": SECRET, "size": EARLY} if at_ms >= OPENS else {"secret": None, "size": None}
    lasting = {"room": "vaccine", "epoch": 1, "recipe": "sunbeon-draw-1", "commitment": COMMITMENT}
    return {**lasting, **drawn, "server_time_ms": at_ms, **changes}


def journey(number: int) -> Journey:
    """Came, waited, was called and let in in the order of the lots, a hundred a second."""
    place = LOTS.place(number)
    early = number <= EARLY
    called_ms = OPENS_OWN + 1_000 + 10 * place
    turn = Turn(
        number,
        place,
        told_ms=number if early else OPENS_OWN + number,
        waiting_sent_ms=called_ms - 5,
        called_ms=called_ms,
        entered_sent_ms=called_ms - 1,
        entered_ms=called_ms,
        entered_server_ms=OPENS + called_ms - OPENS_OWN,
    )
    plan = VisitorPlan(number, number if early else OPENS_OWN, Kind.HONEST, None, False, 0, early)
    # A spread of 25 s, in which each has another moment.
    asked_ms = OPENS_OWN + 1_000 + 25_000 * place // EARLY if early else None
    return Journey(plan, turns=[turn], asked_at_opening_ms=asked_ms)


def day(**changes: Any) -> Evidence:
    opening = Opening(OPENS, OPENS_OWN, lots=True, pages=[page(OPENS - 5_000), page(OPENS - 1), page(OPENS + 2_000)])
    journeys = [journey(number) for number in range(1, EARLY + LATER + 1)]
    samples = [sample(200_000, settings={"claim_window_s": 300})]
    return Evidence(journeys, samples, opening=replace(opening, **changes))


def found(evidence: Evidence) -> dict[str, Finding]:
    return {finding.name: finding for finding in check_opening_day(evidence)}


def broken(evidence: Evidence) -> set[str]:
    return {name for name, finding in found(evidence).items() if finding.verdict is Verdict.BROKEN}


def test_a_day_as_it_should_be_is_found_to_be_one() -> None:
    assert {finding.verdict for finding in found(day()).values()} == {Verdict.OK}
    assert len(found(day())) == 4
    assert check_opening_day(replace(day(), opening=None)) == ()


def early_entry(evidence: Evidence) -> None:
    evidence.journeys[7].turns[0].entered_server_ms = OPENS - 1


def another_place(evidence: Evidence) -> None:
    evidence.journeys[7].turns[0].place = LOTS.place(9)


def not_drawn(evidence: Evidence) -> None:
    """A number told before the opening which was none of those lots were drawn among."""
    evidence.journeys[EARLY + 1].plan = replace(evidence.journeys[EARLY + 1].plan, early=True)
    evidence.journeys[EARLY + 1].turns[0].told_ms = OPENS_OWN - 1


def later_first(evidence: Evidence) -> None:
    """Somebody who came after the opening is called at once, and those with lots go on waiting."""
    evidence.journeys[EARLY + 3].turns[0].called_ms = OPENS_OWN + 10


def all_at_once(evidence: Evidence) -> None:
    for number in range(EARLY):
        evidence.journeys[number].asked_at_opening_ms = OPENS_OWN + 1_000


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (early_entry, "opened on time, by the server's clock"),
        (another_place, "draw as published"),
        (not_drawn, "draw as published"),
        (later_first, "order as drawn"),
        (all_at_once, "no stampede at the opening"),
    ],
)
def test_each_fault_of_an_opening_is_found(spoil: Callable[[Evidence], None], name: str) -> None:
    evidence = day()
    spoil(evidence)
    assert broken(evidence) == {name}


@pytest.mark.parametrize(
    "pages",
    [
        [page(OPENS - 2, secret=SECRET), page(OPENS)],
        [page(OPENS - 2, size=EARLY), page(OPENS)],
        [page(OPENS - 2, commitment="ab" * 32), page(OPENS)],
        [page(OPENS - 3), page(OPENS - 2, commitment="ab" * 32), page(OPENS)],
        [page(OPENS - 2), page(OPENS, secret="ab" * 32)],
        [page(OPENS - 2), page(OPENS, epoch=2)],
        [page(OPENS - 2), page(OPENS, size=EARLY + 1)],
        [page(OPENS - 2), page(OPENS, recipe="another")],
    ],
    ids=["secret", "size", "commitment", "exchanged", "other secret", "epoch", "false size", "recipe"],
)
def test_a_draw_that_does_not_follow_from_what_was_published_is_found(pages: list[dict[str, Any]]) -> None:
    assert "draw as published" in broken(day(pages=pages))


@pytest.mark.parametrize("pages", [[], [page(OPENS - 1)], [page(OPENS)]], ids=["none", "before", "after"])
def test_a_draw_that_was_not_seen_from_both_sides_is_not_checked(pages: list[dict[str, Any]]) -> None:
    finding = found(day(pages=pages))["draw as published"]
    assert (finding.verdict, finding.required) == (Verdict.UNCHECKED, True)


def test_without_lots_places_are_numbers_and_early_ones_come_first() -> None:
    evidence = day(lots=False)
    for each in evidence.journeys:
        each.turns = [replace(each.turns[0], place=each.turns[0].number)]
    assert found(evidence)["draw as published"].required is False
    assert found(evidence)["early before later"].verdict is Verdict.BROKEN
    for each in evidence.journeys:
        called_ms = OPENS_OWN + 10 * (each.turns[0].number or 0)
        each.turns = [replace(each.turns[0], called_ms=called_ms, waiting_sent_ms=called_ms - 5)]
    assert broken(evidence) == set()


def test_rates_are_of_the_first_ten_seconds_and_of_the_quiet_minute_before() -> None:
    asked_ms = [*range(OPENS_OWN - 60_000, OPENS_OWN, 100), *range(OPENS_OWN, OPENS_OWN + 10_000, 20)]
    asked_ms += [OPENS_OWN + 3_000] * 5
    evidence = day(asked_ms=asked_ms)
    assert evidence.opening is not None
    told = rates(evidence, evidence.opening)
    assert (told["before_s"], told["before_per_s"], told["first_10_s_per_s"], told["ratio"]) == (60, 10.0, 50.5, 5.05)
    assert (told["peak_per_s"], told["peak_at_s"]) == (55, 3)


def test_half_come_before_the_opening_and_half_after_it() -> None:
    plans = plan_opening(
        opens_ms=9_000, visitors=101, arrive_ms=4_000, arrivals=Arrivals.POISSON, shares=Shares(), cheats=tuple(Cheat),
        seed=3,
    )  # fmt: skip
    assert [plan.index for plan in plans] == list(range(101))
    assert [plan.early for plan in plans] == [True] * 51 + [False] * 50
    assert max(plan.arrives_ms for plan in plans if plan.early) <= 4_000
    assert all(9_000 <= plan.arrives_ms <= 13_000 for plan in plans if not plan.early)
