"""Headers, both ways: which stay at this hop, which are the gateway's, and that all others are not touched."""

import re
from typing import Final

from gateway.tests.http.case import Answer, Case, Expect, Seen, answer, carried, get, post, refused, request

_HOP: Final = (
    b"Connection: keep-alive",
    b"Keep-Alive: timeout=5",
    b"Proxy-Connection: keep-alive",
    b"Proxy-Authorization: Basic eDp5",
    b"Proxy-Authenticate: Basic",
    b"TE: trailers",
    b"Trailer: X-Sum",
    b"Upgrade: h2c",
)


def _hop(line: bytes) -> tuple[Case, Case]:
    name = line.split(b":", maxsplit=1)[0]
    return (
        Case(
            f"{name.decode()} of a request stays here",
            "RFC 9110 7.6.1",
            get(b"X-A: 1", line, b"X-B: 2"),
            Expect((Answer(),), (Seen(lines=(b"X-A: 1", b"X-B: 2")),)),
        ),
        Case(
            f"{name.decode()} of an answer stays there",
            "RFC 9110 7.6.1",
            get(),
            Expect((Answer(body=b"", lines=(b"X-A: 1", b"X-B: 2")),)),
            answer(b"200 OK", b"X-A: 1", line, b"X-B: 2", b"Content-Length: 0"),
        ),
    )


_HOPS: Final = (
    *(case for line in _HOP for case in _hop(line)),
    Case(
        "what Connection names in a request stays here",
        "RFC 9110 7.6.1",
        get(
            b"X-Hop: 1",
            b"Connection: x-hop ,, X-Other,",
            b"x-other: 2",
            b"Connection: x-third",
            b"X-Third: 3",
            b"X-End: 4",
        ),
        carried(b"X-End: 4"),
    ),
    Case(
        "what Connection names in an answer stays there",
        "RFC 9110 7.6.1",
        get(),
        Expect((Answer(lines=(b"X-End: 2",)),)),
        answer(b"200 OK", b"Connection: X-Hop", b"X-Hop: 1", b"X-End: 2", b"Content-Length: 0"),
    ),
    Case(
        "an answer cannot take out its framing by naming it in Connection",
        "RFC 9112 6.3",
        get(),
        Expect((Answer(body=b"hello", framing=b"Content-Length: 5"),)),
        answer(b"200 OK", b"Connection: Content-Length", b"Content-Length: 5", body=b"hello"),
    ),
    Case(
        "a request cannot take out its framing by naming it in Connection",
        "RFC 9112 6.3",
        post(b"Connection: Content-Length", b"Content-Length: 5", body=b"hello"),
        (carried(framing=b"Content-Length: 5", body=b"hello"), refused()),
    ),
)

_ADDED: Final = rb"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\nX-Request-ID: %b\r\n"
_STRANGER: Final = _ADDED % (rb"127\.0\.0\.1", b"http", rb"site\.test", b"[0-9a-f]{32}")
_VIA: Final = rb"Via: 1\.1 sunbeon\r\n"
_PASS: Final = rb"Sunbeon-Pass: [\w.-]+\r\n"


def _head(start: bytes, *patterns: bytes) -> Expect:
    whole = rb"%b HTTP/1\.1\r\n%b\r\n" % (re.escape(start), b"".join(patterns))
    return Expect((Answer(),), (Seen(head=whole),))


def _lines(*lines: bytes) -> bytes:
    return b"".join(re.escape(line) + rb"\r\n" for line in lines)


