"""Forwarding over real HTTP: what goes out and comes back byte for byte, what streams, and what happens when it fails.

The room is switched off here: these tests are about carrying, not about turns.
"""

import asyncio
import hashlib
import socket
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from gateway.edge.client import NOWHERE, Client
from gateway.edge.proxy.connection import Connection as Upstream
from gateway.edge.proxy.forward import Forwarder
from gateway.edge.proxy.relay import Errand, add_nothing
from gateway.edge.proxy.servers import Upstreams
from gateway.edge.streams import Streams
from gateway.edge.tests.backend import PATIENCE_S, Backend, answer, hang, running, until
from gateway.edge.tests.front import Connection, exchange
from gateway.settings import Settings
from shared.errors import SunbeonError

OPEN = {"state": "passthrough"}
MIB = 2**20


@pytest.fixture
async def site(start):
    """A gateway whose room lets everyone through, with short patience."""
    return await start(
        rooms=[OPEN], edge={"max_body_bytes": MIB}, upstream={"response_timeout_s": 0.4, "idle_timeout_s": 0.4}
    )


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"{line} HTTP/1.1", "Host: site.test", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture
def carrier(stack, backend):
    """Start a forwarder with nothing around it: what it raises is answered with 500 and the error's name."""

    @asynccontextmanager
    async def carrying(*, edge=None, inspect=add_nothing, **upstream):
        settings = Settings.model_validate(
            {
                "gateway": {"max_body_bytes": MIB, **(edge or {})},
                "upstream": {"servers": [backend.url], **upstream},
                "room": [{"name": "hall"}],
            }
        )
        upstreams = Upstreams(settings.upstream)
        forwarder = Forwarder(settings, upstreams, Streams())

        async def handle(request):
            client = Client(NOWHERE, "192.0.2.1", "http")
            try:
                errand = Errand(request, request.raw_path, "site.test", client, "0", inspect=inspect)
                return await forwarder.forward(errand)
            except SunbeonError as error:
                return web.Response(status=500, text=type(error).__name__)

        runner = web.ServerRunner(web.Server(handle, handler_cancellation=True), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield upstreams, runner.addresses[0][1]
        finally:
            await runner.cleanup()
            await upstreams.close()

    return lambda **upstream: stack.enter_async_context(carrying(**upstream))


# Requests on their way


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/?",
        "/a?",
        "//",
        "//a//b",
        "/a/./b/../c",
        "/%7Euser/%2Fx/%e2%82%ac",
        "/a%20b?q=%20+&r=%26",
        "/a;v=1?x=y;z",
        "/?a=1&a=2&&=",
        "/?q=http://other.test/",
        "/?q='\"<>|\\^`{}[]",
        "/%EC%98%88%EC%95%BD?q=%ec%98%88",
        "/a:b@c!$&'()*+,=",
        "/?%",
        "/??a?b",
    ],
)
async def test_a_target_goes_out_byte_for_byte(site, backend, target):
    got = await exchange(site.port, request(f"GET {target}"))
    assert got.status == 200
    assert backend.last.target == target


