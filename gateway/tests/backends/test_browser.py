"""The same servers, used by a real browser."""

import re
import secrets

import pytest
from playwright.sync_api import Page, Response, expect

from gateway.tests.backends.names import PASSWORD, USER
from gateway.tests.browser.chromium import chromium_for_tests
from gateway.tests.stand import PATIENCE_S

LEAVE = "room => fetch(`/_sunbeon/${room}/leave`, {method: 'POST'}).then(answer => answer.status)"
TALK = """size => new Promise((told, failed) => {
  const socket = new WebSocket("/echo?name=browser", ["chat.v1"]), heard = [];
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { socket.send("순번"); socket.send(new Uint8Array(size).fill(7)); };
  socket.onerror = failed;
  socket.onmessage = ({data}) => {
    heard.push(typeof data === "string" ? data : new Uint8Array(data).every(byte => byte === 7) && data.byteLength);
    if (heard.length === 2) socket.close(3000, "bye");
  };
  socket.onclose = end => told([heard, socket.protocol, socket.extensions, end.code, end.reason, end.wasClean]);
})"""
END = """path => new Promise(told => {
  const socket = new WebSocket(path);
  socket.onopen = () => { if (path === "/echo") fetch("/revoke"); };
  socket.onclose = end => told([end.code, end.reason]);
})"""
LISTEN = """() => new Promise((told, failed) => {
  const source = new EventSource("/stream/browser/?type=text/event-stream"), heard = [];
  source.onerror = failed;
  source.onmessage = ({data}) => {
    heard.push(data);
    if (heard.length === 1) fetch("/go-on/browser/");
    else { source.close(); told(heard); }
  };
})"""


@pytest.fixture(scope="module")
def chromium():
    with chromium_for_tests() as browser:
        yield browser


@pytest.fixture
def visit(chromium):
    """Makes tabs, each of a profile of its own. No page may have had a fault or missed a part."""
    contexts, faults = [], []

    def look(response: Response) -> None:
        if response.status >= 400 and not response.url.endswith("/favicon.ico"):
            faults.append(f"{response.status} {response.url}")

    def make() -> Page:
        # The certificate is signed by itself.
        context = chromium.new_context(ignore_https_errors=True, locale="en-GB")
        context.set_default_timeout(PATIENCE_S * 1000)
        context.on("response", look)
        context.on("weberror", lambda error: faults.append(str(error.error)))
        contexts.append(context)
        page: Page = context.new_page()
        return page

    yield make
    for context in contexts:
        context.close()
    assert faults == []


def cookies(page: Page) -> set[str]:
    return {each.get("name", "") for each in page.context.cookies()}


def test_an_administrator_waits_logs_in_uploads_downloads_and_logs_out(django, visit, tmp_path):
    ours = {"__Host-sunbeon_ticket_django", "__Host-sunbeon_pass_django"}
    content = secrets.token_bytes(5_000_000)
    (tmp_path / "plan.bin").write_bytes(content)
    holder, page = visit(), visit()
    holder.goto(f"{django.origin}/seen/")
    django.fill()
    try:
        arrived = page.goto(f"{django.origin}/admin/")
        assert arrived.headers["sunbeon-gate"] == "waiting"
        expect(page.locator("#n-number")).to_have_text(re.compile(r"\d"))
        assert holder.evaluate(LEAVE, django.name) == 200
        page.locator("#id_username").fill(USER)  # there as soon as the waiting page has made way
    finally:
        django.seat()
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("h1").first).to_have_text("Site administration")
    assert cookies(page) == {"csrftoken", "sessionid"} | ours

    page.goto(f"{django.origin}/admin/django_site/document/add/")
    page.locator("#id_title").fill("a plan")
    page.locator("#id_file").set_input_files(tmp_path / "plan.bin")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("was added successfully")
    page.get_by_role("link", name="a plan").first.click()
    with page.expect_download() as download:
        page.locator(".file-upload a").click()
    assert download.value.path().read_bytes() == content

    page.get_by_role("button", name="Log out").click()
    expect(page.locator("#content")).to_contain_text("Logged out")
    assert cookies(page) == {"csrftoken"} | ours
    page.goto(f"{django.origin}/admin/")
    expect(page.locator("#id_username")).to_be_visible()
    assert page.evaluate(LEAVE, django.name) == 200


def test_a_pages_websocket_talks_and_closes_in_both_directions(sockets, visit):
    page = visit()
    page.goto(f"{sockets.origin}/page")
    heard, protocol, extensions, *end = page.evaluate(TALK, 1_000_000)
    assert (heard, protocol, end) == (["순번", 1_000_000], "chat.v1", [3000, "bye", True])
    assert extensions.startswith("permessage-deflate")
    assert page.evaluate(END, "/close?code=4001&reason=later") == [4001, "later"]
    assert page.evaluate(END, "/abrupt") == [1006, ""]
    assert page.evaluate(END, "/echo")[0] == 1008


def test_a_pages_event_source_hears_events_as_they_happen(django, visit):
    page = visit()
    page.goto(f"{django.origin}/seen/")
    assert page.evaluate(LISTEN) == ["one", "two"]
    assert page.evaluate(LEAVE, django.name) == 200
