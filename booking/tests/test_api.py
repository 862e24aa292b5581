"""The journey through the JSON API, and every way it says no."""

import asyncio
import base64

import pytest

from booking.identity.base import Subject
from booking.identity.simulated import SimulatedIdentity
from booking.routes.context import CHECKING
from booking.settings import SimulatedMethod
from booking.tests.conftest import CHILD, MOTHER, PERSON
from shared.calendar_file import find_calendar
from shared.wire import How


async def test_a_visitor_books_through_the_api_and_the_gateway_is_told(site):
    headers = site.passes.header(number=41, place=40)
    _, _, body = await site.get("/api/centres", headers=headers)
    centre = body["centres"][0]
    assert set(centre) == {"id", "region_ko", "region_en", "name_ko", "name_en", "address_ko", "address_en"}
    status, _, body = await site.get(f"/api/slots?centre={centre['id']}&day=2021-07-20", headers=headers)
    assert status == 200
    slot = body["slots"][0]
    assert slot == {
        "id": slot["id"],
        "centre_id": centre["id"],
        "vaccine_id": slot["vaccine_id"],
        "starts_at": "2021-07-20T09:00:00+09:00",
        "left": site.settings.booking.slot_capacity,
    }

    status, _, held = await site.hold(headers, slot["id"])
    assert (status, held["expires_at"]) == (201, "2021-07-19T20:05:00+09:00")
    assert held["slot"]["left"] == slot["left"] - 1
    status, answered, booked = await site.post(f"/api/holds/{held['hold_id']}/confirm", headers=headers)

    assert status == 201
    assert answered["Sunbeon-Command"] == "complete"
    assert (booked["how"], booked["number"], booked["slot"]["id"]) == ("line", 41, slot["id"])
    assert booked["code"] == held["code"], "a lost answer to confirm costs nobody the code"
    assert len(booked["code"]) == 10
    assert (booked["name"], booked["booked_by"]) == ("홍*동", None)


async def test_a_repeated_confirm_gives_the_same_booking(site):
    headers = site.passes.header()
    slot = await site.first_slot()
    _, _, held = await site.hold(headers, slot["id"])
    path = f"/api/holds/{held['hold_id']}/confirm"
    _, _, first = await site.post(path, headers=headers)
    site.clock.forward(seconds=50)

    status, answered, second = await site.post(path, headers=headers)

    assert (status, second) == (201, first)
    assert answered["Sunbeon-Command"] == "complete"
    assert (await site.first_slot())["left"] == slot["left"] - 1


async def test_a_hold_that_is_over_cannot_be_confirmed(start):
    site = await start(hold_s=30)
    headers = site.passes.header()
    _, _, held = await site.hold(headers, (await site.first_slot())["id"])
    site.clock.forward(seconds=30)

    status, answered, problem = await site.post(f"/api/holds/{held['hold_id']}/confirm", headers=headers)

    assert (status, problem["code"]) == (410, "hold_expired")
    assert "Sunbeon-Command" not in answered


async def test_a_hold_belongs_to_the_pass_that_made_it(site):
    _, _, held = await site.hold(site.passes.header(), (await site.first_slot())["id"])

    status, _, problem = await site.post(f"/api/holds/{held['hold_id']}/confirm", headers=site.passes.header())

    assert (status, problem["code"]) == (403, "other_pass")


async def test_exempt_visitors_whose_pass_id_changes_with_every_request_can_book(site):
    def exempt():
        return site.passes.header(how=How.EXEMPT, number=None, place=None, rule="clinic")

    _, _, held = await site.hold(exempt(), (await site.first_slot())["id"])
    status, _, booked = await site.post(f"/api/holds/{held['hold_id']}/confirm", headers=exempt())

    assert (status, booked["how"], booked["number"]) == (201, "exempt", None)


async def test_one_pass_books_once_and_one_person_books_once(site):
    headers, slot = site.passes.header(), await site.first_slot()
    await site.book(headers, slot["id"])

    status, _, problem = await site.hold(headers, slot["id"], name="김철수")
    assert (status, problem["code"]) == (409, "pass_used")
    status, _, problem = await site.hold(site.passes.header(), slot["id"], name=" 홍 길동 ", phone="+82 10 1234 5678")
    assert (status, problem["code"]) == (409, "already_booked")


