"""The gateway, as an operator starts it, and its visitors, who get in line and inside as visitors do."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar

from loadtest.bench import wrk
from loadtest.bench.ground import Ground
from loadtest.bench.program import PATIENCE_S, Failed, Program, unused
from loadtest.bench.wire import PAGE, SCRIPT, Address, Connection, Reply, ask, request
from shared.wire import GATE_HEADER, OWN_PATH, PASS_COOKIE, TICKET_COOKIE, TICKET_HEADER

ROOM: Final = "bench"
STATUS: Final = f"{OWN_PATH}{ROOM}/status"
BOARD: Final = f"{OWN_PATH}{ROOM}/board"
SQLITE: Final = "sqlite:///sunbeon.db"
_TICKET: Final = f"{TICKET_COOKIE}_{ROOM}="
_PASS: Final = f"{PASS_COOKIE}_{ROOM}="
ROOT: Final = Path(__file__).parents[2]
_OK: Final = 200
_DAY_S: Final = 86_400
# Of a crowd, what is asked for in one go (before knocks lapse), on how many connections, for how long at most, and how
# many more than wanted.
_AT_ONCE: Final = 20_000
_FEW: Final = 8
_CROWD_S: Final = 100
_SLIP: Final = 200

# What differs from the defaults, for one machine that plays thousands of clients: told in docs/benchmarks.md.
GATEWAY: Final[Mapping[str, Any]] = {
    "max_connections_per_network": 0,
    "direct_entries_per_network_per_minute": 0,
    "keepalive_timeout_s": 3600.0,
    "log_level": "warning",
}
UPSTREAM: Final[Mapping[str, Any]] = {"max_requests_per_network": 512}
# Nobody's turn comes or goes while it is measured.
LONG: Final[Mapping[str, Any]] = {"session_length_s": _DAY_S, "idle_limit_s": _DAY_S, "new_users_per_minute": 600_000}
OPEN: Final[Mapping[str, Any]] = {**LONG, "total_active_users": 1_000_000}
FULL: Final[Mapping[str, Any]] = {**LONG, "total_active_users": 1}


T = TypeVar("T")


class Gateway:
    """A gateway with one room. `program` is what is measured."""

    def __init__(
        self,
        ground: Ground,
        behind: Address,
        *,
        name: str = "Sunbeon",
        room: Mapping[str, Any] = OPEN,
        workers: int = 1,
        store: str = SQLITE,
        on: frozenset[int] | None = None,
    ) -> None:
        """store: as in the settings; a relative path is in a folder of this gateway's own."""
        self._ground = ground
        self.folder = ground.subfolder(name)
        self.address, operators = unused(), unused()
        self.config = self.folder / "sunbeon.toml"
        settings = {
            "gateway": {
                "listen": _spelled(self.address),
                "operator_listen": _spelled(operators),
                "workers": workers,
                "store": store,
                "keys_file": "keys.json",
                "operator_token_file": "operator.token",
                "operator_tokens_file": "operators.json",
                "audit_log": "audit.log",
                "history_file": "history.db",
                **GATEWAY,
            },
            "upstream": {"servers": [f"http://{_spelled(behind)}"], **UPSTREAM},
        }
        self.config.write_text(_toml(settings, {"name": ROOM, "paths": ["/"], **room}), encoding="utf-8")
        self._command("keys", "create", "--file", "keys.json")
        command = [sys.executable, "-m", "gateway", "gateway", "--config", str(self.config)]
        on = ground.cores.server if on is None else on
        environ = {"PYTHONPATH": str(ROOT)}
        self.program = ground.start(
            Program(name, command, folder=self.folder, address=self.address, on=on, environ=environ)
        )
        self._ready()

    def board(self) -> dict[str, Any]:
        """What the room tells everybody. Raises `Failed`."""
        reply = ask(self.address, request("GET", BOARD, SCRIPT))
        if reply.status != _OK:
            raise Failed(f"the board says {reply.status}\n{self.program.output()}")
        found: dict[str, Any] = json.loads(reply.body)
        return found

    def passes(self, people: int) -> list[tuple[str, ...]]:
        """The cookies of so many who asked for a page and got it. Raises `Failed` if somebody did not."""

        def enter(connection: Connection) -> tuple[str, ...]:
            reply = connection.ask(request("GET", "/", PAGE))
            cookies = reply.cookies()
            if reply.header(GATE_HEADER.lower()) is not None or not any(each.startswith(_PASS) for each in cookies):
                raise Failed(f"a visitor was not let in: {reply.status} {reply.headers}")
            return cookies

        return self._each(people, enter)

    def serve(self, requests: Sequence[bytes]) -> None:
        """Each once. Raises `Failed` if one is not answered as a backend's page is."""
        rest = iter(requests)

        def ask_next(connection: Connection) -> None:
            reply = connection.ask(next(rest))
            if reply.status != HTTPStatus.OK or reply.header(GATE_HEADER.lower()) is not None:
                raise Failed(f"not the backend's page: {reply.status} {reply.headers}")

        self._each(len(requests), ask_next)

    def tickets(self, people: int) -> list[str]:
        """The cookies of so many who have a number each. Raises `Failed` if somebody has none."""

        def line_up(connection: Connection) -> str:
            knock = _ticket_of(connection.ask(request("GET", "/", PAGE)))
            told = connection.ask(request("GET", STATUS, SCRIPT, [knock]))
            if json.loads(told.body)["number"] is None:
                raise Failed(f"a visitor got no number: {told.body!r}")
            return _ticket_of(told)

        return self._each(people, line_up)

    def knocks(self, people: int) -> list[str]:
        """The cookies of so many newcomers who were told to wait. They lapse after two minutes. Raises `Failed`."""
        found: dict[str, None] = {}
        deadline = time.monotonic() + _CROWD_S
        while len(found) < people:
            if time.monotonic() > deadline:
                raise Failed(f"of {people} newcomers only {len(found)} got a knock within {_CROWD_S} s")
            # While it cannot keep up, a gateway tells some of them to come back.
            found |= dict.fromkeys(self._crowd([request("GET", "/", PAGE)] * (people - len(found) + _SLIP)))
        return list(found)[:people]

    def crowd(self, people: int) -> list[str]:
        """As `tickets`, for thousands: asked for by the generator. Raises `Failed`."""
        found: dict[str, None] = {}
        while len(found) < people:
            polls = [poll(knock) for knock in self.knocks(min(people - len(found) + _SLIP, _AT_ONCE))]
            got = self._crowd(polls)
            if not got:
                raise Failed(f"of {len(polls)} knocks none got a number")
            found |= dict.fromkeys(got)
        return list(found)[:people]

    def enter(self, people: int) -> int:
        """So many newcomers ask for a page; how many of them were let in."""
        load = wrk.Load(wrk.prepare(self.folder / "crowd", [request("GET", "/", PAGE)] * people), _FEW, once=True)
        told = wrk.run(self.address, load, seconds=_CROWD_S, on=self._ground.cores.generator)
        return told.requests - told.errors

    def _crowd(self, requests: list[bytes]) -> list[str]:
        """Send each once; the tickets that answers set, less a few: wrk leaves out the first and some at the end."""
        kept = self.folder / "crowd.kept"
        load = wrk.Load(wrk.prepare(self.folder / "crowd", requests), _FEW, once=True, keep=kept)
        wrk.run(self.address, load, seconds=_CROWD_S, on=self._ground.cores.generator)
        lines = kept.read_text(encoding="latin-1").splitlines()
        return [line.partition(";")[0] for line in lines if line.startswith(_TICKET)]

    def lengthen(self, people: int) -> None:
        """So many more wait, who came by another way than HTTP: that would take hours."""
        self._command_of("gateway.tests.capacity.lengthen", "--config", str(self.config), "--people", str(people))
        self.await_waiting(people)

    def await_waiting(self, people: int) -> None:
        """Until the board says that so many wait: it is of a moment ago. Raises `Failed`."""
        deadline = time.monotonic() + PATIENCE_S
        while (waiting := self.board()["waiting"]) < people:
            if time.monotonic() > deadline:
                raise Failed(f"{waiting} wait, not {people}")
            time.sleep(0.1)

    def _each(self, people: int, do: Callable[[Connection], T]) -> list[T]:
        connection = Connection(self.address)
        try:
            return [do(connection) for _ in range(people)]
        except OSError as error:
            raise Failed(f"{error}\n{self.program.output()}") from None
        finally:
            connection.close()

    def _ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.program.check()
            with suppress(OSError, Failed):
                self.board()
                return
            time.sleep(0.01)
        raise Failed(f"the gateway is not ready after {PATIENCE_S:g} s\n{self.program.output()}")

    def _command(self, *words: str) -> None:
        self._command_of("gateway", *words)

    def _command_of(self, module: str, *words: str) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", module, *words]
        done = subprocess.run(  # noqa: S603 - our own
            command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed(f"{' '.join(words)}: {done.stderr}")


def poll(ticket: str) -> bytes:
    """A request of the waiting page's script, which sends its own copy of the ticket beside the cookie."""
    return request("GET", STATUS, {**SCRIPT, TICKET_HEADER: ticket.partition("=")[2]}, [ticket])


def _ticket_of(reply: Reply) -> str:
    ticket = next((each for each in reply.cookies() if each.startswith(_TICKET)), None)
    if reply.status != _OK or ticket is None:
        raise Failed(f"no ticket in an answer: {reply.status} {reply.headers}")
    return ticket


def _spelled(address: Address) -> str:
    return f"{address[0]}:{address[1]}"


def _toml(sections: Mapping[str, Mapping[str, Any]], room: Mapping[str, Any]) -> str:
    """Strings, numbers and lists of strings are in TOML as in JSON."""
    text = ""
    for name, values in (*((f"[{name}]", values) for name, values in sections.items()), ("[[room]]", room)):
        text += f"{name}\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()) + "\n"
    return text
