"""The eligibility check: the answer first, then why, by the server's clock; in virtual time."""

from datetime import datetime

import pytest

from booking.schedule import to_ms
from booking.tests.visitor import HONG, Visitor

ASK = "/booking/eligibility"


def at(text):
    return to_ms(datetime.fromisoformat(f"2021-07-{text}+09:00"))


@pytest.fixture
async def july(start):
    return await start(rules="july-2021")


async def check(site, birth_date="19680302", language="ko"):
    visitor = Visitor(site, site.passes.header(), language)
    await visitor.get(ASK)
    await visitor.press("확인" if language == "ko" else "Check", birth_date=birth_date)
    return visitor


def first_answer(visitor):
    """The first heading after the page's own."""
    return visitor.page.all("h2")[0].text


@pytest.mark.parametrize(
    ("moment", "birth_date", "korean", "english"),
    [
        ("20T19:00:00", "19680302", "지금은 잠시 쉬는 시간입니다", "Booking is paused at the moment"),
        (
            "19T20:00:00",
            "19680302",
            "7월 19일(월) 22시부터 예약하실 수 있습니다",
            "You can book from Mon 19 Jul, 22:00",
        ),
        (
            "19T21:59:59",
            "19680302",
            "7월 19일(월) 22시부터 예약하실 수 있습니다",
            "You can book from Mon 19 Jul, 22:00",
        ),
        ("19T22:00:00", "19680302", "지금 예약하실 수 있습니다", "You can book now"),
        ("20T17:59:59", "19680302", "지금 예약하실 수 있습니다", "You can book now"),
        ("24T18:00:00", "19680302", "예약 기간이 끝났습니다", "The booking period is over"),
        (
            "20T01:00:00",
            "19900101",
            "이번 예약 대상이 아닙니다",
            "You are not in a group that can book this time",
        ),
    ],
)
async def test_the_answer_comes_first_in_both_languages(july, clock, moment, birth_date, korean, english):
    clock.now_ms = at(moment)
    assert first_answer(await check(july, birth_date)) == korean
    assert first_answer(await check(july, birth_date, "en")) == english


async def test_then_why_by_which_rule_and_whose_clock(july, clock):
    clock.now_ms = at("19T20:48:30")
    visitor = await check(july)
    for said in (
        "1968년 3월 2일",
        "7월 19일(월) 22시부터 7월 20일(화) 18시 전까지",
        "시작이 7월 19일(월) 20시에서 7월 19일(월) 22시로 바뀌었습니다.",
        "7월 19일(월) 20시 48분 30초",
        "예약 서버의 시계로 판정합니다.",
    ):
        assert said in visitor.text
    assert "규칙 53-54" in visitor.text
    assert "예약 일정표:" in visitor.text


async def test_who_can_book_now_is_told_of_no_change_that_no_longer_matters(july, clock):
    clock.now_ms = at("19T22:30:00")
    visitor = await check(july)
    assert "7월 19일(월) 22시부터 7월 20일(화) 18시 전까지" in visitor.text
    assert "바뀌었습니다" not in visitor.text


async def test_everybodys_windows_are_shown_to_everybody(july, clock):
    clock.now_ms = at("19T23:00:00")
    visitor = Visitor(july, july.passes.header())
    await visitor.get(ASK)
    rows = [" ".join(row.text.split()) for row in visitor.page.all("tr")]
    assert any("7월 19일(월) 22시 ~ 7월 20일(화) 18시 진행 중" in row for row in rows)
    assert any("7월 20일(화) 20시 ~ 7월 21일(수) 18시 예정" in row for row in rows)
    assert any(row.endswith("15시 30분 마감") for row in rows)


async def test_the_birth_date_is_asked_for_by_post_and_is_nowhere_afterwards(july):
    visitor = await check(july)
    assert visitor.path == ASK
    assert visitor.cookies == {}
    assert visitor.fields() == {"birth_date": ""}


async def test_whoever_may_not_book_yet_is_told_when_as_soon_as_we_know_them(july, clock):
    clock.now_ms = at("19T21:59:59")
    visitor = Visitor(july, july.passes.header())
    await visitor.get("/booking/identify")
    await visitor.press("확인하고 계속", **HONG)
    assert visitor.status == 403
    assert first_answer(visitor) == "7월 19일(월) 22시부터 예약하실 수 있습니다"
    clock.forward(seconds=1)
    await visitor.get("/booking/centres/seoul")
    await visitor.press("오전 9:00")
    assert visitor.heading == "예약 내용을 확인해 주세요", "the same proof of identity counts"


async def test_a_seat_held_in_time_may_be_confirmed_after_the_window_closes(july, clock):
    clock.now_ms = at("20T17:59:59")
    visitor = Visitor(july, july.passes.header())
    await visitor.get("/booking/identify")
    await visitor.press("확인하고 계속", **HONG)
    await visitor.get("/booking/centres/seoul")
    await visitor.press("오전 9:00")
    clock.forward(seconds=2)
    late = Visitor(july, july.passes.header(), cookies=dict(visitor.cookies))
    await late.get("/booking/centres/seoul")
    await late.press("오전 9:00")
    assert first_answer(late) == "지금은 잠시 쉬는 시간입니다"
    assert "7월 21일(수) 20시부터 다시 예약하실 수 있습니다." in late.text
    await visitor.press("예약 확정")
    assert visitor.heading == "예약이 완료되었습니다"
