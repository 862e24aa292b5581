"""The supervisor as a real process: it starts everything or says why not, and leaves nothing behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest

from gateway import keys
from gateway.settings import Settings
from gateway.supervisor import (
    CannotStart,
    Obstacle,
    Supervisor,
    Worker,
    operator_token,
    reserve,
    stop_without_supervisor,
)
from gateway.tests.stand import Program, Stand, _children, fetch, until
from shared.errors import SettingsError

CONFIG = """
[gateway]
listen = "{listen}"
operator_listen = "127.0.0.1:0"
workers = {workers}
store = "{store}"
keys_file = "{folder}/keys.json"
operator_token_file = "{folder}/operator.token"
audit_log = "{audit}"
history_file = "{audit}.history"
drain_s = 1

[upstream]
servers = ["http://127.0.0.1:9"]

[[room]]
name = "vaccine"
total_active_users = 0
"""

SETTINGS = {"upstream": {"servers": ["http://127.0.0.1:9"]}, "room": [{"name": "vaccine"}]}

READY = r"visitors +(http://[\d.]+:\d+)/.*operators +(http://[\d.]+:\d+)/.*gateway: ready"


@pytest.fixture
def config(tmp_path):
    """Writes the settings file."""
    keys.create(tmp_path / "keys.json")

    def write(
        *, listen: str = "127.0.0.1:0", workers: int = 1, audit: Path | None = None, store: str | None = None
    ) -> list[str]:
        values = {"audit": audit or tmp_path / "audit.log", "store": store or f"sqlite:///{tmp_path}/queue.db"}
        text = CONFIG.format(folder=tmp_path, listen=listen, workers=workers, **values)
        (tmp_path / "sunbeon.toml").write_text(text)
        return ["gateway", "gateway", "--config", str(tmp_path / "sunbeon.toml")]

    return write


@pytest.fixture
def program(tmp_path):
    made = Program("gateway", tmp_path)
    yield made
    made.stop()


def end_of(arguments: list[str], folder: Path) -> tuple[int, str]:
    """Run a gateway that is expected to end by itself: its code, and what it printed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SUNBEON_")}
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def refuse_password(listener: socket.socket) -> None:
    """A server that speaks the protocol of Redis and knows nobody."""
    with suppress(OSError):
        while True:
            sock, _ = listener.accept()
            with sock, suppress(OSError):
                while sock.recv(65_536):
                    sock.sendall(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return True
    return state == b"Z"


def test_a_taken_port_is_said_and_nothing_starts(config, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, printed = end_of(config(listen=address), tmp_path)
    assert code == 1
    assert f"cannot listen on {address}: Address already in use" in printed
    assert not (tmp_path / "queue.db").exists()


def test_a_port_another_gateway_shares_is_taken_too():
    with reserve("127.0.0.1:0") as first:
        first.listen()
        with pytest.raises(CannotStart, match="Address already in use"):
            reserve(f"127.0.0.1:{first.getsockname()[1]}")


@pytest.mark.parametrize("address", ["192.0.2.1:8080", "no.such.host.invalid:8080"])
def test_an_address_that_is_not_ours_is_said(address):
    with pytest.raises(CannotStart, match="cannot listen on"):
        reserve(address)


def test_a_database_that_is_none_is_said_and_left_alone(config, tmp_path):
    (tmp_path / "queue.db").write_bytes(b"this is no database" * 400)
    code, printed = end_of(config(workers=2), tmp_path)
    assert code == 1
    assert "queue.db" in printed
    assert (tmp_path / "queue.db").read_bytes() == b"this is no database" * 400


def test_a_worker_that_cannot_begin_says_why(config, tmp_path):
    code, printed = end_of(config(audit=tmp_path), tmp_path)
    assert code == 1
    assert str(tmp_path) in printed
    assert "directory" in printed


def test_a_store_that_cannot_be_reached_is_said_and_named(config, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, printed = end_of(config(store=f"redis://:s3cret@127.0.0.1:{port}/0"), tmp_path)
    assert code == 1
    (line,) = [line for line in printed.splitlines() if line.startswith("sunbeon: ")]
    assert line.startswith("sunbeon: gateway.store: ")
    assert "s3cret" not in printed


def test_a_store_that_refuses_our_password_is_a_wrong_setting_with_the_code_for_one(config, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse_password, args=(listener,), daemon=True).start()
        code, printed = end_of(config(store=f"redis://:s3cret@127.0.0.1:{listener.getsockname()[1]}/0"), tmp_path)
    assert code == 2
    (line,) = [line for line in printed.splitlines() if line.startswith("sunbeon: ")]
    assert line.startswith("sunbeon: gateway.store: ")
    assert "password" in line
    assert "s3cret" not in printed


@pytest.mark.parametrize(
    ("obstacle", "raised"),
    [
        (Obstacle("the port is taken"), CannotStart),
        (Obstacle("gateway.store: wrong password", ("gateway.store: wrong password",)), SettingsError),
    ],
)
def test_what_is_in_a_workers_way_at_the_first_start_ends_the_supervisor_with_the_reason(obstacle, raised):
    supervisor = Supervisor(Settings.model_validate(SETTINGS), "token")
    ours, theirs = Pipe()
    process: Any = None
    supervisor._workers[0] = Worker(process, ours, 0, 0, 0)
    wake, other = Pipe()
    with ours, theirs, wake, other:
        theirs.send(obstacle)
        with pytest.raises(raised, match=obstacle.why):
            supervisor._await_all_ready(wake.fileno())


def test_it_serves_until_told_to_stop_and_then_leaves_nothing(config, program):
    found = program.start(config(workers=2), READY)
    pid = program.pid
    workers = _children(pid)
    assert len(workers) == 2
    assert fetch(found[1], "GET", "/_sunbeon/vaccine/board")[0] == 200
    assert fetch(found[2], "GET", "/healthz")[0] == 200
    assert fetch(found[2], "GET", "/api/rooms")[0] == 401
    process = program._process
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert all(gone(worker) for worker in workers)


def test_a_supervisor_that_is_killed_takes_its_workers_along(config, program):
    program.start(config(workers=2), READY)
    workers = _children(program.pid)
    assert len(workers) == 2
    os.kill(program.pid, signal.SIGKILL)
    until(lambda: all(gone(worker) for worker in workers), "the workers end with their supervisor", patience_s=10)


async def test_a_worker_hears_once_that_its_supervisor_is_gone_and_does_not_spin_while_it_drains():
    class Counted(asyncio.Event):
        heard = 0

        def set(self) -> None:
            self.heard += 1
            super().set()

    stop = Counted()
    supervisors, workers = Pipe()
    with workers:
        stop_without_supervisor(workers, stop)
        await asyncio.sleep(0.01)
        assert stop.heard == 0
        supervisors.close()
        await asyncio.wait_for(stop.wait(), 5)
        for _ in range(20):
            await asyncio.sleep(0)
        assert stop.heard == 1


def test_a_worker_that_dies_is_replaced(config, program):
    found = program.start(config(), READY)
    (first,) = _children(program.pid)
    os.kill(first, signal.SIGKILL)

    def another() -> bool:
        living = _children(program.pid)
        return bool(living) and first not in living

    until(another, "another worker is there")

    def serves() -> bool:
        try:
            return fetch(found[1], "GET", "/_sunbeon/vaccine/board")[0] == 200
        except OSError:
            return False

    until(serves, "it serves")


# The operators' token


def test_a_token_is_made_for_its_owner_alone_and_stays(tmp_path):
    path = tmp_path / "sub" / "operator.token"
    token = operator_token(path, {})
    assert len(token) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert operator_token(path, {}) == token


def test_gateways_that_start_at_once_have_one_token(tmp_path, monkeypatch):
    path = tmp_path / "operator.token"
    others: list[Future[str]] = []

    def make(size):
        # By now the file is there, and empty.
        others.append(pool.submit(operator_token, path, {}))
        wait(others, timeout=0.2)
        return "made" * size

    monkeypatch.setattr("gateway.supervisor.secrets.token_urlsafe", make)
    with ThreadPoolExecutor() as pool:
        token = operator_token(path, {})
        assert others[0].result() == token


def test_a_token_from_the_environment_wins_and_makes_no_file(tmp_path):
    assert operator_token(tmp_path / "operator.token", {"SUNBEON_OPERATOR_TOKEN": " given "}) == "given"
    assert list(tmp_path.iterdir()) == []


def test_an_empty_token_file_opens_nothing(tmp_path):
    path = tmp_path / "operator.token"
    path.write_text("\n")
    path.chmod(0o600)
    with pytest.raises(CannotStart, match="is empty"):
        operator_token(path, {})


def test_a_token_file_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "operator.token"
    path.write_text("secret\n")
    path.chmod(0o640)
    with pytest.raises(CannotStart, match="others may read it"):
        operator_token(path, {})


def test_an_empty_token_in_the_environment_is_none(tmp_path):
    assert len(operator_token(tmp_path / "operator.token", {"SUNBEON_OPERATOR_TOKEN": " "})) >= 32


def test_a_worker_that_hangs_is_replaced(tmp_path, monkeypatch):
    """Stopped by a signal, it keeps its listening socket and its share of the visitors: worse than dead."""
    with Stand(tmp_path, workers=2) as stand:
        victim = stand.worker_pids()[0]
        os.kill(victim, signal.SIGSTOP)
        try:
            until(lambda: victim not in stand.worker_pids(), "the hung worker is gone", patience_s=60)
        finally:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGCONT)
        until(lambda: len(stand.worker_pids()) == 2, "another one runs")
