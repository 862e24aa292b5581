"""What metrics cost: `python -m gateway.metrics.tests.cost`. Processor time, the best of five."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from prometheus_client import Metric

from gateway.metrics import Meters, Pool, Seat, StoreFacts, WorkerFacts, room_metrics, worker_metrics
from gateway.metrics.meters import FORWARDED
from gateway.room.model import Limits, Snapshot
from gateway.store.sqlite import SqliteStore
from gateway.store.timed import OPERATIONS

WORKERS = 8
ROOMS = 5
EVENTS = 40


def microseconds(work: Callable[[], object], times: int) -> float:
    def once() -> float:
        begun_s = time.process_time()
        for _ in range(times):
            work()
        return (time.process_time() - begun_s) / times * 1e6

    return min(once() for _ in range(5))


async def a_room(folder: Path) -> Snapshot:
    store = SqliteStore(folder / "queue.db", first_epoch=1)
    try:
        return await store.open_room("room", Limits())
    finally:
        await store.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = asyncio.run(a_room(folder))
        counters = {f"event{number}": number for number in range(EVENTS)}
        rooms = [replace(one, room=f"room{number}", counters=counters) for number in range(ROOMS)]
        stores = [StoreFacts(room.room, True, 0.1, 3, {"slow": 3}, 1, 2, False) for room in rooms]
        meters = Meters()
        for operation in OPERATIONS:
            meters.store_called(operation, 0.01)

        def measure() -> Iterable[Metric]:
            yield from room_metrics(rooms, {})
            yield from worker_metrics(WorkerFacts(100, {"crowded": 1}, 5, [], {}, stores))
            yield from meters.collect()

        pools = [Pool(measure, Seat(folder, number)) for number in range(WORKERS)]
        for pool in pools:
            pool.write()
        request = microseconds(lambda: meters.answered(FORWARDED, 0.003), 50_000)
        backend = microseconds(lambda: meters.backend_answered(200, 0.003), 50_000)
        print(f"one request: {request:.1f} us; forwarded: {request + backend:.1f} us")
        print(f"a worker's file with {ROOMS} rooms, once a second: {microseconds(pools[0].write, 50) / 1000:.1f} ms")
        print(f"a scrape of {WORKERS} workers: {microseconds(pools[0].scrape, 10) / 1000:.1f} ms")


if __name__ == "__main__":
    main()
