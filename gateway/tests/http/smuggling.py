"""Framing that two servers could read differently: refused, and nothing of it reaches the backend.

Behind each lies a request of its own, `GET /smuggled`, which must never arrive.
"""

from typing import Final

from gateway.tests.http.case import (
    BODY,
    CUT,
    OK,
    Answer,
    Case,
    Expect,
    Got,
    Hear,
    Seen,
    Tell,
    broken,
    carried,
    chunked,
    get,
    post,
    refused,
)

CHUNKED: Final = b"Transfer-Encoding: chunked"
SMUGGLED: Final = b"GET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n"


def _head(
    name: str,
    *lines: bytes,
    body: bytes = b"",
    rfc: str = "RFC 9112 6.3",
    status: int | tuple[int, ...] = 400,
) -> Case:
    return Case(f"a head: {name}", rfc, post(*lines, body=body + SMUGGLED), refused(status))


def _length(name: str, value: bytes) -> Case:
    return _head(f"a length {name}", b"Content-Length: " + value, body=b"hello", rfc="RFC 9110 8.6")


def _coding(name: str, *lines: bytes) -> Case:
    return _head(f"a coding {name}", *lines, body=chunked(b"hello"), rfc="RFC 9112 6.1", status=(400, 501))


def _body(name: str, raw: bytes, rfc: str = "RFC 9112 7.1", status: int | tuple[int, ...] = 400) -> Case:
    """A chunked body, in one packet with its head."""
    return Case(f"a body: {name}", rfc, post(CHUNKED, body=raw + SMUGGLED), broken(status))


