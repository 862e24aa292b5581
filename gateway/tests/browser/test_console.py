"""The operators' console in a real browser: what is done there is seen there, and by somebody who waits."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from gateway import tokens
from gateway.history import HistoryFile
from gateway.points import SLOT_MS, Point
from gateway.tests.browser.desk import Operator, token_of
from gateway.tests.browser.scene import PATIENCE_MS, Scene
from gateway.tests.stand import Stand, fetch, until
from gateway.tokens import Role

# Two windows that end before the year 2098 does, and one after it.
CALENDAR = """
title = { ko = "예약", en = "Bookings" }
version = 1
zone = "Asia/Seoul"
""" + "".join(
    f"""
[[cohort]]
id = "{year}"
label = {{ ko = "{year}년생", en = "Born {year}" }}
birth_years = [{year}]
[[window]]
id = "of-{year}"
version = 1
cohorts = ["{year}"]
opens = 2098-01-01T00:00:00
closes = {closes}-03-01T18:00:00
"""
    for year, closes in ((1967, 2098), (1968, 2098), (1969, 2099))
)


@pytest.fixture
def room(chromium, tmp_path, show, request):
    """A scene whose room lets nobody in yet. Its parameter: the room's calendar."""
    settings: dict[str, object] = {"new_users_per_minute": 0, "total_active_users": 50, "claim_window_s": 10}
    if hasattr(request, "param"):
        (tmp_path / "calendar.toml").write_text(request.param)
        settings["calendar"] = str(tmp_path / "calendar.toml")
    with Stand(tmp_path, room=settings) as stand:
        show(stand)
        scene = Scene(stand, chromium)
        yield scene
        for person in scene.people:
            person.close()


@pytest.fixture
def operator(chromium, room):
    """Makes operators; none may have a fault on the page at the end."""
    made = []

    def come(role=Role.OPERATOR, name="kim", **options):
        one = Operator(room.stand, chromium, **options)
        made.append(one)
        if role is not None:
            one.log_in(token_of(room.stand, name, role))
            expect(one.page.locator("#tiles .tile").first).to_be_visible()
        return one

    yield come
    for one in made:
        one.close()
    assert [fault for one in made for fault in one.faults] == []


def waiting(room):
    person = room.person()
    assert person.go() == "waiting"
    return person, person.number


def test_an_operator_logs_in_changes_the_outflow_and_sees_the_effect_as_does_who_waits(room, operator):
    person, _ = waiting(room)
    one = operator()
    one.tells("Waiting (numbers)", "1")
    one.tells("Inside", "0 / 50")
    field = one.page.get_by_label("Outflow, people a minute", exact=True)
    field.fill("600")
    one.sees(".effect", "At 600 a minute and 50 inside the last in line waits under a minute.")
    assert room.stand.room()["settings"]["new_users_per_minute"] == 0, "a preview changes nothing"
    one.page.get_by_role("button", name="Apply").click()
    one.sees("#trail", "Outflow, people a minute: 0 → 600")
    one.sees("#trail", "kim")
    person.enters()
    one.tells("Waiting (numbers)", "0")
    one.tells("Inside", "1 / 50")


def test_pause_message_postpone_and_resume_are_confirmed_and_told_to_who_waits(room, operator):
    person, number = waiting(room)
    one = operator()
    one.does("Pause").get_by_role("button", name="Cancel").click()
    expect(one.page.locator("dialog")).to_have_count(0)
    assert room.stand.room()["state"] == "open"
    one.does("Pause")
    one.confirms()
    one.sees(".badge", "Paused")
    person.says("head", "paused")

    asked = one.does("Message")
    asked.get_by_label("In Korean").fill("서버를 늘리고 있습니다.")
    asked.get_by_label("In English").fill("We are adding <b>servers</b>.")
    expect(asked.locator(".seen").last).to_have_text("We are adding <b>servers</b>.")
    one.confirms()
    person.says("message-text", "We are adding <b>servers</b>.")
    one.sees("#state", "서버를 늘리고 있습니다.")

    one.does("Resume")
    one.confirms()
    one.sees(".badge", "Open")
    asked = one.does("Postpone")
    expect(asked.get_by_role("button", name="Postpone")).to_be_disabled()
    asked.get_by_label("New opening (Asia/Seoul)").fill("2098-07-19T22:00")
    asked.get_by_label("Reason (goes on record)").fill("the site is too slow")
    one.confirms()
    one.sees(".badge", "Before opening")
    one.sees("#state", "Postponed from")
    assert room.stand.room()["opens_at"] == "2098-07-19T13:00:00+00:00"
    person.says("postponed", "Your place is kept.")
    one.sees("#trail", "the site is too slow")
    assert person.number == number


