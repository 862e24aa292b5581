"""Tricks with the network: on 19 July 2021 airplane mode got people in. Here the network decides nothing."""

import json

import pytest
from playwright.sync_api import Error, Route, expect

from gateway.tests.browser.scene import NETWORK_NOISE
from gateway.tests.stand import until
from shared.wire import VisitorState

STATUS = "**/_sunbeon/*/status"


def fake(**changes):
    """A well-formed status answer that nobody of ours gave."""
    told = {
        "state": "inside",
        "room_state": "open",
        "number": 1,
        "place": 1,
        "ahead": 0,
        "eta_ms": [0, 0],
        "poll_after_ms": 1000,
        "server_time_ms": 0,
        "opens_at_ms": None,
        "outflow_per_minute": 600,
        "message": None,
        "ticket": "ticket.00000000.WzEsMSwxXQ.AAAAAAAAAAAAAAAAAAAAAAAA",
    }
    return json.dumps({**told, **changes})


def intercept(page, *, answer=None):
    """Hold back every status request, but for a first one that is given this answer; the list of those that came."""
    came: list[Route] = []

    def handle(route):
        came.append(route)
        if answer is not None and len(came) == 1:
            route.fulfill(content_type="application/json", body=answer)

    page.route(STATUS, handle)
    return came


def comes(page, came, *, count=1):
    """Wait until so many came. Playwright hands requests over only while it waits for something."""
    until(lambda: page.wait_for_timeout(50) or len(came) >= count, "a status request is under way")


def test_airplane_mode_on_and_off_changes_nothing(scene):
    person, number = scene.in_line(noise=NETWORK_NOISE)
    for _ in range(2):
        person.context.set_offline(True)
        person.says("state", "Your place is kept")
        person.context.set_offline(False)
        person.says("state", "Connected")
        scene.still_waits(person, number)
    person.context.set_offline(True)
    for path in ("/", "/booking"):
        with pytest.raises(Error, match="ERR_INTERNET_DISCONNECTED"):
            person.go(path)
    person.context.set_offline(False)
    assert person.go("/booking") == "waiting"
    scene.lets_in(person, number)


def test_a_turn_that_comes_while_offline_is_there_when_the_network_is_back(scene):
    person, number = scene.in_line(noise=NETWORK_NOISE)
    person.context.set_offline(True)
    person.says("state", "Your place is kept")
    scene.free_seat()
    until(lambda: scene.stand.room()["serving"] >= number, "the place is called")
    scene.check()
    person.context.set_offline(False)
    person.enters()
    scene.check({scene.holder_number, number})


def test_blocked_status_requests_let_nobody_in_and_lose_nothing(scene):
    person, number = scene.in_line(noise=NETWORK_NOISE)
    person.page.route(STATUS, lambda route: route.abort())
    person.says("state", "We are catching up")
    scene.still_waits(person, number)
    person.page.unroute(STATUS)
    scene.lets_in(person, number)


def test_delayed_status_requests_let_nobody_in_and_lose_nothing(scene):
    person, number = scene.in_line()
    held = intercept(person.page)
    comes(person.page, held)
    person.page.wait_for_timeout(1000)
    scene.still_waits(person, number)
    for route in held:
        route.continue_()
    person.page.unroute(STATUS)
    scene.lets_in(person, number)


def test_made_up_status_answers_let_nobody_in(scene):
    person, number = scene.in_line(noise=NETWORK_NOISE)
    tabs = {state: person.tab() for state in VisitorState}
    told = {state: intercept(tab, answer=fake(state=state)) for state, tab in tabs.items()}
    for tab in tabs.values():
        person.go(page=tab)
    for state, tab in tabs.items():
        # A tab that asks again has done what it was told to do: most ask the server for the page first.
        comes(tab, told[state], count=2)
    scene.check()
    for tab in tabs.values():
        tab.unroute(STATUS)
        # The page may show what it was told; the server knows better as soon as it is asked.
        assert person.go("/booking", page=tab) == "waiting"
        expect(tab.locator("#n-number")).to_have_text(f"{number:,}")
        tab.close()
    scene.lets_in(person, number)


def test_a_made_up_booking_page_reaches_no_booking(scene):
    """Whoever fakes the site's answers talks to themselves: what they send on meets the gate."""
    person, number = scene.in_line(noise=[*NETWORK_NOISE, "violates the following"])
    refused = person.page.evaluate("navigator.serviceWorker.register('/booking').then(() => '', (e) => e.name)")
    assert refused in {"SecurityError", "TypeError"}, "no worker of one's own can stand in for the server for good"
    form = '<form method=post action="/booking/slots/1"><input name=name value=Kim><button>Book</button></form>'
    person.page.route("**/booking", lambda route: route.fulfill(content_type="text/html", body=form))
    person.go("/booking")
    person.page.get_by_role("button", name="Book").click()
    assert person.number == number
    person.page.unroute("**/booking")
    assert person.go("/") == "waiting"
    scene.lets_in(person, number)
