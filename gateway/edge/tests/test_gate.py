"""The gate over real HTTP: a visitor's whole way, and what cannot change it."""

import json
import logging
import re

import pytest

from gateway import keys
from gateway.edge.hasty import BURST
from gateway.edge.proxy.errors import BackendError, BodyTimeout
from gateway.edge.proxy.relay import Relay
from gateway.edge.proxy.swift import Swift
from gateway.edge.tests.backend import answer
from gateway.edge.tests.front import Connection, Visitor, exchange, find, lose
from gateway.room.model import Mode, QueueingMethod
from gateway.store.base import StoreError, StoreUnavailable
from shared.passes import PassForged, read_keys, verify
from shared.wire import How

JSON = {"Accept": "application/json"}


async def enter(site) -> Visitor:
    """Someone who holds the room's only seat."""
    visitor: Visitor = site.visitor()
    assert (await visitor.get()).gate is None
    await site.line.tick_now()
    return visitor


async def test_an_idle_room_costs_no_extra_round_trip(site, backend):
    visitor = site.visitor()
    got = await visitor.get("/book?step=1")
    assert (got.status, got.gate, got.body) == (200, None, b"hello")
    assert set(got.set_cookies) == {"sunbeon_pass_vaccine", "sunbeon_ticket_vaccine"}
    assert backend.targets == ["/book?step=1"]
    claims = site.proof(backend.last)
    assert (claims.how, claims.number, claims.place, claims.room, claims.rule) == (How.DIRECT, 1, 1, "vaccine", None)
    assert (claims.epoch, claims.settings_version) == (1, 1)


async def test_an_admission_answer_is_kept_by_no_cache_and_later_answers_are_left_as_they_are(site, backend):
    backend.reply = answer(b"x", "Cache-Control: public, max-age=600", "Expires: Thu, 01 Jan 2099 00:00:00 GMT")
    visitor = site.visitor()
    assert (await visitor.get()).all("Cache-Control") == ["private, no-store"]
    later = await visitor.get()
    assert later.all("Cache-Control") == ["public, max-age=600"]
    assert later.all("Set-Cookie") == []


async def test_cookies_are_out_of_reach_of_scripts_and_other_sites(site):
    got = await site.visitor().get()
    for line in got.all("Set-Cookie"):
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
        assert "Secure" not in line
        assert "Domain" not in line


async def test_under_tls_cookies_are_secure_and_bound_to_the_host(start):
    site = await start(edge={"tls": True})
    got = await site.visitor().get()
    assert set(got.set_cookies) == {"__Host-sunbeon_pass_vaccine", "__Host-sunbeon_ticket_vaccine"}
    assert all("Secure" in line.split("; ") for line in got.all("Set-Cookie"))


async def test_behind_a_taken_seat_a_newcomer_gets_a_knock_and_no_number(site, backend):
    await enter(site)
    newcomer = site.visitor()
    got = await newcomer.get("/book")
    assert (got.status, got.gate, got.one("Content-Type")) == (200, "waiting", "text/html; charset=utf-8")
    assert newcomer.ticket is not None
    assert newcomer.ticket.startswith("knock.")
    assert (await site.room()).tail == 1
    assert len(backend.requests) == 1


async def test_a_knock_brought_back_again_and_again_gets_one_number(site):
    await enter(site)
    newcomer = site.visitor()
    await newcomer.get()
    knock = dict(newcomer.cookies)
    numbers = set()
    for _ in range(BURST):  # more is told off
        newcomer.cookies = dict(knock)
        numbers.add((await newcomer.status())["number"])
    assert numbers == {2}
    assert (await site.room()).tail == 2


async def test_without_a_script_the_refresh_brings_the_knock_back(site):
    await enter(site)
    newcomer = site.visitor()
    await newcomer.get()
    got = await newcomer.get()
    assert got.gate == "waiting"
    assert newcomer.ticket is not None
    assert newcomer.ticket.startswith("ticket.")
    assert (await site.room()).tail == 2


async def test_a_knock_too_old_is_worth_nothing(site):
    await enter(site)
    newcomer = site.visitor()
    await newcomer.get()
    await site.pass_time(121_000)
    assert (await newcomer.status())["state"] == "outside"
    assert (await site.room()).tail == 1


async def test_a_called_visitor_gets_in_by_asking_for_the_page(site, backend):
    holder = await enter(site)
    waiting = site.visitor()
    assert await waiting.queue() == 2
    assert (await waiting.get()).gate == "waiting"
    await holder.leave()
    await site.pass_time(200)
    got = await waiting.get("/book")
    assert got.gate is None
    claims = site.proof(backend.last)
    assert (claims.how, claims.number, claims.place) == (How.LINE, 2, 2)