_HOST: Final = _lines(b"Host: site.test")
_OURS: Final = (
    Case(
        "the whole head of a bare GET",
        "RFC 9110 7.6.3",
        b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n",
        _head(b"GET /", _HOST, _STRANGER, _VIA),
        ours=True,
    ),
    Case(
        "the whole head of a GET from a browser, Host last",
        "RFC 9110 5.3",
        b"GET /a HTTP/1.1\r\nAccept: */*\r\nUser-Agent: Old/1 (x; y)\r\naccept-language: ko\r\nHost: site.test\r\n\r\n",
        _head(
            b"GET /a",
            _HOST,
            _lines(b"Accept: */*", b"User-Agent: Old/1 (x; y)", b"accept-language: ko"),
            _STRANGER,
            _VIA,
        ),
        ours=True,
    ),
    Case(
        "the whole head of a GET in a room",
        "RFC 9110 7.6.3",
        request(b"GET /room"),
        Expect(
            (Answer(),),
            (
                Seen(
                    head=rb"GET /room HTTP/1\.1\r\n"
                    + _HOST
                    + _STRANGER
                    + rb"(?:%b|%b)\r\n" % (_VIA + _PASS, _PASS + _VIA)
                ),
            ),
        ),
        ours=True,
    ),
    Case(
        "the gateway's Via comes after the client's",
        "RFC 9110 7.6.3",
        get(b"Via: 1.0 other", b"via: 1.1 third", b"X-End: 1"),
        _head(b"GET /", _HOST, _lines(b"Via: 1.0 other", b"via: 1.1 third", b"X-End: 1"), _STRANGER, _VIA),
        ours=True,
    ),
    Case(
        "a client cannot take out what the gateway says by naming it in Connection",
        "RFC 9110 7.6.1",
        request(
            b"GET /room",
            b"Connection: Sunbeon-Pass, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto",
            b"Connection: X-Request-ID, Via, Host, Cookie",
            b"Cookie: a=1",
        ),
        Expect(
            (Answer(),),
            (
                Seen(
                    head=rb"GET /room HTTP/1\.1\r\n"
                    + _HOST
                    + rb"(?:Cookie: a=1\r\n)?"
                    + _STRANGER
                    + rb"(?:%b|%b)\r\n" % (_VIA + _PASS, _PASS + _VIA)
                ),
            ),
        ),
        ours=True,
    ),
    Case(
        "a stranger's forwarding headers are replaced",
        "RFC 7239 8.1",
        get(
            b"X-Forwarded-For: 10.0.0.1",
            b"X_Forwarded_For: 10.0.0.1",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-Host: evil.test",
            b"X-Forwarded-Port: 1",
            b"X-Real-IP: 10.0.0.1",
            b"X-Original-URL: /evil",
            b"X-Rewrite-URL: /evil",
            b"Forwarded: for=10.0.0.1;host=evil.test",
            b"X-Request-ID: 0123456789abcdef0123456789abcdef",
            b"X-End: 1",
        ),
        Expect(
            (Answer(),),
            (
                Seen(
                    head=rb"GET / HTTP/1\.1\r\n"
                    + _HOST
                    + rb"X-End: 1\r\n"
                    + _ADDED % (rb"127\.0\.0\.1", b"http", rb"site\.test", b"(?!0123456789abcdef0123)[0-9a-f]{32}")
                    + _VIA
                    + rb"\r\n"
                ),
            ),
        ),
        ours=True,
    ),
    Case(
        "a trusted proxy's forwarding headers are continued",
        "RFC 7239 8.1",
        get(
            b"X-Forwarded-For: 203.0.113.5",
            b"x-forwarded-for: 203.0.113.6",
            b"X-Forwarded-Proto: https",
            b"X-Request-ID: 0123456789abcdef0123456789abcdef",
        ),
        _head(
            b"GET /",
            _HOST,
            _ADDED
            % (rb"203\.0\.113\.5, 203\.0\.113\.6, 127\.0\.0\.1", b"https", rb"site\.test", b"0123456789abcdef" * 2),
            _VIA,
        ),
        ours=True,
        trusted=True,
    ),
    Case(
        "a trusted proxy's X-Request-ID that is none is replaced",
        "RFC 9110 5.5",
        get(b'X-Request-ID: "; rm -rf'),
        _head(b"GET /", _HOST, _STRANGER, _VIA),
        ours=True,
        trusted=True,
    ),
    Case(
        "Sunbeon-* of a client is the gateway's alone, in any spelling",
        "RFC 9110 16.3",
        get(b"Sunbeon-Pass: x", b"sunbeon-anything: x", b"Sunbeon_Pass: x", b"SUNBEON-PASS: y", b"My-Sunbeon-Pass: 1"),
        _head(b"GET /", _HOST, _lines(b"My-Sunbeon-Pass: 1"), _STRANGER, _VIA),
        ours=True,
    ),
    Case(
        "Sunbeon-* of a backend does not reach the client, in any spelling",
        "RFC 9110 16.3",
        get(),
        Expect((Answer(lines=(b"X-End: 1",)),)),
        answer(
            b"200 OK",
            b"Sunbeon-Command: none",
            b"sunbeon-gate: open",
            b"Sunbeon_Gate: x",
            b"X-End: 1",
            b"Content-Length: 0",
        ),
        ours=True,
    ),
    Case(
        "a backend cannot set the gateway's cookies, and its own come as they are",
        "RFC 6265 4.1",
        get(),
        Expect((Answer(lines=(b"Set-Cookie: a=1", b"set-cookie: b=2; Path=/")),)),
        answer(
            b"200 OK",
            b"Set-Cookie: a=1",
            b"Set-Cookie: sunbeon_pass_vaccine=x; Path=/",
            b"Set-Cookie: __Host-sunbeon_ticket_vaccine=x",
            b"set-cookie: b=2; Path=/",
            b"Content-Length: 0",
        ),
        ours=True,
    ),
)

