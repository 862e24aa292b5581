"""What visitors are told, with a browser and without: pages, problem documents, status, board, leave."""

import gzip

import pytest

from gateway.edge.tests.front import BROWSER, Visitor, exchange
from shared.wire import STATUS_FIELDS

PROGRAM = {"Accept": "application/json"}
HERE = "same-origin"


@pytest.fixture
async def holder(site):
    """Who has the room's only seat."""
    visitor: Visitor = site.visitor()
    assert (await visitor.get()).gate is None
    await site.line.tick_now()
    return visitor


# The waiting page and its facts


async def test_a_program_is_told_to_wait_as_a_problem_document(site, holder):
    program = site.visitor(headers=PROGRAM)
    got = await program.get()
    assert (got.status, got.gate, got.one("Content-Type")) == (429, "waiting", "application/problem+json")
    assert int(got.one("Retry-After")) >= 1
    told = got.json()
    assert {"type", "title", "status", "code", "detail", "poll_after_ms", "room_state"} <= set(told)
    assert (told["status"], told["code"]) == (429, "waiting")
    assert program.ticket.startswith("knock.")
    assert (await program.get()).json()["number"] == 2


async def test_a_program_that_keeps_asking_gets_in_when_its_turn_comes(site, holder, backend):
    program = site.visitor(headers=PROGRAM)
    await program.get()
    await program.get()
    await holder.leave()
    await site.pass_time(200)
    got = await program.get("/api/slots")
    assert (got.status, got.gate, backend.last.target) == (200, None, "/api/slots")


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        ({"Accept": "text/html"}, True),
        (BROWSER, True),
        ({"Accept": "text/html", "Sec-Fetch-Mode": "cors"}, False),
        ({"Accept": "text/html", "Sec-Fetch-Mode": "no-cors"}, False),
        ({"Accept": "*/*"}, False),
        ({"Accept": "image/avif,image/webp"}, False),
        ({}, False),
    ],
)
async def test_only_someone_looking_gets_a_page(site, holder, headers, page):
    got = await site.visitor(headers=headers).get()
    assert (got.one("Content-Type") == "text/html; charset=utf-8") is page
    assert got.status == (200 if page else 429)


async def test_head_says_what_get_would_without_a_body(site, holder):
    data = b"HEAD / HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n\r\n"
    got = await exchange(site.port, data, "HEAD")
    assert (got.status, got.gate) == (200, "waiting")
    assert int(got.one("Content-Length") or 0) > 1_000


async def test_a_form_sent_while_waiting_is_not_taken_for_done(site, holder, backend):
    got = await site.visitor().ask("POST", "/confirm", b"name=x")
    assert (got.status, got.gate, got.one("Content-Type")) == (429, "waiting", "text/html; charset=utf-8")
    assert len(backend.requests) == 1


async def test_nothing_the_gate_says_is_cached(site, holder):
    waiting = site.visitor()
    answers = [await waiting.get(), await waiting.ask("GET", "/_sunbeon/vaccine/status")]
    answers += [await site.visitor(headers=PROGRAM).get(), await site.visitor().get("/_sunbeon/nothing")]
    answers += [await site.visitor(cookies={"sunbeon_ticket_vaccine": "x"}).get(), await waiting.leave()]
    for got in answers:
        assert got.gate is not None
        assert got.all("Cache-Control") == ["no-store"]
        assert got.all("X-Content-Type-Options") == ["nosniff"]


async def test_a_page_is_compressed_where_the_browser_takes_it(site, holder):
    visitor = site.visitor()
    plain = await visitor.get()
    small = await visitor.get(Accept_Encoding="gzip, deflate, br")
    assert plain.all("Content-Encoding") == []
    assert (small.one("Content-Encoding"), int(small.one("Content-Length"))) == ("gzip", len(small.body))
    assert gzip.decompress(small.body).startswith(b"<!doctype html>")
    assert len(small.body) < 15_000


async def test_whoever_refuses_gzip_gets_none(site, holder):
    got = await site.visitor().get(Accept_Encoding="identity, gzip;q=0")
    assert got.all("Content-Encoding") == []