async def test_asking_for_the_status_of_a_called_place_claims_it(site, backend):
    holder = await enter(site)
    waiting = site.visitor()
    await waiting.queue()
    await holder.leave()
    await site.pass_time(200)
    assert (await waiting.status())["state"] == "inside"
    assert waiting.visitor_pass is not None
    assert (await site.room()).live == 1
    assert (await waiting.get()).gate is None


async def test_a_lost_answer_costs_nobody_the_turn(site, backend):
    visitor = site.visitor()
    await visitor.get()
    first = site.proof(backend.last)
    del visitor.cookies["sunbeon_pass_vaccine"]
    assert (await visitor.get()).gate is None
    again = site.proof(backend.last)
    assert (again.pass_id, again.place) == (first.pass_id, first.place)
    room = await site.room()
    assert (room.live, room.counters["admitted"]) == (1, 1)


async def test_a_ticket_whose_pass_ended_lets_nobody_in_again(site, backend):
    visitor = await enter(site)
    ticket = dict(visitor.cookies)
    del ticket["sunbeon_pass_vaccine"]
    await site.pass_time(301_000)
    await enter(site)
    visitor.cookies = ticket
    got = await visitor.get()
    assert got.gate == "waiting"
    assert b'class="notice"' in got.body
    assert visitor.ticket is not None
    assert visitor.ticket.startswith("knock.")
    assert len(backend.requests) == 2


async def test_a_pass_that_ended_brings_its_holder_back_to_the_line_with_a_word(site, backend):
    visitor = await enter(site)
    await site.pass_time(301_000)
    await enter(site)
    got = await visitor.get()
    assert got.gate == "waiting"
    assert b'class="notice"' in got.body
    assert len(backend.requests) == 2


async def test_a_pass_that_ended_is_no_hindrance_where_there_is_room(site, backend):
    visitor = await enter(site)
    first = site.proof(backend.last)
    await site.pass_time(301_000)
    assert (await visitor.get()).gate is None
    claims = site.proof(backend.last)
    assert claims.pass_id != first.pass_id
    assert (claims.how, claims.number) == (How.DIRECT, 2)


async def test_requests_keep_a_stay_alive_to_its_end_and_no_longer(site):
    visitor = await enter(site)
    for _ in range(2):
        await site.pass_time(250_000)
        assert (await visitor.get()).gate is None
        assert (await site.room()).counters["admitted"] == 1
    await site.pass_time(101_000)
    assert (await site.room()).live == 0


async def test_complete_frees_the_seat_and_is_the_gates_alone_to_read(site, backend):
    visitor = await enter(site)
    backend.reply = answer(b"done", "Sunbeon-Command: complete")
    got = await visitor.get("/confirm")
    assert (got.body, got.all("Sunbeon-Command")) == (b"done", [])
    assert got.set_cookies == {"sunbeon_pass_vaccine": "", "sunbeon_ticket_vaccine": ""}
    assert visitor.cookies == {}
    room = await site.room()
    assert (room.live, room.counters["completed"]) == (0, 1)


async def test_a_completed_pass_is_dead_whoever_kept_a_copy(site, backend):
    visitor = await enter(site)
    kept = dict(visitor.cookies)
    backend.reply = answer(b"done", "Sunbeon-Command: complete")
    await visitor.get("/confirm")
    backend.reply = answer()
    await site.line.tick_now()
    await enter(site)
    visitor.cookies = kept
    assert (await visitor.get("/confirm")).gate == "waiting"
    assert backend.targets == ["/", "/confirm", "/"]


async def test_complete_in_the_very_first_answer_leaves_nobody_inside(site, backend):
    backend.reply = answer(b"done", "Sunbeon-Command: complete")
    visitor = site.visitor()
    got = await visitor.get()
    assert got.set_cookies == {"sunbeon_pass_vaccine": "", "sunbeon_ticket_vaccine": ""}
    assert (await site.room()).live == 0


async def test_revoke_ends_the_pass_and_is_counted_as_such(site, backend):
    visitor = await enter(site)
    backend.reply = answer(b"no", "sunbeon-command:  REVOKE ")
    got = await visitor.get()
    assert got.set_cookies["sunbeon_pass_vaccine"] == ""
    room = await site.room()
    assert (room.live, room.counters["revoked"]) == (0, 1)


async def test_sold_out_stops_the_room_and_leaves_those_inside_alone(site, backend):
    visitor = await enter(site)
    backend.reply = answer(b"last one", "Sunbeon-Command: sold-out")
    assert (await visitor.get()).gate is None
    assert (await site.room()).limits.mode is Mode.SOLD_OUT
    assert (await visitor.get()).gate is None
    got = await site.visitor().get()
    assert (got.status, got.gate) == (410, "sold_out")


async def test_sold_out_does_not_undo_what_an_operator_set(site, backend):
    visitor = await enter(site)
    await site.change(mode=Mode.PAUSED)
    backend.reply = answer(b"last one", "Sunbeon-Command: sold-out")
    await visitor.get()
    assert (await site.room()).limits.mode is Mode.PAUSED


