"""What people with a window of their own are told of it: while it is to come, rests, was moved, or ends too soon.

The clock starts on 19 July 2021 at 20:00 in Korea; calendars as in `test_eligibility`.
"""

import re
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.edge.eligibility_page import EligibilityView, page_values
from gateway.edge.pages import SAMPLE_STATUS
from gateway.edge.strings import EN, KO
from gateway.edge.tests.front import BROWSER, START_MS
from gateway.edge.tests.test_eligibility import ENGLISH, LATER, NOW, line_up
from gateway.edge.tests.test_pages import PAGES, view, visible
from gateway.room.entitle import Register
from gateway.room.model import Limits
from shared.calendar_file import BUILT_IN, find_calendar, read_calendar

KOREAN = {**BROWSER, "Accept-Language": "ko"}
MIDDLE = "1967-05-04"  # one of 53-54: booked first when their window was moved, resting on the 20th from 18:00
MINUTE = 60_000
languages = pytest.mark.parametrize(
    ("headers", "t", "language"), [(KOREAN, KO, "ko"), (ENGLISH, EN, "en")], ids=["ko", "en"]
)


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Seoul")).timestamp() * 1000)


async def seen(visitor):
    got = await visitor.get()
    assert got.gate == "waiting"
    return visible(got.body)


# ---- a number of a wave


@languages
@pytest.mark.parametrize(("method", "kept"), [("fifo", "kept_wave"), ("draw", "kept_wave_draw")])
async def test_who_lines_up_for_a_later_window_is_promised_no_number_and_no_place_that_will_change(
    start, headers, t, language, method, kept
):
    room = {"calendar": "july-2021-announced", "total_active_users": 0, "queueing_method": method}
    site = await start(rooms=[room])
    for _ in range(3):
        await line_up(site.visitor(), NOW)
    visitor = site.visitor(headers=headers)
    await line_up(visitor, LATER)
    page = await seen(visitor)
    assert f"{t['lead_window']} {t[kept]}" in page
    assert t["kept_number"] not in page
    assert (await visitor.status())["number"] == 1
    site.clock.now_ms = at("2021-07-20T20:00") + 1
    await site.line.tick_now()
    assert (await visitor.status())["number"] > 3, "and so it is"


@pytest.mark.parametrize(("language", "t"), [("ko", KO), ("en", EN)])
@pytest.mark.parametrize(
    ("draw", "kept"), [(None, "kept_wave"), ("wave_pending", "kept_wave_draw"), ("pending", "kept_number")]
)
def test_a_moved_or_missing_opening_promises_a_number_only_where_it_stays(language, t, draw, kept):
    own = {"verdict": "not_yet", "rule": "a/1", "opens_at_ms": at("2021-07-19T21:00"), "closes_at_ms": None}
    status = {"place": None, "ahead": None, "eta_ms": None, "draw": draw, "eligibility": own}
    moved = {"room_state": "prequeue", "postponed_from_ms": START_MS, "opens_at_ms": at("2021-07-19T22:00")}
    for more in (moved, {"room_state": "closed", "opens_at_ms": None}):
        words = visible(PAGES.waiting(view(**status, **more), language).body)
        assert t[kept] in words
        assert draw == "pending" or t["kept_number"] not in words


# ---- a window that ends before the turn


OWN = {"verdict": "eligible", "rule": "a/1", "opens_at_ms": START_MS, "closes_at_ms": START_MS, "late": None}


@languages
async def test_an_opening_moved_past_the_end_of_ones_own_window_is_said_to_come_too_late(start, headers, t, language):
    site = await start(rooms=[{"calendar": "july-2021-announced", "total_active_users": 0}])
    visitor = site.visitor(headers=headers)
    await line_up(visitor, MIDDLE)
    assert (await visitor.status())["eligibility"]["late"] is None
    site.clock.now_ms += MINUTE
    await site.line.postpone(at("2021-07-20T17:59"), reason="x", expected_version=None)
    assert (await visitor.status())["eligibility"]["late"] is None
    await site.line.postpone(at("2021-07-20T18:00"), reason="x", expected_version=None)
    told = await visitor.status()
    assert (told["eligibility"]["late"], told["eta_ms"]) == ("certain", None)
    page = await seen(visitor)
    closes = {"ko": "2021년 7월 20일(화) 18:00(KST)", "en": "Tue 20 July 2021, 18:00 (KST)"}[language]
    assert t["late_certain"].format(closes=closes) in page
    for key in ("lead_prequeue", "lead_waiting", "eta_unknown", "advice_nothing"):
        assert t[key] not in page


@languages
@pytest.mark.parametrize(
    ("minutes_left", "late"), [(1, "certain"), (18, "maybe"), (600, None)], ids=["too soon", "perhaps", "in time"]
)
async def test_an_estimate_beyond_ones_own_window_is_said_to_be(start, headers, t, language, minutes_left, late):
    room = {"calendar": "july-2021-announced", "total_active_users": 3, "session_length_s": 1_800}
    site = await start(rooms=[room])
    site.clock.now_ms = at("2021-07-20T18:00") - minutes_left * MINUTE
    await site.line.tick_now()
    for _ in range(7):
        await line_up(site.visitor(), NOW)
    visitor = site.visitor(headers=headers)
    await line_up(visitor, MIDDLE)
    told = await visitor.status()
    assert told["eligibility"]["late"] == late
    assert (told["eta_ms"] is None) == (late == "certain")
    page = await seen(visitor)
    for each in ("certain", "maybe"):
        sentence = re.escape(t[f"late_{each}"]).replace(re.escape("{closes}"), ".*2021.*18:00.*")
        assert bool(re.search(sentence, page)) == (each == late)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_turn_that_will_not_come_is_given_no_time(language):
    never = {"eligibility": {**OWN, "late": "certain"}, "eta_ms": None}
    page = PAGES.waiting(view(**never), language).body
    assert b'id="n-eta-row" hidden' in page
    assert b'id="n-advice" hidden' in page
    assert b'id="n-eta-row" hidden' not in PAGES.waiting(view(eligibility=OWN), language).body


