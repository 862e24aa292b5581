"""Notes how every room stands, once in ten seconds of the store's clock (`gateway.history`).

While the store is away no point is made: nobody knows how the room stands, and a gap says so.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from gateway.edge.line import Line
from gateway.history import History
from gateway.points import SLOT_MS, Point, take

_LOG: Final = logging.getLogger(__name__)

LOOK_S: Final = 1.0


class Recorder:
    """Of one worker; of several on a machine, the first point of a slot counts."""

    def __init__(self, lines: Sequence[Line], history: History) -> None:
        self._lines = lines
        self._history = history
        self._slots: dict[str, int] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while self._history.on:
            try:
                self.look()
            except Exception:  # noqa: BLE001
                # A fault of ours must not end the history for good.
                _LOG.exception("no point of history was made through a fault of the gateway's")
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Write a point of each room that has come to a new slot."""
        points = []
        for line in self._lines:
            if not line.fresh:
                continue
            slot = line.snapshot.now_ms // SLOT_MS
            if self._slots.get(line.name) != slot:
                self._slots[line.name] = slot
                points.append((line.name, _point(line)))
        self._history.add(points)


def _point(line: Line) -> Point:
    latency = line.latency.take()
    return take(line.snapshot, people_waiting=line.people_waiting, latency=latency, stock=line.stock_left)