async def test_the_last_seat_gone_is_said_plainly(start):
    site = await start(slot_capacity=1)
    slot = await site.first_slot()
    await site.hold(site.passes.header(), slot["id"])

    status, answered, problem = await site.hold(site.passes.header(), slot["id"], name="김철수")

    assert answered["Content-Type"] == "application/problem+json"
    assert (status, problem["status"], problem["code"]) == (409, 409, "sold_out")
    assert problem["type"]
    assert problem["title"]


async def test_cancelling_returns_the_seat_and_lets_the_person_book_again(site):
    slot = await site.first_slot()
    booked = await site.book(site.passes.header(), slot["id"])
    proof = {"code": f"{booked['code'][:5].lower()}-{booked['code'][5:]}", "birth_date": "1968-03-02"}
    path, wrong = "/api/bookings/cancel", proof | {"birth_date": "1968-03-03"}

    status, _, problem = await site.post(path, headers=site.passes.header(), json=wrong)
    assert (status, problem["code"]) == (404, "no_such_booking")
    for _ in range(2):
        status, _, body = await site.post(path, headers=site.passes.header(), json=proof)
        assert (status, body["cancelled"]) == (200, True)

    assert (await site.first_slot())["left"] == slot["left"]
    await site.book(site.passes.header(), slot["id"])


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"name": ""}, "name", "name_missing"),
        ({"name": "x" * 61}, "name", "name_bad"),
        ({"name": "a\0b"}, "name", "name_bad"),
        ({"name": 5}, "name", "field_bad"),
        ({"birth_date": "1968-02-30"}, "birth_date", "birth_bad"),
        ({"birth_date": "19680302"}, "birth_date", "birth_bad"),
        ({"birth_date": "2021-07-20"}, "birth_date", "birth_range"),
        ({"birth_date": "1899-12-31"}, "birth_date", "birth_range"),
        ({"phone": "call me"}, "phone", "phone_bad"),
        ({"phone": ""}, "phone", "phone_missing"),
        ({"method": "telepathy"}, "method", "method_unknown"),
        ({"more": 1}, "more", "field_unknown"),
        ({"for": {**MOTHER, "phone": ""}, "consent": True}, "for_phone", "phone_missing"),
        ({"for": {**MOTHER, "name": 5}, "consent": True}, "for_name", "field_bad"),
        ({"for": MOTHER}, "consent", "consent_missing"),
        ({"for": PERSON, "consent": True}, "for_name", "same_person"),
    ],
)
async def test_a_bad_field_is_named(site, change, field, code):
    status, _, problem = await site.identify(site.passes.header(), **change)

    assert (status, problem["code"]) == (422, "invalid")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)]


async def test_all_bad_fields_are_named_at_once(site):
    status, _, problem = await site.post("/api/holds", headers=site.passes.header(), json={})

    assert status == 422
    assert {error["field"] for error in problem["errors"]} == {"slot_id", "identity"}
    status, _, problem = await site.post("/api/identity", headers=site.passes.header(), json={"method": "carrier"})
    assert {error["field"] for error in problem["errors"]} == {"name", "birth_date", "phone"}


@pytest.mark.parametrize("slot_id", ["x", "1", 2**70, 0, -1, 1.5, True, None])
async def test_a_slot_is_named_by_a_whole_number(site, slot_id):
    body = {"slot_id": slot_id, "identity": "x"}
    status, _, problem = await site.post("/api/holds", headers=site.passes.header(), json=body)
    assert (status, [error["field"] for error in problem["errors"]]) == (422, ["slot_id"])


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "bad_body"),
        (b"[]", "application/json", 400, "bad_body"),
        (b"\xff", "application/json", 400, "bad_body"),
        (b"{}", "text/plain", 415, "wrong_content_type"),
        (b"slot_id=1", "application/x-www-form-urlencoded", 415, "wrong_content_type"),
        (b" " * 20_000, "application/json", 413, "too_large"),
    ],
)
async def test_a_bad_body_is_refused(site, body, content_type, status, code):
    headers = site.passes.header() | {"Content-Type": content_type}

    answered = await site.post("/api/holds", headers=headers, data=body)

    assert (answered[0], answered[2]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/slots?centre=atlantis", 404, "no_such_centre"),
        ("GET", "/api/slots?day=tomorrow", 422, "invalid"),
        ("GET", "/api/slots?day=2021-02-30", 422, "invalid"),
        ("GET", "/api/slots?vaccine=snake-oil", 404, "no_such_vaccine"),
        ("GET", f"/api/centres?q={'x' * 101}", 422, "invalid"),
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/api/holds", 405, "method_not_allowed"),
        ("POST", "/api/holds/unknown/confirm", 410, "hold_expired"),
    ],
)
async def test_a_wrong_address_is_answered_with_a_problem(site, method, path, status, code):
    answered = await site.request(method, path, headers=site.passes.header())

    assert (answered[0], answered[2]["code"]) == (status, code)


