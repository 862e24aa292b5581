"""One run, from the first look at the gate to the findings.

Visitors are sent off when the plan says, one task each, and never wait for each other. Everything ends by itself: when
all journeys are over, at `max_s`, or when `stop` is set; what is known by then is checked and told.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import aiohttp
from yarl import URL

from loadtest import cheats, garbage
from loadtest.begin import Due, find_room, open_session, patiently, settings_of_run
from loadtest.checks import check_all
from loadtest.client import JSON, Client
from loadtest.connection import NoAnswer
from loadtest.effort import Effort, Meter, sockets_allowed
from loadtest.evidence import Ending, Evidence, Finding, Journey, Opening, Sample, Trick, Verdict
from loadtest.gates import Gates
from loadtest.inside import be_inside
from loadtest.logs import LogFiles
from loadtest.opening import check_opening_day, rates
from loadtest.operator_api import OperatorApi
from loadtest.options import Options, check, tricks_of
from loadtest.scenario import Scenario, VisitorPlan, plan_opening, plan_visitors
from loadtest.site import Site
from loadtest.tally import Tally
from loadtest.visitor import Gauge, Stay, Visitor

SAMPLE_EVERY_S: Final = 0.2
WATCH_EVERY_S: Final = 0.25
DRAW_EVERY_S: Final = 1.0

# What the last visitors did must be in the store's counters before they are read for the last time.
SETTLE_S: Final = 0.3
# The last counts are there when they were the same so many times, so far apart.
WRITTEN_SAME: Final = 3
WRITTEN_LOOKS: Final = 25
WRITTEN_EVERY_S: Final = 0.3
# ... and be known to every gateway.
SETTLE_MANY_S: Final = 1.5

# How long those who still wait at the end are asked for their numbers.
ROLL_S: Final = 30.0

# A sample that takes longer is worth less than the next one.
SAMPLE_LIMIT_S: Final = 5.0

Watcher = Callable[[Gauge, float], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found. `stopped` says what cut it short, None if every journey came to its end.

    rates: of requests around the opening, if there was one.
    """

    options: Options
    room: str
    journeys: tuple[Journey, ...]
    samples: tuple[Sample, ...]
    tally: Tally
    findings: tuple[Finding, ...]
    elapsed_ms: int
    stopped: str | None
    effort: Effort
    rates: dict[str, Any] | None = None

    @property
    def exit_code(self) -> int:
        """0 only if all that had to be checked was, and held, and somebody was let in at all."""
        if any(finding.verdict is Verdict.BROKEN for finding in self.findings):
            return 1
        if not any(turn.entered_ms is not None for journey in self.journeys for turn in journey.turns):
            return 1
        if not any(finding.verdict is Verdict.OK for finding in self.findings):
            return 1
        unchecked = any(finding.required and finding.verdict is Verdict.UNCHECKED for finding in self.findings)
        return 1 if unchecked and not self.options.allow_unchecked else 0


async def run(options: Options, *, watch: Watcher | None = None, stop: asyncio.Event | None = None) -> Outcome:
    """Send the visitors and check what happened. Raises `UsageError` if the run cannot begin.

    watch: called a few times a second with the gauge and the seconds since the start.
    stop: ends the run early when it is set.
    """
    check(options)
    async with AsyncExitStack() as stack:
        gates = Gates(options.urls, options.seed)
        sockets = sockets_allowed(options.sockets)
        client = await stack.enter_async_context(Client(gates, sockets=sockets, limit_s=options.request_s))
        # A session of its own: samples must not wait behind the visitors' connections.
        operator = due = None
        if options.operator_token is not None:
            session = await stack.enter_async_context(open_session(SAMPLE_LIMIT_S))
            operator = OperatorApi(session, options.operator_urls, options.operator_token, client.watch)
            if len(options.urls) > 1 and len(options.operator_urls) == len(options.urls):
                await stack.enter_async_context(gates.watched(session, options.operator_urls))
        site = await find_room(options, client, operator)
        if operator is not None:
            due = await stack.enter_async_context(settings_of_run(operator, site.room, options, client))
        the_run = _Run(options, site, client, operator, due)
        files = LogFiles(options.audit_logs, options.backend_logs)
        with garbage.kept():
            stopped = await the_run.go(watch, stop or asyncio.Event())
        tally = client.tally
        evidence = Evidence(
            the_run.journeys,
            the_run.samples,
            tally.reconnects,
            tally.orphans,
            options.alone,
            troubles=tally.hit,
            away_ms=sorted(tally.away_ms),
            opening=the_run.opening(),
            false_answered=tally.false_answered,
            false_lost=tally.false_lost,
        )
        logs = await asyncio.to_thread(files.read, site.room)
        return Outcome(
            options,
            site.room,
            tuple(the_run.journeys),
            tuple(the_run.samples),
            client.tally,
            (*check_all(evidence, logs), *check_opening_day(evidence)),
            client.watch.ceil_ms(),
            stopped,
            replace(the_run.effort, sockets=sockets, opened=client.opened),
            rates(evidence, evidence.opening) if evidence.opening else None,
        )


