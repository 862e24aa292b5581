"""The main job: people wait, see the number fall, are let in by themselves, and book."""

import re

from playwright.sync_api import expect

from gateway.tests.browser import booking_site
from gateway.tests.browser.scene import ALL_KNOW_S, NETWORK_NOISE, PATIENCE_MS, is_idle
from gateway.tests.stand import until

CODE = re.compile(r"^[0-9A-Z]+([ -][0-9A-Z]+)*$")


def book(person):
    """Through the booking site's own pages, to the card with the code."""
    person.go()
    booking_site.identify(person.page, booking_site.another(booking_site.MINJI))
    booking_site.hold(person.page)
    code = booking_site.confirm(person.page)
    expect(person.page.locator("h1")).to_have_text("You are booked", timeout=PATIENCE_MS)
    assert CODE.match(code), code
    return code


def test_the_second_waits_sees_the_number_fall_is_let_in_and_books(scene):
    assert is_idle(scene.stand, calm_s=ALL_KNOW_S)
    first, second, third = (scene.person() for _ in range(3))
    assert first.go() is None, "nobody is in front: straight in"
    one = scene.admissions()[0].number
    assert second.go("/booking") == "waiting"
    assert (second.number, second.ahead) == (one + 1, 0)
    assert third.go() == "waiting"
    assert (third.number, third.ahead) == (one + 2, 1)
    assert third.page.title().startswith("1 ahead")
    scene.check({one})

    titles = []
    second.page.on("framenavigated", lambda _: titles.append(second.page.title()))
    codes = [book(first)]
    second.enters()
    assert second.page.url == f"{scene.stand.url}/booking", "to the page that was asked for"
    assert any("Vaccination booking" in title for title in titles), "the title tells of the turn"
    third.says("before", "You are next")
    assert third.page.locator("#n-bar").get_attribute("aria-valuenow") == "100"
    scene.check({one, one + 1})

    codes.append(book(second))
    third.enters()
    codes.append(book(third))
    assert len(set(codes)) == 3
    scene.check({one, one + 1, one + 2})
    assert [each.how for each in scene.admissions()] == ["direct", "line", "line"]
    until(lambda: scene.stand.room()["live"] == 0, "every seat is free again")


def test_a_person_without_scripts_gets_a_number_and_goes_in_by_refreshes_alone(scene):
    scene.take_seat()
    person = scene.person(java_script_enabled=False)
    pages = []
    person.page.on("response", lambda answer: pages.append(answer) if answer.request.is_navigation_request() else None)
    assert person.go() == "waiting"
    number = person.number
    assert len(pages) > 1, "first a knock, brought back by the first refresh"
    scene.lets_in(person, number)


def test_reload_back_another_tab_and_a_closed_browser_keep_the_number(scene):
    person, number = scene.in_line()
    person.page.reload()
    assert person.number == number
    person.go("/booking/find")
    person.page.go_back()
    assert person.number == number
    second = person.tab()
    person.go("/booking", page=second)
    expect(second.locator("#n-number")).to_have_text(f"{number:,}")
    kept = person.context.storage_state()
    person.close()
    again = scene.person(storage_state=kept)
    third = again.tab()
    again.go("/booking", page=third)
    assert again.go() == "waiting"
    scene.lets_in(again, number)
    again.enters(third)
    scene.check({scene.holder_number, number})


def test_whoever_leaves_gives_the_place_up_and_the_next_one_moves_up(scene):
    first, number = scene.in_line()
    second = scene.person()
    second.go()
    assert (second.number, second.ahead) == (number + 1, 1)
    first.page.locator("#n-leave summary").click()
    first.page.get_by_role("button", name="Yes, give up my place").click()
    expect(first.page.locator("h1")).to_have_text("You have left the line", timeout=PATIENCE_MS)
    scene.lets_in(second, number + 1)
    first.page.get_by_role("link", name="Join again").click()
    assert first.number == number + 2, "at the end of the line"
    scene.check({scene.holder_number, number + 1})


def test_on_a_small_phone_in_korean_in_the_dark_every_page_fits(scene):
    phone = {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark", "reduced_motion": "reduce"}
    person, number = scene.in_line(locale="ko-KR", **phone)
    page = person.page
    assert page.locator("html").get_attribute("lang") == "ko"
    assert page.locator("h1").text_content() == "접속 대기 안내"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    page.locator("#n-leave summary").click()
    fits(page)
    scene.lets_in(person, number)
    assert page.locator("html").get_attribute("lang") == "ko"
    fits(page)
    person.go("/booking")
    fits(page)
    page.locator("ul.list a").first.click()
    page.wait_for_selector("ul.slots")
    fits(page)


def fits(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, page.url


def test_a_pause_keeps_the_place_and_goes_on_by_itself(scene):
    person, number = scene.in_line()
    scene.stand.patch(state="paused")
    try:
        person.says("head", "Entry is paused")
        scene.free_seat()
        scene.check()
    finally:
        scene.stand.patch(state="open")
    person.enters()
    scene.check({scene.holder_number, number})


def test_a_closed_room_says_so_and_keeps_the_place_until_it_opens_again(scene):
    person, number = scene.in_line(noise=NETWORK_NOISE)
    try:
        scene.stand.patch(state="closed")
        expect(person.page.locator("h1")).to_have_text("The line is closed", timeout=PATIENCE_MS)
        scene.stand.patch(state="sold_out")
        until(lambda: is_told(person, "Everything has been taken"), "every worker says so")
        scene.check()
    finally:
        scene.stand.patch(state="open")
    until(lambda: person.go() == "waiting", "every worker says so")
    scene.lets_in(person, number)


def is_told(person, heading):
    person.page.reload()
    return person.page.locator("h1").text_content() == heading
