"""The allow-list: who is let through without a turn, why, until when; live, on record, and over when it is over."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.console.tests.test_api import ask
from gateway.edge.tests.front import START_MS

ALLOW = "/api/rooms/north/allow"


def at(**later: int) -> str:
    return (datetime.fromtimestamp(START_MS / 1000, UTC) + timedelta(**later)).isoformat()


def entry(**changes):
    whole = {"name": "clinic", "reason": "books by telephone", "expires_at": at(hours=1), "networks": ["127.0.0.0/8"]}
    return {**whole, **changes}


async def full(site):
    await site.visitor(room="north").get("/n")
    await site.lines["north"].tick_now()


async def test_who_is_allowed_goes_through_until_it_expires_counted_and_on_record(site):
    await full(site)
    assert (await site.visitor(room="north").get("/n")).gate == "waiting"
    got = await ask(site, "POST", ALLOW, entry())
    assert (got.status, [each["name"] for each in got.json()["allow"]]) == (201, ["clinic"])
    assert (await site.visitor(room="north").get("/n")).gate is None
    assert (await site.counters())["exempt.clinic"] == 1
    events = {line["event"]: line for line in site.audit()}
    assert (events["allowed"]["name"], events["allowed"]["reason"]) == ("clinic", "books by telephone")
    assert events["exempt"]["rule"] == "clinic"
    site.clock.now_ms += 3_600_000
    await site.lines["north"].tick_now()
    assert (await site.visitor(room="north").get("/n")).gate is not None
    assert (await ask(site, "GET", ALLOW)).json()["allow"] == []


async def test_an_entry_that_is_taken_back_counts_for_nothing(site):
    await full(site)
    await ask(site, "POST", ALLOW, entry())
    assert (await ask(site, "DELETE", f"{ALLOW}/clinic")).json()["allow"] == []
    assert (await site.visitor(room="north").get("/n")).gate == "waiting"
    assert "disallowed" in [line["event"] for line in site.audit()]
    assert (await ask(site, "DELETE", f"{ALLOW}/clinic")).status == 404


async def test_networks_and_paths_must_both_hold(site):
    await full(site)
    await ask(site, "POST", ALLOW, entry(paths=["/n/desk"]))
    assert (await site.visitor(room="north").get("/n/desk/1")).gate is None
    assert (await site.visitor(room="north").get("/n")).gate == "waiting"
    assert (await site.visitor(room="north").get("/n/desk/../x")).gate == "waiting"


@pytest.mark.parametrize(
    "changes",
    [
        {"networks": []},
        {"networks": ["0.0.0.0/0"]},
        {"networks": ["10.0.0.0/7"]},
        {"networks": ["::/0"]},
        {"networks": ["nowhere"]},
        {"networks": [], "paths": ["/"]},
        {"networks": [], "paths": ["/N"]},
        {"networks": [], "paths": ["//n//"]},
        {"paths": ["n"]},
        {"paths": ["/n/."]},
        {"paths": ["/n/../n"]},
        {"paths": ["/n\u202e"]},
        {"paths": ["/n\x00"]},
        {"reason": ""},
        {"reason": None},
        {"expires_at": at(days=31)},
        {"expires_at": at(hours=-1)},
        {"expires_at": START_MS // 1000 + 60},
        {"expires_at": "soon"},
        {"name": "A b"},
        {"user_agents": ["curl"]},
    ],
)
async def test_an_entry_that_cannot_be_is_a_422_and_changes_nothing(site, changes):
    assert (await ask(site, "POST", ALLOW, entry(**changes))).status == 422
    assert (await site.room("north")).limits.version == 1


@pytest.mark.parametrize(
    ("networks", "refused"),
    [(["{}.0.0.0/8"], "5.0.0.0/8"), (["2{:03x}::/20", "2{:03x}:1000::/20"], "2005:1000::/20")],
)
async def test_many_entries_do_not_make_a_passthrough_that_one_may_not_be(site, networks, refused):
    for number in range(1, 5):
        each = [network.format(number) for network in networks]
        assert (await ask(site, "POST", ALLOW, entry(name=f"n{number}", networks=each))).status == 201
    # The same people once more are no more people.
    again = [network.format(4) for network in networks]
    assert (await ask(site, "POST", ALLOW, entry(name="again", networks=again))).status == 201
    got = await ask(site, "POST", ALLOW, entry(name="more", networks=[refused]))
    assert (got.status, len((await site.room("north")).limits.allow)) == (422, 5)
    assert "together" in got.json()["problems"][0]


async def test_a_name_is_given_once_and_there_are_at_most_fifty(site):
    assert (await ask(site, "POST", ALLOW, entry())).status == 201
    assert (await ask(site, "POST", ALLOW, entry())).status == 409
    for number in range(49):
        assert (await ask(site, "POST", ALLOW, entry(name=f"n{number}"))).status == 201
    assert (await ask(site, "POST", ALLOW, entry(name="one-more"))).status == 409
    # Those that have expired take no room, and are dropped with the next change.
    site.clock.now_ms += 3_600_000
    assert (await ask(site, "POST", ALLOW, entry(name="later", expires_at=at(hours=3)))).status == 201
    assert [each.name for each in (await site.room("north")).limits.allow] == ["later"]


async def test_other_changes_meanwhile_lose_no_entry_and_an_old_version_is_refused(site, monkeypatch):
    line = site.lines["north"]
    change = line.change
    raced: list[object] = []

    async def beaten_once(patch, *, expected_version):
        if not raced:
            raced.append(await change({"idle_limit_ms": 7_000}, expected_version=None))
        return await change(patch, expected_version=expected_version)

    monkeypatch.setattr(line, "change", beaten_once)
    assert (await ask(site, "POST", ALLOW, entry())).status == 201
    limits = (await site.room("north")).limits
    assert (limits.idle_limit_ms, len(limits.allow)) == (7_000, 1)
    assert (await ask(site, "DELETE", f"{ALLOW}/clinic", headers={"If-Match": '"1"'})).status == 412


async def test_a_patch_of_the_settings_neither_makes_nor_loses_an_entry(site):
    await ask(site, "POST", ALLOW, entry())
    assert (await ask(site, "PATCH", "/api/rooms/north", {"allow": []})).status == 422
    assert (await ask(site, "PATCH", "/api/rooms/north", {"idle_limit_s": 7})).status == 200
    assert len((await site.room("north")).limits.allow) == 1