async def test_a_slot_that_is_unknown_or_begins_too_soon_cannot_be_held(site):
    status, _, problem = await site.hold(site.passes.header(), 999_999)
    assert (status, problem["code"]) == (404, "no_such_slot")
    slot = await site.first_slot()
    site.clock.forward(seconds=12 * 3600 + 30 * 60 + 1)
    status, _, problem = await site.hold(site.passes.header(), slot["id"])
    assert (status, problem["code"]) == (409, "slot_closed")
    assert (await site.first_slot())["starts_at"] == "2021-07-20T10:00:00+09:00"


async def test_centres_are_found_by_words_of_their_name_region_or_address(site):
    async def found(words):
        status, _, body = await site.get("/api/centres", params={"q": words}, headers=site.passes.header())
        assert status == 200
        return {centre["id"] for centre in body["centres"]}

    assert await found("부산") == await found("BUSAN") == {"busan"}
    assert await found("예방접종센터") == await found("")
    assert await found("100%") == await found("_") == set()


async def test_eligibility_says_by_which_rule_and_when(start):
    site = await start(rules="july-2021")
    status, _, told = await site.post(
        "/api/eligibility", headers=site.passes.header(), json={"birth_date": "1968-03-02"}
    )

    assert (status, told["kind"], told["eligible"]) == (200, "not_yet", False)
    assert told["opens_at"] == "2021-07-19T22:00:00+09:00"
    rule = told["rule"]
    assert (rule["version"], rule["opens_at"], rule["closes_at"]) == (
        2,
        "2021-07-19T22:00:00+09:00",
        "2021-07-20T18:00:00+09:00",
    )


async def test_who_may_not_book_yet_gets_no_seat_and_is_told_when(start):
    site = await start(rules="july-2021")
    slot = await site.first_slot()
    status, _, problem = await site.hold(site.passes.header(), slot["id"])

    assert (status, problem["code"]) == (403, "not_eligible")
    assert problem["eligibility"]["opens_at"] == "2021-07-19T22:00:00+09:00"
    assert (await site.first_slot())["left"] == slot["left"]

    site.clock.forward(seconds=2 * 3600)
    assert (await site.hold(site.passes.header(), slot["id"]))[0] == 201


async def test_a_seat_held_in_time_is_confirmed_after_the_window(start):
    site = await start(rules="july-2021")
    site.clock.forward(seconds=22 * 3600 - 1)  # one second before 18:00 on the 20th
    headers = site.passes.header()
    slot = (await site.get("/api/slots?day=2021-07-21", headers=headers))[2]["slots"][0]
    status, _, held = await site.hold(headers, slot["id"])
    assert status == 201
    site.clock.forward(seconds=1)

    assert (await site.hold(site.passes.header(), slot["id"], name="김철수"))[0] == 403
    assert (await site.post(f"/api/holds/{held['hold_id']}/confirm", headers=headers))[0] == 201


async def test_a_child_books_for_a_parent_and_both_are_kept(site):
    slot = await site.first_slot()
    booked = await site.book(site.passes.header(), slot["id"], **CHILD, **{"for": MOTHER, "consent": True})

    assert (booked["name"], booked["booked_by"]) == ("김*자", "이*늘")
    proof = {"code": booked["code"], "birth_date": MOTHER["birth_date"]}
    assert (await site.post("/api/bookings/find", headers=site.passes.header(), json=proof))[2] == booked
    status, _, problem = await site.hold(site.passes.header(), slot["id"], **MOTHER)
    assert (status, problem["code"]) == (409, "already_booked")
    assert (await site.hold(site.passes.header(), slot["id"], **CHILD))[0] == 201, "the child's own is not used up"


