"""Active health checks: ask each server again and again whether it is well, on connections of their own."""

import asyncio
import random
import ssl
from typing import Final, Protocol

from gateway.edge.proxy.connection import Connection
from gateway.edge.proxy.health import Verdict
from gateway.settings import Origin, Upstream

# Read for politeness, so that the server does not see its answer cut; what it says is in the status.
MOST_BODY_BYTES: Final = 64 * 1024
# Workers and gateways that started together would otherwise ask together for ever.
JITTER: Final = 0.2


class Checked(Protocol):
    """What `watch` wants of a server. host: the Host header to send, if not its own name."""

    host: str | None
    origin: Origin

    async def connect(self, timeout_s: float | None = None) -> tuple[Connection, str]: ...

    def checked(self, verdict: Verdict, why: str) -> None: ...


async def watch(server: Checked, settings: Upstream) -> None:
    """Check a server until cancelled."""
    await asyncio.sleep(settings.health_interval_s * random.random())  # noqa: S311 - only spreads the load
    while True:
        server.checked(*await look(server, settings))
        await asyncio.sleep(settings.health_interval_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311


async def look(server: Checked, settings: Upstream) -> tuple[Verdict, str]:
    """One check: what was found, and why in a few words."""
    try:
        async with asyncio.timeout(settings.health_timeout_s):
            return await _ask(server, settings)
    except Exception as error:  # noqa: BLE001 - whatever it is, the checks go on
        return Verdict.BAD, why(error)


async def _ask(server: Checked, settings: Upstream) -> tuple[Verdict, str]:
    request = (
        f"GET {settings.health_path} HTTP/1.1",
        f"Host: {server.host or server.origin.authority}",
        "User-Agent: sunbeon-health",
        "Accept: */*",
        "Connection: close",
        "\r\n",
    )
    connection, _ = await server.connect(settings.health_timeout_s)
    try:
        connection.begin()
        connection.write("\r\n".join(request).encode("ascii"))
        message, body = await connection.head()
        while message.code < 200:  # noqa: PLR2004 - an interim answer
            message, body = await connection.head()
        left = MOST_BODY_BYTES
        while left > 0 and (data := await body.readany()):
            left -= len(data)
    finally:
        connection.abort()
    why = f"the check was answered {message.code}"
    if message.code == 503:  # noqa: PLR2004
        return Verdict.DRAIN, why
    return (Verdict.GOOD if 200 <= message.code < 400 else Verdict.BAD), why  # noqa: PLR2004


def why(error: Exception) -> str:
    """Why a server could not be reached, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason}"
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error)
