"""The metrics of a worker, in text that Prometheus reads: what the store last said of every room, and its own facts."""

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.edge.proxy.servers import ServerState
from gateway.metrics import AuditFacts, CalendarFacts, Pool, StoreFacts, WorkerFacts, room_metrics, worker_metrics
from gateway.room.model import Limits, Prequeue, Snapshot
from gateway.store.sqlite import SqliteStore


@pytest.fixture
async def snapshot(tmp_path):
    store = SqliteStore(tmp_path / "queue.db", first_epoch=1)
    yield await store.open_room("vaccine", Limits(total_active_users=300))
    await store.close()


def read(*rooms: Snapshot) -> dict[tuple[str, str], float]:
    """Samples by name and labels: the room, then the other one if it has one."""
    text = Pool(lambda: room_metrics(rooms, {})).scrape().decode()
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "room" in sample.labels
    }


def test_every_room_has_its_figures(snapshot):
    north = replace(snapshot, room="north", tail=10, serving=4, live=3, left_ahead=1, lane_waiting=2)
    found = read(north, replace(snapshot, room="south"))
    assert found["sunbeon_waiting_users", "north"] == 5
    assert found["sunbeon_active_users", "north"] == 3
    assert found["sunbeon_active_users_limit", "south"] == 300
    assert found["sunbeon_at_door_users", "north"] == 2
    assert (found["sunbeon_last_number", "north"], found["sunbeon_serving_place", "north"]) == (10, 4)
    assert found["sunbeon_room_state", "north,open"] == 1
    assert found["sunbeon_room_state", "north,paused"] == 0


def test_what_happened_is_counted_by_kind_and_peaks_are_no_counters(snapshot):
    found = read(replace(snapshot, counters={"admitted": 7, "refused.forged": 2, "peak_live": 9}))
    assert found["sunbeon_events_total", "admitted,vaccine"] == 7
    assert found["sunbeon_events_total", "refused.forged,vaccine"] == 2
    assert not [labels for name, labels in found if "peak" in labels]


def test_every_metric_says_what_it_is(snapshot):
    text = Pool(lambda: room_metrics([snapshot], {})).scrape().decode()
    assert all(family.documentation for family in text_string_to_metric_families(text))


def test_without_rooms_there_is_still_an_answer():
    assert read() == {}


def test_two_readings_do_not_add_up(snapshot):
    pool = Pool(lambda: room_metrics([replace(snapshot, counters={"admitted": 7})], {}))
    assert pool.scrape() == pool.scrape()


def test_who_lines_up_for_a_window_is_told_by_wave(snapshot):
    waves = {"vaccine": {"1965": Prequeue(waiting=4, opens_ms=9)}}
    text = Pool(lambda: room_metrics([snapshot], waves)).scrape().decode()
    assert 'sunbeon_prequeue_users{room="vaccine",wave="1965"} 4.0' in text.splitlines()


def test_a_worker_tells_of_its_connections_and_of_what_is_behind_it():
    servers = [ServerState("http://a", True, False, 3, 2, 0), ServerState("http://b", True, True, 0, 0, 3)]
    store = StoreFacts("vaccine", True, 0.5, -40, {"slow": 3}, grace=5, let_in=6, fails_open=True)
    facts = WorkerFacts(
        connections=7,
        refused={"crowded": 2},
        streams=1,
        servers=servers,
        stock={"vaccine": 12, "hall": None},
        stores=[store],
        calendars=[CalendarFacts("vaccine", 3, taken=False)],
        people={"vaccine": 3, "hall": None},
        audit=AuditFacts(chained=9, unchained=1, failed=2, left_out=4),
    )
    told = Pool(lambda: worker_metrics(facts)).scrape().decode().splitlines()
    for line in (
        "sunbeon_open_connections 7.0",
        "sunbeon_open_streams 1.0",
        'sunbeon_stock{room="vaccine"} 12.0',
        'sunbeon_people_waiting{room="vaccine"} 3.0',
        'sunbeon_refused_at_listener_total{kind="crowded"} 2.0',
        'sunbeon_backend_up{server="http://a"} 1.0',
        'sunbeon_backend_up{server="http://b"} 0.0',
        'sunbeon_backend_requests_in_flight{server="http://a"} 3.0',
        'sunbeon_backend_idle_connections{server="http://a"} 2.0',
        'sunbeon_store_up{room="vaccine"} 1.0',
        'sunbeon_store_age_seconds{room="vaccine"} 0.5',
        'sunbeon_store_errors_total{kind="slow",room="vaccine"} 3.0',
        'sunbeon_clock_skew_seconds{room="vaccine"} -0.04',
        'sunbeon_grace_requests_total{room="vaccine"} 5.0',
        'sunbeon_fail_open_total{room="vaccine"} 6.0',
        'sunbeon_failing_open{room="vaccine"} 1.0',
        'sunbeon_calendar_version{room="vaccine"} 3.0',
        'sunbeon_calendar_taken{room="vaccine"} 0.0',
        'sunbeon_audit_lines_total{result="chained"} 9.0',
        'sunbeon_audit_lines_total{result="failed"} 2.0',
    ):
        assert line in told
    assert not [line for line in told if "hall" in line]
