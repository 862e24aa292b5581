"""No request gets further without a live pass, whatever it carries, and each leaves a line that says so."""

import json

import pytest

from booking.routes.context import REFUSED
from booking.tests.conftest import PERSON, ed25519_jwks, hmac_jwk
from shared.passes import PassKey, sign
from shared.wire import PASS_HEADER, How


def bad_pass(kind, site):
    passes, now_s = site.passes, site.clock() // 1000
    match kind:
        case "missing":
            return {}
        case "malformed":
            return {PASS_HEADER: "not a jwt"}
        case "forged":
            return {PASS_HEADER: sign(passes.claims(), PassKey.from_jwk(hmac_jwk("k1", b"x")))}
        case "expired":
            return passes.header(issued_s=now_s - 120, expires_s=now_s - 60)
        case _:
            return passes.header(room="another")


@pytest.mark.parametrize("kind", ["missing", "malformed", "forged", "expired", "wrong_room"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/booking"), ("GET", "/nowhere"), ("POST", "/api/holds"), ("GET", "/api/slots")],
)
async def test_a_bad_pass_gets_nothing_but_a_plain_refusal(start, kind, method, path):
    site = await start(rooms=["vaccine"])
    headers = bad_pass(kind, site)

    status, answered, body = await site.request(method, path, headers=headers)

    assert status == 403
    if path.startswith("/api/"):
        assert answered["Content-Type"] == "application/problem+json"
        assert (body["code"], body["kind"], body["status"]) == ("no_pass", kind, 403)
    else:
        assert "대기실을 거쳐" in body
    (line,) = site.log()
    assert (line["method"], line["path"], line["verdict"], line["status"]) == (method, path, kind, 403)
    assert site.server.app[REFUSED][kind] == 1


@pytest.mark.parametrize("kind", ["missing", "malformed", "forged", "expired", "wrong_room"])
async def test_with_a_bad_pass_nothing_happens(start, kind):
    site = await start(rooms=["vaccine"])
    slot = await site.first_slot()

    status, _, _ = await site.hold(bad_pass(kind, site), slot["id"])

    assert status == 403
    assert (await site.first_slot())["left"] == slot["left"]


async def test_the_health_probe_needs_no_pass_and_leaves_no_line(site):
    status, _, body = await site.get("/healthz")

    assert (status, body) == (200, {"status": "ok", "rules": "ok"})
    assert site.log() == []
    assert (await site.post("/healthz"))[0] == 403


async def test_time_is_the_servers_and_a_pass_ends_with_it(site):
    headers = site.passes.header()
    assert (await site.get("/booking", headers=headers))[0] == 200
    site.clock.forward(seconds=66)
    assert (await site.get("/booking", headers=headers))[0] == 403


@pytest.mark.parametrize("how", [How.EXEMPT, How.PASSTHROUGH])
async def test_those_let_by_the_operator_come_in_and_are_told_apart(site, how):
    headers = site.passes.header(how=how, number=None, place=None, rule="clinic network")

    assert (await site.get("/", headers=headers))[0] == 200

    (line,) = site.log()
    assert (line["verdict"], line["how"], line["number"], line["place"]) == ("ok", how.value, None, None)


async def test_a_pass_signed_with_an_ed25519_key_is_accepted(tmp_path, start, jwk):
    private, public = ed25519_jwks("k2")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk, public]}))
    site = await start()

    headers = {PASS_HEADER: sign(site.passes.claims(), PassKey.from_jwk(private))}

    assert (await site.get("/", headers=headers))[0] == 200


async def test_a_line_holds_the_provenance_and_nothing_of_the_person(site):
    headers = site.passes.header(pass_id="p-9", number=12, place=11)
    slot = await site.first_slot()
    await site.hold(headers, slot["id"])
    booked = await site.book(headers, slot["id"])
    proof = {"code": booked["code"], "birth_date": "1968-03-02"}
    await site.post("/api/bookings/cancel", headers=headers, json=proof)
    form = {"code": booked["code"], "birth_date": "19680302"}
    await site.post("/booking/find", headers=headers, data=form)
    await site.get("/booking?name=secret-name&phone=01012345678", headers=headers)

    first, *_, last = site.log()[1:]
    assert list(first) == ["time", "method", "path", "verdict", "pass_id", "how", "number", "place", "status"]
    assert (first["path"], first["pass_id"], first["how"]) == ("/api/identity", "p-9", "line")
    assert (first["number"], first["place"], first["status"]) == (12, 11, 201)
    assert first["time"] == "2021-07-19T11:00:00.000+00:00"
    assert last["path"] == "/booking"
    text = json.dumps(site.log(), ensure_ascii=False)
    for secret in ("홍", "1968", "19680302", "1234-5678", "5678", "secret-name", booked["code"]):
        assert secret not in text
    assert "/api/holds/{hold_id}/confirm" in text


async def test_the_database_and_the_programs_log_hold_nothing_of_the_person(site, tmp_path, caplog):
    await site.book(site.passes.header(), (await site.first_slot())["id"])

    stored = b"".join(path.read_bytes() for path in tmp_path.glob("booking.db*"))
    for secret in (PERSON["name"], PERSON["birth_date"], "19680302", "01012345678", PERSON["phone"]):
        assert secret.encode() not in stored
        assert secret not in caplog.text