async def test_only_the_visitors_own_booking_is_told_of(site):
    """Whoever knows a name, a birth date and a number must not learn whether that person has booked."""
    await site.book(site.passes.header(), (await site.first_slot())["id"], **MOTHER)

    _, _, own = await site.identify(site.passes.header(), **MOTHER)
    _, _, others = await site.identify(site.passes.header(), **CHILD, **{"for": MOTHER, "consent": True})

    assert (own["has_booking"], others["has_booking"]) == (True, False)


async def test_one_books_for_so_many_others_and_no_more(start):
    site = await start(proxy_limit=2)
    slot = await site.first_slot()

    def family(number):
        return {**CHILD, "for": {**MOTHER, "name": f"시험{number:04}", "phone": f"0109000{number:04}"}, "consent": True}

    first = await site.book(site.passes.header(), slot["id"], **family(1))
    await site.book(site.passes.header(), slot["id"], **family(2))
    status, _, problem = await site.hold(site.passes.header(), slot["id"], **family(3))
    assert (status, problem["code"]) == (409, "proxy_limit")

    proof = {"code": first["code"], "birth_date": MOTHER["birth_date"]}
    await site.post("/api/bookings/cancel", headers=site.passes.header(), json=proof)
    await site.book(site.passes.header(), slot["id"], **family(3))


async def test_an_identity_ends_and_cannot_be_made_up(start):
    site = await start(session_s=600)
    headers, slot = site.passes.header(), await site.first_slot()
    _, _, proved = await site.identify(headers)
    assert proved["expires_at"] == "2021-07-19T20:10:00+09:00"
    for junk in ("", "x", "순번", proved["identity"][:-8] + "AAAAAAAA", "x" * 4_096):
        status, _, problem = await site.post(
            "/api/holds", headers=headers, json={"slot_id": slot["id"], "identity": junk}
        )
        assert (status, problem["code"]) == (403, "not_identified"), junk
    site.clock.forward(seconds=601)

    body = {"slot_id": slot["id"], "identity": proved["identity"]}
    status, _, problem = await site.post("/api/holds", headers=site.passes.header(), json=body)
    assert (status, problem["code"]) == (403, "not_identified")


async def test_what_the_api_seals_shows_nothing_of_the_person(site):
    _, _, proved = await site.identify(site.passes.header(), **CHILD, **{"for": MOTHER, "consent": True})
    text = str(proved) + str(base64.urlsafe_b64decode(proved["identity"]))
    assert not any(value in text for who in (CHILD, MOTHER) for value in who.values())


async def test_a_pass_has_so_many_identity_checks(start):
    site = await start(identity={"carrier": {"latency_ms": 0, "refusal_percent": 100}, "attempts_per_pass": 3})
    headers = site.passes.header()
    for _ in range(3):
        status, _, problem = await site.identify(headers)
        assert (status, problem["code"]) == (403, "identity_refused")
    status, _, problem = await site.identify(headers)
    assert (status, problem["code"]) == (429, "too_many_attempts")
    assert (await site.identify(site.passes.header()))[0] == 403


async def test_a_provider_that_fails_is_told_from_one_that_refuses(start):
    site = await start(identity={"carrier": {"latency_ms": 0, "failure_percent": 100}})
    status, answered, problem = await site.identify(site.passes.header())
    assert (status, problem["code"], answered["Retry-After"]) == (503, "identity_unavailable", "3")


async def test_a_booking_moves_to_another_time_and_keeps_its_code(site):
    first = await site.first_slot()
    booked = await site.book(site.passes.header(), first["id"])
    other = (await site.get("/api/slots?day=2021-07-21", headers=site.passes.header()))[2]["slots"][0]
    body = {"code": booked["code"], "birth_date": PERSON["birth_date"], "slot_id": other["id"]}

    for _ in range(2):
        status, _, moved = await site.post("/api/bookings/change", headers=site.passes.header(), json=body)
        assert (status, moved["code"], moved["slot"]["id"]) == (200, booked["code"], other["id"])

    assert moved["slot"]["left"] == other["left"] - 1
    assert (await site.first_slot())["left"] == first["left"]