async def test_one_answer_may_carry_several_commands(site, backend):
    visitor = await enter(site)
    backend.reply = answer(b"the last one is yours", "Sunbeon-Command: complete, Sold-Out")
    got = await visitor.get("/confirm")
    assert (got.body, got.all("Sunbeon-Command")) == (b"the last one is yours", [])
    assert got.set_cookies["sunbeon_pass_vaccine"] == ""
    room = await site.room()
    assert (room.live, room.counters["completed"], room.limits.mode) == (0, 1, Mode.SOLD_OUT)


async def test_commands_may_come_in_several_lines_and_an_unknown_one_hinders_no_other(site, backend):
    visitor = await enter(site)
    backend.reply = answer(b"done", "Sunbeon-Command: sold-out", "Sunbeon-Command: dance,, complete")
    assert (await visitor.get("/confirm")).body == b"done"
    room = await site.room()
    assert (room.live, room.limits.mode) == (0, Mode.SOLD_OUT)


def sold_out_notes(site):
    return [(line["by"], line["version"]) for line in site.audit() if line["event"] == "sold_out"]


async def test_sold_out_is_noted_once_however_often_it_is_said(site, backend):
    visitor = await enter(site)
    backend.reply = answer(b"none", "Sunbeon-Command: sold-out")
    for _ in range(3):
        await visitor.get()
    assert sold_out_notes(site) == [("backend", 2)]


async def test_sold_out_is_on_record_in_a_flood_of_other_lines(site, backend, monkeypatch):
    visitor = await enter(site)
    monkeypatch.setattr("gateway.audit.LINES_PER_SECOND", 0)
    backend.reply = answer(b"none", "Sunbeon-Command: sold-out")
    await visitor.get()
    assert sold_out_notes(site) == [("backend", 2)]


async def test_sold_out_is_on_record_where_the_tick_after_it_fails(site, backend, monkeypatch):
    visitor = await enter(site)

    async def fails():
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(site.line, "tick_now", fails)
        backend.reply = answer(b"none", "Sunbeon-Command: sold-out")
        assert (await visitor.get()).body == b"none"
    assert not site.line.will_sell_out
    assert sold_out_notes(site) == [("backend", 2)]


@pytest.mark.parametrize(
    ("sent", "known"), [("12", 12), ("0", 0), ("-1", None), ("1e9", None), ("\u00b2", None), ("9" * 20, None)]
)
async def test_the_stock_is_the_gates_to_know_and_only_a_number(site, backend, sent, known):
    backend.reply = answer(b"hello", f"Sunbeon-Stock: {sent}")
    got = await site.visitor().get()
    assert (got.body, got.all("Sunbeon-Stock")) == (b"hello", [])
    assert site.line.stock_left == known


async def test_a_command_nobody_knows_changes_nothing(site, backend):
    backend.reply = answer(b"hello", "Sunbeon-Command: self-destruct")
    got = await site.visitor().get()
    assert (got.status, got.body, got.all("Sunbeon-Command")) == (200, b"hello", [])
    assert (await site.room()).live == 1


# What a client brings


async def test_the_pages_own_copy_restores_a_ticket_cookie_that_was_deleted(site):
    await enter(site)
    visitor = site.visitor()
    await visitor.queue()
    copy = visitor.ticket
    visitor.cookies.clear()
    got = await visitor.ask("GET", "/_sunbeon/vaccine/status", headers={"Sunbeon-Ticket": copy})
    assert got.json()["number"] == 2
    assert visitor.ticket == copy
    assert (await visitor.status())["number"] == 2


@pytest.mark.parametrize("damage", ["x", "ticket.a.b.c", "knock", "a" * 600, "%00", "ticket...."])
async def test_the_pages_own_copy_counts_beside_a_cookie_that_was_edited(site, damage):
    await enter(site)
    visitor = site.visitor()
    await visitor.queue()
    copy = visitor.ticket
    visitor.cookies["sunbeon_ticket_vaccine"] = damage
    got = await visitor.ask("GET", "/_sunbeon/vaccine/status", headers={"Sunbeon-Ticket": copy})
    assert got.json()["number"] == 2
    assert visitor.ticket == copy


async def test_a_damaged_cookie_alone_is_refused_though_there_is_room(site, backend):
    visitor = site.visitor(cookies={"sunbeon_ticket_vaccine": "ticket.aaaa.bbbb.cccc"})
    got = await visitor.get()
    assert (got.status, got.gate) == (403, "forged")
    assert b"/_sunbeon/vaccine/leave" in got.body
    assert backend.requests == []
    assert (await visitor.status())["state"] == "refused"
    counters = await site.counters()
    assert counters["refused.forged"] == 1
    assert [line["why"] for line in site.audit() if line["event"] == "refused"] == ["forged"]