class _Run:
    def __init__(
        self, options: Options, site: Site, client: Client, operator: OperatorApi | None, due: Due | None
    ) -> None:
        self._options = options
        self._site = site
        self._client = client
        self._operator = operator
        self._gauge = Gauge()
        self._due = due
        self._stay = Stay(options.book, options.stay_s, f"{time.time_ns():x}", due.own_ms if due else 0)
        self._backend = URL(options.backend_url) if options.backend_url is not None else None
        # Those whose journey is not over.
        self._visitors: dict[int, Visitor] = {}
        self.samples: list[Sample] = []
        self._pages: list[Mapping[str, Any]] = []
        self.effort = Effort()
        self.journeys = [_journey(plan) for plan in _plans(options)]

    def opening(self) -> Opening | None:
        """The opening of this run, for the checks."""
        if self._due is None:
            return None
        lots = self._options.queueing_method == "draw"
        return Opening(self._due.at_ms, self._due.own_ms, lots, self._pages, self._client.tally.asked_ms)

    async def go(self, watch: Watcher | None, stop: asyncio.Event) -> str | None:
        """The run itself; what cut it short, if anything did."""
        await self._sample_once()
        meter = Meter(self._client.tally)
        side = [asyncio.create_task(self._sample()), asyncio.create_task(meter.watch())]
        if self._due is not None:
            await self._look_at_draw()
            side.append(asyncio.create_task(self._watch_draw()))
        if watch is not None:
            side.append(asyncio.create_task(self._tell(watch)))
        visitors = asyncio.create_task(self._send_visitors())
        stopping = asyncio.create_task(stop.wait())
        stopped = None
        try:
            done, _ = await asyncio.wait(
                {visitors, stopping}, timeout=self._options.max_s, return_when=asyncio.FIRST_COMPLETED
            )
            if visitors not in done:
                stopped = "interrupted" if stopping in done else f"--max-s {self._options.max_s:g} reached"
                visitors.cancel()
                await asyncio.wait((visitors,))
                await self._call_roll()
        finally:
            for task in (visitors, stopping, *side):
                task.cancel()
            results = await asyncio.gather(visitors, stopping, *side, return_exceptions=True)
            self.effort = meter.read()
        for result in results:
            if isinstance(result, Exception):
                raise result
        await asyncio.sleep(SETTLE_S if len(self._options.urls) == 1 else SETTLE_MANY_S)
        await self._sample_last()
        if self._due is not None:
            await self._look_at_draw()
        if watch is not None:
            watch(self._gauge, self._client.watch.floor_ms() / 1000)
        return stopped

    async def _send_visitors(self) -> None:
        start_ms = self._client.watch.floor_ms()
        async with asyncio.TaskGroup() as group:
            for journey in self.journeys:
                due_ms = start_ms + journey.plan.arrives_ms
                if (early_ms := due_ms - self._client.watch.floor_ms()) > 0:
                    await asyncio.sleep(early_ms / 1000)
                group.create_task(self._walk(journey, due_ms))

    async def _walk(self, journey: Journey, due_ms: int) -> None:
        self._client.note_lag(self._client.watch.floor_ms() - due_ms)
        gauge = self._gauge
        gauge.arrived += 1
        gauge.waiting += 1
        visitor = Visitor(journey, self._site, self._client, gauge, self._stay, backend=self._backend)
        self._visitors[journey.plan.index] = visitor
        journey.due_ms = due_ms
        try:
            await cheats.before_joining(visitor)
            await cheats.while_waiting(visitor)
            turn = await visitor.wait_for_turn()
        finally:
            gauge.waiting -= 1
        if turn is not None:
            gauge.inside += 1
            try:
                journey.ending = await be_inside(visitor)
            finally:
                gauge.inside -= 1
            if journey.ending is Ending.BOOKED:
                gauge.booked += 1
                await cheats.after_visit(visitor)
        gauge.done += 1
        del self._visitors[journey.plan.index]

    async def _call_roll(self) -> None:
        """Ask everyone who still waits for their number, once more; who has no answer in time stays without."""
        waiting = [visitor for visitor in self._visitors.values() if _waits(visitor)]
        for visitor in waiting:
            visitor.journey.called_out = False

        async def answer(visitor: Visitor) -> None:
            await visitor.status()
            visitor.journey.called_out = True

        with suppress(TimeoutError):
            async with asyncio.timeout(ROLL_S), asyncio.TaskGroup() as group:
                for visitor in waiting:
                    group.create_task(answer(visitor))

    async def _sample(self) -> None:
        while self._operator is not None:
            await asyncio.sleep(SAMPLE_EVERY_S)
            with suppress(aiohttp.ClientError, TimeoutError):
                self.samples.append(await self._operator.sample(self._site.room))

    async def _sample_once(self) -> bool:
        """A sample that must be there; False only if the API stays away."""
        if self._operator is None:
            return False
        operator = self._operator
        sample = await patiently(lambda: operator.sample(self._site.room))
        if sample is not None:
            self.samples.append(sample)
        return sample is not None

    async def _sample_last(self) -> None:
        """Until all is written: workers write what they counted with their ticks, late on a busy machine."""
        same = 0
        for _ in range(WRITTEN_LOOKS):
            if not await self._sample_once():
                return
            before, after = self.samples[-2:] if len(self.samples) > 1 else (None, self.samples[-1])
            same = same + 1 if before is not None and before.counters == after.counters else 0
            if same == WRITTEN_SAME:
                return
            await asyncio.sleep(WRITTEN_EVERY_S)

    async def _watch_draw(self) -> None:
        while True:
            await asyncio.sleep(DRAW_EVERY_S)
            await self._look_at_draw()

    async def _look_at_draw(self) -> None:
        """What is published of the draw, if the gate says so just now."""
        with suppress(NoAnswer, TimeoutError):
            page = (await self._client.once("GET", self._site.own("draw"), {"Accept": JSON})).json()
            if isinstance(page, Mapping) and "commitment" in page:
                self._pages.append(page)

    async def _tell(self, watch: Watcher) -> None:
        while True:
            watch(self._gauge, self._client.watch.floor_ms() / 1000)
            await asyncio.sleep(WATCH_EVERY_S)


def _waits(visitor: Visitor) -> bool:
    journey = visitor.journey
    turn = journey.current
    return journey.ending is Ending.UNFINISHED and turn is not None and turn.number is not None and not visitor.entered


def _plans(options: Options) -> tuple[VisitorPlan, ...]:
    how: dict[str, Any] = {
        "visitors": options.visitors,
        "arrive_ms": int(options.arrive_s * 1000),
        "arrivals": options.arrivals,
        "shares": options.shares,
        "cheats": tricks_of(options),
        "seed": options.seed,
    }
    if options.scenario is Scenario.OPENING:
        return plan_opening(opens_ms=options.opens_in_ms, **how)
    return plan_visitors(**how)


def _journey(plan: VisitorPlan) -> Journey:
    return Journey(plan, trick=Trick(plan.cheat) if plan.cheat is not None else None)
