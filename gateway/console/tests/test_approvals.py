"""Where an action takes two people: one asks, another one confirms, once, in time, and nothing goes around it."""

import time

import pytest

from gateway import tokens
from gateway.console.tests.test_api import ask
from gateway.edge.tests.backend import Backend, running
from gateway.edge.tests.front import front
from gateway.room.approval import Approval
from gateway.tokens import Role

NORTH = "/api/rooms/north"
MEANT = {"confirm": "north"}


@pytest.fixture
async def site(tmp_path):
    rooms = [{"name": "north", "paths": ["/n"]}, {"name": "south", "paths": ["/s"]}]
    edge = {"two_person_actions": ["reset", "passthrough"]}
    async with running(Backend()) as backend, front(tmp_path, [backend], rooms=rooms, edge=edge) as site:
        yield site


@pytest.fixture
def admin(site):
    """A fresh admin's token."""
    return lambda name: (
        "Bearer " + tokens.create(site.folder / "operators.json", name, Role.ADMIN, now_s=int(time.time()))
    )


async def asked_for(site, action, token, body=None) -> str:
    version = (await ask(site, "GET", NORTH)).one("ETag") or ""
    got = await ask(site, "POST", f"{NORTH}/{action}", body, token=token, headers={"If-Match": version})
    assert (got.status, got.json()["action"], got.json()["room"]) == (202, action, "north")
    return str(got.json()["approval"])


async def approve(site, approval, token):
    return await ask(site, "POST", f"/api/approvals/{approval}", token=token)


async def test_a_reset_is_done_when_a_second_admin_confirms_it_and_once(site, admin):
    kim, lee = admin("kim"), admin("lee")
    approval = await asked_for(site, "reset", kim, MEANT)
    assert (await site.room("north")).epoch == 1
    waiting = (await ask(site, "GET", "/api/approvals")).json()["approvals"]
    assert [(each["approval"], each["by"]) for each in waiting] == [(approval, "kim")]
    assert (await approve(site, approval, kim)).status == 403
    done = await approve(site, approval, lee)
    assert (done.status, done.json()["epoch"]) == (200, 2)
    assert (await approve(site, approval, lee)).status == 404
    assert (await site.room("north")).epoch == 2
    found = [(line["event"], line["by"], line.get("asked_by")) for line in site.audit()]
    assert found == [("approval_asked", "kim", None), ("approved", "lee", "kim"), ("reset", "lee", None)]


async def test_passthrough_takes_two_by_whatever_way(site, admin):
    kim, lee = admin("kim"), admin("lee")
    assert (await ask(site, "PATCH", NORTH, {"state": "passthrough"}, token=kim)).status == 403
    approval = await asked_for(site, "passthrough", kim)
    assert (await site.room("north")).state.value == "open"
    assert (await approve(site, approval, lee)).json()["state"] == "passthrough"
    assert (await site.room("north")).limits.approvals == ()
    assert site.audit()[-1]["changed"] == {"state": {"from": "open", "to": "passthrough"}}
    # Back takes one.
    assert (await ask(site, "POST", f"{NORTH}/resume", token=kim)).json()["state"] == "open"


async def test_what_was_asked_for_is_worth_nothing_after_ten_minutes_or_in_another_line(site, admin):
    kim, lee = admin("kim"), admin("lee")
    late = await asked_for(site, "reset", kim, MEANT)
    site.clock.now_ms += 600_000
    assert (await approve(site, late, lee)).status == 404
    other = await asked_for(site, "reset", kim, MEANT)
    await site.lines["north"].reset(expected_version=None)
    assert (await approve(site, other, lee)).status == 404
    assert (await site.room("north")).epoch == 2


async def test_two_who_ask_lose_nothing_of_each_other_and_ten_are_enough(site, admin):
    kim, lee = admin("kim"), admin("lee")
    first = await asked_for(site, "reset", kim, MEANT)
    second = await asked_for(site, "passthrough", lee)
    assert len((await ask(site, "GET", "/api/approvals")).json()["approvals"]) == 2
    assert (await approve(site, second, kim)).status == 200
    assert (await approve(site, first, lee)).status == 200
    for _ in range(10):
        await asked_for(site, "passthrough", kim)
    assert (await ask(site, "POST", f"{NORTH}/passthrough", token=kim)).status == 409


async def test_a_first_call_on_an_old_version_asks_for_nothing(site, admin):
    got = await ask(site, "POST", f"{NORTH}/reset", MEANT, token=admin("kim"), headers={"If-Match": '"7"'})
    assert got.status == 412
    assert (await ask(site, "GET", "/api/approvals")).json()["approvals"] == []


async def test_the_first_token_is_one_person_whoever_its_holder_says_to_be(site):
    said = {"If-Match": '"1"', "Sunbeon-Operator": "kim"}
    got = await ask(site, "POST", f"{NORTH}/reset", MEANT, headers=said)
    again = await ask(site, "POST", f"/api/approvals/{got.json()['approval']}", headers={"Sunbeon-Operator": "lee"})
    assert again.status == 403


async def test_what_another_worker_was_asked_or_did_a_moment_ago_keeps_nobody_from_asking_and_confirming(site, admin):
    kim, lee = admin("kim"), admin("lee")
    await site.store.update_settings("north", {"idle_limit_ms": 7_000}, expected_version=None)
    assert (await ask(site, "POST", f"{NORTH}/passthrough", token=kim)).status == 202
    asked = Approval("abcdefghijklmnop", "passthrough", "kim", 1, site.clock.now_ms + 60_000)
    await site.store.update_settings("north", {"approvals": (asked,)}, expected_version=None)
    assert (await approve(site, asked.id, kim)).status == 403
    await site.store.update_settings("north", {"idle_limit_ms": 8_000}, expected_version=None)
    done = await approve(site, asked.id, lee)
    assert (done.status, done.json()["state"], done.json()["settings"]["idle_limit_s"]) == (200, "passthrough", 8)


async def test_of_two_who_confirm_at_once_at_two_workers_one_is_too_late(site, admin, monkeypatch):
    kim, lee, ann = admin("kim"), admin("lee"), admin("ann")
    approval = await asked_for(site, "passthrough", kim)
    line = site.lines["north"]
    change = line.change

    async def beaten(patch, *, expected_version):
        monkeypatch.undo()
        assert (await approve(site, approval, ann)).status == 200
        return await change(patch, expected_version=expected_version)

    monkeypatch.setattr(line, "change", beaten)
    assert (await approve(site, approval, lee)).status == 404
    assert [line["by"] for line in site.audit() if line["event"] == "approved"] == ["ann"]
