"""Several real gateways over one store, each a process with addresses and logs of its own, and one booking site.

`with Fleet(folder, store=url, gateways=3) as fleet:` starts the booking site and so many gateways; `start`, `stop`,
`kill` and `add` are for the test. Whatever ends the test ends all of them.
"""

import json
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from gateway import keys
from gateway.tests.redis.process import HOST, reserve_port
from gateway.tests.redis.watcher import watch
from gateway.tests.stand import DidNotHappen, Program, _toml, fetch

ROOM: Final[Mapping[str, Any]] = {
    "name": "vaccine",
    "paths": ["/"],
    "total_active_users": 300,
    "new_users_per_minute": 1_500,
    "claim_window_s": 120,
    "session_length_s": 900,
    "idle_limit_s": 300,
}
# From "not ready" to the last new visitor: longer than the load tester, as a balancer, takes to look.
DRAIN_DELAY_S: Final = 1.0
DRAIN_S: Final = 10
LEAVES_WITHIN_S: Final = DRAIN_DELAY_S + DRAIN_S + 10
READY: Final = "gateway: ready"


class Member:
    """One gateway of the fleet, started or not."""

    def __init__(self, fleet: "Fleet", index: int) -> None:
        self.name = f"gateway-{index}"
        self._fleet = fleet
        self._program = Program(self.name, fleet.folder)
        self._holders: list[socket.socket] = []
        self.address, self.operators = self._take_address(), self._take_address()
        self.audit_log = fleet.folder / f"{self.name}.audit.log"
        self.runs = False

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def operator_url(self) -> str:
        return f"http://{self.operators}"

    def start(self) -> None:
        """Start it, and wait until it serves."""
        config = self._fleet.folder / f"{self.name}.toml"
        config.write_text(self._fleet.settings_of(self), encoding="utf-8")
        self._program.start(["gateway", "gateway", "--config", str(config)], READY)
        self.runs = True

    def stop(self) -> float:
        """SIGTERM, as an upgrade would, and wait until it is gone; how long that took. It must go by itself, with 0."""
        begun = time.monotonic()
        self.runs = False
        process = self._program._process
        assert process is not None, f"{self.name} was not started"
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(LEAVES_WITHIN_S)
        if process.returncode != 0:
            raise DidNotHappen(f"{self.name} did not leave by itself: {process.returncode}\n{self.output()}")
        return time.monotonic() - begun

    def kill(self) -> None:
        """kill -9 of the supervisor and its workers, all in one go."""
        self.runs = False
        self._program.kill()

    def end(self) -> None:
        self.runs = False
        self._program.stop()
        for holder in self._holders:
            holder.close()

    def room(self) -> dict[str, Any]:
        """As its operator API shows it."""
        return self.operate("GET")

    def operate(self, method: str, patch: Mapping[str, Any] | None = None, *, of: str = "") -> dict[str, Any]:
        """Ask its operator API about the room. of: more of the path."""
        headers = {"Authorization": f"Bearer {self._fleet.token}", "Content-Type": "application/json"}
        body = None if patch is None else json.dumps(patch).encode()
        path = f"/api/rooms/{self._fleet.room['name']}{of}"
        status, _, content = fetch(self.operator_url, method, path, body=body, headers=headers)
        if status not in {200, 201}:
            raise DidNotHappen(f"{self.name} answered {status}: {content.decode(errors='replace')}")
        told: dict[str, Any] = json.loads(content)
        return told

    def output(self) -> str:
        return self._program.output()

    def _take_address(self) -> str:
        port, holder = reserve_port()
        self._holders.append(holder)
        return f"{HOST}:{port}"


def _at_once(act: Callable[[Member], None], members: Sequence[Member]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(act, members))


class Fleet:
    """room: over the usual settings. gateway: of every gateway's `[gateway]`."""

    def __init__(
        self,
        folder: Path,
        *,
        store: str,
        gateways: int = 3,
        room: Mapping[str, Any] | None = None,
        gateway: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.room = {**ROOM, **(room or {})}
        self.backend_url = ""
        self.backend_log = self.folder / "requests.log"
        self._store = store
        self._gateway = dict(gateway or {})
        self._first = gateways
        self._booking = Program("booking", self.folder)
        self.members: list[Member] = []

    def __enter__(self) -> Self:
        watch(self.folder)
        try:
            keys.create(self.folder / "keys.json")
            self._start_booking()
            self.members = [Member(self, index) for index in range(self._first)]
            _at_once(Member.start, self.members)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _at_once(Member.end, self.members)
        self._booking.stop()

    @property
    def token(self) -> str:
        return (self.folder / "operator.token").read_text().strip()

    def reserve(self) -> Member:
        """One more gateway, with its addresses, that is not started yet."""
        self.members.append(Member(self, len(self.members)))
        return self.members[-1]

    def anyone(self) -> Member:
        return next(member for member in self.members if member.runs)

    def logs(self) -> str:
        return "\n".join([*(member.output() for member in self.members), self._booking.output()])

    def settings_of(self, member: Member) -> str:
        gateway = {
            "listen": member.address,
            "operator_listen": member.operators,
            "store": self._store,
            "keys_file": str(self.folder / "keys.json"),
            "operator_token_file": str(self.folder / "operator.token"),
            "operator_tokens_file": str(self.folder / "operators.json"),
            "audit_log": str(member.audit_log),
            "history_file": f"{member.audit_log}.history.db",
            "drain_delay_s": DRAIN_DELAY_S,
            "drain_s": DRAIN_S,
            **self._gateway,
        }
        upstream = {"servers": [self.backend_url], "max_requests_per_network": 512}
        return f"[gateway]\n{_toml(gateway)}\n[upstream]\n{_toml(upstream)}\n[[room]]\n{_toml(self.room)}"

    def _start_booking(self) -> None:
        booking = {
            "listen": f"{HOST}:0",
            "database": f"sqlite+aiosqlite:///{self.folder}/booking.db",
            "backend_keys": str(self.folder / keys.BACKEND_FILE),
            "secret_file": str(self.folder / "booking.secret"),
            "request_log": str(self.backend_log),
            "slot_capacity": 1_000,
        }
        config = self.folder / "booking.toml"
        config.write_text(f"[booking]\n{_toml(booking)}", encoding="utf-8")
        found = self._booking.start(["booking", "run", "--config", str(config)], r"booking: (http://[\d.]+:\d+)")
        self.backend_url = found[1]
