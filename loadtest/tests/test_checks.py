"""The checks alone, on evidence made by hand: what must be found, and what must not be."""

from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest import checks, flow, ledger
from loadtest.client import Client
from loadtest.evidence import Evidence, Finding, Journey, Sample, Trick, Turn, Verdict
from loadtest.scenario import Cheat, Kind, VisitorPlan
from shared.wire import TICKET_HEADER


def journey(index: int, *turns: Turn) -> Journey:
    made = Journey(VisitorPlan(index, 0, Kind.HONEST, None, repeats_claim=False, seed=0))
    made.turns = list(turns)
    return made


def entered(place: int, sent_ms: int, got_ms: int, until_ms: int | None = None) -> Turn:
    return Turn(place, place, entered_sent_ms=sent_ms, entered_ms=got_ms, inside_until_ms=until_ms or got_ms)


def sample(at_ms: int, **changes: Any) -> Sample:
    settings = {
        "total_active_users": 5,
        "new_users_per_minute": 60,
        "idle_limit_s": 300,
        "session_length_s": 600,
        **changes.pop("settings", {}),
    }
    counters = {"admitted": 0, "peak_live": 0, **changes.pop("counters", {})}
    usual = Sample(at_ms, at_ms + 1, 1, "open", settings, tail=0, serving=0, waiting=0, live=0, counters=counters)
    return replace(usual, **changes)


def visitors(*turns: Turn, samples: tuple[Sample, ...] = (), **changes: Any) -> Evidence:
    return Evidence([journey(index, turn) for index, turn in enumerate(turns)], samples, **changes)


def verdict(finding: Finding) -> Verdict:
    return finding.verdict


def test_a_peak_from_before_the_run_under_a_higher_ceiling_is_no_offence() -> None:
    before, after = sample(0, counters={"peak_live": 9}), sample(900, live=5, counters={"peak_live": 9})
    assert verdict(flow.check_ceiling_by_store(visitors(samples=(before, after)))) is Verdict.OK
    grown = sample(900, live=5, counters={"peak_live": 10})
    assert verdict(flow.check_ceiling_by_store(visitors(samples=(before, grown)))) is Verdict.BROKEN


def test_visitors_inside_at_the_same_time_are_counted() -> None:
    turns = [entered(place, 0, 10 * place, 1000) for place in range(1, 7)]
    assert verdict(flow.check_ceiling_by_visitors(visitors(*turns), 5)) is Verdict.BROKEN
    assert verdict(flow.check_ceiling_by_visitors(visitors(*turns), 6)) is Verdict.OK
    gone = [entered(place, 1000 * place, 1000 * place + 10, 1000 * place + 900) for place in range(1, 7)]
    assert verdict(flow.check_ceiling_by_visitors(visitors(*gone), 1)) is Verdict.OK


def test_a_burst_within_the_outflow_of_two_seconds_is_allowed_and_more_is_not() -> None:
    # 600 a minute: 20 at once and one more, and 5 for the tolerance of half a second.
    allowed = visitors(*(entered(place, 100, 110) for place in range(1, 27)))
    above = visitors(*(entered(place, 100, 110) for place in range(1, 29)))
    assert verdict(flow.check_outflow_by_visitors(allowed, 600)) is Verdict.OK
    assert verdict(flow.check_outflow_by_visitors(above, 600)) is Verdict.BROKEN


def test_a_burst_is_of_whole_users_and_one_more() -> None:
    # 100 a minute: two seconds' worth are 3.3, so 4 and one more; the tolerance is 0.8, which lets nobody more in.
    for count, expected in ((5, Verdict.OK), (6, Verdict.BROKEN)):
        turns = (entered(place, 100, 110) for place in range(1, count + 1))
        assert verdict(flow.check_outflow_by_visitors(visitors(*turns), 100)) is expected


def test_answers_that_came_late_together_are_not_taken_for_a_burst() -> None:
    """Claims sent over ten seconds, all answered at once after a stall, may have been admitted all along."""
    late = visitors(*(entered(place, 100 * place, 10_100) for place in range(1, 101)))
    assert verdict(flow.check_outflow_by_visitors(late, 600)) is Verdict.OK


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 500)), min_size=1, max_size=30))
def test_the_window_search_finds_what_trying_all_windows_finds(spans: list[tuple[int, int]]) -> None:
    turns = [entered(place, sent, sent + took) for place, (sent, took) in enumerate(spans, 1)]
    finding = flow.check_outflow_by_visitors(visitors(*turns), 120)
    ends = [(turn.entered_sent_ms or 0, turn.entered_ms or 0) for turn in turns]

    # 120 a minute: 5 of burst and 1 of tolerance; the search's windows are up to half as long again.
    def most_over(stretch: float) -> float:
        return max(
            sum(start <= sent and got <= end for sent, got in ends) - 0.002 * max(50, (end - start) * stretch)
            for start, _ in ends
            for _, end in ends
            if end > start
        )

    if most_over(1.5) > 6:
        assert verdict(finding) is Verdict.BROKEN
    if most_over(1.0) <= 6:
        assert verdict(finding) is Verdict.OK