async def test_whoever_was_refused_can_begin_anew(site):
    visitor = site.visitor(cookies={"sunbeon_ticket_vaccine": "ticket.aaaa.bbbb.cccc"})
    assert (await visitor.leave(Sec_Fetch_Site="same-origin")).status == 200
    assert visitor.cookies == {}
    assert (await visitor.get()).gate is None


@pytest.mark.parametrize("position", [0, 8, 20, -1])
async def test_an_edited_pass_lets_nobody_in(site, backend, position):
    visitor = await enter(site)
    text = visitor.visitor_pass
    assert text is not None
    changed = list(text)
    changed[position] = "A" if changed[position] != "A" else "B"
    thief = site.visitor(cookies={"sunbeon_pass_vaccine": "".join(changed)})
    assert (await thief.get()).status == 403
    assert len(backend.requests) == 1


async def test_a_ticket_is_no_pass_and_a_pass_no_ticket(site, backend):
    holder = await enter(site)
    waiting = site.visitor()
    await waiting.queue()
    for cookies in (
        {"sunbeon_pass_vaccine": waiting.ticket},
        {"sunbeon_ticket_vaccine": holder.visitor_pass},
    ):
        got = await site.visitor(cookies=cookies).get()
        assert (got.status, got.gate) == (403, "forged")
    assert len(backend.requests) == 1


async def test_of_several_cookies_of_one_name_the_genuine_one_counts(site):
    await enter(site)
    visitor = site.visitor()
    await visitor.queue()
    genuine = visitor.ticket
    cookie = f"sunbeon_ticket_vaccine=planted; a=b; sunbeon_ticket_vaccine={genuine}; sunbeon_ticket_vaccine=x.y.z.w"
    got = await visitor.ask("GET", "/_sunbeon/vaccine/status", headers={"Cookie": cookie})
    assert got.json()["number"] == 2


async def test_a_second_pass_cookie_planted_beside_the_genuine_one_costs_nothing(site):
    visitor = await enter(site)
    cookie = f"sunbeon_pass_vaccine=planted; sunbeon_pass_vaccine={visitor.visitor_pass}"
    assert (await visitor.ask("GET", "/", headers={"Cookie": cookie})).gate is None


async def test_one_rooms_tokens_are_worth_nothing_in_another(start, backend):
    site = await start(rooms=[{"name": "north", "paths": ["/n"]}, {"name": "south", "paths": ["/s"]}])
    north = site.visitor(room="north")
    assert (await north.get("/n")).gate is None
    assert (await north.get("/s")).gate is None  # a newcomer there: its cookies are others
    assert site.proof(backend.last).room == "south"
    thief = site.visitor(
        room="south",
        cookies={
            "sunbeon_pass_south": north.cookies["sunbeon_pass_north"],
            "sunbeon_ticket_south": north.cookies["sunbeon_ticket_north"],
        },
    )
    assert (await thief.get("/s")).status == 403
    assert backend.targets == ["/n", "/s"]


async def test_a_reset_ends_old_tickets_and_says_why(site, backend):
    holder = await enter(site)
    waiting = site.visitor()
    await waiting.queue()
    await site.store.reset("vaccine", expected_version=None)
    await site.pass_time(200)
    got = await waiting.get()
    assert (got.status, got.gate) == (409, "old_epoch")
    assert (await waiting.status())["state"] == "refused"
    assert (await holder.get()).status == 409
    assert len(backend.requests) == 1


async def test_what_a_retired_key_signed_is_refused(site, backend):
    holder = await enter(site)
    old = site.folder / "keys.json"
    kid = next(info.kid for info in keys.describe(old) if info.use == "cookies")
    keys.rotate(old)
    assert (await holder.get()).gate is None
    keys.retire(old, kid)
    fresh = site.visitor(cookies={"sunbeon_ticket_vaccine": "ticket.unknown.bbbb.cccc"})
    assert (await fresh.get()).status == 403  # a key nobody knows: the file is read again
    assert (await holder.get()).status == 403
    assert len(backend.requests) == 2


async def test_a_key_made_a_moment_ago_elsewhere_is_known_at_once(start, stack, tmp_path):
    site = await start()
    visitor = await enter(site)
    keys.rotate(tmp_path / "keys.json")
    other = await start()  # a second worker of the same store, which signs with the new key
    waiting = other.visitor()
    waiting.cookies = dict(visitor.cookies)
    del waiting.cookies["sunbeon_pass_vaccine"]
    await waiting.get()  # claimed again: a pass under the new key
    assert waiting.visitor_pass is not None
    assert waiting.visitor_pass != visitor.visitor_pass
    waiting.port = site.port
    del waiting.cookies["sunbeon_ticket_vaccine"]
    assert (await waiting.get()).gate is None


