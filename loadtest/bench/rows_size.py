"""Memory, by who waits, is inside, or is merely connected; and how long it takes until anything is served."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from loadtest.bench import reference, spent
from loadtest.bench.figures import Spread
from loadtest.bench.ground import Ground
from loadtest.bench.program import Failed, Program
from loadtest.bench.reference import MIB
from loadtest.bench.row import OURS, Figure, Found, Kind, Plan, Row
from loadtest.bench.rows_own import waiting_room
from loadtest.bench.sunbeon import ROOT, Gateway
from loadtest.bench.wire import PAGE, SCRIPT, Address, Connection, ask, request

_PEOPLE: Final = 5_000
_QUICK_PEOPLE: Final = 2_000
_LINES: Final = (100_000, 6_000_000)
_CONNECTIONS: Final = 100_000
_QUICK_CONNECTIONS: Final = 1_000
# Of one source address; there are some 28,000 ports.
_PER_SOURCE: Final = 20_000
# Files that a server has open besides.
_BESIDES: Final = 500
# Until what was done is in the store's file and the ticks have seen it.
_SETTLE_S: Final = 2.0
_PAGE_KIB: Final = 4


def memory(plan: Plan, ground: Ground) -> Found:
    people = _QUICK_PEOPLE if plan.quick else _PEOPLE
    figures = [*_waiting(ground, people), *_inside(ground, people)]
    if plan.has("redis-server"):
        figures.append(Figure("Redis' own memory", _redis(100 if plan.quick else 1)))
    return Found(Kind.FIGURES, figures=figures)


def _waiting(ground: Ground, people: int) -> list[Figure]:
    gateway = waiting_room(ground, ahead=0)
    gateway.crowd(people)
    gateway.await_waiting(people)
    # What the first thousands brought along is for all who come later; so is what it takes to serve anybody at all.
    before = _sizes(gateway)
    figures = [
        Figure(
            f"gateway, {people:,} waiting, each with knock, number and a poll over HTTP", f"{before[0] / MIB:.0f} MiB"
        )
    ]
    gateway.crowd(people)
    gateway.await_waiting(2 * people)
    figures.append(
        Figure(f"... as many again: bytes each, gateway; SQLite's files{_LATELY}", _each(gateway, before, people))
    )
    for line in _LINES:
        more = line - gateway.board()["waiting"]
        before = _sizes(gateway)
        gateway.lengthen(more)
        figures.append(Figure(f"... {line:,} waiting: bytes each of those added", _each(gateway, before, more)))
    return figures


_LATELY: Final = " (knocks of the last two minutes are kept)"


def _inside(ground: Ground, people: int) -> list[Figure]:
    gateway = Gateway(ground, reference.backend(ground).address, name=f"{OURS}-open")

    gateway.enter(people)
    before = _sizes(gateway)
    more = gateway.enter(people)
    what = f"gateway and SQLite's files, bytes for each of {more:,} more inside"
    return [Figure(what, _each(gateway, before, more))]


def _sizes(gateway: Gateway) -> tuple[int, int]:
    """Bytes: the gateway's memory, and the files of its line."""
    time.sleep(_SETTLE_S)
    files = sum(path.stat().st_size for path in gateway.folder.glob("sunbeon.db*"))
    return spent.memory_bytes(gateway.program.session), files


def _each(gateway: Gateway, before: tuple[int, int], people: int) -> str:
    after = _sizes(gateway)
    return f"{(after[0] - before[0]) / people:,.2f}; {(after[1] - before[1]) / people:,.2f}"


def _redis(scale: int) -> str:
    """As `python -m gateway.tests.capacity` says."""
    words = ["-m", "gateway.tests.capacity", "--part", "memory", "--kind", "redis", "--scale", str(scale)]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise Failed(f"gateway.tests.capacity: {done.stderr[-1000:]}")
    return done.stdout.strip().removeprefix("redis").strip()