@pytest.mark.parametrize("raw", [b"\xc3\xa9", b"\xe9"])
async def test_raw_bytes_in_a_target_go_out_as_they_came_or_not_at_all(site, backend, raw):
    got = await exchange(site.port, b"GET /caf" + raw + b"?q=" + raw + b" HTTP/1.1\r\nHost: site.test\r\n\r\n")
    assert got.status in {200, 400}
    assert [each.head.partition(b"\r\n")[0] for each in backend.requests] in (
        [b"GET /caf" + raw + b"?q=" + raw + b" HTTP/1.1"],
        [],
    )


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND", "POST", "PUT", "PATCH"])
async def test_every_method_goes_through(site, backend, method):
    got = await exchange(site.port, request(f"{method} /x"), method)
    assert got.status == 200
    assert (backend.last.method, backend.last.body) == (method, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
async def test_a_body_goes_through_with_its_length(site, backend, method):
    body = bytes(range(256)) * 40
    await exchange(site.port, request(f"{method} /x", f"Content-Length: {len(body)}", body=body))
    assert (backend.last.body, backend.last.whole) == (body, True)
    assert backend.last.one("Content-Length") == str(len(body))
    assert backend.last.one("Transfer-Encoding") is None


async def test_a_chunked_body_goes_through_chunked(site, backend):
    body = b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\n\r\n"
    await exchange(site.port, request("POST /x", "Transfer-Encoding: chunked", body=body))
    assert (backend.last.body, backend.last.whole) == (b"abcdefg", True)
    assert backend.last.one("Content-Length") is None


async def test_a_compressed_body_is_not_touched(site, backend):
    body = b"\x1f\x8b not really gzip"
    await exchange(site.port, request("POST /x", "Content-Encoding: gzip", f"Content-Length: {len(body)}", body=body))
    assert (backend.last.body, backend.last.one("Content-Encoding")) == (body, "gzip")


async def test_a_body_streams_before_it_is_whole(site, backend):
    connection = await Connection.open(site.port)
    await connection.send(request("POST /x", "Content-Length: 8", body=b"half"))
    await until(lambda: backend.requests and backend.last.body == b"half", "the first half is at the backend")
    await connection.send(b"half")
    assert (await connection.answer()).status == 200
    assert backend.last.body == b"halfhalf"
    await connection.close()


async def test_whoever_waits_for_a_100_is_told_to_go_on(site, backend):
    connection = await Connection.open(site.port)
    await connection.send(request("PUT /x", "Content-Length: 4", "Expect: 100-continue"))
    await until(lambda: backend.requests, "the head is at the backend, which has the say")
    assert backend.last.one("Expect") == "100-continue"
    backend.writers[-1].write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert (await connection.answer()).status == 100
    await connection.send(b"body")
    got = await connection.answer()
    assert (got.status, got.body, backend.last.body) == (200, b"hello", b"body")
    await connection.close()


async def test_a_backend_that_is_silent_to_whoever_waits_for_a_100_is_a_504(start, backend):
    limits = {"edge": {"client_idle_timeout_s": 0.2}, "upstream": {"response_timeout_s": 0.6}}
    site = await start(rooms=[OPEN], **limits)
    backend.act, backend.early = hang, True
    got = await exchange(site.port, request("PUT /x", "Content-Length: 4", "Expect: 100-continue"))
    assert (got.status, got.gate) == (504, "gateway_timeout")


async def test_whoever_was_told_to_go_on_and_does_not_is_a_408(start, backend):
    site = await start(rooms=[OPEN], edge={"client_idle_timeout_s": 0.2}, upstream={"response_timeout_s": 60})

    async def go_ahead(seen, writer):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await hang(seen, writer)

    backend.act, backend.early = go_ahead, True
    connection = await Connection.open(site.port)
    await connection.send(request("PUT /x", "Content-Length: 4", "Expect: 100-continue"))
    assert (await connection.answer()).status == 100
    got = await connection.answer()
    assert (got.status, got.gate) == (408, "too_slow")
    await connection.close()


async def test_whoever_asks_for_a_100_and_does_not_wait_for_it_has_the_time_a_body_has(start, backend):
    site = await start(rooms=[OPEN], upstream={"response_timeout_s": 0.3})
    connection = await Connection.open(site.port)
    await connection.send(request("PUT /x", "Content-Length: 8", "Expect: 100-continue", body=b"half"))
    await asyncio.sleep(0.6)
    await connection.send(b"half")
    assert (await connection.answer()).status == 200
    assert (backend.last.body, backend.last.whole) == (b"halfhalf", True)
    await connection.close()


async def test_headers_go_through_in_number_order_and_spelling(site, backend):
    sent = ["X-One: 1", "x-two: a", "x-two: b", "X-EMPTY:", "Accept-Language: ko, en;q=0.5", "User-Agent: Old/1 (x; y)"]
    await exchange(site.port, request("GET /", *sent))
    found = [f"{name}: {value}".rstrip() for name, value in backend.last.headers]
    assert [line for line in found if line in sent] == sent
    added = {name for name, _ in backend.last.headers} - {line.partition(":")[0] for line in sent}
    assert added == {
        "Host",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Request-ID",
        "Via",
        "Sunbeon-Pass",
    }


async def test_the_host_goes_through_as_the_client_wrote_it(site, backend):
    await exchange(site.port, b"GET / HTTP/1.1\r\nHost: Site.Test.:8080\r\n\r\n")
    assert backend.last.all("Host") == ["Site.Test.:8080"]


@pytest.mark.parametrize(
    "line", ["Keep-Alive: 5", "Proxy-Authorization: x", "TE: trailers", "Upgrade: h2c", "Proxy-Connection: close"]
)
async def test_headers_of_this_hop_stay_here(site, backend, line):
    await exchange(site.port, request("GET /", line))
    assert backend.last.all(line.partition(":")[0]) == []


async def test_headers_the_connection_names_stay_here_too(site, backend):
    await exchange(site.port, request("GET /", "Connection: keep-alive, X-Hop, Sunbeon-Pass", "X-Hop: 1", "X-End: 2"))
    assert (backend.last.all("X-Hop"), backend.last.all("X-End")) == ([], ["2"])
    assert len(backend.last.all("Sunbeon-Pass")) == 1


async def test_forwarding_headers_of_strangers_are_replaced(site, backend):
    sent = ["X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test", "Forwarded: for=x"]
    await exchange(site.port, request("GET /", *sent, "X_Forwarded_For: 10.0.0.1"))
    assert backend.last.all("X-Forwarded-For") == ["127.0.0.1"]
    assert backend.last.all("X-Forwarded-Proto") == ["http"]
    assert backend.last.all("X-Forwarded-Host") == ["site.test"]
    assert b"evil" not in backend.last.head
    assert b"10.0.0.1" not in backend.last.head


async def test_forwarding_headers_of_a_trusted_proxy_are_continued(start, backend):
    site = await start(rooms=[OPEN], edge={"trusted_proxies": ["127.0.0.0/8"]})
    await exchange(site.port, request("GET /", "X-Forwarded-For: 203.0.113.5", "X-Forwarded-Proto: https"))
    assert backend.last.all("X-Forwarded-For") == ["203.0.113.5, 127.0.0.1"]
    assert backend.last.all("X-Forwarded-Proto") == ["https"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a=1; sunbeon_pass_vaccine=x; b=2", "a=1; b=2"),
        ("sunbeon_ticket_vaccine=x", None),
        ("sunbeon_ticket_other=x; __Host-sunbeon_pass_vaccine=y;a=1", "a=1"),
        ('a="x y";  b=1;c', 'a="x y";  b=1;c'),
        ("sunbeon=1; my_sunbeon_pass_x=2; a==;", "sunbeon=1; my_sunbeon_pass_x=2; a==;"),
    ],
)
async def test_a_backend_gets_every_cookie_but_ours_as_it_was_spelled(site, backend, sent, kept):
    await exchange(site.port, request("GET /", f"Cookie: {sent}"))
    assert backend.last.one("Cookie") == kept