@pytest.mark.parametrize(
    "name", ["Sunbeon-Pass", "sunbeon-pass", "SUNBEON-PASS", "Sunbeon_Pass", "SUNBEON_pass", "Sunbeon-Anything"]
)
async def test_a_clients_own_sunbeon_headers_never_reach_a_backend(start, backend, name):
    site = await start(rooms=[{"paths": ["/book"]}])
    for target in ("/book", "/outside"):
        await site.visitor(headers={name: "forged"}).get(target)
        assert b"forged" not in backend.last.head
    assert site.proof(backend.requests[0]).how is How.DIRECT
    assert backend.last.all("Sunbeon-Pass") == []


@pytest.mark.parametrize("name", ["Sunbeon-Gate", "sunbeon-anything", "SUNBEON_GATE", "Sunbeon-Pass"])
async def test_a_backends_sunbeon_headers_never_reach_a_client(site, backend, name):
    backend.reply = answer(b"x", f"{name}: waiting")
    got = await site.visitor().get()
    assert [found for found, _ in got.headers if found.lower().startswith("sunbeon")] == []


async def test_neither_proof_nor_ticket_is_something_a_client_may_bring_as_a_pass(site, backend):
    holder = await enter(site)
    proof = backend.last.one("Sunbeon-Pass")
    thief = site.visitor(headers={"Sunbeon-Pass": proof, "Sunbeon-Ticket": holder.visitor_pass})
    assert (await thief.get()).status in {403, 429}
    thief = site.visitor(cookies={"sunbeon_pass_vaccine": proof})
    assert (await thief.get()).status == 403
    assert len(backend.requests) == 1


async def test_a_proof_is_short_lived_and_nobody_elses(site, backend, tmp_path):
    await enter(site)
    proof = backend.last.one("Sunbeon-Pass")
    other = tmp_path / "other"
    other.mkdir()
    keys.create(other / "keys.json")
    with pytest.raises(PassForged):
        verify(proof, read_keys(other / keys.BACKEND_FILE), now_s=site.clock.seconds())
    claims = site.proof(backend.last)
    assert claims.expires_s - claims.issued_s == 60


# Rules and states


async def test_a_bypass_rule_lets_through_by_name_and_is_counted_apart(start, backend):
    rule = {"name": "health", "reason": "monitoring", "paths": ["/healthz"]}
    site = await start(rooms=[{"bypass": [rule], "total_active_users": 0}])
    got = await site.visitor().get("/healthz")
    assert (got.gate, got.all("Set-Cookie")) == (None, [])
    claims = site.proof(backend.last)
    assert (claims.how, claims.rule, claims.number, claims.place) == (How.EXEMPT, "health", None, None)
    assert claims.pass_id.startswith("x-")
    counters = await site.counters()
    assert counters["exempt.health"] == 1
    assert "admitted" not in counters
    assert [(line["event"], line["rule"]) for line in site.audit()] == [("exempt", "health")]


@pytest.mark.parametrize("target", ["/healthz/../book", "/healthz/%2e%2e/book", "/healthz;/../book", "//book", "/book"])
async def test_a_bypass_by_path_is_no_way_round(start, backend, target):
    rule = {"name": "health", "reason": "monitoring", "paths": ["/healthz"]}
    site = await start(rooms=[{"bypass": [rule], "total_active_users": 0}])
    got = await site.visitor().get(target)
    assert got.gate in {"waiting", "bad_request"}
    assert backend.requests == []


@pytest.mark.parametrize(
    "name", ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "X_HTTP_Method_Override", "X.Http-Method"]
)
async def test_a_bypass_by_method_does_not_hold_where_a_header_names_another(start, backend, name):
    preflight = {"name": "preflight", "reason": "CORS", "paths": ["/api"], "methods": ["OPTIONS"]}
    health = {"name": "health", "reason": "monitoring", "paths": ["/healthz"]}
    site = await start(rooms=[{"bypass": [preflight, health], "total_active_users": 0}])
    assert (await site.visitor().ask("OPTIONS", "/api/x", headers={name: "POST"})).gate is not None
    assert backend.requests == []
    assert (await site.visitor().ask("OPTIONS", "/api/x", headers={"X-Methods": "POST"})).gate is None
    assert (await site.visitor().ask("GET", "/healthz", headers={name: "POST"})).gate is None


async def test_a_bypass_by_network_believes_only_trusted_proxies(start, backend):
    rule = {"name": "office", "reason": "staff", "networks": ["10.1.0.0/16"]}
    room = {"bypass": [rule], "total_active_users": 0}
    site = await start(rooms=[room])
    got = await site.visitor(headers={"X-Forwarded-For": "10.1.2.3"}).get()
    assert got.gate == "waiting"
    assert backend.requests == []


