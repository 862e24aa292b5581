"""Checks of an opening that fell into the run: on time, by the lots published, in their order, no stampede. Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from typing import Any, Final

from loadtest.checks import check_order_by_visitors
from loadtest.evidence import Evidence, Finding, Journey, Opening, Turn, Verdict, judge
from loadtest.flow import turns_inside
from loadtest.lots import RECIPE, Lots, commits_to

# How the gate has people ask who wait: the longest pause, and over which part of it they are spread after an opening.
LONGEST_POLL_MS: Final = 120_000
LONGEST_SPREAD_MS: Final = 25_000
SPREAD_PART: Final = 4

LOOK_MS: Final = 10_000
BEFORE_MS: Final = 60_000
# Lots fall unevenly: four standard deviations, and a tenth for the fraction of a second that a tick takes.
DEVIATIONS: Final = 4
SLACK: Final = 1.1

# What may stand on the public page before the draw, and what must not change with it.
_LASTING: Final = ("room", "epoch", "recipe", "commitment")
_SECRET: Final = ("secret", "size")


def check_opening_day(evidence: Evidence) -> tuple[Finding, ...]:
    """Nothing, if the run brought about no opening."""
    opening = evidence.opening
    if opening is None:
        return ()
    return (
        check_on_time(evidence, opening),
        check_published(evidence, opening),
        check_drawn_order(evidence, opening),
        check_stampede(evidence, opening),
    )


def check_on_time(evidence: Evidence, opening: Opening) -> Finding:
    name = "opened on time, by the server's clock"
    inside = turns_inside(evidence)
    told = sorted(turn.entered_server_ms for turn in inside if turn.entered_server_ms)
    wrong = [f"let in {opening.opens_at_ms - at_ms} ms before" for at_ms in told if at_ms < opening.opens_at_ms]
    entered = [turn.entered_ms for turn in inside if turn.entered_ms is not None]
    if not told:
        return Finding(7, name, Verdict.UNCHECKED, "nobody who had waited was let in")
    first_s = (min(entered) - opening.opens_ms) / 1000
    return judge(7, name, wrong, f"the first one inside {first_s:.1f} s after it, of {len(entered)}")


def check_published(evidence: Evidence, opening: Opening) -> Finding:
    """What was published before fits what was published after, and everyone has the place that follows from it."""
    name = "draw as published"
    if not opening.lots:
        return Finding(7, name, Verdict.UNCHECKED, "places go by number here", required=False)
    before = [page for page in opening.pages if page["server_time_ms"] < opening.opens_at_ms]
    lots, last = drawn(opening), opening.pages[-1] if opening.pages else None
    if not before or lots is None or last is None:
        return Finding(7, name, Verdict.UNCHECKED, "not seen both before the opening and after it")
    wrong = [f"{field} was public before the opening" for field in _SECRET if any(page[field] for page in before)]
    wrong += [f"{key} changed" for key in _LASTING if any(page[key] != last[key] for page in opening.pages)]
    if last["recipe"] != RECIPE:
        wrong.append(f"the recipe is {last['recipe']}")
    if not commits_to(last["secret"], before[0]["commitment"]):
        wrong.append("the secret is not the one that was committed to")
    turns = [turn for journey in evidence.journeys for turn in journey.turns if turn.number is not None]
    known = [turn for turn in turns if turn.place is not None]
    wrong += [
        f"number {turn.number} has place {turn.place}, not {lots.place(turn.number or 0)}"
        for turn in known
        if turn.place != lots.place(turn.number or 0)
    ]
    late = [turn.number for turn in _waited_before(evidence, opening) if (turn.number or 0) > lots.size]
    wrong += [f"number {number} was told before the opening, and drew no lot" for number in late]
    return judge(7, name, wrong, f"{len(known)} places recomputed, {lots.size} of them drawn")


def check_drawn_order(evidence: Evidence, opening: Opening) -> Finding:
    """Nobody was told to wait well after someone whose lot, or number, comes later was called."""
    name = "order as drawn" if opening.lots else "early before later"
    lots = drawn(opening) if opening.lots else None
    if opening.lots and lots is None:
        return Finding(3, name, Verdict.UNCHECKED, "lots were not seen to be drawn")
    journeys = [
        replace(journey, turns=[replace(turn, place=_place(turn, lots)) for turn in journey.turns])
        for journey in evidence.journeys
    ]
    found = check_order_by_visitors(replace(evidence, journeys=journeys))
    called = Counter(j.plan.early for j in journeys for turn in j.turns if turn.called_ms is not None)
    figures = f"{called[True]} who came early and {called[False]} later ones called; {found.evidence}"
    return replace(found, name=name, evidence=figures if found.verdict is Verdict.OK else found.evidence)


def check_stampede(evidence: Evidence, opening: Opening) -> Finding:
    """Those who waited for the opening ask after it no faster than the schedule of polls spreads them.

    Everyone asks once, at a moment drawn by lot from the spread: so in any part of it no more than that part of them,
    but for chance. Without lots those in front may ask when they are called, which the outflow bounds.
    """
    name = "no stampede at the opening"
    asked = sorted(j.asked_at_opening_ms - opening.opens_ms for j in evidence.journeys if j.asked_at_opening_ms)
    if not asked or not evidence.samples:
        return Finding(7, name, Verdict.UNCHECKED, "nobody had waited for it, or the claim window is not known")
    window_s = int(str(evidence.samples[-1].settings.get("claim_window_s", 300)))
    spread_ms = min(LONGEST_SPREAD_MS, min(LONGEST_POLL_MS, window_s * 1000 // 3) // SPREAD_PART)
    look_ms = min(LOOK_MS, spread_ms // 2)
    called = 0 if opening.lots else look_ms * evidence.samples[-1].outflow_per_minute / 60_000
    share = len(asked) * look_ms / spread_ms
    bound = share * SLACK + DEVIATIONS * sqrt(share) + called
    seen = bisect_left(asked, look_ms)
    over = (
        [f"{seen} of {len(asked)} asked in the first {look_ms / 1000:g} s, bound {bound:.0f}"] if seen > bound else []
    )
    last_s = asked[-1] / 1000
    return judge(
        7,
        name,
        over,
        f"{seen} of {len(asked)} in the first {look_ms / 1000:g} s, bound {bound:.0f}; all in {last_s:.1f} s",
    )


def rates(evidence: Evidence, opening: Opening) -> dict[str, Any]:
    """Requests of all visitors around the opening, per second; None where the run had no quiet time before it."""
    seconds = Counter((at_ms - opening.opens_ms) // 1000 for at_ms in opening.asked_ms)
    arrived = max((j.plan.arrives_ms for j in evidence.journeys if j.plan.early), default=0)
    quiet_s = min(BEFORE_MS, opening.opens_ms - arrived) // 1000
    before = sum(seconds[s] for s in range(-quiet_s, 0)) / quiet_s if quiet_s > 0 else None
    after = sum(seconds[s] for s in range(LOOK_MS // 1000)) * 1000 / LOOK_MS
    peak = max(seconds, key=lambda second: seconds[second], default=0)
    first = sum(0 <= (j.asked_at_opening_ms or -1) - opening.opens_ms < LOOK_MS for j in evidence.journeys)
    return {
        "opens_s": round(opening.opens_ms / 1000, 1),
        "before_s": quiet_s,
        "before_per_s": None if before is None else round(before, 1),
        "first_10_s_per_s": round(after, 1),
        "of_these_waiting_per_s": round(first * 1000 / LOOK_MS, 1),
        "ratio": round(after / before, 2) if before else None,
        "peak_per_s": seconds[peak],
        "peak_at_s": peak,
    }


def drawn(opening: Opening) -> Lots | None:
    """The order of the lots, once they are published."""
    page: Mapping[str, Any] | None = opening.pages[-1] if opening.pages else None
    if page is None or not page["secret"] or page["size"] is None:
        return None
    return Lots(page["secret"], page["size"], page["room"], page["epoch"])


def _place(turn: Turn, lots: Lots | None) -> int | None:
    return turn.place if turn.number is None or lots is None else lots.place(turn.number)


def _waited_before(evidence: Evidence, opening: Opening) -> list[Turn]:
    """First turns of those who came, and were told a number, before the opening."""
    early: list[Journey] = [journey for journey in evidence.journeys if journey.plan.early]
    return [
        turn
        for journey in early
        for turn in journey.turns[:1]
        if turn.number is not None and turn.told_ms is not None and turn.told_ms < opening.opens_ms
    ]
