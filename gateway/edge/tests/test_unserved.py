"""A turn is not spent until it works: the backend fails for a while, and nobody who was let in pays for it."""

import asyncio
import logging

import pytest

from gateway.edge.strings import EN, KO
from gateway.edge.tests.backend import answer, hang, until
from gateway.edge.tests.front import BROWSER, Connection, Front
from gateway.store.base import PassRef
from shared.wire import How

BROKEN = answer(b"boom", status="500 Internal Server Error")
S = 1_000


async def counted(site: Front, **wanted: int) -> None:
    """The store is told behind the visitor's back: wait for it."""
    for _ in range(1000):
        found = (await site.room()).counters
        if all(found.get(name, 0) == number for name, number in wanted.items()):
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{dict(found)} and not {wanted}")


async def ends_in_ms(site: Front, pass_id: str, place: int = 1) -> int:
    (grant,) = await site.store.look("vaccine", [PassRef(1, place, pass_id)])
    assert grant is not None
    return grant.ends_ms - (await site.room()).pass_clock_ms


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad", "503 Busy", "504 Late"])
@pytest.mark.parametrize(("language", "words"), [("ko", KO), ("en", EN)])
async def test_whoever_opens_a_page_that_the_backend_fails_keeps_the_turn_and_is_told_so(
    site, backend, status, language, words
):
    backend.reply = answer(b"s3cret trace", status=status)
    visitor = site.visitor(headers={**BROWSER, "Accept-Language": language})
    got = await visitor.get("/book")
    assert (got.status, got.gate, got.one("Retry-After")) == (503, "unserved", "5")
    page = got.body.decode()
    assert words["unserved_do"] in page
    assert 'http-equiv="refresh"' in page
    assert "s3cret" not in page
    assert visitor.visitor_pass is not None
    backend.reply = answer()
    assert (await visitor.get("/book")).gate is None
    claims = [site.proof(request) for request in backend.requests]
    assert [(claim.how, claim.place, claim.pass_id) for claim in claims] == [(How.DIRECT, 1, claims[0].pass_id)] * 2
    await counted(site, unserved=1, restarted=1, admitted=1)


async def test_the_stay_begins_when_the_backend_first_answers(site, backend):
    backend.reply = BROKEN
    visitor = site.visitor()
    await visitor.get()
    pass_id = site.proof(backend.last).pass_id
    for failures in range(1, 3):
        await counted(site, unserved=failures)
        await site.pass_time(200 * S)
        await visitor.get()
    await counted(site, unserved=3)
    backend.reply = answer()
    await site.pass_time(150 * S)
    assert (await visitor.get()).gate is None
    await counted(site, restarted=1)
    assert await ends_in_ms(site, pass_id) == 600 * S
    # What fails later is no reason for more.
    backend.reply = BROKEN
    await site.pass_time(100 * S)
    got = await visitor.get()
    assert (got.status, got.gate, got.body) == (500, None, b"boom")
    assert await ends_in_ms(site, pass_id) == 500 * S
    room = await site.room()
    assert (room.live, room.counters["admitted"], room.counters["unserved"]) == (1, 1, 3)


async def test_a_backend_that_never_answers_keeps_a_seat_for_a_bounded_time(start, backend):
    site = await start(rooms=[{"unserved_limit_s": 300, "session_length_s": 400}])
    backend.reply = BROKEN
    visitor, waiting = site.visitor(), site.visitor()
    await visitor.get()
    await site.line.tick_now()
    await waiting.queue()
    for _ in range(5):
        await site.pass_time(100 * S)
        await visitor.get()
        assert (await site.room()).live == 1, "the ceiling is one"
    assert (await visitor.status())["state"] == "inside"
    await site.pass_time(102 * S)
    assert (await visitor.status())["state"] != "inside"
    room = await site.room()
    assert (room.counters["unserved"], room.counters["expired"]) == (3, 1)
    assert (await waiting.status())["state"] == "inside"