async def test_a_bypass_by_network_counts_the_visitor_behind_a_trusted_proxy(start, backend):
    rule = {"name": "office", "reason": "staff", "networks": ["10.1.0.0/16"]}
    site = await start(rooms=[{"bypass": [rule], "total_active_users": 0}], edge={"trusted_proxies": ["127.0.0.0/8"]})
    assert (await site.visitor(headers={"X-Forwarded-For": "10.1.2.3"}).get()).gate is None
    # What stands further left was written by whoever is not trusted.
    assert (await site.visitor(headers={"X-Forwarded-For": "10.1.2.3, 203.0.113.5"}).get()).gate == "waiting"
    assert len(backend.requests) == 1


async def test_a_rule_that_wants_a_user_agent_too_wants_both(start, backend):
    rule = {"name": "probe", "reason": "monitoring", "networks": ["127.0.0.0/8"], "user_agents": ["Probe/"]}
    site = await start(rooms=[{"bypass": [rule], "total_active_users": 0}])
    assert (await site.visitor(headers={"User-Agent": "Other/1"}).get()).gate == "waiting"
    assert (await site.visitor(headers={"User-Agent": "Probe/1"}).get()).gate is None


async def test_a_room_switched_off_lets_everyone_through_and_says_so(site, backend):
    await site.change(mode=Mode.PASSTHROUGH)
    for _ in range(3):
        got = await site.visitor().get()
        assert (got.gate, got.all("Set-Cookie")) == (None, [])
    claims = site.proof(backend.last)
    assert (claims.how, claims.number, claims.rule) == (How.PASSTHROUGH, None, None)
    assert (await site.counters())["passthrough"] == 3
    assert (await site.visitor().status())["room_state"] == "passthrough"


@pytest.mark.parametrize(("mode", "status", "word"), [(Mode.CLOSED, 503, "closed"), (Mode.SOLD_OUT, 410, "sold_out")])
async def test_a_room_that_is_over_says_so(site, backend, mode, status, word):
    await site.change(mode=mode)
    visitor = site.visitor()
    got = await visitor.get()
    assert (got.status, got.gate) == (status, word)
    assert (await visitor.status())["room_state"] == word
    problem = (await site.visitor(headers=JSON).get()).json()
    assert (problem["status"], problem["code"]) == (status, word)
    assert backend.requests == []
    assert (await site.room()).tail == 0


@pytest.mark.parametrize("mode", [Mode.CLOSED, Mode.SOLD_OUT, Mode.PAUSED])
async def test_whoever_is_inside_stays_while_the_room_is_not_open(site, mode):
    visitor = await enter(site)
    await site.change(mode=mode)
    assert (await visitor.get()).gate is None


async def test_a_paused_room_takes_people_into_line_and_admits_none(site, backend):
    await site.change(mode=Mode.PAUSED)
    visitor = site.visitor()
    assert await visitor.queue() == 1
    await site.pass_time(10_000)
    told = await visitor.status()
    assert (told["state"], told["room_state"], told["eta_ms"]) == ("waiting", "paused", None)
    await site.change(mode=Mode.OPEN)
    await site.pass_time(200)
    assert (await visitor.get()).gate is None


async def test_before_opening_people_get_numbers_and_nobody_gets_in(start, backend):
    site = await start(rooms=[{"opens_at": "2021-07-19T20:05:00+09:00"}])
    early = site.visitor()
    assert (await early.get()).gate == "waiting"
    told = await early.status()
    assert (told["number"], told["room_state"]) == (1, "prequeue")
    assert told["opens_at_ms"] == 1_626_692_700_000
    await site.pass_time(told["opens_at_ms"] - site.clock.now_ms - 1)
    assert (await early.get()).gate == "waiting"
    assert backend.requests == []
    await site.pass_time(200)
    assert (await early.get()).gate is None
    assert site.proof(backend.last).how is How.LINE


async def test_a_room_that_keeps_no_line_turns_newcomers_away(site, backend):
    await site.change(queueing_method=QueueingMethod.REJECT)
    await enter(site)
    newcomer = site.visitor()
    got = await newcomer.get()
    assert (got.status, got.gate, got.one("Retry-After")) == (503, "full", "10")
    assert newcomer.cookies == {}
    assert (await site.room()).tail == 1


# Failures


async def test_while_the_store_is_out_of_reach_nobody_gets_through_and_nothing_is_lost(start, backend):
    site = await start(faulty=True)
    holder = await enter(site)
    await lose(site, for_ms=61_000)
    got = await holder.get()
    assert (got.status, got.gate, got.one("Retry-After")) == (503, "turn_kept", "5")
    assert got.all("Set-Cookie") == []
    problem = await holder.ask("GET", "/", headers={"Accept": "application/json", "Sec-Fetch-Mode": "cors"})
    assert problem.json()["code"] == "turn_kept"
    assert b"s3cret" not in got.body + problem.body
    assert len(backend.requests) == 1
    await find(site)
    assert (await holder.get()).gate is None


