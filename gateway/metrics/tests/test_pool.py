"""Whichever worker is asked, the answer is of all; counters never go back, and who is gone is no gauge any more."""

import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import Meters, Pool, Seat
from gateway.metrics.families import FAMILIES, Joined, metric


@dataclass
class Worker:
    """A worker that measures what a test says, by a clock that all share."""

    folder: Path
    number: int
    clock: list[float]
    connections: int = 0
    refused: int = 0
    up: bool = True
    skew_s: float = 0.0
    meters: Meters = field(default_factory=Meters)

    def __post_init__(self):
        self.pool = Pool(self.measure, Seat(self.folder, self.number), monotonic=lambda: self.clock[0])

    def measure(self):
        yield metric("sunbeon_open_connections", [((), self.connections)])
        yield metric("sunbeon_refused_at_listener", [(("crowded",), self.refused)])
        yield metric("sunbeon_store_up", [(("hall",), self.up)])
        yield metric("sunbeon_clock_skew_seconds", [(("hall",), self.skew_s)])
        yield from self.meters.collect()

    def told(self) -> dict[str, float]:
        families = text_string_to_metric_families(self.pool.scrape().decode())
        return {
            sample.name + "".join(f",{value}" for value in sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }


@pytest.fixture
def start(tmp_path):
    """Starts a worker; one with the number of another takes its place."""
    clock = [1000.0]

    def make(number: int, **more) -> Worker:
        return Worker(tmp_path, number, clock, **more)

    return make


def test_every_worker_tells_of_all(start):
    first, second = start(0, connections=3, refused=5), start(1, connections=4, refused=6)
    first.meters.answered("waiting", 0.003)
    second.meters.answered("waiting", 0.3)
    second.pool.write()
    found = first.told()
    assert found["sunbeon_open_connections"] == 7
    assert found["sunbeon_refused_at_listener_total,crowded"] == 11
    assert found["sunbeon_request_duration_seconds_count,waiting"] == 2
    assert found["sunbeon_request_duration_seconds_bucket,waiting,0.005"] == 1
    assert found["sunbeon_workers"] == 2
    same = second.told()
    assert {name for name in found if found[name] != same[name]} <= {name for name in found if "process_" in name}


def test_one_worker_that_lacks_the_store_is_enough_to_be_told(start):
    first, second = start(0), start(1, up=False)
    second.pool.write()
    assert first.told()["sunbeon_store_up,hall"] == 0


def test_of_clocks_the_worst_is_told_with_its_sign(start):
    first, second = start(0, skew_s=0.5), start(1, skew_s=-2)
    second.pool.write()
    assert first.told()["sunbeon_clock_skew_seconds,hall"] == -2


def test_counters_go_on_where_a_killed_worker_was_last_heard(start):
    other, first = start(0), start(1, refused=5)
    for turn in range(1, 4):
        first.meters.answered("status", 0.01)
        before = first.told()
        first = start(1, refused=2)
        assert other.told()["sunbeon_refused_at_listener_total,crowded"] == 5 + 2 * (turn - 1)
        after = first.told()
        assert after["sunbeon_refused_at_listener_total,crowded"] == 5 + 2 * turn
        assert after["sunbeon_request_duration_seconds_count,status"] == turn
        assert after["sunbeon_worker_restarts_total"] == turn
        assert all(after[name] >= before[name] for name in before if name.endswith(("_total", "_count", "_bucket")))


def test_a_worker_that_keeps_silent_is_no_gauge_and_still_a_counter(start):
    first, second = start(0, connections=3), start(1, connections=4, refused=6, up=False)
    second.pool.write()
    first.clock[0] += 10
    found = first.told()
    assert found["sunbeon_open_connections"] == 3
    assert found["sunbeon_workers"] == 1
    assert found["sunbeon_store_up,hall"] == 1
    assert found["sunbeon_refused_at_listener_total,crowded"] == 6


@pytest.mark.parametrize(
    "content", [b"", b"[1, {", b"[]", b"7", b'[1.0, {"sunbeon_workers": [1]}]', b'[1.0, {"x": {}}]']
)
def test_a_file_that_cannot_be_read_is_passed_over(start, tmp_path, content):
    (tmp_path / "1.json").write_bytes(content)
    assert start(0).told()["sunbeon_workers"] == 1
    assert start(1).told()["sunbeon_workers"] in {1, 2}


def test_without_its_folder_a_worker_still_tells_of_itself_and_says_so_once(start, tmp_path, caplog):
    first = start(0, connections=3)
    shutil.rmtree(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert first.told()["sunbeon_open_connections"] == 3
        first.pool.write()
    assert [record.message for record in caplog.records] == ["other workers cannot tell this one's metrics"]


def test_alone_it_needs_no_folder():
    assert b"sunbeon_workers 1.0" in Pool(Meters().collect).scrape()


def test_rooms_are_told_once_however_many_workers_tell_of_them():
    assert all((family.joined is Joined.SAME) <= ("room" in family.labels) for family in FAMILIES.values())
