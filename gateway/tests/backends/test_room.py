"""A full room before a WebSocket server: what clients that are not ours see of the gate."""

import asyncio
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.tests.backends.front import client
from gateway.tests.backends.sockets import dial
from gateway.tests.stand import PATIENCE_S
from shared.wire import GATE_HEADER, PROBLEM_JSON


@pytest.fixture
async def inside(sockets):
    """Somebody in the only seat."""
    async with client(sockets) as session:
        async with session.get("/page") as page:
            assert page.status == 200
        sockets.fill()
        yield session
    sockets.reset()
    sockets.seat()


async def test_a_handshake_is_a_way_in_where_there_is_a_seat(sockets):
    async with dial(sockets, "/echo") as socket:
        await socket.send("in")
        assert await socket.recv() == "in"
        assert socket.response is not None
        set_cookies = socket.response.headers.get_all("Set-Cookie")
    assert {each.partition("=")[0] for each in set_cookies} == {
        "__Host-sunbeon_pass_sockets",
        "__Host-sunbeon_ticket_sockets",
    }
    sockets.reset()


async def test_whoever_has_to_wait_is_told_so_in_a_way_programs_understand(sockets, inside):
    with pytest.raises(InvalidStatus) as refused:
        async with dial(sockets, "/echo"):
            pass
    told = refused.value.response
    assert (told.status_code, told.headers["Content-Type"], told.headers[GATE_HEADER]) == (429, PROBLEM_JSON, "waiting")
    assert json.loads(told.body)["code"] == "waiting"
    async with client(sockets) as second, second.get("/page") as answer:
        assert (answer.status, answer.content_type, answer.headers[GATE_HEADER]) == (429, PROBLEM_JSON, "waiting")
        assert int(answer.headers["Retry-After"]) > 0
    async with dial(sockets, "/echo", inside) as socket:
        await socket.send("still inside")
        assert await socket.recv() == "still inside"


@pytest.mark.parametrize("by", ["an operator's reset", "the server's command"])
async def test_a_socket_ends_with_its_pass_and_says_1008(sockets, inside, by):
    async with dial(sockets, "/echo", inside) as socket:
        await socket.send("inside")
        assert await socket.recv() == "inside"
        if by == "an operator's reset":
            sockets.reset()
        else:
            async with inside.get("/revoke") as answer:
                assert answer.status == 200
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(PATIENCE_S):
                await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
