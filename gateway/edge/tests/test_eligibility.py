"""Rooms with an eligibility calendar, over real HTTP: asked once, told when and why, and in line only if it helps.

The clock starts on 19 July 2021 at 20:00 in Korea. The calendar is that of the evening as announced: ages 55-59 (born
1962-1966) since 14 July, 53-54 from 20:00 on, 50-52 from the 20th at 20:00.
"""

import json

import pytest

from gateway.edge.eligibility_page import brief
from gateway.edge.strings import EN, KO
from gateway.edge.tests.front import BROWSER, START_MS, faulty_store, find, lose
from gateway.room.ticket import Knock, Ticket
from shared.calendar_file import BUILT_IN
from shared.wire import OWN_PATH

URL = f"{OWN_PATH}vaccine/eligibility"
PROGRAM = {"Accept": "application/json"}
ENGLISH = {**BROWSER, "Accept-Language": "en"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
HOUR = 3_600_000
NOW, LATER, NEVER = "1963-05-04", "1970-05-04", "1990-05-04"


@pytest.fixture
async def site(start):
    return await start(faulty=True, rooms=[{"calendar": "july-2021-announced", "total_active_users": 100}])


async def say(visitor, birth, *, back="/", headers=FORM):
    return await visitor.ask("POST", URL, f"birth_date={birth}&back={back}".encode(), headers)


async def line_up(visitor, birth):
    """Say the birth date, go on to where one is sent; the answer there."""
    got = await say(visitor, birth)
    assert (got.status, got.one("Location")) == (303, "/")
    return await visitor.get()


def token(site, visitor):
    """What the visitor's ticket cookie says."""
    from gateway.keys import KeyStore
    from gateway.room.ticket import verify

    keys = KeyStore(site.settings.gateway.keys_file)
    return verify(visitor.ticket, "vaccine", keys.current.cookies)


# Asked


@pytest.mark.parametrize(("language", "t"), [("ko", KO), ("en", EN)])
async def test_a_newcomer_is_asked_for_the_birth_date_before_anything_else(site, backend, language, t):
    got = await site.visitor(headers={**BROWSER, "Accept-Language": language}).get("/booking?step=2")
    assert (got.status, got.gate, got.set_cookies) == (200, "eligibility", {})
    page = got.body.decode()
    for key in ("ask_title", "birth_label", "birth_hint", "birth_privacy", "windows"):
        assert t[key] in page
    assert f'action="{URL}"' in page
    assert 'value="/booking?step=2"' in page
    assert backend.requests == []
    assert (await site.room()).tail == 0


async def test_who_may_book_now_goes_on_to_the_page_that_was_asked_for_and_in(site, backend):
    visitor = site.visitor()
    got = await say(visitor, "1963.5.4", back="/booking?step=2")
    assert (got.status, got.one("Location")) == (303, "/booking?step=2")
    assert isinstance(token(site, visitor), Knock)
    assert token(site, visitor).cohorts == "55-59"
    assert (await visitor.get("/booking?step=2")).gate is None
    assert [each.target for each in backend.requests] == ["/booking?step=2"]


@pytest.mark.parametrize(
    "back", ["//other.test/", "/\\other.test", "https://other.test/", "x", "/%0d%0aSet-Cookie:x", ""]
)
async def test_one_is_never_sent_on_to_another_site(site, back):
    got = await say(site.visitor(), NOW, back=back)
    assert got.status == 303
    assert got.one("Location") == "/"


@pytest.mark.parametrize(
    ("typed", "error"),
    [("", "missing"), ("1968-02-30", "bad"), ("yesterday", "bad"), ("2021-07-20", "range"), ("1870-12-31", "range")],
)
async def test_a_date_that_cannot_be_is_said_beside_the_field_and_not_repeated(site, typed, error):
    visitor = site.visitor(headers=ENGLISH)
    got = await say(visitor, typed, back="/booking")
    assert (got.status, got.gate, got.set_cookies) == (422, "eligibility", {})
    page = got.body.decode()
    assert EN[f"birth_{error}"] in page
    assert 'aria-invalid="true"' in page
    assert 'value="/booking"' in page
    assert not typed or typed not in page
    got = await visitor.ask("POST", URL, json.dumps({"birth_date": typed}).encode(), {**PROGRAM, **JSON})
    assert (got.status, got.json()["problems"]) == (422, [{"field": "birth_date", "code": error}])


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"birth_date": 19680302}', b"\xff=\xff", b"a&" * 20])
@pytest.mark.parametrize("kind", [FORM, JSON, {"Content-Type": "multipart/form-data; boundary=x"}])
async def test_a_body_that_is_none_is_a_missing_date(site, body, kind):
    got = await site.visitor().ask("POST", URL, body, {**PROGRAM, **kind})
    assert (got.status, got.json()["problems"][0]["code"]) == (422, "missing")