def test_the_stores_own_count_is_held_to_the_outflow() -> None:
    steady = tuple(sample(1000 * second, counters={"admitted": second}) for second in range(20))
    jump = (*steady, sample(20_000, counters={"admitted": 30}))
    assert verdict(flow.check_outflow_by_store(visitors(samples=steady), 60)) is Verdict.OK
    assert verdict(flow.check_outflow_by_store(visitors(samples=jump), 60)) is Verdict.BROKEN


def test_a_lower_place_still_waiting_after_a_higher_one_was_called_is_found() -> None:
    ahead = Turn(7, 7, called_ms=1000)
    for waiting_ms, expected in ((1900, Verdict.OK), (2100, Verdict.BROKEN)):
        behind = Turn(3, 3, waiting_sent_ms=waiting_ms)
        assert verdict(checks.check_order_by_visitors(visitors(ahead, behind))) is expected
    higher = Turn(9, 9, waiting_sent_ms=9000)
    assert verdict(checks.check_order_by_visitors(visitors(ahead, higher))) is Verdict.OK


def test_who_was_told_to_wait_as_the_store_came_back_was_not_overtaken() -> None:
    ahead, behind = Turn(7, 7, called_ms=1_000), Turn(3, 3, waiting_sent_ms=8_000)
    for away_ms, expected in (((2_000, 7_000), Verdict.OK), ((2_000, 6_000), Verdict.BROKEN)):
        assert verdict(checks.check_order_by_visitors(visitors(ahead, behind, away_ms=away_ms))) is expected


def test_a_place_entered_before_the_store_called_it_is_found() -> None:
    turn = entered(8, 90, 100)
    for serving, expected in ((8, Verdict.OK), (7, Verdict.BROKEN)):
        samples = (sample(0), sample(150, serving=serving), sample(5000, serving=50))
        assert verdict(checks.check_order_by_store(visitors(turn, samples=samples))) is expected
    assert verdict(checks.check_order_by_store(visitors(turn, samples=(sample(0), sample(5000))))) is Verdict.UNCHECKED


def test_lost_answers_allow_for_numbers_nobody_saw_but_never_for_one_seen_twice() -> None:
    turns = (Turn(1, 1), Turn(2, 2))
    samples = (sample(0), sample(900, tail=3))
    assert verdict(ledger.check_issued(visitors(*turns, samples=samples))) is Verdict.BROKEN
    assert verdict(ledger.check_issued(visitors(*turns, samples=samples, orphans=1))) is Verdict.OK
    assert verdict(ledger.check_issued(visitors(*turns, samples=samples, reconnects=1))) is Verdict.OK
    assert verdict(ledger.check_issued(visitors(*turns, samples=samples, alone=False))) is Verdict.OK
    assert verdict(ledger.check_unique(visitors(Turn(2, 2), Turn(2, 2), reconnects=9))) is Verdict.BROKEN


def test_a_number_outside_what_was_issued_is_found() -> None:
    samples = (sample(0, tail=10), sample(900, tail=11))
    assert verdict(ledger.check_issued(visitors(Turn(4, 4), samples=samples))) is Verdict.BROKEN


def test_more_admissions_than_entries_are_a_second_pass() -> None:
    turns = (entered(1, 0, 1), entered(2, 0, 1))
    for admitted, expected in ((2, Verdict.OK), (3, Verdict.BROKEN)):
        evidence = visitors(*turns, samples=(sample(0), sample(900, counters={"admitted": admitted})))
        assert verdict(ledger.check_one_pass(evidence)) is expected


@pytest.mark.parametrize("limit", ["idle_limit_s", "session_length_s"])
def test_a_pass_that_ended_at_its_limit_is_not_lost(limit: str) -> None:
    turn = entered(1, 0, 10)
    turn.put_out_ms = 5000
    for limit_s, expected in ((4, Verdict.OK), (60, Verdict.BROKEN)):
        samples = (sample(0, settings={limit: limit_s}),)
        assert verdict(ledger.check_nothing_lost(visitors(turn, samples=samples))) is expected


