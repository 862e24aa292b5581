"""What stands behind the front server: a real gateway process, and a backend that shows what reached it."""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from gateway.tests.stand import PATIENCE_S, Stand

# RFC 6455, 1.3
_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Backend(ThreadingHTTPServer):
    """Tells everyone what came; `/stream` waits for `go_on` before its second line; `/socket` echoes bytes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.go_on = threading.Event()
        self.posts = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Backend

    def do_GET(self) -> None:
        if self.path == "/stream":
            self._stream()
        elif self.path == "/socket":
            self._socket()
        else:
            self._tell()

    def do_POST(self) -> None:
        self.server.posts += 1
        self._tell(len(self.rfile.read(int(self.headers["Content-Length"]))))

    def _tell(self, body: int = 0) -> None:
        told = {
            "target": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body": body,
        }
        content = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        # Of known length: what comes in chunks is passed on at once by most, what has a length is collected.
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"one\n")
        self.server.go_on.wait(PATIENCE_S)
        self.wfile.write(b"two\n")

    def _socket(self) -> None:
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_response(101)
        self.send_header("Upgrade", self.headers["Upgrade"])
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", b64encode(sha1(key + _MAGIC).digest()).decode())
        self.end_headers()
        while data := self.connection.recv(65_536):
            self.connection.sendall(data)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def backend() -> Iterator[Backend]:
    with Backend() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield made
        finally:
            made.go_on.set()
            made.shutdown()
            thread.join()


class Behind(Stand):
    """A stand whose gateway has this backend instead of the booking site."""

    def start_booking(self) -> None:
        """Nothing to start: `upstream` has the server."""
