"""`streams` in small: bounds on memory and on what becomes of bodies and connections, never on speed."""

import pytest

from gateway.tests.http.streaming import bodies, held, rude, stopping
from gateway.tests.http.streaming.backends import ROUTES
from gateway.tests.http.streaming.flow import MIB
from gateway.tests.http.streaming.site import raise_file_limit, site

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def files():
    raise_file_limit()


def broken(figures):
    return [figure for figure in figures if not figure.kept]


async def test_bodies_of_any_length_take_the_same_memory_and_arrive_whole(tmp_path):
    async with site(tmp_path, ROUTES) as (gate, backend):
        figures = await bodies.one_at_a_time(gate, 48 * MIB)
        for way in ("down", "up"):
            crowd = bodies.slow_crowd(gate, backend, way, streams=8, size=24 * MIB, burst=3 * MIB, pause_s=0.3)
            figures += await crowd
        figures += await held.idle_connections(gate, 200)
    assert broken(figures) == []


async def test_a_client_that_goes_away_takes_its_request_to_the_backend_with_it(tmp_path):
    async with site(tmp_path, ROUTES, **rude.FAR) as (gate, backend):
        assert broken(await rude.gone_clients(gate, backend)) == []


async def test_so_does_one_that_is_held_back(tmp_path):
    async with site(tmp_path, ROUTES, **rude.FAR) as (gate, backend):
        assert broken(await rude.gone_while_held_back(gate, backend, most_s=2)) == []


async def test_clients_and_backends_that_stall_cost_the_time_that_is_set_and_slow_ones_are_borne(tmp_path):
    async with site(tmp_path, ROUTES, **rude.NEAR) as (gate, backend):
        figures = await rude.stalling_clients(gate, backend)
        figures += await rude.bad_backends(gate, drip=4, every_s=0.3)
    assert broken(figures) == []


async def test_websockets_are_echoed_and_told_when_the_gateway_stops(tmp_path):
    async with site(tmp_path, ROUTES) as (gate, backend):
        assert broken(await held.websockets(gate, backend, sockets=200, rounds=2, drain_s=10)) == []


async def test_events_come_one_by_one_and_end_with_the_room(tmp_path):
    assert broken(await held.event_streams(tmp_path, streams=40, events=2)) == []


async def test_downloads_under_way_when_the_gateway_stops_are_whole(tmp_path):
    figures = await stopping.downloads_under_way(tmp_path, bodies=4, takes_s=1, drain_s=10)
    assert broken(figures) == []


async def test_uploads_under_way_when_the_gateway_stops_are_whole(tmp_path):
    figures = await stopping.uploads_under_way(tmp_path, bodies=4, takes_s=0.6, drain_s=10)
    assert broken(figures) == []


async def test_an_answer_that_waits_for_its_client_when_the_gateway_stops_is_whole(tmp_path):
    assert broken(await stopping.tail_under_way(tmp_path, drain_s=10)) == []


async def test_answers_without_end_are_cut_when_the_drain_is_over(tmp_path):
    assert broken(await stopping.endless_under_way(tmp_path, drain_s=4)) == []
