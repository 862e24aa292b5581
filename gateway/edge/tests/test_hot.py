"""The hot path says what the ordinary path says: the same requests to both, and the same answers, byte for byte."""

import asyncio
import gzip
import json
import random
import re
from datetime import date
from typing import Any

import pytest

from gateway.edge import facts, sight
from gateway.edge.hot_status import StatusAnswers
from gateway.edge.later import LATER
from gateway.edge.tests.front import Connection, Front, faulty_store, find
from gateway.keys import KeyStore
from gateway.room.ticket import Knock, Pass, Ticket, sign
from gateway.store.base import StoreUnavailable
from shared.wire import OWN_PATH

DATE = re.compile(rb"\r\nDate: [^\r]*")
BROWSER = (
    b"Host: site.test\r\nConnection: keep-alive\r\nUser-Agent: Mozilla/5.0 (Linux; Android 13)\r\nAccept: */*\r\n"
    b"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nReferer: https://site.test/\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: ko-KR,ko;q=0.9\r\n"
)


class Same(random.Random):
    """Every poll is spread alike."""

    def getrandbits(self, k):
        return 12_345 % (1 << k)

    def randint(self, a, b):
        return (a + b) // 2


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch):
    monkeypatch.setattr(facts, "_jitter", Same())
    monkeypatch.setattr(sight, "_lots", Same())


class Both:
    """Asks both paths. hot: how many were answered on the hot one."""

    def __init__(self, site: Front) -> None:
        self.site = site
        self.hot = 0
        assert site.server.hot is not None
        self._path = site.server.hot

    def _counting(self, data, send, caller=None):
        answer = self._path(data, send, caller)
        self.hot += answer is not None
        return answer

    async def ask(self, request):
        """What both say; fails where they differ."""
        told = []
        for path in (self._counting, None):
            self.site.server.hot = path
            told.append(DATE.sub(b"", await asked(self.site.port, request)))
        assert opened(told[0]) == opened(told[1]), request
        return told[0]


async def asked(port, request):
    """Everything that comes back until the end of the answer, or of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        got = b""
        async with asyncio.timeout(20):
            while True:
                head, _, body = got.partition(b"\r\n\r\n")
                length = re.search(rb"\r\nContent-Length: (\d+)", head)
                if length is not None and len(body) >= int(length[1]):
                    return got
                piece = await reader.read(65_536)
                if not piece:
                    return got
                got += piece
    finally:
        writer.close()


def poll(site, cookie, *, extra=b"", action="status"):
    path = f"{OWN_PATH}{site.line.name}/{action}".encode()
    return b"GET %b HTTP/1.1\r\n%bCookie: %b\r\n%b\r\n" % (path, BROWSER, cookie, extra)


@pytest.fixture
async def both(site):
    """A room with one seat, taken, and six who wait."""
    assert (await site.visitor().get()).gate is None
    await site.line.tick_now()
    assert [await site.visitor().queue() for _ in range(6)] == [2, 3, 4, 5, 6, 7]
    await site.pass_time(200)
    return Both(site)


def ring_of(site):
    return KeyStore(site.folder / "keys.json").current.cookies


def token(site, made, room=None):
    """A cookie with a token of this gateway's."""
    names = site.line.cookies
    name = names.visitor_pass if isinstance(made, Pass) else names.ticket
    return f"{name}={sign(made, room or site.line.name, ring_of(site))}".encode()


def _copy(cookie):
    """The header by which the page's script sends what is in a cookie."""
    return b"\r\nSunbeon-Ticket: " + cookie.partition(b"=")[2]


