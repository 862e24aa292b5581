"""How a gateway goes on SIGTERM, as real processes: first it says so, then it takes nobody new, then it lets finish."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway import keys
from gateway.edge.proxy.tunnel import GRACE_S as TUNNEL_GRACE_S
from gateway.settings import Settings
from gateway.supervisor import GRACE_S, Supervisor, Worker
from gateway.tests.stand import PATIENCE_S, Program, fetch, until

CONFIG = """
[gateway]
listen = "127.0.0.1:0"
operator_listen = "127.0.0.1:0"
store = "sqlite:///{folder}/queue.db"
keys_file = "{folder}/keys.json"
operator_token_file = "{folder}/operator.token"
audit_log = "{folder}/audit.log"
history_file = "{folder}/history.db"
drain_delay_s = {delay_s}
drain_s = {drain_s}

[upstream]
servers = ["{backend}"]

[[room]]
name = "vaccine"
paths = ["/booking"]
"""

READY = r"visitors +(http://([\d.]+):(\d+))/.*operators +(http://[\d.]+:\d+)/.*gateway: ready"
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"
)
HANDSHAKE = (
    b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
GOING_AWAY = b"\x88\x02\x03\xe9"


class Backend:
    """Answers at once; `/slow` when `go_on` is set; `/live` with a switch to WebSocket and silence."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.asked = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.go_on.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            held = b""
            while chunk := sock.recv(65_536):
                held += chunk
                if not held.endswith(b"\r\n\r\n"):
                    continue
                target, held = held.split(b" ")[1], b""
                if target == b"/live":
                    sock.sendall(SWITCH)
                    continue
                if target == b"/slow":
                    self.asked.set()
                    self.go_on.wait(PATIENCE_S)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole")


class Gateway:
    """A running one, and what a client does."""

    def __init__(self, program: Program, found: Any) -> None:
        self.program = program
        self.url, self.address, self.operators = found[1], (found[2], int(found[3])), found[4]

    def terminate(self) -> None:
        os.kill(self.program.pid, signal.SIGTERM)

    def ready(self) -> tuple[int, bytes]:
        status, _, body = fetch(self.operators, "GET", "/readyz")
        return status, body

    @contextmanager
    def connection(self, request: bytes) -> Iterator[socket.socket]:
        with socket.create_connection(self.address, timeout=PATIENCE_S) as sock:
            sock.sendall(request)
            yield sock

    def takes_nobody(self) -> bool:
        try:
            socket.create_connection(self.address, timeout=PATIENCE_S).close()
        except ConnectionRefusedError:
            return True
        return False


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def read_answer(sock: socket.socket) -> bytes:
    """An answer whose body is known to end with `whole`."""
    held = b""
    while not held.endswith(b"whole"):
        chunk = sock.recv(65_536)
        assert chunk, held
        held += chunk
    return held


@pytest.fixture
def backend():
    made = Backend()
    yield made
    made.close()


@pytest.fixture
def start(tmp_path: Path, backend):
    program = Program("gateway", tmp_path)
    keys.create(tmp_path / "keys.json")

    def start_one(*, delay_s: float, drain_s: float) -> Gateway:
        text = CONFIG.format(folder=tmp_path, backend=backend.url, delay_s=delay_s, drain_s=drain_s)
        (tmp_path / "sunbeon.toml").write_text(text)
        found = program.start(["gateway", "gateway", "--config", str(tmp_path / "sunbeon.toml")], READY)
        return Gateway(program, found)

    yield start_one
    # Not started, or gone by itself.
    with suppress(AssertionError, ProcessLookupError):
        program.kill()


def test_first_it_is_ready_no_more_and_still_serves_whoever_comes(start):
    gateway = start(delay_s=300, drain_s=1)
    with gateway.connection(get("/")) as kept, gateway.connection(HANDSHAKE) as live:
        assert b"connection" not in read_answer(kept).lower()
        assert live.recv(1000).startswith(b"HTTP/1.1 101")
        assert gateway.ready()[0] == 200
        gateway.terminate()
        status, body = until(lambda: gateway.ready() if gateway.ready()[0] != 200 else None, "it is not ready")
        assert (status, b"draining" in body) == (503, True)
        assert fetch(gateway.operators, "GET", "/healthz")[0] == 200
        for target in ("/", "/_sunbeon/vaccine/board"):
            answered, headers, _ = fetch(gateway.url, "GET", target)
            assert (answered, dict(headers)["Connection"]) == (200, "close")
        kept.sendall(get("/"))
        assert b"connection: close" in read_answer(kept).lower()
        assert kept.recv(1) == b""
        gateway.terminate()
        assert fetch(gateway.url, "GET", "/")[0] == 200, "asked twice, it goes no faster"
        with gateway.connection(HANDSHAKE) as late:
            assert late.recv(1000).startswith(b"HTTP/1.1 101")
            for each in (live, late):
                # One that ends is given `tunnel.GRACE_S` to end between two frames.
                each.settimeout(0.75 * TUNNEL_GRACE_S)
                with pytest.raises(TimeoutError):
                    each.recv(1)


def test_then_it_takes_nobody_new_and_lets_what_is_under_way_finish(start, backend):
    gateway = start(delay_s=0.2, drain_s=60)
    with (
        gateway.connection(get("/slow")) as slow,
        gateway.connection(get("/")) as idle,
        gateway.connection(HANDSHAKE) as live,
    ):
        read_answer(idle)
        assert live.recv(1000).startswith(b"HTTP/1.1 101")
        assert backend.asked.wait(PATIENCE_S)
        gateway.terminate()
        until(gateway.takes_nobody, "its port is closed")
        assert live.recv(1000) == GOING_AWAY
        assert idle.recv(1) == b""
        assert gateway.ready()[0] == 503, "the operators' port is open to the end"
        gateway.terminate()
        backend.go_on.set()
        assert read_answer(slow).endswith(b"whole")
    process = gateway.program._process
    assert process is not None
    assert process.wait(PATIENCE_S) == 0


def test_a_worker_is_not_killed_before_delay_and_drain_are_over():
    patience: list[float | None] = []

    class Process:
        pid = 0

        def is_alive(self) -> bool:
            return not patience

        def terminate(self) -> None: ...

        def join(self, timeout: float | None = None) -> None:
            patience.append(timeout)

    settings = Settings.model_validate(
        {
            "gateway": {"drain_delay_s": 20, "drain_s": 30},
            "upstream": {"servers": ["http://127.0.0.1:9"]},
            "room": [{"name": "vaccine"}],
        }
    )
    supervisor = Supervisor(settings, "token")
    process: Any = Process()
    pipe: Any = None
    supervisor._workers[0] = Worker(process, pipe, 0, 0, 0)
    supervisor._stop_all()
    assert patience[0] is not None
    assert 50 < patience[0] <= 50 + GRACE_S
