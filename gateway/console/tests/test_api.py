"""The operator API over real HTTP: closed by default, exact about what is wrong, at once in effect."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.console.api import create_app
from gateway.edge.tests.backend import until
from gateway.edge.tests.front import TOKEN, Answer, Connection, exchange
from gateway.store.base import StoreUnavailable
from gateway.tokens import Tokens

BEARER = f"Bearer {TOKEN}"

CLOSED = [
    ("GET", "/metrics"),
    ("GET", "/api/rooms"),
    ("GET", "/api/rooms/north"),
    ("PATCH", "/api/rooms/north"),
    ("GET", "/api/rooms/nowhere"),
    ("GET", "/anything"),
    ("POST", "/api/rooms/north/reset"),
    ("POST", "/api/rooms/north/postpone"),
    ("GET", "/healthz/"),
    ("GET", "//healthz"),
]


async def ask(
    site,
    method: str,
    path: str,
    data: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    token: str | None = BEARER,
) -> Answer:
    body = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
    sent = {
        "Host": "localhost",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **(headers or {}),
    }
    if token is not None:
        sent["Authorization"] = token
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    return await exchange(site.operator_port, "\r\n".join(lines).encode() + body, method)


async def patch(site, data, **more) -> Answer:
    return await ask(site, "PATCH", "/api/rooms/north", data, **more)


@pytest.mark.parametrize(("method", "path"), CLOSED)
@pytest.mark.parametrize(
    "token", [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"{BEARER}x"]
)
async def test_nothing_is_told_or_done_without_the_token(site, method, path, token):
    got = await ask(site, method, path, {"total_active_users": 9}, token=token)
    assert (got.status, got.one("WWW-Authenticate")) == (401, "Bearer")
    assert got.one("Content-Type") == "application/problem+json"
    assert b"north" not in got.body
    assert (await site.room("north")).limits.total_active_users == 1


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_whether_it_lives_and_serves_is_told_to_everyone(site, path):
    got = await ask(site, "GET", path, token=None)
    assert (got.status, got.json()) == (200, {"status": "ok"})


async def test_while_the_store_is_away_it_stays_ready_and_says_for_which_rooms(site):
    """All gateways share the store: without any that is ready, visitors would get a balancer's error page."""
    site.store.failure = StoreUnavailable("away")
    site.clock.now_ms += 3_000
    got = await ask(site, "GET", "/readyz", token=None)
    assert (got.status, got.json()) == (200, {"status": "ok", "store_away": ["north", "south"]})
    assert (await ask(site, "GET", "/healthz", token=None)).status == 200
    site.store.failure = None
    for line in site.lines.values():
        await line.tick_now()
    assert (await ask(site, "GET", "/readyz", token=None)).json() == {"status": "ok"}


async def test_on_its_way_out_it_is_not_ready_and_lives(site):
    site.streams.stopping = True
    got = await ask(site, "GET", "/readyz", token=None)
    assert (got.status, got.json()["title"]) == (503, "draining")
    assert (await ask(site, "GET", "/healthz", token=None)).status == 200


async def test_a_room_that_was_never_seen_makes_it_not_ready(site):
    site.lines["south"]._snapshot = None
    assert (await ask(site, "GET", "/readyz", token=None)).status == 503


async def test_while_the_store_is_away_operators_are_told_what_was_last_known_and_that_it_is_old(site):
    await site.visitor(room="north").get("/n")
    await site.lines["north"].tick_now()
    site.store.failure = StoreUnavailable("away")
    site.clock.now_ms += 4_000
    await until(lambda: all(line.out_of_reach for line in site.lines.values()), "the ticks fail")
    rooms = {room["room"]: room for room in (await ask(site, "GET", "/api/rooms")).json()["rooms"]}
    assert (rooms["north"]["fresh"], rooms["north"]["live"]) == (False, 1)
    assert (await ask(site, "GET", "/api/rooms/north")).json()["fresh"] is False
    text = (await ask(site, "GET", "/metrics")).body.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert [sample.value for sample in families["sunbeon_store_up"].samples] == [0, 0]
    assert all(sample.value >= 4 for sample in families["sunbeon_store_age_seconds"].samples)
    failed = {(sample.labels["room"], sample.labels["kind"]) for sample in families["sunbeon_store_errors"].samples}
    assert failed == {("north", "unavailable"), ("south", "unavailable")}
    assert {sample.value for sample in families["sunbeon_active_users"].samples} == {0, 1}


