"""Joining: a newcomer brings the knock back and gets a number, in a signed ticket, once it is safe in the store."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from loadtest.bench import reference, wrk
from loadtest.bench.figures import Round, Spread
from loadtest.bench.ground import Ground
from loadtest.bench.measure import Contestant, Wanted, compare
from loadtest.bench.program import Failed, Program, unused
from loadtest.bench.row import OURS, Figure, Found, Kind, Plan, Row
from loadtest.bench.rows_own import waiting_room
from loadtest.bench.sunbeon import Gateway, poll
from loadtest.bench.wire import ask

_WAITING: Final = Wanted(b'"state":"waiting"')
# Knocks fetched for the first round; for later ones as many as will be joined with in it, and half as many again.
_FIRST_KNOCKS: Final = 4_000
_QUICK_KNOCKS: Final = 1_000
_MOST_KNOCKS: Final = 150_000
_SPARE: Final = 1.5
_LOOK_S: Final = 0.1
_PATIENCE_S: Final = 10.0
# As the shipped settings have it.
_REDIS: Final = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction")


class Joiners:
    """Newcomers with knocks of their own, as many as can be joined with in the next round, each used once."""

    def __init__(self, plan: Plan, ground: Ground, gateway: Gateway, name: str) -> None:
        self._gateway = gateway
        self._path = ground.folder / f"requests-{name}"
        self._least = _QUICK_KNOCKS if plan.quick else _FIRST_KNOCKS
        self._per_s = 0.0
        self._tail = 0
        self.load = wrk.Load(self._path, once=True)

    def prepare(self, seconds: float) -> None:
        """Fetch knocks: they lapse after two minutes."""
        wanted = min(max(int(self._per_s * seconds * _SPARE), self._least), _MOST_KNOCKS)
        wrk.prepare(self._path, [poll(knock) for knock in self._gateway.knocks(wanted)])
        self._tail = self._gateway.board()["tail"]

    def judge(self, told: wrk.Told) -> None:
        """Every answer must be a number more in the store. Raises `Failed`."""
        self._per_s = max(told.requests / max(told.seconds, _LOOK_S), self._per_s)
        least, deadline = told.requests - self.load.connections - 1, time.monotonic() + _PATIENCE_S
        while (joined := self._gateway.board()["tail"] - self._tail) < least:
            if time.monotonic() > deadline:
                raise Failed(f"{told.requests} joins were answered, {joined} numbers are in the store")
            time.sleep(_LOOK_S)

    def contestant(self, name: str, helper: Program | None = None) -> Contestant:
        return Contestant(
            name, self._gateway.program, (), self.load, _WAITING, helper, before=self.prepare, after=self.judge
        )


def _against_nginx(plan: Plan, ground: Ground, gateway: Gateway, helper: Program | None = None) -> list[Contestant]:
    request = poll(gateway.knocks(100)[0])
    nginx = reference.nginx_saying(ground, ask(gateway.address, request))
    load = wrk.Load(wrk.prepare(ground.folder / "requests", [request]))
    joiners = Joiners(plan, ground, gateway, "joins")
    return [Contestant("nginx", nginx, [request], load, _WAITING), joiners.contestant(OURS, helper)]


def on_sqlite(plan: Plan, ground: Ground) -> list[Contestant]:
    return _against_nginx(plan, ground, waiting_room(ground))


def on_redis(plan: Plan, ground: Ground) -> list[Contestant]:
    redis = start_redis(ground)
    host, port = redis.address
    return _against_nginx(plan, ground, waiting_room(ground, store=f"redis://{host}:{port}"), redis)


def start_redis(ground: Ground) -> Program:
    """On the backend's core, as durable as the shipped settings make it."""
    address = unused()
    folder = ground.subfolder("redis")
    command = [shutil.which("redis-server") or "redis-server", "--bind", address[0], "--port", str(address[1])]
    command += ["--dir", str(folder), *_REDIS]
    return ground.start(Program("redis", command, folder=folder, address=address, on=ground.cores.backend))


def _helper(series: Mapping[str, Sequence[Round]]) -> list[str]:
    each = Spread.of([one.helper_cpu_s * 1e6 / one.requests for one in series[OURS]])
    return [f"Redis itself took {each.middle:.1f} us of CPU for each join; that is not in the table."]


def worst_wait(plan: Plan, ground: Ground) -> Found:
    """Two workers write to one file. Does one starve the other."""
    both = ground.cores.server | frozenset(sorted(ground.cores.generator)[:1])
    gateway = waiting_room(ground, workers=2, on=both)
    joiners = Joiners(plan, ground, gateway, "joins")
    series = compare(
        [joiners.contestant("two workers")],
        rounds=plan.rounds,
        seconds=plan.seconds,
        cores=plan.cores,
        progress=plan.say,
    )
    rounds = [one for each in series.values() for one in each]

    def told(value: Callable[[Round], float], unit: str) -> str:
        spread = Spread.of([value(one) for one in rounds])
        return f"{spread.middle:,.1f} {unit} ({spread.least:,.1f}-{spread.most:,.1f})"

    figures = [
        Figure("joins per second, two workers", told(lambda one: one.per_s, "")),
        Figure("wait of a join, p50", told(lambda one: one.p50_us / 1000, "ms")),
        Figure("wait of a join, p99", told(lambda one: one.p99_us / 1000, "ms")),
        Figure("worst wait of a round", told(lambda one: one.max_us / 1000, "ms")),
    ]
    return Found(Kind.FIGURES, series, figures=figures)


_JOIN: Final = (
    "A newcomer's knock is verified, a number issued and written, and the ticket signed before the answer; each knock"
    " is used once, and the room's numbers are counted afterwards. nginx: `return 200` with the same bytes."
)
ROWS: Final = (
    Row("join-sqlite", "Join, on SQLite", _JOIN, on_sqlite),
    Row(
        "join-redis",
        "Join, on Redis",
        f"{_JOIN} Redis (append-only file, flushed every second) has wrk's core, or one of its own with the backend.",
        on_redis,
        needs=("wrk", "nginx", "redis-server"),
        comment=_helper,
    ),
    Row(
        "join-wait",
        "Join, two workers on one SQLite file",
        "64 newcomers at once, all the time, at two workers, which share the cores with wrk where there are only two."
        " A wait is what wrk saw, from sending to the answer.",
        figures=worst_wait,
    ),
)
