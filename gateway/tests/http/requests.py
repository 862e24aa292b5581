"""Requests and their framing: what a client may send, and how it reaches the backend."""

from typing import Final

from gateway.tests.http.case import (
    BODY,
    CLOSE,
    CUT,
    GO_ON,
    HALF,
    HELLO,
    OK,
    Answer,
    Case,
    Expect,
    Got,
    Hear,
    Seen,
    Tell,
    answer,
    broken,
    carried,
    chunked,
    get,
    post,
    refused,
    request,
)

CHUNKED: Final = b"Transfer-Encoding: chunked"
EXPECT: Final = b"Expect: 100-continue"
HINTS: Final = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nlink: </b.js>\r\n\r\n"
LIMIT: Final = 2**20  # of a body, as the gateway under test is set


def whole(start: bytes, framing: bytes, body: bytes) -> Expect:
    return carried(start=start, framing=framing, body=body, answer=Answer(body=b"ok"))


_BODIES: Final = (
    Case(
        "a body with its length",
        "RFC 9112 6.2",
        post(b"Content-Length: 5", body=b"a\r\n\0\xff"),
        whole(b"POST / HTTP/1.1", b"Content-Length: 5", b"a\r\n\0\xff"),
    ),
    Case(
        "a body of no bytes keeps its length of 0",
        "RFC 9110 8.6",
        post(b"Content-Length: 0"),
        whole(b"POST / HTTP/1.1", b"Content-Length: 0", b""),
    ),
    Case(
        "a POST without a body or a length gets none",
        "RFC 9112 6.3",
        post(),
        whole(b"POST / HTTP/1.1", b"", b""),
    ),
    Case(
        "a GET without a body gets no framing",
        "RFC 9112 6.3",
        get(),
        whole(b"GET / HTTP/1.1", b"", b""),
    ),
    Case(
        "a length with leading zeros is the number it is",
        "RFC 9110 8.6",
        post(b"Content-Length: 0005", body=b"hello"),
        (carried(body=b"hello"), refused()),
    ),
    Case(
        "a chunked body stays chunked",
        "RFC 9112 7.1",
        post(CHUNKED, body=chunked(b"hel", b"lo")),
        whole(b"POST / HTTP/1.1", CHUNKED, b"hello"),
    ),
    Case(
        "a chunked body of no chunks",
        "RFC 9112 7.1",
        post(CHUNKED, body=b"0\r\n\r\n"),
        whole(b"POST / HTTP/1.1", CHUNKED, b""),
    ),
    Case(
        "a coding's name in capitals is the same coding",
        "RFC 9112 7",
        post(b"Transfer-Encoding: CHUNKED", body=chunked(b"hello")),
        whole(b"POST / HTTP/1.1", CHUNKED, b"hello"),
    ),
    Case(
        "chunk sizes in small and capital hex and with leading zeros",
        "RFC 9112 7.1",
        post(CHUNKED, body=b"a\r\n0123456789\r\nB\r\n0123456789a\r\n0001\r\n!\r\n000\r\n\r\n"),
        whole(b"POST / HTTP/1.1", CHUNKED, b"01234567890123456789a!"),
    ),
    Case(
        "chunk extensions are dropped",
        "RFC 9112 7.1.1",
        post(CHUNKED, body=b'5;a;b=c;d="e f"\r\nhello\r\n0;last\r\n\r\n'),
        whole(b"POST / HTTP/1.1", CHUNKED, b"hello"),
    ),
    Case(
        "trailers are dropped",
        "RFC 9110 6.5.1",
        post(CHUNKED, b"Trailer: X-Sum", body=b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
        Expect((Answer(body=b"ok"),), (Seen(framing=CHUNKED, body=b"hello", lines=()),)),
    ),
    *(
        Case(
            f"a trailer cannot say {line.split(b':')[0].decode()}: it is dropped or refused",
            "RFC 9110 6.5.1",
            post(CHUNKED, body=b"5\r\nhello\r\n0\r\n" + line + b"\r\n\r\n"),
            (Expect((Answer(body=b"ok"),), (Seen(framing=CHUNKED, body=b"hello", lines=()),), None), *broken()),
        )
        for line in (b"Content-Length: 9", b"Transfer-Encoding: chunked", b"Host: other.test", b"Cookie: a=1")
    ),
    Case(
        "trailers cannot forge what the gateway says",
        "RFC 9110 6.5.1",
        post(CHUNKED, body=b"0\r\nSunbeon-Pass: forged\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"),
        Expect((Answer(body=b"ok"),), (Seen(body=b"", absent=(b"Sunbeon-Pass",)),)),
    ),
    Case(
        "a chunk that comes byte by byte",
        "RFC 9112 7.1",
        (post(CHUNKED, body=b"3\r\nh"), Hear("begun"), *(bytes([each]) for each in b"el\r\n" + chunked(b"lo"))),
        whole(b"POST / HTTP/1.1", CHUNKED, b"hello"),
        ((Tell("begun"), BODY, OK),),
    ),
    Case(
        "a head that comes byte by byte",
        "RFC 9112 2.1",
        tuple(bytes([each]) for each in get(b"X-One: 1")),
        carried(b"X-One: 1"),
    ),
    Case(
        "an empty line before a request is passed over",
        "RFC 9112 2.2",
        b"\r\n" + get(),
        carried(start=b"GET / HTTP/1.1"),
    ),
    Case(
        "a GET with a body",
        "RFC 9110 9.3.1",
        request(b"GET /", b"Content-Length: 5", body=b"hello"),
        whole(b"GET / HTTP/1.1", b"Content-Length: 5", b"hello"),
    ),
    Case(
        "a GET with a chunked body",
        "RFC 9110 9.3.1",
        request(b"GET /", CHUNKED, body=chunked(b"hello")),
        whole(b"GET / HTTP/1.1", CHUNKED, b"hello"),
    ),
    Case(
        "a DELETE with a body",
        "RFC 9110 9.3.5",
        request(b"DELETE /", b"Content-Length: 5", body=b"hello"),
        whole(b"DELETE / HTTP/1.1", b"Content-Length: 5", b"hello"),
    ),
    Case(
        "an OPTIONS with a body",
        "RFC 9110 9.3.7",
        request(b"OPTIONS /", b"Content-Length: 5", body=b"hello"),
        whole(b"OPTIONS / HTTP/1.1", b"Content-Length: 5", b"hello"),
    ),
    Case(
        "a method of WebDAV",
        "RFC 9110 9.1",
        request(b"PROPFIND /", b"Depth: 1"),
        carried(b"Depth: 1", start=b"PROPFIND / HTTP/1.1"),
    ),
    Case(
        "a method nobody knows is not implemented",
        "RFC 9110 9.1",
        request(b"BREW /"),
        refused(501, None),
    ),
    Case(
        "methods are told apart by capitals",
        "RFC 9110 9.1",
        request(b"get /"),
        refused((400, 405, 501)),
    ),
    Case(
        "a body whose stated length is over the limit is refused before any of it is sent",
        "RFC 9110 15.5.14",
        post(b"Content-Length: %d" % (LIMIT + 1), body=b"x"),
        refused(413),
    ),
    Case(
        "a chunked body that grows over the limit",
        "RFC 9110 15.5.14",
        (post(CHUNKED), chunked(b"x" * (LIMIT + 1))),
        broken(413),
    ),
    Case(
        "a client that stops amid its body leaves no whole request",
        "RFC 9112 8",
        (post(b"Content-Length: 9", body=b"half"), HALF),
        (Expect((), (CUT,), "closed"), Expect((), (), "closed"), *broken()),
    ),
    Case(
        "a client that stops amid its chunks leaves no whole request",
        "RFC 9112 8",
        (post(CHUNKED, body=b"9\r\nhalf"), HALF),
        (Expect((), (CUT,), "closed"), Expect((), (), "closed"), *broken()),
    ),
)


def _goes_on(how: str, framing: bytes = b"Content-Length: 5", reply: tuple[bytes, ...] = (GO_ON,)) -> Case:
    return Case(
        f"a body that waits for 100 {how}",
        "RFC 9110 10.1.1",
        (post(EXPECT, framing), Got(reply[-1]), chunked(b"hello") if framing == CHUNKED else b"hello"),
        Expect((Answer(body=b"ok", interim=reply),), (Seen(lines=(EXPECT,), framing=framing, body=b"hello"),)),
        ((*reply, BODY, OK),),
    )


_EXPECT: Final = (
    _goes_on("gets the backend's"),
    _goes_on("in chunks gets it", CHUNKED),
    _goes_on("gets it with the headers it has", reply=(answer(b"100 Go on", b"X-Way: clear"),)),
    _goes_on("gets it after hints", reply=(HINTS, GO_ON)),
    Case(
        "a final answer instead of 100: no body is asked for, and none can be mistaken for a request",
        "RFC 9110 10.1.1",
        (post(EXPECT, b"Content-Length: 5"), Got(b"no thanks")),
        Expect(
            (Answer(417, body=b"no thanks"),),
            (Seen(lines=(EXPECT,), framing=b"Content-Length: 5", whole=False),),
            "closed",
        ),
        ((answer(b"417 Expectation Failed", b"Content-Length: 9", body=b"no thanks"),),),
    ),
    Case(
        "a body sent without waiting goes through, whether 100 comes or not",
        "RFC 9110 10.1.1",
        post(EXPECT, b"Content-Length: 5", body=b"hello"),
        Expect((Answer(body=b"ok"),), (Seen(body=b"hello"),)),
    ),
    Case(
        "a 100 of the backend's goes to an HTTP/1.0 client not even where it expects one",
        "RFC 9110 10.1.1",
        request(b"POST / HTTP/1.0", EXPECT, b"Content-Length: 5", body=b"hello"),
        Expect((Answer(body=b"ok"),), (Seen(body=b"hello"),), "closed"),
        ((GO_ON, BODY, OK),),
    ),
    Case(
        "an expectation nobody knows is the backend's to refuse, or refused",
        "RFC 9110 10.1.1",
        request(b"GET /", b"Expect: wonders"),
        (carried(b"Expect: wonders", answer=Answer(417)), refused(417, None)),
        answer(b"417 Expectation Failed", b"Content-Length: 0"),
    ),
    Case(
        "hints come before the answer",
        "RFC 8297 2",
        get(),
        Expect((Answer(body=b"ok", interim=(HINTS,)),)),
        HINTS + OK,
    ),
    Case(
        "processing comes before the answer",
        "RFC 9110 15.2",
        get(),
        Expect((Answer(body=b"ok", interim=(answer(b"102 Processing"),)),)),
        answer(b"102 Processing") + OK,
    ),
    Case(
        "several interim answers come in order",
        "RFC 9110 15.2",
        get(),
        Expect((Answer(body=b"ok", interim=(answer(b"102 Processing"), HINTS, HINTS)),)),
        answer(b"102 Processing") + HINTS + HINTS + OK,
    ),
    Case(
        "an interim answer nobody knows comes through",
        "RFC 9110 15.2",
        get(),
        Expect((Answer(body=b"ok", interim=(answer(b"199 Own", b"X-A: 1"),)),)),
        answer(b"199 Own", b"X-A: 1") + OK,
    ),
    Case(
        "an interim answer comes when it is sent, not with the final one",
        "RFC 8297 2",
        (get(), Got(HINTS), Tell("hinted")),
        Expect((Answer(body=b"ok", interim=(HINTS,)),)),
        ((BODY, HINTS, Hear("hinted"), OK),),
    ),
    Case(
        "headers of one hop and the gateway's own are taken out of interim answers, too",
        "RFC 9110 7.6.1",
        get(),
        Expect((Answer(body=b"ok", interim=(answer(b"103 Early Hints", b"Link: </a>"),)),)),
        answer(b"103 Early Hints", b"Connection: X-Hop", b"X-Hop: 1", b"Link: </a>", b"Sunbeon-Command: revoke") + OK,
        ours=True,
    ),
    Case(
        "an HTTP/1.0 client gets no interim answers",
        "RFC 9110 15.2",
        request(b"GET / HTTP/1.0"),
        Expect((Answer(body=b"ok"),), then="closed"),
        HINTS + OK,
    ),
    Case(
        "an answer that comes before the body does is heard at once",
        "RFC 9112 9.3",
        (post(b"Content-Length: 9", body=b"half"), Got(b"enough")),
        Expect((Answer(413, body=b"enough"),), (Seen(whole=False),), "closed"),
        ((answer(b"413 Content Too Large", b"Content-Length: 6", body=b"enough"),),),
    ),
    Case(
        "an answer that comes amid the body and ends its connection is heard whole",
        "RFC 9112 9.3",
        (post(CHUNKED, body=b"4\r\nhalf\r\n"), Got(b"enough"), b"4\r\nhalf\r\n"),
        Expect((Answer(413, body=b"enough"),), (Seen(whole=False),), "closed"),
        ((Got(b"half"), answer(b"413 Content Too Large", b"Content-Length: 6", body=b"enough"), Hear("never")),),
    ),
)


def _old(*lines: bytes) -> bytes:
    return request(b"GET / HTTP/1.0", *lines)


_CONNECTIONS: Final = (
    Case(
        "an HTTP/1.0 request is carried as HTTP/1.1, and its connection ends with the answer",
        "RFC 9112 9.3",
        _old(),
        Expect((Answer(body=b"ok"),), (Seen(b"GET / HTTP/1.1", absent=(b"Connection",)),), "closed"),
    ),
    Case(
        "an HTTP/1.0 client that asks for it keeps its connection",
        "RFC 9112 9.3",
        _old(b"Connection: keep-alive"),
        Expect((Answer(body=b"ok", framing=b"Content-Length: 2"),), (Seen(lines=()),), "open"),
    ),
    Case(
        "an HTTP/1.0 client gets no chunks: its answer ends with the connection",
        "RFC 9112 7.1",
        _old(b"Connection: keep-alive"),
        Expect((Answer(body=b"hello", framing=b""),), then="closed"),
        answer(b"200 OK", CHUNKED, body=chunked(b"hel", b"lo")),
    ),
    Case(
        "an HTTP/1.0 client gets an answer that ends with its connection as it is",
        "RFC 9112 6.3",
        _old(b"Connection: keep-alive"),
        Expect((Answer(body=b"hello", framing=b""),), then="closed"),
        ((BODY, answer(b"200 OK", body=b"hello"), CLOSE),),
    ),
    Case(
        "an HTTP/1.0 request without a host",
        "RFC 9112 3.2",
        b"GET / HTTP/1.0\r\n\r\n",
        (carried(start=b"GET / HTTP/1.1", then="closed"), refused()),
    ),
    Case(
        "requests sent at once are answered in order",
        "RFC 9112 9.3.2",
        request(b"GET /1") + request(b"POST /2", b"Content-Length: 5", body=b"hello") + request(b"GET /3"),
        Expect(
            tuple(Answer(body=each) for each in (b"one", b"two", b"three")),
            tuple(Seen(each + b" HTTP/1.1") for each in (b"GET /1", b"POST /2", b"GET /3")),
        ),
        tuple(
            (BODY, answer(b"200 OK", b"Content-Length: %d" % len(each), body=each))
            for each in (b"one", b"two", b"three")
        ),
    ),
    Case(
        "requests sent at once behind a chunked one",
        "RFC 9112 9.3.2",
        request(b"POST /1", CHUNKED, body=chunked(b"hello")) + request(b"GET /2"),
        Expect((Answer(), Answer()), (Seen(b"POST /1 HTTP/1.1", body=b"hello"), Seen(b"GET /2 HTTP/1.1"))),
    ),
    Case(
        "requests sent at once end where one is broken",
        "RFC 9112 9.3.2",
        request(b"GET /1") + request(b"GET /2", b"Bad Name: 1") + request(b"GET /3"),
        Expect((Answer(200), Answer(400)), (Seen(b"GET /1 HTTP/1.1"),), "closed"),
    ),
    Case(
        "requests sent behind one that closes are not carried",
        "RFC 9112 9.6",
        request(b"GET /1", b"Connection: close") + request(b"GET /2"),
        Expect((Answer(200),), (Seen(b"GET /1 HTTP/1.1"),), "closed"),
    ),
    Case(
        "a client that closes is answered, told so, and its connection ended, but not the backend's",
        "RFC 9112 9.6",
        get(b"Connection: close"),
        Expect((Answer(body=b"ok"),), (Seen(lines=(), absent=(b"Connection",)),), "closed", again=True),
    ),
    Case(
        "close is found among other options and in any capitals",
        "RFC 9110 7.6.1",
        get(b"Connection: X-Hop, CLOSE", b"X-Hop: 1"),
        Expect((Answer(body=b"ok"),), (Seen(lines=()),), "closed"),
    ),
    Case(
        "a client that stops sending is taken as gone",
        "RFC 9112 9.6",
        (get(), Hear("seen"), HALF),
        Expect((), (Seen(),), "closed"),
        ((BODY, Tell("seen"), Hear("never")),),
    ),
    Case(
        "HTTP/1.7 is answered as HTTP/1.1, or refused",
        "RFC 9110 2.5",
        request(b"GET / HTTP/1.7"),
        (carried(start=b"GET / HTTP/1.1"), refused((400, 505))),
    ),
    Case(
        "HTTP/2.0 in words of HTTP/1.1",
        "RFC 9110 15.6.6",
        request(b"GET / HTTP/2.0"),
        refused((400, 505)),
    ),
    Case(
        "the preface of HTTP/2",
        "RFC 9113 3.4",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        (refused((400, 405, 501, 505)), Expect((), (), "closed")),
    ),
    Case(
        "a version in small letters",
        "RFC 9112 2.3",
        request(b"GET / http/1.1"),
        refused(),
    ),
    Case(
        "no version",
        "RFC 9112 3",
        b"GET /\r\n\r\n",
        (refused((400, 505)), Expect((), (), "closed")),
    ),
)

_METHODS: Final = (
    Case(
        "TRACE is not allowed",
        "RFC 9110 9.3.8",
        request(b"TRACE /"),
        refused(405, None),
    ),
    Case(
        "CONNECT is not allowed",
        "RFC 9110 9.3.6",
        b"CONNECT site.test:443 HTTP/1.1\r\nHost: site.test:443\r\n\r\n",
        refused(405),
    ),
    Case(
        "CONNECT with a path is not allowed",
        "RFC 9110 9.3.6",
        request(b"CONNECT /"),
        refused((400, 405)),
    ),
    Case(
        "OPTIONS for no farther than here is answered here",
        "RFC 9110 7.6.2",
        request(b"OPTIONS /", b"Max-Forwards: 0"),
        refused((200, 204), "open"),
    ),
    Case(
        "OPTIONS that may go on goes on with one step less",
        "RFC 9110 7.6.2",
        request(b"OPTIONS /", b"max-forwards: 7"),
        carried(b"max-forwards: 6"),
    ),
    Case(
        "Max-Forwards of other methods is left alone",
        "RFC 9110 7.6.2",
        get(b"Max-Forwards: 0"),
        carried(b"Max-Forwards: 0"),
    ),
    Case(
        "HEAD keeps the headers of the body it does not get",
        "RFC 9110 9.3.2",
        request(b"HEAD /"),
        carried(
            start=b"HEAD / HTTP/1.1",
            answer=Answer(framing=b"Content-Length: 1234", lines=(b"Content-Type: a/b",), to=b"HEAD"),
        ),
        answer(b"200 OK", b"Content-Type: a/b", b"Content-Length: 1234"),
    ),
    Case(
        "HEAD keeps a length of 0",
        "RFC 9110 8.6",
        request(b"HEAD /"),
        carried(answer=Answer(framing=b"Content-Length: 0", to=b"HEAD")),
        answer(b"200 OK", b"Content-Length: 0"),
    ),
    Case(
        "HEAD answered without a length gets no length",
        "RFC 9110 9.3.2",
        request(b"HEAD /"),
        (
            carried(answer=Answer(framing=b"", to=b"HEAD")),
            carried(answer=Answer(framing=CHUNKED, to=b"HEAD")),
        ),
        answer(b"200 OK"),
    ),
    Case(
        "HEAD that would be chunked",
        "RFC 9112 6.1",
        request(b"HEAD /"),
        (
            carried(answer=Answer(framing=CHUNKED, to=b"HEAD")),
            carried(answer=Answer(framing=b"", to=b"HEAD")),
        ),
        answer(b"200 OK", CHUNKED),
    ),
    Case(
        "HEAD keeps connections in step",
        "RFC 9110 9.3.2",
        request(b"HEAD /1") + request(b"GET /2"),
        Expect((Answer(to=b"HEAD"), Answer(body=b"hello")), (Seen(b"HEAD /1 HTTP/1.1"), Seen(b"GET /2 HTTP/1.1"))),
        ((BODY, answer(b"200 OK", b"Content-Length: 5")), (BODY, HELLO)),
    ),
)

CASES: Final = (*_BODIES, *_EXPECT, *_CONNECTIONS, *_METHODS)