_HEADS: Final = (
    _head("CL.TE", b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"),
    _head("TE.CL", CHUNKED, b"Content-Length: 3", body=chunked(b"hello")),
    _head("TE and a length of 0", CHUNKED, b"Content-Length: 0", body=b"0\r\n\r\n"),
    _head("two lengths", b"Content-Length: 5", b"Content-Length: 6", body=b"hello"),
    _head("two lengths, the first of 0", b"Content-Length: 0", b"content-length: 5", body=b"hello"),
    _head("the same length twice", b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    _head("a list of one length", b"Content-Length: 5, 5", body=b"hello"),
    _head("a list of two lengths", b"Content-Length: 5, 6", body=b"hello"),
    _length("with a sign", b"+5"),
    _length("below 0", b"-1"),
    _length("in hex", b"0x5"),
    _length("of two words", b"5 6"),
    _length("of no digits", b""),
    _length("of a word", b"five"),
    _length("with an underscore", b"0_5"),
    _length("with a fraction", b"5.0"),
    _length("with an exponent", b"5e0"),
    _length("with a semicolon", b"5;"),
    _length("in quotes", b'"5"'),
    _length("in other digits", "\N{FULLWIDTH DIGIT FIVE}".encode()),
    _length("behind a vertical tab", b"\x0b5"),
    _length("before NUL", b"5\0"),
    Case(
        "a head: a length beyond counting",
        "RFC 9110 8.6",
        post(b"Content-Length: " + b"9" * 40, body=SMUGGLED),
        refused((400, 413)),
    ),
    Case(
        "a head: a length that turns over at 64 bits",
        "RFC 9110 8.6",
        post(b"Content-Length: 18446744073709551621", body=b"hello" + SMUGGLED),
        refused((400, 413)),
    ),
    _head("a space before the colon of a length", b"Content-Length : 5", body=b"hello", rfc="RFC 9112 5.1"),
    _head(
        "a space before the colon of a coding",
        b"Transfer-Encoding : chunked",
        body=chunked(b"hello"),
        rfc="RFC 9112 5.1",
    ),
    _head(
        "a tab before the colon of a coding",
        b"Transfer-Encoding\t: chunked",
        body=chunked(b"hello"),
        rfc="RFC 9112 5.1",
    ),
    _head(
        "a space before a coding's name",
        b"X-A: 1",
        b" Transfer-Encoding: chunked",
        body=chunked(b"hello"),
        rfc="RFC 9112 5.2",
    ),
    _head("NUL in a coding's name", b"Transfer-\0Encoding: chunked", body=chunked(b"hello"), rfc="RFC 9112 5.1"),
    _head(
        "a folded coding",
        b"Transfer-Encoding:\r\n chunked",
        body=chunked(b"hello"),
        rfc="RFC 9112 5.2",
        status=(400, 501),
    ),
    _head("a folded length", b"Content-Length:\r\n 5", body=b"hello", rfc="RFC 9112 5.2"),
    _head("bare LF behind a line", b"X-A: 1\nContent-Length: 5", body=b"hello", rfc="RFC 9112 2.2"),
    _head("bare CR behind a line", b"X-A: 1\rContent-Length: 5", body=b"hello", rfc="RFC 9112 2.2"),
    Case("a head: bare LF everywhere", "RFC 9112 2.2", get().replace(b"\r\n", b"\n") + SMUGGLED, refused()),
    Case(
        "a head: bare LF behind the request line",
        "RFC 9112 2.2",
        get().replace(b"\r\n", b"\n", 1) + SMUGGLED,
        refused(),
    ),
    Case("a head: bare LF at its end", "RFC 9112 2.2", get(b"X-A: 1")[:-2] + b"\n" + SMUGGLED, refused()),
    Case("a head: two CR", "RFC 9112 2.2", get(b"X-A: 1\r") + SMUGGLED, refused()),
    _coding("almost chunked", b"Transfer-Encoding: xchunked"),
    _coding("chunked and more", b"Transfer-Encoding: chunkedx"),
    _coding("identity", b"Transfer-Encoding: identity"),
    _coding("chunked, identity", b"Transfer-Encoding: chunked, identity"),
    _coding("identity, chunked", b"Transfer-Encoding: identity, chunked"),
    _coding("gzip, chunked", b"Transfer-Encoding: gzip, chunked"),
    _coding("gzip", b"Transfer-Encoding: gzip"),
    _coding("chunked twice", CHUNKED, CHUNKED),
    _coding("chunked, chunked", b"Transfer-Encoding: chunked, chunked"),
    _coding("chunked, then another", CHUNKED, b"Transfer-Encoding: x"),
    _coding("another, then chunked", b"Transfer-Encoding: x", CHUNKED),
    _coding("of no name", b"Transfer-Encoding:"),
    _coding("in quotes", b'Transfer-Encoding: "chunked"'),
    _coding("in other quotes", b"Transfer-Encoding: 'chunked'"),
    _coding("behind a vertical tab", b"Transfer-Encoding: \x0bchunked"),
    _coding("before a vertical tab", b"Transfer-Encoding: chunked\x0b"),
    _coding("before a form feed", b"Transfer-Encoding: chunked\x0c"),
    _coding("behind a no-break space", b"Transfer-Encoding: \xa0chunked"),
    _coding("before NUL", b"Transfer-Encoding: chunked\0"),
    _coding("with a parameter", b"Transfer-Encoding: chunked;q=1"),
    _coding("behind a comma", b"Transfer-Encoding: ,chunked"),
    Case(
        "a head: a tab before a coding is white space",
        "RFC 9110 5.5",
        post(b"Transfer-Encoding:\tchunked", body=chunked(b"hello")),
        (carried(framing=CHUNKED, body=b"hello"), refused((400, 501))),
    ),
    Case(
        "a head: spaces around a coding are white space",
        "RFC 9110 5.5",
        post(b"Transfer-Encoding:   chunked  ", body=chunked(b"hello")),
        (carried(framing=CHUNKED, body=b"hello"), refused()),
    ),
    Case(
        "a head: spaces around a length are white space",
        "RFC 9110 5.5",
        post(b"Content-Length: \t 5 ", body=b"hello"),
        (carried(framing=b"Content-Length: 5", body=b"hello"), refused()),
    ),
    Case(
        "a head: chunks of an HTTP/1.0 client",
        "RFC 9112 6.1",
        b"POST / HTTP/1.0\r\nHost: site.test\r\nConnection: keep-alive\r\n"
        + CHUNKED
        + b"\r\n\r\n"
        + chunked(b"hello")
        + SMUGGLED,
        (refused(), carried(body=b"hello", then="closed")),
    ),
    Case(
        "a head: a length an HTTP/1.0 client says twice",
        "RFC 9112 6.3",
        b"POST / HTTP/1.0\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\nhello" + SMUGGLED,
        refused(),
    ),
    Case(
        "a head: bytes behind the body of a GET without framing are a request",
        "RFC 9112 6.3",
        get() + b"x=1\r\n\r\n",
        Expect((Answer(200), Answer(400)), (Seen(),), "closed"),
    ),
)

_BODIES: Final = (
    _body("a chunk size with 0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
    _body("a chunk size with an underscore", b"0_5\r\nhello\r\n0\r\n\r\n"),
    _body("a chunk size with a sign", b"+5\r\nhello\r\n0\r\n\r\n"),
    _body("a chunk size below 0", b"-5\r\nhello\r\n0\r\n\r\n"),
    _body("a space before a chunk size", b" 5\r\nhello\r\n0\r\n\r\n"),
    _body("a space behind a chunk size", b"5 \r\nhello\r\n0\r\n\r\n"),
    _body("a chunk size of no digits", b"\r\nhello\r\n0\r\n\r\n"),
    _body("a chunk size of no digits, with an extension", b";a\r\nhello\r\n0\r\n\r\n"),
    _body("a chunk size of a word", b"five\r\nhello\r\n0\r\n\r\n"),
    _body("a chunk size beyond 64 bits", b"10000000000000005\r\nhello\r\n0\r\n\r\n", status=(400, 413)),
    _body("a chunk size of 2^64 - 1", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", status=(400, 413)),
    _body("bare LF behind a chunk size", b"5\nhello\r\n0\r\n\r\n"),
    _body("bare CR behind a chunk size", b"5\rhello\r\n0\r\n\r\n"),
    _body("bare LF in a chunk extension", b"5;a\nhello\r\n0\r\n\r\n", "RFC 9112 7.1.1"),
    _body("bare CR in a chunk extension", b"5;a\rb\r\nhello\r\n0\r\n\r\n", "RFC 9112 7.1.1"),
    _body("NUL in a chunk extension", b"5;a\0\r\nhello\r\n0\r\n\r\n", "RFC 9112 7.1.1"),
    _body("a chunk longer than its size", b"4\r\nhello\r\n0\r\n\r\n"),
    _body("a chunk shorter than its size", b"6\r\nhello\r\n0\r\n\r\n"),
    _body("no line end behind a chunk", b"5\r\nhello0\r\n\r\n"),
    _body("bare LF behind a chunk", b"5\r\nhello\n0\r\n\r\n"),
    _body("bare LF behind the last chunk", b"5\r\nhello\r\n0\n\r\n"),
    _body("bare LF at the end", b"5\r\nhello\r\n0\r\n\n"),
    _body("a last chunk without its line end", b"5\r\nhello\r\n0\r\n"),
    _body("a trailer without a colon", b"5\r\nhello\r\n0\r\nX-A\r\n\r\n", "RFC 9112 7.1.2"),
    _body("a trailer with a space before its colon", b"5\r\nhello\r\n0\r\nX-A : 1\r\n\r\n", "RFC 9112 7.1.2"),
    _body("NUL in a trailer", b"5\r\nhello\r\n0\r\nX-A: \0\r\n\r\n", "RFC 9112 7.1.2"),
    _body(
        "trailers of 200,000 bytes",
        b"5\r\nhello\r\n0\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n",
        "RFC 9112 7.1.2",
        (400, 431),
    ),
    _body("a chunk extension of 200,000 bytes", b"5;" + b"a" * 200_000 + b"\r\nhello\r\n0\r\n\r\n", "RFC 9112 7.1.1"),
    Case(
        "a body: broken when its beginning is at the backend already",
        "RFC 9112 7.1",
        (post(CHUNKED, body=b"5\r\nhello\r\n"), Hear("begun"), b"zz\r\n" + SMUGGLED),
        Expect((Answer(400),), (CUT,), "closed"),
        ((Got(b"hello"), Tell("begun"), BODY, OK),),
    ),
    Case(
        "a body: behind its end begins the next request, not more of it",
        "RFC 9112 7.1",
        post(CHUNKED, body=chunked(b"hello") + b"0\r\n\r\n"),
        Expect((Answer(200), Answer(400)), (Seen(body=b"hello"),), "closed"),
    ),
    Case(
        "a body: what looks like a request within it is none",
        "RFC 9112 6.2",
        post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
        carried(body=SMUGGLED),
    ),
)

CASES: Final = (*_HEADS, *_BODIES)
