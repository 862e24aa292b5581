"""Tricks with cookies: edited, deleted, made up, copied to another browser, used a second time."""

from playwright.sync_api import expect

from gateway.tests.browser import booking_site
from gateway.tests.browser.scene import NETWORK_NOISE, PATIENCE_MS
from gateway.tests.stand import until


def edited(token):
    """One character of the signature changed."""
    return token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]


def restored(person, ticket):
    """Wait until the open page has put the cookie right by itself."""
    until(lambda: person.page.wait_for_timeout(50) or person.cookie("sunbeon_ticket") == ticket, "the cookie is back")


def test_an_open_page_puts_its_ticket_right_by_itself(scene):
    person, number = scene.in_line(noise=NETWORK_NOISE)
    ticket = person.cookie("sunbeon_ticket")
    for value in (None, edited(ticket), "pass" + ticket.removeprefix("ticket")):
        if value is None:
            person.drop_cookie("sunbeon_ticket")
        else:
            person.set_cookie("sunbeon_ticket", value)
        restored(person, ticket)
        scene.check()
    person.page.reload()
    scene.lets_in(person, number)


def test_an_edited_ticket_without_its_page_is_refused_with_a_reason_and_takes_nothing(scene):
    person, number = scene.in_line(noise=NETWORK_NOISE)
    ticket = person.cookie("sunbeon_ticket")
    person.page.goto("about:blank")
    person.set_cookie("sunbeon_ticket", edited(ticket))
    assert person.go("/booking") == "forged"
    expect(person.page.locator("h1")).to_have_text("We cannot read your ticket", timeout=PATIENCE_MS)
    scene.check()
    person.set_cookie("sunbeon_ticket", ticket)
    assert person.go() == "waiting"
    scene.lets_in(person, number)


def test_a_ticket_in_another_tab_outlives_the_edited_cookie(scene):
    """What the notice for an edited ticket promises: go back to the window that still waits."""
    person, number = scene.in_line(noise=NETWORK_NOISE)
    ticket = person.cookie("sunbeon_ticket")
    second = person.tab()
    person.set_cookie("sunbeon_ticket", edited(ticket))
    person.go("/booking", page=second)
    second.close()
    restored(person, ticket)
    scene.lets_in(person, number)


def test_a_made_up_pass_is_no_pass(scene):
    person, number = scene.in_line(noise=NETWORK_NOISE)
    ticket = person.cookie("sunbeon_ticket")
    real = scene.holder.cookies["sunbeon_pass_vaccine"]
    for value in ("1", "inside", ticket, "pass" + ticket.removeprefix("ticket"), edited(real), real[:-1], real + "A"):
        person.set_cookie("sunbeon_pass", value)
        assert person.go("/booking") == "waiting", value
        scene.still_waits(person, number)
    person.drop_cookie("sunbeon_pass")
    scene.lets_in(person, number)


def test_a_ticket_copied_to_a_second_browser_is_the_same_place_and_one_pass_only(scene):
    person, number = scene.in_line()
    other = scene.person()
    other.context.add_cookies(person.context.cookies())
    assert other.go() == "waiting"
    assert other.number == number
    scene.free_seat()
    person.enters()
    other.enters()
    scene.check({scene.holder_number, number})
    assert scene.stand.room()["live"] == 1
    assert len({each.pass_id for each in scene.requests() if each.number == number}) == 1


def test_a_pass_copied_to_a_second_browser_is_still_the_one_pass(scene):
    person, number = scene.in_line()
    copy = scene.person(noise=NETWORK_NOISE)
    for name, value in scene.holder.cookies.items():
        copy.context.add_cookies([{"name": name, "value": value, "url": scene.stand.url}])
    assert copy.go() is None
    assert scene.stand.room()["live"] == 1
    scene.lets_in(person, number)
    assert copy.go("/booking") == "waiting", "it ended for both when its holder was done"
    assert copy.number > number
    scene.check({scene.holder_number, number})


def test_cookies_of_a_turn_that_was_used_open_nothing_again(scene):
    first = scene.person()
    first.go()
    first.enters()
    one = scene.admissions()[-1].number
    kept = first.context.cookies()
    booking_site.identify(first.page, booking_site.another(booking_site.MINJI))
    booking_site.hold(first.page)
    booking_site.confirm(first.page)
    expect(first.page.locator("h1")).to_have_text("You are booked", timeout=PATIENCE_MS)
    person, number = scene.in_line()
    first.context.add_cookies(kept)
    assert first.go("/booking") == "waiting"
    assert first.number == number + 1, "at the end of the line"
    assert "has ended" in first.page.content()
    scene.check({one, scene.holder_number})
    scene.free_seat()
    person.enters()
    scene.check({one, scene.holder_number, number})