# ---- a window that was moved, or rests


@languages
async def test_a_window_moved_while_people_wait_is_told_with_the_old_time_and_the_reason(
    start, tmp_path, headers, t, language
):
    file = tmp_path / "calendar.toml"
    file.write_text((BUILT_IN / "july-2021-announced.toml").read_text())
    site = await start(rooms=[{"calendar": str(file), "total_active_users": 0}])
    visitor = site.visitor(headers=headers)
    await line_up(visitor, MIDDLE)
    file.write_text((BUILT_IN / "july-2021.toml").read_text())
    for _ in range(2):
        await site.pass_time(2_000)
    page = await seen(visitor)
    assert t["head_window"] in page
    sentences = {
        "en": (
            "The start moved from Mon 19 July 2021, 20:00 (KST) to Mon 19 July 2021, 22:00 (KST).",
            "Too many people came at once",
            "(changed Mon 19 July 2021, 20:48 (KST))",
        ),
        "ko": (
            "시작이 2021년 7월 19일(월) 20:00(KST)에서 2021년 7월 19일(월) 22:00(KST)로 바뀌었습니다.",
            "접속이 몰려",
            "(2021년 7월 19일(월) 20:48(KST) 변경)",
        ),
    }[language]
    for sentence in sentences:
        assert sentence in page


@languages
async def test_who_waits_when_a_declared_pause_begins_is_told_until_when_and_why(start, headers, t, language):
    site = await start(rooms=[{"calendar": "july-2021-announced", "total_active_users": 0}])
    visitor = site.visitor(headers=headers)
    await line_up(visitor, MIDDLE)
    site.clock.now_ms = at("2021-07-20T19:00")
    await site.line.tick_now()
    page = await seen(visitor)
    assert t["verdict_paused"] in page
    assert f"{t['window_paused_lead']} {t['kept_place']}" in page
    assert t["head_window"] not in page
    sentence = {
        "en": "Paused: From Tue 20 July 2021, 18:00 (KST) until just before Wed 21 July 2021, 20:00 (KST). "
        "It is the turn of ages 50-52.",
        "ko": "2021년 7월 20일(화) 18:00(KST)부터 2021년 7월 21일(수) 20:00(KST) 전까지 예약을 쉽니다. "
        "50~52세의 예약 기간입니다.",
    }[language]
    assert sentence in page


CALENDAR = """
title = { ko = "예약", en = "Bookings" }
version = 1
zone = "Asia/Seoul"
[[cohort]]
id = "60"
label = { ko = "1960년생", en = "Born 1960" }
birth_years = [1960]
[[cohort]]
id = "61"
label = { ko = "1961년생", en = "Born 1961" }
birth_years = [1961]
[[window]]
id = "both"
version = 1
cohorts = ["60", "61"]
opens = 2021-07-19T18:00:00
closes = 2021-07-24T18:00:00
[[closed]]
id = "rest"
cohorts = [COHORTS]
from = 2021-07-19T19:00:00
until = 2021-07-19T21:00:00
reason = { ko = "점검", en = "Maintenance" }
"""


@pytest.mark.parametrize(
    ("cohorts", "now", "language", "state"),
    [
        ('"60", "61"', "2021-07-19T20:00", "en", "Paused until Mon 19 Jul, 21:00"),
        ('"60", "61"', "2021-07-19T20:00", "ko", "7월 19일(월) 21:00까지 쉼"),
        ('"61"', "2021-07-19T20:00", "en", "Open now (Born 1961: Paused until Mon 19 Jul, 21:00)"),
        ('"61"', "2021-07-19T20:00", "ko", "진행 중 (1961년생: 7월 19일(월) 21:00까지 쉼)"),
        ('"60", "61"', "2021-07-19T21:00", "en", "Open now"),
        ('"60", "61"', "2021-07-19T18:59", "ko", "진행 중"),
    ],
)
def test_a_window_whose_people_are_in_a_declared_pause_is_not_called_open(tmp_path, cohorts, now, language, state):
    file = tmp_path / "calendar.toml"
    file.write_text(CALENDAR.replace("COHORTS", cohorts))
    register = Register(read_calendar(find_calendar(str(file))))
    entitled = register.entitle("60", Limits(), at(now))
    shown = page_values(EligibilityView(entitled, register.calendar, at(now), "/ask", "/"), language)
    assert [row[3] for row in shown["windows"]] == [state]


# ---- size


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("verdict", ["not_yet", "paused"])
def test_the_page_of_who_has_a_window_is_small_too(language, verdict):
    own = {**OWN, "verdict": verdict, "opens_at_ms": SAMPLE_STATUS["opens_at_ms"]}
    filled = replace(
        view(eligibility=own, draw="wave_pending", place=None), window="x" * 300, window_why="y" * 300, window_url="/z"
    )
    assert len(PAGES.waiting(filled, language).gzip) < 13_000  # promised: 15 KB
