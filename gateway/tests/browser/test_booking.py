"""The booking site behind the gate, as families use it: by phone, without scripts, by keyboard, in large print."""

import pytest
from playwright.sync_api import expect

from gateway.tests.browser import booking_site as site
from gateway.tests.browser.scene import NETWORK_NOISE, PATIENCE_MS
from gateway.tests.stand import until

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True, "locale": "ko-KR"}


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_child_books_the_mother_then_cancels_and_books_again(scene, scripts):
    child = scene.person(java_script_enabled=scripts, **PHONE)
    page = child.page
    assert child.go() is None
    first_number = scene.admissions()[-1].number
    mother = site.another(site.MOTHER)
    site.identify_for_mother(page, mother)
    assert "김*자 님의 예약을 이*늘 님이 대신 진행하고 있습니다." in page.locator("main").inner_text()
    site.hold(page)
    expect(page.locator("dl").first).to_contain_text("김*자")
    code = site.confirm(page)
    expect(page.locator("h1")).to_have_text("예약이 완료되었습니다")
    for shown in ("김*자", "이*늘"):
        expect(page.locator(".ticket")).to_contain_text(shown)
    expect(page.locator(".ticket dd").last).to_have_text(f"{first_number:,}대기 없이 바로 입장")
    until(lambda: scene.stand.room()["live"] == 0, "the turn ended with the booking")

    # A turn makes one booking: for whatever follows, the child waits for another.
    assert child.go() is None
    site.find(page, code, mother["for_birth_date"])
    expect(page.locator(".ticket")).to_contain_text("예약됨")
    site.cancel(page)
    expect(page.locator("h1")).to_have_text("예약이 취소되었습니다")
    page.go_back()
    expect(page.locator(".ticket")).to_contain_text("취소됨")
    expect(page.locator('form[action^="/booking/cancel"]')).to_have_count(0)
    page.get_by_role("link", name="처음 화면").first.click()
    site.identify_for_mother(page, mother)
    site.hold(page, centre=1, time=1)
    again = site.confirm(page)
    assert again != code
    assert len(scene.admissions()) == 2
    assert site.CHILD["name"] not in page.content()
    told = scene.stand.logs() + "".join(each.path for each in scene.requests())
    for word in (*site.CHILD.values(), *mother.values(), code, again):
        assert word not in told, "neither an address nor a log has it"


def typed_as_the_turn_ends(scene, **options):
    """A child who fills in the form for the mother; sends it too late, waits, and is let in again."""
    child = scene.person(noise=NETWORK_NOISE, **PHONE, **options)
    page = child.page
    scene.stand.patch(idle_limit_s=1)
    try:
        child.go("/booking/identify?for=family")
        site.fill(page, site.CHILD | site.MOTHER)
        page.locator("#method-certificate").check()
        page.locator("#consent").check()
        until(lambda: scene.stand.room()["live"] == 0, "the turn has ended")
    finally:
        scene.stand.patch(idle_limit_s=300)
    scene.take_seat()
    page.locator("main .stick button").click()
    page.wait_for_selector("#n-number", state="attached")
    assert "접수되지 않았습니다" in page.content(), "the waiting page answered the form"
    scene.free_seat()
    child.enters()
    return page


def has_all_that_was_typed(page):
    for name, value in (site.CHILD | site.MOTHER).items():
        expect(page.locator(f"#{name}")).to_have_value(value)
    expect(page.locator("#method-certificate")).to_be_checked()


def test_what_was_typed_outlives_a_turn_that_ends_meanwhile(scene):
    page = typed_as_the_turn_ends(scene)
    expect(page.get_by_text("이 창에 입력하셨던 내용을 되살렸습니다.")).to_be_visible(timeout=PATIENCE_MS)
    has_all_that_was_typed(page)
    expect(page.locator("#consent")).not_to_be_checked()
    page.locator("#consent").check()
    page.locator("main .stick button").click()
    page.wait_for_selector("ul.list")
    assert page.evaluate("JSON.stringify(sessionStorage)").count("010-") == 0, "what got through is kept no longer"


def test_without_scripts_what_was_typed_is_one_step_back(scene):
    page = typed_as_the_turn_ends(scene, java_script_enabled=False)
    expect(page.get_by_text("브라우저의 “뒤로”를 누르시면")).to_be_visible()
    expect(page.locator("#name")).to_have_value("")
    page.go_back()
    has_all_that_was_typed(page)
    page.locator("#consent").check()
    page.locator("main .stick button").click()
    page.wait_for_selector("ul.list")


