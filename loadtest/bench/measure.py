"""A row: the contestants are measured in turn, round after round, and have to answer rightly.

Prepared requests are asked for once before and once after the rounds (of thousands, 64), and their answers looked at:
status, marker, number of bytes. Within the rounds wrk counts what is no success, and by the number of bytes
an answer of another kind would show (a waiting page where the backend's was due).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from loadtest.bench import spent, wrk
from loadtest.bench.cores import Cores
from loadtest.bench.figures import Round
from loadtest.bench.program import Failed, Program
from loadtest.bench.wire import Connection, Reply

# How far an answer's length may differ from that of the answers looked at: numbers in it have more or fewer digits.
_LENGTHS_DIFFER: Final = 0.05
_WARM_S: Final = 1.0
# Of thousands of prepared requests, about so many are looked at, all over them.
_LOOKS: Final = 64
OK: Final = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """The right answer: 200, these bytes in its body, these header lines."""

    marker: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def check(self, who: str, reply: Reply) -> None:
        """Raises `Failed`."""
        if reply.status != OK:
            raise Failed(f"{who} answered {reply.status}, not 200: {reply.body[:200]!r}")
        if self.marker not in reply.body:
            raise Failed(f"{who} answered without {self.marker!r}: {reply.body[:200]!r}")
        for name, value in self.headers:
            if reply.header(name) != value:
                raise Failed(f"{who} answered with {name}: {reply.header(name)}, not {value}")


@dataclass(slots=True)
class Contestant:
    """Whom to ask what. helper: a program that works for it and is told apart, as a store's server.

    before: called before each time it is measured, with the seconds to come, for requests that can be sent only once.
    after: called with what wrk saw each time; raises `Failed` if that cannot be.
    """

    name: str
    server: Program
    requests: Sequence[bytes]
    load: wrk.Load
    wanted: Wanted
    helper: Program | None = None
    before: Callable[[float], None] | None = None
    after: Callable[[wrk.Told], None] | None = None
    _size: float = field(default=0.0, init=False)

    def look(self) -> None:
        """Ask for each thing once, or for some of many. Raises `Failed` if an answer is wrong."""
        if self.before is not None:
            return  # what can be asked for only once cannot be tried out: `after` sees to it
        connection = Connection(self.server.address)
        try:
            sizes = []
            for each in self.requests[:: max(len(self.requests) // _LOOKS, 1)]:
                reply = connection.ask(each)
                self.wanted.check(self.name, reply)
                sizes.append(reply.size)
        except OSError as error:
            raise Failed(f"{self.name} did not answer: {error}\n{self.server.output()}") from None
        finally:
            connection.close()
        self._size = sum(sizes) / len(sizes)

    def measure(self, seconds: float, *, on: frozenset[int]) -> Round:
        """Raises `Failed` if an answer was wrong or missing."""
        if self.before is not None:
            self.before(seconds)
        self.server.check()
        before = self._cpu_s()
        told = wrk.run(self.server.address, self.load, seconds=seconds, on=on)
        after = self._cpu_s()
        self._judge(told)
        return Round(
            requests=told.requests,
            seconds=told.seconds,
            cpu_s=after[0] - before[0],
            helper_cpu_s=after[1] - before[1],
            p50_us=told.p50_us,
            p90_us=told.p90_us,
            p99_us=told.p99_us,
            max_us=told.max_us,
        )

    def _cpu_s(self) -> tuple[float, float]:
        return spent.cpu_s(self.server.session), spent.cpu_s(self.helper.session) if self.helper is not None else 0.0

    def _judge(self, told: wrk.Told) -> None:
        if told.errors or not told.requests:
            raise Failed(f"{self.name}: {told.errors} of {told.requests} answers failed\n{self.server.output()}")
        # When wrk stops, an answer may be half there on each connection.
        least = told.requests * self._size * (1 - _LENGTHS_DIFFER)
        most = (told.requests * (1 + _LENGTHS_DIFFER) + self.load.connections) * self._size
        if self._size and not least <= told.bytes <= most:
            size = told.bytes / told.requests
            raise Failed(f"{self.name}: answers of {size:.0f} bytes, where {self._size:.0f} are right")
        if self.after is not None:
            self.after(told)


def compare(
    contestants: Sequence[Contestant], *, rounds: int, seconds: float, cores: Cores, progress: Callable[[str], None]
) -> dict[str, list[Round]]:
    """All of them in turn, so many times. Raises `Failed` if anyone answers wrongly.

    The first is measured twice in each round, the second time as "... again": how far these two differ is noise.
    """
    for each in contestants:
        each.look()
        each.measure(min(_WARM_S, seconds), on=cores.generator)
    first = contestants[0]
    entries = [(first.name, first), *((each.name, each) for each in contestants[1:]), (f"{first.name} again", first)]
    found: dict[str, list[Round]] = {name: [] for name, _ in entries}
    for number in range(rounds):
        # Another one first each time: whoever comes behind a hungry one finds a hotter machine.
        shift = number % len(entries)
        for name, each in entries[shift:] + entries[:shift]:
            done = each.measure(seconds, on=cores.generator)
            found[name].append(done)
            progress(f"  round {number + 1}: {name}: {done.per_cpu_s:,.0f} per CPU second, p50 {done.p50_us:,} us")
    for each in contestants:
        each.look()
    return found
