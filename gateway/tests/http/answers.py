"""Answers: their framing, what is broken in them, and which connection carries another request."""

from typing import Final

from gateway.tests.http.case import (
    BODY,
    CLOSE,
    HELLO,
    OK,
    RESET,
    Answer,
    Case,
    Expect,
    Got,
    Hear,
    Seen,
    Step,
    Tell,
    answer,
    chunked,
    failed,
    get,
    post,
    request,
)

CHUNKED: Final = b"Transfer-Encoding: chunked"


def _comes(
    name: str,
    rfc: str,
    reply: bytes | tuple[Step, ...],
    *expect: Expect,
    send: bytes = b"",
    heard: bytes = b"",
) -> Case:
    """heard: the client says `Hear("it")` when this has come."""
    steps = (send or get(), *((Got(heard), Tell("it")) if heard else ()))
    return Case(name, rfc, steps, expect, reply if isinstance(reply, bytes) else (reply,))


def _whole(
    status: int = 200,
    *,
    start: bytes | None = None,
    lines: tuple[bytes, ...] | None = None,
    framing: bytes | None = None,
    body: bytes | None = None,
    again: bool | None = True,
    then: str = "open",
) -> Expect:
    answer = Answer(status, start=start, lines=lines, framing=framing, body=body)
    return Expect((answer,), (Seen(),), then, again)


def _half(body: bytes, status: int = 200) -> Expect:
    """Half an answer, and its client cannot take it for a whole one."""
    return Expect((Answer(status, body=body, whole=False),), (Seen(),), "closed", again=False)


