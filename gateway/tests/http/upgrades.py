"""WebSocket: the handshake, the bytes behind it, and all that is no handshake."""

from typing import Final

from gateway.tests.http.case import (
    BODY,
    CLOSE,
    HALF,
    OK,
    RESET,
    Answer,
    Case,
    Expect,
    Got,
    Hear,
    Seen,
    Tell,
    answer,
    chunked,
    refused,
    request,
)

KEY: Final = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
MORE: Final = (
    KEY,
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Protocol: chat, talk",
    b"Sec-WebSocket-Extensions: x; y=1",
)
HAND: Final = (b"Connection: Upgrade", b"Upgrade: websocket", *MORE)
ACCEPT: Final = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
SWITCH: Final = answer(b"101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade", ACCEPT)
NO: Final = answer(b"403 Forbidden", b"Content-Length: 2", body=b"no")
# A ping, masked as a client's must be, and the pong.
PING: Final = b"\x89\x84\0\0\0\0ping"
PONG: Final = b"\x8a\x04pong"
SWITCHED: Final = Answer(101, lines=(ACCEPT,))
HANDED: Final = Seen(b"GET /ws HTTP/1.1", lines=MORE, body=b"", upgrade=True)


def shake(*lines: bytes, start: bytes = b"GET /ws") -> bytes:
    return request(start, *(lines or HAND))


def _plain(name: str, rfc: str, send: bytes, *lines: bytes, then: str = "open", body: bytes = b"") -> Case:
    """No handshake: carried as the plain request it is."""
    return Case(name, rfc, send, Expect((Answer(body=b"ok"),), (Seen(lines=lines, body=body),), then))


