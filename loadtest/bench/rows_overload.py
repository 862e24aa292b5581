"""Twice and five times of what the gateway can do: who is answered, who is told to come back, and how it is after.

People inside ask for pages of 1 KiB, people in line where they stand, newcomers for the page, and some bring a knock
back for a number: by connections of their own that they keep, or by new ones. How many are inside is the operator's
ceiling, however many come: beyond the peak they are as many as there, and all the others are more.

The processor is others' too, on most machines. So rates are also told per second in which the gateway could run: less
what its event loop's thread waited for a core (`schedstat`), which on a machine of its own is nothing.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest.bench import cores, reference, spent
from loadtest.bench.ground import Ground
from loadtest.bench.openloop import PAUSE_S, Generator, Stream, Told, share_within
from loadtest.bench.program import Failed
from loadtest.bench.reference import MARKER
from loadtest.bench.row import Figure, Found, Kind, Plan, Row
from loadtest.bench.sunbeon import LONG, Gateway, poll
from loadtest.bench.wire import PAGE, Connection, ask, request

INSIDE: Final = "inside, kept connection"
INSIDE_NEW: Final = "inside, new connection"
LINE: Final = "in line, kept connection"
LINE_NEW: Final = "in line, new connection"
NEWCOMERS: Final = "newcomers' page, new connection"
JOINS: Final = "a number for a knock, new connection"
_PASSES: Final = frozenset({INSIDE, INSIDE_NEW})
_SHARES: Final[Mapping[str, float]] = {
    INSIDE: 0.10, INSIDE_NEW: 0.02, LINE: 0.50, LINE_NEW: 0.06, NEWCOMERS: 0.22, JOINS: 0.10,
}  # fmt: skip
MULTIPLES: Final = (1.0, 2.0, 5.0)
AFTER: Final = 0.5


@dataclass(frozen=True, slots=True)
class Size:
    """How many people, and for how long. level_s: at least."""

    inside: int
    line: int
    knocks: int
    ahead: int
    step_s: float
    level_s: float
    first_rate: float
    patience_s: float


_SIZE: Final = Size(800, 6_000, 20_000, 100_000, 2.0, 10.0, 1_000, 5.0)
_QUICK: Final = Size(200, 400, 400, 1_000, 0.5, 1.0, 400, 2.0)
_GROWTH: Final = 1.25
# A step that brings no more than this has found the peak, if the next one brings no more either.
_NO_MORE: Final = 1.03
_STEPS: Final = 24
# Later than this in one of a hundred cases, the generator did not send what was due when it was due.
LATE_S: Final = 0.1
# Until all is as before.
_CALM_S: Final = 3.0
_BESIDES: Final = 300
_CEILING_FROM: Final = 8_000.0
_CEILING_STEPS: Final = 7


@dataclass(frozen=True, slots=True)
class Level:
    """What came of one rate. could_s: seconds in which the gateway could run. cpu_s: it did."""

    rate: float
    seconds: float
    could_s: float
    cpu_s: float
    told: Mapping[str, Told]

    @property
    def answered_per_s(self) -> float:
        return sum(each.in_time for each in self.told.values()) / self.seconds

    @property
    def answered_per_own_s(self) -> float:
        return sum(each.in_time for each in self.told.values()) / max(self.could_s, 0.01)

    @property
    def late_s(self) -> float:
        return share_within([late for each in self.told.values() for late in each.late_s], 0.99)


class Worker:
    """The gateway's one worker, by its event loop's thread."""

    def __init__(self, gateway: Gateway) -> None:
        leader = gateway.program.session
        self.pid = max((pid for pid in spent.pids(leader) if pid != leader), key=spent.ticks_of)

    def waited_s(self) -> float:
        """How long it waited for a core so far."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9

    def memory_mib(self, what: str) -> float:
        """what: VmRSS, which is now, or VmHWM, the most so far."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(what):
                return int(line.split()[1]) / 1024
        return 0.0


class Crowd:
    """The people: those who keep their connections are the same at every level."""

    def __init__(self, ground: Ground, size: Size) -> None:
        self.size = size
        self.gateway = gateway = Gateway(
            ground, reference.backend(ground).address, room={**LONG, "total_active_users": size.inside}
        )
        passes = [request("GET", "/", PAGE, cookies) for cookies in gateway.passes(size.inside)]
        gateway.lengthen(size.ahead)
        # A poll each before anybody is measured says the number, and again afterwards.
        self.tickets = gateway.crowd(size.line)
        polls = [poll(ticket) for ticket in self.tickets]
        kept = size.inside * 3 // 4, size.line * 3 // 4
        self.streams = [
            Stream(INSIDE, passes[: kept[0]], MARKER),
            Stream(INSIDE_NEW, passes[kept[0] :], MARKER, kept=False),
            Stream(LINE, polls[: kept[1]], b'"state":"waiting"', pause_s=PAUSE_S),
            Stream(LINE_NEW, polls[kept[1] :], b'"state":"waiting"', kept=False),
            Stream(NEWCOMERS, [request("GET", "/", PAGE)], b"-Gate: waiting", kept=False),
            Stream(JOINS, [], b'"state":"waiting"', kept=False),
        ]
        self.worker = Worker(gateway)

    def numbers(self) -> list[int]:
        """Of everybody in line, asked one after the other. Raises `Failed`."""
        connection = Connection(self.gateway.address)
        try:
            return [int(json.loads(connection.ask(poll(ticket)).body)["number"]) for ticket in self.tickets]
        except OSError as error:
            raise Failed(f"somebody in line got no answer: {error}") from None
        finally:
            connection.close()

    def level(self, generator: Generator, rates: Mapping[str, float], seconds: float) -> Level:
        """Everything offered at these rates for so long, and the rest waited for."""
        needed = int(rates[JOINS] * seconds * 1.2) + 10
        knocks = self.gateway.knocks(min(needed, self.size.knocks))
        self.streams[-1].requests = [poll(knock) for knock in knocks]
        self.gateway.program.check()
        waited_s, cpu_s = self.worker.waited_s(), spent.cpu_s(self.gateway.program.session)
        marks: list[tuple[float, float]] = []

        def over() -> None:
            marks.append((self.worker.waited_s() - waited_s, spent.cpu_s(self.gateway.program.session) - cpu_s))

        told = generator.run([rates[each.name] for each in self.streams], seconds, self.size.patience_s, over)
        by_name = {each.name: one for each, one in zip(self.streams, told, strict=True)}
        return Level(sum(rates.values()), seconds, seconds - marks[0][0], marks[0][1], by_name)


def rates_at(peak: float, multiple: float) -> dict[str, float]:
    """Of each kind. From the peak on, no more people are inside than there."""
    total = peak * multiple
    inside = {name: _SHARES[name] * peak * min(multiple, 1.0) for name in _PASSES}
    left = (total - sum(inside.values())) / sum(share for name, share in _SHARES.items() if name not in _PASSES)
    return {name: inside.get(name, share * left) for name, share in _SHARES.items()}


def overload(plan: Plan, ground: Ground) -> Found:
    size = _QUICK if plan.quick else _SIZE
    crowd = Crowd(ground, size)
    before = crowd.numbers()
    memory = [crowd.worker.memory_mib("VmRSS")]
    with cores.on(ground.cores.generator):
        ceiling = 0.0 if plan.quick else _ceiling(ground, crowd)
        generator = Generator(crowd.gateway.address, crowd.streams, open_files=ground.open_files - _BESIDES)
        try:
            generator.connect()
            peak = _peak(plan, crowd, generator)
            levels = {}
            for multiple in (*MULTIPLES, AFTER):
                time.sleep(_CALM_S if not plan.quick else 0)
                level = crowd.level(
                    generator,
                    rates_at(peak.answered_per_s, multiple),
                    max(size.level_s, plan.seconds * (not plan.quick)),
                )
                levels[multiple] = level
                plan.say(_in_words(f"{multiple:g}x", level))
        finally:
            generator.close()
    after = crowd.numbers()
    memory += [crowd.worker.memory_mib(what) for what in ("VmHWM", "VmRSS")]
    if after != before:
        lost = sum(one != other for one, other in zip(before, after, strict=True))
        raise Failed(f"{lost} of {len(before)} in line have another number than before")
    return found(levels, peak, memory, ceiling, len(before))


def found(levels: Mapping[float, Level], peak: Level, memory: Sequence[float], ceiling: float, people: int) -> Found:
    """levels: by the multiple of the peak. memory: before, at most, after, in MiB. ceiling: the generator's."""
    head = "offered", "answered", "told to come back", "no answer", "connection cut", "nobody free to ask", "p50", "p99"
    table: list[tuple[str, ...]] = [("", "", *head)]
    figures = [Figure("peak, answered per second", f"{peak.answered_per_s:,.0f}", peak.answered_per_s)]
    figures.append(Figure("... per second in which the gateway could run", f"{peak.answered_per_own_s:,.0f}"))
    for multiple, level in levels.items():
        table += [(f"{multiple:g}x", name, *_cells(told)) for name, told in level.told.items()]
        share = level.answered_per_own_s / peak.answered_per_own_s
        if multiple in MULTIPLES:
            wall = level.answered_per_s / peak.answered_per_s
            figures.append(
                Figure(f"{multiple:g}x: answered, of the peak", f"{share:.2f}  (by the clock {wall:.2f})", share)
            )
        passes, others = (_answered(level, inside=inside) for inside in (True, False))
        figures.append(
            Figure(
                f"{multiple:g}x: answered of what was offered, inside; others", f"{passes:.3f}; {others:.3f}", passes
            )
        )
        p99 = max(share_within(told.waits_s, 0.99) for told in level.told.values())
        figures.append(Figure(f"{multiple:g}x: worst p99 of those answered, ms", f"{p99 * 1000:,.0f}", p99 * 1000))
    shed = max(told.shed_bytes for level in levels.values() for told in level.told.values())
    figures += [
        Figure("longest refusal, bytes", f"{shed:,}", shed),
        Figure(
            "the worker's memory before, at most, after, MiB", ", ".join(f"{each:.0f}" for each in memory), memory[1]
        ),
        Figure("of those in line, who have their number still", f"{people:,} of {people:,}"),
        Figure("what the generator can send itself, per second", f"{ceiling:,.0f}", ceiling),
    ]
    notes = [
        f"At {multiple:g}x the generator was late by {level.late_s * 1000:,.0f} ms in one of a hundred cases."
        + (
            " **So this level was not measured as it should be: too little came at its time.**"
            * (level.late_s > LATE_S)
        )
        for multiple, level in levels.items()
    ]
    return Found(Kind.FIGURES, figures=figures, notes=notes, table=table)