async def test_how_far_this_machines_clock_is_from_the_stores_is_a_metric(site):
    await site.pass_time(200)
    for line in site.lines.values():
        line._wall = lambda: site.clock.now_ms + 600_000
    for line in site.lines.values():
        await line.tick_now()
    families = text_string_to_metric_families((await ask(site, "GET", "/metrics")).body.decode())
    skews = next(family.samples for family in families if family.name == "sunbeon_clock_skew_seconds")
    assert [sample.value for sample in skews] == [600, 600]


def test_without_a_token_there_is_no_operator_api():
    with pytest.raises(ValueError, match="token"):
        create_app([], Tokens(None, ""))


async def test_the_rooms_are_listed_with_their_settings_and_counters(site):
    visitor = site.visitor(room="north")
    await visitor.get("/n")
    await site.lines["north"].tick_now()
    rooms = {room["room"]: room for room in (await ask(site, "GET", "/api/rooms")).json()["rooms"]}
    assert set(rooms) == {"north", "south"}
    assert (rooms["north"]["live"], rooms["north"]["tail"], rooms["north"]["counters"]["admitted"]) == (1, 1, 1)
    assert rooms["south"]["live"] == 0
    assert rooms["north"]["settings"]["claim_window_s"] == 60
    assert "ticket" not in json.dumps(rooms)


async def test_a_room_is_shown_with_the_version_to_build_on(site):
    got = await ask(site, "GET", "/api/rooms/north")
    assert (got.one("ETag"), got.json()["settings"]["version"]) == ('"1"', 1)
    assert got.one("Cache-Control") == "no-store"


async def test_a_room_nobody_made_is_a_404(site):
    got = await ask(site, "GET", "/api/rooms/nowhere")
    assert (got.status, got.one("Content-Type")) == (404, "application/problem+json")


async def test_a_method_that_is_not_taken_is_a_405(site):
    got = await ask(site, "DELETE", "/api/rooms/north")
    assert got.status == 405
    assert "PATCH" in (got.one("Allow") or "")


async def test_a_change_acts_on_the_very_next_visitor(site):
    first = site.visitor(room="north")
    await first.get("/n")
    await site.lines["north"].tick_now()
    second = site.visitor(room="north")
    assert (await second.get("/n")).gate == "waiting"
    got = await patch(site, {"total_active_users": 2, "message": {"ko": "곧", "en": "Soon"}})
    assert (got.status, got.one("ETag")) == (200, '"2"')
    assert got.json()["settings"]["total_active_users"] == 2
    assert (await second.get("/n")).gate is None


async def test_a_change_of_state_acts_on_the_very_next_visitor(site):
    await patch(site, {"state": "closed"})
    assert (await site.visitor(room="north").get("/n")).gate == "closed"
    assert (await site.visitor(room="south").get("/s")).gate is None
    await patch(site, {"state": "open"})
    assert (await site.visitor(room="north").get("/n")).gate is None


async def test_what_is_not_named_stays_as_it_is(site):
    before = (await ask(site, "GET", "/api/rooms/north")).json()["settings"]
    after = (await patch(site, {"idle_limit_s": 77})).json()["settings"]
    assert after == {**before, "idle_limit_s": 77, "version": 2}


async def test_an_opening_time_is_set_and_taken_back(site):
    set_to = (await patch(site, {"opens_at": "2099-01-01T09:00:00+09:00"})).json()
    assert (set_to["state"], set_to["settings"]["opens_at"]) == ("prequeue", "2099-01-01T00:00:00+00:00")
    assert (await patch(site, {"opens_at": None})).json()["state"] == "open"


async def postpone(site, **data) -> Answer:
    headers = data.pop("headers", None)
    return await ask(site, "POST", "/api/rooms/north/postpone", data, headers=headers)


async def test_an_opening_is_postponed_and_says_from_when(site):
    await patch(site, {"opens_at": "2021-07-19T20:00:00+09:00"})
    after = (await postpone(site, opens_at="2100-07-19T22:00:00+09:00", reason="the site was too slow")).json()
    assert (after["state"], after["admitting"]) == ("prequeue", False)
    assert after["opens_at"] == after["settings"]["opens_at"] == "2100-07-19T13:00:00+00:00"
    assert after["postponed_from"] == "2021-07-19T11:00:00+00:00"
    assert after["warnings"] == [], "of a room without a calendar"


