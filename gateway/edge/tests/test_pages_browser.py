"""The waiting page in a real Chromium: it shows what it is told, bears anything, and never enters by itself."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest

from gateway.edge.pages import NOTICE_KINDS, SAMPLE_STATES, SAMPLE_STATUS, Pages, WaitView
from gateway.tests.browser.chromium import chromium_for_tests

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages_browser")]

STATUS_URL = "/_sunbeon/vaccine/status"
LEAVE_URL = "/_sunbeon/vaccine/leave"
PAGES = Pages()
NO_ICON = '<link rel="icon" href="data:,">'


def status(**changes):
    return {
        **SAMPLE_STATUS,
        "state": "waiting",
        "room_state": "open",
        "opens_at_ms": None,
        "poll_after_ms": 1000,
        "server_time_ms": time.time_ns() // 1_000_000,
        "as_of_ms": time.time_ns() // 1_000_000,
        "ticket": "v1.ticket",
        **changes,
    }


class Gate(ThreadingHTTPServer):
    """A stand-in for the gate: `answer` gives what it says when asked, `page_status` is in the page."""

    page_status: dict[str, object]
    answer: Callable[[], tuple[Any, ...]]  # status code, content type, body and, if any, headers

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/book?day=1"
        self.reset()

    def reset(self):
        self.language = "en"
        self.page = lambda: PAGES.waiting(
            WaitView("vaccine", {"en": "Vaccines"}, self.page_status, STATUS_URL, LEAVE_URL, 2), self.language
        )
        self.page_status = status()
        self.answer = lambda: (200, "application/json", json.dumps(status()))
        self.pages_asked, self.polls, self.tickets, self.posts, self.other = 0, [], [], [], []


class Handler(BaseHTTPRequestHandler):
    server: Gate

    def log_message(self, *_):
        """Keep quiet."""

    def reply(self, code, content_type, body, **headers):
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        gate = self.server
        if self.path == STATUS_URL:
            gate.polls.append(time.monotonic())
            gate.tickets.append(self.headers.get("Sunbeon-Ticket"))
            code, content_type, body, *more = gate.answer()
            self.reply(code, content_type, body.encode(), **(more[0] if more else {}))
        elif self.path.startswith("/book"):
            gate.pages_asked += 1
            page = gate.page()
            if isinstance(page, str):
                self.reply(200, "text/html; charset=utf-8", page.encode())
            else:
                self.reply(200, "text/html; charset=utf-8", page.body, Content_Security_Policy=page.csp)
        else:
            gate.other.append(self.path)
            self.reply(404, "text/plain", b"")

    def do_POST(self):
        self.server.posts.append(self.path)
        self.reply(200, "text/html", (NO_ICON + "<title>left</title>").encode())


@pytest.fixture(scope="module")
def server():
    gate = Gate()
    threading.Thread(target=gate.serve_forever, daemon=True).start()
    yield gate
    gate.shutdown()
    gate.server_close()


@pytest.fixture
def gate(server):
    server.reset()
    return server


@pytest.fixture(scope="module")
def chromium():
    with chromium_for_tests() as browser:
        yield browser


@pytest.fixture
def visit(chromium, gate):
    """Open a page in a fresh profile; at the end no script error, refused script or request elsewhere may have been."""
    contexts, faults = [], []

    def open_page(expected_noise=(), **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda message: (
                faults.append(message.text)
                if message.type == "error" and not any(noise in message.text for noise in expected_noise)
                else None
            ),
        )
        page.goto(gate.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
    assert gate.other == [], "nothing else is asked for, not even an icon"


def until(condition):
    deadline = time.monotonic() + 8
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def text(page, place):
    return page.locator(f"#n-{place}").text_content()


def comes(page, place, wanted):
    page.wait_for_function(
        "([place, wanted]) => document.getElementById('n-' + place).textContent.includes(wanted)",
        arg=[place, wanted],
        timeout=8000,
    )


def test_a_knock_is_brought_back_at_once_and_the_number_appears(gate, visit):
    gate.page_status = status(number=None, place=None, ahead=None, eta_ms=None, poll_after_ms=120_000, ticket="knock")
    gate.answer = lambda: (200, "application/json", json.dumps(status(ticket="v1.mine", number=4711, ahead=3)))
    page = visit()
    comes(page, "number", "4,711")
    until(lambda: len(gate.polls) >= 2)
    assert gate.tickets[:2] == ["knock", "v1.mine"], "the newest ticket is kept and sent"
    assert text(page, "count") == "3"
    assert page.title().startswith("3 ahead")


def test_the_page_without_its_script_says_what_the_script_says(gate, visit):
    cases = [status(state=state, room_state=room, opens_at_ms=9_999_999_999_999) for state, room in SAMPLE_STATES]
    cases += [status(ahead=0), status(ahead=1), status(number=None, ahead=None), status(eta_ms=None)]
    waits_s = [(0, 0), (9, 60), (10, 61), (60, 60), (700, 1130), (1201, 1210), (2000, 2610), (5400, 5401)]
    waits_s += [(3000, 9000), (17_990, 18_010), (60_000, 86_401), (180_000, 341_160)]
    cases += [status(eta_ms=[low * 1000, high * 1000]) for low, high in waits_s]
    later = status()["server_time_ms"] + 86_400_000
    opening = {"room_state": "prequeue", "opens_at_ms": later}
    cases += [status(**opening, ahead=ahead) for ahead in (0, 1, 2, None)]
    cases += [status(**opening, draw="pending", place=None, ahead=None), status(**opening, postponed_from_ms=later - 1)]
    cases += [status(draw="drawn", draw_size=size) for size in (0, 1_234_566, 1_234_567)]
    own = {"verdict": "not_yet", "rule": "50-52/1", "opens_at_ms": later, "closes_at_ms": None}
    cases += [status(draw="wave_pending", wave="50-52", eligibility=own, place=None, ahead=None)]
    cases += [status(draw="wave_drawn", wave="50-52", draw_size=1_234_567)]
    cases += [status(closes_at_ms=status()["server_time_ms"] + minutes * 60_000) for minutes in (20, 40)]
    page = visit()
    for language in ("ko", "en"):
        gate.language = language
        for case in cases:
            gate.page_status = {**case, "poll_after_ms": 120_000}
            page.goto("about:blank")
            page.goto(gate.url)
            differences = page.evaluate(
                """async () => {
                    const body = await (await fetch(location.href)).text();
                    const plain = new DOMParser().parseFromString(body, 'text/html');
                    const seen = (root, id) => {
                        const place = root.getElementById('n-' + id);
                        return place.closest('[hidden]') ? '' : place.textContent.trim().slice(0, 60);
                    };
                    const drawn = seen(document, 'draw-text').includes('1,234,56') ? ['draw-text'] : [];
                    const alike = ['head', 'lead', 'before', 'count', 'after', 'eta', 'number', 'message-text',
                        'advice', 'ahead-told', ...drawn];
                    // Times are written in the reader's own way.
                    const there = ['opens', 'closes', 'postponed', 'draw-text'];
                    return alike.map((id) => [id, seen(plain, id), seen(document, id)])
                        .concat(there.map((id) => [id, seen(plain, id) !== '', seen(document, id) !== '']))
                        .filter(([, a, b]) => a !== b);
                }"""
            )
            if case["number"] is not None:
                assert differences == [], case


def test_offline_keeps_the_place_says_so_and_goes_on_by_itself(gate, visit):
    page = visit(expected_noise=["ERR_INTERNET_DISCONNECTED"])
    until(lambda: gate.polls)
    page.context.set_offline(True)
    comes(page, "state", "Your place is kept")
    page.wait_for_timeout(2500)
    polls = len(gate.polls)
    assert text(page, "number") == "1,234,567"
    assert "offline" in text(page, "state")
    page.context.set_offline(False)
    comes(page, "state", "Connected")
    assert len(gate.polls) > polls
    assert gate.pages_asked == 1, "it never left the waiting page"


@pytest.mark.parametrize(
    "answer",
    [
        (500, "text/plain", "oops"),
        (503, "application/json", json.dumps(status(state="called"))),
        (200, "text/html", "<h1>Welcome to our Wi-Fi</h1>"),
        (200, "application/json", "{"),
        (200, "application/json", "null"),
        (200, "application/json", '{"state": "inside"}'),
        (200, "application/json", json.dumps({**status(state="called"), "number": "1"})),
        (200, "application/json", json.dumps({**status(), "state": "admin"})),
        (302, "text/plain", "", {"Location": "/book?portal"}),
    ],
    ids=["500", "503", "portal", "torn", "null", "part", "types", "unknown", "redirect"],
)
def test_an_error_or_a_made_up_answer_lets_nobody_in_and_loses_nothing(gate, visit, answer):
    gate.answer = lambda: answer
    page = visit(expected_noise=["Failed to load resource", "ERR_FAILED"])
    page.evaluate("dispatchEvent(new Event('online'))")
    comes(page, "state", "We are catching up. Your place is kept.")
    assert text(page, "number") == "1,234,567"
    gate.answer = lambda: (200, "application/json", json.dumps(status(ahead=42)))
    page.evaluate("dispatchEvent(new Event('online'))")
    comes(page, "count", "42")
    assert text(page, "state") == "Connected"
    assert gate.pages_asked == 1


def test_while_the_line_cannot_be_asked_the_page_says_that_the_place_is_kept_and_unsays_it_afterwards(gate, visit):
    page = visit()
    assert page.locator("#n-away").is_hidden()
    long_ago = status()["server_time_ms"] - 3_600_000
    away = {"catching_up": True, "eta_ms": None, "as_of_ms": long_ago}
    gate.answer = lambda: (200, "application/json", json.dumps(status(**away)))
    comes(page, "away", "We are catching up. Your place is kept")
    checked = text(page, "checked")
    assert text(page, "state") == "", "it does not say that all is well"
    assert "catching up" in text(page, "live")
    assert (text(page, "number"), text(page, "count")) == ("1,234,567", "123,456")
    gate.answer = lambda: (200, "application/json", json.dumps(status(**away, number=None, ahead=None)))
    comes(page, "away", "your number comes by itself")
    gate.answer = lambda: (200, "application/json", json.dumps(status(ahead=42)))
    comes(page, "count", "42")
    assert page.locator("#n-away").is_hidden()
    assert text(page, "state") == "Connected"
    assert text(page, "checked")[:15] != checked[:15], "the hour before was not said to be now"
    assert gate.pages_asked == 1


def test_a_turn_that_cannot_be_taken_yet_is_said_to_be_kept_and_the_page_stays(gate, visit):
    called = {"state": "called", "ahead": 0, "eta_ms": None, "catching_up": True}
    gate.page_status = status(**called, poll_after_ms=100)
    gate.answer = lambda: (200, "application/json", json.dumps(status(**called)))
    page = visit()
    comes(page, "away", "Your turn is kept")
    until(lambda: len(gate.polls) >= 2)
    assert gate.pages_asked == 1
    assert page.title() != "Your turn!"
    gate.page = lambda: NO_ICON + "<title>The booking</title>"
    gate.answer = lambda: (200, "application/json", json.dumps(status(state="inside")))
    until(lambda: page.title() == "The booking")


def test_without_a_script_the_page_says_it_too(gate, visit):
    gate.page_status = status(catching_up=True, eta_ms=None)
    page = visit(java_script_enabled=False)
    assert page.locator("#n-away").is_visible()
    assert "Your place is kept" in text(page, "away")


def test_answers_of_an_older_gateway_are_understood(gate, visit):
    """While gateways are replaced one by one, a page of a new one may ask an old one."""
    old = status(ahead=42)
    for name in ("as_of_ms", "catching_up", "draw", "draw_size", "postponed_from_ms", "closes_at_ms"):
        del old[name]
    gate.answer = lambda: (200, "application/json", json.dumps(old))
    page = visit()
    comes(page, "count", "42")
    assert text(page, "state") == "Connected"


def test_a_turn_asks_the_server_for_the_page_and_the_server_decides(gate, visit):
    page = visit()
    page.evaluate("location.hash = 'here'")
    gate.page = lambda: NO_ICON + "<title>The booking</title>"
    gate.answer = lambda: (200, "application/json", json.dumps(status(state="called", ahead=0)))
    until(lambda: page.title() == "The booking")
    assert page.url == gate.url
    assert gate.pages_asked == 2


def test_a_turn_the_server_does_not_confirm_causes_no_storm(gate, visit):
    gate.answer = lambda: (200, "application/json", json.dumps(status(state="called", ahead=0)))
    page = visit()
    page.wait_for_timeout(6000)
    assert 2 <= gate.pages_asked <= 4
    assert "1,234,567" in page.content()


@pytest.mark.parametrize("state", ["outside", "inside", "used", "refused"])
def test_whatever_else_the_server_has_to_show_is_asked_of_it(gate, visit, state):
    page = visit()
    gate.page = lambda: NO_ICON + "<title>Something else</title>"
    gate.answer = lambda: (200, "application/json", json.dumps(status(state=state)))
    until(lambda: page.title() == "Something else")


def test_at_the_door_and_while_closed_it_stays_and_keeps_asking(gate, visit):
    for change, heading in (
        ({"state": "at_door"}, "You are about to go in"),
        ({"room_state": "closed"}, "The line is closed"),
        ({"room_state": "paused"}, "Entry is paused for the moment"),
        ({}, "You are in line"),
    ):
        gate.answer = lambda change=change: (200, "application/json", json.dumps(status(**change)))
        if not gate.pages_asked:
            page = visit()
        comes(page, "head", heading)
    assert gate.pages_asked == 1


def test_the_bar_never_goes_back_not_even_over_a_reload(gate, visit):
    aheads = iter([100, 60, 80, 50, *[90] * 100])
    gate.page_status = status(ahead=100)
    gate.answer = lambda: (200, "application/json", json.dumps(status(ahead=next(aheads))))
    page = visit()
    seen = []
    for _ in range(5):
        polls = len(gate.polls)
        until(lambda polls=polls: len(gate.polls) > polls)
        page.wait_for_timeout(50)
        seen.append(int(page.locator("#n-bar").get_attribute("aria-valuenow")))
    gate.page_status = status(ahead=90)
    page.reload()
    seen.append(int(page.locator("#n-bar").get_attribute("aria-valuenow")))
    assert seen == sorted(seen)
    assert seen[-1] == 50


def test_it_asks_when_told_and_never_more_than_once_a_second(gate, visit):
    gate.answer = lambda: (200, "application/json", json.dumps(status(poll_after_ms=1)))
    page = visit()
    for _ in range(20):
        page.evaluate("dispatchEvent(new Event('online')); document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_timeout(100)
    # By the page's own clock: on its way to the gate a request may be held up.
    asked = page.evaluate("performance.getEntriesByType('resource').map((each) => [each.name, each.startTime])")
    asked_ms = [at_ms for url, at_ms in asked if url.endswith(STATUS_URL)]
    gaps_ms = [after - before for before, after in pairwise(asked_ms)]
    assert gaps_ms
    assert min(gaps_ms) > 900
    gate.answer = lambda: (200, "application/json", json.dumps(status(poll_after_ms=60_000)))
    page.wait_for_timeout(1500)
    polls = len(gate.polls)
    page.wait_for_timeout(2000)
    assert len(gate.polls) == polls


def test_a_busy_server_is_not_asked_sooner_than_it_said(gate, visit):
    gate.page_status = status(number=None, poll_after_ms=60_000)
    gate.answer = lambda: (503, "text/plain", "")
    page = visit(expected_noise=["Failed to load resource"])
    comes(page, "state", "catching up")
    page.wait_for_timeout(3000)
    assert len(gate.polls) == 1


def test_nothing_can_be_called_or_changed_from_the_console(gate, visit):
    page = visit()
    added = page.evaluate(
        """() => {
            const frame = document.body.appendChild(document.createElement('iframe'));
            const plain = new Set(Object.getOwnPropertyNames(frame.contentWindow));
            frame.remove();
            return Object.getOwnPropertyNames(window).filter((name) => !plain.has(name) && !/^\\d+$/.test(name));
        }"""
    )
    assert [name for name in added if not name.startswith("__playwright") and name != "__pwInitScripts"] == []
    assert page.evaluate("Object.values(sessionStorage).join().includes('v1.ticket')") is False
    assert page.evaluate("localStorage.length") == 0


def test_a_message_that_comes_later_is_text(gate, visit):
    gate.answer = lambda: (200, "application/json", json.dumps(status(message="<img src=/x onerror=alert(1)> moved")))
    page = visit()
    comes(page, "message-text", "<img src=/x onerror=alert(1)> moved")
    assert page.locator("#n-message").is_visible()
    assert page.locator("img").count() == 0


def test_a_device_clock_that_is_wrong_is_shown_and_said_not_to_matter(gate, visit):
    page = visit()
    page.wait_for_timeout(200)
    assert page.locator("#n-differ").is_hidden()
    hour = 3_600_000
    gate.answer = lambda: (200, "application/json", json.dumps(status(server_time_ms=time.time_ns() // 10**6 - hour)))
    page.locator("#n-differ").wait_for(state="visible", timeout=8000)
    assert "does not matter" in text(page, "differ")
    assert text(page, "clock")[:5] != text(page, "device")[:5]


def test_before_opening_it_counts_down_by_the_servers_clock(gate, visit):
    now = 1_800_000_000_000  # not the device's day
    gate.page_status = status(room_state="prequeue", server_time_ms=now, opens_at_ms=now + 7_384_000)
    gate.page_status["poll_after_ms"] = 60_000
    page = visit()
    assert text(page, "left")[:5] in {"02:03", "02:02"}
    assert page.locator("#n-opens").is_visible()
    gate.page_status = {**gate.page_status, "opens_at_ms": now - 1}
    page.reload()
    assert text(page, "left") == "Opening now"
    assert page.locator("#n-left-label").is_hidden()
    assert "settled already" in text(page, "opening")
    gate.page_status = {**gate.page_status, "draw": "pending", "place": None, "ahead": None}
    page.reload()
    assert "brings no better one" in text(page, "opening")


def stop_its_clock(page):
    """From now on only `run_for` moves it. It is a second ahead, and by what loading took."""
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)


def asks_within(page, seconds):
    """Whether the page asks while its clock moves by so much."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(seconds * 1000)
    page.evaluate("0")  # what happened before this has been told
    return any(STATUS_URL in url for url in asked)


