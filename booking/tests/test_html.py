"""What holds for every page: headers, problems, and which requests are heard at all."""

import hashlib
import html
import re
from base64 import b64encode
from datetime import date

import pytest
from aiohttp.test_utils import make_mocked_request

from booking import errors, texts
from booking.routes import problems
from booking.routes.html.table import routes
from booking.tests.conftest import START_MS
from booking.tests.structure import Page, faults_of
from booking.tests.visitor import Visitor
from shared.calendar_file import find_calendar, read_calendar
from shared.rules.calendar import judge
from shared.wire import PASS_HEADER

FIND = {"code": "AAAAA-BBBBB", "birth_date": "19680302"}


@pytest.fixture
def korean(site):
    return site.passes.header() | {"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"}


@pytest.mark.parametrize(
    "path", ["/", "/booking/holds/none", "/booking/find", "/booking/identify", "/booking/eligibility"]
)
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


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 404),
        ({"Sec-Fetch-Site": "none"}, 404),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://booking.example", "Host": "booking.example"}, 404),
        ({"Origin": "https://booking.example", "X-Forwarded-Host": "booking.example"}, 404),
        ({}, 404),
    ],
)
async def test_a_form_counts_only_from_our_own_pages(site, korean, headers, status):
    assert (await site.post("/booking/find", headers=korean | headers, data=FIND))[0] == status


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
    headers = korean | {"Content-Type": content_type}
    assert (await site.post("/booking/find", headers=headers, data=body))[0] == status


async def test_errors_are_pages_for_people_and_problems_for_programs(site, korean):
    status, answered, page = await site.get("/nowhere", headers=korean)
    assert (status, answered.getone("Content-Type")) == (404, "text/html; charset=utf-8")
    assert "화면을 찾을 수 없습니다" in page
    status, answered, _ = await site.get("/nowhere", headers=korean | {"Accept": "application/json"})
    assert (status, answered["Content-Type"]) == (404, "application/problem+json")
    status, answered, _ = await site.request("DELETE", "/booking", headers={PASS_HEADER: korean[PASS_HEADER]})
    assert (status, answered["Allow"]) == (405, "GET,HEAD")


async def test_no_page_leads_off_the_site_whatever_its_address(site, korean):
    address = f"{site.server.make_url('/')}/evil.example/x?q=a&lang=ko"
    async with site.client.get(address, headers=korean) as response:
        told = await response.text()
    assert response.status == 404
    assert faults_of(told, "ko") == []
    page = Page()
    page.feed(told)
    (switch,) = [each.attributes["href"] for each in page.all("a") if each.text == "English"]
    assert switch == "?q=a&lang=en", "in the place of this page's query"


@pytest.mark.parametrize(
    "day",
    ["0001-01-01", "1899-12-31", "2201-01-01", "9999-12-31", "20210720", "2021-W29-2", "2021-02-30", "٢٠٢١-07-20", ""],
)
async def test_a_day_in_an_address_is_written_as_we_write_it_and_near_enough(site, day):
    visitor = Visitor(site, site.passes.header())
    await visitor.get(f"/booking/waitlist?centre=seoul&day={day}")
    assert (visitor.status, visitor.heading) == (422, "입력 내용을 확인해 주세요")
    await visitor.post(f"/booking/identify?centre=seoul&day={day}", {"name": "시험0001"})
    assert (visitor.status, visitor.fields()["name"]) == (422, "시험0001")
    await visitor.get(f"/booking/identify?centre=seoul&day={day}")
    assert (visitor.status, visitor.page.all("section")) == (200, [])


@pytest.mark.parametrize("day", ["1900-01-01", "2021-07-20", "2200-12-31"])
async def test_any_other_day_can_be_shown(site, day):
    visitor = Visitor(site, site.passes.header())
    for path in ("waitlist", "identify"):
        await visitor.get(f"/booking/{path}?centre=seoul&day={day}")
        assert (visitor.status, len(visitor.page.all("section"))) == (200, 1)


def example(kind):
    if kind is errors.NotEligible:
        calendar = read_calendar(find_calendar("july-2021"))
        return kind(judge(calendar, date(1968, 3, 2), {}, START_MS))
    return kind({"name": "name_missing"} if kind is errors.InvalidFields else "said to nobody")


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("kind", problems.STATUS, ids=lambda kind: kind.__name__)
def test_every_problem_says_what_happened_and_where_to_go_on(site, kind, language):
    headers = {"Accept-Language": language}
    request = make_mocked_request("POST", "/booking/slots/1", headers=headers, app=site.server.app)
    told = problems.answer(request, example(kind)).text or ""
    assert faults_of(told, language) == []
    page = Page()
    page.feed(told)
    assert page.all("h1")[0].text == texts.say(kind.code, language)
    assert texts.say(f"{kind.code}_do", language) in html.unescape(told)
    assert any("go" in (each.attributes.get("class") or "").split() for each in page.all("a", "button"))
    assert "said to nobody" not in told


def test_every_address_a_form_is_sent_to_can_be_opened():
    """The waiting page may take the place of any answer, and then brings its visitor to that address."""
    found = {method: {route.path for route in routes() if route.method == method} for method in ("GET", "POST")}
    assert found["POST"] <= found["GET"]
    assert len(found["POST"]) > 8


async def test_those_addresses_lead_somewhere_sensible_without_a_session(site):
    visitor = Visitor(site, site.passes.header())
    slot = (await site.first_slot())["id"]
    for path, heading in {
        f"/booking/slots/{slot}": "선택하신 시간",
        "/booking/cancel": "예약 조회·변경·취소",
        "/booking/change": "예약 조회·변경·취소",
        f"/booking/change/slots/{slot}": "예약 조회·변경·취소",
        "/booking/waitlist/leave": "예약 조회·변경·취소",
        "/booking/finish": "예방접종을 예약합니다",
        "/booking/start-over": "예방접종을 예약합니다",
    }.items():
        await visitor.get(path)
        assert (visitor.status, visitor.heading) == (200, heading), path
    for path in ("/booking/cancel", "/booking/waitlist/leave", f"/booking/change/slots/{slot}"):
        await visitor.post(path, {})
        assert visitor.heading == "예약 조회·변경·취소"
        assert "먼저 예약을 조회해 주세요." in visitor.text


async def test_a_sold_out_site_says_so_before_anyone_types_a_thing(start, clock):
    site = await start(slot_capacity=1)
    visitor = Visitor(site, site.passes.header())
    _, _, found = await site.get("/api/slots", headers=site.passes.header())
    slots = [slot["id"] for slot in found["slots"]]
    for n, slot in enumerate(slots):
        who = {"name": f"시험{n:04}", "birth_date": "1968-05-05", "phone": f"0109000{n:04}"}
        assert (await site.hold(site.passes.header(), slot, **who))[0] == 201
    clock.forward(seconds=1)
    await visitor.get("/")
    assert "지금 남은 자리가 없습니다" in visitor.text
    assert f"{len(slots)}자리가 아직 확정되지 않았습니다." in visitor.text
    clock.forward(seconds=site.settings.booking.hold_s + 2)
    visitor.pass_header = site.passes.header()
    await visitor.get("/")
    assert "남은 자리가 없습니다" not in visitor.text
