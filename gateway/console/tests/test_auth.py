"""Every route of the operator API asked by everybody: no token, wrong, expired, revoked, and each role."""

import re
import time

import pytest

from gateway import tokens
from gateway.console.api import create_app
from gateway.console.auth import FAILURES, Guesses
from gateway.console.tests.test_api import ask
from gateway.tokens import Role

DAY_S = 86_400

# What each route takes; written down apart from the code. None: open to all.
ROUTES: dict[tuple[str, str], Role | None] = {
    ("GET", "/"): None,
    ("GET", "/console/{file}"): None,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/metrics"): Role.VIEWER,
    ("GET", "/api/openapi.json"): Role.VIEWER,
    ("GET", "/api/me"): Role.VIEWER,
    ("GET", "/api/events"): Role.VIEWER,
    ("GET", "/api/rooms"): Role.VIEWER,
    ("GET", "/api/rooms/{room}"): Role.VIEWER,
    ("GET", "/api/rooms/{room}/explain"): Role.VIEWER,
    ("GET", "/api/rooms/{room}/preview"): Role.VIEWER,
    ("GET", "/api/rooms/{room}/audit"): Role.VIEWER,
    ("GET", "/api/rooms/{room}/history"): Role.VIEWER,
    ("GET", "/api/rooms/{room}/history.csv"): Role.VIEWER,
    ("PATCH", "/api/rooms/{room}"): Role.OPERATOR,
    ("POST", "/api/rooms/{room}/postpone"): Role.OPERATOR,
    ("POST", "/api/rooms/{room}/reset"): Role.ADMIN,
    ("POST", "/api/rooms/{room}/arm"): Role.OPERATOR,
    ("POST", "/api/rooms/{room}/pause"): Role.OPERATOR,
    ("POST", "/api/rooms/{room}/resume"): Role.OPERATOR,
    ("POST", "/api/rooms/{room}/open"): Role.OPERATOR,
    ("POST", "/api/rooms/{room}/close"): Role.OPERATOR,
    ("POST", "/api/rooms/{room}/passthrough"): Role.ADMIN,
    ("POST", "/api/rooms/{room}/message"): Role.OPERATOR,
    ("GET", "/api/rooms/{room}/numbers/{number}"): Role.VIEWER,
    ("GET", "/api/rooms/{room}/passes/{pass}"): Role.VIEWER,
    ("DELETE", "/api/rooms/{room}/passes/{pass}"): Role.OPERATOR,
    ("POST", "/api/rooms/{room}/lookup"): Role.VIEWER,
    ("GET", "/api/rooms/{room}/allow"): Role.VIEWER,
    ("POST", "/api/rooms/{room}/allow"): Role.ADMIN,
    ("DELETE", "/api/rooms/{room}/allow/{name}"): Role.ADMIN,
    ("GET", "/api/approvals"): Role.VIEWER,
    ("POST", "/api/approvals/{approval}"): Role.ADMIN,
}


@pytest.fixture
def bearer(site):
    """A fresh token of a role."""

    def make(role: Role, *, days: int | None = None, ago_s: int = 0) -> str:
        path = site.folder / "operators.json"
        names = {each.name for each in tokens.read(path)}
        name = f"{role}-{len(names)}"
        return "Bearer " + tokens.create(path, name, role, now_s=int(time.time()) - ago_s, days=days)

    return make


def test_every_route_is_in_this_table():
    routes = create_app([], tokens.Tokens(None, "first")).router.routes()
    routed = {(route.method, route.resource.canonical) for route in routes if route.resource is not None}
    assert {key for key in routed if key[0] != "HEAD"} == set(ROUTES)


@pytest.mark.parametrize(("method", "path"), [key for key, wanted in ROUTES.items() if wanted is not None])
async def test_a_route_refuses_whoever_may_not(site, bearer, method, path):
    wanted, path = ROUTES[method, path], re.sub(r"\{\w+\}", "1", path.replace("{room}", "north"))
    # It would have no end.
    path = path.replace("/api/events", "/api/events?messages=1")
    assert wanted is not None
    revoked = bearer(Role.ADMIN)
    tokens.revoke(site.folder / "operators.json", "admin-0")
    for token in (None, "Bearer wrong", revoked, bearer(Role.ADMIN, days=1, ago_s=DAY_S + 1), bearer(Role.ADMIN)[7:]):
        assert (await ask(site, method, path, {}, token=token)).status == 401
    for role in Role:
        got = await ask(site, method, path, {}, token=bearer(role))
        assert (got.status == 403) == (not role.may(wanted)), role
        assert got.status != 401
        if got.status == 403:
            assert wanted in got.json()["title"]


async def test_letting_everybody_through_takes_an_admin(site, bearer):
    change = {"state": "passthrough"}
    assert (await ask(site, "PATCH", "/api/rooms/north", change, token=bearer(Role.OPERATOR))).status == 403
    assert (await site.room("north")).state.value == "open"
    assert (await ask(site, "PATCH", "/api/rooms/north", change, token=bearer(Role.ADMIN))).status == 200


async def test_what_is_done_is_on_record_by_whose_token_it_was_whatever_is_said(site, bearer):
    said = {"Sunbeon-Operator": "somebody%20else"}
    change = {"total_active_users": 7}
    await ask(site, "PATCH", "/api/rooms/north", change, token=bearer(Role.OPERATOR), headers=said)
    move = {"opens_at": "2099-01-01T00:00:00Z", "reason": "later", "by": "somebody else"}
    await ask(site, "POST", "/api/rooms/north/postpone", move, token=bearer(Role.OPERATOR))
    found = [(line["event"], line["by"], line.get("by_said")) for line in site.audit()]
    assert found == [("settings", "operator-0", None), ("postponed", "operator-1", None)]


async def test_a_flood_of_wrong_tokens_is_put_off_and_locks_nobody_out(site, bearer):
    right = bearer(Role.VIEWER)
    statuses = [(await ask(site, "GET", "/api/rooms", token="Bearer wrong")).status for _ in range(FAILURES + 10)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    got = await ask(site, "GET", "/api/rooms", token="Bearer wrong")
    assert int(got.one("Retry-After") or 0) >= 1
    assert (await ask(site, "GET", "/api/rooms", token=right)).status == 200


def test_who_was_wrong_too_often_is_listened_to_again_later():
    now_s = 0.0
    guesses = Guesses(lambda: now_s)
    for _ in range(FAILURES):
        assert guesses.wait_s("::1") == 0
        guesses.wrong("::1")
    guesses.wrong("::1")
    assert guesses.wait_s("::1") > 0
    assert guesses.wait_s("127.0.0.1") == 0
    now_s = 2.0
    assert guesses.wait_s("::1") == 0


async def test_an_unknown_page_and_a_wrong_method_are_told_to_holders_of_a_token_only(site, bearer):
    assert (await ask(site, "GET", "/api/nothing", token=None)).status == 401
    assert (await ask(site, "GET", "/api/nothing", token=bearer(Role.VIEWER))).status == 404
    assert (await ask(site, "DELETE", "/api/rooms/north", token=bearer(Role.ADMIN))).status == 405
    assert (await ask(site, "HEAD", "/api/rooms", token=bearer(Role.VIEWER))).status == 200
