"""A whole worker in this process, with time in the test's hand, and visitors who send exact bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from gateway import keys
from gateway.app import gateway
from gateway.console.context import ROOMS
from gateway.edge.line import Line
from gateway.edge.overload import Overload
from gateway.edge.proxy.servers import Upstreams
from gateway.edge.server import AppRunner, Server
from gateway.edge.streams import Streams
from gateway.edge.tests.backend import PATIENCE_S, Backend, Recorded, until
from gateway.room.model import MAX_STEP_MS, PassGrant, Snapshot
from gateway.settings import Settings
from gateway.store.base import PassRef, QueueStore, StoreUnavailable
from gateway.store.sqlite import SqliteStore
from shared.passes import PassClaims, read_keys, verify
from shared.wire import GATE_HEADER, OWN_PATH, PASS_HEADER

TOKEN: Final = "operator-token-of-this-test"
START_MS: Final = 1_626_692_400_000
BROWSER: Final[Mapping[str, str]] = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate"}

ROOM: Final[Mapping[str, Any]] = {
    "name": "vaccine",
    "title": {"ko": "예방접종", "en": "Vaccination"},
    "total_active_users": 1,
    "new_users_per_minute": 6_000,
    "claim_window_s": 60,
    "session_length_s": 600,
    "idle_limit_s": 300,
}


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ms = START_MS

    def __call__(self) -> int:
        return self.now_ms

    def seconds(self) -> float:
        return self.now_ms / 1000


class Faulty:
    """The real store, until `failure` is set: then every question raises it. While `stall` is, each waits for it."""

    def __init__(self, store: QueueStore) -> None:
        self._store = store
        self.failure: Exception | None = None
        self.stall: asyncio.Event | None = None

    def recall(self, room: str, ref: PassRef) -> PassGrant | None:
        """Asks nobody, and so does not fail."""
        return self._store.recall(room, ref)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.stall is not None:
                await self.stall.wait()
            if self.failure is not None and name != "close":
                raise self.failure
            return await method(*args, **kwargs)

        return call


@dataclass(slots=True)
class Answer:
    """What came back. clean: the body came to its stated end."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    clean: bool = False

    def all(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found.lower() == name.lower()]

    def one(self, name: str) -> str | None:
        found = self.all(name)
        assert len(found) < 2, f"{name} came {len(found)} times"
        return found[0] if found else None

    @property
    def gate(self) -> str | None:
        """The gate's word; None if the answer came from the backend."""
        return self.one(GATE_HEADER)

    @property
    def set_cookies(self) -> dict[str, str]:
        """By name, without attributes; empty values are cookies dropped."""
        pairs = (line.partition(";")[0].partition("=") for line in self.all("Set-Cookie"))
        return {name: value for name, _, value in pairs}

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One TCP connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**20))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> Answer:
        """Status and headers; the body stays to be read."""
        async with asyncio.timeout(PATIENCE_S):
            raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        _, status, reason = f"{first} ".split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        return Answer(int(status), reason.strip(), [(name, value.strip()) for name, _, value in pairs])

    async def answer(self, method: str = "GET") -> Answer:
        """A whole answer."""
        found = await self.head()
        if method == "HEAD" or found.status in {204, 304} or found.status < 200:
            found.clean = True
            return found
        async with asyncio.timeout(PATIENCE_S):
            await self._read_body(found)
        return found

    async def _read_body(self, found: Answer) -> None:
        try:
            if (length := found.one("Content-Length")) is not None:
                left = int(length)
                while left:
                    chunk = await self.reader.read(min(left, 2**20))
                    if not chunk:
                        return
                    found.body += chunk
                    left -= len(chunk)
            elif found.one("Transfer-Encoding") == "chunked":
                while size := int(await self.reader.readuntil(b"\r\n"), 16):
                    found.body += (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readexactly(2)
            else:
                found.body += await self.reader.read(-1)
            found.clean = True
        except (asyncio.IncompleteReadError, ConnectionError):
            pass

    async def rest(self) -> bytes:
        """Everything until the other side closes."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read(-1)
            except ConnectionError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


async def exchange(port: int, data: bytes, method: str = "GET") -> Answer:
    """Send exact bytes on a connection of their own."""
    connection = await Connection.open(port)
    try:
        await connection.send(data)
        return await connection.answer(method)
    finally:
        await connection.close()


@dataclass(slots=True)
class Visitor:
    """Someone with a cookie jar; `headers` go with every request."""

    port: int
    room: str = "vaccine"
    host: str = "site.test"
    headers: Mapping[str, str] = field(default_factory=lambda: dict(BROWSER))
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def ticket(self) -> str | None:
        return self.cookies.get(f"sunbeon_ticket_{self.room}")

    @property
    def visitor_pass(self) -> str | None:
        return self.cookies.get(f"sunbeon_pass_{self.room}")

    async def ask(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = {"Host": self.host, **self.headers, **(headers or {})}
        if self.cookies:
            sent.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        if body:
            sent["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
        got = await exchange(self.port, "\r\n".join(lines).encode("latin-1") + body, method)
        for name, value in got.set_cookies.items():
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return got

    async def get(self, target: str = "/", **headers: str) -> Answer:
        return await self.ask("GET", target, headers={name.replace("_", "-"): text for name, text in headers.items()})

    async def status(self) -> dict[str, Any]:
        told: dict[str, Any] = (await self.ask("GET", f"{OWN_PATH}{self.room}/status")).json()
        return told

    async def leave(self, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        return await self.ask("POST", f"{OWN_PATH}{self.room}/leave", headers=sent)

    async def queue(self) -> int:
        """Ask for the site, be told to wait, bring the knock back. The number."""
        assert (await self.get()).gate == "waiting"
        number: int = (await self.status())["number"]
        return number


@dataclass(slots=True)
class Front:
    """A running gateway. lines: its rooms at work, by name."""

    folder: Path
    settings: Settings
    clock: Hands
    port: int
    operator_port: int
    lines: Mapping[str, Line]
    store: QueueStore
    streams: Streams
    upstreams: Upstreams
    server: Server
    overload: Overload

    @property
    def line(self) -> Line:
        return next(iter(self.lines.values()))

    def visitor(self, **more: Any) -> Visitor:
        return Visitor(self.port, **{"room": self.line.name, **more})

    async def room(self, name: str | None = None) -> Snapshot:
        """The room as the store has it now."""
        return await self.store.load(name or self.line.name)

    async def pass_time(self, ms: int) -> None:
        """Let time go by, in ticks no longer than count."""
        while ms > 0:
            step = min(ms, MAX_STEP_MS)
            self.clock.now_ms += step
            ms -= step
            for line in self.lines.values():
                await line.tick_now()

    async def change(self, **patch: Any) -> None:
        await self.line.change(patch, expected_version=None)

    async def counters(self) -> Mapping[str, int]:
        """The room's counters, with everything counted so far written."""
        for line in self.lines.values():
            await line.flush()
        return (await self.room()).counters

    def proof(self, request: Recorded) -> PassClaims:
        """What a backend reads from a request's `Sunbeon-Pass`, at this moment."""
        found = read_keys(self.folder / keys.BACKEND_FILE)
        return verify(request.one(PASS_HEADER), found, now_s=self.clock.seconds())

    def audit(self) -> list[dict[str, Any]]:
        """What is on record; where a chain begins is no event of the room's."""
        found = [json.loads(line) for line in (self.folder / "audit.log").read_text().splitlines()]
        return [line for line in found if line["event"] != "chain"]


@asynccontextmanager
async def front(
    folder: Path,
    backends: Sequence[Backend],
    *,
    rooms: Sequence[Mapping[str, Any]] = ({},),
    edge: Mapping[str, Any] | None = None,
    upstream: Mapping[str, Any] | None = None,
    faulty: bool = False,
    algorithm: str = "HS256",
) -> AsyncIterator[Front]:
    """A gateway before these backends, with full credit in every room. Each mapping goes over ours."""
    if not (folder / "keys.json").exists():
        keys.create(folder / "keys.json", algorithm=algorithm)
    settings = Settings.model_validate(
        {
            "gateway": {
                "keys_file": str(folder / "keys.json"),
                "audit_log": str(folder / "audit.log"),
                "history_file": str(folder / "history.db"),
                "operator_tokens_file": str(folder / "operators.json"),
                "store_timeout_s": 10,  # a machine under load must not fail a test
                **(edge or {}),
            },
            "upstream": {"servers": [backend.url for backend in backends], **(upstream or {})},
            "room": [{**ROOM, **room} for room in rooms],
        }
    )
    clock = Hands()
    store: Any = SqliteStore(folder / "queue.db", first_epoch=1, wall_ms=clock, mono_ms=clock, boot_id="this-test")
    if faulty:
        store = Faulty(store)
    async with gateway(settings, operator_token=TOKEN, clock=clock, store=store) as (
        server,
        console,
        streams,
        upstreams,
        overload,
    ):
        lines: Any = console[ROOMS]
        for line in lines.values():
            line.monotonic = line.outage._monotonic = clock.seconds
            line._seen_s = clock.seconds()
        runners = [
            web.ServerRunner(server, shutdown_timeout=0.1),
            AppRunner(console, settings.gateway, shutdown_timeout=0.1),
        ]
        ports = []
        for runner in runners:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            ports.append(runner.addresses[0][1])
        made = Front(folder, settings, clock, ports[0], ports[1], lines, store, streams, upstreams, server, overload)
        try:
            await made.pass_time(MAX_STEP_MS)
            yield made
        finally:
            for runner in runners:
                await runner.cleanup()


def faulty_store(site: Front) -> Faulty:
    assert isinstance(site.store, Faulty), "this gateway was not started with faulty=True"
    return site.store


async def lose(site: Front, *, for_ms: int = 0) -> None:
    """The store fails from now on, and has for so long."""
    async with AsyncExitStack() as ticks:
        # One under way would have seen the room as it was long ago, and take it for news.
        for line in site.lines.values():
            await ticks.enter_async_context(line._tick_lock)
        faulty_store(site).failure = StoreUnavailable("s3cret of the store's")
        site.clock.now_ms += for_ms
    if for_ms >= 3_000:
        await until(lambda: all(line.out_of_reach for line in site.lines.values()), "the ticks fail")


async def find(site: Front) -> None:
    """The store is back, and the line knows."""
    faulty_store(site).failure = None
    await until(lambda: not site.line.outage.away, "the ticks succeed")
    await site.line.tick_now()
