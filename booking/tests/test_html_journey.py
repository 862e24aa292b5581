"""The journeys through the pages, as a browser without JavaScript makes them. Every page's structure is looked at."""

import re

import pytest

from booking.tests.visitor import CHILD, HONG, MINJI, MOTHER, Visitor


@pytest.fixture
def come(site):
    """Somebody new, with a pass and a browser of their own."""

    def make(language="ko", **claims):
        return Visitor(site, site.passes.header(**claims), language)

    return make


async def to_times(visitor, centre="서울 가온"):
    await visitor.get("/booking")
    return await visitor.follow(centre)


async def identify(visitor, **fields):
    await visitor.get("/")
    await visitor.follow("가족 대신 예약" if "for_name" in fields else "본인 예약")
    return await visitor.press("확인하고 계속", **fields)


async def book(visitor, time="오전 9:00", **fields):
    """The code on the card."""
    await identify(visitor, **fields)
    await to_times(visitor)
    await visitor.press(time)
    await visitor.press("예약 확정")
    return visitor.code


async def cancel(visitor):
    """From the booking that was found."""
    await visitor.follow("예약 취소")
    await visitor.press("네, 취소합니다")
    assert visitor.heading == "예약이 취소되었습니다"


async def test_a_visitor_books_page_by_page(come):
    visitor = come(number=200_123)
    await identify(visitor, **HONG)
    assert visitor.heading == "접종센터를 선택해 주세요"
    assert "홍*동 님의 예약을 진행하고 있습니다." in visitor.text
    await visitor.follow("서울 가온")
    await visitor.press("오전 9:00")
    assert visitor.heading == "예약 내용을 확인해 주세요"
    assert "아직 예약이 확정되지 않았습니다." in visitor.text
    assert 'data-left-s="300"' in visitor.html
    assert "Sunbeon-Command" not in visitor.headers
    early = visitor.code
    review = visitor.path
    await visitor.press("예약 확정")

    assert (visitor.status, visitor.heading) == (200, "예약이 완료되었습니다")
    assert visitor.headers["Sunbeon-Command"].startswith("complete")
    for shown in (early, "홍*동", "서울 가온 예방접종센터", "200,123", "순서를 기다려 입장"):
        assert shown in visitor.text
    assert "홍길동" not in visitor.html
    assert visitor.cookies == {}, "whoever has the device next finds nothing"
    again = await visitor.post(review, {})
    assert early in again.text, "sent again, the same again"


async def test_the_card_page_needs_no_further_request(come):
    visitor = come()
    await book(visitor, **HONG)
    assert not re.search(r"<(img|iframe|object|embed|video)\b|@import|url\(|<script[^>]+src", visitor.html)
    assert re.findall(r"<link[^>]+>", visitor.html) == ['<link rel="icon" href="data:,">']


async def test_a_time_pressed_first_is_held_once_the_visitor_is_identified(come):
    visitor = come()
    await to_times(visitor, "부산 물결")
    assert "본인 확인을 거쳐" in visitor.text
    await visitor.press("오후 2:00")
    assert visitor.heading == "본인 확인"
    assert "부산 물결" in visitor.text
    assert "오후 2:00" in visitor.text
    await visitor.follow("가족 대신 예약")
    assert "오후 2:00" in visitor.text, "kept on the way to the other form"
    await visitor.press("확인하고 계속", **CHILD, **MOTHER)
    assert visitor.heading == "예약 내용을 확인해 주세요"
    for shown in ("김*자", "이*늘", "부산 물결", "오후 2:00"):
        assert shown in visitor.text


async def test_a_mother_booked_by_her_child_is_found_moved_and_cancelled(come):
    child = come()
    code = await book(child, **CHILD, **MOTHER)
    for shown in ("김*자", "이*늘"):
        assert shown in child.text

    child = come()
    await child.get("/booking/find")
    await child.press("조회", code=code.lower(), birth_date="1967 05 14")
    assert child.heading == "예약 내역"
    assert code in child.text
    await child.follow("일정 변경")
    assert "변경 중" in child.text
    await child.follow("부산 물결")
    await child.follow("오후 1:00")
    assert child.heading == "이렇게 변경하시겠습니까?"
    assert "서울 가온" in child.text
    await child.press("변경 확정")
    assert child.heading == "예약이 변경되었습니다"
    assert code in child.text
    assert "부산 물결" in child.text
    await cancel(child)
    await child.press("이용 마치기")
    assert child.heading == "이용을 마쳤습니다"
    assert child.headers["Sunbeon-Command"] == "complete"
    assert "booking_session" not in child.cookies


