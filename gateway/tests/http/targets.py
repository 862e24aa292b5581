"""Targets: forwarded byte for byte, or refused."""

from typing import Final

from gateway.tests.http.case import Answer, Case, Expect, Seen, carried, refused, request

_AS_IT_IS: Final = (
    ("the root", b"/"),
    ("an escaped slash", b"/a%2Fb%2fc"),
    ("an escaped dot", b"/a/%2e/b"),
    ("two slashes", b"//a//b//"),
    ("dot segments", b"/a/./b/../c"),
    ("dots above the root", b"/../a"),
    ("parameters", b"/a;v=1;w/b"),
    ("an empty query", b"/a?"),
    ("a query of odds and ends", b"/?a=1&a&&=&b=%20+?/:@!$'()*,;[]{}|^`\"<>"),
    ("a query with a lone percent", b"/?100%"),
    ("a query with a backslash", b"/?\\"),
    ("two question marks", b"/??a?b"),
    ("escapes in both cases", b"/%ec%98%88%EC%95%BD?q=%ec%98%88"),
    ("an escape that need not be", b"/%7Euser/%41"),
    ("all that may stand in a path", b"/a:b@c!$&'()*+,=-._~"),
    ("a query that is an address", b"/go?to=http://other.test/a"),
    ("a path that looks like an address", b"/http://other.test/a"),
    ("a target of 7000 bytes", b"/" + b"a" * 7000),
)

# A reverse proxy matches paths; what it cannot read in one way it may refuse (RFC 9112, 3.2: recipients should).
_OR_NOT_AT_ALL: Final = (
    ("raw UTF-8", "/카페?q=예약".encode()),
    ("raw Latin-1", b"/caf\xe9?q=\xe9"),
    ("a backslash", b"/a\\b"),
    ("marks no path has", b'/a{b}|^`"<>'),
    ("a path with a lone percent", b"/100%"),
    ("an escaped NUL", b"/a%00b"),
    ("escaped line breaks", b"/a%0d%0aX: 1"),
)

_REFUSED: Final = (
    ("a fragment", b"/a#b"),
    ("a fragment in a query", b"/a?b#c"),
    ("a tab", b"/a\tb"),
    ("a NUL", b"/a\0b"),
    ("a bell", b"/a\x07b"),
    ("DEL", b"/a\x7fb"),
    ("a bare CR", b"/a\rb"),
    ("a space", b"/a b"),
    ("no slash", b"a/b"),
    ("a relative path", b"../a"),
    ("a query alone", b"?a"),
    ("a host and port", b"site.test:80"),
    ("another scheme", b"ftp://site.test/a"),
    ("* for a GET", b"*"),
    ("an absolute target without a host", b"http:///a"),
    ("an absolute target with a user", b"http://user@site.test/a"),
)


def _absolute(name: str, start: bytes, becomes: bytes, host: bytes = b"site.test") -> Case:
    sent = start + b" HTTP/1.1\r\nHost: ignored.test\r\nX-End: 1\r\n\r\n"
    seen = Seen(becomes + b" HTTP/1.1", lines=(b"Host: " + host, b"X-End: 1"))
    return Case(f"an absolute target: {name}", "RFC 9112 3.2.2", sent, Expect((Answer(),), (seen,)))


def _host(name: str, *lines: bytes, expect: tuple[Expect, ...] = (refused(),)) -> Case:
    sent = b"\r\n".join((b"GET / HTTP/1.1", *lines, b"", b""))
    return Case(f"the host: {name}", "RFC 9112 3.2", sent, expect)


CASES: Final = (
    *(
        Case(f"as it is: {name}", "RFC 9110 7.6", request(b"GET " + raw), carried(start=b"GET " + raw + b" HTTP/1.1"))
        for name, raw in _AS_IT_IS
    ),
    *(
        Case(
            f"as it is or not at all: {name}",
            "RFC 9112 3.2",
            request(b"GET " + raw),
            (carried(start=b"GET " + raw + b" HTTP/1.1"), refused(then=None)),
        )
        for name, raw in _OR_NOT_AT_ALL
    ),
    *(Case(f"refused: {name}", "RFC 9112 3.2", request(b"GET " + raw), refused(then=None)) for name, raw in _REFUSED),
    Case(
        "a target of 100,000 bytes is too long",
        "RFC 9110 15.5.15",
        request(b"GET /" + b"a" * 100_000),
        refused(414),
    ),
    Case(
        "two spaces before the target",
        "RFC 9112 3",
        request(b"GET  /"),
        refused(),
    ),
    Case(
        "a tab before the target",
        "RFC 9112 3",
        request(b"GET\t/"),
        refused(),
    ),
    Case(
        "OPTIONS *",
        "RFC 9112 3.2.4",
        request(b"OPTIONS *"),
        carried(start=b"OPTIONS * HTTP/1.1"),
    ),
    _absolute("its host counts", b"GET http://site.test/a?b", b"GET /a?b"),
    _absolute("its port counts", b"GET http://Site.Test:8080/a", b"GET /a", b"Site.Test:8080"),
    _absolute("a scheme in capitals", b"GET HTTP://site.test/a", b"GET /a"),
    _absolute("no path", b"GET http://site.test", b"GET /"),
    _absolute("no path, but a query", b"GET http://site.test?a", b"GET /?a"),
    _absolute("byte for byte, too", b"GET http://site.test//a/%2e/../b?", b"GET //a/%2e/../b?"),
    _absolute("OPTIONS of a whole server", b"OPTIONS http://site.test", b"OPTIONS *"),
    _host(
        "as the client spelled it",
        b"Host: Site.Test.:8080",
        expect=(Expect((Answer(),), (Seen(lines=(b"Host: Site.Test.:8080",)),)),),
    ),
    _host("an IPv6 address", b"Host: [::1]:80", expect=(Expect((Answer(),), (Seen(lines=(b"Host: [::1]:80",)),)),)),
    _host("none", b"X-A: 1"),
    _host("two", b"Host: site.test", b"Host: other.test"),
    _host("the same twice", b"Host: site.test", b"Host: site.test"),
    _host("two in one line", b"Host: site.test, other.test"),
    _host("a path", b"Host: site.test/a"),
    _host("a user", b"Host: user@site.test"),
    _host("a space", b"Host: site .test"),
    _host("empty", b"Host:", expect=(Expect((Answer(),), (Seen(),)), refused(then=None))),
)