@pytest.mark.parametrize("value", ["é".encode(), b"caf\xe9", "예약".encode("euc-kr")])
async def test_header_bytes_of_any_encoding_go_through_both_ways(site, backend, value):
    backend.reply = answer(b"x").replace(b"\r\n", b"\r\nX-Name: " + value + b"\r\n", 1)
    connection = await Connection.open(site.port)
    await connection.send(b"GET / HTTP/1.1\r\nHost: site.test\r\nCookie: a=" + value + b"\r\n\r\n")
    raw = await connection.reader.readuntil(b"\r\n\r\n")
    await connection.close()
    assert b"Cookie: a=" + value + b"\r\n" in backend.last.head
    assert b"X-Name: " + value + b"\r\n" in raw


async def test_several_cookie_headers_stay_several(site, backend):
    await exchange(site.port, request("GET /", "Cookie: a=1", "Cookie: sunbeon_pass_vaccine=x", "Cookie: b=2"))
    assert backend.last.all("Cookie") == ["a=1", "b=2"]


# Answers on their way


async def test_an_answers_headers_come_back_in_number_order_and_spelling(site, backend):
    sent = ["Set-Cookie: a=1; Path=/", "Set-Cookie: b=2", "x-Thing: 1", "X-Thing: 2", "Server: own", "Date: yesterday"]
    backend.reply = answer(b"x", *sent)
    got = await exchange(site.port, request("GET /"))
    assert [line for line in (f"{name}: {value}" for name, value in got.headers) if line in sent] == sent
    assert (got.all("Server"), got.all("Date")) == (["own"], ["yesterday"])