@pytest.mark.parametrize("room", [CALENDAR], indirect=True)
@pytest.mark.parametrize(
    ("locale", "postpone", "when", "why", "said"),
    [
        ("en-GB", "Postpone", "New opening", "Reason", "Born 1967 (of-1967): closes"),
        ("ko-KR", "연기", "새 시작 시각", "사유", "1968년생 (of-1968): "),
    ],
)
def test_whose_window_ends_before_the_new_opening_is_told_and_stays_told(
    room, operator, locale, postpone, when, why, said
):
    one = operator(locale=locale)
    asked = one.does(postpone)
    asked.get_by_label(when).fill("2098-07-19T22:00")
    asked.get_by_label(why).fill("the site is too slow")
    one.confirms()
    one.sees("#actions", said)
    # Messages that come after it leave it there.
    heard = one.page.locator("#state").text_content()
    expect(one.page.locator("#state")).not_to_have_text(heard or "", timeout=PATIENCE_MS)
    one.sees("#actions", said)
    expect(one.page.locator("#actions .problem li")).to_have_count(2)


def test_charts_of_the_past_show_what_the_gateway_has_kept(room, operator):
    now_ms = room.stand.room()["server_time_ms"]
    file = HistoryFile(room.stand.folder / "history.db", days=7)
    then = Point(
        at_ms=0, epoch=1, state="open", waiting=8_765, people_waiting=4_321, serving=0, tail=9_000, live=40, ceiling=50,
        outflow=600, lane=0, claim_window_ms=1, wait_low_ms=None, wait_high_ms=None, latency_p50_ms=None,
        latency_p95_ms=None, stock=None, counters={},
    )  # fmt: skip
    begin_ms = now_ms // SLOT_MS * SLOT_MS - 7_200_000
    file.add([("vaccine", replace(then, at_ms=at_ms)) for at_ms in range(begin_ms, now_ms - 60_000, SLOT_MS)])
    file.close()
    one = operator(Role.VIEWER)
    one.sees("#charts", "Waiting")
    path = one.page.locator("#charts figure").first.locator("path").first
    short = len(path.get_attribute("d") or "")
    one.page.get_by_role("button", name="3 h", exact=True).click()
    expect(one.page.locator("#charts figure").first.locator("text").filter(has_text="10k")).to_be_visible()
    until(lambda: len(path.get_attribute("d") or "") > max(short, 2_000), "the line goes back two hours")
    expect(one.page.locator("#charts-note")).to_be_hidden()


def test_a_viewer_sees_it_all_and_is_offered_nothing(room, operator):
    one = operator(Role.VIEWER)
    one.sees("#me", "viewer")
    one.sees("#actions", "You may look.")
    expect(one.page.get_by_label("Outflow, people a minute", exact=True)).not_to_be_editable()
    expect(
        one.page.get_by_role("button", name=re.compile("Apply|Pause|Close|Postpone|Reset|Passthrough"))
    ).to_have_count(0)
    # Nor does the server do it for who writes the request themselves.
    status = one.page.evaluate(
        """async () => (await fetch("/api/rooms/vaccine", {method: "PATCH", body: '{"state": "closed"}', headers: {
            "Authorization": "Bearer " + sessionStorage.getItem("sunbeon.token"), "Content-Type": "application/json"
        }})).status"""
    )
    assert (status, room.stand.room()["state"]) == (403, "open")