async def test_a_body_larger_than_a_birth_date_is_not_read(site):
    got = await site.visitor().ask("POST", URL, b"birth_date=" + b"1" * 10_000, FORM)
    assert got.status == 413


async def test_another_site_cannot_say_a_birth_date_for_a_visitor(site):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://other.test"}):
        got = await say(site.visitor(), NOW, headers={**FORM, **headers})
        assert (got.status, got.set_cookies) == (400, {})


async def test_a_network_may_ask_about_so_many_birth_dates_and_no_more(start):
    site = await start(rooms=[{"calendar": "july-2021-announced"}], edge={"birth_dates_per_network_per_minute": 3})
    visitor = site.visitor()
    assert [(await say(visitor, NOW)).status for _ in range(3)] == [303, 303, 303]
    got = await say(visitor, NOW)
    assert (got.status, got.one("Retry-After")) == (429, "5")


async def test_a_room_without_a_calendar_asks_nobody(start):
    site = await start()
    visitor = site.visitor()
    assert (await say(visitor, NOW)).status == 404
    assert (await visitor.get()).gate is None
    assert (await visitor.status())["eligibility"] is None


# Told


@pytest.mark.parametrize(("language", "t"), [("ko", KO), ("en", EN)])
async def test_who_is_in_no_group_is_told_so_with_every_window_and_does_not_wait(site, language, t):
    visitor = site.visitor(headers={**BROWSER, "Accept-Language": language})
    got = await line_up(visitor, NEVER)
    assert (got.status, got.gate) == (403, "eligibility")
    page = got.body.decode()
    assert t["verdict_not_eligible"] in page
    assert t["birth_again"] in page
    for hour in ("2021-07-12T00:00", "2021-07-14T20:00", "2021-07-20T20:00", "2021-07-24T18:00"):
        assert brief(at(hour), START_MS, "Asia/Seoul", language) in page
    assert (await site.room()).tail == 0
    told = await visitor.status()
    assert (told["state"], told["code"], told["eligibility"]["verdict"]) == ("refused", "not_eligible", "not_eligible")


@pytest.fixture
async def evening(start):
    """One can line up two hours before each opening."""
    return await start(rooms=[{"calendar": "july-2021-announced", "prequeue_s": 7200}])


def at(text):
    from datetime import datetime
    from zoneinfo import ZoneInfo

    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Seoul")).timestamp() * 1000)


async def test_who_comes_too_soon_is_told_when_by_which_rule_and_from_when_one_can_line_up(evening):
    visitor = evening.visitor(headers=ENGLISH)
    got = await line_up(visitor, LATER)
    page = got.body.decode()
    assert (got.status, got.gate) == (403, "eligibility")
    assert "You can book from Tue 20 July 2021, 20:00 (KST)" in page
    assert "You can line up at this address from Tue 20 July 2021, 18:00 (KST)." in page
    assert "Rule 50-52, version 1" in page
    assert "Ages 50-52 (born 1969-1971)" in page
    assert (await evening.room()).tail == 0
    assert (await visitor.status())["state"] == "outside"
    got = await visitor.get(Accept="application/json")
    assert got.status == 403
    told = got.json()
    assert {key: told[key] for key in ("code", "verdict", "rule", "opens_at", "lines_up_from", "cohorts")} == {
        "code": "not_yet",
        "verdict": "not_yet",
        "rule": "50-52/1",
        "opens_at": "2021-07-20T11:00:00+00:00",
        "lines_up_from": "2021-07-20T09:00:00+00:00",
        "cohorts": ["50-52", "50-54"],
    }