async def test_an_answer_without_a_type_gets_none(site, backend):
    got = await exchange(site.port, request("GET /"))
    assert got.all("Content-Type") == []


async def test_an_answers_headers_of_this_hop_stay_there(site, backend):
    backend.reply = answer(b"x", "Keep-Alive: timeout=5", "Connection: keep-alive, X-Hop", "X-Hop: 1")
    got = await exchange(site.port, request("GET /"))
    assert (got.all("Keep-Alive"), got.all("X-Hop")) == ([], [])


@pytest.mark.parametrize("status", ["200 Alles gut", "404 Not Found", "418 Teapot", "500 Oops", "599 Own", "301 Moved"])
async def test_a_status_comes_back_as_it_is(site, backend, status):
    backend.reply = answer(b"text", "Location: http://site.test//a/../b?x=%7E", status=status)
    got = await exchange(site.port, request("GET /"))
    assert (f"{got.status} {got.reason}", got.body) == (status, b"text")
    assert got.all("Location") == ["http://site.test//a/../b?x=%7E"]
    assert len(backend.requests) == 1


async def test_a_head_answer_keeps_the_length_it_states(site, backend):
    backend.reply = b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nContent-Type: image/png\r\n\r\n"
    got = await exchange(site.port, request("HEAD /"), "HEAD")
    assert (got.one("Content-Length"), got.one("Content-Type")) == ("1234", "image/png")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_answers_without_a_body_leave_the_connection_in_step(site, backend, status):
    backend.reply = answer(b"", 'ETag: "1"', status=status, length=False)
    connection = await Connection.open(site.port)
    for _ in range(3):
        await connection.send(request("GET /"))
        got = await connection.answer()
        assert (f"{got.status} {got.reason}", got.all("ETag")) == (status, ['"1"'])
        assert got.all("Transfer-Encoding") == []
    await connection.close()


async def test_a_chunked_answer_comes_back_whole(site, backend):
    backend.reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    got = await exchange(site.port, request("GET /"))
    assert (got.body, got.clean) == (b"abcde", True)


async def test_an_answer_ended_by_its_connection_comes_back_whole(site, backend):
    async def act(_, writer):
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nold but whole")
        writer.close()

    backend.act = act
    got = await exchange(site.port, request("GET /"))
    assert (got.body, got.clean) == (b"old but whole", True)


async def test_a_compressed_answer_is_not_touched(site, backend):
    backend.reply = answer(b"\x1f\x8b not really gzip", "Content-Encoding: gzip")
    got = await exchange(site.port, request("GET /", "Accept-Encoding: gzip"))
    assert got.body == b"\x1f\x8b not really gzip"
    assert backend.last.one("Accept-Encoding") == "gzip"