_COOKIES: Final = (
    ("between others", b"a=1; sunbeon_pass_vaccine=x; b=2", b"a=1; b=2"),
    ("alone", b"sunbeon_ticket_vaccine=x", None),
    ("with their prefix", b"__Host-sunbeon_pass_vaccine=y;a=1", b"a=1"),
    ("of other rooms", b"sunbeon_ticket_other=x; a=1", b"a=1"),
    ("beside odd syntax", b'a="x; y";  b==;;c; sunbeon_pass_v=1 ;=d', b'a="x; y";  b==;;c;=d'),
    ("beside bytes of no encoding", b"a=\xff\xfe; sunbeon_pass_v=1; b=\xe9", b"a=\xff\xfe; b=\xe9"),
)


def _cookie(name: str, sent: bytes, kept: bytes | None) -> Case:
    lines = (b"X-A: 1",) if kept is None else (b"X-A: 1", b"Cookie: " + kept)
    return Case(
        f"the gateway's cookies are taken out: {name}",
        "RFC 6265 5.4",
        get(b"X-A: 1", b"Cookie: " + sent),
        Expect((Answer(),), (Seen(lines=lines),)),
        ours=True,
    )


_COOKIE_LINES: Final = Case(
    "the gateway's cookies are taken out: of several lines",
    "RFC 6265 5.4",
    get(b"Cookie: a=1", b"cookie: sunbeon_pass_v=1", b"Cookie: sunbeon_ticket_v=2; b=2", b"Cookie: c=3"),
    Expect((Answer(),), (Seen(lines=(b"Cookie: a=1", b"Cookie: b=2", b"Cookie: c=3")),)),
    ours=True,
)


def _both_ways(name: str, rfc: str, *lines: bytes) -> tuple[Case, Case]:
    """These lines go through as they are, in requests and in answers."""
    return (
        Case(f"{name}, in a request", rfc, get(*lines), carried(*lines)),
        Case(
            f"{name}, in an answer",
            rfc,
            get(),
            Expect((Answer(lines=lines, body=b"ok"),)),
            answer(b"200 OK", *lines, b"Content-Length: 2", body=b"ok"),
        ),
    )


_UNTOUCHED: Final = (
    *_both_ways(
        "order, number and capitals", "RFC 9110 5.3", b"x-two: b", b"X-One: 1", b"X-TWO: a", b"x-two: b", b"Accept: a"
    ),
    *_both_ways("empty values", "RFC 9110 5.5", b"X-A:", b"X-B:", b"X-A: 1"),
    *_both_ways("a value of 7000 bytes", "RFC 9110 5.4", b"X-Long: " + b"a" * 7000),
    *_both_ways("UTF-8", "RFC 9110 5.5", "X-Name: 예약 café".encode()),
    *_both_ways("Latin-1", "RFC 9110 5.5", b"X-Name: caf\xe9"),
    *_both_ways("bytes of no encoding", "RFC 9110 5.5", b"X-Name: \x80\xff\xfe\xc3(\xed\xa0\x80"),
    *_both_ways("a tab within", "RFC 9110 5.5", b"X-A: a\tb"),
    *_both_ways("every mark a name may have", "RFC 9110 5.6.2", b"!#$%&'*+-.^_`|~09az: 1"),
    *_both_ways("underscores in a name", "RFC 9110 5.1", b"X_Own_Name: 1"),
    *_both_ways("commas and quotes", "RFC 9110 5.6.1", b'X-A: a, "b, c" ,,d', b"X-A: (e (f))"),
    *_both_ways("fifty headers", "RFC 9110 5.4", *(b"X-%d: %d" % (each, each) for each in range(50))),
    Case(
        "white space around a value does not belong to it",
        "RFC 9110 5.5",
        get(b"X-A: \t a b \t ", b"X-B:2"),
        carried(b"X-A: a b", b"X-B: 2"),
    ),
    Case(
        "Set-Cookie lines stay apart",
        "RFC 9110 5.3",
        get(),
        Expect((Answer(lines=(b"Set-Cookie: a=1; Path=/", b"Set-Cookie: b=2, c", b"set-cookie: a=3")),)),
        answer(b"200 OK", b"Set-Cookie: a=1; Path=/", b"Set-Cookie: b=2, c", b"set-cookie: a=3", b"Content-Length: 0"),
    ),
    Case(
        "Cookie lines stay apart",
        "RFC 6265 5.4",
        get(b"Cookie: a=1", b"Accept: a", b"Cookie: b=2; c"),
        carried(b"Cookie: a=1", b"Accept: a", b"Cookie: b=2; c"),
    ),
    Case(
        "Server and Content-Type are not invented",
        "RFC 9110 10.2.4",
        get(),
        Expect((Answer(body=b"ok", absent=(b"Server", b"Content-Type")),)),
    ),
    Case(
        "nothing is invented in a request",
        "RFC 9110 5.1",
        get(),
        Expect(
            (Answer(),),
            (
                Seen(
                    absent=(
                        b"User-Agent",
                        b"Accept",
                        b"Accept-Encoding",
                        b"Content-Type",
                        b"Connection",
                        b"Content-Length",
                    )
                ),
            ),
        ),
    ),
    Case(
        "Date and Server of the backend come as they are",
        "RFC 9110 10.2.4",
        get(),
        Expect((Answer(lines=(b"Server: own/1", b"Date: yesterday")),)),
        answer(b"200 OK", b"Server: own/1", b"Date: yesterday", b"Content-Length: 0"),
    ),
    Case(
        "conditions, ranges, encodings and credentials are the backend's business",
        "RFC 9110 13",
        get(
            b'If-None-Match: W/"a"', b"Range: bytes=0-1,3-", b"Accept-Encoding: gzip, br", b"Authorization: Basic eDp5"
        ),
        carried(
            b'If-None-Match: W/"a"', b"Range: bytes=0-1,3-", b"Accept-Encoding: gzip, br", b"Authorization: Basic eDp5"
        ),
    ),
    Case(
        "a Location is not rewritten",
        "RFC 9110 10.2.2",
        get(),
        Expect((Answer(302, lines=(b"Location: http://127.0.0.1//a/../b?x=%7E#c",)),)),
        answer(b"302 Found", b"Location: http://127.0.0.1//a/../b?x=%7E#c", b"Content-Length: 0"),
    ),
    Case(
        "a compressed body is not touched",
        "RFC 9110 8.4",
        get(b"Accept-Encoding: gzip"),
        Expect((Answer(body=b"\x1f\x8b no", lines=(b"Content-Encoding: gzip",)),)),
        answer(b"200 OK", b"Content-Encoding: gzip", b"Content-Length: 5", body=b"\x1f\x8b no"),
    ),
)