async def test_whoever_is_second_for_one_person_is_told_so_and_a_stranger_not_by_whom(come):
    child, mother = come(), come()
    await identify(child, **CHILD, **MOTHER)
    await identify(mother, **{name.removeprefix("for_"): MOTHER[name] for name in MOTHER if name != "consent"})
    for visitor in (child, mother):
        await to_times(visitor)
        await visitor.press("오전 9:00")
    await child.press("예약 확정")
    await mother.press("예약 확정")
    assert mother.heading == "예약 내역", "her own: she has proved who she is"
    assert child.code in mother.text
    again = come()
    await identify(again, **MINJI, **MOTHER)
    await to_times(again)
    await again.press("오전 9:00")
    assert (again.status, again.heading) == (409, "이미 예약이 있습니다")
    assert "예약입니다" not in again.text, "who made it is for the person to know"
    assert "이*늘" not in again.text
    assert child.code not in again.text


async def test_a_card_that_got_lost_on_the_way_is_found_again_in_the_next_turn(site, come):
    child = come()
    await identify(child, **CHILD, **MOTHER)
    await to_times(child)
    await child.press("오전 9:00")
    code, review, cookies = child.code, child.path, dict(child.cookies)
    await child.press("예약 확정")
    # The network failed: neither card nor cookie arrived, and the turn is over.
    for again in (Visitor(site, site.passes.header(), cookies=dict(cookies)) for _ in range(2)):
        await again.get(review)
        assert again.heading == "예약 내역"
        assert code in again.text
        assert "이미 예약이 있어" in again.text
    stranger = Visitor(site, site.passes.header())
    await stranger.get(review)
    assert stranger.status == 410
    assert code not in stranger.html
    assert "예약번호와 생년월일로 조회해 주세요." in stranger.text


async def test_a_visitor_who_has_a_booking_sees_it_as_soon_as_they_have_proved_who_they_are(come):
    code = await book(come(), **HONG)
    visitor = come()
    await identify(visitor, **HONG)
    assert visitor.heading == "예약 내역"
    assert code in visitor.text
    assert "이미 예약이 있어 그 내역을 보여 드립니다." in visitor.text
    await cancel(visitor)
    await to_times(visitor)
    await visitor.press("오전 9:00")
    assert visitor.heading == "예약 내용을 확인해 주세요", "in the same turn, without another identity check"


async def test_one_person_books_for_so_many_others_and_no_more(start):
    site = await start(proxy_limit=1)
    await book(Visitor(site, site.passes.header()), **CHILD, **MOTHER)
    child = Visitor(site, site.passes.header())
    await child.get("/booking/identify?for=family")
    assert "가족은 1명까지입니다." in child.text
    father = {"for_name": "시험0001", "for_birth_date": "1968-05-05", "for_phone": "01090000001", "consent": "yes"}
    await identify(child, **CHILD, **father)
    await to_times(child)
    await child.press("오전 9:00")
    assert (child.status, child.heading) == (409, "대신 예약할 수 있는 인원을 넘었습니다")


