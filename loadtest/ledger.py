"""Checks of what each number was good for: issued once, lost never, one pass and no second. Pure.

The store's counts and what the visitors hold are two records of the same events, kept by two programs: they must agree.
"""

from collections import defaultdict
from collections.abc import Sequence

from loadtest.evidence import Evidence, Finding, Verdict, judge
from loadtest.flow import turns_inside


def check_one_pass(evidence: Evidence) -> Finding:
    name = "a place yields one pass"
    turns = turns_inside(evidence)
    twice = _repeated([turn.place for turn in turns if turn.place is not None])
    wrong = [f"place {place} entered by two visitors" for place in sorted(twice)]
    admitted, entered = _grown(evidence, "admitted"), len(turns)
    if admitted is None:
        return judge(4, name, wrong, "") if wrong else Finding(4, name, Verdict.UNCHECKED, _why_no_counts(evidence))
    if admitted < entered:
        wrong.append(f"{entered} places entered, the store admitted only {admitted}")
    if evidence.alone and admitted > entered + evidence.orphans:
        wrong.append(f"the store admitted {admitted}, but only {entered} places entered")
    return judge(4, name, wrong, f"{entered} entered, {admitted} admitted{_lost(evidence)}")


def check_repeats(evidence: Evidence) -> Finding:
    name = "a lost answer costs nobody the turn"
    planned = sum(journey.plan.repeats_claim for journey in evidence.journeys)
    tried = sum(journey.repeats_tried for journey in evidence.journeys)
    if not tried:
        return Finding(4, name, Verdict.UNCHECKED, "nobody claimed again", required=planned > 0)
    refused = [f"visitor {j.plan.index}: {text}" for j in evidence.journeys for text in j.repeats_refused]
    return judge(4, name, refused, f"{tried} claimed again with the old cookies, all let in again")


def check_unique(evidence: Evidence) -> Finding:
    name = "no number issued twice"
    if _reset(evidence):
        return Finding(6, name, Verdict.UNCHECKED, "the room was reset during the run")
    numbers, untold = _numbers(evidence)
    if not numbers:
        return Finding(6, name, Verdict.UNCHECKED, "nobody was told a number")
    figures = f"{len(numbers)} numbers{_untold(untold)}"
    holders = defaultdict(list)
    for journey in evidence.journeys:
        for turn in journey.turns:
            holders[turn.number].append(str(journey.plan.index))
    wrong = [f"number {number} of visitors {' and '.join(holders[number])}" for number in sorted(_repeated(numbers))]
    return judge(6, name, wrong, figures)


def check_issued(evidence: Evidence) -> Finding:
    name = "numbers issued are numbers seen"
    if len(evidence.samples) < 2 or _reset(evidence):  # noqa: PLR2004 - a before and an after
        return Finding(6, name, Verdict.UNCHECKED, _why_no_counts(evidence))
    numbers, untold = _numbers(evidence)
    seen = set(numbers)
    first, last = evidence.samples[0].tail, evidence.samples[-1].tail
    wrong = [f"number {number} is none of {first + 1}..{last}" for number in sorted(seen) if not first < number <= last]
    unseen = last - first - len(seen) - untold
    if unseen < 0:
        wrong.append(f"{len(seen) + untold} had, only {last - first} issued")
    # After an unclean stop, of a gateway or of its store, the line skips a block of numbers, which harms nobody.
    if evidence.alone and not evidence.disturbed and unseen > evidence.orphans:
        wrong.append(f"{last - first} issued, only {len(seen) + untold} had")
    figures = f"{len(seen)} seen{_untold(untold)}, {last - first} issued{_lost(evidence)}"
    return judge(6, name, wrong, figures)


