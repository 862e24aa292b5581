"""A small HTTP client that sends exactly the bytes it is told to, and shows exactly what came back.

No library would send what is tried here. Bounded in time and size; whatever fails is a text, never an exception.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.drill.exchange import AGENT, Exchange, Fields, read_answers
from shared.errors import SettingsError, SunbeonError
from shared.wire import DRILL_HEADER

PATIENCE_S: Final = 10.0
# After an answer, how long a second one is listened for on the same connection.
QUIET_S: Final = 0.5
ANSWER_BYTES: Final = 1 << 20


class Spent(SunbeonError):
    """The drill has sent as many requests as it may."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a server is."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str, option: str) -> "Origin":
        """Raises `SettingsError` for what is no http(s) address."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise SettingsError([f"{option}: {url}: {error}"]) from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SettingsError([f"{option}: {url}: is no http(s) address"])
        return cls(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))

    @property
    def name(self) -> str:
        """The host as a `Host` header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"


class Budget:
    """At most so many requests, at most so many a second."""

    def __init__(
        self,
        most: int,
        per_second: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.used = 0
        self._most = most
        self._gap_s = 1 / per_second
        self._next_s = 0.0
        self._monotonic, self._sleep = monotonic, sleep
        # Kept for giving back what was taken.
        self.reserve = most // 20

    def clean_up(self) -> None:
        """From now on what was kept may be spent."""
        self.reserve = 0

    async def take(self) -> None:
        """Wait for the next request's turn. Raises `Spent`."""
        if self.used >= self._most - self.reserve:
            raise Spent(f"the drill may send {self._most} requests, and keeps {self.reserve} to give its places back")
        self.used += 1
        now_s = self._monotonic()
        wait_s, self._next_s = self._next_s - now_s, max(now_s, self._next_s) + self._gap_s
        if wait_s > 0:
            await self._sleep(wait_s)


class Wire:
    """Connections to one server, one for each request."""

    def __init__(self, origin: Origin, budget: Budget, drill: str, context: ssl.SSLContext | None = None) -> None:
        """context: for https. drill: the id that marks every request."""
        self.origin = origin
        self._budget = budget
        self._drill = drill
        self._context = context if origin.scheme == "https" else None

    def compose(
        self,
        method: str,
        target: str,
        headers: Fields = (),
        body: bytes = b"",
        *,
        cookies: Mapping[str, str] | None = None,
        version: str = "HTTP/1.1",
    ) -> bytes:
        """A request as bytes. headers: replace the usual ones of their names; one with an empty name is a raw line."""
        given = {name.lower() for name, _ in headers}
        usual = [
            ("Host", self.origin.name),
            ("User-Agent", AGENT),
            (DRILL_HEADER, self._drill),
            ("Accept", "text/html"),
            ("Connection", "close"),
        ]
        if cookies:
            usual.append(("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
        if body and not given & {"content-length", "transfer-encoding"}:
            usual.append(("Content-Length", str(len(body))))
        fields = [pair for pair in usual if pair[0].lower() not in given] + list(headers)
        lines = [f"{method} {target} {version}", *(f"{name}: {value}" for name, value in fields)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    async def ask(
        self,
        method: str,
        target: str,
        headers: Fields = (),
        body: bytes = b"",
        *,
        cookies: Mapping[str, str] | None = None,
        version: str = "HTTP/1.1",
    ) -> Exchange:
        """One request, one answer. Raises `Spent`."""
        return await self.send(self.compose(method, target, headers, body, cookies=cookies, version=version))

    async def send(self, data: bytes, *, all_answers: bool = False) -> Exchange:
        """These bytes. all_answers: listen for more than one answer. Raises `Spent`."""
        await self._budget.take()
        received, failed = bytearray(), ""
        head = data.startswith(b"HEAD ")
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await self._connect()
                try:
                    writer.write(data)
                    await writer.drain()
                    await _receive(reader, received, head=head, all_answers=all_answers)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            failed = f"silent for {PATIENCE_S:g} s"
        except (OSError, ssl.SSLError) as error:
            failed = getattr(error, "strerror", None) or type(error).__name__
        return Exchange(data, tuple(read_answers(bytes(received), head=head)[0]), failed)

    async def break_off(self, data: bytes) -> Exchange:
        """Send these bytes and cut the connection without hearing the answer. Raises `Spent`."""
        await self._budget.take()
        failed = "the drill cut the connection"
        try:
            async with asyncio.timeout(PATIENCE_S):
                _, writer = await self._connect()
                writer.write(data)
                await writer.drain()
                writer.transport.abort()
        except (OSError, ssl.SSLError) as error:
            failed = getattr(error, "strerror", None) or type(error).__name__
        return Exchange(data, (), failed)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.origin.host, self.origin.port, ssl=self._context, limit=ANSWER_BYTES)


async def _receive(reader: asyncio.StreamReader, received: bytearray, *, head: bool, all_answers: bool) -> None:
    """Fill `received` until the answer is whole, the connection closed, or there is too much of it."""
    while len(received) < ANSWER_BYTES:
        whole = read_answers(bytes(received), head=head)[1]
        if whole and not all_answers:
            return
        try:
            chunk = await asyncio.wait_for(reader.read(65_536), QUIET_S if whole else None)
        except TimeoutError:
            if whole:
                return
            raise
        except ConnectionError:
            if received:
                return
            raise
        if not chunk:
            return
        received += chunk


async def is_open(host: str, port: int, patience_s: float = 3.0) -> bool:
    """Whether something takes connections there."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(patience_s):
            _, writer = await asyncio.open_connection(host, port)
            writer.transport.abort()
            return True
    return False
