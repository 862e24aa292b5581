"""The gateway behind the front servers we ship configurations for, each of them real, with visitors by HTTP/2."""

import socket
import subprocess
from contextlib import contextmanager, suppress

import pytest

from gateway.edge.tests.tls import certificates
from gateway.tests.front_servers.conftest import MAX_BODY, PRIVILEGED
from gateway.tests.front_servers.servers import Caddy, Nginx
from gateway.tests.stand import PATIENCE_S, until


@pytest.mark.parametrize("kind", [Nginx, Caddy], ids=lambda kind: kind.name)
def test_the_shipped_configuration_is_in_order(kind, tmp_path):
    certificates.write(tmp_path)
    checked = kind(tmp_path, "http://127.0.0.1:9").check()
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr


def test_a_visitor_by_http_2_waits_and_gets_in(browser):
    holder, waiting = browser(), browser("127.0.0.8")
    until(lambda: holder.ask("/room").gate is None, "the first visitor gets in")
    page = waiting.ask("/room", "--header", "Accept: text/html")
    assert (page.version, page.status, page.gate) == ("2", 200, "waiting")
    assert page.headers["cache-control"] == ["no-store"]
    cookies = page.headers["set-cookie"]
    assert cookies
    assert all(line.startswith("__Host-") and line.endswith("; Secure") for line in cookies)
    assert waiting.ask("/_sunbeon/vaccine/status").json()["state"] == "waiting"

    holder.leave()
    until(lambda: waiting.ask("/_sunbeon/vaccine/status").json()["state"] == "inside", "the second one's turn comes")
    inside = waiting.ask("/room")
    assert (inside.version, inside.gate) == ("2", None)
    assert len(inside.sent("sunbeon-pass")) == 1


def test_the_backend_is_told_the_visitors_address_scheme_and_host(browser, front):
    answer = browser("127.0.0.7").ask("/")
    assert (answer.version, answer.gate) == ("2", None)
    assert answer.sent("x-forwarded-for") == ["127.0.0.7, 127.0.0.1"]
    assert answer.sent("x-forwarded-proto") == ["https"]
    host = answer.sent("host")[0]
    assert host.partition(":")[0] == certificates.HOST
    assert answer.sent("x-forwarded-host") == [host]


def test_an_address_that_a_visitor_claims_is_not_believed(browser):
    claims = [
        option
        for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "X_Forwarded_For")
        for option in ("--header", f"{name}: {'for=' * (name == 'Forwarded')}{PRIVILEGED}")
    ]
    for claim in ("X-Forwarded-Proto: http", "X-Forwarded-Host: other.test", "X-Request-ID: mine"):
        claims += ["--header", claim]
    assert browser(PRIVILEGED).ask("/room").gate is None, "the address itself lets in"
    answer = browser().ask("/", *claims)
    assert answer.sent("x-forwarded-for") == ["127.0.0.7, 127.0.0.1"]
    assert answer.sent("x-forwarded-proto") == ["https"]
    assert answer.sent("x-forwarded-host")[0].startswith(certificates.HOST)
    assert "mine" not in answer.sent("x-request-id")
    holder, claimant = browser(), browser()
    until(lambda: holder.ask("/room").gate is None, "the seat is taken")
    assert claimant.ask("/room", *claims).gate == "waiting"


@pytest.mark.parametrize(
    "target", ["/a//b/./c", "/a/%2e%2e/b%2Fc/%41;x=1?q=%20&&y=/../", "/a?", "/%EC%88%9C?%", "/a+b%20c"]
)
def test_the_target_goes_through_byte_for_byte(browser, target):
    assert browser().ask(target).json()["target"] == target


def test_a_body_over_the_limit_is_refused_by_the_gateway_and_one_within_arrives(browser, backend_server, tmp_path):
    for size, status in ((MAX_BODY, 200), (MAX_BODY + 1, 413)):
        (tmp_path / "body").write_bytes(b"x" * size)
        answer = browser().ask("/", "--data-binary", f"@{tmp_path}/body")
        assert answer.status == status
        if status == 413:
            assert answer.gate == "too_large"
        else:
            assert answer.json()["body"] == size


def test_an_answer_reaches_the_visitor_as_it_is_written(browser, backend_server):
    backend_server.go_on.clear()
    with subprocess.Popen(browser().command("/stream", "--no-buffer"), stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        assert curl.stdout.read(4) == b"one\n"
        backend_server.go_on.set()
        assert curl.stdout.read() == b"two\n"
    assert curl.returncode == 0


def test_an_upload_meets_the_gate_before_it_is_sent_whole(browser, front):
    holder = browser()
    until(lambda: holder.ask("/room").gate is None, "the seat is taken")
    with raw(front) as (sock, _):
        sock.sendall(f"POST /room HTTP/1.1\r\nHost: {certificates.HOST}\r\nContent-Length: {MAX_BODY}\r\n\r\n".encode())

        def answered() -> bytes:
            sock.settimeout(0.1)
            with suppress(TimeoutError):
                got: bytes = sock.recv(13)
                return got
            sock.sendall(b"more")  # Caddy passes an answer on when something comes
            return b""

        assert until(answered, "the gate answers before the body is there") == b"HTTP/1.1 429 "


def test_a_websocket_goes_through(front):
    with raw(front) as (sock, stream):
        sock.sendall(
            f"GET /socket HTTP/1.1\r\nHost: {certificates.HOST}\r\nUpgrade: websocket\r\n"
            "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        head = b"".join(iter(stream.readline, b"\r\n"))
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        # The backend echoes bytes: a masked frame comes back as it went.
        frame = b"\x82\xfe\x03\xe8" + b"mask" + bytes(1_000)
        for _ in range(3):
            sock.sendall(frame)
            assert stream.read(len(frame)) == frame


def test_no_other_upgrade_goes_through(browser):
    upgrade = ("--header", "Connection: Upgrade, HTTP2-Settings", "--header", "Upgrade: h2c")
    answer = browser().ask("/", "--http1.1", *upgrade)
    assert (answer.version, answer.status) == ("1.1", 200)
    assert answer.sent("upgrade") == []


def test_who_comes_by_http_is_sent_to_https(browser, front):
    answer = browser().ask("/room?a=b", scheme="http", port=front.plain_port)
    assert answer.status == 308
    assert answer.headers["location"][0].startswith(f"https://{certificates.HOST}")
    assert answer.headers["location"][0].endswith("/room?a=b")


@contextmanager
def raw(front):
    """A connection by TLS and HTTP/1.1, to send bytes on."""
    with (
        socket.create_connection(("127.0.0.1", front.port), timeout=PATIENCE_S) as plain,
        certificates.client_context().wrap_socket(plain, server_hostname=certificates.HOST) as sock,
        sock.makefile("rb") as stream,
    ):
        yield sock, stream
