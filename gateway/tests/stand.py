"""The whole system for a test: gateway and booking site as real processes, in a folder and on ports of their own.

`with Stand(folder) as stand:` starts both and waits until they serve; leaving it stops both and nothing else. Where
somebody got to is never asked of a browser: `requests()` is the backend's own log, `admissions()` the gateway's.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from gateway import keys
from shared.tests.personal import traces_in_files
from shared.wire import GATE_HEADER, OWN_PATH

# Far more than anything takes: a machine under load must not fail a test.
PATIENCE_S: Final = 30.0
LOOK_S: Final = 0.02
LOG_TAIL: Final = 6_000

ROOM: Final[Mapping[str, Any]] = {
    "name": "vaccine",
    "title": {"ko": "예방접종 사전예약", "en": "Vaccination booking"},
    "paths": ["/"],
    "total_active_users": 1,
    "new_users_per_minute": 600,
    "claim_window_s": 60,
    "session_length_s": 600,
    "idle_limit_s": 300,
}

T = TypeVar("T")


class DidNotHappen(AssertionError):
    """Something a test waits for did not come in time, or a program ended instead."""


def until(look: Callable[[], T | None], what: str, *, patience_s: float = PATIENCE_S) -> T:
    """Look until what is seen counts as true, and return it. Raises `DidNotHappen`."""
    deadline = time.monotonic() + patience_s
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise DidNotHappen(f"not within {patience_s:g} s: {what}")
        time.sleep(LOOK_S)
    return seen


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the backend logged it. pass_id, how, number, place: as its pass says, None without one."""

    method: str
    path: str
    verdict: str
    pass_id: str | None
    how: str | None
    number: int | None
    place: int | None
    status: int


@dataclass(frozen=True, slots=True)
class Admission:
    """An admission as the gateway's audit log has it."""

    pass_id: str
    how: str
    number: int
    place: int


def without_turn(seen: Iterable[Seen], admissions: Iterable[Admission]) -> list[Seen]:
    """The requests that passed the backend's gate by no admission of the gateway's. Must be empty, always."""
    known = {(each.pass_id, each.how, each.number, each.place) for each in admissions}
    return [
        each for each in seen if each.verdict == "ok" and (each.pass_id, each.how, each.number, each.place) not in known
    ]