@pytest.mark.parametrize("known", [{}, {"draw": "pending", "place": None, "ahead": None}, {"catching_up": True}])
def test_around_an_opening_the_page_asks_when_told_and_not_sooner(gate, visit, known):
    """When that is, the server has drawn by lot: a page that added its own would undo it."""
    now = 1_800_000_000_000
    gate.page_status = status(
        room_state="prequeue", server_time_ms=now, opens_at_ms=now + 100_000, poll_after_ms=125_000, **known
    )
    page = visit()
    page.clock.install(time=time.time())
    gate.polls.clear()
    page.reload()
    stop_its_clock(page)
    assert not asks_within(page, 110)
    assert asks_within(page, 30)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "The opening was moved from 20:00 to 22:00. Your place is kept."),
        ("ko", "변경 전 20:00, 변경 후 22:00입니다. 받으신 순서는 그대로 유지됩니다."),
    ],
)
def test_an_opening_that_is_moved_is_told_in_the_readers_time_and_read_aloud(gate, visit, language, sentence):
    eight = 1_626_692_400_000  # 20:00 in Seoul, 19 July 2021
    gate.language = language
    before = {"room_state": "prequeue", "server_time_ms": eight - 1_800_000, "opens_at_ms": eight}
    gate.page_status = status(**before)
    gate.answer = lambda: (200, "application/json", json.dumps(status(**before)))
    page = visit(timezone_id="Asia/Seoul")
    until(lambda: gate.polls)
    assert page.locator("#n-postponed").is_hidden()
    moved = {**before, "opens_at_ms": eight + 7_200_000, "postponed_from_ms": eight}
    gate.answer = lambda: (200, "application/json", json.dumps(status(**moved)))
    comes(page, "postponed", sentence)
    assert page.locator("#n-postponed").is_visible()
    assert sentence in text(page, "live")
    assert text(page, "left")[:5] in {"02:30", "02:29"}
    tomorrow = {**moved, "opens_at_ms": eight + 50_400_000}
    gate.answer = lambda: (200, "application/json", json.dumps(status(**tomorrow)))
    comes(page, "postponed", {"en": "July 20", "ko": "7월 20일"}[language])
    gate.answer = lambda: (200, "application/json", json.dumps(status()))
    page.locator("#n-postponed").wait_for(state="hidden", timeout=8000)