async def test_a_page_comes_in_the_visitors_language_and_may_run_only_its_own_script(site, holder):
    korean = await site.visitor().get(Accept_Language="ko-KR,ko;q=0.9,en;q=0.8")
    english = await site.visitor().get(Accept_Language="en-GB")
    assert (korean.one("Content-Language"), english.one("Content-Language")) == ("ko", "en")
    assert "예방접종".encode() in korean.body
    assert b"Vaccination" in english.body
    policy = english.one("Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_the_operators_message_reaches_everyone_waiting_in_their_language(site, holder):
    await site.change(message={"ko": "조금만 기다려 주세요", "en": "Vaccines are <b>here</b>"})
    waiting = site.visitor()
    await waiting.queue()
    told = (await waiting.ask("GET", "/_sunbeon/vaccine/status", headers={"Accept-Language": "ko"})).json()
    assert told["message"] == "조금만 기다려 주세요"
    page = await waiting.get(Accept_Language="en")
    assert b"Vaccines are &lt;b&gt;here" in page.body


# Status


async def test_status_has_every_field_and_the_servers_time(site, holder):
    waiting = site.visitor()
    await waiting.queue()
    told = await waiting.status()
    assert list(told) == list(STATUS_FIELDS)
    assert (told["state"], told["number"], told["place"], told["ahead"]) == ("waiting", 2, 2, 0)
    assert (told["server_time_ms"], told["opens_at_ms"], told["outflow_per_minute"]) == (site.clock.now_ms, None, 6_000)
    assert told["poll_after_ms"] >= 1_275
    assert told["ticket"] == waiting.ticket


async def test_the_number_ahead_falls_as_people_leave_and_never_rises(site, holder):
    crowd = [site.visitor() for _ in range(4)]
    assert [await each.queue() for each in crowd] == [2, 3, 4, 5]
    seen = []
    leaving = holder
    for each in crowd:
        seen.append((await crowd[-1].status())["ahead"])
        await leaving.leave()
        await site.pass_time(200)
        await each.get()
        leaving = each
    assert seen == [3, 2, 1, 0]


async def test_who_has_no_ticket_stands_outside(site, holder):
    told = await site.visitor().status()
    assert (told["state"], told["number"], told["ticket"]) == ("outside", None, None)
    assert (await site.room()).tail == 1


async def test_who_is_inside_is_told_so(site, holder):
    assert (await holder.status())["state"] == "inside"


async def test_who_had_a_turn_is_told_so(site, holder):
    ticket = {"sunbeon_ticket_vaccine": holder.ticket}
    await site.pass_time(301_000)
    other = site.visitor()
    assert (await other.get()).gate is None
    await site.line.tick_now()
    assert (await site.visitor(cookies=ticket).status())["state"] == "used"


async def test_called_but_without_a_seat_one_stands_at_the_door(start):
    site = await start(rooms=[{"total_active_users": 2}])
    first = [site.visitor() for _ in range(2)]
    for each in first:
        await each.get()
    await site.line.tick_now()
    waiting = [site.visitor() for _ in range(2)]
    for each in waiting:
        await each.queue()
    await first[0].leave()
    await first[1].leave()
    await site.pass_time(200)
    await site.change(total_active_users=0)
    assert (await waiting[0].status())["state"] == "at_door"
    assert (await waiting[0].get()).gate == "waiting"
    await site.change(total_active_users=1)
    await site.pass_time(200)
    assert (await waiting[0].status())["state"] == "inside"
    assert (await waiting[1].get()).gate == "waiting"


# Board and keys


async def test_the_board_is_the_same_for_everyone_and_may_be_cached_a_second(site, holder):
    got = await site.visitor().get("/_sunbeon/vaccine/board")
    assert got.one("Cache-Control") == "public, max-age=1"
    assert got.all("Set-Cookie") == []
    # A cache that had to keep one for every cookie would keep none.
    assert "Cookie" not in (got.one("Vary") or "")
    told = got.json()
    assert (told["room"], told["state"], told["tail"], told["serving"], told["waiting"]) == ("vaccine", "open", 1, 1, 0)
    assert (await holder.get("/_sunbeon/vaccine/board")).json() == told


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
async def test_public_keys_are_published_and_secrets_never(start, backend, algorithm):
    site = await start(algorithm=algorithm)
    await site.visitor().get()
    claims = site.proof(backend.last)
    assert claims.number == 1
    published = (await site.visitor().get("/_sunbeon/jwks.json")).json()["keys"]
    if algorithm == "HS256":
        assert published == []
    else:
        assert [(key["kty"], key["crv"], key["alg"]) for key in published] == [("OKP", "Ed25519", "EdDSA")]
        assert {"d", "k"}.isdisjoint(published[0])


@pytest.mark.parametrize(
    ("method", "action", "allow"),
    [("POST", "status", "GET"), ("PUT", "board", "GET"), ("GET", "leave", "POST"), ("DELETE", "leave", "POST")],
)
async def test_endpoints_say_which_method_they_take(site, method, action, allow):
    got = await site.visitor().ask(method, f"/_sunbeon/vaccine/{action}")
    assert (got.status, got.one("Allow")) == (405, allow)


@pytest.mark.parametrize(
    "target", ["/_sunbeon", "/_sunbeon/", "/_sunbeon/other/status", "/_sunbeon/vaccine/x", "/_SUNBEON/vaccine/status",
               "//_sunbeon/vaccine/status", "/%5fsunbeon/x", "/x/../_sunbeon/x"]
)  # fmt: skip
async def test_the_gates_own_addresses_never_reach_a_backend(site, backend, target):
    got = await site.visitor().get(target)
    assert (got.status, got.gate) == (404, "not_found")
    assert backend.requests == []


# Leaving


async def test_leaving_lets_the_next_move_up_and_uses_up_the_ticket(site, holder, backend):
    first, second = site.visitor(), site.visitor()
    await first.queue()
    await second.queue()
    kept = dict(first.cookies)
    got = await first.leave(Sec_Fetch_Site=HERE)
    assert (got.status, got.gate, first.cookies) == (200, "left", {})
    await holder.leave()
    await site.pass_time(200)
    assert (await second.get()).gate is None
    assert site.proof(backend.last).place == 3
    await site.line.tick_now()
    first.cookies = kept
    assert (await first.status())["state"] == "used"
    assert (await first.get()).gate == "waiting"
    assert first.ticket.startswith("knock.")


async def test_leaving_from_inside_frees_the_seat(site, holder, backend):
    kept = dict(holder.cookies)
    await holder.leave()
    room = await site.room()
    assert (room.live, room.counters["left"]) == (0, 1)
    await site.line.tick_now()
    other = site.visitor()
    assert (await other.get()).gate is None
    await site.line.tick_now()
    holder.cookies = kept
    assert (await holder.get()).gate == "waiting"


async def test_leaving_with_nothing_but_a_pass_frees_the_seat_too(site, holder):
    del holder.cookies["sunbeon_ticket_vaccine"]
    await holder.leave()
    room = await site.room()
    assert (room.live, room.counters["left"]) == (0, 1)


async def test_leaving_twice_is_leaving_once(site, holder):
    kept = dict(holder.cookies)
    await holder.leave()
    holder.cookies = kept
    assert (await holder.leave()).status == 200
    assert (await site.room()).counters["left"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://site.test.evil.test"},
    ],
)
async def test_no_other_site_can_make_somebody_leave(site, holder, headers):
    got = await holder.ask("POST", "/_sunbeon/vaccine/leave", headers=headers)
    assert (got.status, got.gate) == (400, "bad_request")
    assert got.all("Set-Cookie") == []
    assert (await site.room()).live == 1
    assert (await holder.get()).gate is None


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://site.test"}, {}])
async def test_ones_own_site_can(site, holder, headers):
    got = await holder.ask("POST", "/_sunbeon/vaccine/leave", headers=headers)
    assert (got.status, holder.cookies) == (200, {})
    assert (await site.room()).live == 0


async def test_a_program_that_leaves_gets_no_page(site, holder):
    holder.headers = PROGRAM
    got = await holder.leave()
    assert (got.status, got.json()) == (200, {"state": "outside"})


async def test_tickets_and_passes_stand_in_no_log(site, holder, caplog):
    caplog.set_level("DEBUG")
    waiting = site.visitor()
    await waiting.queue()
    await holder.get()
    written = caplog.text + (site.folder / "audit.log").read_text()
    for secret in (holder.ticket, holder.visitor_pass, waiting.ticket, "127.0.0.1"):
        assert secret not in written