async def test_a_seat_that_comes_free_goes_to_the_first_who_waited(start):
    site = await start(slot_capacity=1)
    slots = (await site.get("/api/slots", headers=site.passes.header()))[2]["slots"]
    day = [slot for slot in slots if slot["centre_id"] == "seoul" and slot["starts_at"].startswith("2021-07-20")]
    codes = []
    for number, slot in enumerate(day):
        other = {"name": f"시험{number:04}", "phone": f"0109000{number:04}"}
        codes.append((await site.book(site.passes.header(), slot["id"], **other))["code"])
    _, _, proved = await site.identify(site.passes.header(), **MOTHER)
    wanted = {"identity": proved["identity"], "centre_id": "seoul", "day": "2021-07-20"}

    headers = site.passes.header()
    for _ in range(2):
        status, _, waiting = await site.post("/api/waitlist", headers=headers, json=wanted)
        assert (status, waiting["kind"], waiting["ahead"]) == (201, "waiting", 0)
    proof = {"code": codes[3], "birth_date": PERSON["birth_date"]}
    assert (await site.post("/api/bookings/cancel", headers=site.passes.header(), json=proof))[0] == 200

    mine = {"code": waiting["code"], "birth_date": MOTHER["birth_date"]}
    _, _, found = await site.post("/api/bookings/find", headers=site.passes.header(), json=mine)
    assert (found["kind"], found["slot"]["id"], found["code"]) == ("booking", day[3]["id"], waiting["code"])


async def test_leaving_the_waitlist_leaves_nothing(start):
    site = await start(slot_capacity=1)
    status, _, problem = await _wait(site, MOTHER)
    assert (status, problem["code"]) == (409, "seats_left")


async def _wait(site, who):
    _, _, proved = await site.identify(site.passes.header(), **who)
    wanted = {"identity": proved["identity"], "centre_id": "seoul", "day": "2021-07-20"}
    return await site.post("/api/waitlist", headers=site.passes.header(), json=wanted)


async def _last_hour(site):
    """The few slots that can still be booked when all others have begun."""
    site.clock.forward(seconds=6 * 86_400 + 20 * 3_600)  # Monday, 26 July, 16:00
    slots = (await site.get("/api/slots", headers=site.passes.header()))[2]["slots"]
    assert 10 < len(slots) < 50
    return slots


async def test_the_gateway_hears_what_is_left_and_when_nothing_is(start):
    site = await start(slot_capacity=1)
    slots = await _last_hour(site)
    said = []
    for number, slot in enumerate(slots):
        headers = site.passes.header()
        other = {"name": f"시험{number:04}", "phone": f"0109000{number:04}"}
        _, _, held = await site.hold(headers, slot["id"], **other)
        _, answered, _ = await site.post(f"/api/holds/{held['hold_id']}/confirm", headers=headers)
        said.append((answered["Sunbeon-Stock"], answered["Sunbeon-Command"]))

    assert [int(left) for left, _ in said] == list(reversed(range(len(slots))))
    assert {command for _, command in said[:-1]} == {"complete"}
    assert said[-1] == ("0", "complete, sold-out")
    _, answered, _ = await site.get("/api/centres", headers=site.passes.header())
    assert (answered["Sunbeon-Stock"], answered["Sunbeon-Command"]) == ("0", "sold-out")


async def test_seats_that_are_only_held_are_not_sold_out(start):
    site = await start(slot_capacity=1)
    slots = await _last_hour(site)
    for number, slot in enumerate(slots):
        other = {"name": f"시험{number:04}", "phone": f"0109000{number:04}"}
        assert (await site.hold(site.passes.header(), slot["id"], **other))[0] == 201
    site.clock.forward(seconds=2)

    _, answered, _ = await site.get("/api/centres", headers=site.passes.header())
    assert (answered["Sunbeon-Stock"], answered.get("Sunbeon-Command")) == ("0", None)


