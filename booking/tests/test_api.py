"""The journey through the JSON API, and every way it says no."""

import pytest

from booking.tests.conftest import PERSON
from shared.wire import How


async def test_a_visitor_books_through_the_api_and_the_gateway_is_told(site):
    headers = site.passes.header(number=41, place=40)
    _, _, body = await site.get("/api/centres", headers=headers)
    centre = body["centres"][0]
    assert set(centre) == {"id", "name_ko", "name_en", "address_ko", "address_en"}
    status, _, body = await site.get(f"/api/slots?centre={centre['id']}&day=2021-07-20", headers=headers)
    assert status == 200
    slot = body["slots"][0]
    assert slot == {
        "id": slot["id"],
        "centre_id": centre["id"],
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
    assert len(booked["code"]) == 10


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
    path = f"/api/bookings/{booked['code'][:5].lower()}-{booked['code'][5:]}/cancel"

    status, _, problem = await site.post(path, headers=site.passes.header(), json={"birth_date": "1968-03-03"})
    assert (status, problem["code"]) == (404, "no_such_booking")
    for _ in range(2):
        status, _, body = await site.post(path, headers=site.passes.header(), json={"birth_date": "1968-03-02"})
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
        ({"slot_id": "x"}, "slot_id", "field_bad"),
        ({"slot_id": 2**70}, "slot_id", "field_bad"),
        ({"more": 1}, "more", "field_unknown"),
    ],
)
async def test_a_bad_field_is_named(site, change, field, code):
    body = {"slot_id": 1, **PERSON, **change}

    status, _, problem = await site.post("/api/holds", headers=site.passes.header(), json=body)

    assert (status, problem["code"]) == (422, "invalid")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)]


async def test_all_bad_fields_are_named_at_once(site):
    status, _, problem = await site.post("/api/holds", headers=site.passes.header(), json={})

    assert status == 422
    assert {error["field"] for error in problem["errors"]} == {"slot_id", "name", "birth_date", "phone"}


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
