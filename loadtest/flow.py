"""Checks of how many: inside at once, and let in per time. Pure.

Each limit is checked twice: by what the store says of itself, and by what the visitors saw, which no fault of the
store's own counting can hide. Visitors' times bracket what the server did, so that only what certainly happened
inside a window is counted there: a finding is no artefact of a slow network.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator
from math import ceil
from typing import Final

from loadtest.evidence import Evidence, Finding, Sample, Turn, Verdict

# The stated burst: unused outflow of this long may be used at once, in whole users, and one user more.
BURST_MS: Final = 2_000

# Outflow is handed out in ticks, a few in a second: a window may hold one tick's worth more than its length.
TICK_MS: Final = 500

# After an outage or a restart a tick may be this late without losing what it hands out.
LATE_TICK_MS: Final = 2_500

SHORTEST_WINDOW_MS: Final = 50
MINUTE_MS: Final = 60_000


def turns_inside(evidence: Evidence) -> list[Turn]:
    """The turns that led inside."""
    return [turn for journey in evidence.journeys for turn in journey.turns if turn.entered_ms is not None]


def check_ceiling_by_store(evidence: Evidence) -> Finding:
    name = "inside at once, by the store"
    samples = evidence.samples
    if len(samples) < 2:  # noqa: PLR2004 - a before and an after
        return Finding(1, name, Verdict.UNCHECKED, "no samples of the operator API")
    # Passes given under a higher ceiling before the run live on.
    allowed = max(*(sample.ceiling for sample in samples), samples[0].live)
    seen = max(sample.live for sample in samples)
    figures = f"at most {seen} in {len(samples)} samples"
    # The peak is of all time: it says something of this run only if it grew, or was within the ceiling all along.
    before, after = samples[0].counters.get("peak_live"), samples[-1].counters.get("peak_live")
    if after is None:
        return Finding(1, name, Verdict.UNCHECKED, f"{figures}; the store counts no peak_live")
    if after > (before or 0) or after <= allowed:
        seen = max(seen, after)
        figures += f", peak {after} by the store"
    verdict = Verdict.OK if seen <= allowed else Verdict.BROKEN
    return Finding(1, name, verdict, f"{figures}; ceiling {allowed}")


def check_ceiling_by_visitors(evidence: Evidence, ceiling: int | None) -> Finding:
    """From entering to the last request the backend answered, a visitor was certainly inside."""
    name = "inside at once, by the visitors"
    if ceiling is None:
        return Finding(1, name, Verdict.UNCHECKED, "the ceiling is known only to the operator API")
    moments = []
    for turn in turns_inside(evidence):
        if turn.entered_ms is not None and (turn.inside_until_ms or 0) >= turn.entered_ms:
            moments += [(turn.entered_ms, 0), (turn.inside_until_ms or 0, 1)]
    inside = most = at_ms = 0
    for moment_ms, goes in sorted(moments):
        inside += -1 if goes else 1
        if inside > most:
            most, at_ms = inside, moment_ms
    allowed = max(ceiling, evidence.samples[0].live if evidence.samples else 0)
    verdict = Verdict.OK if most <= allowed else Verdict.BROKEN
    return Finding(
        1, name, verdict, f"at most {most} for certain, {at_ms / 1000:.1f} s into the run; ceiling {allowed}"
    )


def check_outflow_by_store(evidence: Evidence, outflow_per_minute: int | None) -> Finding:
    """Between any two samples, the `admitted` counter grew by no more than outflow and burst allow."""
    name = "let in per time, by the store"
    samples = [sample for sample in evidence.samples if "admitted" in sample.counters]
    if outflow_per_minute is None or len(samples) < 2:  # noqa: PLR2004 - a before and an after
        return Finding(2, name, Verdict.UNCHECKED, "no samples of the operator API")
    slack = _burst(outflow_per_minute) + _tolerance(evidence, outflow_per_minute)
    # Most over all pairs of (a_j - rate * got_j) - (a_i - rate * sent_i): one pass with the lowest so far.
    rate = outflow_per_minute / MINUTE_MS
    lowest: Sample | None = None
    worst, words = float("-inf"), ""
    for sample in samples:
        if lowest is not None:
            count = sample.counters["admitted"] - lowest.counters["admitted"]
            span_ms = sample.got_ms - lowest.sent_ms
            if count - rate * span_ms > worst:
                worst = count - rate * span_ms
                words = f"fullest window: {count} in {span_ms / 1000:.1f} s, allowed {rate * span_ms + slack:.1f}"
        if lowest is None or _level(sample, rate) < _level(lowest, rate):
            lowest = sample
    verdict = Verdict.OK if worst <= slack else Verdict.BROKEN
    return Finding(2, name, verdict, f"{words} ({outflow_per_minute}/min)")


def check_outflow_by_visitors(evidence: Evidence, outflow_per_minute: int | None) -> Finding:
    """In any window, of those whose request was sent and answered inside it, no more were let in than allowed."""
    name = "let in per time, by the visitors"
    if outflow_per_minute is None:
        return Finding(2, name, Verdict.UNCHECKED, "the outflow is known only to the operator API")
    spans = sorted(((turn.entered_sent_ms or 0, turn.entered_ms or 0) for turn in turns_inside(evidence)), reverse=True)
    slack = _burst(outflow_per_minute) + _tolerance(evidence, outflow_per_minute)
    rate = outflow_per_minute / MINUTE_MS
    worst, words = float("-inf"), "nobody was let in"
    windows = tuple(_windows(max((got for _, got in spans), default=0)))
    # Backwards in time: all answers kept so far are of requests sent within a window that begins here.
    answered: list[int] = []
    for sent_ms, got_ms in spans:
        insort(answered, got_ms)
        for window_ms in windows:
            count = bisect_right(answered, sent_ms + window_ms)
            if count - rate * window_ms > worst:
                worst = count - rate * window_ms
                words = f"fullest window: {count} in {window_ms / 1000:.2f} s, allowed {rate * window_ms + slack:.1f}"
    verdict = Verdict.OK if worst <= slack else Verdict.BROKEN
    return Finding(2, name, verdict, f"{words} ({outflow_per_minute}/min)")


def _level(sample: Sample, rate: float) -> float:
    return sample.counters["admitted"] - rate * sample.sent_ms


def _burst(outflow_per_minute: int) -> int:
    return max(1, ceil(outflow_per_minute * BURST_MS / MINUTE_MS)) + 1


def _tolerance(evidence: Evidence, outflow_per_minute: int) -> float:
    return outflow_per_minute * (LATE_TICK_MS if evidence.disturbed else TICK_MS) / MINUTE_MS


def _windows(longest_ms: int) -> Iterator[int]:
    """Lengths from a moment to the whole run, each half as long again as the one before."""
    window_ms = SHORTEST_WINDOW_MS
    while window_ms < longest_ms:
        yield window_ms
        window_ms += window_ms // 2
    yield max(longest_ms, SHORTEST_WINDOW_MS)
