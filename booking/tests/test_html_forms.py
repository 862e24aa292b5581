"""Forms: what is wrong is said beside the field, and whatever happens, what was typed stays."""

import html

import pytest

from booking.tests.visitor import CHILD, HONG, MOTHER, Visitor

FAMILY = "/booking/identify?for=family"


@pytest.fixture
def visitor(site):
    return Visitor(site, site.passes.header())


def keeps(visitor, typed):
    assert {name: value for name, value in visitor.fields().items() if name in typed} == typed


async def test_errors_are_named_beside_the_fields_and_in_a_summary_that_leads_there(visitor):
    typed = {"name": '"><1>', "birth_date": "1968", "phone": "01x"}
    await visitor.get(FAMILY)
    await visitor.press("확인하고 계속", **typed, for_name="김순자")

    assert visitor.status == 422
    keeps(visitor, typed | {"for_name": "김순자"})
    assert "<1>" not in visitor.html
    assert visitor.page.all("title")[0].text.startswith("다음 항목을 확인해 주세요")
    (summary,) = [each for each in visitor.page.all("div") if each.attributes.get("role") == "alert"]
    leads_to = [each.attributes["href"] for each in visitor.page.all("a") if summary in each.parents]
    wrong = [each for each in visitor.page.all("input") if each.attributes.get("aria-invalid")]
    assert leads_to == [f"#{each.attributes['id']}" for each in wrong]
    assert [each.attributes["id"] for each in wrong] == [
        "name",
        "birth_date",
        "phone",
        "for_birth_date",
        "for_phone",
        "consent",
    ]
    for each in wrong:
        assert f"{each.attributes['id']}-wrong" in each.attributes["aria-describedby"]


async def test_the_method_must_be_one_that_is_offered(visitor):
    await visitor.post("/booking/identify", HONG | {"method": "palmistry"})
    assert visitor.status == 422
    assert "목록에 있는 본인 확인 수단을 선택해 주세요." in visitor.text
    keeps(visitor, HONG)


async def test_nobody_books_for_themself_as_for_another(visitor):
    await visitor.get(FAMILY)
    await visitor.press(
        "확인하고 계속", **HONG, **{f"for_{name}": value for name, value in HONG.items()}, consent="yes"
    )
    assert visitor.status == 422
    assert "예약하시는 분과 같은 분입니다." in visitor.text


@pytest.mark.parametrize(
    ("trouble", "status", "said", "button"),
    [
        ({"refusal_percent": 100}, 403, "본인 확인이 되지 않았습니다", "확인하고 계속"),
        ({"failure_percent": 100}, 503, "본인 확인 서비스가 응답하지 않습니다", "다시 시도"),
    ],
)
async def test_an_identity_check_that_fails_says_what_to_do_and_keeps_everything(start, trouble, status, said, button):
    site = await start(identity={"carrier": {"latency_ms": 0, **trouble}, "certificate": {"latency_ms": 0}})
    visitor = Visitor(site, site.passes.header())
    await visitor.get(FAMILY)
    await visitor.press("확인하고 계속", **CHILD, **MOTHER)
    assert (visitor.status, "Retry-After" in visitor.headers) == (status, status == 503)
    assert said in visitor.text
    keeps(visitor, CHILD | MOTHER)
    await visitor.press(button, method="certificate")
    assert visitor.heading == "접종센터를 선택해 주세요"


async def test_too_many_checks_in_one_turn_are_refused_and_nothing_is_lost(start):
    site = await start(
        identity={"carrier": {"latency_ms": 0, "refusal_percent": 100}, "attempts_per_pass": 2},
    )
    visitor = Visitor(site, site.passes.header())
    await visitor.get("/booking/identify")
    for _ in range(3):
        await visitor.press("확인하고 계속", **HONG, method="carrier")
    assert visitor.status == 429
    assert "너무 여러 번" in visitor.text
    keeps(visitor, HONG)


async def test_each_method_has_a_light_and_the_one_that_runs_best_is_chosen(start):
    site = await start(
        identity={
            "carrier": {"latency_ms": 0, "failure_percent": 100},
            "certificate": {"latency_ms": 0},
            "attempts_per_pass": 100,
        }
    )
    visitor = Visitor(site, site.passes.header())
    await visitor.get("/booking/identify")
    assert visitor.fields()["method"] == "carrier"
    for _ in range(5):
        await visitor.post("/booking/identify", HONG | {"method": "carrier"})
    await visitor.get("/booking/identify")
    labels = {each.attributes["for"]: each.text for each in visitor.page.all("label")}
    assert "장애" in labels["method-carrier"]
    assert "원활" in labels["method-certificate"]
    assert visitor.fields()["method"] == "certificate"


async def test_an_ended_session_fills_the_form_again_but_for_the_consent(site, clock):
    visitor = Visitor(site, site.passes.header())
    await visitor.get(FAMILY)
    await visitor.press("확인하고 계속", **CHILD, **MOTHER, method="certificate")
    await visitor.follow("서울 가온")
    clock.forward(seconds=site.settings.booking.session_s + 1)
    visitor.pass_header = site.passes.header()
    await visitor.press("오전 9:00")
    assert visitor.heading == "가족 대신 예약하기", "the same form as before"
    assert "시간이 지나 본인 확인이 끝났습니다." in visitor.text
    assert visitor.fields()["name"] == "이하늘"
    assert visitor.fields()["method"] == "certificate"
    found = visitor.fields()
    assert found["for_name"] == "김순자"
    assert found["for_birth_date"] == "1967-05-14"
    assert found["consent"] is None
    await visitor.press("확인하고 계속", consent="yes")
    assert visitor.heading == "예약 내용을 확인해 주세요", "and the time that was pressed is held"


async def test_the_mothers_next_booking_finds_the_childs_own_details_filled_in(visitor):
    await visitor.get(FAMILY)
    await visitor.press("확인하고 계속", **CHILD, **MOTHER)
    await visitor.get(FAMILY)
    found = visitor.fields()
    assert (found["name"], found["for_name"], found["for_phone"]) == ("이하늘", "", "")


async def test_look_up_says_no_without_saying_which_part_was_wrong(visitor):
    await visitor.get("/booking/find")
    await visitor.press("조회", code="", birth_date="x")
    assert visitor.status == 422
    assert [each.attributes["id"] for each in visitor.page.all("input") if each.attributes.get("aria-invalid")] == [
        "code",
        "birth_date",
    ]
    typed = {"code": "AAAAA-BBBBB", "birth_date": "19680302"}
    await visitor.press("조회", **typed)
    assert visitor.status == 404
    assert "예약을 찾을 수 없습니다" in visitor.text
    keeps(visitor, typed)


@pytest.mark.parametrize("path", ["/booking/identify?for=family&slot=1", "/booking/find", "/booking/eligibility"])
async def test_what_is_typed_is_shown_as_text_only(visitor, path):
    await visitor.get(path)
    names = [name for name in visitor.fields() if name not in {"method", "consent"}]
    await visitor.post(path, dict.fromkeys(names, "<b>'\"&"))
    assert visitor.status == 422
    assert "<b>'" not in visitor.html
    assert html.unescape(visitor.html).count("<b>'\"&") == len(names)
