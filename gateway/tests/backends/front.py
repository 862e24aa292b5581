"""A real gateway with HTTPS in front of a server that is not ours, and clients that come by name.

The servers run as their makers mean them to: Django, WsgiDAV and Socket.IO under gunicorn, `websockets` by itself.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from aiohttp import ClientSession, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.edge.tests.tls import certificates
from gateway.tests.backends.names import HOST, OPEN_HOST
from gateway.tests.browser.scene import is_idle
from gateway.tests.stand import PATIENCE_S, Program, Stand, fetch, until
from shared.wire import OWN_PATH

SEATS: Final = 500
# One for all: reading the system's CAs takes longer than a handshake.
TRUST: Final = certificates.client_context()


def gunicorn(application: str) -> list[str]:
    """The command line: threads, because requests here wait for each other; keep-alive longer than the gateway's."""
    size = ["--workers", "1", "--threads", "24", "--keep-alive", "75", "--graceful-timeout", "1"]
    return ["gunicorn", "--bind", "127.0.0.1:0", *size, "--no-control-socket", application]


class Front(Stand):
    """A stand whose gateway has the program of `arguments` behind it, which prints where it listens."""

    def __init__(self, folder: Path, arguments: list[str], *, room: Mapping[str, Any] | None = None) -> None:
        certificates.write(folder)
        super().__init__(
            folder,
            gateway={
                "tls_certificate": str(folder / "cert.pem"),
                "tls_key": str(folder / "key.pem"),
                "open_hosts": [OPEN_HOST],
            },
            room={"hosts": [HOST], "total_active_users": SEATS, "new_users_per_minute": 6000, **(room or {})},
        )
        self._booking = Program("backend", self.folder)
        self._arguments = arguments

    def __enter__(self) -> Self:
        super().__enter__()
        assert is_idle(self), "credit for a first admission has come in"
        return self

    def start_booking(self) -> None:
        self._write_config()
        self.backend_url = self._booking.start(self._arguments, r"(?:Listening at|listens): (http://[\d.]+:\d+)")[1]
        self._sections["upstream"]["servers"] = [self.backend_url]

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    @property
    def origin(self) -> str:
        return f"https://{HOST}:{self.port}"

    def fill(self) -> None:
        """Leave no seat but that of the one who is inside."""
        until(lambda: self.room()["live"] == 1, "one is inside")
        self.seat(1)

    def seat(self, seats: int = SEATS) -> None:
        """Have so many seats."""
        self.patch(total_active_users=seats)
        until(lambda: self.room()["settings"]["total_active_users"] == seats, "the gateway knows of the seats")

    def reset(self) -> None:
        """What an operator does who wants the line to start anew: every pass ends."""
        version = self.room()["settings"]["version"]
        headers = {
            "Authorization": f"Bearer {self.token}",
            "If-Match": f'"{version}"',
            "Content-Type": "application/json",
        }
        body = json.dumps({"confirm": self.name}).encode()
        path = f"/api/rooms/{self.name}/reset"
        status, _, content = fetch(self.operator_url, "POST", path, body=body, headers=headers)
        told = json.loads(content)
        assert status == 200, told
        until(lambda: self.room()["epoch"] == told["epoch"], "the gateway knows of the reset")
        assert is_idle(self), "credit for a first admission has come in anew"


class _Loopback(AbstractResolver):
    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
        found: ResolveResult = {
            "hostname": host,
            "host": "127.0.0.1",
            "port": port,
            "family": family,
            "proto": 0,
            "flags": socket.AI_NUMERICHOST,
        }
        return [found]

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def client(front: Front, **options: Any) -> AsyncIterator[ClientSession]:
    """Somebody with a cookie jar, who gives back their seat in the end. Paths are taken from the front's origin."""
    connector = TCPConnector(resolver=_Loopback(), ssl=TRUST)
    timeout = ClientTimeout(total=PATIENCE_S)
    async with ClientSession(front.origin, connector=connector, timeout=timeout, **options) as session:
        try:
            yield session
        finally:
            async with session.post(f"{OWN_PATH}{front.name}/leave") as left:
                assert left.status in {200, 409}  # 409: nothing to give back after a reset
            await asyncio.sleep(0)


def cookie_names(session: ClientSession) -> set[str]:
    return {cookie.key for cookie in session.cookie_jar}
