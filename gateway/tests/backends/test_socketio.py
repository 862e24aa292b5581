"""Socket.IO with its own client: long polling, the upgrade to WebSocket, and its own look at origins."""

import asyncio
import secrets

import pytest
import socketio as package

from gateway.tests.backends.front import client
from gateway.tests.stand import PATIENCE_S

POLLING = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
async def join(socketio):
    """Makes clients that came through the gate; `transports` as the package has it."""
    made: list[package.AsyncClient] = []
    async with client(socketio) as session:
        async with session.get(POLLING) as answer:
            assert answer.status == 200

        async def make(*transports: str) -> package.AsyncClient:
            each = package.AsyncClient(http_session=session, ssl_verify=False, reconnection=False)
            made.append(each)
            await each.connect(socketio.origin, transports=list(transports) or None)
            return each

        yield make
        for each in made:
            await each.disconnect()


@pytest.mark.parametrize(
    ("transports", "used"),
    [((), "websocket"), (("websocket",), "websocket"), (("polling",), "polling")],
    ids=["polling, then upgraded", "websocket", "polling"],
)
async def test_a_message_is_acknowledged_with_what_it_held(join, transports, used):
    speaker = await join(*transports)
    assert speaker.transport() == used
    data = {"text": "순번", "bytes": secrets.token_bytes(200_000)}
    assert await speaker.call("echo", data, timeout=PATIENCE_S) == data


async def test_everyone_hears_what_one_shouts_whatever_they_came_by(join):
    listeners = [await join(), await join("polling")]
    heard: asyncio.Queue[str] = asyncio.Queue()
    for each in listeners:
        each.on("shouted", heard.put)
    await listeners[0].emit("shout", "here")
    async with asyncio.timeout(PATIENCE_S):
        assert [await heard.get() for _ in listeners] == ["here", "here"]


async def test_the_server_knows_its_own_origin_and_refuses_others(socketio):
    async with client(socketio) as who:
        async with who.get(POLLING, headers={"Origin": socketio.origin}) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == socketio.origin
        async with who.get(POLLING, headers={"Origin": "https://elsewhere.test"}) as answer:
            assert (answer.status, "Access-Control-Allow-Origin" in answer.headers) == (400, False)