def check_nothing_lost(evidence: Evidence) -> Finding:
    """No waiting visitor lost its number, no visitor inside its pass before its time."""
    name = "no ticket or pass is lost"
    wrong = [f"visitor {j.plan.index}: {text}" for j in evidence.journeys for text in j.losses]
    idle_ms = 1000 * min((sample.idle_limit_s for sample in evidence.samples), default=10**9)
    length_ms = 1000 * min((sample.session_length_s for sample in evidence.samples), default=10**9)
    for turn in turns_inside(evidence):
        if turn.put_out_ms is None or turn.inside_until_ms is None or turn.entered_sent_ms is None:
            continue
        if turn.put_out_ms - turn.inside_until_ms < idle_ms and turn.put_out_ms - turn.entered_sent_ms < length_ms:
            wrong.append(f"place {turn.place} put out after {(turn.put_out_ms - turn.entered_sent_ms) / 1000:.1f} s")
    held = sum(bool(journey.turns) for journey in evidence.journeys)
    if not held:
        return Finding(6, name, Verdict.UNCHECKED, "nobody was given a number")
    return judge(6, name, wrong, f"{held} visitors, {evidence.reconnects} reconnects")


def check_still_waiting(evidence: Evidence) -> Finding:
    """Of a run that was over first: whoever waited then has the number they were given."""
    name = "who still waits has the same number"
    asked = [journey for journey in evidence.journeys if journey.called_out is not None]
    if not asked:
        return Finding(6, name, Verdict.UNCHECKED, "nobody was left waiting", required=False)
    silent = sum(not journey.called_out for journey in asked)
    if silent:
        return Finding(6, name, Verdict.UNCHECKED, f"{silent} of {len(asked)} were given no answer in time")
    wrong = [f"visitor {j.plan.index}: {text}" for j in asked for text in j.losses]
    return judge(6, name, wrong, f"{len(asked)} asked once more when the run was over")


def check_false_tokens(evidence: Evidence) -> Finding:
    """What was forged, altered or put in the wrong place is in the room's counter `damaged`, each time it was sent."""
    name = "every false token is counted"
    sent, lost = evidence.false_answered, evidence.false_lost
    if not sent:
        return Finding(5, name, Verdict.UNCHECKED, "none was sent", required=False)
    if len(evidence.samples) < 2 or _reset(evidence):  # noqa: PLR2004 - a before and an after
        return Finding(5, name, Verdict.UNCHECKED, _why_no_counts(evidence), required=False)
    if not evidence.alone:
        return Finding(5, name, Verdict.UNCHECKED, "others used the room too", required=False)
    # A counter that is not there has counted nothing.
    before, after = (sample.counters.get("damaged", 0) for sample in (evidence.samples[0], evidence.samples[-1]))
    grown = after - before
    # Who waits for a store that is slow is answered, and counted, once without it and once when it answers.
    most = sent + lost + len(evidence.away_ms)
    # A gateway that is killed takes along what it had yet to write.
    least = 0 if evidence.disturbed else sent
    wrong = [] if least <= grown <= most else [f"{sent} sent, {grown} counted"]
    return judge(5, name, wrong, f"{sent} sent{f', {lost} without an answer' if lost else ''}, {grown} counted")


def _numbers(evidence: Evidence) -> tuple[list[int], int]:
    """All numbers told, and how many turns had one that was not."""
    turns = [turn for journey in evidence.journeys for turn in journey.turns]
    numbers = [turn.number for turn in turns if turn.number is not None]
    return numbers, len(turns) - len(numbers)


def _repeated(numbers: Sequence[int]) -> set[int]:
    seen: set[int] = set()
    return {number for number in numbers if number in seen or seen.add(number)}  # type: ignore[func-returns-value]


def _grown(evidence: Evidence, counter: str) -> int | None:
    """By how much a counter grew in the run; None where that cannot be told."""
    if len(evidence.samples) < 2 or _reset(evidence):  # noqa: PLR2004 - a before and an after
        return None
    before, after = evidence.samples[0].counters, evidence.samples[-1].counters
    return after[counter] - before.get(counter, 0) if counter in after else None


def _reset(evidence: Evidence) -> bool:
    return len({sample.epoch for sample in evidence.samples}) > 1


def _why_no_counts(evidence: Evidence) -> str:
    return "the room was reset during the run" if _reset(evidence) else "no counts of the operator API"


def _lost(evidence: Evidence) -> str:
    return f", {evidence.orphans} answers lost" if evidence.orphans else ""


def _untold(count: int) -> str:
    return f", {count} not told" if count else ""
