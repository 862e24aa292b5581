"""Where somebody is, by number, place, pass or ticket; and a pass that an operator ends."""

import asyncio
from typing import Any

import pytest

from gateway.console.tests.test_api import ask
from gateway.edge.tests.backend import until
from gateway.store.base import StoreUnavailable

NORTH = "/api/rooms/north"


async def where(site, number) -> Any:
    got = await ask(site, "GET", f"{NORTH}/numbers/{number}")
    assert got.status == 200, got.body
    return got.json()


async def line_of_three(site):
    """One inside, two waiting."""
    first = site.visitor(room="north")
    await first.get("/n")
    await site.lines["north"].tick_now()
    others = [site.visitor(room="north") for _ in range(2)]
    for other in others:
        await other.get("/n")
        await other.status()
    await site.lines["north"].tick_now()
    return first, *others


async def test_a_number_is_found_wherever_it_is(site):
    first, second, third = await line_of_three(site)
    inside = await where(site, 1)
    assert (inside["where"], inside["place"], inside["live_pass"]["how"]) == ("inside", 1, "direct")
    assert (inside["live_pass"]["expires_in_s"], inside["live_pass"]["ends_in_s"]) == (300, 600)
    assert [(await where(site, number))["where"] for number in (2, 3, 4)] == ["waiting", "waiting", "not_issued"]
    assert ((await where(site, 3))["ahead"], (await where(site, 3))["live_pass"]) == (1, None)
    await first.leave()
    await third.leave()
    await site.pass_time(2_000)
    assert [(await where(site, number))["where"] for number in (1, 2, 3)] == ["spent", "called", "spent"]
    await site.pass_time(62_000)
    assert (await where(site, 2))["where"] == "missed"
    assert second.cookies


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "1e3", "9" * 16, "%31%00", "01"])
async def test_what_is_no_number_is_a_404(site, text):
    for path in (f"numbers/{text}", f"passes/{text}"):
        assert (await ask(site, "GET", f"{NORTH}/{path}")).status == 404


async def test_a_pass_is_found_by_its_place_and_by_its_id(site):
    await line_of_three(site)
    by_place = (await ask(site, "GET", f"{NORTH}/passes/1")).json()
    assert (await ask(site, "GET", f"{NORTH}/passes/{by_place['pass_id']}")).json() == by_place
    for other in ("2", "7", "A" * 16, by_place["pass_id"][:-1] + "!", by_place["pass_id"][1:]):
        assert (await ask(site, "GET", f"{NORTH}/passes/{other}")).status == 404


async def test_a_pass_that_an_operator_revokes_ends_and_the_next_is_let_in(site):
    first, second, _ = await line_of_three(site)
    pass_id = (await where(site, 1))["live_pass"]["pass_id"]
    for body in ({}, {"reason": ""}, {"reason": "a\nb"}, {"reason": "x", "more": 1}):
        assert (await ask(site, "DELETE", f"{NORTH}/passes/1", body)).status == 422
    got = await ask(site, "DELETE", f"{NORTH}/passes/1", {"reason": "booked by a robot"})
    assert (got.status, got.json()) == (200, {"room": "north", "place": 1, "pass_id": pass_id})
    # Its ticket has had its turn: whoever held it stands at the end of the line.
    assert (await first.get("/n")).gate == "waiting"
    await site.pass_time(1_000)
    assert (await second.get("/n")).gate is None
    line = next(line for line in site.audit() if line["event"] == "pass_revoked")
    assert (line["reason"], line["place"], line["pass_id"]) == ("booked by a robot", 1, pass_id)
    assert (await site.counters())["revoked"] == 1
    again = await ask(site, "DELETE", f"{NORTH}/passes/1", {"reason": "once more"})
    assert again.status == 404


async def test_a_pass_that_cannot_be_revoked_now_is_a_503_and_lives(site):
    await line_of_three(site)
    site.store.failure = StoreUnavailable("away")
    assert (await ask(site, "DELETE", f"{NORTH}/passes/1", {"reason": "why"})).status == 503
    assert (await ask(site, "GET", f"{NORTH}/numbers/1")).status == 503
    site.store.failure = None
    assert (await where(site, 1))["where"] == "inside"
    assert all(line["event"] != "pass_revoked" for line in site.audit())


async def test_a_visitors_ticket_and_pass_say_where_they_are_and_stand_in_no_answer(site):
    first, second, _ = await line_of_three(site)
    for visitor, number, kinds in ((first, 1, {"ticket", "pass"}), (second, 2, {"ticket"})):
        found = [
            (await ask(site, "POST", f"{NORTH}/lookup", {"ticket": text})).json() for text in visitor.cookies.values()
        ]
        assert {told["kind"] for told in found} == kinds
        assert {(told["number"], told["where"]) for told in found} == {(number, "inside" if number == 1 else "waiting")}
        assert not any(text in str(found) for text in visitor.cookies.values())


async def test_a_ticket_of_a_line_before_a_reset_says_so(site):
    first, *_ = await line_of_three(site)
    text = first.cookies["sunbeon_ticket_north"]
    await site.lines["north"].reset(expected_version=None)
    told = (await ask(site, "POST", f"{NORTH}/lookup", {"ticket": text})).json()
    assert (told["where"], told["epoch"], told["place"]) == ("old_epoch", 1, None)


async def test_what_is_no_ticket_of_this_room_is_a_422_that_does_not_repeat_it(site, caplog):
    caplog.set_level("DEBUG")
    first, *_ = await line_of_three(site)
    text = first.cookies["sunbeon_ticket_north"]
    wrong = [text[:-1] + ("A" if text[-1] != "A" else "B"), text + "x", "x", "한", "a" * 513]
    for each in wrong:
        got = await ask(site, "POST", f"{NORTH}/lookup", {"ticket": each})
        assert got.status == 422
        assert each not in got.body.decode() or each == "x"
    assert (await ask(site, "POST", "/api/rooms/south/lookup", {"ticket": text})).status == 422
    assert text not in caplog.text
    for body in ({}, {"ticket": ""}, {"ticket": 5}, {"ticket": text, "number": 1}):
        assert (await ask(site, "POST", f"{NORTH}/lookup", body)).status == 422


async def test_passes_are_looked_for_one_after_the_other(site, monkeypatch):
    busy, most, free = [0], [0], asyncio.Event()

    async def slow(_: str) -> None:
        busy[0] += 1
        most[0] = max(most[0], busy[0])
        await free.wait()
        busy[0] -= 1

    monkeypatch.setattr(site.lines["north"], "find_pass", slow)
    asking = [asyncio.create_task(ask(site, "GET", f"/api/rooms/north/passes/{'x' * 16}")) for _ in range(4)]
    await until(lambda: busy[0] == 1, "one is looked for")
    # What is asked by a place waits for none of them.
    assert (await ask(site, "GET", "/api/rooms/north/passes/1")).status == 404
    free.set()
    assert [(await each).status for each in asking] == [404] * 4
    assert most == [1]