async def test_a_time_that_was_replaced_is_named_with_the_reason(start):
    site = await start(rooms=[{"calendar": "july-2021", "prequeue_s": 60}])
    for language, sentences in (
        (
            "en",
            ("The start moved from Mon 19 July 2021, 20:00 (KST) to Mon 19 July 2021, 22:00 (KST).", "Too many people"),
        ),
        ("ko", ("시작이 2021년 7월 19일(월) 20:00(KST)에서 2021년 7월 19일(월) 22:00(KST)로", "접속이 몰려")),
    ):
        visitor = site.visitor(headers={**BROWSER, "Accept-Language": language})
        page = (await line_up(visitor, "1967-05-04")).body.decode()
        for sentence in sentences:
            assert sentence in page


async def test_a_program_is_told_what_it_needs_to_ask_with_and_what_came_of_it(site):
    visitor = site.visitor(headers=PROGRAM)
    got = await visitor.get()
    assert (got.status, got.json()["code"], got.json()["eligibility_url"]) == (403, "birth_date_needed", URL)
    got = await visitor.ask("POST", URL, json.dumps({"birth_date": NOW}).encode(), JSON)
    assert (got.status, got.json()["verdict"], got.json()["rule"]) == (200, "eligible", "55-59-second/1")
    assert (await visitor.get()).gate is None


# A place in line


async def full(site):
    await site.change(total_active_users=0)


async def test_the_waiting_page_says_ones_own_window_and_by_which_rule(site):
    await full(site)
    visitor = site.visitor(headers=ENGLISH)
    got = await line_up(visitor, NOW)
    assert got.gate == "waiting"
    told = await visitor.status()
    assert told["number"] == 1
    assert told["eligibility"] == {
        "verdict": "eligible",
        "rule": "55-59-second/1",
        "opens_at_ms": at("2021-07-14T20:00"),
        "closes_at_ms": at("2021-07-24T18:00"),
        "late": None,
    }
    page = (await visitor.get()).body.decode()
    assert "Rule 55-59-second, version 1" in page
    assert EN["window_other"] in page
    assert token(site, visitor).cohorts == "55-59"


async def test_another_birth_date_keeps_the_place(site):
    await full(site)
    visitor = site.visitor()
    await line_up(visitor, NOW)
    before = token(site, visitor)
    await line_up(visitor, "1967-05-04")
    assert token(site, visitor) == Ticket(before.epoch, before.number, before.issued_ms, "50-54+53-54")


async def test_nobody_keeps_a_place_that_their_own_birth_date_could_not_have_led_to(site):
    await full(site)
    visitor = site.visitor()
    await line_up(visitor, NOW)
    assert (token(site, visitor).wave, token(site, visitor).number) == ("", 1)
    await line_up(visitor, LATER)
    assert (token(site, visitor).wave, token(site, visitor).number) == ("50-52", 1), "where everyone of them lines up"


async def test_a_place_taken_by_another_groups_date_is_none_once_ones_own_window_is_open(site):
    await full(site)
    early, honest = site.visitor(), site.visitor()
    await line_up(early, NOW)
    await line_up(honest, LATER)
    for text in ("2021-07-20T19:59:59", "2021-07-20T20:00:01"):
        site.clock.now_ms = at(text)
        await site.line.tick_now()
        await early.status()  # signs the ticket anew
    await line_up(early, LATER)
    await honest.status()
    assert token(site, honest).number < token(site, early).number


async def test_to_bring_a_knock_back_again_is_not_to_have_come_later(site):
    await full(site)
    site.clock.now_ms = at("2021-07-20T19:59")
    await site.line.tick_now()
    visitor = site.visitor()
    await say(visitor, NOW)
    knock = visitor.ticket
    await visitor.get()
    site.clock.now_ms = at("2021-07-20T20:00") + 1
    await site.line.tick_now()
    number = token(site, visitor).number
    visitor.cookies = {"sunbeon_ticket_vaccine": knock}
    await visitor.get()
    assert token(site, visitor).number == number
    await line_up(visitor, LATER)
    assert token(site, visitor).number > number


