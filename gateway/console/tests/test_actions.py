"""The buttons: each action changes what it says, keeps to the version that was seen, and is on record."""

import pytest

from gateway.console.tests.test_api import ask

NORTH = "/api/rooms/north"


@pytest.mark.parametrize(
    ("action", "state"),
    [("pause", "paused"), ("close", "closed"), ("passthrough", "passthrough"), ("resume", "open"), ("open", "open")],
)
async def test_an_action_sets_the_state_and_is_on_record(site, action, state):
    await site.lines["north"].change({"mode": "sold_out"}, expected_version=None)
    late = await ask(site, "POST", f"{NORTH}/{action}", headers={"If-Match": '"1"'})
    assert (late.status, late.json()["changed"]) == (412, {"state": {"yours_was": "open", "is": "sold_out"}})
    got = await ask(site, "POST", f"{NORTH}/{action}", headers={"If-Match": '"2"'})
    assert (got.status, got.json()["state"], got.one("ETag")) == (200, state, '"3"')
    assert site.audit()[-1]["changed"] == {"state": {"from": "sold_out", "to": state}}


async def test_a_message_is_told_and_taken_back(site):
    said = {"message": {"ko": "곧", "en": "Soon"}}
    assert (await ask(site, "POST", f"{NORTH}/message", said)).json()["settings"]["message"] == said["message"]
    assert (await ask(site, "POST", f"{NORTH}/message", {"message": {}})).json()["settings"]["message"] == {}
    for wrong in ({}, {"message": {"fr": "x"}}, {"message": "x"}, {"message": {}, "state": "open"}):
        assert (await ask(site, "POST", f"{NORTH}/message", wrong)).status == 422


async def test_every_answer_tells_browsers_to_keep_and_run_nothing(site):
    for method, path, token in (("GET", NORTH, None), ("GET", "/healthz", None), ("GET", "/api/rooms", "Bearer x")):
        got = await ask(site, method, path, token=token)
        assert (got.one("Cache-Control"), got.one("X-Content-Type-Options")) == ("no-store", "nosniff")
        assert "default-src 'none'" in (got.one("Content-Security-Policy") or "")
