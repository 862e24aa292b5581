"""Django's admin behind the gate, by HTTPS: sessions, CSRF, uploads, redirects, hosts, caching, streaming."""

import re
import secrets
from io import BytesIO

import pytest
from aiohttp import ClientSession, FormData

from gateway.tests.backends.front import client, cookie_names
from gateway.tests.backends.names import HOST, OPEN_HOST, PASSWORD, USER
from shared.wire import GATE_HEADER

LOGIN = "/admin/login/?next=/admin/"
DOCUMENTS = "/admin/django_site/document/"
OURS = {"__Host-sunbeon_ticket_django", "__Host-sunbeon_pass_django"}


@pytest.fixture
async def who(django):
    async with client(django) as session:
        yield session


async def token_of(who: ClientSession, path: str) -> str:
    """What Django hid in the form at this address."""
    async with who.get(path) as page:
        assert page.status == 200
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', await page.text())
    assert found is not None
    return found[1]


async def log_in(who: ClientSession, origin: str) -> None:
    fields = {"csrfmiddlewaretoken": await token_of(who, LOGIN), "username": USER, "password": PASSWORD}
    async with who.post(LOGIN, data=fields, headers={"Origin": origin}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/admin/")


async def test_somebody_logs_in_and_out_and_both_sorts_of_cookies_live_side_by_side(django, who):
    await log_in(who, django.origin)
    async with who.get("/admin/") as page:
        assert "Site administration" in await page.text()
    assert cookie_names(who) == {"csrftoken", "sessionid"} | OURS
    async with who.get("/seen/") as seen:
        assert (await seen.json())["cookies"] == ["csrftoken", "sessionid"]
    fields = {"csrfmiddlewaretoken": await token_of(who, "/admin/")}
    async with who.post("/admin/logout/", data=fields, headers={"Referer": f"{django.origin}/admin/"}) as page:
        assert "Logged out" in await page.text()
    assert cookie_names(who) == {"csrftoken"} | OURS
    async with who.get("/admin/", allow_redirects=False) as page:
        assert (page.status, page.headers["Location"]) == (302, LOGIN)


async def test_an_uploaded_file_comes_back_byte_for_byte(django, who):
    await log_in(who, django.origin)
    content = secrets.token_bytes(6_000_001)
    form = FormData({"csrfmiddlewaretoken": await token_of(who, f"{DOCUMENTS}add/"), "title": "원고 “one”"})
    form.add_field("file", BytesIO(content), filename="원고 1.bin", content_type="application/octet-stream")
    async with who.post(f"{DOCUMENTS}add/", data=form, headers={"Referer": django.origin}) as page:
        text = await page.text()
    assert page.url.path == DOCUMENTS
    assert "was added successfully" in text
    change = re.search(rf'"({DOCUMENTS}\d+/change/)">원고 “one”', text)
    assert change is not None
    async with who.get(change[1]) as page:
        media = re.search(r'href="(/media/documents/[^"]+)"', await page.text())
    assert media is not None
    async with who.get(media[1]) as answer:
        assert int(answer.headers["Content-Length"]) == len(content)
        assert await answer.read() == content


async def test_a_form_from_another_origin_is_refused_by_django_itself(who):
    fields = {"csrfmiddlewaretoken": await token_of(who, LOGIN), "username": USER, "password": PASSWORD}
    async with who.post(LOGIN, data=fields, headers={"Origin": "https://elsewhere.test"}) as answer:
        assert (answer.status, answer.headers.get(GATE_HEADER)) == (403, None)
        assert "CSRF verification failed" in await answer.text()
    assert "sessionid" not in cookie_names(who)


async def test_lists_are_paged(django, who):
    await log_in(who, django.origin)
    async with who.get(DOCUMENTS, params={"p": 3}) as page:
        text = await page.text()
    assert "document 10" in text
    assert "document 00" not in text


async def test_django_knows_scheme_host_and_client_from_the_gateway_and_from_nobody_else(django, who):
    forged = {
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "elsewhere.test",
        "X-Forwarded-For": "192.0.2.1",
        "X_Forwarded_Host": "elsewhere.test",
        "Forwarded": "host=elsewhere.test;proto=http",
        "Sunbeon-Pass": "forged",
    }
    for headers in ({}, forged):
        async with who.get("/seen/?q=%EA%B0%80+/", headers=headers) as answer:
            assert await answer.json() == {
                "uri": f"{django.origin}/seen/?q=%EA%B0%80+/",
                "secure": True,
                "cookies": [],
                "client": "127.0.0.1",
                "pass": True,
            }


@pytest.mark.parametrize(
    ("path", "location"),
    [("/moved/", "{}/seen/"), ("/admin", "/admin/"), ("/admin/", "/admin/login/?next=/admin/")],
    ids=["absolute", "slash appended", "relative"],
)
async def test_redirects_lead_back_through_the_gateway(django, who, path, location):
    async with who.get(path, allow_redirects=False) as answer:
        assert answer.status in {301, 302}
        assert answer.headers["Location"] == location.format(django.origin)


async def test_a_host_nobody_named_is_refused_by_the_gateway_and_an_open_one_by_django(django, who):
    async with who.get("/seen/", headers={"Host": "elsewhere.test"}) as answer:
        assert (answer.status, answer.headers[GATE_HEADER]) == (421, "misdirected")
    async with who.get("/seen/", headers={"Host": OPEN_HOST}) as answer:
        assert (answer.status, answer.headers.get(GATE_HEADER)) == (400, None)
    async with who.get("/seen/", headers={"Host": f"{HOST}:{django.port}"}) as answer:
        assert answer.status == 200


async def test_what_has_not_changed_is_not_sent_again(who):
    async with who.get("/static/admin/css/base.css") as first:
        sheet = await first.read()
    assert first.headers["Content-Type"] == "text/css"
    assert int(first.headers["Content-Length"]) == len(sheet)
    since = {"If-Modified-Since": first.headers["Last-Modified"]}
    for _ in range(3):  # on one connection: an answer without a body must not swallow the next
        async with who.get("/static/admin/css/base.css", headers=since) as again:
            assert (again.status, await again.read()) == (304, b"")
        async with who.head("/static/admin/css/base.css") as head:
            assert (head.status, head.headers["Content-Length"]) == (200, str(len(sheet)))


@pytest.mark.parametrize("media", ["text/plain", "text/event-stream"])
async def test_a_streamed_answer_comes_as_it_is_made(who, media):
    name = secrets.token_hex(4)
    async with who.get(f"/stream/{name}/", params={"type": media}) as answer:
        assert "Content-Length" not in answer.headers
        assert await answer.content.readuntil(b"\n\n") == b"data: one\n\n"
        async with who.get(f"/go-on/{name}/") as told:
            assert told.status == 204
        assert await answer.content.read() == b"data: two\n\n"
