"""A setting changed through one gateway acts at every other within a second: real gateways, one Redis."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import repeat

import pytest

from gateway.tests.many.fleet import Fleet, Member
from gateway.tests.redis.servers import RedisServer
from gateway.tests.stand import Visitor, until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load")]

WITHIN_S = 1.0
CHANGES = 8


@pytest.fixture(scope="module")
def server():
    with RedisServer() as made:
        yield made


@pytest.fixture(scope="module")
def fleet(server, tmp_path_factory):
    with ExitStack() as stack:
        yield stack.enter_context(Fleet(tmp_path_factory.mktemp("fleet"), store=server.url))


def version_in_store(server: RedisServer, fleet: Fleet) -> int:
    return int(server.call("HGET", f"sunbeon:{{{fleet.room['name']}}}:line", "version"))


def seen_after(member: Member, version: int, since_s: float) -> float:
    """Seconds until its operator API told of that version."""
    until(lambda: member.room()["settings"]["version"] >= version, f"{member.name} knows version {version}")
    return time.monotonic() - since_s


def test_settings_changed_through_one_gateway_are_known_to_every_other_within_a_second(server, fleet):
    for turn in range(CHANGES):
        changed = fleet.members[turn % len(fleet.members)]
        others = [member for member in fleet.members if member is not changed]
        told = changed.operate("PATCH", {"new_users_per_minute": 600 + turn})
        stored_s = time.monotonic()
        version = told["settings"]["version"]
        assert version_in_store(server, fleet) == version
        with ThreadPoolExecutor(len(others)) as pool:
            took = list(pool.map(seen_after, others, repeat(version), repeat(stored_s)))
        print(f"version {version} through {changed.name}:", ", ".join(f"{each * 1000:.0f} ms" for each in took))
        assert max(took) <= WITHIN_S
        assert {member.room()["settings"]["new_users_per_minute"] for member in fleet.members} == {600 + turn}


def test_a_room_paused_through_one_gateway_admits_nobody_through_another(fleet):
    first, second, third = fleet.members
    first.operate("PATCH", {"state": "paused"})
    until(
        lambda: all(member.room()["state"] == "paused" for member in (second, third)), "all know", patience_s=WITHIN_S
    )
    visitor = Visitor(third.url)
    assert visitor.ask("GET", "/").gate == "waiting"
    assert visitor.status()["state"] == "waiting"
    second.operate("PATCH", {"state": "open"})
    visitor.url = first.url
    visitor.enter()


def test_a_pass_revoked_and_an_entry_allowed_through_one_gateway_count_at_every_other(fleet):
    first, second, third = fleet.members
    first.operate("PATCH", {"total_active_users": 1_000})
    visitor = Visitor(second.url)
    visitor.enter()
    place = int(visitor.status()["place"])
    first.operate("DELETE", {"reason": "a test"}, of=f"/passes/{place}")

    def comes_again() -> bool:
        visitor.ask("GET", "/")
        return bool(visitor.status()["place"] != place)

    until(comes_again, "the second knows that it was revoked")
    first.operate("PATCH", {"state": "closed"})
    until(lambda: Visitor(third.url).ask("GET", "/").gate == "closed", "the third knows")
    until_when = datetime.now(UTC) + timedelta(hours=1)
    entry = {"name": "desk", "reason": "a test", "networks": ["127.0.0.0/8"], "expires_at": until_when.isoformat()}
    second.operate("POST", entry, of="/allow")
    until(lambda: Visitor(third.url).ask("GET", "/").gate is None, "the third lets the desk through")
