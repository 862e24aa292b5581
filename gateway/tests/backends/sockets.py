"""The client of the `websockets` package, as it comes, going to a front."""

from typing import Any

from aiohttp import ClientSession
from websockets.asyncio.client import connect

from gateway.tests.backends.front import TRUST, Front
from gateway.tests.backends.names import HOST
from gateway.tests.backends.socket_server import MAX_BYTES


def dial(front: Front, path: str, who: ClientSession | None = None, **more: Any) -> connect:
    """A connection, for `async with`. who: whose cookies it brings."""
    cookies = "; ".join(f"{each.key}={each.value}" for each in who.cookie_jar) if who else ""
    return connect(
        f"wss://{HOST}:{front.port}{path}",
        host="127.0.0.1",
        ssl=TRUST,
        additional_headers={"Cookie": cookies} if cookies else None,
        max_size=MAX_BYTES,
        proxy=None,
        **more,
    )