async def test_nobody_without_a_pass_learns_the_stock(site):
    _, answered, _ = await site.get("/api/centres")
    assert "Sunbeon-Stock" not in answered


async def test_health_says_when_the_calendar_in_force_is_not_the_files(start, tmp_path):
    path = tmp_path / "rules.toml"
    path.write_bytes(find_calendar("july-2021").read_bytes())
    site = await start(rules=str(path))
    eligible = {"birth_date": "1965-01-01"}
    headers = site.passes.header()
    assert (await site.post("/api/eligibility", headers=headers, json=eligible))[2]["eligible"]

    path.write_text("zone = ")
    site.clock.forward(seconds=2)
    await site.get("/healthz")
    site.clock.forward(seconds=2)  # a change counts once it is the same at two looks
    assert (await site.get("/healthz"))[2] == {"status": "ok", "rules": "old"}, "before anyone asks for the calendar"
    for _ in range(3):
        site.clock.forward(seconds=2)
        status, _, told = await site.post("/api/eligibility", headers=headers, json=eligible)
        assert (status, told["eligible"]) == (200, True)
    assert (await site.get("/healthz"))[2] == {"status": "ok", "rules": "old"}

    path.write_bytes(find_calendar("everyone").read_bytes())
    for _ in range(3):
        site.clock.forward(seconds=2)
        _, _, told = await site.post("/api/eligibility", headers=headers, json=eligible)
    assert told["rule"]["id"] == "adults"
    assert (await site.get("/healthz"))[2] == {"status": "ok", "rules": "ok"}


async def test_an_outage_of_the_provider_costs_no_attempts(start):
    site = await start(
        identity={
            "carrier": {"latency_ms": 0, "failure_percent": 100},
            "certificate": {"latency_ms": 0},
            "attempts_per_pass": 3,
        }
    )
    headers = site.passes.header()
    for _ in range(5):
        assert (await site.identify(headers))[0] == 503
    for _ in range(3):
        assert (await site.identify(headers, method="certificate"))[0] == 201
    assert (await site.identify(headers, method="certificate"))[0] == 429


async def test_without_a_number_the_person_counts(start):
    """Exempt passes have a new id with each request: neither the checks nor the seats are without limit for that."""
    site = await start(identity={"carrier": {"latency_ms": 0}, "attempts_per_pass": 3})

    def exempt():
        return site.passes.header(how=How.EXEMPT, number=None, place=None, rule="clinic")

    first = await site.first_slot()
    _, _, proved = await site.identify(exempt())
    for _ in range(2):
        assert (await site.identify(exempt()))[0] == 201
    assert (await site.identify(exempt()))[0] == 429
    assert (await site.identify(exempt(), **MOTHER))[0] == 201

    slots = (await site.get("/api/slots", headers=exempt()))[2]["slots"][:5]
    for slot in (*slots, slots[0]):
        body = {"slot_id": slot["id"], "identity": proved["identity"]}
        assert (await site.post("/api/holds", headers=exempt(), json=body))[0] == 201
    left = {slot["id"]: slot["left"] for slot in (await site.get("/api/slots", headers=exempt()))[2]["slots"]}
    assert [left[slot["id"]] for slot in slots] == [first["left"] - 1, *[first["left"]] * 4]


async def test_the_birth_date_of_a_known_code_cannot_be_guessed(site):
    booked = await site.book(site.passes.header(), (await site.first_slot())["id"])
    wrong = {"code": booked["code"], "birth_date": "1970-01-01"}
    told = []
    for number in range(12):
        path = ("/api/bookings/find", "/api/bookings/cancel", "/api/waitlist/leave")[number % 3]
        told.append((await site.post(path, headers=site.passes.header(), json=wrong))[2]["code"])
    assert told == ["no_such_booking"] * 10 + ["too_many_guesses"] * 2

    right = wrong | {"birth_date": PERSON["birth_date"]}
    status, _, _ = await site.post("/api/bookings/find", headers=site.passes.header(), json=right)
    assert status == 429, "not even the right one, or it would tell"
    site.clock.forward(seconds=3_600)
    status, _, found = await site.post("/api/bookings/find", headers=site.passes.header(), json=right)
    assert (status, found["code"]) == (200, booked["code"])


