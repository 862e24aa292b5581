"""Real Redis and Valkey servers for tests.

    with RedisServer("valkey", aof=True) as server:
        store = open_store(server.url)
        server.kill()
        server.restart()

All methods block, mostly for milliseconds. Where a loop must go on: `await asyncio.to_thread(server.restart)`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

from gateway.edge.tests.tls import certificates
from gateway.tests.redis.process import HOST, Kind, ServerProcess, missing, wait_for

# With an ACL file, tests still need a way in that is not what they test.
CONTROL_USER: Final = ("control", "of-the-tests")


def faketime() -> str:
    """The path of the library that moves a program's clock."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[0]) if found else missing("libfaketime on this machine (apt-get install faketime)")


@dataclass(eq=False, repr=False)
class RedisServer(ServerProcess):
    """One server.

    directives: more lines of its configuration file, over our own. aof: appends to a file, so that a restart finds what
    was there; without it a restarted server is empty. acl: lines of an ACL file ("user gate on >secret ~* +@all"); the
    user `default` stays as `password` says unless a line names it. tls: by the certificate `ca_file`, for Redis only
    (the Valkey we have is built without). unix_socket: instead of a port. clock_offset_s: its clock differs by so much,
    and `step_clock` moves it; for Valkey only (Debian's Redis does not start under libfaketime).
    """

    kind: Kind = "redis"
    _: KW_ONLY
    directives: Mapping[str, str | int] = field(default_factory=dict)
    replica_of: "RedisServer | None" = None
    aof: bool = False
    password: str | None = None
    acl: Sequence[str] = ()
    tls: bool = False
    unix_socket: bool = False
    cluster: bool = False
    clock_offset_s: float | None = None
    bus_port: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        assert not (self.tls and self.kind == "valkey"), "this Valkey is built without TLS"
        assert self.clock_offset_s is None or self.kind == "valkey", "Redis does not start under libfaketime"
        return super().__enter__()

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
    def socket_file(self) -> Path:
        return self.folder / "redis.sock"

    @property
    def ca_file(self) -> Path:
        """What a client of a `tls` server has to trust."""
        return self.folder / "cert.pem"

    @property
    def is_primary(self) -> bool:
        """As it says itself."""
        return bool(self.call("ROLE")[0] == "master")

    def cut_connections(self) -> int:
        """Close every client's connection; replicas and nodes of the cluster keep theirs. How many there were."""
        with self.client() as client:
            return sum(int(client.execute_command("CLIENT", "KILL", "TYPE", kind)) for kind in ("normal", "pubsub"))

    def step_clock(self, seconds: float) -> None:
        """Move its clock forward, or backward if negative, on top of the offset it has. Takes effect at once."""
        assert self.clock_offset_s is not None, "the server was started without a clock of its own"
        self.clock_offset_s += seconds
        self._set_clock()

    def follow(self, primary: "RedisServer") -> None:
        """While it is down: let it start as a replica."""
        assert not self.runs
        with self._config_file.open("a") as file:
            file.write(f"replicaof {HOST} {primary.port}\n")

    def wait_for_primary(self) -> None:
        """Wait until this replica has what its primary had, and follows it."""
        wait_for(lambda: self.info("replication").get("master_link_status") == "up", f"{self} follows its primary")

    def _environ(self) -> dict[str, str]:
        if self.clock_offset_s is None:
            return {}
        self._set_clock()
        return {
            "LD_PRELOAD": faketime(),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
            # Looked at with every question for the time: a step takes effect at once.
            "FAKETIME_NO_CACHE": "1",
            # Only the wall clock: a machine's own count of seconds does not step.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def _set_clock(self) -> None:
        # In one piece: the server may look at any moment.
        (self.folder / "clock.new").write_text(f"{self.clock_offset_s:+f}\n")
        (self.folder / "clock.new").replace(self.folder / "clock")

    def _connection(self) -> dict[str, Any]:
        name, password = CONTROL_USER if self.acl else (None, self.password)
        where = {"unix_socket_path": str(self.socket_file)} if self.unix_socket else super()._connection()
        tls = {"ssl": True, "ssl_ca_certs": str(self.ca_file)} if self.tls else {}
        return {"username": name, "password": password, **where, **tls}

    def _config(self) -> list[str]:
        lines: dict[str, str | int] = {
            "bind": HOST,
            "port": 0,
            "dir": str(self.folder),
            "save": '""',
            "appendonly": "yes" if self.aof else "no",
            # Written before it is answered, which SIGKILL does not undo. By default, while a busy disk syncs, a server
            # answers for up to 2 s before it writes.
            "appendfsync": "no",
            # How long SIGTERM waits for replicas, and a new replica for others to come.
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
        return [f"{name} {value}" for name, value in lines.items()]

    def _users(self) -> list[str]:
        users = ["user {} on >{} ~* &* +@all".format(*CONTROL_USER), *self.acl]
        if not any(line.startswith("user default ") for line in self.acl):
            users.append(f"user default on {f'>{self.password}' if self.password else 'nopass'} ~* &* +@all")
        return users
