"""A room with an eligibility calendar, in a real browser on a phone: asked once, told plainly, in line where it helps.

The people's birth dates are those every log of every test is looked through for (`shared.tests.personal`).
"""

import json
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from gateway.edge.strings import EN, KO
from gateway.tests.browser.scene import PATIENCE_MS, Scene
from gateway.tests.browser.test_opening import first_admission
from gateway.tests.stand import Stand, until
from shared.tests.personal import BIRTH_DATES
from shared.wire import PASS_COOKIE, TICKET_COOKIE

SEOUL = ZoneInfo("Asia/Seoul")
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "timezone_id": "Asia/Seoul"}
NOW, SOON, LATER, NEVER = "1967-05-14", "1968-03-02", "1970-02-28", "1995-11-30"
# What Chromium notes of any answer from 400 on.
NOISE = ("Failed to load resource",)
CALENDAR = """
title = {{ ko = "칠월 예약", en = "July bookings" }}
version = 7
zone = "Asia/Seoul"
"""
GROUP = """
[[cohort]]
id = "{year}"
label = {{ ko = "{year}년생", en = "Born {year}" }}
birth_years = [{year}]
[[window]]
id = "of-{year}"
version = 2
cohorts = ["{year}"]
opens = {opens}
closes = {closes}
"""
HOLE = """
[[hole]]
birth_years = [1969]
reason = {{ ko = "없음", en = "none" }}
"""


def moment(span):
    """So long from now, as clocks in Seoul show it, to the second."""
    return datetime.now(UTC).astimezone(SEOUL).replace(tzinfo=None, microsecond=0) + span


@pytest.fixture
def hall(chromium, tmp_path, show):
    """A scene with a calendar in which those born 1967 may book, 1968 from `soon` on, 1970 in three days."""
    scenes: list[Scene] = []

    def begin(soon=timedelta(hours=1), **room):
        opens = {1967: timedelta(days=-1), 1968: soon, 1970: timedelta(days=3)}
        closes = moment(timedelta(days=5)).isoformat()
        groups = [GROUP.format(year=year, opens=moment(at).isoformat(), closes=closes) for year, at in opens.items()]
        file = tmp_path / "calendar.toml"
        file.write_text(CALENDAR.format() + "".join(groups) + HOLE.format())
        settings = {"calendar": str(file), "prequeue_s": 7_200, "claim_window_s": 10, **room}
        stand = stack.enter_context(Stand(tmp_path, room=settings))
        show(stand)
        scenes.append(Scene(stand, chromium))
        return scenes[0]

    with ExitStack() as stack:
        yield begin
        faults = [fault for scene in scenes for fault in scene.faults()]
        for person in [person for scene in scenes for person in scene.people]:
            person.close()
    assert faults == []


def say(person, birth):
    person.page.fill("#birth_date", birth)
    person.page.click("form.birth button")


def told(person, text):
    expect(person.page.locator("main")).to_contain_text(text, timeout=PATIENCE_MS)


def fits(person):
    """Whether a phone shows the page without scrolling sideways, its letters large."""
    wide, size = person.page.evaluate(
        "() => [document.documentElement.scrollWidth, getComputedStyle(document.body).fontSize]"
    )
    assert wide <= 390
    assert float(size.removesuffix("px")) >= 18


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize(("language", "t"), [("ko-KR", KO), ("en-GB", EN)], ids=["ko", "en"])
def test_on_a_phone_people_are_asked_and_each_is_told_what_is_true_of_them(hall, language, t, javascript):
    scene = hall(total_active_users=0)
    person = scene.person(**PHONE, locale=language, java_script_enabled=javascript, noise=NOISE)
    assert person.go("/booking") == "eligibility"
    told(person, t["ask_title"])
    fits(person) if javascript else None

    say(person, "1967-02-30")
    told(person, t["birth_bad"])
    expect(person.page.locator("#birth_date")).to_have_value("")
    assert person.page.locator("#birth_date").get_attribute("aria-invalid") == "true"

    say(person, NEVER)
    told(person, t["verdict_not_eligible"])
    for group in ("1967", "1968", "1970"):
        expect(person.page.locator("tbody")).to_contain_text(group)
    fits(person) if javascript else None

    say(person, LATER.replace("-", ""))
    day = moment(timedelta(days=3))
    told(person, f"{day.month}월 {day.day}일" if t is KO else f"{day.day} {day:%B %Y}")
    told(person, t["why_rule"].format(rule="of-1970", version=2))
    assert scene.stand.room()["tail"] == 0

    say(person, NOW)
    person.says("head", t["head_waiting"])
    assert person.page.url.endswith("/booking")
    told(person, t["why_rule"].format(rule="of-1967", version=2))
    number = person.number if javascript else None
    fits(person) if javascript else None
    spellings = {birth.replace("-", between) for birth in BIRTH_DATES for between in ("-", "")}
    for value in (person.cookie(TICKET_COOKIE), person.page.url, person.page.content()):
        assert not any(each in (value or "") for each in spellings)

    scene.stand.patch(total_active_users=1)
    if javascript:
        person.enters()
        scene.check({number})
        assert person.cookie(PASS_COOKIE)
    else:
        until(lambda: person.go("/booking") is None, "the refresh of the page brings them in")


def test_who_lines_up_for_a_later_window_sees_it_count_down_and_goes_in_when_it_opens_and_not_before(hall):
    scene = hall(soon=timedelta(seconds=20), total_active_users=2)
    person = scene.person(**PHONE, noise=NOISE)
    assert person.go("/") == "eligibility"
    say(person, SOON)
    person.says("head", EN["head_window"])
    told(person, EN["why_rule"].format(rule="of-1968", version=2))
    expect(person.page.locator("#n-left")).to_contain_text("00:00:", timeout=PATIENCE_MS)
    assert person.number == 1
    assert scene.requests() == []
    data = json.loads(person.page.locator("#n-data").text_content() or "")
    person.enters()
    first = next(each for each in scene.stand.requests() if each.verdict == "ok")
    assert first.number is not None
    assert first_admission(scene.stand).timestamp() * 1000 >= data["status"]["eligibility"]["opens_at_ms"]
    scene.check({first.number})


def test_booking_for_a_family_member_is_a_link_on_the_waiting_page_and_keeps_the_place(hall):
    scene = hall(total_active_users=0)
    person = scene.person(**PHONE, noise=NOISE)
    person.go("/")
    say(person, NOW)
    number = person.number
    person.page.click(f"text={EN['window_other']}")
    told(person, EN["ask_title"])
    say(person, NEVER)
    told(person, EN["verdict_kept"])
    say(person, NOW)
    assert person.number == number