async def test_a_backend_that_is_gone_or_keeps_silent_counts_as_one_that_fails(start, backend):
    site = await start(upstream={"response_timeout_s": 0.2})
    backend.act = hang
    visitor = site.visitor()
    assert (await visitor.get()).gate == "gateway_timeout"
    await counted(site, unserved=1)

    async def cut(_request, writer):
        writer.transport.abort()

    backend.act = cut
    assert (await visitor.get()).gate == "bad_gateway"
    await counted(site, unserved=2)
    backend.act = None
    assert (await visitor.get()).gate is None
    await counted(site, unserved=2, restarted=1, admitted=1)


async def test_what_a_visitor_breaks_off_puts_nothing_forward(site, backend):
    backend.act = hang
    connection = await Connection.open(site.port)
    await connection.send(b"GET / HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n\r\n")
    await until(lambda: backend.requests, "it is forwarded")
    await connection.close()
    await until(lambda: backend.last.closed, "it is broken off")
    await site.line.tick_now()
    room = await site.room()
    assert (room.live, room.counters.get("unserved")) == (1, None)


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "404 Not Found", "403 Forbidden"])
async def test_any_answer_but_a_failure_begins_the_stay(site, backend, status):
    backend.reply = answer(status=status)
    visitor = site.visitor()
    await visitor.get()
    await until(lambda: site.line._trials._served, "it is noted")
    (pass_id,) = site.line._trials._served
    for _ in range(1000):
        (grant,) = await site.store.look("vaccine", [PassRef(1, 1, pass_id)])
        assert grant is not None
        if grant.trial is None:
            break
        await asyncio.sleep(0.005)
    assert grant.trial is None
    assert "restarted" not in (await site.room()).counters


async def test_a_form_and_a_program_get_the_backends_own_words(site, backend):
    backend.reply = BROKEN
    sent = await site.visitor().ask("POST", "/confirm", b"name=x")
    assert (sent.status, sent.gate, sent.body) == (500, None, b"boom")
    await counted(site, unserved=1)


async def test_who_leaves_or_completes_while_the_backend_fails_frees_the_seat(site, backend):
    backend.reply = answer(b"boom", "Sunbeon-Command: complete", status="500 Oops")
    visitor = site.visitor()
    assert (await visitor.get()).gate is None
    assert (await site.room()).live == 0


async def test_without_a_limit_every_answer_is_the_backends(start, backend):
    site = await start(rooms=[{"unserved_limit_s": 0}])
    backend.reply = BROKEN
    got = await site.visitor().get()
    assert (got.status, got.gate) == (500, None)
    assert "unserved" not in await site.counters()


async def test_ceiling_and_outflow_are_exact_while_the_backend_fails_some(start, backend):
    site = await start(rooms=[{"total_active_users": 5}])
    failing = {f"/{number}" for number in range(0, 20, 2)}

    async def some(request, writer):
        writer.write(BROKEN if request.target in failing else answer())
        await writer.drain()

    backend.act = some
    visitors = [site.visitor() for _ in range(12)]
    for _ in range(6):
        for number, visitor in enumerate(visitors):
            await visitor.get(f"/{number}")
            assert (await site.room()).live <= 5
        await site.pass_time(60 * S)
    failing.clear()
    for number, visitor in enumerate(visitors[:5]):
        assert (await visitor.get(f"/{number}")).status == 200
    room = await site.room()
    assert (room.live, room.counters["admitted"], room.counters["peak_live"]) == (5, 5, 5)
    await counted(site, restarted=3)


async def test_a_flood_of_failures_is_a_line_in_a_second_that_says_which_request_it_was(site, backend, caplog):
    backend.reply = BROKEN
    visitor = site.visitor()
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            await visitor.get(traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    lines = [record for record in caplog.records if record.message == "the backend failed"]
    assert 1 <= len(lines) < 20
    first = vars(lines[0])
    assert (first["kind"], first["room"], first["trace_id"]) == ("unserved", "vaccine", "a" * 32)
    assert first["request_id"] == backend.requests[0].one("X-Request-ID")
    assert backend.last.one("traceparent") == "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
