"""Points of a room's history: how it stood every ten seconds, and what had been counted until then. Pure.

Counts are totals since the room was made. So a rate is a difference, a gap loses nothing, and a point that is left out
changes no sum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from gateway.room.forecast import wait_of_last
from gateway.room.model import Snapshot

SLOT_MS: Final = 10_000
# Most points of one answer; a longer time has wider steps.
MOST_POINTS: Final = 2_000
MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Point:
    """A room in the slot that begins at `at_ms` (the store's clock). None: not known, or nothing to say.

    waiting: places not yet called; people_waiting: who of them is still there. lane: called and come, without a seat.
    ceiling, outflow: the limits in force. wait_low_ms, wait_high_ms: told to the last in line. latency: until the head
    of the backend's answer, through one worker, since the point before. stock: what the backend last said it has left.
    """

    at_ms: int
    epoch: int
    state: str
    waiting: int
    people_waiting: int | None
    serving: int
    tail: int
    live: int
    ceiling: int
    outflow: int
    lane: int
    claim_window_ms: int
    wait_low_ms: int | None
    wait_high_ms: int | None
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    stock: int | None
    counters: Mapping[str, int]


# What a point says beside its time and its counters, in order.
COLUMNS: Final = tuple(each.name for each in fields(Point) if each.name not in {"at_ms", "counters"})

# By name, the counters that are summed up; one that ends in a dot stands for all that begin so.
SUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "admitted": ("admitted",),
    "admitted_late": ("admitted_late",),
    "completed": ("completed",),
    "expired": ("expired",),
    "left": ("left",),
    "no_shows": ("no_shows",),
    "refused": ("refused.",),
    "exempt": ("exempt.", "passthrough"),
    "fail_open": ("fail_open",),
    "grace": ("grace",),
    "backend_errors": ("backend.",),
}


def take(
    room: Snapshot,
    *,
    people_waiting: int | None = None,
    latency: tuple[int, int] | None = None,
    stock: int | None = None,
) -> Point:
    """The point of this moment. latency: median and 95th percentile. Milliseconds."""
    limits, wait = room.in_force, wait_of_last(room)
    return Point(
        at_ms=room.now_ms // SLOT_MS * SLOT_MS,
        epoch=room.epoch,
        state=room.state.value,
        waiting=room.waiting,
        people_waiting=people_waiting,
        serving=room.serving,
        tail=room.tail,
        live=room.live,
        ceiling=limits.total_active_users,
        outflow=limits.new_users_per_minute,
        lane=room.lane_waiting,
        claim_window_ms=limits.claim_window_ms,
        wait_low_ms=wait and wait[0],
        wait_high_ms=wait and wait[1],
        latency_p50_ms=latency and latency[0],
        latency_p95_ms=latency and latency[1],
        stock=stock,
        counters=_kept(room.counters),
    )


def step_for(from_ms: int, before_ms: int, wanted_ms: int) -> int:
    """The step nearest to the one wanted with which the time has `MOST_POINTS` at most; whole slots."""
    # Of the first and the last step a part may be in it.
    least_ms = -(-max(0, before_ms - from_ms) // (MOST_POINTS - 1))
    return max(1, -(-max(least_ms, wanted_ms) // SLOT_MS)) * SLOT_MS


def total(point: Point, name: str) -> int:
    """A sum of `SUMS`, or the counter of that name."""
    return sum(_matching(point.counters, each) for each in SUMS.get(name, (name,)))


def counted(before: Point, after: Point, name: str) -> int | None:
    """How many between two points. arrivals: numbers issued. None where the counts began anew in between."""
    if name == "arrivals":
        difference = after.tail - before.tail if after.epoch == before.epoch else after.tail
    else:
        difference = total(after, name) - total(before, name)
    return None if difference < 0 else difference


def per_minute(base: Point | None, points: Sequence[Point], name: str) -> list[float | None]:
    """For each point, how many a minute since the one before it. base: the point before the first, if there is one."""
    rates: list[float | None] = []
    for before, after in zip((base, *points), points, strict=False):
        number = None if before is None or after.at_ms <= before.at_ms else counted(before, after, name)
        rates.append(None if number is None or before is None else _rate(number, after.at_ms - before.at_ms))
    return rates


def names(points: Sequence[Point]) -> list[str]:
    """All counters that any of the points has."""
    return sorted({name for point in points for name in point.counters})


def _rate(number: int, ms: int) -> float:
    return round(number * MINUTE_MS / ms, 2)


def _matching(counters: Mapping[str, int], name: str) -> int:
    if not name.endswith("."):
        return counters.get(name, 0)
    return sum(number for each, number in counters.items() if each.startswith(name))


def _kept(counters: Mapping[str, int]) -> dict[str, int]:
    """Without peaks, which are no totals, and verdicts of a calendar without the rule each was made by."""
    kept: dict[str, int] = {}
    for name, number in counters.items():
        short = ".".join(name.split(".")[:2]) if name.startswith("eligibility.") else name
        if not short.startswith("peak_"):
            kept[short] = kept.get(short, 0) + number
    return kept
