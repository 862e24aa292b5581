"""The poll budget: how often all who wait ask together, by the length of the line. Pure; no crowd, no chance.

Everyone asks again after an eighth of the wait (`gateway.room.estimate`). With an outflow of r a second, the person at
place n asks 8 r / n times a second, and the whole line up to there 8 r ln(n) times: it grows with the logarithm. That
ends where the longest pause begins, at a wait of sixteen minutes or less (`LONGEST_POLL_MS`, a third of the claim
window): from there each further person asks once in that pause. What is found here is summed over every place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Final

from gateway.room.estimate import LONGEST_POLL_MS, POLL_SHARE, SHORTEST_POLL_MS
from gateway.room.forecast import Forecast
from gateway.room.model import Curve, Limits, Snapshot
from gateway.simulate.polls import FIXED_MS, pauses

OUTFLOWS: Final = (600, 6_000, 30_000, 60_000)
# Places between which pauses differ by less than one in so many count as alike.
_ALIKE: Final = 64
_SECOND: Final = 1_000
# Everybody who is called comes: then nothing but the outflow decides the wait.
_NOW_MS: Final = 1_626_692_400_000


@dataclass(frozen=True, slots=True)
class Budget:
    """Polls a second. fixed: if everyone asked every five seconds. near: of those with less than the longest pause."""

    waiting: int
    outflow: int
    polls: float
    near: int
    fixed: float


@dataclass(frozen=True, slots=True)
class Fit:
    """polls = base + per_e_fold x ln(waiting), by least squares; r2: the share of what differs that this explains."""

    base: float
    per_e_fold: float
    r2: float


def line_of(waiting: int, outflow: int, *, claim_window_ms: int = Limits().claim_window_ms) -> Snapshot:
    """An open room in which nobody has been called yet, with seats for all."""
    limits = Limits(
        total_active_users=10**9, new_users_per_minute=outflow, claim_window_ms=claim_window_ms, opens_at_ms=_NOW_MS
    )
    learned = Curve((4_000,) * 12, (4_000,) + (0,) * 11)
    nothing = (0,) * 5
    return Snapshot(
        "r", 1, limits, 1, _NOW_MS + 1, _NOW_MS, 0, 0, waiting, *nothing[:3], b"", 0, 0, 0, True, *nothing[:4], learned,
        (), {}, "", None,
    )  # fmt: skip


def budget(waiting: int, outflow: int, *, claim_window_ms: int = Limits().claim_window_ms) -> Budget:
    """Of a line of so many."""
    room = line_of(waiting, outflow, claim_window_ms=claim_window_ms)
    forecast = Forecast(room)
    longest_ms = max(SHORTEST_POLL_MS, min(LONGEST_POLL_MS, claim_window_ms // 3))
    known: dict[int, float] = {}

    def pause_ms(ahead: int) -> float:
        if ahead not in known:
            known[ahead] = sum(pauses(room, forecast.wait_range(room, ahead))) / 2
        return known[ahead]

    # Pauses only grow along the line: what lies between two that are alike is alike, and the rest is cut in half.
    polls, near = 0.0, 0
    parts = [(0, waiting - 1)]
    while parts:
        first, last = parts.pop()
        short, long = pause_ms(first), pause_ms(last)
        if last - first > 1 and long - short > short / _ALIKE:
            middle = (first + last) // 2
            parts += [(first, middle), (middle + 1, last)]
            continue
        number = last - first + 1
        polls += number * _SECOND * 2 / (short + long)
        near += number if long < longest_ms * 0.99 else 0
    return Budget(waiting, outflow, polls, near, waiting * _SECOND / FIXED_MS)


def fit(found: Sequence[Budget]) -> Fit:
    """Of lines at one outflow that all lie before the longest pause."""
    xs, ys = [log(each.waiting) for each in found], [each.polls for each in found]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    over = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / over
    base = mean_y - slope * mean_x
    missed = sum((y - base - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    varied = sum((y - mean_y) ** 2 for y in ys)
    return Fit(base, slope, 1 - missed / varied)


def horizon(outflow: int, *, claim_window_ms: int = Limits().claim_window_ms) -> int:
    """How many are before somebody who is first told the longest pause, about."""
    longest_ms = max(SHORTEST_POLL_MS, min(LONGEST_POLL_MS, claim_window_ms // 3))
    return outflow * longest_ms * POLL_SHARE // 60_000


def logarithm(outflow: int, *, claim_window_ms: int = Limits().claim_window_ms) -> tuple[list[Budget], Fit]:
    """Lines within the horizon, each a third longer than the one before, from those whose wait is felt."""
    most = horizon(outflow, claim_window_ms=claim_window_ms)
    least = max(1, most // 32)
    lengths = []
    length = float(least)
    while length <= most:
        lengths.append(round(length))
        length *= 4 / 3
    found = [budget(each, outflow, claim_window_ms=claim_window_ms) for each in lengths]
    return found, fit(found)
