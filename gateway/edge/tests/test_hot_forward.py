"""Requests of people inside reach the backend, and its answers them, on the hot path as on the ordinary one."""

import asyncio
import random

import pytest

from gateway.edge.proxy.swift import MOST_BYTES
from gateway.edge.tests.backend import answer, until
from gateway.edge.tests.forwarded import SMALL, Watch, inside, the_same
from gateway.edge.tests.front import Connection
from gateway.keys import KeyStore
from gateway.room.ticket import Pass, sign
from shared.wire import How


@pytest.fixture
async def site(start):
    made = await start(rooms=[{"paths": ["/book"]}])
    # A connection to the backend that is kept: without one, nothing is sent at once.
    await made.visitor().get("/style.css")
    return made


@pytest.fixture
def watch(site, monkeypatch):
    return Watch(site, monkeypatch)


@pytest.mark.parametrize(
    "headers", [{}, {"Referer": "https://site.test/book"}, {"X-Forwarded-For": "1.2.3.4", "TE": "x"}]
)
@pytest.mark.parametrize("target", ["/book", "/book/1?a=%20&b=../x", "/book/"])
async def test_a_request_reaches_the_backend_as_on_the_ordinary_path(site, backend, watch, target, headers):
    backend.reply = SMALL
    visitor = await inside(site)
    cookie = "a=b; " + "; ".join(f"{name}={value}" for name, value in visitor.cookies.items()) + "; c=d"
    before = watch.taken
    hot = await visitor.ask("GET", target, headers={**headers, "Cookie": cookie})
    seen = backend.last.head
    assert watch.taken == before + ("TE" not in headers)
    watch.off()
    ordinary = await visitor.ask("GET", target, headers={**headers, "Cookie": cookie})
    assert the_same(backend.last.head) == the_same(seen)
    assert (hot.status, hot.reason, hot.headers, hot.body) == (
        ordinary.status, ordinary.reason, ordinary.headers, ordinary.body,
    )  # fmt: skip
    assert b"a=b;  c=d" in seen or b"a=b; c=d" in seen
    assert site.proof(backend.last).how is How.DIRECT


async def test_behind_a_trusted_proxy_the_visitor_is_who_the_proxy_says(start, backend, monkeypatch):
    site = await start(rooms=[{"paths": ["/book"]}], edge={"trusted_proxies": ["127.0.0.0/8"]})
    await site.visitor().get("/style.css")
    watch = Watch(site, monkeypatch)
    visitor = await inside(site)
    told = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Request-ID": "abc-1"}
    before = watch.taken
    await visitor.ask("GET", "/book", headers=told)
    assert watch.taken == before + 1
    seen = backend.last
    assert seen.all("X-Forwarded-For") == ["192.0.2.7, 127.0.0.1"]
    assert (seen.one("X-Forwarded-Proto"), seen.one("X-Request-ID")) == ("https", "abc-1")
    watch.off()
    await visitor.ask("GET", "/book", headers=told)
    assert backend.last.head == seen.head


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * MOST_BYTES) + 2 * MOST_BYTES * b"x",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + SMALL,
    ],
    ids=["chunks", "large", "interim"],
)
async def test_an_answer_that_is_left_goes_on_where_it_came_and_is_asked_for_once(site, backend, watch, reply):
    visitor = await inside(site)
    backend.reply = reply
    connection = await Connection.open(site.port)
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    asked, taken, left = len(backend.requests), watch.taken, watch.left
    await connection.send(f"GET /book HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\n\r\n".encode())
    got = await connection.answer()
    if got.status == 103:
        got = await connection.answer()
    assert (got.status, got.clean) == (200, True)
    assert got.body in {b"ok", 2 * MOST_BYTES * b"x"}
    assert (len(backend.requests), watch.taken, watch.left) == (asked + 1, taken + 1, left + 1)
    assert site.upstreams.state()[0].in_flight == 0
    # And the next one on the same connection gets its own.
    backend.reply = SMALL
    await connection.send(f"GET /book HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\n\r\n".encode())
    assert (await connection.answer()).one("X-A") == "1"
    await connection.close()


