"""What nobody can parse, and what even the gate did not catch: told shortly to the client, and noted without noise."""

import logging
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from gateway.edge.server import Server
from gateway.edge.tests.front import Connection

SECRET = b"sunbeon_pass_vaccine=s3cret"


@pytest.fixture
def serve(stack):
    """Start the listener around one handler. The port."""

    @asynccontextmanager
    async def serving(handler):
        runner = web.ServerRunner(Server(handler, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    return lambda handler: stack.enter_async_context(serving(handler))


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /%s HTTP/9.9\r\n\r\n" % SECRET,
        b"%s\r\n\r\n" % SECRET,
        b"G=T /s3cret HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: site.test\r\nCookie: %s\0\r\n\r\n" % SECRET,
        b"GET / HTTP/1.1\r\nHost: site.test\r\n%s\r\n\r\n" % SECRET,
        b"GET / HTTP/1.1\r\nHost: site.test\r\nContent-Length: s3cret\r\n\r\n",
        b"GET /" + b"s3cret" * 10_000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01s3cret\x02\x00\r\n\r\n",
    ],
)
@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n"])
async def test_what_cannot_be_parsed_is_refused_shortly_and_repeated_nowhere(start, caplog, sent, first):
    site = await start(rooms=[{"state": "passthrough"}])
    connection = await Connection.open(site.port)
    if first:
        await connection.send(first)
        assert (await connection.answer()).status == 200
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        await connection.send(sent)
        got = await connection.answer()
        assert await connection.rest() == b""
    assert (got.status, got.gate, got.one("Server"), got.clean) == (400, "bad_request", "sunbeon", True)
    assert got.body == b"400 Bad Request\n"
    records = [record for record in caplog.records if record.name != "asyncio"]
    assert len(records) <= 1
    assert all(record.levelno == logging.DEBUG and not record.exc_info for record in records)
    assert "s3cret" not in f"{caplog.text}{[vars(record) for record in records]}"
    await connection.close()


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
async def test_a_fault_is_logged_in_full_and_told_to_nobody(serve, caplog, accept):
    async def handler(_):
        raise RuntimeError("s3cret")

    connection = await Connection.open(await serve(handler))
    await connection.send(f"GET / HTTP/1.1\r\nHost: site.test\r\nAccept: {accept}\r\n\r\n".encode())
    got = await connection.answer()
    assert await connection.rest() == b""
    assert (got.status, got.gate, got.one("Server")) == (500, "unavailable", "sunbeon")
    assert got.body == b"500 Internal Server Error\n"
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "s3cret" in str(record.exc_info)
    await connection.close()


async def test_a_fault_amid_an_answer_cuts_it(serve):
    async def handler(request):
        response = web.StreamResponse(headers={"Content-Length": "8"})
        await response.prepare(request)
        await response.write(b"half")
        raise RuntimeError("s3cret")

    connection = await Connection.open(await serve(handler))
    await connection.send(b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n")
    got = await connection.answer()
    assert (got.body, got.clean) == (b"half", False)
    await connection.close()


async def test_a_client_that_went_away_is_no_fault(serve, caplog):
    async def handler(request):
        request.transport.abort()
        raise ConnectionResetError("gone")

    connection = await Connection.open(await serve(handler))
    await connection.send(b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n")
    assert await connection.rest() == b""
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    await connection.close()