def test_an_operator_is_not_offered_what_only_an_admin_may_and_an_admin_types_the_room_s_name(room, operator):
    expect(operator().page.get_by_role("button", name=re.compile("Reset|Passthrough"))).to_have_count(0)
    person, _ = waiting(room)
    admin = operator(Role.ADMIN, "lee")
    epoch = room.stand.room()["epoch"]
    asked = admin.does("Reset")
    asked.get_by_label("To go on, type the room's name: vaccine").fill("vaccin")
    expect(asked.locator("button[type=submit]")).to_be_disabled()
    asked.get_by_label("To go on, type the room's name: vaccine").fill("vaccine")
    admin.confirms()
    until(lambda: room.stand.room()["epoch"] > epoch, "the line begins anew")
    admin.does("Passthrough").locator("#ask-name").fill("vaccine")
    admin.confirms()
    admin.sees(".badge", "Passthrough")
    assert person.go() is None


def test_a_wrong_token_is_told_so_and_a_revoked_one_ends_the_session_and_none_is_kept_but_in_the_tab(room, operator):
    one = operator(None)
    for wrong in ("sbo_wrong", "비밀번호", "two words"):
        one.log_in(wrong)
        one.sees("#login-problem", "does not count")
        expect(one.page.locator("#token")).to_be_empty()
    one.log_in(token_of(room.stand, "kim", Role.VIEWER))
    one.sees("#me", "kim")
    assert one.page.evaluate("[document.cookie, location.search + location.hash, localStorage.length]") == ["", "", 0]
    one.page.reload()
    one.sees("#me", "kim")
    tokens.revoke(room.stand.folder / "operators.json", "kim")
    one.sees("#login-problem", "expired or was revoked")
    expect(one.page.locator("#console")).to_be_hidden()
    assert one.page.evaluate("sessionStorage.length") == 0


def test_who_was_slower_is_shown_what_the_other_changed_before_anything_is_overwritten(room, operator):
    one = operator()
    field = one.page.get_by_label("Outflow, people a minute", exact=True)
    field.fill("300")
    room.stand.patch(new_users_per_minute=120, total_active_users=40)
    one.tells("Inside", "0 / 40")
    assert field.input_value() == "300", "what is being typed stays"
    one.page.get_by_role("button", name="Apply").click()
    one.sees("#limits .problem", "Somebody else has changed the settings meanwhile.")
    one.sees("#limits .problem", "Outflow, people a minute: 0 → 120")
    assert room.stand.room()["settings"]["new_users_per_minute"] == 120
    one.page.get_by_role("button", name="Apply").click()
    one.sees("#trail", "Outflow, people a minute: 120 → 300")


def test_while_the_gateway_is_gone_numbers_show_their_age_and_then_they_go_on_by_themselves(room, operator):
    one = operator()
    one.sees("#link", "Live")
    room.stand.kill_gateway()
    one.sees("#link", "Disconnected")
    one.sees("#heard", "These numbers are")
    assert one.page.locator("html").get_attribute("data-live") == "off"
    room.stand.start_gateway()
    one.sees("#link", "Live")
    expect(one.page.locator("#heard")).to_be_empty()
    room.stand.patch(new_users_per_minute=7)
    expect(one.page.get_by_label("Outflow, people a minute", exact=True)).to_have_value("7", timeout=PATIENCE_MS)


def test_the_page_says_it_in_korean_and_english_on_a_phone_and_on_a_wall_and_never_scrolls_sideways(room, operator):
    waiting(room)
    for width, locale in ((390, "ko-KR"), (320, "en-GB"), (1920, "ko-KR")):
        one = operator(Role.ADMIN, f"at-{width}", locale=locale, viewport={"width": width, "height": 900})
        one.sees("#state", "예방접종 사전예약" if locale == "ko-KR" else "Vaccination booking")
        assert one.page.evaluate("document.documentElement.scrollWidth") <= width
        small = one.page.evaluate(
            "[...document.querySelectorAll('button, input')].filter((e) => e.checkVisibility()"
            " && e.getBoundingClientRect().height < 44).map((e) => e.outerHTML)"
        )
        assert small == []
    one.page.locator("#language").click()
    one.sees("#limits", "How many are let in")
    one.page.locator("#theme").click()
    assert one.page.locator("html").get_attribute("data-theme") == "dark"


def test_the_console_is_not_there_on_the_visitors_listener(room):
    for path in ("/console/console.js", "/api/events", "/api/me"):
        status, headers, body = fetch(room.stand.url, "GET", path)
        assert b"sessionStorage" not in body
        assert "Sunbeon-Gate" in dict(headers) or status == 404
