"""A PostgreSQL server of the tests' own: Debian's programs, a folder, a unix socket, no network.

PostgreSQL refuses to run as root, so root starts it as `nobody`. A test run that is killed takes its servers along: a
guard beside each reads a pipe that only the run holds the other end of, and cleans up when that end is closed, however.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final, Self

import pytest

USER: Final = "sunbeon"
_UNPRIVILEGED: Final = "nobody"
_PATIENCE_S: Final = 60.0
_LOOK_S: Final = 0.05
# Reads the pid of each server, or "" when it is gone; the last one counts. Not a signal at the parent's death
# (PR_SET_PDEATHSIG): that is sent when the *thread* ends that started the server. INT: it ends its sessions itself.
_GUARD: Final = f"""
while read -r told; do pid=$told; done
if [ -n "$pid" ]; then
    kill -INT "$pid"
    timeout {_PATIENCE_S} tail -s {_LOOK_S} --pid="$pid" -f /dev/null || kill -KILL "$pid"
fi
rm -rf "$1"
"""


def programs() -> Path:
    """The folder of `initdb` and `postgres`. Without one the test is skipped with a loud line; in CI it fails."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    if on_path := shutil.which("postgres"):
        return Path(on_path).resolve().parent
    if os.environ.get("CI"):
        pytest.fail("CI has no PostgreSQL (apt-get install postgresql)")
    pytest.skip("POSTGRESQL TESTS SKIPPED: no PostgreSQL on this machine (apt-get install postgresql)")


class Server:
    """`with Server() as server:` runs one; leaving it stops it and removes all it had.

    durable: flushes to disk as a real one does; without, tests that lose no power are faster.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._programs = programs()
        # Short: the path of a unix socket has at most 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def __enter__(self) -> Self:
        # A session of its own: what ends the run's whole process group spares the guard.
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "guard", str(self._folder)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            if os.geteuid() == 0:
                account = pwd.getpwnam(_UNPRIVILEGED)
                os.chown(self._folder, account.pw_uid, account.pw_gid)
            self._run(
                "initdb", "-D", self._data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-N"
            )
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """As the end of the run does it: the guard stops the server and removes the folder."""
        assert self._guard is not None
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        if self._process is not None:
            self._process.wait(2 * _PATIENCE_S)
        self._guard.wait(2 * _PATIENCE_S)

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def start(self) -> None:
        options = {"listen_addresses": "", "unix_socket_directories": str(self._folder), "max_connections": 100}
        if not self._durable:
            options |= {"fsync": "off", "full_page_writes": "off"}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as(), str(self._programs / "postgres"), "-D", self._data, *arguments],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._tell_guard(str(self._process.pid))
        deadline = time.monotonic() + _PATIENCE_S
        while self._call("pg_isready", "-q", "-h", str(self._folder), "-U", USER, "-d", "postgres").returncode:
            log_text = (self._folder / "log").read_text(errors="replace")
            assert self._process.poll() is None, log_text
            assert time.monotonic() < deadline, log_text
            time.sleep(_LOOK_S)

    def kill(self) -> None:
        """As a power cut would, all of its processes at once."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._tell_guard("")

    def database(self, *, template: str | None = None) -> str:
        """The URL of a new database."""
        self._databases += 1
        name = f"test{self._databases}"
        self.sql(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://{USER}@/{name}?host={self._folder}"

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """What psql says to it, unaligned."""
        done = self._call("psql", "-h", str(self._folder), "-U", USER, "-d", database, "-AtqX", "-c", statement)
        assert done.returncode == 0, done.stderr
        return str(done.stdout, "utf-8")

    def _tell_guard(self, pid: str) -> None:
        assert self._guard is not None
        assert self._guard.stdin is not None
        self._guard.stdin.write(f"{pid}\n".encode())

    def _as(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        return ["setpriv", f"--reuid={_UNPRIVILEGED}", "--regid=nogroup", "--clear-groups"]

    def _run(self, program: str, *arguments: str) -> None:
        done = self._call(program, *arguments)
        assert done.returncode == 0, done.stderr.decode(errors="replace")

    def _call(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[Any]":
        command = [*self._as(), str(self._programs / program), *arguments]
        return subprocess.run(command, capture_output=True, check=False, cwd=self._folder, timeout=_PATIENCE_S)
