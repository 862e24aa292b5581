"""Requests that bring no cookie must cost nobody a place, a seat or a number."""

import asyncio

import pytest

from gateway.edge.tests.backend import answer
from gateway.edge.tests.front import exchange

CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": "http://evil.test"}


async def test_a_form_posted_by_another_site_overwrites_no_cookie_and_takes_no_seat(start, backend):
    site = await start(rooms=[{"total_active_users": 10}])
    got = await site.visitor().ask("POST", "/book", headers=CROSS_SITE)
    assert (got.status, got.gate, got.all("Set-Cookie")) == (429, "waiting", [])
    assert ((await site.room()).tail, backend.requests) == (0, [])


async def test_a_form_posted_by_another_site_to_a_closed_room_drops_no_cookie(start):
    site = await start(rooms=[{"state": "closed"}])
    got = await site.visitor().ask("POST", "/book", headers=CROSS_SITE)
    assert (got.gate, got.all("Set-Cookie")) == ("closed", [])


async def test_an_image_in_another_sites_page_takes_no_seat(start, backend):
    site = await start(rooms=[{"total_active_users": 10}])
    for _ in range(3):
        got = await site.visitor().get("/logo", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors", Accept="image/*")
        assert (got.status, got.all("Set-Cookie")) == (429, [])
    assert ((await site.room()).tail, backend.requests) == (0, [])


async def test_a_link_on_another_site_leads_in_as_any_other_way(start):
    site = await start(rooms=[{"total_active_users": 10}])
    got = await site.visitor().get("/book", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")
    assert got.gate is None


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD"])
async def test_probes_and_preflights_take_no_seat(start, backend, method):
    site = await start(rooms=[{"total_active_users": 10}])
    for _ in range(5):
        await site.visitor().ask(method, "/book")
    assert ((await site.room()).live, (await site.room()).tail, backend.requests) == (0, 0, [])


async def test_a_probe_that_kept_its_pass_is_forwarded(start, backend):
    site = await start(rooms=[{"total_active_users": 10}])
    visitor = site.visitor()
    await visitor.get("/book")
    await visitor.ask("OPTIONS", "/book")
    assert [request.method for request in backend.requests] == ["GET", "OPTIONS"]


async def test_a_burst_without_cookies_is_given_no_more_numbers_than_there_are_seats(start):
    site = await start(rooms=[{"total_active_users": 5, "new_users_per_minute": 6_000}])
    await site.pass_time(2_000)
    await asyncio.gather(*(site.visitor().get("/book") for _ in range(60)))
    # A few more than seats may slip in while a snapshot is renewed; a flood does not.
    assert (await site.room()).tail <= 10
    assert (await site.room()).live <= 5


async def test_a_room_without_hosts_opens_no_way_around_one_that_names_its_own(start, backend):
    rooms = [
        {"name": "a", "hosts": ["a.test"], "paths": ["/"], "total_active_users": 0},
        {"name": "b", "paths": ["/b"], "total_active_users": 0},
    ]
    site = await start(rooms=rooms)
    assert (await site.visitor(host="whatever.test").get("/")).status == 421
    assert (await site.visitor(host="whatever.test", room="b").get("/b")).gate == "waiting"
    assert backend.requests == []


async def test_who_is_let_in_is_recorded_even_if_the_client_hangs_up_meanwhile(start):
    site = await start(rooms=[{"total_active_users": 100, "new_users_per_minute": 60_000}])
    await site.pass_time(2_000)
    request = b"GET /book HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n\r\n"
    for delay_s in (0, 0.001, 0.002, 0.003) * 10:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(request)
        await writer.drain()
        await asyncio.sleep(delay_s)
        writer.transport.abort()
        del reader
    seen, still = (0, 0), 0
    while still < 10:  # until nothing is under way any more
        await asyncio.sleep(0.02)
        now = ((await site.room()).counters.get("admitted", 0), len(site.audit()))
        seen, still = now, still + 1 if now == seen else 0
    admitted, recorded = seen
    assert admitted == recorded > 0


async def test_before_a_known_opening_those_in_front_are_told_to_ask_soon_after_it(start):
    site = await start()
    await site.change(opens_at_ms=site.clock.now_ms + 3_600_000)
    visitor = site.visitor()
    await visitor.queue()
    far = await visitor.status()
    assert far["eta_ms"][0] > 3_500_000
    await site.change(opens_at_ms=site.clock.now_ms + 5_000)
    near = await visitor.status()
    assert near["room_state"] == "prequeue"
    assert 5_000 < near["poll_after_ms"] <= 5_000 + 2_400


async def test_a_pass_that_is_told_again_is_recorded_again(start):
    """The worker that let the visitor in may have been killed before it wrote its line."""
    site = await start(rooms=[{"total_active_users": 100}])
    visitor = site.visitor()
    await visitor.get("/book")
    del visitor.cookies[f"sunbeon_pass_{visitor.room}"]
    await visitor.get("/book")
    await visitor.get("/book")
    first, second = site.audit()
    assert (first["again"], second["again"]) == (False, True)
    assert first["pass_id"] == second["pass_id"]


async def test_who_wants_to_join_again_is_led_to_the_line_in_one_step(start):
    site = await start(rooms=[{"total_active_users": 0}])
    visitor = site.visitor()
    visitor.cookies[f"sunbeon_ticket_{visitor.room}"] = "damaged"
    page = await visitor.get("/book")
    assert (page.status, page.gate) == (403, "forged")
    assert b'action="/_sunbeon/vaccine/leave?then=join"' in page.body
    got = await visitor.ask("POST", "/_sunbeon/vaccine/leave?then=join")
    assert (got.status, got.one("Location"), visitor.cookies) == (303, "/", {})
    assert (await visitor.get("/")).gate == "waiting"


async def test_who_sends_a_form_without_a_turn_is_told_that_it_was_not_received(start):
    site = await start(rooms=[{"total_active_users": 0}])
    got = await site.visitor().ask("POST", "/book", b"name=x")
    assert got.status == 429
    assert b"was not received" in got.body


async def test_a_backend_cannot_set_our_cookies(start, backend):
    site = await start(rooms=[{"total_active_users": 9}])
    visitor = site.visitor()
    await visitor.get("/book")
    backend.reply = answer(b"x", "Set-Cookie: sunbeon_ticket_vaccine=evil; Path=/", "Set-Cookie: theirs=1")
    got = await visitor.get("/book")
    assert got.all("Set-Cookie") == ["theirs=1"]


async def test_a_good_ticket_is_found_among_many_planted_ones(start):
    site = await start(rooms=[{"total_active_users": 0}])
    visitor = site.visitor()
    number = await visitor.queue()
    planted = "; ".join([f"sunbeon_ticket_vaccine=x{n}" for n in range(50)])
    cookie = f"{planted}; sunbeon_ticket_vaccine={visitor.ticket}"
    got = await site.visitor().ask("GET", "/_sunbeon/vaccine/status", headers={"Cookie": cookie})
    assert got.json()["number"] == number


async def test_a_stalled_upload_is_told_so(start):
    site = await start(rooms=[{"total_active_users": 9}], edge={"client_idle_timeout_s": 0.05})
    head = b"POST /book HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\nContent-Length: 9\r\n\r\nab"
    got = await exchange(site.port, head, "POST")
    assert (got.status, got.gate) == (408, "too_slow")
    assert "sunbeon_pass_vaccine" in got.set_cookies