def test_leaving_takes_two_steps_and_needs_no_script(gate, visit):
    for options in ({}, {"java_script_enabled": False}):
        page = visit(**options)
        yes = page.get_by_role("button", name="Yes, give up my place")
        assert not yes.is_visible()
        page.locator("summary").click()
        page.get_by_role("link", name="No, keep waiting").click()
        page.wait_for_load_state()
        assert not yes.is_visible()
        assert gate.posts == []
        page.locator("summary").click()
        with page.expect_navigation():
            yes.click()
        assert page.title() == "left"
        assert gate.posts == [LEAVE_URL]
        gate.posts.clear()


def test_without_a_script_the_page_refreshes_itself(gate, visit):
    page = visit(java_script_enabled=False)
    assert page.get_by_text("123,456").is_visible()
    assert page.get_by_text("1,234,567").is_visible()
    until(lambda: gate.pages_asked >= 2)
    assert gate.polls == []


def test_the_numbers_are_read_aloud_at_a_sensible_rate(gate, visit):
    aheads = iter(range(1000, 0, -1))
    gate.answer = lambda: (200, "application/json", json.dumps(status(ahead=next(aheads))))
    page = visit()
    until(lambda: len(gate.polls) >= 1)
    said = text(page, "live")
    until(lambda: len(gate.polls) >= 3)
    assert "123,456" in said
    assert text(page, "live") == said, "not on every tick"
    gate.answer = lambda: (200, "application/json", json.dumps(status(room_state="paused")))
    comes(page, "live", "paused")


