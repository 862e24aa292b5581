"""The journey through the pages, as a browser without JavaScript makes it."""

import hashlib
import html
import re
import sqlite3
from base64 import b64encode

import pytest

from booking.tests.conftest import PERSON
from shared.wire import PASS_HEADER

FORM = {**PERSON, "birth_date": "1968. 03. 02."}


def links(page, start):
    return [html.unescape(link) for link in re.findall(r'(?:href|formaction|action)="([^"]+)"', page) if start in link]


@pytest.fixture
def korean(site):
    return site.passes.header(number=200_123) | {"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"}


async def test_a_visitor_books_page_by_page(site, korean):
    _, _, page = await site.get("/", headers=korean)
    assert "<h1>예방접종 사전예약</h1>" in page
    assert "실제 예방접종 예약이 아니니" in page
    assert links(page, "/booking/centres/seoul")
    assert links((await site.get("/booking", headers=korean))[2], "/booking/centres/jeju")
    _, _, page = await site.get(links(page, "/booking/centres/seoul")[0], headers=korean)
    assert len(links(page, "?day=")) == 7
    _, _, page = await site.get(links(page, "?day=2021-07-21")[0], headers=korean)
    assert "7월 21일(수) 예약 가능 시간" in page
    assert "60명 가능" in page
    slot = links(page, "/booking/slots/")[0]
    _, _, page = await site.get(slot, headers=korean)
    assert "7월 21일(수) 오전 9:00" in page

    status, answered, _ = await site.post(slot, headers=korean, data=FORM)
    assert status == 303
    review = answered["Location"]
    _, answered, page = await site.get(review, headers=korean)
    assert "Sunbeon-Command" not in answered
    assert "아직 예약이 확정되지 않았습니다." in page
    assert "오후 8:05까지" in page
    assert 'data-left-s="300"' in page
    status, answered, card = await site.post(review, headers=korean)

    assert status == 200
    assert answered["Sunbeon-Command"] == "complete"
    (code,) = re.findall(r'class="code">(\w{5}-\w{5})<', card)
    for shown in ("예약이 완료되었습니다", "홍*동", "서울 가온 예방접종센터", "200,123"):
        assert shown in card
    assert "홍길동" not in card
    assert code in (await site.post(review, headers=korean))[2]

    find = {"code": code.lower(), "birth_date": "19680302"}
    _, _, page = await site.post("/booking/find", headers=korean, data=find)
    assert "예약됨" in page
    _, answered, page = await site.post("/booking/cancel", headers=korean, data=find)
    assert "예약이 취소되었습니다" in page


async def test_the_card_page_needs_no_further_request(site, korean):
    slot = await site.first_slot()
    _, answered, _ = await site.post(f"/booking/slots/{slot['id']}", headers=korean, data=FORM)
    _, _, card = await site.post(answered["Location"], headers=korean)

    assert not re.search(r"<(img|script|iframe|object|embed|video)\b|@import|url\(", card)
    assert re.findall(r"<link[^>]+>", card) == ['<link rel="icon" href="data:,">']


@pytest.mark.parametrize("path", ["/", "/booking/holds/none", "/booking/find"])
async def test_pages_carry_headers_that_let_nothing_in(site, korean, path):
    _, answered, page = await site.get(path, headers=korean)

    assert answered["X-Content-Type-Options"] == "nosniff"
    assert answered["Cache-Control"] == "no-store"
    assert answered["Referrer-Policy"] == "same-origin"
    policy = answered["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for inline in re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", page, re.DOTALL):
        assert f"'sha256-{b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'" in policy
    assert " style=" not in page
    assert not re.search(r" on\w+=", page)


async def test_the_switch_changes_the_language_and_links_keep_it(site, korean):
    _, _, page = await site.get("/booking", headers=korean)
    (switch,) = links(page, "lang=en")
    _, _, page = await site.get(switch, headers=korean)
    assert '<html lang="en">' in page
    assert "Choose a centre" in page
    (centre,) = links(page, "/booking/centres/busan")
    _, _, page = await site.get(centre, headers=korean)
    assert all("lang=en" in link for link in links(page, "?day="))
    _, answered, _ = await site.post(links(page, "/booking/slots/")[0], headers=korean, data=FORM)
    assert answered["Location"].endswith("?lang=en")


