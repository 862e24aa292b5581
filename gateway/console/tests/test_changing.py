"""A change is made of the room as it is, not as this worker last saw it; the record says of what."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.console.context import TRIES
from gateway.console.tests.test_allowing import entry
from gateway.console.tests.test_api import ask
from gateway.edge.tests.front import Front

NORTH = "/api/rooms/north"


@pytest.fixture
def elsewhere(site):
    """Change the room through another worker: this one has yet to see it."""

    async def change(**patch: Any) -> None:
        before = site.lines["north"].known.limits.version
        await site.store.update_settings("north", patch, expected_version=None)
        assert site.lines["north"].known.limits.version == before

    return change


def recorded(site: Front) -> list[tuple[int, dict[str, Any]]]:
    return [(line["version"], line["changed"]) for line in site.audit() if line["event"] == "settings"]


@pytest.mark.parametrize("headers", [{}, {"If-Match": '"2"'}])
async def test_a_change_that_another_worker_made_a_moment_ago_is_what_the_record_begins_with(site, elsewhere, headers):
    await elsewhere(total_active_users=77)
    got = await ask(site, "PATCH", NORTH, {"total_active_users": 88}, headers=headers)
    assert (got.status, got.one("ETag")) == (200, '"3"')
    assert recorded(site) == [(3, {"total_active_users": {"from": 77, "to": 88}})]


async def test_what_another_makes_of_the_room_right_after_a_change_is_not_on_its_record(site, elsewhere, monkeypatch):
    line = site.lines["north"]
    tick_now = line.tick_now

    async def overtaken() -> None:
        await site.store.update_settings("north", {"total_active_users": 99}, expected_version=None)
        await tick_now()

    monkeypatch.setattr(line, "tick_now", overtaken)
    got = await ask(site, "PATCH", NORTH, {"total_active_users": 88})
    assert got.json()["settings"]["total_active_users"] == 99
    ((version, changed),) = recorded(site)
    assert (version, changed["total_active_users"]["to"]) == (2, 88)


async def test_a_room_that_changes_at_every_try_is_left_alone_after_some(site, monkeypatch):
    change = site.lines["north"].change
    tried = []

    async def too_late(patch: dict[str, Any], *, expected_version: int | None) -> Any:
        tried.append(expected_version)
        await site.store.update_settings("north", {"message": {"en": "Soon"}}, expected_version=None)
        return await change(patch, expected_version=expected_version)

    monkeypatch.setattr(site.lines["north"], "change", too_late)
    assert (await ask(site, "PATCH", NORTH, {"total_active_users": 88})).status == 412
    assert tried == [1, 2, 3, 4, 5]
    assert len(tried) == TRIES
    assert recorded(site) == []


async def test_an_entry_that_another_worker_allowed_a_moment_ago_is_kept_by_who_has_seen_it(site, elsewhere):
    assert (await ask(site, "POST", f"{NORTH}/allow", entry(name="one"))).status == 201
    (one,) = (await site.store.load("north")).limits.allow
    await elsewhere(allow=(one, replace(one, name="two")))
    got = await ask(site, "POST", f"{NORTH}/allow", entry(name="three"), headers={"If-Match": '"3"'})
    assert [each["name"] for each in got.json()["allow"]] == ["one", "two", "three"]
