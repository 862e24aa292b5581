"""Random and spoiled requests and answers through a gateway: whole and unaltered or not at all, nothing in another.

The examples are the same in every run; `python -m gateway.tests.http.fuzz` looks further. What it finds is kept here.
"""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import HealthCheck, example, given, settings

from gateway.tests.http import strict
from gateway.tests.http.grammar import (
    ANSWER,
    Reply,
    Sent,
    hostile_replies,
    hostile_streams,
    valid_replies,
    valid_streams,
)
from gateway.tests.http.lenient import READINGS, SERIAL
from gateway.tests.http.trial import rig
from gateway.tests.http.verdict import DIFFERENTLY

SITE = b"Host: site.test\r\n"
INNOCENT = b"GET /out/mark1 HTTP/1.1\r\n" + SITE + b"\r\n"


def examples(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,  # nothing is said of speed
        database=None,
        derandomize=True,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """One gateway for all examples: what one leaves behind, the next one meets."""
    with rig(tmp_path_factory.mktemp("gateway")) as made:
        yield made


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((b"POST /out/mark0 HTTP/1.1", b"Host: site.test", *lines, b"", b"")) + body


def sent(data: bytes) -> Sent:
    return Sent((data,))


# Requests


# aiohttp's parser: trailers became headers of the connection's next request.
@example(sent(post(b"Transfer-Encoding: chunked", body=b"0\r\nX-Trailer: 1\r\n\r\n") + INNOCENT))
# aiohttp's client: bytes that are no UTF-8 were left out.
@example(sent(b"GET /out/mark0 HTTP/1.1\r\n" + SITE + b"Y: a\x80\xffb\r\n\r\n"))
@examples(150)
@given(valid_streams)
def test_every_valid_request_reaches_the_backend_whole_and_is_answered_with_its_own_answer(gateway, stream):
    trial = gateway.try_out(stream)
    trial.check()
    asked, answers = trial.talks[0].asked.messages, trial.talks[0].answers.messages
    assert len(answers) == len(asked), trial.talks[0]
    for request, answer in zip(asked, answers, strict=True):
        assert bool(answer.all(SERIAL.lower())) is (b"/shut/" not in request.start[1]), (request, answer)


@example(
    sent(post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nGET /out/sneaked HTTP/1.1\r\n"))
)
@example(sent(post(b"Content_Length: 0", b"Content-Length: 5", body=b"mark0")))
@example(sent(post(b"Content-Length: 5", b"Connection: Content-Length", body=b"mark0") + INNOCENT))
@example(sent(post(b"Transfer-Encoding: chunked", b"Connection: Transfer-Encoding", body=b"0\r\n\r\n") + INNOCENT))
@example(sent(post(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n") + INNOCENT))
# Not a fault: an answer that comes before its request is whole.
@example(Sent((post(b"Content-Length: 5", body=b"mark"),), early=True))
@example(Sent((b"HEAD /out/mark0 HTTP/1.1\r\n" + SITE + b"Content-Length: 5\r\n\r\nmark",), early=True))
@pytest.mark.slow
@examples(400)
@given(hostile_streams)
def test_no_stream_makes_one_request_another_or_leaves_a_byte_of_it_behind(gateway, stream):
    gateway.try_out(stream).check()


# Answers


@examples(100)
@given(valid_replies)
def test_every_valid_answer_reaches_its_client_whole(gateway, reply):
    trial = gateway.answer(reply)
    trial.check()
    (got,) = trial.talks[0].answers.messages
    assert not got.all(b"sunbeon-gate"), trial.talks[0].received


@example(Reply(b"GET", (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nreply", None)))
@example(Reply(b"GET", (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nreply\r\n", None)))
@example(Reply(b"GET", (ANSWER + ANSWER,)))
@example(Reply(b"HEAD", (ANSWER,)))
@example(Reply(b"GET", (ANSWER, b"HTTP/1.1 100 Continue\r\n\r\n", ANSWER)))
@examples(150)
@given(hostile_replies)
def test_no_answer_reaches_two_clients_or_is_taken_for_whole_when_it_is_not(gateway, reply):
    gateway.answer(reply).check()


# The judge can say no


@asynccontextmanager
async def relay(backend, *, shared=False, to_backend=bytes, to_client=bytes):
    """What no gateway should be: bytes in, bytes out. shared: all clients use one connection to the backend."""
    kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader, writer, change):
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(change(data))

    async def serve(reader, writer):
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        upstream = kept[0] if kept else await asyncio.open_connection("127.0.0.1", backend.port)
        if shared:
            kept[:] = [upstream]
        back = asyncio.create_task(pump(upstream[0], writer, to_client))
        try:
            await pump(reader, upstream[1], to_backend)
        finally:
            back.cancel()
            with suppress(asyncio.CancelledError):
                await back
            writer.close()
            if not shared:
                upstream[1].close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for _, writer in kept:
            writer.close()
        await asyncio.gather(*tasks)


SNEAKED = b"GET /out/sneaked HTTP/1.1\r\n" + SITE + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
ENDED = b"0\r\n\r\n"
# By what the first server goes by and what the second.
VECTORS = {
    "length, coding": post(b"Content-Length: %d" % len(ENDED + SNEAKED), CHUNKED, body=ENDED + SNEAKED),
    "coding, length": post(b"Content-Length: 4", CHUNKED, body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(SNEAKED), SNEAKED)),
    "coding, other spelling": post(b"Content-Length: 5", b"Transfer-Encoding: xchunked", body=ENDED + SNEAKED),
    "two codings": post(CHUNKED, b"Transfer-Encoding: identity", body=ENDED + SNEAKED),
    "two lengths": post(b"Content-Length: 0", b"Content-Length: %d" % len(SNEAKED), body=SNEAKED),
    "list of lengths": post(b"Content-Length: 0, %d" % len(SNEAKED), body=SNEAKED),
    "size in C": post(CHUNKED, body=b"0x5\r\nhello\r\n" + ENDED),
    "chunk longer than it says": post(CHUNKED, body=b"5\r\nhellothere\r\n" + ENDED),
    "underscore": post(b"Content_Length: %d" % len(SNEAKED), body=SNEAKED),
    "bare CR": post(b"X: y\rContent-Length: %d" % len(SNEAKED), body=SNEAKED),
    "NUL": post(CHUNKED + b"\0", body=ENDED + SNEAKED),
}


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_the_judge_sees_that_servers_would_read_it_differently(tmp_path, vector):
    assert len({(seen.messages, seen.end) for seen in (reading.read(vector) for reading in READINGS)}) > 1
    with rig(tmp_path, relay) as careless:
        assert any(wrong.startswith(DIFFERENTLY) for wrong in careless.try_out(sent(vector)).wrong)


@pytest.mark.parametrize(
    "vector",
    [
        post(CHUNKED, body=b"5\nhello\n0\n\n"),
        post(b"Content-Length : 5", body=b"hello"),
        post(b"X: y\nY: z"),
        post(b"X: y\r\n folded"),
        b"GET /out/mark0 HTTP/1.1\r\n\r\n",
        post(b"Host: other.test"),
    ],
)
def test_the_judge_refuses_what_no_strict_server_would_take(tmp_path, vector):
    assert strict.requests(vector + INNOCENT).end is strict.End.MALFORMED
    with rig(tmp_path, relay) as careless:
        assert careless.try_out(sent(vector + INNOCENT)).wrong


@pytest.mark.parametrize(
    "change", [(b"mark0", b"mark1"), (b"hello", b"hallo"), (b"X: y", b"X: yy"), (b"site", b"sit3")]
)
def test_the_judge_sees_what_was_altered(tmp_path, change):
    data = post(b"X: y", b"Content-Length: 5", body=b"hello")
    with rig(tmp_path, relay) as honest:
        honest.try_out(sent(data)).check()
    with rig(tmp_path, lambda backend: relay(backend, to_backend=lambda data: data.replace(*change))) as liar:
        assert any("nobody sent" in wrong for wrong in liar.try_out(sent(data)).wrong)


def test_the_judge_sees_an_innocent_get_anothers_answer(tmp_path):
    """The sneaked request's answer waits on the kept connection for whoever comes next."""
    data = post(b"Content-Length: %d" % len(ENDED + SNEAKED), CHUNKED, body=ENDED + SNEAKED)
    with rig(tmp_path, lambda backend: relay(backend, shared=True)) as careless:
        assert any("got the answer to" in wrong for wrong in careless.try_out(sent(data)).wrong)


@pytest.mark.parametrize(
    ("reply", "change"),
    [
        (Reply(b"GET", (ANSWER + ANSWER,)), (b"", b"")),
        (Reply(b"GET", (ANSWER,)), (b"Mark", b"Lark")),
        (Reply(b"GET", (ANSWER,)), (b"\r\nreply", b"\r\nhello")),
        (Reply(b"GET", (ANSWER[:-1], None)), (b"Length: 5", b"Length: 4")),
        (Reply(b"HEAD", (ANSWER,)), (b"", b"")),
    ],
)
def test_the_judge_sees_an_answer_doubled_altered_or_cut(tmp_path, reply, change):
    """The last change makes a broken answer look whole."""

    def alter(data: bytes) -> bytes:
        return data.replace(*change) if change[0] else data

    with rig(tmp_path, lambda backend: relay(backend, to_client=alter)) as liar:
        assert liar.answer(reply).wrong
