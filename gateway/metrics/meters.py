"""What a worker measures as it goes: how long things take, how late they are, how they end.

What happens with every request is measured by `tally`; the rest takes some microseconds. Nothing here waits or fails.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Histogram, Metric, ProcessCollector

from gateway.metrics.families import FAMILIES, metric
from gateway.metrics.tally import Tally, family_of

# In seconds.
_QUICK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_REQUEST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_BACKEND: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LATE: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

LAG_EVERY_S: Final = 1.0

# The gate's own words for its answers, in few kinds; any other is a refusal.
_KINDS: Final[Mapping[str, str]] = {
    **{word: word for word in ("waiting", "status", "eligibility")},
    "birth_date_needed": "eligibility",
    **dict.fromkeys(("board", "draw", "jwks"), "board"),
    **dict.fromkeys(("bad_gateway", "gateway_timeout", "unserved", "unavailable", "turn_kept"), "failed"),
    **dict.fromkeys(("left", "options"), "other"),
}
REFUSED: Final = "refused"
FORWARDED: Final = "forward"
STREAMED: Final = "stream"
KINDS: Final = frozenset({*_KINDS.values(), REFUSED, FORWARDED, STREAMED})
RESULTS: Final = ("1xx", "2xx", "3xx", "4xx", "5xx", "timeout", "unreachable", "broken")
_CLASSES: Final = ("", *RESULTS[:5])


def kind_of(word: str) -> str:
    """Of an answer of the gate's own."""
    return _KINDS.get(word, REFUSED)


class Meters:
    """One worker's. Durations are in seconds."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._process = ProcessCollector(registry=None)
        self._version = version("sunbeon")
        # Told from the start: Prometheus cannot see by how much a counter grew that was not there before.
        self._by_kind = {kind: Tally(_REQUEST) for kind in sorted(KINDS)}
        self._head = Tally(_BACKEND)
        self._answers = dict.fromkeys(RESULTS, 0)
        self._tick = self._histogram("sunbeon_tick_duration_seconds", _QUICK)
        self._lateness = self._histogram("sunbeon_tick_lateness_seconds", _LATE)
        self._calls = self._histogram("sunbeon_store_call_duration_seconds", _QUICK)
        self._lag = self._histogram("sunbeon_event_loop_lag_seconds", _LATE)

    def answered(self, kind: str, took_s: float) -> None:
        """A request was answered: `FORWARDED`, `STREAMED`, or as `kind_of` says."""
        self._by_kind[kind].observe(took_s)

    def backend_answered(self, status: int, took_s: float) -> None:
        """The head of the backend's answer has come."""
        self._head.observe(took_s)
        self._answers[_CLASSES[status // 100]] += 1

    def backend_failed(self, how: str) -> None:
        """No answer came: `timeout`, `unreachable`, or `broken` (it broke off, or cannot be understood)."""
        self._answers[how] += 1

    def ticked(self, *, late_s: float, took_s: float) -> None:
        self._lateness.observe(late_s)
        self._tick.observe(took_s)

    def store_called(self, operation: str, took_s: float) -> None:
        """Answered or failed."""
        self._calls.labels(operation).observe(took_s)

    async def watch_loop(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Measure until cancelled how much later than asked for this event loop comes round to things."""
        while True:
            due_s = monotonic() + LAG_EVERY_S
            await sleep(LAG_EVERY_S)
            self._lag.observe(max(0.0, monotonic() - due_s))

    def collect(self) -> Iterable[Metric]:
        """All families measured here, and those of the process."""
        yield family_of("sunbeon_request_duration_seconds", [((kind,), each) for kind, each in self._by_kind.items()])
        yield family_of("sunbeon_backend_response_seconds", [((), self._head)])
        yield metric("sunbeon_backend_answers", [((result,), count) for result, count in self._answers.items()])
        yield from self._registry.collect()
        yield from self._process.collect()
        yield metric("sunbeon_workers", [((), 1)])
        yield metric("sunbeon_build_info", [((self._version,), 1)])

    def _histogram(self, name: str, buckets: tuple[float, ...]) -> Histogram:
        family = FAMILIES[name]
        return Histogram(name, family.text, family.labels, buckets=buckets, registry=self._registry)