async def test_a_postponement_that_cannot_be_says_why_and_changes_nothing(site):
    before = (await ask(site, "GET", "/api/rooms/north")).json()
    past = await postpone(site, opens_at="2001-07-19T22:00:00+09:00", reason="late")
    assert (past.status, "passed" in past.json()["title"]) == (409, True)
    for data in ({"opens_at": "2100-07-19T22:00:00+09:00"}, {"reason": "why"}, {"opens_at": "soon", "reason": "why"}):
        assert (await postpone(site, **data)).status == 422
    other = await postpone(site, opens_at="2100-01-01T00:00:00Z", reason="why", headers={"If-Match": '"99"'})
    assert other.status == 412
    assert (await ask(site, "GET", "/api/rooms/north")).json()["settings"] == before["settings"]


async def test_a_change_that_makes_the_schedule_unreadable_is_refused(site):
    await patch(site, {"opens_at": "2100-07-19T20:00:00Z"})
    answer = await patch(site, {"closes_at": "2100-07-19T19:00:00Z"})
    assert (answer.status, answer.json()["problems"]) == (422, ["a window closes before it opens"])


@pytest.mark.parametrize("match", ['"1"', "1", "*"])
async def test_a_change_on_the_newest_version_is_made(site, match):
    got = await patch(site, {"idle_limit_s": 77}, headers={"If-Match": match})
    assert (got.status, got.one("ETag")) == (200, '"2"')


async def test_who_was_second_changes_nothing_and_is_told_what_is(site):
    await patch(site, {"idle_limit_s": 77})
    got = await patch(site, {"idle_limit_s": 88}, headers={"If-Match": '"1"'})
    assert got.status == 412
    assert (got.json()["current"]["settings"]["idle_limit_s"], got.json()["current"]["settings"]["version"]) == (77, 2)
    assert got.json()["changed"] == {"idle_limit_s": {"yours_was": 300, "is": 77}}
    unknown = await patch(site, {"idle_limit_s": 88}, headers={"If-Match": '"99"'})
    assert (unknown.status, unknown.json()["changed"]) == (412, None)
    assert (await site.room("north")).limits.idle_limit_ms == 77_000


@pytest.mark.parametrize("match", ["abc", '"x"', 'W/"1"', "-1", '""', "9" * 5_000, "²"])
async def test_an_if_match_that_is_none_is_a_400(site, match):
    got = await patch(site, {"idle_limit_s": 77}, headers={"If-Match": match})
    assert (got.status, got.one("Content-Type")) == (400, "application/problem+json")
    assert (await site.room("north")).limits.idle_limit_ms == 300_000


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"total_users": 5}, "total_users"),
        ({"name": "x"}, "name"),
        ({"paths": ["/"]}, "paths"),
        ({"version": 9}, "version"),
        ({"mode": "open"}, "mode"),
        ({"idle_limit_ms": 5}, "idle_limit_ms"),
        ({"state": "prequeue"}, "state"),
        ({"queueing_method": "lottery"}, "queueing_method"),
        ({"total_active_users": -1}, "total_active_users"),
        ({"total_active_users": 10**12}, "total_active_users"),
        ({"new_users_per_minute": 1.5}, "new_users_per_minute"),
        ({"claim_window_s": 0}, "claim_window_s"),
        ({"claim_window_s": None}, "claim_window_s"),
        ({"opens_at": "2099-01-01T09:00:00"}, "opens_at"),
        ({"opens_at": "tomorrow"}, "opens_at"),
        ({"message": {"fr": "Bientôt"}}, "message"),
        ({"message": {"ko": "x" * 501}}, "message"),
    ],
)
async def test_a_setting_that_cannot_be_is_a_422_that_names_it(site, data, named):
    got = await patch(site, {**data, "session_length_s": 99})
    assert got.status == 422
    assert len(got.json()["problems"]) == 1
    assert got.json()["problems"][0].startswith(named)
    assert (await site.room("north")).limits.version == 1


async def test_all_problems_are_told_at_once(site):
    got = await patch(site, {"state": "x", "unknown": 1, "claim_window_s": 0})
    assert len(got.json()["problems"]) == 3


@pytest.mark.parametrize("body", [b"", b"{", b"not json", b"\xff\xfe", b"{'a': 1}"])
async def test_a_body_that_is_not_json_is_a_400(site, body):
    got = await patch(site, body)
    assert (got.status, got.one("Content-Type")) == (400, "application/problem+json")


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"open"', b"[{}]"])
async def test_json_that_is_no_object_is_a_422(site, body):
    assert (await patch(site, body)).status == 422


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json5", ""])
async def test_another_content_type_is_a_415(site, kind):
    got = await patch(site, {"idle_limit_s": 77}, headers={"Content-Type": kind})
    assert got.status == 415
    assert (await site.room("north")).limits.version == 1


async def test_a_body_of_any_length_is_not_read(site):
    assert (await patch(site, b" " * 70_000)).status == 413


