"""What the project wants of itself, and whether the figures say so. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from loadtest.bench.figures import Round, ratios, slowdowns
from loadtest.bench.row import OURS, Found, Kind


@dataclass(frozen=True, slots=True)
class Target:
    """value: of a row's figures. limit: the least it should be, or the most. form: how both are written."""

    what: str
    row: str
    value: Callable[[Found], float]
    limit: float
    at_most: bool = False
    form: str = "{:.2f}"

    def judge(self, found: Found) -> tuple[str, str, bool]:
        """What is wanted, what was measured, and whether that will do."""
        value = self.value(found)
        sign = "<=" if self.at_most else ">="
        met = value <= self.limit if self.at_most else value >= self.limit
        return f"{sign} {self.form.format(self.limit)}", self.form.format(value), met


def _against(other: str) -> Callable[[Found], float]:
    return lambda found: ratios(found.series[OURS], found.series[other]).middle


def _per_cpu_s(found: Found) -> float:
    return median(each.per_cpu_s for each in found.series[OURS])


def _added(found: Found) -> float:
    return slowdowns(found.series[OURS], found.series["nginx"], found.series["no proxy"]).middle


def _two_workers(found: Found) -> float:
    one, two = found.series[f"{OURS}, one worker"], found.series[f"{OURS}, two workers"]
    return 2 * ratios(two, one).middle


def _worst_ms(found: Found) -> float:
    return max(each.max_us for rounds in found.series.values() for each in rounds) / 1000


def _long_line(found: Found) -> float:
    """How far the long line's cost is from the short one's, in units of how far the short one's is from itself."""
    short, long, again = found.series.values()
    noise = max(abs(one.us_each / other.us_each - 1) for one, other in zip(again, short, strict=True))
    return abs(1 / ratios(long, short).middle - 1) / max(noise, 0.01)


def _idle_bytes(found: Found) -> float:
    return next(each.amount for each in found.figures if each.what.startswith(f"{OURS}, memory"))


def _figure(begins: str) -> Callable[[Found], float]:
    return lambda found: next(each.amount for each in found.figures if each.what.startswith(begins))


_COUNT: Final = "{:,.0f}"
TARGETS: Final = (
    Target("status poll, of nginx", "status", _against("nginx"), 0.45),
    Target("status poll, of Go net/http", "status", _against("Go net/http"), 1.0),
    Target("board, of nginx", "board", _against("nginx"), 0.55),
    Target("join on Redis, of nginx", "join-redis", _against("nginx"), 0.35),
    Target("join on Redis, per CPU second of a worker", "join-redis", _per_cpu_s, 20_000, form=_COUNT),
    Target("join on SQLite, per CPU second of a worker", "join-sqlite", _per_cpu_s, 10_000, form=_COUNT),
    Target("join, two workers on SQLite, worst wait in ms", "join-wait", _worst_ms, 50, at_most=True, form=_COUNT),
    Target("forward 1 KiB, of nginx", "forward-1k", _against("nginx"), 0.5),
    Target("forward 1 KiB, of Go ReverseProxy", "forward-1k", _against("Go ReverseProxy"), 1.6),
    Target("forward 1 KiB, of Caddy", "forward-1k", _against("Caddy"), 2.0),
    Target("latency added by forwarding, of nginx's", "latency", _added, 1.5, at_most=True),
    Target("two workers on two cores, of one", "workers", _two_workers, 1.7),
    Target("a kept connection, bytes", "idle", _idle_bytes, 10_240, at_most=True, form=_COUNT),
    Target("answered at twice the peak, of the peak", "overload", _figure("2x: answered, of the peak"), 0.8),
    Target("answered at five times the peak, of the peak", "overload", _figure("5x: answered, of the peak"), 0.8),
    Target(
        "... worst p99 of those answered, ms", "overload", _figure("5x: worst p99"), 5_000, at_most=True, form=_COUNT
    ),
    Target("... of what people inside asked, answered", "overload", _figure("5x: answered of what"), 0.99),
    Target("poll in a line of 6,000,000: off by, in units of the noise", "line", _long_line, 1, at_most=True),
)


def judged(rows: Mapping[str, Found]) -> list[str]:
    """A table of those that were measured."""
    lines = ["| | wanted | measured | |", "|---|---|---|---|"]
    for target in TARGETS:
        if target.row in rows:
            try:
                wanted, measured, met = target.judge(rows[target.row])
            except (KeyError, StopIteration):  # a contestant was left out
                continue
            lines.append(f"| {target.what} | {wanted} | {measured} | {'met' if met else '**not met**'} |")
    return lines


def costs(rows: Mapping[str, Found], titles: Mapping[str, str]) -> list[str]:
    """What each kind of request takes of the gateway's processors."""
    lines = ["| request | CPU each | a core answers per second |", "|---|---|---|"]
    for name, found in rows.items():
        for who, rounds in _ours(found):
            each = median(one.us_each for one in rounds)
            lines.append(f"| {titles[name]}{who} | {each:,.0f} us | {1e6 / each:,.0f} |")
    return lines


def _ours(found: Found) -> list[tuple[str, Sequence[Round]]]:
    if found.kind is not Kind.RATE:
        return []
    return [
        (name.removeprefix(OURS), rounds)
        for name, rounds in found.series.items()
        if name.startswith(OURS) and not name.endswith(" again")
    ]