@pytest.mark.parametrize("word", ["complete", "revoke"])
async def test_a_command_of_the_backends_is_obeyed(site, backend, watch, word):
    visitor = await inside(site)
    backend.reply = answer(b"done", f"Sunbeon-Command: {word}")
    got = await visitor.get("/book")
    assert (got.status, watch.left >= 1, visitor.cookies) == (200, True, {})
    assert (await site.room()).live == 0


async def test_a_pass_that_ended_is_not_forwarded_by_memory(site, backend, watch):
    visitor = await inside(site)
    kept = dict(visitor.cookies)
    backend.reply = answer(b"done", "Sunbeon-Command: revoke")
    await visitor.get("/book")
    backend.reply = SMALL
    visitor.cookies = kept
    taken = watch.taken
    await visitor.get("/book")
    assert watch.taken == taken


async def test_what_only_the_ordinary_path_may_judge_is_left_to_it(site, watch):
    visitor = await inside(site)
    ring = KeyStore(site.folder / "keys.json").current.cookies
    held = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    strange = sign(Pass(1, 99, 99, "nobody", "line", 0), "vaccine", ring)
    forged = held[:-1] + ("A" if held[-1] != "A" else "B")
    before = watch.taken
    for headers in (
        {"Sunbeon-Ticket": "x"},
        {"Sunbeon-Drill": "x"},
        {"X-HTTP-Method-Override": "POST"},
        {"Expect": "100-continue"},
        {"Upgrade": "websocket", "Connection": "Upgrade"},
        {"Cookie": f"sunbeon_pass_vaccine={strange}"},
        {"Cookie": forged},
    ):
        sent = {"Cookie": held, **headers}
        data = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        connection = await Connection.open(site.port)
        await connection.send(f"GET /book HTTP/1.1\r\nHost: site.test\r\n{data}\r\n".encode())
        await connection.answer()
        await connection.close()
    assert watch.taken == before
    assert (await visitor.get("/book")).status == 200
    assert watch.taken == before + 1


async def test_headers_that_were_seen_open_nothing_but_what_they_bring(site, backend, watch):
    """Another address, another byte, another epoch of the line."""
    visitor = await inside(site)
    kept = dict(visitor.cookies)
    cookie = "; ".join(f"{name}={value}" for name, value in kept.items())
    for _ in range(3):
        await visitor.get("/book")
    taken, asked = watch.taken, len(backend.requests)
    assert taken >= 3
    # Elsewhere, and as somebody else, by one byte.
    for target, more in (("/style.css", {}), ("/book", {"Cookie": cookie + "x"})):
        await visitor.ask("GET", target, headers=more)
    visitor.cookies = dict(kept)
    assert watch.taken == taken
    await site.change(mode="closed")
    await site.line.reset(expected_version=None)
    visitor.cookies = kept
    got = await visitor.get("/book")
    assert (got.gate is None, watch.taken) == (False, taken)
    # The style sheet, and the ordinary path's answer to a forged pass beside a good ticket.
    assert len(backend.requests) == asked + 2


async def test_a_rule_that_lets_a_request_in_goes_before_its_pass(start, backend, monkeypatch):
    rule = {"name": "probe", "paths": ["/book"], "user_agents": ["probe/1"], "reason": "x"}
    site = await start(rooms=[{"paths": ["/book"], "bypass": [rule]}])
    await site.visitor().get("/style.css")
    watch = Watch(site, monkeypatch)
    visitor = await inside(site)
    before = watch.taken
    await visitor.ask("GET", "/book", headers={"User-Agent": "probe/1"})
    assert (watch.taken, site.proof(backend.last).how) == (before, How.EXEMPT)
    await visitor.get("/book")
    assert (watch.taken, site.proof(backend.last).how) == (before + 1, How.DIRECT)