def _cells(told: Told) -> tuple[str, ...]:
    counts = told.offered, told.well, told.shed, told.lost + told.wrong.total(), told.cut, told.unasked
    waits = [share_within(told.waits_s, share) * 1000 for share in (0.5, 0.99)]
    return (*(f"{count:,}" for count in counts), *(f"{wait:,.0f} ms" if told.well else "" for wait in waits))


def _answered(level: Level, *, inside: bool) -> float:
    chosen = [told for name, told in level.told.items() if (name in _PASSES) is inside]
    return sum(told.well for told in chosen) / max(sum(told.offered for told in chosen), 1)


def _in_words(name: str, level: Level) -> str:
    told = level.told.values()
    return (
        f"  {name}: {level.rate:,.0f}/s offered, {level.answered_per_s:,.0f}/s answered"
        f" ({level.answered_per_own_s:,.0f} per second in which it could run, {level.could_s / level.seconds:.0%};"
        f" {level.cpu_s:.1f} s of CPU), told to come back {sum(each.shed for each in told):,},"
        f" generator late by {level.late_s * 1000:,.0f} ms; inside {_answered(level, inside=True):.1%} of those offered"
    )


def _peak(plan: Plan, crowd: Crowd, generator: Generator) -> Level:
    """The best of rates that grow until more are not answered."""
    best, worse, rate = None, 0, crowd.size.first_rate
    for _ in range(_STEPS):
        level = crowd.level(generator, rates_at(rate, 1.0), crowd.size.step_s)
        plan.say(_in_words(f"step {rate:,.0f}/s", level))
        grown = best is None or level.answered_per_own_s > best.answered_per_own_s * _NO_MORE
        worse = 0 if grown else worse + 1
        if best is None or level.answered_per_own_s > best.answered_per_own_s:
            best = level
        if worse > 1:
            break
        rate *= _GROWTH
    assert best is not None  # noqa: S101 - there is a step
    return best


def _ceiling(ground: Ground, crowd: Crowd) -> float:
    """What the generator can send in time, to nginx, which says one and the same at once: of what it asks here."""
    nginx = reference.nginx_saying(ground, ask(crowd.gateway.address, crowd.streams[2].requests[0]))
    streams = [Stream(each.name, each.requests, b"", kept=each.kept) for each in crowd.streams if each.requests]
    reached, rate = 0.0, _CEILING_FROM
    for _ in range(_CEILING_STEPS):
        generator = Generator(nginx.address, streams, open_files=ground.open_files - _BESIDES)
        generator.connect()
        told = generator.run([rate * _SHARES[each.name] for each in streams], 1.5, 1.0)
        generator.close()
        late = share_within([late for each in told for late in each.late_s], 0.99)
        if late > LATE_S:
            break
        reached = sum(each.offered - each.unasked for each in told) / 1.5
        rate *= 1.5
    return reached


ROWS: Final = (
    Row(
        "overload",
        "Overload",
        "An open loop: requests are sent when they are due, and waits count from there. The peak is the best of growing"
        " rates; then that many, twice and five times as many, and half. Who is inside is as many as at the peak"
        " throughout; all others are more.",
        figures=overload,
        needs=("wrk", "nginx"),
    ),
)