CASES: Final = (
    Case(
        "a handshake goes through, and bytes both ways",
        "RFC 6455 4.1",
        (shake(), Got(ACCEPT), PING, Got(PONG)),
        Expect((SWITCHED,), (HANDED,), "open", tunnel=PONG, back=PING),
        ((SWITCH, Got(PING), PONG),),
    ),
    Case(
        "a handshake among other options of the connection",
        "RFC 9110 7.8",
        (shake(b"Connection: keep-alive, upgrade", b"Upgrade: WebSocket", *MORE), Got(ACCEPT), PING, Got(PONG)),
        Expect((SWITCHED,), (HANDED,), "open", tunnel=PONG, back=PING),
        ((SWITCH, Got(PING), PONG),),
    ),
    Case(
        "frames in one packet with the handshake are not lost",
        "RFC 6455 5.1",
        (shake() + PING, Got(PONG)),
        Expect((SWITCHED,), (HANDED,), "open", tunnel=PONG, back=PING),
        ((SWITCH, Got(PING), PONG),),
    ),
    Case(
        "frames in one packet with the 101 are not lost",
        "RFC 6455 5.1",
        (shake(), Got(PONG)),
        Expect((SWITCHED,), (HANDED,), "open", tunnel=PONG),
        ((SWITCH + PONG,),),
    ),
    Case(
        "frames early on both sides",
        "RFC 6455 5.1",
        (shake() + PING * 3, Got(PONG * 2)),
        Expect((SWITCHED,), (HANDED,), "open", tunnel=PONG * 2, back=PING * 3),
        ((SWITCH + PONG, Got(PING * 3), PONG),),
    ),
    Case(
        "what looks like HTTP is not read within a tunnel",
        "RFC 9110 7.8",
        (shake(), Got(ACCEPT), b"GET / HTTP/1.1\r\n\r\n", Got(b"HTTP/9.9 7\r\n\r\n")),
        Expect((SWITCHED,), (HANDED,), "open", tunnel=b"HTTP/9.9 7\r\n\r\n", back=b"GET / HTTP/1.1\r\n\r\n"),
        ((SWITCH, Got(b"GET / HTTP/1.1\r\n\r\n"), b"HTTP/9.9 7\r\n\r\n"),),
    ),
    Case(
        "much at once, both ways",
        "RFC 6455 5.1",
        (shake(), Got(ACCEPT), b"a" * 2**20 + PING, Got(PONG)),
        Expect((SWITCHED,), (HANDED,), "open", tunnel=b"b" * 2**20 + PONG, back=b"a" * 2**20 + PING),
        ((SWITCH, Got(PING), b"b" * 2**20 + PONG),),
    ),
    Case(
        "a backend that closes takes the client along, after the last frame",
        "RFC 6455 7.1.1",
        (shake(), Got(PONG)),
        Expect((SWITCHED,), (HANDED,), "closed", tunnel=PONG),
        ((SWITCH, PONG, CLOSE),),
    ),
    Case(
        "a backend that breaks off takes the client along",
        "RFC 6455 7.1.7",
        (shake(), Got(ACCEPT), Tell("open")),
        Expect((SWITCHED,), (HANDED,), "closed"),
        ((SWITCH, Hear("open"), RESET),),
    ),
    Case(
        "a client that stops sending within a tunnel is taken as gone",
        "RFC 6455 7.1.7",
        (shake(), Got(ACCEPT), PING, HALF),
        Expect((SWITCHED,), (HANDED,), "closed", back=PING),
        ((SWITCH,),),
    ),
    Case(
        "a backend that refuses is heard, and the connection stays HTTP",
        "RFC 9110 7.8",
        shake(),
        Expect((Answer(403, body=b"no", framing=b"Content-Length: 2"),), (HANDED,), "open"),
        NO,
    ),
    Case(
        "a backend that refuses in chunks is heard",
        "RFC 9110 7.8",
        shake(),
        Expect((Answer(426, body=b"no"),), (HANDED,), "open"),
        answer(b"426 Upgrade Required", b"Transfer-Encoding: chunked", body=chunked(b"no")),
    ),
    Case(
        "a backend that ignores the handshake is heard",
        "RFC 9110 7.8",
        shake(),
        Expect((Answer(200, body=b"ok"),), (HANDED,), "open"),
    ),
    Case(
        "a request behind a refused handshake is a request, or nothing",
        "RFC 9110 7.8",
        shake() + request(b"GET /behind"),
        (
            Expect(
                (Answer(403), Answer(200)),
                (HANDED, Seen(b"GET /behind HTTP/1.1", head=rb"(?s).*\r\nVia: 1\.1 \w+\r\n.*")),
                "open",
            ),
            Expect((Answer(403),), (HANDED,), "closed"),
        ),
        ((NO,), (BODY, OK)),
    ),
    Case(
        "frames before the backend has switched, which it then does not, go nowhere",
        "RFC 9110 7.8",
        shake() + PING,
        (
            Expect((Answer(403), Answer(400)), (HANDED,), "closed"),
            Expect((Answer(403),), (HANDED,), "closed"),
        ),
        NO,
    ),
    Case(
        "hints before the switch",
        "RFC 9110 15.2",
        (shake(), Got(ACCEPT), PING, Got(PONG)),
        Expect(
            (Answer(101, lines=(ACCEPT,), interim=(answer(b"103 Early Hints", b"Link: </a>"),)),),
            (HANDED,),
            "open",
            tunnel=PONG,
            back=PING,
        ),
        ((answer(b"103 Early Hints", b"Link: </a>") + SWITCH, Got(PING), PONG),),
    ),
    Case(
        "a 101 that does not say to what is none",
        "RFC 9110 7.8",
        shake(),
        Expect((Answer(502),), (HANDED,), None),
        ((answer(b"101 Switching Protocols", b"Connection: Upgrade", ACCEPT),),),
    ),
    Case(
        "a 101 to something else is none",
        "RFC 9110 7.8",
        shake(),
        Expect((Answer(502),), (HANDED,), None),
        ((answer(b"101 Switching Protocols", b"Connection: Upgrade", b"Upgrade: h2c", ACCEPT),),),
    ),
    _plain(
        "a handshake for HTTP/2 is carried as HTTP/1.1",
        "RFC 9110 7.8",
        request(
            b"GET /",
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        ),
    ),
    _plain("an Upgrade the connection does not name is none", "RFC 9110 7.8", shake(*HAND[1:]), *MORE),
    _plain("an option to upgrade without Upgrade is none", "RFC 9110 7.8", shake(HAND[0], *MORE), *MORE),
    _plain("a handshake without a key is none", "RFC 6455 4.1", shake(*HAND[:2], *MORE[1:]), *MORE[1:]),
    _plain("a handshake with two keys is none", "RFC 6455 4.1", shake(*HAND, KEY), *MORE, KEY),
    _plain(
        "a handshake by POST is none",
        "RFC 6455 4.1",
        request(b"POST /ws", *HAND, b"Content-Length: 5", body=b"hello"),
        *MORE,
        body=b"hello",
    ),
    _plain(
        "a handshake of an HTTP/1.0 client is none",
        "RFC 9110 7.8",
        shake(start=b"GET /ws HTTP/1.0"),
        *MORE,
        then="closed",
    ),
    Case(
        "a handshake with a body is none",
        "RFC 6455 4.1",
        request(b"GET /ws", *HAND, b"Content-Length: 5", body=b"hello"),
        (
            Expect((Answer(body=b"ok"),), (Seen(lines=MORE, body=b"hello"),), "open"),
            Expect((Answer(body=b"ok"),), (Seen(lines=MORE, body=b"hello", upgrade=True),), "open"),
            refused(),
        ),
    ),
)