async def test_an_interim_answer_does_not_stand_for_the_final_one(site, backend):
    backend.reply = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(b"final")
    connection = await Connection.open(site.port)
    await connection.send(request("GET /"))
    interim = await connection.answer()
    assert (interim.status, interim.headers) == (103, [("Link", "</a>")])
    assert (await connection.answer()).body == b"final"
    await connection.close()


async def test_an_answer_streams_before_it_is_whole(site, backend):
    go_on = asyncio.Event()

    async def act(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        await go_on.wait()
        writer.write(b"half")

    backend.act = act
    connection = await Connection.open(site.port)
    await connection.send(request("GET /"))
    assert (await connection.head()).status == 200
    assert await connection.reader.readexactly(4) == b"half"
    go_on.set()
    assert await connection.reader.readexactly(4) == b"half"
    await connection.close()


async def test_a_download_is_not_held_for_a_client_that_reads_slowly(start, backend):
    site = await start(rooms=[OPEN])
    size, sent = 64 * MIB, 0
    block = bytes(range(256)) * 1024

    async def act(_, writer):
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        while sent < size:
            writer.write(block)
            await writer.drain()
            sent += len(block)

    backend.act = act
    connection = await Connection.open(site.port)
    await connection.send(request("GET /"))
    await connection.head()
    before = -1
    while before != sent:  # until the backend cannot write on
        before = sent
        await asyncio.sleep(0.1)
    assert sent < size // 2
    digest = hashlib.sha256()
    left = size
    while left:
        chunk = await connection.reader.read(MIB)
        assert chunk
        digest.update(chunk)
        left -= len(chunk)
    assert digest.digest() == hashlib.sha256(block * (size // len(block))).digest()
    await connection.close()


async def test_several_requests_share_a_connection_in_order(site, backend):
    async def act(seen, writer):
        writer.write(answer(seen.target.encode()))

    backend.act = act
    connection = await Connection.open(site.port)
    await connection.send(request("GET /1") + request("GET /2") + request("GET /3"))
    assert [(await connection.answer()).body for _ in range(3)] == [b"/1", b"/2", b"/3"]
    await connection.close()


async def test_a_worker_that_stops_says_so_with_the_answers_under_way(start, backend):
    site = await start(rooms=[OPEN])
    go_on = asyncio.Event()

    async def act(_, writer):
        await go_on.wait()
        writer.write(answer())

    backend.act = act
    connection = await Connection.open(site.port)
    await connection.send(request("GET /"))
    await until(lambda: backend.requests, "it is under way")
    site.streams.stop()
    go_on.set()
    got = await connection.answer()
    assert (got.body, got.one("Connection"), await connection.rest()) == (b"hello", "close", b"")
    await connection.close()


# Failures


async def test_a_backend_that_is_not_there_is_a_502_that_tells_no_details(start):
    port = free_port()
    site = await start(backends=[Backend(port=port)], rooms=[OPEN])
    got = await site.visitor().get("/book")
    assert (got.status, got.gate, got.one("Retry-After")) == (502, "bad_gateway", "5")
    assert b"Traceback" not in got.body
    assert str(port).encode() not in got.body
    problem = await site.visitor(headers={"Accept": "*/*"}).get("/book")
    assert (problem.one("Content-Type"), problem.json()["code"]) == ("application/problem+json", "bad_gateway")
    assert str(port).encode() not in problem.body
    assert (await site.counters())["backend.bad_gateway"] == 2


async def test_whoever_was_admitted_keeps_the_pass_when_the_backend_fails(start, stack):
    backend = Backend(port=free_port())
    site = await start(backends=[backend])
    visitor = site.visitor()
    got = await visitor.get()
    assert (got.status, got.gate) == (502, "bad_gateway")
    assert visitor.visitor_pass is not None
    await stack.enter_async_context(running(backend))
    await asyncio.sleep(0)
    assert (await visitor.get()).gate is None
    assert (await site.room()).counters["admitted"] == 1


async def test_a_backend_that_says_nothing_is_a_504(site, backend):
    backend.act = hang
    got = await site.visitor().get()
    assert (got.status, got.gate) == (504, "gateway_timeout")
    await until(lambda: backend.last.closed, "the connection to the backend is closed")


@pytest.mark.parametrize(
    "reply",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"",
    ],
)
async def test_an_answer_that_is_none_is_a_502(site, backend, reply):
    async def act(_, writer):
        writer.write(reply)
        writer.close()

    backend.act = act
    got = await exchange(site.port, request("POST /", "Content-Length: 1", body=b"x"))
    assert (got.status, got.gate) == (502, "bad_gateway")


@pytest.mark.parametrize(
    "begin",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
async def test_half_an_answer_cannot_be_taken_for_a_whole_one(site, backend, begin):
    async def act(_, writer):
        writer.write(begin)
        await writer.drain()
        writer.close()

    backend.act = act
    got = await exchange(site.port, request("GET /"))
    assert (got.status, got.clean) == (200, False)
    assert got.body in {b"", b"half"}


async def test_an_answer_that_breaks_off_before_anything_of_it_was_sent_is_none(carrier, backend, monkeypatch):
    lost = asyncio.Event()
    connection_lost = Upstream.connection_lost

    def note(connection, error):
        connection_lost(connection, error)
        lost.set()

    async def wait(_status, _headers):
        await lost.wait()
        return ()

    async def act(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        writer.close()

    monkeypatch.setattr(Upstream, "connection_lost", note)
    backend.act = act
    _, port = await carrier(inspect=wait)
    got = await exchange(port, request("GET /"))
    assert (got.status, got.body) == (500, b"BackendError")


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ids=["half", "unasked 101"],
)
@pytest.mark.parametrize("whole_between", [False, True])
async def test_a_server_whose_answers_never_come_whole_comes_to_rest(carrier, backend, reply, whole_between):
    upstreams, port = await carrier(passive_fails=3, rest_s=60)

    async def act(seen, writer):
        writer.write(answer() if seen.target == "/whole" else reply)
        await writer.drain()
        writer.close()

    backend.act = act
    for target in ("/", "/", "/whole" if whole_between else "/", "/", "/"):
        got = await exchange(port, request(f"GET {target}"))
        assert (got.status == 200 and got.clean) is (target == "/whole")
    assert [each.resting for each in upstreams.state()] == [not whole_between]


async def test_an_answer_that_falls_silent_halfway_is_cut(site, backend):
    async def act(seen, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await hang(seen, writer)

    backend.act = act
    got = await exchange(site.port, request("GET /"))
    assert (got.status, got.clean) == (200, False)


async def test_a_client_that_goes_away_takes_its_request_to_the_backend_along(start, backend):
    site = await start(rooms=[OPEN])
    backend.act = hang
    connection = await Connection.open(site.port)
    await connection.send(request("GET /"))
    await until(lambda: backend.requests, "the request is at the backend")
    await connection.close()
    await until(lambda: backend.last.closed, "the backend was told")


async def test_a_client_that_goes_away_amid_a_download_ends_it(start, backend):
    site = await start(rooms=[OPEN])
    ended = asyncio.Event()

    async def act(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        finally:
            ended.set()

    backend.act = act
    connection = await Connection.open(site.port)
    await connection.send(request("GET /"))
    await connection.head()
    await connection.close()
    async with asyncio.timeout(10):
        await ended.wait()


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
async def test_a_client_that_goes_away_amid_its_body_leaves_no_whole_request(start, backend, framing):
    site = await start(rooms=[OPEN])
    connection = await Connection.open(site.port)
    await connection.send(request("POST /", framing, body=b"4\r\nhalf\r\n"))
    await until(lambda: backend.requests and b"half" in backend.last.body, "half the body is at the backend")
    await connection.close()
    await until(lambda: backend.last.closed, "the backend was told")
    assert not backend.last.whole


async def test_a_body_too_long_by_its_own_word_never_reaches_the_backend(site, backend):
    got = await exchange(site.port, request("POST /", f"Content-Length: {MIB + 1}", body=b"x"))
    assert (got.status, got.gate) == (413, "too_large")
    assert backend.requests == []


async def test_a_body_of_exactly_the_limit_is_not_too_long(site, backend):
    got = await exchange(site.port, request("POST /", f"Content-Length: {MIB}", body=b"x" * MIB))
    assert got.status == 200
    assert len(backend.last.body) == MIB


async def test_a_body_that_grows_too_long_on_its_way_is_refused_and_never_whole(site, backend):
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    connection = await Connection.open(site.port)
    await connection.send(request("POST /", "Transfer-Encoding: chunked", body=piece * 17))
    got = await connection.answer()
    assert (got.status, got.gate) == (413, "too_large")
    await until(lambda: backend.last.closed, "the backend was told")
    assert not backend.last.whole
    await connection.close()


async def test_a_backend_that_answers_before_the_body_is_whole_is_heard(site, backend):
    backend.early = True
    backend.reply = answer(b"too much", status="413 Content Too Large")
    connection = await Connection.open(site.port)
    await connection.send(request("POST /", "Content-Length: 1000", body=b"x"))
    got = await connection.answer()
    assert (got.status, got.body, got.gate) == (413, b"too much", None)
    await connection.close()


@pytest.mark.parametrize("start_of_body", [b"", b"half"])
async def test_a_client_that_falls_silent_amid_its_body_gives_its_connection_back(carrier, backend, start_of_body):
    _, port = await carrier(edge={"client_idle_timeout_s": 0.2}, max_connections=1)
    connection = await Connection.open(port)
    await connection.send(request("POST /", "Content-Length: 8", body=start_of_body))
    assert (await connection.answer()).body == b"BodyTimeout"
    await until(lambda: all(each.closed for each in backend.requests), "the backend was told")
    assert not any(each.whole for each in backend.requests)
    assert (await exchange(port, request("GET /"))).status == 200
    await connection.close()


async def test_a_slow_body_that_keeps_coming_goes_through(carrier, backend):
    _, port = await carrier(edge={"client_idle_timeout_s": 1.0, "client_min_bytes_per_s": 0})
    connection = await Connection.open(port)
    await connection.send(request("POST /", "Content-Length: 6"))
    for _ in range(6):
        await asyncio.sleep(0.25)
        await connection.send(b"x")
    assert (await connection.answer()).status == 200
    assert (backend.last.body, backend.last.whole) == (b"xxxxxx", True)
    await connection.close()


async def test_a_body_that_comes_in_drops_is_ended(carrier, backend):
    _, port = await carrier(edge={"client_idle_timeout_s": 0.3, "client_min_bytes_per_s": 1000})
    connection = await Connection.open(port)
    await connection.send(request("POST /", "Content-Length: 1000"))
    answering = asyncio.create_task(connection.answer())
    while not answering.done():
        await connection.send(b"x")
        await asyncio.sleep(0.05)
    assert (await answering).body == b"BodyTimeout"
    assert not backend.last.whole
    await connection.close()


async def test_where_every_connection_is_in_use_one_waits_a_moment_and_no_server_is_blamed(carrier, backend):
    upstreams, port = await carrier(max_connections=1, connect_timeout_s=0.2, response_timeout_s=PATIENCE_S)
    go_on = asyncio.Event()

    async def act(_, writer):
        await go_on.wait()
        writer.write(answer())

    backend.act = act
    first = asyncio.create_task(exchange(port, request("GET /first")))
    await until(lambda: backend.requests, "the first is at the backend")
    began_s = asyncio.get_running_loop().time()
    assert (await exchange(port, request("GET /second"))).body == b"BackendTimeout"
    assert asyncio.get_running_loop().time() - began_s < PATIENCE_S / 2
    assert [each.healthy and not each.resting for each in upstreams.state()] == [True]
    third = asyncio.create_task(exchange(port, request("GET /third")))
    go_on.set()
    assert [got.body for got in await asyncio.gather(first, third)] == [b"hello", b"hello"]
    assert backend.targets == ["/first", "/third"]


@pytest.mark.parametrize(
    "fault", ["silent", "nonsense", "cut", "too long", "gone", "gone amid its body", "gone waiting"]
)
async def test_whatever_ends_a_request_frees_its_connection(carrier, backend, fault):
    upstreams, port = await carrier(max_connections=1, response_timeout_s=0.3 if fault == "silent" else 60)

    async def half(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    backend.act = {"silent": hang, "cut": half, "gone": hang, "gone waiting": hang}.get(fault)
    backend.reply = b"nonsense\r\n\r\n" if fault == "nonsense" else answer()
    sent = request("GET /")
    if fault == "too long":
        sent = request("POST /", "Transfer-Encoding: chunked", body=b"110000\r\n" + b"x" * 0x110000 + b"\r\n")
    if fault == "gone amid its body":
        sent = request("POST /", "Content-Length: 8", body=b"half")
    connection = await Connection.open(port)
    await connection.send(sent)
    await until(lambda: backend.requests, "the request is at the backend")
    if fault.startswith("gone"):
        assert upstreams._free.locked()
        if fault == "gone waiting":
            waiting = await Connection.open(port)
            await waiting.send(sent)
            await until(lambda: upstreams._free._waiters, "another waits")
            await waiting.close()
            await until(lambda: not upstreams._free._waiters, "it waits no more")
        await connection.close()
    else:
        await connection.answer()
        await connection.close()
    await until(lambda: not upstreams._free.locked(), "the connection is free")
    backend.act, backend.reply = None, answer()
    assert (await exchange(port, request("GET /"))).status == 200
    assert upstreams._free._value == 1


# Several servers


async def test_servers_take_turns(start, stack):
    backends = [await stack.enter_async_context(running(Backend())) for _ in range(2)]
    site = await start(backends=backends, rooms=[OPEN])
    for _ in range(6):
        await exchange(site.port, request("GET /"))
    assert [len(each.requests) for each in backends] == [3, 3]


@pytest.mark.parametrize("body", [b"", b"body"])
async def test_where_one_server_is_dead_the_other_serves(start, backend, body):
    site = await start(backends=[Backend(port=free_port()), backend], rooms=[OPEN])
    for _ in range(4):
        got = await exchange(site.port, request("POST /", f"Content-Length: {len(body)}", body=body))
        assert got.status == 200
        assert backend.last.body == body
    assert len(backend.requests) == 4


def closing_once():
    """What a backend does that closes a kept connection just as it is used again, and then serves."""
    calls = 0

    async def act(_, writer):
        nonlocal calls
        calls += 1
        if calls == 1:
            writer.close()
        else:
            writer.write(answer())

    return act


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_body_is_never_sent_twice_nor_half(site, backend, framing):
    """A connection the backend closes just as it is used again: the body is gone, so it cannot be tried once more."""
    await exchange(site.port, request("GET /"))
    backend.act = closing_once()
    sent = request("PUT /x", "Content-Length: 4", body=b"body")
    if framing == "chunked":
        sent = request("PUT /x", "Transfer-Encoding: chunked", body=b"4\r\nbody\r\n0\r\n\r\n")
    got = await exchange(site.port, sent)
    puts = [each for each in backend.requests if each.method == "PUT"]
    assert [each.body for each in puts if each.whole] == [b"body"] * len(puts)
    assert got.status in {200, 502}


async def test_a_get_that_meets_a_connection_just_closed_is_tried_once_more(site, backend):
    await exchange(site.port, request("GET /"))
    backend.act = closing_once()
    assert (await exchange(site.port, request("GET /again"))).status == 200
