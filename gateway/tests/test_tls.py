"""HTTPS that ends at the gateway, as real processes: every worker shows the certificate, and follows its renewal."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.edge.tests.tls.certificates import HOST, client_context, serial_of, write
from gateway.tests.stand import PATIENCE_S, Stand, until

WORKERS = 2
# Each worker gets connections by the kernel's lot: that this many miss one of two happens once in 2 ** 20.
ENOUGH = 20


@contextmanager
def connection(stand: Stand) -> Iterator[ssl.SSLSocket]:
    port = int(stand.url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as plain,
        client_context().wrap_socket(plain, server_hostname=HOST) as sock,
    ):
        yield sock


def answered(sock: ssl.SSLSocket) -> bool:
    sock.sendall(f"GET /_sunbeon/jwks.json HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    return sock.recv(65_536).startswith(b"HTTP/1.1 200 ")


def shown(stand: Stand) -> set[int]:
    """The serial numbers that newcomers see."""
    seen = set()
    for _ in range(ENOUGH):
        with connection(stand) as sock:
            seen.add(serial_of(sock))
    return seen


def test_every_worker_takes_up_a_renewed_certificate_and_stops_in_peace(tmp_path, show):
    first = write(tmp_path)
    files = {"tls_certificate": str(tmp_path / "cert.pem"), "tls_key": str(tmp_path / "key.pem")}
    with Stand(tmp_path, workers=WORKERS, gateway=files) as stand:
        show(stand)
        assert stand.url.startswith("https://")
        assert shown(stand) == {first}
        with connection(stand) as earlier:
            assert answered(earlier)
            second = write(tmp_path)
            until(lambda: shown(stand) == {second}, "every worker shows the new certificate")
            assert answered(earlier)
            assert stand.logs().count("the certificate was read again") == WORKERS
            # An idle visitor holds nobody up.
            stand.stop()
            assert earlier.recv(1) == b""
        assert "ERROR" not in stand.logs()
        assert "Traceback" not in stand.logs()