async def test_a_date_for_which_one_cannot_line_up_yet_is_told_and_leaves_the_place_alone(evening):
    await evening.change(total_active_users=0)
    visitor = evening.visitor(headers=ENGLISH)
    await line_up(visitor, NOW)
    before = visitor.ticket
    got = await say(visitor, LATER)
    assert (got.status, got.set_cookies, visitor.ticket) == (403, {}, before)
    assert "You can book from Tue 20 July 2021, 20:00 (KST)" in got.body.decode()
    assert EN["verdict_kept"] in got.body.decode()


async def test_a_birth_date_of_no_group_is_told_and_leaves_the_place_alone(site):
    await full(site)
    visitor = site.visitor(headers=ENGLISH)
    await line_up(visitor, NOW)
    before = visitor.ticket
    got = await say(visitor, NEVER)
    assert (got.status, got.set_cookies) == (403, {})
    assert EN["verdict_not_eligible"] in got.body.decode()
    assert EN["verdict_kept"] in got.body.decode()
    assert visitor.ticket == before
    assert (await visitor.status())["number"] == 1


@pytest.mark.parametrize(("language", "t"), [("ko", KO), ("en", EN)])
async def test_when_the_last_window_is_over_the_page_says_why_and_the_place_is_the_holders_to_give_up(
    site, language, t
):
    await full(site)
    visitor = site.visitor(headers={**BROWSER, "Accept-Language": language})
    await line_up(visitor, NOW)
    before = visitor.ticket
    site.clock.now_ms = at("2021-07-24T18:00") + 1
    await site.line.tick_now()
    told = await visitor.status()
    assert (told["state"], told["code"]) == ("refused", "over")
    got = await visitor.get()
    assert (got.status, got.gate, got.set_cookies, visitor.ticket) == (403, "eligibility", {}, before)
    page = got.body.decode()
    for key in ("verdict_over", "verdict_place_kept", "leave_ask", "leave_yes"):
        assert t[key] in page
    assert f'action="{OWN_PATH}vaccine/leave"' in page
    assert (await site.counters()).get("left", 0) == 0
    assert (await visitor.leave()).gate == "left"
    assert (await site.counters())["left"] == 1
    other = site.visitor(headers={**BROWSER, "Accept-Language": language})
    page = (await line_up(other, NOW)).body.decode()
    assert t["verdict_over"] in page
    assert t["leave_yes"] not in page, "there is nothing to give up"


async def test_a_slip_in_the_calendar_costs_nobody_their_place(start, tmp_path):
    file = tmp_path / "calendar.toml"
    text = (BUILT_IN / "july-2021-announced.toml").read_text()
    file.write_text(text)
    site = await start(rooms=[{"calendar": str(file), "total_active_users": 0}])
    visitor = site.visitor()
    await line_up(visitor, NOW)
    for written, gate in ((text.replace("2021-07-24T18:00", "2021-07-19T18:00", 1), "eligibility"), (text, "waiting")):
        file.write_text(written)
        for _ in range(2):
            await site.pass_time(2_000)
        assert site.line.eligibility.problem is None
        assert (await visitor.get()).gate == gate
    assert (await visitor.status())["number"] == 1
    assert (await site.counters()).get("left", 0) == 0


async def test_who_is_called_while_the_window_is_closed_keeps_the_place_and_goes_in_when_it_opens(site, backend):
    await full(site)
    visitor = site.visitor(headers=ENGLISH)
    await line_up(visitor, "1967-05-04")
    site.clock.now_ms = at("2021-07-20T18:00")  # the turn of 50-52 for a day
    await site.change(total_active_users=100)
    await site.pass_time(120_000)
    assert (await site.room()).serving >= 1
    got = await visitor.get()
    assert got.gate == "waiting"
    assert EN["verdict_paused"] in got.body.decode()
    told = await visitor.status()
    assert (told["state"], told["number"], told["ahead"], told["eta_ms"]) == ("waiting", 1, None, None)
    assert (told["eligibility"]["verdict"], told["eligibility"]["opens_at_ms"]) == ("paused", at("2021-07-21T20:00"))
    assert backend.requests == []
    site.clock.now_ms = at("2021-07-21T20:00") - 1
    await site.line.tick_now()
    assert (await visitor.get()).gate == "waiting"
    site.clock.now_ms += 1
    await site.pass_time(2_000)
    assert (await visitor.get()).gate is None


