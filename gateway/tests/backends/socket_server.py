"""A server of the `websockets` package: what it does with a connection is told by the address.

Beside its WebSockets it answers a few plain requests, as the package offers it: a page for browsers, and what it saw.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from shared.wire import COMMAND_HEADER

MAX_BYTES: Final = 16 * 2**20
SUBPROTOCOLS: Final = {Subprotocol("chat.v1"), Subprotocol("chat.v2")}
PARTS: Final = ("one ", "two ", "three")

# How the connections of each name ended, as seen from here: code and reason.
_ends: dict[str, list[tuple[int | None, str | None]]] = defaultdict(list)


async def handle(connection: ServerConnection) -> None:
    assert connection.request is not None
    address = urlsplit(connection.request.path)
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    match address.path:
        case "/echo":
            with suppress(ConnectionClosed):
                while True:
                    await connection.send(await connection.recv())
        case "/fragments":
            await connection.send(connection.recv_streaming())
            await connection.wait_closed()
        case "/parts":
            await connection.send(PARTS)
            await connection.wait_closed()
        case "/ping":
            await (await connection.ping())
            await connection.send("the pong came")
            await connection.wait_closed()
        case "/close":
            await connection.close(int(query["code"]), query["reason"])
        case "/abrupt":
            connection.transport.abort()
        case _:
            await connection.wait_closed()
    _ends[query.get("name", "")].append((connection.close_code, connection.close_reason))


def answer(connection: ServerConnection, request: Request) -> Response | None:
    """Plain requests; None goes on with the handshake."""
    address = urlsplit(request.path)
    match address.path:
        case "/page":
            response = connection.respond(HTTPStatus.OK, "<!doctype html><title>page</title>")
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "text/html; charset=utf-8"
            return response
        case "/ends":
            return connection.respond(HTTPStatus.OK, json.dumps(_ends[address.query]))
        case "/refused":
            return connection.respond(HTTPStatus.FORBIDDEN, "not for you")
        case "/target":
            return connection.respond(HTTPStatus.OK, request.path)
        case "/revoke":
            response = connection.respond(HTTPStatus.OK, "your pass ends")
            response.headers[COMMAND_HEADER] = "revoke"
            return response
    return None


def choose(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return max(set(offered) & SUBPROTOCOLS, default=None)


async def main() -> None:
    async with serve(
        handle,
        "127.0.0.1",
        0,
        process_request=answer,
        select_subprotocol=choose,
        max_size=MAX_BYTES,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"listens: http://127.0.0.1:{port}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