def brought(site):
    """Cookies good and bad, by what they are; True: the hot path answers, in an open room."""
    epoch, now_ms = site.line.snapshot.epoch, site.line.snapshot.now_ms
    waiting = token(site, Ticket(epoch, 3, now_ms))
    ours = waiting.partition(b"=")[0]
    return {
        "a ticket": (waiting, True),
        "the last ticket": (token(site, Ticket(epoch, 7, now_ms)), True),
        "a ticket among others' cookies": (b"a=1; " + waiting + b"; _ga=GA1.2.3", True),
        "a ticket and the script's copy": (waiting + _copy(waiting), True),
        "a ticket and another one's copy": (waiting + _copy(token(site, Ticket(epoch, 5, now_ms))), False),
        "a ticket and two copies": (waiting + 2 * _copy(waiting), False),
        "a ticket and a header like the copy": (waiting + b"\r\nSunbeon-Tickets: 1", False),
        "a copy alone": (b"a=1" + _copy(waiting), False),
        "a ticket with cohorts": (token(site, Ticket(epoch, 4, now_ms, "60s")), True),
        "a ticket of a wave": (token(site, Ticket(epoch, 1, now_ms, "", "w1")), False),
        "a ticket that is called": (token(site, Ticket(epoch, 1, now_ms)), False),
        "a ticket ahead of the line": (token(site, Ticket(epoch, 90, now_ms)), False),
        "a ticket of another line": (token(site, Ticket(epoch + 1, 3, now_ms)), False),
        "a ticket of another room": (token(site, Ticket(epoch, 3, now_ms), "other"), False),
        "a ticket twice": (waiting + b"; " + waiting, False),
        "two tickets": (waiting + b"; " + token(site, Ticket(epoch, 4, now_ms)), False),
        "a ticket in quotes": (ours + b'="' + waiting.partition(b"=")[2] + b'"', False),
        "a ticket altered": (waiting[:-3] + b"AAA", False),
        "a ticket cut": (waiting[:-9], False),
        "a ticket under a longer name": (b"x" + waiting, False),
        "a ticket behind a bare semicolon": (b"a=1;" + waiting, False),
        "an empty ticket": (ours + b"=", False),
        "a ticket and a pass": (waiting + b"; " + token(site, Pass(epoch, 1, 1, "id", "line", now_ms)), False),
        "a pass": (token(site, Pass(epoch, 1, 1, "id", "line", now_ms)), False),
        "a knock": (token(site, Knock(77, now_ms)), True),
        "a knock and the script's copy": (token(site, Knock(79, now_ms)) + _copy(token(site, Knock(79, now_ms))), True),
        "a knock that has lapsed": (token(site, Knock(78, now_ms - 3_600_000)), False),
        "nothing of ours": (b"a=1", False),
    }


STATES: dict[str, dict[str, Any]] = {
    "open": {},
    "paused": {"mode": "paused"},
    "closed": {"mode": "closed"},
    "sold out": {"mode": "sold_out"},
    "passthrough": {"mode": "passthrough"},
    "with words": {"message": {"ko": '잠시만 "기다려" 100% @ticket@', "en": "A moment"}},
    "before it opens": {"opens_in_ms": 600_000},
    "before lots are drawn": {"opens_in_ms": 600_000, "queueing_method": "draw"},
    "until it closes": {"closes_in_ms": 600_000},
}


@pytest.mark.parametrize("state", STATES)
async def test_both_paths_say_the_same_to_everyone_in_every_state(both, state):
    site = both.site
    patch = dict(STATES[state])
    for name in ("opens", "closes"):
        if f"{name}_in_ms" in patch:
            patch[f"{name}_at_ms"] = site.clock.now_ms + patch.pop(f"{name}_in_ms")
    if patch:
        await site.change(**patch)
    await site.pass_time(200)
    for what, (cookie, hot) in brought(site).items():
        if "knock" in what:
            # Its number is issued now, and the next tick knows of it.
            await asked(site.port, poll(site, cookie))
            await site.line.tick_now()
        before = both.hot
        await both.ask(poll(site, cookie))
        if state in {"open", "with words", "until it closes"}:
            assert (both.hot > before) is hot, what
    await both.ask(poll(site, b"a=1", action="board"))


NAVIGATES = {
    "a phone": b"Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nAccept-Language: ko\r\nAccept-Encoding: gzip\r\n",
    "in English": b"Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nAccept-Language: en\r\nAccept-Encoding: br\r\n",
    "an old browser": b"Accept: text/html\r\n",
    "with other cookies": b"Accept: text/html\r\nCookie: a=1; b=2\r\n",
    "from another site": b"Accept: text/html\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n",
    "embedded elsewhere": b"Accept: text/html\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n",
    "ahead of time": b"Accept: text/html\r\nSec-Purpose: prefetch\r\n",
    "a program": b"Accept: application/json\r\n",
    "no word of gzip": b"Accept: text/html\r\nAccept-Encoding: gzip;q=0\r\n",
    "of a drill": b"Accept: text/html\r\nSunbeon-Drill: 1a2b\r\n",
    "with an empty ticket": b"Accept: text/html\r\nCookie: sunbeon_ticket_vaccine=\r\n",
    "as a proxy": b"Accept: text/html\r\nX-Forwarded-For: 10.1.2.3\r\nX-HTTP-Method-Override: POST\r\n",
}
ON_THE_HOT_PATH = {
    "a phone", "in English", "an old browser", "with other cookies", "from another site", "ahead of time",
    "no word of gzip", "as a proxy",
}  # fmt: skip
TARGETS = (
    b"/", b"/book/now?day=1&who=x", b"/a/../b", b"/%61", b"/_sunbeon/vaccine/draw", b"/_sunbeon/vaccine", b"//a",
    b"/?a#b", b"/a#b", b"/?a\x7f",
)  # fmt: skip