_FAULTS: Final = (
    ("a folded line", b"X-A: a\r\n b"),
    ("a line folded with a tab", b"X-A: a\r\n\tb"),
    ("a fold before the value", b"X-A:\r\n a"),
    ("NUL", b"X-A: a\0b"),
    ("a control character", b"X-A: a\x01b"),
    ("DEL", b"X-A: a\x7fb"),
    ("an escape character", b"X-A: \x1b[2J"),
    ("a bare CR", b"X-A: a\rb"),
    ("a bare CR before a header", b"X-A: a\rX-B: b"),
    ("a space before the colon", b"X-A : 1"),
    ("a space in a name", b"X A: 1"),
    ("no colon", b"X-A"),
    ("no name", b": 1"),
    ("a byte of no token in a name", b"X-\xe9: 1"),
    ("a bracket in a name", b"X(A): 1"),
    ("NUL in a name", b"X-\0A: 1"),
)

# What of such a line an answer may still bring: a fold made a space, a name without the space behind it.
_MENDED: Final = {
    "a folded line": b"X-A: a b",
    "a line folded with a tab": b"X-A: a\tb",  # which is white space, if not the one the standard asks for
    "a fold before the value": b"X-A: a",
    "a space before the colon": b"X-A: 1",
}


def _broken_answer(name: str) -> tuple[Expect, ...]:
    if name not in _MENDED:
        return (Expect((Answer(502),), (Seen(),), again=False),)
    mended = Expect((Answer(lines=(b"X-0: 0", _MENDED[name], b"X-End: 1")),), (Seen(),))
    return (Expect((Answer(502),), (Seen(),), again=False), mended)


_BROKEN: Final = (
    *(
        Case(f"{name}, in a request", "RFC 9112 5", get(b"X-0: 0", line, b"X-End: 1"), refused())
        for name, line in _FAULTS
    ),
    *(
        Case(
            f"{name}, in an answer",
            "RFC 9112 5",
            get(),
            _broken_answer(name),
            answer(b"200 OK", b"X-0: 0", line, b"X-End: 1", b"Content-Length: 0"),
        )
        for name, line in _FAULTS
    ),
    Case(
        "white space before the first header",
        "RFC 9112 2.2",
        b"GET / HTTP/1.1\r\n X-A: 1\r\nHost: site.test\r\n\r\n",
        refused(),
    ),
    Case(
        "a header of 100,000 bytes",
        "RFC 6585 5",
        get(b"X-Long: " + b"a" * 100_000),
        refused(431),
    ),
    Case(
        "ten thousand headers",
        "RFC 6585 5",
        get(*(b"X-%d: 1" % each for each in range(10_000))),
        refused(431),
    ),
)

CASES: Final = (*_HOPS, *_OURS, *(_cookie(*each) for each in _COOKIES), _COOKIE_LINES, *_UNTOUCHED, *_BROKEN)