@dataclass(frozen=True, slots=True)
class Answer:
    """gate: the word of the gate if the answer is its own; None if it came from the backend."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    gate: str | None

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Visitor:
    """A visitor without a browser, who keeps cookies."""

    url: str
    room: str = "vaccine"
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = dict(headers or {})
        if self.cookies:
            sent.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        status, got, content = fetch(self.url, method, path, body=body, headers=sent)
        for name, value in got:
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                kept = rest.partition(";")[0]
                if kept:
                    self.cookies[key] = kept
                else:
                    self.cookies.pop(key, None)
        by_name = dict(got)
        return Answer(status, by_name, content, by_name.get(GATE_HEADER))

    def status(self) -> dict[str, Any]:
        """Where the gate says this visitor stands; brings a knock back for a number, claims a called place.

        Who asked too often meanwhile asks again when told to.
        """
        while (answer := self.ask("GET", f"{OWN_PATH}{self.room}/status")).status == HTTPStatus.TOO_MANY_REQUESTS:
            time.sleep(int(answer.headers["Retry-After"]))
        told: dict[str, Any] = answer.json()
        return told

    def join(self) -> int | None:
        """Ask for the site. The number in line; None if this went straight in."""
        if self.ask("GET", "/").gate is None:
            return None
        number: int = self.status()["number"]
        return number

    def enter(self, path: str = "/") -> None:
        """Ask for a page until it comes from the backend; for somebody who is next."""

        def is_inside() -> bool:
            # A newcomer's knock is brought back by asking for the status.
            return self.ask("GET", path).gate is None or bool(self.status() and self.ask("GET", path).gate is None)

        until(is_inside, "the visitor gets in")

    def leave(self) -> None:
        """Give up the place, or the pass."""
        answer = self.ask("POST", f"{OWN_PATH}{self.room}/leave")
        assert answer.status == 200, answer


def fetch(
    url: str, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, list[tuple[str, str]], bytes]:
    """One request on a connection of its own: status, headers, body."""
    connection = HTTPConnection(_netloc(url), timeout=PATIENCE_S)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    finally:
        connection.close()


def send_raw(url: str, request: bytes, *, patience_s: float = 5.0) -> bytes:
    """Send bytes that no HTTP client would send; everything that comes back until the other side closes."""
    host, port = _netloc(url).split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=patience_s) as sock:
        sock.sendall(request)
        with suppress(OSError):  # reset, or silence
            while chunk := sock.recv(65_536):
                received += chunk
    return received


class Program:
    """A child process in a session of its own, with its output in a file."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder
        self._output = folder / f"{name}.out"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self._name} was not started"
        return self._process.pid

    def start(self, arguments: list[str], ready: str) -> re.Match[str]:
        """Start it and wait for the line it prints when it serves. Raises `DidNotHappen` if it ends instead."""
        begun = self._output.stat().st_size if self._output.exists() else 0
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SUNBEON_")}
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=self._folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = self._process

        def look() -> re.Match[str] | None:
            if process.poll() is not None:
                raise DidNotHappen(f"{self._name} ended with code {process.returncode}:\n{self.output()}")
            text = self._output.read_bytes()[begun:].decode(errors="replace")
            return re.search(ready, text, re.DOTALL)

        try:
            return until(look, f"{self._name} serves")
        except DidNotHappen as error:
            raise DidNotHappen(f"{error}\n{self.output()}") from None

    def output(self) -> str:
        text = self._output.read_text(errors="replace") if self._output.exists() else ""
        return f"--- {self._name}\n{text[-LOG_TAIL:]}"

    def stop(self) -> None:
        """Ask it to end; end it, and whatever it left in its session, if it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE_S)
        for pid in _session(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def kill(self) -> None:
        """As by the power switch: kill -9 of the program and its children, all in one go."""
        process, self._process = self._process, None
        assert process is not None, f"{self._name} was not started"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        until(lambda: not _session(process.pid), f"{self._name} is gone")


class Stand:
    """One gateway with its booking site. Each mapping is put over the section's settings."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 1,
        room: Mapping[str, Any] | None = None,
        gateway: Mapping[str, Any] | None = None,
        upstream: Mapping[str, Any] | None = None,
        booking: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.room_settings = {**ROOM, **(room or {})}
        self.config = self.folder / "sunbeon.toml"
        self.database = self.folder / "sunbeon.db"
        self.url = self.operator_url = self.backend_url = ""
        self._request_log = self.folder / "requests.log"
        self._audit_log = self.folder / "audit.log"
        self._gateway = Program("gateway", self.folder)
        self._booking = Program("booking", self.folder)
        self._sections: dict[str, dict[str, Any]] = {
            "gateway": {
                "listen": "127.0.0.1:0",
                "operator_listen": "127.0.0.1:0",
                "workers": workers,
                "store": f"sqlite:///{self.database}",
                "keys_file": str(self.folder / "keys.json"),
                "operator_token_file": str(self.folder / "operator.token"),
                "operator_tokens_file": str(self.folder / "operators.json"),
                "audit_log": str(self._audit_log),
                "history_file": str(self.folder / "history.db"),
                "drain_s": 1,
                **(gateway or {}),
            },
            # Not known before the booking site has its port.
            "upstream": {"servers": ["http://127.0.0.1:9"], "max_requests_per_network": 512, **(upstream or {})},
            "booking": {
                "listen": "127.0.0.1:0",
                "database": f"sqlite+aiosqlite:///{self.folder}/booking.db",
                "backend_keys": str(self.folder / keys.BACKEND_FILE),
                "secret_file": str(self.folder / "booking.secret"),
                "request_log": str(self._request_log),
                **(booking or {}),
            },
        }

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.stop()
        # Whatever a test does: what the programs wrote about it names nobody.
        told = traces_in_files(self.folder, "*.log", "*.out")
        if error is None and told:
            raise AssertionError(f"people's data in logs: {told}")

    @property
    def name(self) -> str:
        return str(self.room_settings["name"])

    @property
    def token(self) -> str:
        return (self.folder / "operator.token").read_text().strip()

    @property
    def gateway_pid(self) -> int:
        """The supervisor's."""
        return self._gateway.pid

    def worker_pids(self) -> list[int]:
        return _children(self._gateway.pid)

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "keys.json").exists():
            keys.create(self.folder / "keys.json")
        self.start_booking()
        self.start_gateway()

    def start_booking(self) -> None:
        """Start it, or start it again on the port it had."""
        self._write_config()
        arguments = ["booking", "run", "--config", str(self.config)]
        found = self._booking.start(arguments, r"booking: (http://([\d.]+:\d+))")
        self.backend_url = found[1]
        self._sections["booking"]["listen"] = found[2]
        self._sections["upstream"]["servers"] = [self.backend_url]

    def start_gateway(self) -> None:
        """Start it, or start it again on the ports it had, and wait until it is ready."""
        self._write_config()
        arguments = ["gateway", "gateway", "--config", str(self.config)]
        found = self._gateway.start(
            arguments, r"visitors +(https?://([\d.]+:\d+))/.*operators +(http://([\d.]+:\d+))/.*gateway: ready"
        )
        self.url, self.operator_url = found[1], found[3]
        self._sections["gateway"].update(listen=found[2], operator_listen=found[4])
        until(self.is_ready, "the gateway is ready")

    def is_ready(self) -> bool:
        try:
            return all(fetch(self.operator_url, "GET", path)[0] == 200 for path in ("/healthz", "/readyz"))
        except OSError:
            return False

    def kill_gateway(self) -> None:
        """kill -9 of the supervisor and every worker at once."""
        self._gateway.kill()

    def stop(self) -> None:
        self._gateway.stop()
        self._booking.stop()

    def logs(self) -> str:
        return f"{self._gateway.output()}\n{self._booking.output()}"

    def visitor(self) -> Visitor:
        return Visitor(self.url, self.name)

    def room(self) -> dict[str, Any]:
        """The room as the operator API shows it; a moment old."""
        return self._operate("GET")

    def patch(self, **settings: Any) -> dict[str, Any]:
        """Change live settings, by their names in the settings file."""
        return self._operate("PATCH", settings)

    def requests(self) -> list[Seen]:
        """The backend's own log so far."""
        return [Seen(**{name: each[name] for name in Seen.__slots__}) for each in _json_lines(self._request_log)]

    def admissions(self) -> list[Admission]:
        """What the gateway says it admitted so far. A pass that was told again has another line, and counts once."""
        lines = (each for each in _json_lines(self._audit_log) if each["event"] == "admitted")
        told = (Admission(**{name: each[name] for name in Admission.__slots__}) for each in lines)
        return list(dict.fromkeys(told))

    def _operate(self, method: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        body = None if data is None else json.dumps(data).encode()
        status, _, content = fetch(self.operator_url, method, f"/api/rooms/{self.name}", body=body, headers=headers)
        if status != 200:
            raise DidNotHappen(f"the operator API answered {status}: {content.decode(errors='replace')}")
        told: dict[str, Any] = json.loads(content)
        return told

    def _write_config(self) -> None:
        parts = [f"[{name}]\n{_toml(values)}" for name, values in self._sections.items()]
        parts.append(f"[[room]]\n{_toml(self.room_settings)}")
        self.config.write_text("\n".join(parts), encoding="utf-8")


def _toml(values: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {_toml_value(value)}\n" for name, value in values.items())


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml_value(each)}" for name, each in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml_value(each) for each in value) + "]"
    # Strings, numbers and booleans are written alike in both.
    return json.dumps(value, ensure_ascii=False)


def _json_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    # A last line without its end is still being written.
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def _netloc(url: str) -> str:
    return urlsplit(url).netloc


def _stats() -> Iterable[tuple[int, int, int, bytes]]:
    """pid, parent, session and state of every process."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                # The command is in parentheses and may hold anything: the fields begin after the last one.
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                yield int(entry.name), int(fields[1]), int(fields[3]), fields[0]


def _children(parent: int) -> list[int]:
    return sorted(pid for pid, ppid, _, state in _stats() if ppid == parent and state != b"Z")


def _session(leader: int) -> list[int]:
    """The living processes of the session that `leader` began."""
    return [pid for pid, _, session, state in _stats() if session == leader and state != b"Z"]