_FRAMING: Final = (
    _comes("a body with its length", "RFC 9112 6.2", HELLO, _whole(body=b"hello", framing=b"Content-Length: 5")),
    _comes(
        "a length of 0",
        "RFC 9110 8.6",
        answer(b"200 OK", b"Content-Length: 0"),
        _whole(body=b"", framing=b"Content-Length: 0"),
    ),
    _comes(
        "a chunked body stays chunked",
        "RFC 9112 7.1",
        answer(b"200 OK", CHUNKED, body=chunked(b"hel", b"lo")),
        _whole(body=b"hello", framing=CHUNKED),
    ),
    _comes(
        "a chunked body of no chunks",
        "RFC 9112 7.1",
        answer(b"200 OK", CHUNKED, body=b"0\r\n\r\n"),
        _whole(body=b"", framing=CHUNKED),
    ),
    _comes(
        "chunk extensions are dropped",
        "RFC 9112 7.1.1",
        answer(b"200 OK", CHUNKED, body=b'00005;a="b c"\r\nhello\r\n0;d\r\n\r\n'),
        _whole(body=b"hello", framing=CHUNKED),
    ),
    _comes(
        "trailers are dropped",
        "RFC 9110 6.5.1",
        answer(b"200 OK", CHUNKED, b"Trailer: X-Sum", body=b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=1\r\n\r\n"),
        _whole(body=b"hello", framing=CHUNKED, lines=()),
    ),
    _comes(
        "a chunked body that comes byte by byte",
        "RFC 9112 7.1",
        (BODY, *(bytes([each]) for each in answer(b"200 OK", CHUNKED, body=chunked(b"hel", b"lo")))),
        _whole(body=b"hello", framing=CHUNKED),
    ),
    _comes(
        "a body ended by its connection comes whole",
        "RFC 9112 6.3",
        (BODY, answer(b"200 OK", body=b"hello"), CLOSE),
        _whole(body=b"hello", framing=CHUNKED, again=False),
        _whole(body=b"hello", framing=b"", again=False, then="closed"),
    ),
    _comes(
        "an empty body ended by its connection comes whole",
        "RFC 9112 6.3",
        (BODY, answer(b"200 OK"), CLOSE),
        _whole(body=b"", again=False),
        _whole(body=b"", again=False, then="closed"),
    ),
    _comes(
        "an HTTP/1.0 answer comes as HTTP/1.1",
        "RFC 9110 2.5",
        (BODY, b"HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nhello", CLOSE),
        _whole(start=b"HTTP/1.1 200 OK", body=b"hello", again=False),
        _whole(start=b"HTTP/1.1 200 OK", body=b"hello", again=False, then="closed"),
    ),
    _comes(
        "an HTTP/1.0 answer with its length does not keep the connection",
        "RFC 9112 9.3",
        (BODY, b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        _whole(start=b"HTTP/1.1 200 OK", body=b"hello", again=False),
    ),
    _comes(
        "an HTTP/1.0 answer that keeps the connection",
        "RFC 9112 9.3",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
        _whole(start=b"HTTP/1.1 200 OK", body=b"hello", again=None),
    ),
    _comes(
        "an HTTP/1.0 answer cannot be chunked",
        "RFC 9112 6.1",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hello"),
        failed(again=False),
        _whole(body=b"hello", again=False),
    ),
    _comes(
        "a backend that closes its connection does not close the client's",
        "RFC 9112 9.6",
        answer(b"200 OK", b"Connection: close", b"Content-Length: 5", body=b"hello"),
        _whole(body=b"hello", again=False),
    ),
    _comes(
        "a 204 has no body and no framing",
        "RFC 9110 15.3.5",
        answer(b"204 No Content", b"X-A: 1"),
        _whole(204, lines=(b"X-A: 1",), framing=b""),
    ),
    _comes(
        "a 204 with a length has none all the same",
        "RFC 9110 8.6",
        answer(b"204 No Content", b"Content-Length: 0"),
        _whole(204, framing=b"", again=None),
        _whole(204, framing=b"Content-Length: 0", again=None),
        failed(),
    ),
    _comes(
        "a 304 has no body",
        "RFC 9110 15.4.5",
        answer(b"304 Not Modified", b'ETag: "a"'),
        _whole(304, lines=(b'ETag: "a"',), framing=b""),
    ),
    _comes(
        "a 304 keeps the length of the body it does not have",
        "RFC 9110 8.6",
        answer(b"304 Not Modified", b"Content-Length: 1234"),
        _whole(304, framing=b"Content-Length: 1234"),
    ),
    _comes(
        "a 205 with a length of 0",
        "RFC 9110 15.3.6",
        answer(b"205 Reset Content", b"Content-Length: 0"),
        _whole(205, body=b""),
    ),
    *(
        _comes(
            name,
            "RFC 9112 4",
            b"HTTP/1.1 200" + space + b"\r\nContent-Length: 2\r\n\r\nok",
            _whole(start=b"HTTP/1.1 200 ", body=b"ok"),
            _whole(start=b"HTTP/1.1 200 OK", body=b"ok"),
        )
        for name, space in (("no reason", b" "), ("no reason and no space for it", b""))
    ),
    _comes(
        "a reason of one's own, in any bytes",
        "RFC 9112 4",
        b"HTTP/1.1 200 Alles gut! \xec\x98\x88 \xe9\r\nContent-Length: 2\r\n\r\nok",
        _whole(start=b"HTTP/1.1 200 Alles gut! \xec\x98\x88 \xe9", body=b"ok"),
    ),
    _comes(
        "a status nobody knows",
        "RFC 9110 15",
        answer(b"599 Own", b"Content-Length: 2", body=b"ok"),
        _whole(599, start=b"HTTP/1.1 599 Own", body=b"ok"),
    ),
    _comes(
        "a status out of range",
        "RFC 9110 15",
        answer(b"999 Own", b"Content-Length: 2", body=b"ok"),
        _whole(999, body=b"ok"),
        failed(),
    ),
    _comes(
        "answers to HEAD end with their head",
        "RFC 9112 6.3",
        answer(b"200 OK", b"Content-Length: 5"),
        Expect((Answer(framing=b"Content-Length: 5", to=b"HEAD"),), (Seen(),), again=True),
        send=request(b"HEAD /"),
    ),
    _comes(
        "a body streams before it is whole",
        "RFC 9112 7.1",
        (BODY, answer(b"200 OK", CHUNKED, body=b"5\r\nfirst\r\n"), Hear("it"), b"4\r\nlast\r\n0\r\n\r\n"),
        _whole(body=b"firstlast"),
        heard=b"first",
    ),
    _comes(
        "the same length twice is refused, or said once",
        "RFC 9112 6.3",
        answer(b"200 OK", b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
        failed(again=False),
        _whole(body=b"hello", framing=b"Content-Length: 5", again=None),
    ),
    _comes(
        "the same length twice in a line is refused, or said once",
        "RFC 9112 6.3",
        answer(b"200 OK", b"Content-Length: 5, 5", body=b"hello"),
        failed(again=False),
        _whole(body=b"hello", framing=b"Content-Length: 5", again=None),
    ),
)


def _bad(name: str, rfc: str, raw: bytes, *, more: tuple[Step, ...] = ()) -> Case:
    return Case(f"no answer: {name}", rfc, get(), failed(again=False), ((BODY, raw, *more),))


_REFUSED: Final = (
    _bad(
        "a length and chunks", "RFC 9112 6.3", answer(b"200 OK", b"Content-Length: 5", CHUNKED, body=chunked(b"hello"))
    ),
    _bad(
        "chunks and a length", "RFC 9112 6.3", answer(b"200 OK", CHUNKED, b"Content-Length: 5", body=chunked(b"hello"))
    ),
    _bad("two lengths", "RFC 9112 6.3", answer(b"200 OK", b"Content-Length: 5", b"Content-Length: 6", body=b"hello!")),
    _bad("two lengths in a line", "RFC 9112 6.3", answer(b"200 OK", b"Content-Length: 5, 6", body=b"hello!")),
    _bad("a signed length", "RFC 9112 6.3", answer(b"200 OK", b"Content-Length: +5", body=b"hello")),
    _bad("a negative length", "RFC 9112 6.3", answer(b"200 OK", b"Content-Length: -5", body=b"hello")),
    _bad("a length in hex", "RFC 9112 6.3", answer(b"200 OK", b"Content-Length: 0x5", body=b"hello")),
    _bad("an empty length", "RFC 9112 6.3", answer(b"200 OK", b"Content-Length:", body=b"hello")),
    _bad("a length beyond counting", "RFC 9112 6.3", answer(b"200 OK", b"Content-Length: " + b"9" * 30, body=b"hello")),
    _bad("gzip, chunked", "RFC 9112 6.1", answer(b"200 OK", b"Transfer-Encoding: gzip, chunked", body=chunked(b"x"))),
    _bad("gzip", "RFC 9112 6.1", answer(b"200 OK", b"Transfer-Encoding: gzip", body=b"x"), more=(CLOSE,)),
    _bad("chunked twice", "RFC 9112 6.1", answer(b"200 OK", CHUNKED, CHUNKED, body=chunked(b"x"))),
    _bad(
        "a coding almost chunked", "RFC 9112 6.1", answer(b"200 OK", b"Transfer-Encoding: xchunked", body=chunked(b"x"))
    ),
    _bad("no HTTP", "RFC 9112 4", b"nonsense\r\n\r\n"),
    _bad("a status of letters", "RFC 9112 4", answer(b"abc OK", b"Content-Length: 0")),
    _bad("a status of two digits", "RFC 9112 4", answer(b"20 OK", b"Content-Length: 0")),
    _bad("a status of four digits", "RFC 9112 4", answer(b"2000 OK", b"Content-Length: 0")),
    _bad("a status of 0", "RFC 9112 4", answer(b"000 OK", b"Content-Length: 0")),
    _bad("HTTP/2.0", "RFC 9112 2.3", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    _bad("a version of nonsense", "RFC 9112 2.3", b"HTTP/a.b 200 OK\r\nContent-Length: 0\r\n\r\n"),
    _bad("a NUL in its reason", "RFC 9112 4", b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n"),
    _bad("a head of 300,000 bytes", "RFC 9112 2.2", answer(b"200 OK", b"X-A: " + b"a" * 300_000, b"Content-Length: 0")),
    _bad("half a head", "RFC 9112 8", b"HTTP/1.1 200 OK\r\nContent-Le", more=(CLOSE,)),
    _bad("nothing", "RFC 9112 8", b"", more=(CLOSE,)),
    _bad(
        "a switch nobody asked for",
        "RFC 9110 15.2.2",
        answer(b"101 Switching Protocols", b"Connection: upgrade", b"Upgrade: x"),
    ),
    _bad(
        "a body a 101 cannot have",
        "RFC 9110 15.2.2",
        answer(b"101 Switching Protocols", b"Content-Length: 2", body=b"ok"),
    ),
)


def _cut(name: str, *reply: Step, rfc: str = "RFC 9112 8", to: bytes = b"") -> Case:
    """The backend goes wrong once the client has got the first half."""
    begin, *rest = reply
    return _comes(name, rfc, (BODY, begin, Hear("it"), *rest), _half(b"half"), heard=b"half", send=to)


_HALF_LENGTH: Final = answer(b"200 OK", b"Content-Length: 9", body=b"half")
_HALF_CHUNKS: Final = answer(b"200 OK", CHUNKED, body=b"4\r\nhalf\r\n")

_CUT: Final = (
    _cut("half of a stated length is cut", _HALF_LENGTH, CLOSE),
    _cut("half of a stated length, torn down, is cut", _HALF_LENGTH, RESET),
    _cut("chunks without their end are cut", _HALF_CHUNKS, CLOSE),
    _cut("half a chunk is cut", answer(b"200 OK", CHUNKED, body=b"9\r\nhalf"), CLOSE),
    _cut("chunks whose trailers do not end are cut", _HALF_CHUNKS, b"0\r\nX-A: 1\r\n", CLOSE),
    _cut("chunks that are none are cut", _HALF_CHUNKS, b"zz\r\n", rfc="RFC 9112 7.1"),
    _cut("a chunk size beyond counting is cut", _HALF_CHUNKS, b"f" * 17 + b"\r\n", rfc="RFC 9112 7.1"),
    _cut(
        "a body that would end with its connection is cut where that is torn down",
        answer(b"200 OK", body=b"half"),
        RESET,
    ),
    _cut(
        "half an answer to an HTTP/1.0 client is no whole one, though its end is the connection's",
        _HALF_CHUNKS,
        CLOSE,
        to=request(b"GET / HTTP/1.0"),
    ),
    _comes(
        "a chunk longer than it says is cut",
        "RFC 9112 7.1",
        (BODY, _HALF_CHUNKS, Hear("it"), b"2\r\nmore\r\n0\r\n\r\n"),
        Expect((Answer(200, whole=False),), (Seen(),), "closed", again=False),
        heard=b"half",
    ),
    _comes(
        "a broken answer that comes in one piece is no whole one",
        "RFC 9112 8",
        (BODY, _HALF_LENGTH, CLOSE),
        Expect((Answer(200, whole=False),), (Seen(),), "closed", again=False),
        failed(again=False),
        Expect((), (Seen(),), "closed", again=False),
    ),
)

_CONNECTIONS: Final = (
    Case(
        "more than the answer, in the same breath, spoils the connection",
        "RFC 9112 9.2",
        get(),
        (_whole(body=b"ok", again=False), failed(again=False)),
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    ),
    Case(
        "more than the answer, later, spoils the connection",
        "RFC 9112 9.2",
        (get(), Got(b"ok"), Tell("got it"), Hear("sent")),
        _whole(body=b"ok", again=False),
        ((BODY, OK, Hear("got it"), b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", Tell("sent")),),
    ),
    Case(
        "a body behind a 204 is not the next answer",
        "RFC 9112 6.3",
        get(),
        (_whole(204, again=False), failed(again=False)),
        answer(b"204 No Content", body=b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"),
    ),
    Case(
        "a body behind a 304 is not the next answer",
        "RFC 9112 6.3",
        get(),
        (_whole(304, again=False), failed(again=False)),
        answer(b"304 Not Modified", b"Content-Length: 44", body=b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"),
    ),
    Case(
        "a body behind the head that HEAD asked for is not the next answer",
        "RFC 9112 6.3",
        request(b"HEAD /"),
        (
            Expect((Answer(to=b"HEAD"),), (Seen(),), again=False),
            Expect((Answer(502, to=b"HEAD"),), (Seen(),), again=False),
        ),
        answer(b"200 OK", b"Content-Length: 44", body=b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"),
    ),
    Case(
        "a backend's connection carries one request after another",
        "RFC 9112 9.3",
        (request(b"GET /1"), Got(b"ok"), request(b"POST /2", b"Content-Length: 2", body=b"ab")),
        Expect((Answer(), Answer()), (Seen(), Seen(body=b"ab")), again=True),
    ),
    Case(
        "a GET that meets a connection just closed is sent once more, and nobody notices",
        "RFC 9112 9.3.1",
        (request(b"GET /1"), Got(b"ok"), request(b"GET /2")),
        Expect(
            (Answer(), Answer(body=b"hello")),
            (Seen(), Seen(b"GET /2 HTTP/1.1", whole=None), Seen(b"GET /2 HTTP/1.1")),
        ),
        ((BODY, OK), (CLOSE,), (BODY, HELLO)),
    ),
    Case(
        "a GET that meets a connection just torn down is sent once more",
        "RFC 9112 9.3.1",
        (request(b"GET /1"), Got(b"ok"), request(b"GET /2")),
        Expect(
            (Answer(), Answer(body=b"hello")),
            (Seen(), Seen(b"GET /2 HTTP/1.1", whole=None), Seen(b"GET /2 HTTP/1.1")),
        ),
        ((BODY, OK), (RESET,), (BODY, HELLO)),
    ),
    Case(
        "a POST that meets a connection just closed is not sent twice",
        "RFC 9110 9.2.2",
        (request(b"GET /1"), Got(b"ok"), post(b"Content-Length: 2", body=b"ab")),
        Expect((Answer(), Answer(502)), (Seen(), Seen(b"POST / HTTP/1.1", whole=None)), None),
        ((BODY, OK), (BODY, CLOSE), (BODY, HELLO)),
    ),
    Case(
        "a POST without a body is not sent twice either",
        "RFC 9110 9.2.2",
        (request(b"GET /1"), Got(b"ok"), post()),
        Expect((Answer(), Answer(502)), (Seen(), Seen(b"POST / HTTP/1.1", whole=None)), None),
        ((BODY, OK), (CLOSE,), (BODY, HELLO)),
    ),
    Case(
        "a GET that gets no answer on a connection of its own is not sent twice",
        "RFC 9112 9.3.1",
        get(),
        Expect((Answer(502),), (Seen(whole=None),)),
        ((CLOSE,), (BODY, HELLO)),
    ),
    Case(
        "a GET whose answer broke off is not sent twice",
        "RFC 9112 9.3.1",
        (request(b"GET /1"), Got(b"ok"), request(b"GET /2")),
        Expect((Answer(), Answer(body=b"half", whole=False)), (Seen(), Seen()), "closed"),
        ((BODY, OK), (BODY, answer(b"200 OK", b"Content-Length: 99999", body=b"half"), CLOSE), (BODY, HELLO)),
    ),
)

CASES: Final = (*_FRAMING, *_REFUSED, *_CUT, *_CONNECTIONS)