async def test_a_hold_that_is_over_says_so_and_leads_back(site, come):
    visitor = come(expires_s=site.clock() // 1000 + 3_600)
    await identify(visitor, **HONG)
    await to_times(visitor)
    await visitor.press("오전 9:00")
    site.clock.forward(seconds=site.settings.booking.hold_s)
    await visitor.press("예약 확정")
    assert visitor.status == 410
    assert "시간을 다시 선택해 주세요." in visitor.text
    await visitor.follow("접종센터를 선택해 주세요")
    assert visitor.heading == "접종센터를 선택해 주세요"


async def test_a_hold_that_is_over_leads_no_further_astray_whoever_looked_up_anothers_booking(site, come):
    code = await book(come(), **MINJI)
    visitor = come(expires_s=site.clock() // 1000 + 3_600)
    await identify(visitor, **HONG)
    await to_times(visitor)
    await visitor.press("오전 9:00")
    review = visitor.path
    await visitor.get("/booking/find")
    await visitor.press("조회", code=code, birth_date="19700228")
    site.clock.forward(seconds=site.settings.booking.hold_s)
    await visitor.get(review)
    assert (visitor.status, visitor.heading) == (200, "예약 내역")
    assert code in visitor.text
    assert "이미 예약이 있어" not in visitor.text, "it is not theirs"
    await cancel(visitor)


@pytest.mark.parametrize("held_by", ["this turn", "an earlier one"])
async def test_the_end_of_a_visit_gives_back_the_seat_this_turn_holds(start, held_by):
    site = await start(slot_capacity=1)
    code = await book(Visitor(site, site.passes.header()), "오전 10:00", **MINJI)
    visitor, other = Visitor(site, site.passes.header()), Visitor(site, site.passes.header())
    await identify(visitor, **HONG)
    await to_times(visitor)
    await visitor.press("오전 9:00")
    if held_by == "an earlier one":
        visitor.pass_header = site.passes.header()
    await visitor.get("/booking/find")
    await visitor.press("조회", code=code, birth_date="19700228")
    await visitor.press("이용 마치기")
    assert visitor.headers["Sunbeon-Command"] == "complete"
    assert visitor.cookies == {}
    await to_times(other)
    times = [button for button in other.page.all("button") if "오전 9:00" in button.text]
    assert len(times) == (2 if held_by == "this turn" else 1), "one of each vaccine"


async def test_a_seat_given_up_is_free_again(start):
    site = await start(slot_capacity=1)
    visitor = Visitor(site, site.passes.header())
    await identify(visitor, **HONG)
    await to_times(visitor)
    await visitor.press("오전 9:00")
    await visitor.press("이 자리 포기하기")
    assert "맡아 둔 자리를 돌려드렸습니다." in visitor.text
    await visitor.press("오전 9:00")
    assert visitor.heading == "예약 내용을 확인해 주세요"


async def test_a_time_that_just_filled_up_offers_others_without_a_word_typed_again(start):
    site = await start(slot_capacity=1)
    slow, quick = Visitor(site, site.passes.header()), Visitor(site, site.passes.header())
    await identify(slow, **HONG)
    await to_times(slow)
    await book(quick, **MINJI)
    await slow.press("오전 9:00")
    assert "방금 마감되었습니다" in slow.text
    assert len([button for button in slow.page.all("button") if "오전 9:00" in button.text]) == 1, "the other vaccine's"
    await slow.press("오전 10:00")
    assert slow.heading == "예약 내용을 확인해 주세요"


async def test_a_new_seat_that_is_gone_leaves_the_old_one(start):
    site = await start(slot_capacity=1)
    visitor, other = Visitor(site, site.passes.header()), Visitor(site, site.passes.header())
    code = await book(visitor, **HONG)
    visitor = Visitor(site, site.passes.header())
    await visitor.get("/booking/find")
    await visitor.press("조회", code=code, birth_date="19680302")
    await visitor.follow("일정 변경")
    await visitor.follow("서울 가온")
    await visitor.follow("오전 10:00")
    await book(other, "오전 10:00", **MINJI)
    await visitor.press("변경 확정")
    assert "방금 마감되었습니다" in visitor.text
    await visitor.follow("변경하지 않고 돌아가기")
    assert "오전 9:00" in visitor.text


async def test_centres_are_searched_by_name_region_and_address(come):
    visitor = come()
    await visitor.get("/booking")
    for q, found in {"부산": "부산 물결", "누리": "광주 누리", "과학길": "대전 한별"}.items():
        await visitor.press("찾기", q=q)
        listed = [link.text for link in visitor.page.all("a") if "예방접종센터" in link.text]
        assert len(listed) == 1
        await visitor.follow(found)
        await visitor.get("/booking")
    await visitor.press("찾기", q="없는곳")
    assert "맞는 센터가 없습니다" in visitor.text
    await visitor.follow("모든 센터 보기")
    assert "제주 다솜" in visitor.text


async def fill_a_day(site, centre="seoul"):
    """Book every seat of the centre's first day; the codes, with whose they are."""
    _, _, found = await site.get(f"/api/slots?centre={centre}", headers=site.passes.header())
    day = found["slots"][0]["starts_at"][:10]
    booked = []
    for n, slot in enumerate(each for each in found["slots"] if each["starts_at"].startswith(day)):
        who = {"name": f"시험{n:04}", "birth_date": f"1968-05-{n + 1:02}", "phone": f"0109000{n:04}"}
        card = await site.book(site.passes.header(), slot["id"], **who)
        booked.append((card["code"], who["birth_date"]))
    return booked


async def test_a_full_day_offers_the_waitlist_and_a_seat_that_comes_free_goes_to_it(start):
    site = await start(slot_capacity=1)
    booked = await fill_a_day(site)
    visitor = Visitor(site, site.passes.header())
    await to_times(visitor)
    assert "마감" not in visitor.page.all("h2")[0].text
    await visitor.follow("7월 20일(화)")
    assert "이 날은 자리가 모두 찼습니다." in visitor.text
    await visitor.follow("백신 종류와 관계없이 대기 신청")
    await visitor.press("대기 신청")
    assert visitor.heading == "본인 확인"
    assert "7월 20일(화)" in visitor.text, "the day is kept"
    await visitor.press("확인하고 계속", **HONG)
    await visitor.press("대기 신청")
    assert visitor.heading == "대기 신청이 접수되었습니다"
    assert "없음 (다음 차례입니다)" in visitor.text
    code = visitor.code

    family = Visitor(site, site.passes.header())
    await family.get("/booking/find")
    await family.press("조회", code=code, birth_date="19680302")
    assert family.heading == "대기 신청 내역"
    await site.post(
        "/api/bookings/cancel",
        headers=site.passes.header(),
        json=dict(zip(("code", "birth_date"), booked[2], strict=True)),
    )
    await family.get("/booking/manage")
    assert family.heading == "예약 내역"
    assert "예약됨" in family.text
    assert code in family.text, "by the code of the waitlist"


async def test_a_place_on_the_waitlist_is_given_up(start):
    site = await start(slot_capacity=1)
    await fill_a_day(site)
    visitor = Visitor(site, site.passes.header())
    await identify(visitor, **HONG)
    await visitor.follow("서울 가온")
    await visitor.follow("7월 20일(화)")
    await visitor.follow("누리백신 대기 신청")
    await visitor.press("대기 신청")
    assert "누리백신" in visitor.text
    code = visitor.code
    await visitor.get("/booking/find")
    await visitor.press("조회", code=code, birth_date="19680302")
    await visitor.press("대기 취소")
    assert visitor.heading == "대기가 취소되었습니다"
    await visitor.get("/booking/find")
    await visitor.press("조회", code=code, birth_date="19680302")
    assert visitor.status == 404


async def test_the_switch_changes_the_language_and_everything_after_keeps_it(come):
    visitor = come()
    await visitor.get("/")
    await visitor.follow("English")
    assert visitor.heading == "Book a vaccination"
    await visitor.follow("Book for myself")
    await visitor.press("Confirm and continue", **MINJI)
    await visitor.follow("Busan Mulgyeol")
    await visitor.press("9:00 am")
    assert visitor.heading == "Check your booking"
    await visitor.press("Confirm booking")
    assert visitor.heading == "You are booked"
    assert "K** M****" in visitor.text


async def test_starting_over_forgets_who_was_there(come):
    visitor = come()
    await identify(visitor, **CHILD, **MOTHER)
    await visitor.press("입력 내용 지우고 처음부터")
    assert visitor.heading == "예방접종을 예약합니다"
    assert 'data-forget="self family find"' in visitor.html
    assert "booking_session" not in visitor.cookies
    await visitor.get("/booking/identify?for=family")
    assert set(visitor.fields().values()) <= {"", None, "carrier"}
