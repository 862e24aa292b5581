"""Two real gateways on one store, their backend, and a crowd."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway import keys
from gateway.edge.tests.backend import Backend, Recorded, answer, running
from gateway.tests.outage.people import People
from gateway.tests.stand import Program, fetch
from shared.passes import PassClaims, read_keys, verify
from shared.wire import PASS_HEADER

CONFIG: Final = """
[gateway]
listen = "127.0.0.1:0"
operator_listen = "127.0.0.1:0"
store = {store}
keys_file = "{folder}/keys.json"
operator_token_file = "{folder}/operator.token"
audit_log = "{folder}/{name}.audit.log"
history_file = "{folder}/{name}.history.db"
drain_s = 0

[upstream]
servers = ["{backend}"]
max_requests_per_network = 512

[[room]]
name = "vaccine"
{room}
"""
READY: Final = r"visitors +http://[\d.]+:(\d+)/.*operators +(http://[\d.]+:\d+)/.*gateway: ready"

# Ten people a second. Everything in the room runs out sooner than a store may be away.
OUTFLOW_PER_MINUTE: Final = 600
ROOM: Final = {
    "total_active_users": 150,
    "new_users_per_minute": OUTFLOW_PER_MINUTE,
    "claim_window_s": 10,
    "session_length_s": 600,
    "idle_limit_s": 6,
}
# They join faster than they are let in.
FIRST_PEOPLE: Final = 150
PEOPLE_PER_S: Final = 11.0


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A request as the backend got it. person: by the address they ask for."""

    at_s: float
    person: str
    claims: PassClaims


class Gateway:
    """One `sunbeon gateway`."""

    def __init__(self, name: str, folder: Path, settings: str) -> None:
        self.port = 0
        self.operator_url = ""
        self._config = folder / f"{name}.toml"
        self._config.write_text(settings)
        self._program = Program(name, folder)

    def start(self) -> None:
        found: re.Match[str] = self._program.start(["gateway", "gateway", "--config", str(self._config)], READY)
        self.port, self.operator_url = int(found[1]), found[2]

    def stop(self) -> None:
        self._program.stop()

    def output(self) -> str:
        return self._program.output()

    def room(self, token: str) -> dict[str, Any]:
        """As its operators see it."""
        headers = {"Authorization": f"Bearer {token}"}
        status, _, content = fetch(self.operator_url, "GET", "/api/rooms/vaccine", headers=headers)
        assert status == 200, content
        told: dict[str, Any] = json.loads(content)
        return told


@dataclass(slots=True)
class Scene:
    """forwarded: all that the backend got, in order."""

    folder: Path
    store_url: str
    room: dict[str, Any]
    backend: Backend
    gateways: list[Gateway] = field(default_factory=list)
    forwarded: list[Forwarded] = field(default_factory=list)

    async def start_gateway(self) -> Gateway:
        """One more; several may start at once."""
        name = f"gateway{len(self.gateways)}"
        room = "".join(f"{key} = {json.dumps(value)}\n" for key, value in self.room.items())
        settings = CONFIG.format(
            store=json.dumps(self.store_url), folder=self.folder, name=name, backend=self.backend.url, room=room
        )
        gateway = Gateway(name, self.folder, settings)
        self.gateways.append(gateway)
        # The store may be reached through this very loop.
        await asyncio.to_thread(gateway.start)
        return gateway

    async def rooms(self) -> list[dict[str, Any]]:
        """The room as each gateway shows it to operators."""
        token = (self.folder / "operator.token").read_text().strip()
        return [await asyncio.to_thread(gateway.room, token) for gateway in self.gateways]

    def people(self) -> People:
        return People([gateway.port for gateway in self.gateways])

    def output(self) -> str:
        return "\n".join(gateway.output() for gateway in self.gateways)

    async def serve(self, request: Recorded, writer: asyncio.StreamWriter) -> None:
        """What the backend does: it believes nobody without a proof."""
        found = read_keys(self.folder / keys.BACKEND_FILE)
        claims = verify(request.one(PASS_HEADER), found, now_s=time.time())
        self.forwarded.append(Forwarded(time.monotonic(), request.target.strip("/"), claims))
        writer.write(answer())
        await writer.drain()


@asynccontextmanager
async def scene(folder: Path, store_url: str, *, gateways: int = 2, **room: Any) -> AsyncIterator[Scene]:
    keys.create(folder / "keys.json")
    async with running(Backend()) as backend:
        made = Scene(folder, store_url, {**ROOM, **room}, backend)
        backend.act = made.serve
        try:
            await asyncio.gather(*(made.start_gateway() for _ in range(gateways)))
            yield made
        finally:
            await asyncio.gather(*(asyncio.to_thread(gateway.stop) for gateway in made.gateways))
