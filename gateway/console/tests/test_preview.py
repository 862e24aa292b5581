"""A change of the limits is foreseen by the forecast that visitors are told, and foreseeing it changes nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.console.tests.test_api import ask, patch
from gateway.edge.tests.front import START_MS
from gateway.room.forecast import wait_of_last

PREVIEW = "/api/rooms/north/preview"


@pytest.fixture
async def line(site):
    """A thousand people behind the only seat."""
    await site.lines["north"].change({"new_users_per_minute": 60, "total_active_users": 100}, expected_version=None)
    await site.store.join("north", [None] * 1_000, expires_ms=0)
    await site.lines["north"].tick_now()
    return site


async def test_a_higher_outflow_shortens_the_wait_and_is_told_before_it_is_set(line):
    room = line.lines["north"].snapshot
    told = (await ask(line, "GET", f"{PREVIEW}?new_users_per_minute=1200&total_active_users=5000")).json()
    assert told["then"]["in_force"] == {"new_users_per_minute": 1200, "total_active_users": 5000}
    assert told["now"]["in_force"] == {"new_users_per_minute": 60, "total_active_users": 100}
    assert told["waiting"] == room.waiting > 900
    now, then = told["now"]["wait_ms"], told["then"]["wait_ms"]
    assert now[0] <= now[1]
    assert then[1] < now[0] / 4
    after = line.lines["north"].snapshot
    assert after.limits == room.limits

    await patch(line, {"new_users_per_minute": 1200, "total_active_users": 5000})
    await line.lines["north"].tick_now()
    low, high = wait_of_last(line.lines["north"].snapshot) or (0, 0)
    assert low <= then[1]
    assert high == pytest.approx(then[1], rel=0.1)


async def test_where_nobody_would_be_let_in_no_wait_is_told(line):
    assert (await ask(line, "GET", f"{PREVIEW}?new_users_per_minute=0")).json()["then"]["wait_ms"] is None


async def test_where_nobody_waits_none_is_told(site):
    assert (await ask(site, "GET", f"{PREVIEW}?new_users_per_minute=5")).json()["then"]["wait_ms"] is None


async def test_a_timetable_that_sets_another_outflow_is_not_hidden(line):
    at = datetime.fromtimestamp(START_MS / 1000, UTC) - timedelta(minutes=1)
    await patch(line, {"timetable": [{"at": at.isoformat(), "new_users_per_minute": 90}]})
    told = (await ask(line, "GET", f"{PREVIEW}?new_users_per_minute=1200")).json()
    assert told["then"]["in_force"]["new_users_per_minute"] == 90


@pytest.mark.parametrize("wanted", ["-1", "", "x", "1.5", "10000001", "999999999999999999999", "%D9%A3"])
async def test_what_is_no_number_of_people_is_refused(site, wanted):
    assert (await ask(site, "GET", f"{PREVIEW}?total_active_users={wanted}")).status == 422