@pytest.mark.parametrize("language", ["ko", "en"])
def test_nothing_needs_sideways_scrolling_on_a_narrow_screen(gate, visit, language):
    gate.language = language
    opens_at_ms = time.time_ns() // 1_000_000 + 100 * 86_400_000
    views = [status(state=state, room_state=room, opens_at_ms=opens_at_ms) for state, room in SAMPLE_STATES]
    views = [{**each, "number": 10_000_000, "ahead": 9_999_999, "eta_ms": [180_000_000, 341_160_000]} for each in views]
    before = {"room_state": "prequeue", "eta_ms": None, "opens_at_ms": opens_at_ms}
    views += [
        status(**before, draw="pending", place=None, ahead=None),
        status(**before, draw="drawn", draw_size=10_000_000, place=9_999_999, postponed_from_ms=opens_at_ms - 1),
        status(**{**before, "opens_at_ms": 1}),
        status(draw="drawn", draw_size=9_999_998, place=9_999_999, closes_at_ms=time.time_ns() // 1_000_000 + 60_000),
    ]
    views += [{**each, "eta_ms": None, "catching_up": True} for each in views]
    page = visit(viewport={"width": 320, "height": 640}, color_scheme="dark", reduced_motion="reduce")

    def check():
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert page.evaluate("[...document.querySelectorAll('main :not(.sr)')].every((e) => e.scrollWidth <= 320)")

    for each in views:
        gate.page_status = each
        page.reload()
        page.locator("summary").click()
        check()
    for kind in NOTICE_KINDS:
        gate.page = lambda kind=kind: PAGES.notice(kind, language, retry_url="/book", leave_url=LEAVE_URL)
        page.reload()
        check()


def test_the_offer_to_notify_is_made_only_where_it_can_be_kept(gate, visit):
    page = visit()
    assert page.locator("#n-notify").is_visible()
    page.context.grant_permissions(["notifications"])
    page.reload()
    assert page.locator("#n-notify").is_hidden()
    assert page.locator("#n-notified").is_visible()


@pytest.mark.parametrize(
    ("between", "after", "said"),
    [
        ({}, {}, "moves more slowly"),
        ({}, {"outflow_per_minute": 500}, "fewer people a minute"),
        ({}, {"settings_version": 2}, "changed the settings"),
        ({"room_state": "paused", "eta_ms": None}, {"settings_version": 3}, "nobody was let in"),
    ],
)
def test_an_estimate_that_grows_says_why(gate, visit, between, after, said):
    def tells(**changes):
        gate.answer = lambda: (200, "application/json", json.dumps(status(**changes)))

    gate.page_status = status(eta_ms=[600_000, 900_000])
    # The same words, however much later: no growth.
    tells(eta_ms=[600_001, 899_999])
    page = visit()
    until(lambda: len(gate.polls) >= 1)
    assert page.locator("#n-eta-why").is_hidden()
    if between:
        tells(**between)
        comes(page, "eta", "paused")
    tells(eta_ms=[700_000, 1_080_000], **after)
    comes(page, "eta", "18")
    assert said in text(page, "eta-why")
    assert page.locator("#n-eta-why").is_visible()
    # Shorter again, it needs no reason.
    tells(eta_ms=[600_000, 840_000], **after)
    comes(page, "eta", "14")
    assert page.locator("#n-eta-why").is_hidden()