def test_a_reset_during_the_run_leaves_numbers_unchecked() -> None:
    samples = (sample(0), sample(900, epoch=2))
    evidence = visitors(Turn(1, 1), Turn(1, 1), samples=samples)
    assert verdict(ledger.check_unique(evidence)) is Verdict.UNCHECKED
    assert verdict(ledger.check_issued(evidence)) is Verdict.UNCHECKED


def test_no_evidence_is_never_ok() -> None:
    findings = checks.check_all(visitors())
    assert all(finding.verdict is Verdict.UNCHECKED and finding.evidence for finding in findings)
    assert {finding.invariant for finding in findings} == set(range(1, 9))


def test_serving_that_falls_is_found_at_any_gateway_and_lateness_of_another_is_not() -> None:
    def seen(at_ms: int, gateway: str, serving: int, *, fresh: bool = True) -> Sample:
        return sample(at_ms, gateway=gateway, serving=serving, fresh=fresh)

    late = (seen(0, "a", 9), seen(500, "b", 5), seen(5_000, "b", 9))
    never = (seen(0, "a", 9), seen(5_000, "b", 5))
    away = (seen(0, "a", 9), seen(5_000, "b", 5, fresh=False))
    back = (seen(0, "a", 9), seen(500, "b", 9), seen(700, "a", 8))
    for samples, expected in (
        (late, Verdict.OK),
        (never, Verdict.BROKEN),
        (away, Verdict.OK),
        (back, Verdict.BROKEN),
    ):
        assert verdict(checks.check_serving(visitors(samples=samples, troubles=1))) is expected


def test_a_gateway_cut_off_from_its_store_is_no_witness_of_who_was_called() -> None:
    turn = entered(8, 90, 100)
    for fresh, sent_ms, expected in (
        (True, 3_200, Verdict.BROKEN),
        (True, 900, Verdict.UNCHECKED),
        (False, 3_200, Verdict.UNCHECKED),
    ):
        evidence = visitors(turn, samples=(sample(0), sample(sent_ms, serving=7, fresh=fresh)), troubles=1)
        assert verdict(checks.check_order_by_store(evidence)) is expected


def test_the_pass_of_a_finished_visit_counts_only_while_the_store_is_away() -> None:
    cheat = journey(0)
    cheat.trick = Trick(Cheat.USED_TICKET, tried=4, by_ended_pass=[(9_000, "GET /")])
    for away_ms, expected in (((8_000,), Verdict.OK), ((2_000, 30_000), Verdict.BROKEN), ((), Verdict.BROKEN)):
        assert verdict(checks.check_tricks(Evidence([cheat], (), away_ms=away_ms))) is expected


def test_who_still_waits_at_the_end_must_have_been_told_the_same_number() -> None:
    evidence = visitors(Turn(1, 1), Turn(2, 2))
    assert verdict(ledger.check_still_waiting(evidence)) is Verdict.UNCHECKED
    first, second = evidence.journeys
    first.called_out = second.called_out = True
    assert verdict(ledger.check_still_waiting(evidence)) is Verdict.OK
    second.losses.append("number 2 became 3")
    assert verdict(ledger.check_still_waiting(evidence)) is Verdict.BROKEN
    second.called_out = False
    finding = ledger.check_still_waiting(evidence)
    assert (finding.verdict, finding.required) == (Verdict.UNCHECKED, True)


def test_a_gate_that_does_not_count_each_false_token_is_found() -> None:
    def found(sent: int, lost: int, counted: int, **changes: Any) -> Verdict:
        samples = (sample(0, counters={"damaged": 5}), sample(900, counters={"damaged": 5 + counted}))
        return verdict(
            ledger.check_false_tokens(visitors(samples=samples, false_answered=sent, false_lost=lost, **changes))
        )

    assert found(7, 0, 7) is Verdict.OK
    assert found(7, 2, 8) is Verdict.OK
    assert found(7, 0, 6) is found(7, 0, 8) is found(7, 2, 10) is Verdict.BROKEN
    assert found(7, 0, 8, alone=False) is found(0, 0, 0) is Verdict.UNCHECKED


async def test_a_false_cookie_or_header_is_known_whenever_it_is_sent() -> None:
    client = Client(Mock(), sockets=1)
    client.forge("sunbeon_ticket_a", "x")
    client.forge(TICKET_HEADER, "y")
    for headers in (
        {"Cookie": "a=b; sunbeon_ticket_a=x"},
        {"Cookie": "__Host-sunbeon_ticket_a=x"},
        {TICKET_HEADER: "y"},
    ):
        assert client._is_false(headers)
    for headers in ({"Cookie": "sunbeon_pass_a=x"}, {"Cookie": "sunbeon_ticket_a=xx"}, {TICKET_HEADER: "x"}, {}):
        assert not client._is_false(headers)