async def test_a_crowd_held_by_a_pause_comes_through_the_lane_and_does_not_ask_every_two_seconds(start):
    site = await start(
        rooms=[{"calendar": "july-2021-announced", "new_users_per_minute": 60}],
        edge={"birth_dates_per_network_per_minute": 0},
    )
    await full(site)
    crowd = [site.visitor() for _ in range(40)]
    for each in crowd:
        await line_up(each, "1967-05-04")
    site.clock.now_ms = at("2021-07-20T18:00")
    await site.change(total_active_users=1, new_users_per_minute=6_000)
    while (await site.room()).serving < 40:
        await site.pass_time(60_000)
    await site.change(new_users_per_minute=60)
    site.clock.now_ms = at("2021-07-21T20:00")
    await site.line.tick_now()
    told = [await each.status() for each in crowd]
    assert [each["state"] for each in told].count("at_door") >= 38
    await site.line.tick_now()
    last = await crowd[-1].status()
    assert last["state"] == "at_door"
    assert 4_000 < last["poll_after_ms"] < 6_000, "an eighth of the 38 s or so that they need at least"


async def test_who_lined_up_for_a_later_window_can_say_who_may_book_now_and_goes_in(site):
    visitor = site.visitor(headers=ENGLISH)
    got = await line_up(visitor, LATER)
    assert got.gate == "waiting"
    assert EN["head_window"] in got.body.decode()
    assert (token(site, visitor).wave, (await site.room()).tail) == ("50-52", 0)
    told = await visitor.status()
    assert (told["number"], told["place"], told["ahead"]) == (1, None, None)
    await line_up(visitor, "1971-01-01")
    assert (token(site, visitor).wave, token(site, visitor).number) == ("50-52", 1), "the same line, the same number"
    assert (await line_up(visitor, NOW)).gate is None


async def test_who_lined_up_a_day_before_stands_before_who_came_as_the_room_itself_was_closed_until_the_window(start):
    windows = [("19T19:00", "20T18:00"), ("20T20:00", "21T18:00")]
    first, second = [
        {"opens_at": f"2021-07-{opens}:00+09:00", "closes_at": f"2021-07-{closes}:00+09:00"}
        for opens, closes in windows
    ]
    site = await start(rooms=[{"calendar": "july-2021-announced", **first, "more_windows": [second]}])
    came_first, came_later = site.visitor(), site.visitor()
    await line_up(came_first, LATER)
    assert token(site, came_first).wave == "50-52"
    site.clock.now_ms = at("2021-07-20T18:30")
    await site.line.tick_now()
    await full(site)
    await line_up(came_later, LATER)
    assert (token(site, came_later).wave, token(site, came_later).number) == ("", 2)
    site.clock.now_ms = at("2021-07-20T20:00")
    await site.line.tick_now()
    assert [(await each.status())["place"] for each in (came_first, came_later)] == [1, 2]


async def test_cohorts_a_new_calendar_does_not_know_are_asked_for_again_and_the_place_stays(start, tmp_path):
    file = tmp_path / "calendar.toml"
    text = (BUILT_IN / "july-2021-announced.toml").read_text()
    file.write_text(text)
    site = await start(rooms=[{"calendar": str(file), "total_active_users": 0}])
    visitor = site.visitor(headers=ENGLISH)
    await line_up(visitor, NOW)
    file.write_text(text.replace('"55-59"', '"late-fifties"'))
    for _ in range(2):
        await site.pass_time(2_000)
    got = await visitor.get()
    assert (got.status, got.gate) == (200, "eligibility")
    assert EN["ask_kept"] in got.body.decode()
    assert (await visitor.status())["state"] == "outside"
    assert (await line_up(visitor, NOW)).gate == "waiting"
    assert (token(site, visitor).number, token(site, visitor).cohorts) == (1, "late-fifties")


