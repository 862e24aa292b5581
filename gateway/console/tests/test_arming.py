"""A room is armed by a whole, fresh report of its own, in which no red row was overlooked."""

import pytest

from gateway.console.tests.test_api import ask, patch
from gateway.drill.run import TRICKS

DAY_MS = 24 * 3_600_000
ARM = "/api/rooms/north/arm"


async def report(site, *, red=(), yellow=(), **changed):
    room = (await ask(site, "GET", "/api/rooms/north")).json()
    results = {trick.name: "green" for trick in TRICKS}
    results |= dict.fromkeys(yellow, "yellow") | dict.fromkeys(red, "red")
    return {
        "format": "sunbeon-drill-report-1",
        "drill": "abc123",
        "room": "north",
        "epoch": room["epoch"],
        "settings_version": room["settings"]["version"],
        "ended_ms": room["server_time_ms"] - 1000,
        "rows": [{"name": name, "result": result} for name, result in results.items()],
        **changed,
    }


async def arm(site, made, overrides=None, **more):
    return await ask(site, "POST", ARM, {"report": made, "sha256": "a" * 64, "overrides": overrides or {}}, **more)


async def armed(site):
    return (await ask(site, "GET", "/api/rooms/north")).json()["armed"]


async def test_a_green_report_arms_the_room_and_is_shown_and_on_record(site):
    assert await armed(site) is None
    got = await arm(site, await report(site, yellow=["claim"]), headers={"Sunbeon-Operator": "Kim"})
    assert got.status == 200
    shown = await armed(site)
    assert (shown["stands"], shown["drill"], shown["by"]) == (True, "abc123", "Kim")
    line = next(each for each in site.audit() if each["event"] == "armed")
    assert (line["red"], line["yellow"], line["by"], line["sha256"]) == ([], ["claim"], "Kim", "a" * 64)
    assert line["drilled_version"] == line["version"] - 1


async def test_a_red_row_refuses_unless_it_is_overridden_by_name_with_a_reason(site):
    made = await report(site, red=["tls", "page"])
    refused = await arm(site, made, {"tls": "renewed tonight"})
    assert refused.status == 409
    assert refused.json()["problems"] == ["page is red: repair it, or override it by name"]
    assert await armed(site) is None
    overrides = {"tls": "renewed tonight", "page": "our own page"}
    assert (await arm(site, made, overrides)).status == 200
    line = next(each for each in site.audit() if each["event"] == "armed")
    assert line["overrides"] == overrides
    assert sorted(line["red"]) == ["page", "tls"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"room": "south"}, "another room"),
        ({"room": None}, "another room"),
        ({"settings_version": 99}, "has changed"),
        ({"settings_version": None}, "does not say"),
        ({"epoch": 9}, "has changed"),
        ({"ended_ms": 0}, "24 hours"),
        ({"rows": []}, "no row gate"),
        ({"rows": [{"name": "gate", "result": "green"}] * 2}, "twice"),
    ],
)
async def test_a_report_that_is_not_of_this_room_as_it_is_now_is_refused(site, changed, said):
    refused = await arm(site, await report(site, **changed))
    assert refused.status == 409
    assert said in " ".join(refused.json()["problems"])
    assert await armed(site) is None


async def test_a_report_of_more_than_a_day_ago_or_from_the_future_is_refused(site):
    made = await report(site)
    now_ms = made["ended_ms"] + 1000
    for ended_ms in (now_ms - DAY_MS - 60_000, now_ms + 3_600_000):
        assert (await arm(site, {**made, "ended_ms": ended_ms})).status == 409
    assert (await arm(site, {**made, "ended_ms": now_ms - DAY_MS + 600_000})).status == 200


async def test_what_is_not_red_cannot_be_overridden(site):
    assert (await arm(site, await report(site), {"tls": "why not"})).status == 409


@pytest.mark.parametrize("change", [{"total_active_users": 7}, {"message": {"en": "soon"}}])
async def test_a_change_of_the_settings_disarms(site, change):
    await arm(site, await report(site))
    assert (await patch(site, change)).status == 200
    assert (await armed(site))["stands"] is False


async def test_a_reset_disarms(site):
    version = (await arm(site, await report(site))).json()["settings"]["version"]
    await ask(site, "POST", "/api/rooms/north/reset", {"confirm": "north"}, headers={"If-Match": str(version)})
    assert (await armed(site))["stands"] is False


async def test_nobody_arms_by_changing_settings(site):
    assert (await patch(site, {"armed": {"drill": "abc"}})).status == 422