async def test_who_hangs_up_takes_the_request_to_the_backend_along(site, backend, watch):
    visitor = await inside(site)
    hung = asyncio.Event()

    async def act(_, writer):
        await hung.wait()

    backend.act = act
    connection = await Connection.open(site.port)
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    taken, asked = watch.taken, len(backend.requests)
    await connection.send(f"GET /book HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\n\r\n".encode())
    await until(lambda: len(backend.requests) > asked, "it is under way")
    assert (watch.taken, site.upstreams.state()[0].in_flight) == (taken + 1, 1)
    await connection.close()
    await until(lambda: site.upstreams.state()[0].in_flight == 0, "it was given up")
    assert len(site.streams._open) == 0
    assert site.upstreams._free._value == site.settings.upstream.max_connections
    hung.set()


async def test_a_kept_connection_closed_before_a_byte_costs_no_answer(site, backend, watch):
    visitor = await inside(site)
    closed: list[int] = []

    async def act(_, writer):
        if not closed:
            closed.append(1)
            writer.close()
        else:
            writer.write(SMALL)

    backend.act = act
    taken = watch.taken
    assert (await visitor.get("/book")).status == 200
    assert (watch.taken, len(closed)) == (taken + 1, 1)


async def test_a_backend_that_breaks_off_is_a_bad_gateway_and_asked_once(site, backend, watch):
    visitor = await inside(site)

    async def act(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    backend.act = act
    taken, asked = watch.taken, len(backend.requests)
    got = await visitor.get("/book")
    assert (got.status, got.gate, watch.taken, len(backend.requests)) == (502, "bad_gateway", taken + 1, asked + 1)


async def test_what_was_left_and_is_not_asked_for_is_given_up(site, backend, watch, monkeypatch):
    """The pass ends between the hot path's request and the ordinary path's look at it."""
    visitor = await inside(site)
    go_on = asyncio.Event()

    async def act(_, writer):
        await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")

    backend.act = act
    connection = await Connection.open(site.port)
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    taken, asked = watch.taken, len(backend.requests)
    await connection.send(f"GET /book HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\n\r\n".encode())
    await until(lambda: len(backend.requests) > asked, "it is under way")
    assert watch.taken == taken + 1
    await site.change(mode="closed")
    await site.line.reset(expected_version=None)
    go_on.set()
    got = await connection.answer()
    assert got.gate is not None
    assert len(backend.requests) == asked + 1
    assert site.upstreams.state()[0].in_flight == 0
    assert site.upstreams._free._value == site.settings.upstream.max_connections
    await connection.close()


async def test_requests_behind_one_another_are_answered_in_order(site, backend, watch):
    visitor = await inside(site)

    async def act(seen, writer):
        writer.write(answer(seen.target.encode()))

    backend.act = act
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    connection = await Connection.open(site.port)
    for number in range(5):
        await connection.send(f"GET /book/{number} HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\n\r\n".encode())
    assert [(await connection.answer()).body for _ in range(5)] == [f"/book/{number}".encode() for number in range(5)]
    await connection.close()


@pytest.mark.parametrize(("told", "left"), [("77", 77), ("many", None)])
async def test_the_backends_stock_is_heard(site, backend, watch, caplog, told, left):
    visitor = await inside(site)
    backend.reply = answer(b"ok", f"Sunbeon-Stock: {told}")
    got = await visitor.get("/book")
    assert (got.status, got.one("Sunbeon-Stock"), watch.taken >= 1) == (200, None, True)
    assert site.line.stock_left == left
    warned = [record for record in caplog.records if "Sunbeon-Stock that is no number" in record.message]
    assert len(warned) == (left is None)


@pytest.mark.parametrize("whole", [True, False])
async def test_a_worker_that_stops_lets_what_is_under_way_come_to_its_end(site, backend, watch, whole):
    visitor = await inside(site)
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    asked, say = asyncio.Event(), asyncio.Event()

    async def act(_request, writer):
        asked.set()
        await say.wait()
        writer.write(SMALL if whole else b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")

    backend.act = act
    taken = watch.taken
    connection = await Connection.open(site.port)
    try:
        await connection.send(f"GET /book HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\n\r\n".encode())
        await asked.wait()
        assert watch.taken == taken + 1
        stopping = [asyncio.create_task(each.shutdown(10)) for each in site.server.connections]
        await asyncio.sleep(0.05)
        say.set()
        got = await connection.answer()
        assert (got.status, got.body) == (200, b"ok")
        assert await connection.rest() == b""
        await asyncio.gather(*stopping)
    finally:
        await connection.close()


# What may stand in one connection, in any order: the method, lines beside the usual ones, a body.
MIXED: list[tuple[str, str, bytes]] = [
    *36 * [("GET", "", b"")],
    ("HEAD", "", b""),
    ("GET", "Connection: Upgrade\r\nUpgrade: h2c\r\n", b""),
    ("POST", "Content-Length: 30\r\n", b"GET /book/evil HTTP/1.1\r\n\r\n..."),
    ("POST", "Transfer-Encoding: chunked\r\n", b"1b\r\nGET /book/evil HTTP/1.1\r\n\r\n\r\n0\r\n\r\n"),
]
# How one is sent: when the one before it has its answer, at once behind it, in two pieces, in a piece with the next.
WAYS = [*27 * ["after"], "behind", "cut", "joined"]


@pytest.mark.parametrize("seed", range(12))
async def test_in_whatever_order_and_pieces_requests_come_each_has_its_own_answer(site, backend, watch, seed):
    """Of two visitors, on connections of their own; most go the quick way."""
    await site.change(total_active_users=2)
    visitors = [await inside(site) for _ in range(2)]

    async def act(seen, writer):
        assert "sunbeon_" not in (seen.one("Cookie") or "")
        body = b"" if seen.method == "HEAD" else f"{seen.one('X-Who')} {seen.line} {len(seen.body)}".encode()
        if seen.target.endswith("3"):
            await asyncio.sleep(0)
        writer.write(answer(body, f"X-Target: {seen.target}"))

    backend.act = act

    async def come(who, visitor):
        lots = random.Random(2 * seed + who)
        cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        kinds, ways = lots.choices(MIXED, k=60), lots.choices(WAYS, k=60)
        usual = f"Host: site.test\r\nCookie: {cookie}\r\nX-Who: {who}\r\n"
        asked = [
            f"{method} /book/{who}/{number} HTTP/1.1\r\n{usual}{more}\r\n".encode() + body
            for number, (method, more, body) in enumerate(kinds)
        ]
        answered = [asyncio.Event() for _ in kinds]
        connection = await Connection.open(site.port)
        sending = asyncio.create_task(send(connection, list(zip(ways, asked, answered, strict=True)), lots))
        for number, (method, _, body) in enumerate(kinds):
            got = await connection.answer(method)
            assert (got.status, got.one("X-Target")) == (200, f"/book/{who}/{number}")
            if method != "HEAD":
                size = 0 if not body else 30 if body.startswith(b"GET") else 27
                assert got.body == f"{who} {method} /book/{who}/{number} HTTP/1.1 {size}".encode()
            answered[number].set()
        await sending
        await connection.close()

    async def send(connection, asked, lots):
        held, before = b"", None
        for way, data, answered in asked:
            if way == "after" and before is not None and not held:
                await before.wait()
            held += data
            before = answered
            if way == "cut":
                at = lots.randrange(1, len(held))
                await connection.send(held[:at])
                await asyncio.sleep(lots.choice([0, 0.002]))
                held = held[at:]
            if way != "joined":
                await connection.send(held)
                held = b""
        await connection.send(held)

    taken, seen = watch.taken, len(backend.requests)
    await asyncio.gather(*(come(who, visitor) for who, visitor in enumerate(visitors)))
    assert "/book/evil" not in backend.targets
    assert len(backend.requests) - seen == 120
    assert watch.taken - taken > 60
    await until(lambda: not site.server.open_connections, "all have gone")
    assert (site.upstreams.state()[0].in_flight, len(site.streams._open), list(site.server.connections)) == (0, 0, [])