async def test_a_lapsed_knock_says_who_asks_and_takes_no_seat_of_its_own(start):
    rooms = [{"calendar": "july-2021-announced", "total_active_users": 100}]
    site = await start(rooms=rooms, edge={"direct_entries_per_network_per_minute": 2})
    visitor = site.visitor()
    await say(visitor, NOW)
    cookie = visitor.ticket
    await site.pass_time(130_000)
    got = []
    for _ in range(4):
        visitor.cookies = {"sunbeon_ticket_vaccine": cookie}
        got.append((await visitor.get()).gate)
    assert got == [None, None, "waiting", "waiting"]
    assert (await visitor.status())["state"] in {"inside", "waiting"}, "a browser brings its new knock back"


async def test_a_pass_is_touched_by_none_of_it(site):
    visitor = site.visitor()
    assert (await line_up(visitor, NOW)).gate is None
    held = visitor.visitor_pass
    assert (await say(visitor, NEVER)).status == 403
    assert visitor.visitor_pass == held
    assert (await visitor.get()).gate is None
    visitor.cookies.pop("sunbeon_ticket_vaccine")
    assert (await visitor.get()).gate is None


async def test_a_closed_room_asks_nobody(site):
    await site.change(mode="closed")
    assert (await site.visitor().get()).gate == "closed"


# No trace of the birth date; but of every refusal


async def test_the_birth_date_is_in_no_cookie_answer_or_log(site, caplog, tmp_path):
    for birth in (NOW, LATER, NEVER, "1968-02-30"):
        visitor = site.visitor()
        answers = [await say(visitor, birth, back="/booking"), await visitor.get(), await visitor.get("/booking")]
        answers.append(await visitor.ask("GET", f"{OWN_PATH}vaccine/status"))
        for got in answers:
            assert birth not in f"{got.headers} {got.set_cookies} {got.body!r}"
    written = caplog.text + (tmp_path / "audit.log").read_text()
    for birth in (NOW, LATER, NEVER):
        assert birth not in written
        assert birth.replace("-", "") not in written


async def test_every_verdict_is_counted_by_its_rule_and_every_refusal_is_in_the_audit_log(site):
    for birth in (NOW, LATER, NEVER, NEVER):
        await line_up(site.visitor(), birth)
    counters = await site.counters()
    assert {name: number for name, number in counters.items() if name.startswith("eligibility")} == {
        "eligibility.eligible.55-59-second/1": 1,
        "eligibility.not_yet.50-52/1": 1,
        "eligibility.not_eligible": 2,
    }
    assert counters["refused.not_eligible"] == 2
    lines = [each for each in site.audit() if each["event"] == "not_now"]
    assert [(each["verdict"], each["rule"], each["cohorts"], each["calendar"]) for each in lines] == [
        ("not_yet", "50-52/1", "50-52+50-54", 1),
        ("not_eligible", None, "-", 1),
        ("not_eligible", None, "-", 1),
    ]
    refused = [each for each in site.audit() if each["event"] == "refused"]
    assert [(each["why"], each["cohorts"]) for each in refused] == [("not_eligible", "-")] * 2


# The store is away


async def test_while_the_store_is_away_people_are_still_told_and_keep_what_they_have(site):
    await full(site)
    waiting = site.visitor(headers=ENGLISH)
    await line_up(waiting, NOW)
    await lose(site, for_ms=5_000)
    assert (await site.visitor().get()).gate == "eligibility"
    refused = site.visitor(headers=ENGLISH)
    got = await line_up(refused, NEVER)
    assert EN["verdict_not_eligible"] in got.body.decode()
    newcomer = site.visitor()
    assert (await line_up(newcomer, NOW)).gate == "waiting"
    assert token(site, newcomer).cohorts == "55-59"
    assert (await waiting.get()).gate == "waiting"
    await find(site)
    assert (await newcomer.status())["number"] == 2
    assert (await waiting.status())["number"] == 1


async def test_failing_open_lets_in_only_those_whose_window_is_open(start):
    rooms = [{"calendar": "july-2021-announced", "on_store_error": "admit", "total_active_users": 100}]
    site = await start(faulty=True, rooms=rooms)
    early, late, never = (site.visitor() for _ in range(3))
    await say(early, NOW)
    await say(late, LATER)
    await say(never, NEVER)
    await lose(site, for_ms=5_000)
    assert (await early.get()).gate is None
    assert (await late.get()).gate == "waiting"
    assert (await never.get()).gate == "eligibility"
    assert faulty_store(site).failure is not None
