"""The project's invariants, checked against what visitors saw and what the store said. Pure.

One `Finding` per check. "ok" is said only of what was really looked at: where there was nothing to look at, the
finding is "not checked" with the reason, and a run that leaves a required one unchecked has proven nothing.
"""

from bisect import bisect_left
from typing import Final

from loadtest.estimates import check_estimates
from loadtest.evidence import Evidence, Finding, Sample, Verdict, judge
from loadtest.flow import (
    check_ceiling_by_store,
    check_ceiling_by_visitors,
    check_outflow_by_store,
    check_outflow_by_visitors,
    turns_inside,
)
from loadtest.ledger import (
    check_false_tokens,
    check_issued,
    check_nothing_lost,
    check_one_pass,
    check_repeats,
    check_still_waiting,
    check_unique,
)
from loadtest.logs import Logs, check_logs
from loadtest.scenario import Kind
from shared.wire import RoomState

# Workers of a gateway look at the store a few times in a second: what one knows another may learn this much later.
STALE_MS: Final = 1_000
# While the store is away a gateway tells what it last knew, and says "catching up" when that is older than this.
AWAY_MS: Final = 3_000
# Gateways find out that the store is away, and back, this far apart.
GRACE_NEAR_MS: Final = 1_500


def check_all(evidence: Evidence, logs: Logs | None = None) -> tuple[Finding, ...]:
    """Every check there is something to be looked at for. logs: None if none were named."""
    samples = evidence.samples
    ceiling = max((sample.ceiling for sample in samples), default=None)
    outflow = max((sample.outflow_per_minute for sample in samples), default=None)
    found = (
        check_ceiling_by_store(evidence),
        check_ceiling_by_visitors(evidence, ceiling),
        check_outflow_by_store(evidence, outflow),
        check_outflow_by_visitors(evidence, outflow),
        check_serving(evidence),
        check_order_by_store(evidence),
        check_order_by_visitors(evidence),
        check_one_pass(evidence),
        check_repeats(evidence),
        check_no_way_round(evidence),
        check_tricks(evidence),
        check_false_tokens(evidence),
        check_unique(evidence),
        check_issued(evidence),
        check_nothing_lost(evidence),
        check_still_waiting(evidence),
        *check_logs(evidence, logs),
        check_opening(evidence),
        *check_estimates(evidence),
        Finding(
            8, "nothing kept per waiting visitor", Verdict.UNCHECKED, "cannot be seen from outside", required=False
        ),
    )
    return tuple(sorted(found, key=lambda finding: finding.invariant))


def check_serving(evidence: Evidence) -> Finding:
    name = "serving never goes back"
    if not evidence.samples:
        return Finding(3, name, Verdict.UNCHECKED, "no samples of the operator API")
    samples = evidence.samples
    falls = []
    # The newest by each gateway; and the highest by any, as every gateway must know it a while later.
    newest: dict[str, Sample] = {}
    highest, known = 0, 0
    for sample in samples:
        if any(other.epoch != sample.epoch for other in newest.values()):
            newest.clear()
            highest = 0
        while samples[known].got_ms + _stale_ms(evidence) <= sample.sent_ms:
            if samples[known].epoch == sample.epoch:
                highest = max(highest, samples[known].serving)
            known += 1
        before = newest.get(sample.gateway)
        if before is not None and sample.serving < before.serving and sample.sent_ms >= before.got_ms:
            falls.append(f"{before.serving} then {sample.serving}")
        elif sample.fresh and sample.serving < highest:
            falls.append(f"{highest}, and later {sample.serving} by another gateway")
        newest[sample.gateway] = sample
    gateways = f" of {len(names)} gateways" if len(names := {sample.gateway for sample in samples}) > 1 else ""
    return judge(3, name, falls, f"{samples[0].serving} to {samples[-1].serving} in {len(samples)} samples{gateways}")


def check_order_by_store(evidence: Evidence) -> Finding:
    """Whoever was called or let in had a place that the store, asked at once, had called."""
    name = "only called places enter, by the store"
    samples = evidence.samples
    stale_ms = _stale_ms(evidence)
    sent = [sample.sent_ms for sample in samples]
    wrong, unsampled, right = [], 0, 0
    for turn in (turn for journey in evidence.journeys for turn in journey.turns):
        known = [moment for moment in (turn.called_ms, turn.entered_ms) if moment is not None]
        if not known or turn.place is None:
            continue
        start = bisect_left(sent, min(known))
        soon = [sample for sample in samples[start : start + 50] if sample.sent_ms <= min(known) + stale_ms]
        if any(sample.serving >= turn.place for sample in soon) or (start and samples[start - 1].serving >= turn.place):
            right += 1
        elif soon and _is_decisive(evidence, soon[-1], min(known)):
            wrong.append(f"place {turn.place} at {min(known) / 1000:.1f} s, serving {soon[-1].serving}")
        else:
            unsampled += 1
    if not wrong and (not right or unsampled > right):
        return Finding(3, name, Verdict.UNCHECKED, f"{unsampled} called with no sample within {stale_ms} ms after")
    missed = f", {unsampled} without a sample" if unsampled else ""
    return judge(3, name, wrong, f"{right} places{missed}")