def opened(answer):
    """An answer with its body as it is: two ways to compress it are one."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"Content-Encoding: gzip" in head:
        head, body = re.sub(rb"Content-Length: \d+", b"", head), gzip.decompress(body)
    return head + b"\r\n\r\n" + body


@pytest.mark.parametrize("state", ["open", "paused", "closed", "passthrough", "with words", "before lots are drawn"])
async def test_newcomers_get_the_same_page_on_either_path(both, state, monkeypatch):
    site = both.site
    patch = dict(STATES[state])
    if patch.pop("opens_in_ms", None):
        patch["opens_at_ms"] = site.clock.now_ms + 600_000
    if patch:
        await site.change(**patch)
    await site.pass_time(200)
    knock = Knock(4_711, site.line.snapshot.now_ms)
    monkeypatch.setattr(site.line, "new_knock", lambda *_: knock)
    for who, headers in NAVIGATES.items():
        for target in TARGETS if who == "a phone" else TARGETS[:2]:
            before = both.hot
            await both.ask(b"GET %b HTTP/1.1\r\nHost: site.test\r\n%b\r\n" % (target, headers))
            if target == b"/" and state not in {"closed", "passthrough"}:
                assert (both.hot > before) is (who in ON_THE_HOT_PATH), who


def page(cookie, headers=NAVIGATES["a phone"], target=b"/"):
    return b"GET %b HTTP/1.1\r\nHost: site.test\r\n%bCookie: %b\r\n\r\n" % (target, headers, cookie)


RELOADED: dict[str, dict[str, Any]] = {
    **STATES,
    "with stock for all": {"stock": 1_000},
    "with stock for few": {"stock": 1},
    "with nothing left": {"stock": 0},
    "moved": {"opens_in_ms": 600_000, "later_ms": 1_800_000},
    "slow": {"new_users_per_minute": 1},
}


@pytest.mark.parametrize("state", RELOADED)
async def test_who_reloads_the_page_gets_the_same_on_either_path(both, state, monkeypatch):
    site = both.site
    patch = dict(RELOADED[state])
    for name in ("opens", "closes"):
        if f"{name}_in_ms" in patch:
            patch[f"{name}_at_ms"] = site.clock.now_ms + patch.pop(f"{name}_in_ms")
    stock, later_ms = patch.pop("stock", None), patch.pop("later_ms", None)
    if patch:
        await site.change(**patch)
    if later_ms is not None:
        await site.change(opens_at_ms=patch["opens_at_ms"] + later_ms)
    if stock is not None:
        site.line.watch.report(site.line.snapshot, stock)
        await site.line.tick_now()
    await site.pass_time(200)
    knock = Knock(4_711, site.line.snapshot.now_ms)
    monkeypatch.setattr(site.line, "new_knock", lambda *_: knock)
    alike = state not in {"closed", "sold out", "passthrough"}
    cookies = {what: each for what, each in brought(site).items() if "knock" not in what and "copy" not in what}
    for what, (cookie, hot) in cookies.items():
        before = both.hot
        answer = await both.ask(page(cookie))
        if hot and alike:
            assert b"\r\nSunbeon-Gate: waiting\r\n" in answer
            assert both.hot == before + 1, what
        elif site.line.snapshot.state == "open" and "ticket" in what and "pass" not in what:
            assert both.hot == before, what
    waiting, _ = cookies["a ticket among others' cookies"]
    for who in sorted(NAVIGATES.keys() - {"with other cookies", "with an empty ticket"}):
        before = both.hot
        await both.ask(page(waiting, NAVIGATES[who]))
        if alike:
            assert (both.hot > before) is (who in ON_THE_HOT_PATH), who
    for target in TARGETS:
        await both.ask(page(waiting, target=target))


async def test_who_reloads_the_page_gets_the_same_once_lots_are_drawn(start):
    site = await start(
        rooms=[{"queueing_method": "draw", "opens_at": "2021-07-19T20:05:00+09:00", "total_active_users": 2}]
    )
    early = [site.visitor() for _ in range(6)]
    numbers = [await each.queue() for each in early]
    await site.pass_time(301_000)
    late = site.visitor()
    await late.queue()
    await site.line.tick_now()
    await site.pass_time(200)
    two, room = Both(site), site.line.snapshot
    shown = []
    for number in [*numbers, 7]:
        told = opened(await two.ask(page(token(site, Ticket(room.epoch, number, room.now_ms))))).decode()
        shown += re.findall(r'id="n-draw-text">([^<]*)<', told)
    assert two.hot == 7 - site.line.snapshot.serving
    assert two.hot >= 4
    assert len(set(shown)) == len(shown) >= two.hot


async def test_every_reader_is_told_of_the_own_place_alone(both):
    """What is made once for all keeps nothing of whom it was made for."""
    site = both.site
    epoch, now_ms = site.line.snapshot.epoch, site.line.snapshot.now_ms
    cookies = [token(site, Ticket(epoch, number, now_ms)) for number in (5, 2, 7)]
    pages = [opened(await both.ask(page(cookie))).decode() for cookie in cookies]
    assert both.hot == len(cookies)
    for number, cookie, text in zip((5, 2, 7), cookies, pages, strict=True):
        value = cookie.partition(b"=")[2].decode()
        assert re.findall(r'id="n-number">([^<]*)<', text) == [str(number)]
        assert re.findall(r'id="n-count">([^<]*)<', text) == [str(number - 2) if number > 2 else ""]
        assert text.count(value) == 2  # in the cookie and in the data
        data = re.findall(r'id="n-data">(.*?)</script>', text)
        status = json.loads(data[0])["status"]
        assert (status["number"], status["place"], status["ticket"]) == (number, number, value)
        assert not any(each.partition(b"=")[2].decode() in text for each in cookies if each != cookie)


async def test_the_page_is_told_off_alike_on_either_path_and_costs_no_place(both):
    site = both.site
    epoch, now_ms = site.line.snapshot.epoch, site.line.snapshot.now_ms
    hasty, other = (page(token(site, Ticket(epoch, number, now_ms))) for number in (3, 4))
    statuses = [(await asked(site.port, hasty)).split()[1] for _ in range(40)]
    assert statuses == [b"200"] * 30 + [b"429"] * 10
    for headers in NAVIGATES.values():
        await both.ask(page(token(site, Ticket(epoch, 3, now_ms)), headers))
    answer = await both.ask(hasty)
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nSunbeon-Gate: hasty\r\n" in answer
    assert (await both.ask(other)).split()[1] == b"200"
    # Where one stands is told all the same.
    assert (await both.ask(poll(site, token(site, Ticket(epoch, 3, now_ms))))).split()[1] == b"200"


async def test_a_rooms_own_waiting_page_is_shown_by_the_ordinary_path(start, tmp_path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/waiting.html").write_text(
        '{% extends "sunbeon/waiting.html" %}{% block foot %}{{ number }}{{ count|length }}{% endblock %}'
    )
    site = await start(rooms=[{"templates": str(tmp_path / "pages")}])
    assert (await site.visitor().get()).gate is None
    await site.line.tick_now()
    assert await site.visitor().queue() == 2
    await site.pass_time(200)
    two = Both(site)
    room = site.line.snapshot
    answer = await two.ask(page(token(site, Ticket(room.epoch, 2, room.now_ms))))
    assert two.hot == 0
    assert "2" in opened(answer).decode()


@pytest.mark.parametrize("later_ms", [0, 5 * 3_600_000, 24 * 3_600_000])
async def test_in_a_room_with_a_calendar_too(start, later_ms):
    """Born 1962-1966: may book; 1968: from 20:00; 1971: from the 20th at 20:00; 1990: never."""
    site = await start(rooms=[{"calendar": "july-2021-announced", "prequeue_s": 7_200}])
    room, asked_for = site.line.snapshot, site.line.eligibility
    assert asked_for is not None
    cohorts = [asked_for.judge(date(year, 5, 4), room).cohorts for year in (1964, 1968, 1971, 1990)]
    await site.pass_time(200)
    site.clock.now_ms += later_ms
    await site.line.tick_now()
    await site.store.acknowledge(site.line.name, room.epoch, 400)
    await site.pass_time(200)
    two = Both(site)
    for number, each in enumerate([*cohorts, ""], 300):
        for made in (Ticket(room.epoch, number, room.now_ms, each), Knock(number, site.line.snapshot.now_ms, each)):
            if isinstance(made, Knock):
                # Its number is issued now, and the next tick knows of it.
                await asked(site.port, poll(site, token(site, made)))
                await site.line.tick_now()
            await two.ask(poll(site, token(site, made)))
    assert two.hot


async def test_who_asks_far_too_often_is_told_off_alike_and_keeps_the_place(both):
    site = both.site
    epoch, now_ms = site.line.snapshot.epoch, site.line.snapshot.now_ms
    hasty, other = (poll(site, token(site, Ticket(epoch, number, now_ms))) for number in (3, 4))
    statuses = [(await asked(site.port, hasty)).split()[1] for _ in range(40)]
    assert statuses == [b"200"] * 29 + [b"429"] * 11  # one was taken by joining
    answer = await both.ask(hasty)
    retry = re.search(rb"\r\nRetry-After: (\d+)", answer)
    assert retry is not None
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too_many"
    assert (await both.ask(other)).split()[1] == b"200"
    await site.pass_time(int(retry[1]) * 1000)
    told = json.loads((await both.ask(hasty)).partition(b"\r\n\r\n")[2])
    assert (told["state"], told["number"]) == ("waiting", 3)
    assert (await site.counters())["told_off"] == 13


async def test_where_a_rule_may_let_somebody_in_the_ordinary_path_says_so(start):
    site = await start(rooms=[{"bypass": [{"name": "health", "paths": ["/health"], "reason": "probes"}]}])
    assert (await site.visitor().get()).gate is None
    await site.line.tick_now()
    assert await site.visitor().queue() == 2
    await site.pass_time(200)
    two = Both(site)
    page = b"GET %b HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n\r\n"
    assert two._path(page % b"/health", print) is None
    assert two._path(page % b"/health/x", print) is None
    assert isinstance(two._path(page % b"/other", print), bytes)
    assert (await site.visitor().get("/health")).gate is None


async def test_a_rooms_own_page_without_the_blanks_is_shown_as_it_is(start, tmp_path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/waiting.html").write_text("<p>{{ number }} {{ heading }}</p>")
    site = await start(rooms=[{"templates": str(tmp_path / "pages")}])
    assert (await site.visitor().get()).gate is None
    await site.line.tick_now()
    assert await site.visitor().queue() == 2
    await site.pass_time(200)
    page = b"GET / HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n\r\n"
    assert site.server.hot(page, print) is None
    assert b"<p>" in await asked(site.port, page)


async def test_a_knock_is_given_the_same_number_on_either_path(both):
    site = both.site
    knocks = [token(site, Knock(1_000 + each, site.line.snapshot.now_ms)) for each in range(20)]
    answers = await asyncio.gather(*(asked(site.port, poll(site, knock)) for knock in knocks))
    numbers = [json.loads(answer.partition(b"\r\n\r\n")[2])["number"] for answer in answers]
    assert sorted(numbers) == list(range(8, 28))
    await site.pass_time(200)
    before = both.hot
    for knock, number in zip(knocks, numbers, strict=True):
        answer = await both.ask(poll(site, knock))
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["number"] == number
    assert both.hot == before + 20


async def test_a_join_the_store_does_not_answer_goes_the_ordinary_way(start):
    site = await start(faulty=True)
    assert (await site.visitor().get()).gate is None
    await site.line.tick_now()
    knock = token(site, Knock(5, site.line.snapshot.now_ms))
    faulty_store(site).failure = StoreUnavailable("away")
    told = json.loads((await asked(site.port, poll(site, knock))).partition(b"\r\n\r\n")[2])
    assert (told["number"], told["catching_up"]) == (None, True)
    await find(site)
    told = json.loads((await asked(site.port, poll(site, knock))).partition(b"\r\n\r\n")[2])
    assert told["number"] == 2


async def test_requests_behind_one_another_are_answered_in_order(both):
    site = both.site
    now_ms = site.line.snapshot.now_ms
    knock = poll(site, token(site, Knock(9, now_ms)))
    ticket = poll(site, token(site, Ticket(site.line.snapshot.epoch, 3, now_ms)))
    board = poll(site, b"a=1", action="board")
    connection = await Connection.open(site.port)
    try:
        # In one piece, in pieces that end amid a head, and while a number is being asked for.
        await connection.send(knock + ticket + board)
        words = [(await connection.answer()).json().get("number", "board") for _ in range(3)]
        for piece in (ticket[:40], ticket[40:] + knock[:90], knock[90:]):
            await connection.send(piece)
            await asyncio.sleep(0.01)
        words += [(await connection.answer()).json().get("number", "board") for _ in range(2)]
        await connection.send(knock)
        await connection.send(board)
        await connection.send(ticket)
        words += [(await connection.answer()).json().get("number", "board") for _ in range(3)]
    finally:
        await connection.close()
    assert words == [8, 3, "board", 3, 8, 8, "board", 3]


async def test_a_fault_of_the_hot_path_is_logged_and_answered_for_on_the_ordinary_one(both, monkeypatch, caplog):
    site = both.site
    cookie = token(site, Ticket(site.line.snapshot.epoch, 3, site.line.snapshot.now_ms))
    monkeypatch.setattr(site.line.watch, "mark", explode_once())
    answer = await asked(site.port, poll(site, cookie))
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["number"] == 3
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "the hot path failed through a fault of the gateway's"
    ]
    assert b"secret" not in answer


def explode_once():
    calls = iter([RuntimeError("secret")])

    def mark(*_):
        for error in calls:
            raise error

    return mark


async def test_those_who_join_in_one_turn_are_one_call_to_the_store(start, monkeypatch):
    site = await start()
    assert (await site.visitor().get()).gate is None
    await site.line.tick_now()
    batches: list[int] = []
    join = site.store.join

    async def noting(room, knocks, **more):
        batches.append(len(knocks))
        return await join(room, knocks, **more)

    monkeypatch.setattr(site.store, "join", noting)
    hot, now_ms = site.server.hot, site.line.snapshot.now_ms
    told = [asyncio.get_running_loop().create_future() for _ in range(50)]
    for number, each in enumerate(told):
        assert hot(poll(site, token(site, Knock(number, now_ms))), each.set_result) is LATER
    answers = await asyncio.gather(*told)
    numbers = [json.loads(answer.partition(b"\r\n\r\n")[2])["number"] for answer in answers]
    assert (numbers, batches) == ([*range(2, 52)], [50])


async def test_who_has_waited_too_long_for_a_number_goes_the_ordinary_way_and_gets_the_same_one(start):
    site = await start(faulty=True)
    assert (await site.visitor().get()).gate is None
    await site.line.tick_now()
    site.line.patience_s = 0.05
    knocks = [poll(site, token(site, Knock(each, site.line.snapshot.now_ms))) for each in (5, 6)]
    answers = faulty_store(site).stall = asyncio.Event()
    told = await asyncio.gather(*(asked(site.port, knock) for knock in knocks))
    for answer in told:
        found = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert (found["number"], found["catching_up"]) == (None, True)
    answers.set()
    faulty_store(site).stall = None
    site.line.patience_s = 10
    await find(site)
    told = [await asked(site.port, knock) for knock in knocks]
    numbers = [json.loads(answer.partition(b"\r\n\r\n")[2])["number"] for answer in told]
    assert sorted(numbers) == [2, 3]
    assert (await site.room()).tail == 3


async def test_a_fault_in_telling_one_who_joined_takes_nobody_along_and_costs_no_place(both, monkeypatch, caplog):
    site, wait = both.site, StatusAnswers._wait

    def failing(self, room, ticket, *rest):
        if ticket.number == 9:
            raise ZeroDivisionError
        return wait(self, room, ticket, *rest)

    monkeypatch.setattr(StatusAnswers, "_wait", failing)
    knocks = [token(site, Knock(1_000 + each, site.line.snapshot.now_ms)) for each in range(4)]
    answers = await asyncio.gather(*(asked(site.port, poll(site, knock)) for knock in knocks))
    numbers = [json.loads(answer.partition(b"\r\n\r\n")[2])["number"] for answer in answers]
    assert sorted(numbers) == [8, 9, 10, 11]
    assert (await site.room()).tail == 11
    assert "a join could not be told" in caplog.text
