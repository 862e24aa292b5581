"""Cancelling: what would be cancelled is shown and asked first, and nothing else than that is cancelled."""

import re

import pytest

from booking.tests.conftest import MOTHER, PERSON
from booking.tests.visitor import Visitor

CANCELLED = "예약이 취소되었습니다"


async def book(site, who):
    """Somebody's booking at the first time there is: its code."""
    card = await site.book(site.passes.header(), (await site.first_slot())["id"], **who)
    return card["code"]


async def find(visitor, code, who):
    await visitor.get("/booking/find")
    field = "Find" if visitor.language == "en" else "조회"
    return await visitor.press(field, code=code, birth_date=who["birth_date"])


@pytest.fixture
async def code(site):
    return await book(site, PERSON)


@pytest.fixture
async def visitor(site, code):
    """Has opened the booking."""
    return await find(Visitor(site, site.passes.header()), code, PERSON)


async def is_cancelled(site, code, who=PERSON):
    proof = {"code": code, "birth_date": who["birth_date"]}
    status, _, card = await site.post("/api/bookings/find", headers=site.passes.header(), json=proof)
    assert status == 200, card
    return card["cancelled"]


def question(visitor):
    """What a press of "yes" sends."""
    return {each.attributes["name"]: each.attributes["value"] for each in visitor.page.all("input")}


@pytest.mark.parametrize(
    ("language", "cancel", "asked", "keep", "shown"),
    [
        (
            "ko",
            "예약 취소",
            "이 예약을 취소하시겠습니까?",
            "예약 유지하기",
            ("홍*동", "부산 물결 예방접종센터", "7월 20일(화) 오전 9:00", "되돌릴 수 없습니다"),
        ),
        (
            "en",
            "Cancel booking",
            "Cancel this booking?",
            "Keep the booking",
            ("홍*동", "Busan Mulgyeol", "Tue 20 Jul, 9:00 am", "cannot be undone"),
        ),
    ],
)
async def test_the_first_press_asks_showing_who_where_and_when(site, code, language, cancel, asked, keep, shown):
    visitor = await find(Visitor(site, site.passes.header(), language), code, PERSON)
    await visitor.follow(cancel)
    assert (visitor.status, visitor.heading) == (200, asked)
    for each in shown:
        assert each in visitor.text
    assert visitor.code.replace("-", "") == code.replace("-", "")
    await visitor.follow(keep)
    assert visitor.path == "/booking/manage"
    assert not await is_cancelled(site, code)


async def test_yes_cancels_and_sent_again_says_the_same_again(site, code, visitor):
    await visitor.follow("예약 취소")
    yes = question(visitor)
    await visitor.press("네, 취소합니다")
    assert (visitor.status, visitor.heading) == (200, CANCELLED)
    assert await is_cancelled(site, code)
    await visitor.post("/booking/cancel", yes)
    assert (visitor.status, visitor.heading) == (200, CANCELLED)


async def test_a_step_back_after_cancelling_asks_nothing_and_shows_that_it_is_cancelled(visitor):
    await visitor.follow("예약 취소")
    asked = visitor.path
    await visitor.press("네, 취소합니다")
    await visitor.get(asked)
    assert (visitor.path, visitor.heading) == ("/booking/manage", "예약 내역")
    assert "취소됨" in visitor.text
    assert "네, 취소합니다" not in visitor.text


async def test_what_was_not_shown_is_not_cancelled_when_another_booking_was_opened_meanwhile(site, code, visitor):
    await visitor.follow("예약 취소")
    yes = question(visitor)
    other = await book(site, MOTHER)
    await find(visitor, other, MOTHER)
    await visitor.post("/booking/cancel", yes)
    assert (visitor.status, visitor.heading) == (200, "이 예약을 취소하시겠습니까?")
    assert "아직 취소되지 않았습니다." in visitor.text
    assert "김*자" in visitor.text
    assert not await is_cancelled(site, code)
    assert not await is_cancelled(site, other, MOTHER)
    await visitor.press("네, 취소합니다")
    assert (await is_cancelled(site, code), await is_cancelled(site, other, MOTHER)) == (False, True)


async def test_a_booking_moved_meanwhile_is_asked_about_again_with_its_new_time(site, code, visitor):
    await visitor.follow("예약 취소")
    yes = question(visitor)
    await visitor.get("/booking/change")
    await visitor.follow("서울 가온")
    await visitor.follow("오후 1:00")
    await visitor.press("변경 확정")
    await visitor.post("/booking/cancel", yes)
    assert "아직 취소되지 않았습니다." in visitor.text
    assert "오후 1:00" in visitor.text
    assert not await is_cancelled(site, code)


@pytest.mark.parametrize("sent", [{"x": "y"}, {"code": "AAAAABBBBB"}, {"code": "<b>", "slot": "0"}])
async def test_a_press_of_no_question_of_ours_only_asks(site, code, visitor, sent):
    await visitor.post("/booking/cancel", sent)
    assert (visitor.status, visitor.heading) == (200, "이 예약을 취소하시겠습니까?")
    assert not await is_cancelled(site, code)


async def test_another_site_cannot_press_yes(site, code, visitor):
    await visitor.follow("예약 취소")
    await visitor.post("/booking/cancel", question(visitor), Sec_Fetch_Site="cross-site")
    assert (visitor.status, visitor.heading) == (403, "다른 누리집에서 온 요청입니다")
    assert not await is_cancelled(site, code)


async def test_whose_identity_has_ended_is_asked_for_the_code_again(site, code, visitor):
    await visitor.follow("예약 취소")
    yes = question(visitor)
    site.clock.forward(seconds=site.settings.booking.session_s + 1)
    visitor.pass_header = site.passes.header()
    for ask in (visitor.post("/booking/cancel", yes), visitor.get("/booking/cancel")):
        await ask
        assert visitor.heading == "예약 조회·변경·취소"
        assert "먼저 예약을 조회해 주세요." in visitor.text
    assert not await is_cancelled(site, code)


async def test_an_appointment_that_has_begun_is_not_cancelled_and_it_says_so(site, code, visitor):
    site.clock.forward(seconds=13 * 3600)
    visitor.pass_header = site.passes.header()
    await find(visitor, code, PERSON)
    await visitor.follow("예약 취소")
    await visitor.press("네, 취소합니다")
    assert (visitor.status, visitor.heading) == (409, "변경·취소할 수 있는 시간이 지났습니다")
    assert not await is_cancelled(site, code)


async def test_the_question_names_the_booking_in_no_address(visitor):
    await visitor.follow("예약 취소")
    addresses = [each.attributes.get("href") or "" for each in visitor.page.all("a")]
    addresses += [each.attributes.get("action") or "" for each in visitor.page.all("form")]
    code = visitor.code.replace("-", "")
    assert not any(code in re.sub("[^0-9A-Z]", "", address) for address in addresses)
