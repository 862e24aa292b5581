"""The metrics are what the store last said of every room, in text that Prometheus reads."""

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway import metrics
from gateway.edge.proxy.servers import ServerState
from gateway.room.model import Limits, Snapshot
from gateway.store.sqlite import SqliteStore


@pytest.fixture
async def snapshot(tmp_path):
    store = SqliteStore(tmp_path / "queue.db", first_epoch=1)
    yield await store.open_room("vaccine", Limits(total_active_users=300))
    await store.close()


def read(*rooms: Snapshot) -> dict[tuple[str, str], float]:
    """Samples by name and labels: the room, then the event if it has one."""
    families = text_string_to_metric_families(metrics.render(lambda: rooms).decode())
    return {
        (
            sample.name,
            ",".join(sample.labels[name] for name in ("room", "event") if name in sample.labels),
        ): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_room_has_its_figures(snapshot):
    north = replace(snapshot, room="north", tail=10, serving=4, live=3, left_ahead=1, lane_waiting=2)
    found = read(north, replace(snapshot, room="south"))
    assert found["sunbeon_waiting_users", "north"] == 5
    assert found["sunbeon_active_users", "north"] == 3
    assert found["sunbeon_active_users_limit", "south"] == 300
    assert found["sunbeon_at_door_users", "north"] == 2
    assert (found["sunbeon_last_number", "north"], found["sunbeon_serving_place", "north"]) == (10, 4)


def test_what_happened_is_counted_by_kind_and_peaks_are_no_counters(snapshot):
    found = read(replace(snapshot, counters={"admitted": 7, "refused.forged": 2, "peak_live": 9}))
    assert found["sunbeon_events_total", "vaccine,admitted"] == 7
    assert found["sunbeon_events_total", "vaccine,refused.forged"] == 2
    assert not [labels for name, labels in found if "peak" in labels]


def test_every_metric_says_what_it_is(snapshot):
    families = list(text_string_to_metric_families(metrics.render(lambda: [snapshot]).decode()))
    assert all(family.name.startswith("sunbeon_") and family.documentation for family in families)


def test_without_rooms_there_is_still_an_answer():
    assert read() == {}


def test_two_readings_do_not_add_up(snapshot):
    room = replace(snapshot, counters={"admitted": 7})
    assert read(room) == read(room)


def test_a_worker_tells_of_its_connections_and_of_the_servers_behind_it(snapshot):
    servers = [ServerState("http://a", True, False, 3, 2, 0), ServerState("http://b", True, True, 0, 0, 3)]
    store = metrics.StoreFacts("vaccine", True, 0.5, -40, {"slow": 3}, grace=5, let_in=6, fails_open=True)
    facts = metrics.WorkerFacts(
        connections=7,
        refused={"crowded": 2},
        streams=1,
        servers=servers,
        stock={"vaccine": 12, "hall": None},
        stores=[store],
        people={"vaccine": 3, "hall": None},
    )
    text = metrics.render(lambda: [snapshot], lambda: facts, "42").decode()
    for line in (
        'sunbeon_open_connections{worker="42"} 7.0',
        'sunbeon_open_streams{worker="42"} 1.0',
        'sunbeon_stock{room="vaccine"} 12.0',
        'sunbeon_people_waiting{room="vaccine"} 3.0',
        'sunbeon_refused_at_listener_total{kind="crowded",worker="42"} 2.0',
        'sunbeon_backend_up{server="http://a",worker="42"} 1.0',
        'sunbeon_backend_up{server="http://b",worker="42"} 0.0',
        'sunbeon_backend_requests_in_flight{server="http://a",worker="42"} 3.0',
        'sunbeon_backend_idle_connections{server="http://a",worker="42"} 2.0',
        'sunbeon_store_up{room="vaccine",worker="42"} 1.0',
        'sunbeon_store_age_seconds{room="vaccine",worker="42"} 0.5',
        'sunbeon_store_errors_total{kind="slow",room="vaccine",worker="42"} 3.0',
        'sunbeon_clock_skew_ms{room="vaccine",worker="42"} -40.0',
        'sunbeon_grace_requests_total{room="vaccine",worker="42"} 5.0',
        'sunbeon_fail_open_total{room="vaccine",worker="42"} 6.0',
        'sunbeon_failing_open{room="vaccine",worker="42"} 1.0',
    ):
        assert line in text.splitlines()