async def test_one_pass_tries_so_many_codes(site):
    headers = site.passes.header()
    told = []
    for number in range(12):
        body = {"code": f"0000000{number:03}", "birth_date": "1968-03-02"}
        told.append((await site.post("/api/bookings/find", headers=headers, json=body))[2]["code"])
    assert told == ["no_such_booking"] * 10 + ["too_many_guesses"] * 2


async def test_a_room_for_look_ups_is_not_told_that_all_is_sold(start):
    site = await start(slot_capacity=1, rooms=["vaccine", "find"], selling_rooms=["vaccine"])
    slots = await _last_hour(site)
    for number, slot in enumerate(slots):
        other = {"name": f"시험{number:04}", "phone": f"0109000{number:04}"}
        await site.book(site.passes.header(), slot["id"], **other)

    _, find, _ = await site.get("/booking/find", headers=site.passes.header(room="find"))
    _, sell, _ = await site.get("/booking/find", headers=site.passes.header())
    assert (find["Sunbeon-Stock"], find.get("Sunbeon-Command")) == ("0", None)
    assert sell["Sunbeon-Command"] == "sold-out"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/booking/slots/99999999999", None, 404),
        ("GET", "/booking/holds/a%00b", None, 404),
        ("GET", "/api/slots?centre=se%00", None, 404),
        ("GET", "/api/centres?q=%00", None, 200),
        ("GET", "/booking?q=%00", None, 200),
        ("GET", "/api/vaccines?x=%00", None, 200),
        ("POST", "/api/holds", {"slot_id": 2**40, "identity": "x"}, 422),
        ("POST", "/api/bookings/find", {"code": "A\0B", "birth_date": "1968-03-02"}, 404),
        ("POST", "/api/waitlist", {"identity": "x", "centre_id": "se\0", "day": "2021-07-20"}, 422),
    ],
)
async def test_what_no_database_takes_is_no_fault_of_the_database(site, method, path, body, status):
    answered = await site.request(method, path, headers=site.passes.header(), json=body)
    assert answered[0] == status


async def test_a_provider_that_knows_better_finds_out_that_both_are_one(start):
    class ByNameAndBirth(SimulatedIdentity):
        async def verify(self, method, who):
            await super().verify(method, who)
            return Subject(f"{who.name} {who.birth_date}")

        async def find(self, who):
            return Subject(f"{who.name} {who.birth_date}")

    provider = ByNameAndBirth({"carrier": SimulatedMethod(latency_ms=0)}, timeout_s=5)
    site = await start(provider=provider)
    same = {**PERSON, "phone": "010-9999-0000"}
    status, _, problem = await site.identify(site.passes.header(), **{"for": same, "consent": True})
    assert (status, [(each["field"], each["code"]) for each in problem["errors"]]) == (
        422,
        [("for_name", "same_person")],
    )


async def test_a_visitor_has_one_check_at_a_time(start):
    """Nobody fills a slow provider alone; and of a double click both are answered."""
    under_way, most = 0, 0

    class Slow(SimulatedIdentity):
        async def verify(self, method, who):
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1
            return await super().verify(method, who)

    site = await start(provider=Slow({"carrier": SimulatedMethod(latency_ms=0)}, timeout_s=5))
    headers = site.passes.header()
    answers = await asyncio.gather(*(site.identify(headers) for _ in range(12)))
    assert (most, sorted(status for status, _, _ in answers)) == (1, [201] * 10 + [429] * 2)
    await asyncio.gather(*(site.identify(site.passes.header()) for _ in range(6)))
    assert most > 1, "others are not held up"
    assert not site.server.app[CHECKING]


async def test_a_database_that_was_taken_away_takes_no_bookings(site, tmp_path):
    headers, slot = site.passes.header(), await site.first_slot()
    assert (tmp_path / "booking.db").stat().st_mode & 0o777 == 0o600
    (tmp_path / "booking.db").rename(tmp_path / "elsewhere.db")

    status, _, problem = await site.hold(headers, slot["id"])
    assert (status, problem["code"]) == (503, "unavailable")

    (tmp_path / "elsewhere.db").rename(tmp_path / "booking.db")
    assert (await site.hold(headers, slot["id"]))[0] == 201
