"""One answer for all workers of a machine, whichever of them is asked.

Workers share the operators' port, so nobody can choose who answers. Each writes what it has measured, once a second and
whenever it is asked itself, into a file of its own; who is asked reads them all. A worker that takes the place of
another goes on from what that one had written, so counters never go back: what was told once was written before. At a
`kill -9` what was counted in the last second is lost.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from prometheus_client import Metric, generate_latest

from gateway.metrics.families import metric
from gateway.metrics.joining import Values, join, metrics_of, totals, values_of

_LOG: Final = logging.getLogger(__name__)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
WRITE_S: Final = 1.0
# A worker that has not written for this long is gone or hangs: what it is at now is not known.
STALE_S: Final = 5.0


class Seat(NamedTuple):
    """Where a worker writes: one of a supervisor's, and which."""

    folder: Path
    number: int


class Pool:
    """measure: all families of this worker. seat: None if it is alone. monotonic: seconds, the same for all workers."""

    def __init__(
        self,
        measure: Callable[[], Iterable[Metric]],
        seat: Seat | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measure = measure
        self._seat = seat
        self._monotonic = monotonic
        self._failing = False
        self._before: Values = {}
        before = _read(_file(seat)) if seat is not None else None
        if before is not None:
            restart = values_of([metric("sunbeon_worker_restarts", [((), 1)])])
            self._before = totals(join([before[1], restart]))

    def scrape(self) -> bytes:
        """The exposition text."""
        own = self.write()
        others = self._others()
        return generate_latest(_Told(metrics_of(join([own, *others]))))

    def write(self) -> Values:
        """Have the other workers know what this one has measured by now; and that."""
        measured = values_of([*self._measure(), metric("sunbeon_worker_restarts", [((), 0)])])
        own = {**measured, **totals(join([self._before, totals(measured)]))} if self._before else measured
        if self._seat is not None:
            try:
                _write(_file(self._seat), self._monotonic(), own)
            except OSError as error:
                if not self._failing:
                    _LOG.warning("other workers cannot tell this one's metrics", extra={"why": error.strerror})
                self._failing = True
            else:
                self._failing = False
        return own

    async def run(self) -> None:
        """Write until cancelled."""
        while self._seat is not None:
            try:
                self.write()
            except Exception:  # noqa: BLE001
                # A fault of ours in measuring must not end it for good.
                _LOG.exception("metrics were not written through a fault of the gateway's")
            await asyncio.sleep(WRITE_S)

    def _others(self) -> Iterable[Values]:
        if self._seat is None:
            return
        own = _file(self._seat)
        for path in sorted(self._seat.folder.glob("*.json")):
            found = _read(path) if path != own else None
            if found is not None:
                written_s, values = found
                yield values if self._monotonic() - written_s < STALE_S else totals(values)


class _Told:
    """As `generate_latest` wants a registry."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _file(seat: Seat) -> Path:
    return seat.folder / f"{seat.number}.json"


def _write(path: Path, now_s: float, values: Values) -> None:
    """Whole or not at all: it may be read, or we may be killed, at any moment."""
    beside = path.with_suffix(".new")
    beside.write_bytes(orjson.dumps((now_s, values)))
    beside.rename(path)


def _read(path: Path) -> tuple[float, Values] | None:
    """When it was written, and what."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        written_s, values = orjson.loads(path.read_bytes())
        return float(written_s), {name: dict(samples) for name, samples in values.items()}
    return None