def test_starting_over_leaves_nothing_behind(scene):
    child = scene.person(**PHONE)
    page = child.page
    child.go()
    site.identify_for_mother(page, site.another(site.MOTHER))
    assert any(each["name"] == "booking_session" for each in child.context.cookies())
    child.go("/booking/identify?for=family")
    expect(page.locator("#name")).to_have_value(site.CHILD["name"])
    site.fill(page, {"for_name": "시험0001"})
    assert "시험0001" in page.evaluate("JSON.stringify(sessionStorage)")
    page.locator('form[action^="/booking/start-over"] button').click()
    page.wait_for_selector(".doors")
    assert not any(each["name"] == "booking_session" for each in child.context.cookies())
    assert "booking:draft" not in page.evaluate("JSON.stringify(sessionStorage)")
    page.locator('.doors a[href*="for=family"]').click()
    for name in site.CHILD | site.MOTHER:
        expect(page.locator(f"#{name}")).to_have_value("")


def test_going_back_after_the_visit_finds_empty_forms(scene):
    """At a shared computer somebody else sits down next."""
    child = scene.person(noise=("410 (Gone)",), **PHONE)
    page = child.page
    child.go()
    site.identify_for_mother(page, site.another(site.MOTHER))
    site.hold(page)
    site.confirm(page)
    seen = set()
    for _ in range(8):
        page.go_back()
        seen.add(page.url.split("/", 3)[-1].split("?")[0])
        typed = page.evaluate(
            "[...document.querySelectorAll('input')].filter(f => f.type === 'text').map(f => f.value)"
        )
        assert set(typed) <= {""}, (page.url, typed)
    assert "booking/identify" in seen, seen


def test_the_keyboard_alone_is_enough(scene):
    person = scene.person()
    page = person.page
    person.go()
    keys = page.keyboard
    keys.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    keys.press("Enter")
    _tab_to(page, "Book for myself")
    keys.press("Enter")
    page.wait_for_selector("#name")
    _tab_to(page, "carrier")
    keys.press("ArrowDown")
    expect(page.locator("#method-certificate")).to_be_checked()
    for value in site.another(site.MINJI).values():
        keys.press("Tab")
        keys.type(value)
    keys.press("Enter")
    page.wait_for_selector("ul.list")
    _tab_to(page, "Seoul Gaon")
    keys.press("Enter")
    page.wait_for_selector("ul.slots")
    _tab_to(page, "10:00")
    keys.press("Enter")
    page.wait_for_selector(".early")
    _tab_to(page, "Confirm booking")
    keys.press("Enter")
    expect(page.locator("h1")).to_have_text("You are booked", timeout=PATIENCE_MS)


def _tab_to(page, text):
    """Press Tab until the focus is on what says so, or has that value; it must be seen there."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focus = page.evaluate("[document.activeElement.textContent, document.activeElement.value || '']")
        if any(text in each for each in focus):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"{text}: the focus cannot be seen"
            return
    raise AssertionError(f"Tab does not lead to {text!r} on {page.url}")


@pytest.mark.parametrize(
    "look",
    [
        {"viewport": {"width": 320, "height": 640}},
        {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark", "locale": "ko-KR"},
        # 200 % on a phone of 640 device pixels' width.
        {"viewport": {"width": 320, "height": 640}, "reduced_motion": "reduce"},
    ],
    ids=["small", "small, dark, Korean", "small, large print"],
)
def test_every_page_fits_a_small_phone_and_large_print(scene, look, request):
    large = "large print" in request.node.name
    person = scene.person(**look)
    page = person.page
    person.go()

    def fits(what):
        if large:
            # As the setting for large text does it: the root's size, everything else is relative.
            page.evaluate("document.documentElement.style.fontSize = '200%'")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 320, f"{what}: {wide} px"
        small = page.evaluate(SMALL_TARGETS)
        assert small == [], f"{what}: too small to touch"

    fits("start")
    for path in ("eligibility", "identify", "identify?for=family", "find", ""):
        person.go(f"/booking/{path}".rstrip("/"))
        fits(path)
    person.go("/booking/eligibility")
    site.fill(page, {"birth_date": "19680302"})
    page.locator("main form button").first.click()
    page.wait_for_selector(".answer")
    fits("answer")
    person.go()
    site.identify(page, site.another(site.MINJI))
    fits("centres")
    page.locator("ul.list a").first.click()
    page.wait_for_selector("ul.slots")
    fits("times")
    page.locator("ul.slots button").first.click()
    page.wait_for_selector(".early")
    fits("review")
    code = site.confirm(page)
    fits("card")
    person.go()
    site.find(page, code, site.MINJI["birth_date"])
    fits("found")
    page.locator('a[href^="/booking/cancel"]').click()
    page.wait_for_selector('form[action^="/booking/cancel"]')
    fits("question before cancelling")


# Controls of less than 44 CSS pixels in height, but for links inside a sentence (WCAG 2.5.8 excepts them).
SMALL_TARGETS = """() => [...document.querySelectorAll("button, input, .go, .list a, .links a, .days a, label.choice")]
  .filter((it) => it.getClientRects().length && !it.closest("label.choice:not(:scope)"))
  .filter((it) => it.getBoundingClientRect().height < 44)
  .map((it) => it.outerHTML.slice(0, 80))"""