def check_order_by_visitors(evidence: Evidence) -> Finding:
    """Nobody was told "waiting" well after someone with a higher place was called."""
    name = "no place called before a lower one, by the visitors"
    turns = [turn for journey in evidence.journeys for turn in journey.turns]
    called = sorted(
        (turn.place, turn.called_ms) for turn in turns if turn.place is not None and turn.called_ms is not None
    )
    # earliest[i]: when the first of the places called[i:] was seen to be called.
    earliest, soonest = [0] * len(called), 10**12
    for index in range(len(called) - 1, -1, -1):
        soonest = min(soonest, called[index][1])
        earliest[index] = soonest
    stale_ms = _stale_ms(evidence)
    wrong, looked = [], 0
    for turn in turns:
        if turn.waiting_sent_ms is None or turn.place is None:
            continue
        looked += 1
        index = bisect_left(called, (turn.place + 1, 0))
        late = index < len(called) and turn.waiting_sent_ms > earliest[index] + stale_ms
        # As the store comes back, nobody is admitted before a tick: who was called is told to wait that long.
        if late and not _was_away(evidence, turn.waiting_sent_ms):
            late_s = (turn.waiting_sent_ms - earliest[index]) / 1000
            wrong.append(f"place {turn.place} still waiting {late_s:.1f} s after a higher one was called")
    if not looked:
        return Finding(3, name, Verdict.UNCHECKED, "nobody had to wait")
    return judge(3, name, wrong, f"{looked} who waited, {stale_ms} ms between workers allowed")


def _stale_ms(evidence: Evidence) -> int:
    return STALE_MS + AWAY_MS if evidence.disturbed else STALE_MS


def _is_decisive(evidence: Evidence, sample: Sample, known_ms: int) -> bool:
    """Whether what a sample does not know, its gateway does not know either, rather than not yet."""
    return not evidence.disturbed or (sample.fresh and sample.sent_ms >= known_ms + AWAY_MS)


def check_no_way_round(evidence: Evidence) -> Finding:
    name = "nobody inside without a pass of the gate"
    unproven = [f"visitor {j.plan.index} was answered without one" for j in evidence.journeys if j.unproven]
    entered = len(turns_inside(evidence))
    if not entered and not unproven:
        return Finding(5, name, Verdict.UNCHECKED, "nobody was let in")
    return judge(5, name, unproven, f"{entered} entered, each with number and pass")


def check_tricks(evidence: Evidence) -> Finding:
    name = "no trick gets through"
    tricks = [journey.trick for journey in evidence.journeys if journey.trick is not None]
    through = [f"{trick.cheat}: {text}" for trick in tricks for text in trick.evidence]
    ended = [used for trick in tricks for used in trick.by_ended_pass]
    graced = [used for used in ended if _was_away(evidence, used[0])]
    through += [f"a pass that had ended: {what}" for at_ms, what in ended if not _was_away(evidence, at_ms)]
    tried = sum(trick.tried for trick in tricks)
    if not tried:
        planned = any(journey.plan.kind is Kind.CHEAT for journey in evidence.journeys)
        return Finding(5, name, Verdict.UNCHECKED, "no trick was tried", required=planned)
    never = sorted({trick.cheat for trick in tricks} - {trick.cheat for trick in tricks if trick.tried})
    words = f", {len(graced)} ended passes honoured for the grace while the store was away" if graced else ""
    words += f"; never tried: {', '.join(never)}" if never else ""
    return judge(5, name, through, f"{tried} tries of {len({t.cheat for t in tricks if t.tried})} kinds{words}")


def _was_away(evidence: Evidence, at_ms: int) -> bool:
    """Whether a gateway said about then that it could not ask the line."""
    index = bisect_left(evidence.away_ms, at_ms - GRACE_NEAR_MS)
    return index < len(evidence.away_ms) and evidence.away_ms[index] <= at_ms + GRACE_NEAR_MS


def check_opening(evidence: Evidence) -> Finding:
    name = "nobody admitted before opening"
    before = [sample for sample in evidence.samples if sample.state == RoomState.PREQUEUE]
    if not before:
        return Finding(7, name, Verdict.UNCHECKED, "the room was open from the start", required=False)
    closed_ms = before[-1].sent_ms
    early = [
        f"place {turn.place} at {turn.entered_ms / 1000:.1f} s"
        for turn in turns_inside(evidence)
        if turn.entered_ms is not None and turn.entered_ms <= closed_ms
    ]
    if before[-1].counters.get("admitted", 0) > evidence.samples[0].counters.get("admitted", 0):
        early.append("the store's counter grew before opening")
    return judge(7, name, early, f"before opening for {closed_ms / 1000:.1f} s of the run")
