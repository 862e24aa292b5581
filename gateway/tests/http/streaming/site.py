"""A gateway as a real process between clients and a backend that live in this one, and what its worker costs."""

import asyncio
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from gateway import keys
from gateway.tests.http.streaming.flow import Cut, Flow, Head
from gateway.tests.stand import Stand

# Far more than anything takes: a machine under load must not fail a test.
PATIENCE_S: Final = 30.0
LOOK_S: Final = 0.01
_ESTABLISHED: Final = "01"
_KIB: Final = 1024

T = TypeVar("T")


class Figure(NamedTuple):
    """Something measured, and whether it keeps its bound."""

    what: str
    value: str
    bound: str
    kept: bool


def at_most(what: str, value: float, bound: float, unit: str) -> Figure:
    return Figure(what, f"{value:,.2f} {unit}", f"<= {bound:.4g} {unit}", value <= bound)


def exactly(what: str, value: object, expected: object) -> Figure:
    return Figure(what, str(value), f"= {expected}", value == expected)


def told(what: str, value: str) -> Figure:
    """A figure without a bound."""
    return Figure(what, value, "", kept=True)


async def until(look: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
    """Look until what is seen counts as true."""
    deadline = time.monotonic() + patience_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"did not happen: {what}"
        await asyncio.sleep(LOOK_S)
    return seen


def raise_file_limit() -> int:
    """As many open files as we may have; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@dataclass(slots=True)
class Exchange:
    """A request at the backend. whole: whether it came, or its answer went, to its end; None: not said.

    held_back_s: of an answer, how long sending it has waited for the gateway to take something.
    """

    head: Head
    flow: Flow
    whole: bool | None = None
    held_back_s: float = 0.0

    @property
    def path(self) -> str:
        return self.head.start.split(" ")[1]


Handler = Callable[[Exchange], Awaitable[None]]


@dataclass(slots=True)
class Backend:
    """Answers by the first segment of the path."""

    routes: Mapping[str, Handler]
    port: int = 0
    exchanges: dict[str, Exchange] = field(default_factory=dict)
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def exchange(self, path: str) -> Exchange:
        """The request for this path, once it has come."""
        return await until(lambda: self.exchanges.get(path), f"{path} reaches the backend")

    async def serve(self, flow: Flow) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)
        with suppress(Cut):
            while True:
                exchange = Exchange(await flow.head(), flow)
                self.exchanges[exchange.path] = exchange
                await self.routes[exchange.path.split("/")[1]](exchange)
        flow.close()


@asynccontextmanager
async def listening(routes: Mapping[str, Handler]) -> AsyncIterator[Backend]:
    """A backend, until the context ends; with it ends every connection made, the clients' too."""
    backend = Backend(routes)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Flow.accepting(backend.serve), "127.0.0.1", 0, backlog=4096)
    backend.port = server.sockets[0].getsockname()[1]
    try:
        yield backend
    finally:
        server.close()
        while Flow.made:
            Flow.made.pop().reset()
        await until(lambda: not backend.serving, "the backend is done")


class Gate(Stand):
    """The gateway alone; behind it, the backend at this port. Everything is in one room."""

    def __init__(self, folder: Path, backend_port: int, **more: Any) -> None:
        self.backend_port = backend_port
        sections: dict[str, dict[str, Any]] = {
            "room": {"state": "passthrough"},
            "gateway": {"max_body_bytes": 2**31, "max_connections_per_network": 0},
            "upstream": {
                "servers": [f"http://127.0.0.1:{backend_port}"],
                "max_connections": 4096,
                "max_requests_per_network": 4096,
            },
        }
        for name, values in sections.items():
            more[name] = {**values, **more.get(name, {})}
        super().__init__(folder, **more)

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "keys.json").exists():
            keys.create(self.folder / "keys.json")
        self.start_gateway()

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def memory(self) -> "Memory":
        return Memory(self.worker_pids()[0])

    def connections(self) -> int:
        """To the backend, open from the gateway's side."""
        remote = _address(self.backend_port)
        return sum(fields[2] == remote and fields[3] == _ESTABLISHED for fields in _sockets())

    def unsent(self, client_port: int) -> int:
        """What the kernel holds for this client, in bytes."""
        ends = [_address(self.port), _address(client_port)]
        return next(int(fields[4].partition(":")[0], 16) for fields in _sockets() if fields[1:3] == ends)

    def terminate(self) -> None:
        os.kill(self.gateway_pid, signal.SIGTERM)

    async def exit_code(self) -> int:
        """Of the supervisor, once it has ended."""
        process = self._gateway._process
        assert process is not None
        return await asyncio.to_thread(process.wait, PATIENCE_S)


def _sockets() -> Iterator[list[str]]:
    """The kernel's: number, local and remote address, state, bytes in its queues, and more."""
    return (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])


def _address(port: int) -> str:
    return f"0100007F:{port:04X}"


@asynccontextmanager
async def site(folder: Path, routes: Mapping[str, Handler], **settings: Any) -> AsyncIterator[tuple[Gate, Backend]]:
    """Backend and gateway, until the context ends. settings: as `Stand` takes them."""
    async with listening(routes) as backend:
        gate = Gate(folder, backend.port, **settings)
        try:
            await asyncio.to_thread(gate.start)
            yield gate, backend
        finally:
            await asyncio.to_thread(gate.stop)


class Memory:
    """Resident memory of one process, in MiB. base: at the last `mark`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.base = 0.0
        self.mark()

    def mark(self) -> None:
        """Measure from here: the kernel forgets the peak there was."""
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")
        self.base = self.resident()

    def resident(self) -> float:
        return self._read("VmRSS")

    def growth(self) -> float:
        """How much more was resident since `mark`, at its peak. Seen by the kernel, not by looking now and then."""
        return self._read("VmHWM") - self.base

    def _read(self, name: str) -> float:
        for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / _KIB
        raise AssertionError(f"no {name}")