async def test_a_form_with_errors_names_them_and_keeps_what_was_typed(site, korean):
    slot = (await site.first_slot())["id"]
    typed = {"name": '"><script>', "birth_date": "1968", "phone": "01x"}

    status, _, page = await site.post(f"/booking/slots/{slot}", headers=korean, data=typed)

    assert status == 422
    assert page.count('aria-invalid="true"') == 2
    for value in typed.values():
        assert f'value="{html.escape(value)}"'.replace("&quot;", "&#34;") in page
    assert "<script>" not in page
    assert page.count('href="#') == 3


async def test_a_slot_that_just_filled_up_offers_others_and_keeps_what_was_typed(start):
    site = await start(slot_capacity=1)
    slot = await site.first_slot()
    await site.hold(site.passes.header(), slot["id"])
    headers = site.passes.header()

    status, _, page = await site.post(f"/booking/slots/{slot['id']}", headers=headers, data=FORM | {"name": "김철수"})

    assert status == 409
    assert 'value="김철수"' in page
    others = re.findall(r'formaction="([^"]+)"', page)
    assert len(others) == 6
    assert (await site.post(others[0], headers=headers, data=FORM | {"name": "김철수"}))[0] == 303


async def test_look_up_says_no_without_saying_which_part_was_wrong(site, korean):
    status, _, page = await site.post("/booking/find", headers=korean, data={"code": "", "birth_date": "x"})
    assert (status, page.count('aria-invalid="true"')) == (422, 2)
    form = {"code": "AAAAA-BBBBB", "birth_date": "19680302"}
    status, _, page = await site.post("/booking/find", headers=korean, data=form)
    assert status == 404
    assert 'value="AAAAA-BBBBB"' in page
    assert "예약을 찾을 수 없습니다" in page


async def test_a_broken_database_is_said_plainly_and_what_was_typed_goes_on(site, korean, tmp_path):
    slot = (await site.first_slot())["id"]
    with sqlite3.connect(tmp_path / "booking.db") as connection:
        connection.execute("ALTER TABLE holds RENAME TO lost")
    connection.close()

    status, answered, page = await site.post(f"/booking/slots/{slot}", headers=korean, data=FORM)

    assert (status, answered["Retry-After"]) == (503, "3")
    assert 'name="phone" value="010-1234-5678"' in page
    assert "Traceback" not in page
    assert "holds" not in page
    status, _, problem = await site.get("/api/slots", headers=korean)
    assert (status, problem["code"]) == (503, "unavailable")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://booking.example", "Host": "booking.example"}, 303),
        ({"Origin": "https://booking.example", "X-Forwarded-Host": "booking.example"}, 303),
        ({}, 303),
    ],
)
async def test_a_form_counts_only_from_our_own_pages(site, korean, headers, status):
    slot = (await site.first_slot())["id"]
    assert (await site.post(f"/booking/slots/{slot}", headers=korean | headers, data=FORM))[0] == status


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("application/x-www-form-urlencoded; charset=klingon", b"name=x", 400),
        ("application/x-www-form-urlencoded", b"name=\xff", 400),
        ("application/x-www-form-urlencoded", b"name=" + b"x" * 20_000, 413),
    ],
)
async def test_a_form_no_browser_of_ours_sends_is_refused(site, korean, content_type, body, status):
    slot = (await site.first_slot())["id"]
    headers = korean | {"Content-Type": content_type}
    assert (await site.post(f"/booking/slots/{slot}", headers=headers, data=body))[0] == status


async def test_errors_are_pages_for_people_and_problems_for_programs(site, korean):
    status, answered, page = await site.get("/nowhere", headers=korean)
    assert (status, answered.getone("Content-Type")) == (404, "text/html; charset=utf-8")
    assert "화면을 찾을 수 없습니다" in page
    status, answered, _ = await site.get("/nowhere", headers=korean | {"Accept": "application/json"})
    assert (status, answered["Content-Type"]) == (404, "application/problem+json")
    status, answered, _ = await site.request("DELETE", "/booking", headers={PASS_HEADER: korean[PASS_HEADER]})
    assert (status, answered["Allow"]) == (405, "GET,HEAD")