async def test_a_newcomer_to_a_room_whose_store_is_gone_is_not_let_through(start, backend):
    site = await start(faulty=True)
    site.store.failure = StoreUnavailable("no disk")
    assert (await site.visitor().get()).gate == "waiting"
    assert backend.requests == []


@pytest.mark.parametrize("failure", [RuntimeError("secret inside"), ValueError("x"), KeyError("x"), OSError("x")])
async def test_a_fault_of_the_gateways_own_opens_no_door(start, backend, failure, caplog):
    site = await start(faulty=True)
    holder = await enter(site)
    site.clock.now_ms += 1_000
    site.store.failure = failure
    got = await holder.get()
    assert (got.status, got.gate) == (503, "unavailable")
    assert b"secret" not in got.body
    assert b"Traceback" not in got.body
    assert len(backend.requests) == 1
    assert "a fault of the gateway's" in caplog.text


@pytest.mark.parametrize("failure", [TimeoutError("x"), ConnectionResetError("x")])
async def test_a_store_that_fails_like_a_client_opens_no_door_either(start, backend, failure):
    site = await start(faulty=True)
    holder = await enter(site)
    site.clock.now_ms += 1_000
    site.store.failure = failure
    got = await holder.get()
    assert (got.status, got.gate) == (503, "unavailable")
    assert len(backend.requests) == 1


@pytest.mark.parametrize("state", ["open", "passthrough"])
@pytest.mark.parametrize("failure", [RuntimeError, StoreError, BackendError, BodyTimeout, ConnectionResetError])
async def test_behind_the_head_of_an_answer_no_other_follows_whatever_fails(start, monkeypatch, state, failure):
    site = await start(rooms=[{"state": state}])
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"

    async def fail(relay, _message, _body):
        await relay._outlet.write(half)
        raise failure("s3cret")

    monkeypatch.setattr(Swift, "_fits", lambda *_: False)
    monkeypatch.setattr(Relay, "_answer", fail)
    connection = await Connection.open(site.port)
    await connection.send(2 * b"GET / HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n\r\n")
    assert await connection.rest() == half
    await connection.close()


# Addresses


@pytest.mark.parametrize(
    "target",
    ["/booking", "/BOOKING", "/%62ooking", "/x/../booking", "//booking", "/booking;v=1", "/./booking/", "/%2e/booking"],
)
async def test_a_room_is_entered_by_its_door_however_the_address_is_spelled(start, backend, target):
    site = await start(rooms=[{"paths": ["/booking"], "total_active_users": 0}])
    assert (await site.visitor().get(target)).gate == "waiting"
    assert backend.requests == []


async def test_outside_every_room_a_request_goes_on_without_proof(start, backend):
    site = await start(rooms=[{"paths": ["/booking"], "total_active_users": 0}])
    got = await site.visitor().get("/style.css")
    assert (got.gate, got.all("Set-Cookie")) == (None, [])
    assert backend.last.all("Sunbeon-Pass") == []


async def test_a_host_nobody_named_is_not_forwarded(start, backend):
    site = await start(rooms=[{"hosts": ["site.test"]}], edge={"open_hosts": ["static.test"]})
    got = await site.visitor(host="other.test").get()
    assert (got.status, got.gate) == (421, "misdirected")
    assert backend.requests == []
    assert (await site.visitor(host="static.test").get()).gate is None
    assert backend.last.all("Sunbeon-Pass") == []


@pytest.mark.parametrize("host", ["site.test.", "SITE.test", "site.test:8080", "site.TEST.:80"])
async def test_a_host_is_the_same_host_in_every_spelling(start, backend, host):
    site = await start(rooms=[{"hosts": ["site.test"], "total_active_users": 0}], edge={"open_hosts": ["static.test"]})
    assert (await site.visitor(host=host).get()).gate == "waiting"
    assert backend.requests == []


@pytest.mark.parametrize(
    "target", ["http://h%2fbooking/x", "http://h%0d%0aX/", "HTTP://site.test%00", "https://%73ite.test"]
)
async def test_an_absolute_target_names_no_escaped_host(start, backend, target):
    site = await start(rooms=[{"state": "passthrough"}])
    got = await site.visitor().get(target)
    assert (got.status, got.gate) == (400, "bad_request")
    assert backend.requests == []