def idle(plan: Plan, ground: Ground) -> Found:
    """Connections that have asked once and are kept."""
    wanted = _QUICK_CONNECTIONS if plan.quick else _CONNECTIONS
    count = min(wanted, ground.open_files - _BESIDES)
    gateway = waiting_room(ground, ahead=0)
    asked = request("GET", "/_sunbeon/bench/board", SCRIPT)
    nginx = reference.nginx_saying(ground, ask(gateway.address, asked))
    figures = []
    for net, (name, program) in enumerate((("nginx", nginx), (OURS, gateway.program)), 1):
        # Each from addresses of its own: ports of closed connections are not free at once.
        user, kernel = _idle(program, asked, count, net)
        figures.append(Figure(f"{name}, memory of each", f"{user / count / 1024:.1f} KiB", user / count))
        figures.append(
            Figure(f"{name}, kernel's buffers and sockets of each, both ends", f"{kernel / count / 1024:.1f} KiB")
        )
    notes = []
    if count < wanted:
        notes.append(f"{wanted:,} were wanted; a process may have {ground.open_files:,} files open here.")
    return Found(Kind.FIGURES, figures=[Figure("kept connections", f"{count:,}"), *figures], notes=notes)


def _idle(program: Program, asked: bytes, count: int, net: int) -> tuple[int, int]:
    """Bytes that so many take, in the program and in the kernel."""
    ask(program.address, asked)
    before = spent.memory_bytes(program.session), _kernel_bytes()
    kept: list[Connection] = []
    try:
        for number in range(count):
            kept.append(Connection(program.address, source=f"127.0.{net}.{1 + number // _PER_SOURCE}"))
            kept[-1].ask(asked)
        time.sleep(_SETTLE_S)
        program.check()
        # The oldest one still works.
        kept[0].ask(asked)
        return spent.memory_bytes(program.session) - before[0], _kernel_bytes() - before[1]
    except OSError as error:
        raise Failed(f"connection {len(kept)} of {count} at {program.name}: {error}") from None
    finally:
        for each in kept:
            each.close()


def _kernel_bytes() -> int:
    """What sockets take: slabs, and pages of TCP's buffers."""
    slabs = re.search(r"^Slab: +(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
    pages = re.search(r"^TCP: .* mem (\d+)", Path("/proc/net/sockstat").read_text(encoding="ascii"), re.MULTILINE)
    return (int(slabs[1]) if slabs else 0) * 1024 + (int(pages[1]) if pages else 0) * _PAGE_KIB * 1024


def start(plan: Plan, ground: Ground) -> Found:
    """From starting the program to its first right answer."""
    behind = reference.backend(ground).address
    asked = request("GET", "/", PAGE)
    starters: dict[str, Callable[[Ground, Address], Program]] = {"nginx": reference.nginx_proxy}
    starters |= {name: start for name, word, start in reference.PROXIES if plan.has(word)}
    starters["plain aiohttp"] = reference.plain_aiohttp
    starters[OURS] = lambda ground, behind: Gateway(ground, behind).program
    took: dict[str, list[float]] = {name: [] for name in starters}
    for number in range(plan.rounds):
        for name, begin in starters.items():
            with ExitStack() as stack:
                within = Ground(ground.subfolder(f"{number}"), ground.cores, stack, ground.open_files)
                program = begin(within, behind)
                reply = ask(program.address, asked)
                took[name].append(time.monotonic() - program.begun_s)
                if reference.MARKER not in reply.body:
                    raise Failed(f"{name} answered {reply.status} without {reference.MARKER!r}")
        plan.say(f"  round {number + 1}: " + ", ".join(f"{name} {times[-1]:.2f} s" for name, times in took.items()))
    figures = []
    for name, times in took.items():
        spread = Spread.of(times)
        figures.append(
            Figure(name, f"{spread.middle * 1000:,.0f} ms ({spread.least * 1000:,.0f}-{spread.most * 1000:,.0f})")
        )
    return Found(Kind.FIGURES, figures=figures)


ROWS: Final = (
    Row(
        "memory",
        "Memory: who waits, who is inside",
        "Gateway: its processes' own pages and their share of shared ones (PSS), 2 s after the last came. Most who wait"
        " are put in line in the store at once, as joining over HTTP takes long; a line holds nothing about them.",
        figures=memory,
    ),
    Row(
        "idle",
        "Memory: kept connections",
        "Each has asked once, like a browser, and is left open; the first one is asked again at the end.",
        figures=idle,
    ),
    Row(
        "start",
        "Until it serves",
        "From starting the program to its first answer, a page of the backend's.",
        figures=start,
    ),
)