async def test_a_change_that_cannot_be_written_is_a_503_and_no_change(site):
    site.store.failure = StoreUnavailable("the disk is full")
    got = await patch(site, {"idle_limit_s": 77})
    assert (got.status, got.one("Content-Type")) == (503, "application/problem+json")
    site.store.failure = None
    assert (await site.room("north")).limits.version == 1


async def test_metrics_parse_and_have_every_room(site):
    await site.visitor(room="north").get("/n")
    await site.visitor(room="north", cookies={"sunbeon_ticket_north": "x"}).get("/n")
    await site.lines["north"].flush()
    for line in site.lines.values():
        await line.tick_now()
    got = await ask(site, "GET", "/metrics")
    assert got.all("Content-Type") == ["text/plain; version=0.0.4; charset=utf-8"]
    families = {family.name: family for family in text_string_to_metric_families(got.body.decode())}
    active = {sample.labels["room"]: sample.value for sample in families["sunbeon_active_users"].samples}
    assert active == {"north": 1, "south": 0}
    events = {
        (sample.labels["room"], sample.labels["event"]): sample.value for sample in families["sunbeon_events"].samples
    }
    assert (events["north", "admitted"], events["north", "refused.forged"]) == (1, 1)


async def test_the_token_stands_in_no_answer_and_no_log(site, caplog):
    caplog.set_level("DEBUG")
    for path in ("/metrics", "/api/rooms", "/api/rooms/nowhere"):
        assert TOKEN.encode() not in (await ask(site, "GET", path)).body
    await ask(site, "GET", "/api/rooms", token=f"Bearer {TOKEN}x")
    assert TOKEN not in caplog.text


async def test_a_reset_wants_the_version_that_was_seen_and_the_rooms_name_and_starts_the_line_anew(site):
    visitor = site.visitor(room="north")
    await visitor.get("/n")
    meant = {"confirm": "north"}
    assert (await ask(site, "POST", "/api/rooms/north/reset", meant)).status == 428
    assert (await ask(site, "POST", "/api/rooms/north/reset", meant, headers={"If-Match": '"9"'})).status == 412
    for other in ({}, {"confirm": "south"}, {"confirm": True}, {"confirm": "north", "yes": 1}):
        assert (await ask(site, "POST", "/api/rooms/north/reset", other, headers={"If-Match": '"1"'})).status == 422
    assert (await visitor.get("/n")).gate is None
    got = await ask(site, "POST", "/api/rooms/north/reset", meant, headers={"If-Match": '"1"'})
    assert (got.status, got.json()["epoch"], got.json()["tail"], got.json()["live"]) == (200, 2, 0, 0)
    assert (await visitor.get("/n")).gate == "old_epoch"


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("GET", "/healthz", None, 200),
        ("GET", "/metrics", BEARER, 200),
        ("GET", "/api/rooms", BEARER, 200),
        ("GET", "/api/rooms", None, 401),
        ("GET", "/anything", BEARER, 404),
        ("DELETE", "/api/rooms", BEARER, 405),
        ("PATCH", "/api/rooms/north", BEARER, 422),
    ],
)
async def test_no_answer_names_libraries_and_their_versions(site, method, path, token, status):
    got = await ask(site, method, path, {"total_active_users": -1}, token=token)
    assert (got.status, got.all("Server")) == (status, ["sunbeon"])


async def test_an_answer_to_a_fault_of_ours_names_no_library_either(site, monkeypatch):
    monkeypatch.delattr("gateway.console.shown.live_settings")
    got = await ask(site, "GET", "/api/rooms")
    assert (got.status, got.all("Server")) == (500, ["sunbeon"])


async def test_a_body_too_long_is_refused_without_naming_a_library(site):
    got = await patch(site, b" " * (64 * 1024 + 1))
    assert (got.status, got.all("Server")) == (413, ["sunbeon"])


@pytest.mark.parametrize("body", [b"[]", b"7", b'"x"', b"null"])
async def test_a_body_that_is_no_object_is_told_so(site, body):
    got = await ask(site, "PATCH", "/api/rooms/north", body)
    assert (got.status, got.json()["title"]) == (422, "send a JSON object")


async def test_a_body_that_does_not_come_is_not_waited_for(site, monkeypatch):
    monkeypatch.setattr("gateway.console.context.BODY_S", 0)
    connection = await Connection.open(site.operator_port)
    head = "PATCH /api/rooms/north HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
    await connection.send(f"{head}Authorization: {BEARER}\r\n\r\n{{".encode())
    assert (await connection.head()).status == 408
    await connection.close()