async def test_an_absolute_target_names_the_host_itself(start, backend):
    site = await start(rooms=[{"hosts": ["site.test"], "total_active_users": 0}], edge={"open_hosts": ["static.test"]})
    got = await exchange(site.port, b"GET http://site.test/book HTTP/1.1\r\nHost: static.test\r\n\r\n")
    assert got.gate == "waiting"
    got = await exchange(site.port, b"GET http://static.test/a?b HTTP/1.1\r\nHost: site.test\r\n\r\n")
    assert got.gate is None
    assert (backend.last.target, backend.last.all("Host")) == ("/a?b", ["static.test"])


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test/x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: user@a.test\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"GET /%25252525252e HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"GET book HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: a.test\r\nBad Header: x\r\n\r\n",
    ],
)
async def test_what_two_servers_could_read_differently_is_refused(site, backend, data):
    got = await exchange(site.port, data)
    assert got.status == 400
    assert b"Traceback" not in got.body
    assert backend.requests == []


async def test_a_question_about_the_whole_server_counts_as_one_about_its_root(start, backend):
    site = await start(rooms=[{"total_active_users": 0}])
    asked = b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n"
    assert (await exchange(site.port, asked)).gate is not None
    assert backend.requests == []
    await site.change(mode=Mode.PASSTHROUGH)
    assert (await exchange(site.port, asked)).status == 200
    assert backend.last.line == "OPTIONS * HTTP/1.1"


@pytest.mark.parametrize("hops", ["0", "00"])
async def test_options_that_goes_no_further_is_answered_here(start, backend, hops):
    site = await start(rooms=[{"state": "passthrough"}])
    got = await exchange(site.port, f"OPTIONS / HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: {hops}\r\n\r\n".encode())
    assert (got.status, backend.requests) == (200, [])
    assert "GET" in (got.one("Allow") or "")
    await exchange(site.port, b"OPTIONS / HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 3\r\n\r\n")
    assert backend.last.one("Max-Forwards") == "2"
    await exchange(site.port, b"GET / HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\n\r\n")
    assert backend.last.one("Max-Forwards") == "0"


@pytest.mark.parametrize(
    ("hops", "told"),
    [
        (b"0000000001", b"0"),
        (b"9" * 5000, b"9" * 5000),
        (b"1e3", b"1e3"),
        (b"-1", b"-1"),
        (b"\xb2", b"\xb2"),
        ("²".encode(), "²".encode()),
    ],
)
async def test_whatever_max_forwards_says_is_a_number_or_goes_on_as_it_is(start, backend, caplog, hops, told):
    site = await start(rooms=[{"state": "passthrough"}])
    got = await exchange(site.port, b"OPTIONS / HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: " + hops + b"\r\n\r\n")
    assert (got.status, got.gate) == (200, None)
    assert b"\r\nMax-Forwards: " + told + b"\r\n" in backend.last.head
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_request_has_an_id_and_only_a_trusted_proxy_may_give_it(start, backend):
    site = await start(rooms=[{"state": "passthrough"}])
    for given in ("", "X-Request-ID: mine\r\n"):
        await exchange(site.port, f"GET / HTTP/1.1\r\nHost: a.test\r\n{given}\r\n".encode())
        assert re.fullmatch("[0-9a-f]{32}", backend.last.one("X-Request-ID") or "")
    site = await start(rooms=[{"state": "passthrough"}], edge={"trusted_proxies": ["127.0.0.0/8"]})
    await exchange(site.port, b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Request-ID: theirs-1\r\n\r\n")
    assert backend.last.one("X-Request-ID") == "theirs-1"
    await exchange(site.port, b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Request-ID: a b\r\n\r\n")
    assert re.fullmatch("[0-9a-f]{32}", backend.last.one("X-Request-ID") or "")


async def test_what_the_backend_does_wrong_is_logged_with_the_request_it_was(site, backend, caplog):
    backend.reply = answer(b"done", "Sunbeon-Command: dance", "Sunbeon-Stock: many")
    with caplog.at_level("WARNING"):
        await site.visitor().get("/book", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    said = [vars(record) for record in caplog.records if record.message.startswith("the backend sent")]
    assert len(said) == 2
    for line in said:
        assert line["request_id"] == backend.last.one("X-Request-ID")
        assert (line["room"], line["trace_id"]) == ("vaccine", "a" * 32)


async def test_the_access_log_has_a_line_for_what_passed_and_for_what_did_not(start, backend, tmp_path):
    path = tmp_path / "access.log"
    site = await start(edge={"access_log": str(path)})
    first, second = site.visitor(), site.visitor()
    await first.get("/book?name=Kim")
    await second.get("/book?name=Lee")
    forwarded, waiting = [json.loads(line) for line in path.read_text().splitlines()]
    assert (forwarded["status"], forwarded["gate"], forwarded["server"]) == (200, None, backend.url)
    assert (forwarded["path"], forwarded["room"]) == ("/book", "vaccine")
    assert forwarded["request_id"] == backend.last.one("X-Request-ID")
    assert forwarded["bytes"] > len(b"hello")
    assert (waiting["gate"], waiting["server"]) == ("waiting", None)
    assert waiting["bytes"] > 1000
    assert "Kim" not in path.read_text()
