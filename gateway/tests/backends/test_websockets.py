"""The `websockets` package on both sides of the gateway: neither notices that it is there."""

import asyncio
import secrets
from collections.abc import AsyncIterable

import pytest
from aiohttp import ClientSession
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.extensions.permessage_deflate import PerMessageDeflate
from yarl import URL

from gateway.tests.backends.front import client
from gateway.tests.backends.socket_server import PARTS
from gateway.tests.backends.sockets import dial
from gateway.tests.stand import PATIENCE_S

MIB = 2**20
CLOSES = [(1000, ""), (3000, "bye"), (4001, "다음에 또")]


@pytest.fixture
async def who(sockets):
    """Somebody inside."""
    async with client(sockets) as session:
        async with session.get("/page") as page:
            assert page.status == 200
        yield session


async def ends(who: ClientSession, name: str) -> list[list[int | str]]:
    """How the server says that the connections of this name ended, once one has."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with who.get(f"/ends?{name}") as answer:
                told: list[list[int | str]] = await answer.json(content_type=None)
            if told:
                return told
            await asyncio.sleep(0.02)


async def test_what_is_said_comes_back(sockets, who):
    async with dial(sockets, "/echo", who) as socket:
        for message in ("", "순번", b"", b"\x00\xff", "x" * 70_000):
            await socket.send(message)
            assert await socket.recv() == message


async def test_the_server_gets_the_target_as_it_was_sent(who):
    target = "/target?a=%2f%2F%41&b=+%20&&c==~!$'()*,;:@/?"
    async with who.get(URL(target, encoded=True)) as answer:
        assert await answer.text() == target


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_frames_of_eight_mebibytes_come_whole(sockets, who, compression):
    message = secrets.token_bytes(4 * MIB) * 2
    async with dial(sockets, "/echo", who, compression=compression) as socket:
        for _ in range(2):
            await socket.send(message)
            assert await socket.recv() == message


async def test_fragments_stay_fragments_in_both_directions(sockets, who):
    async with dial(sockets, "/parts", who) as socket:
        assert await collect(socket.recv_streaming()) == list(PARTS)
    sent = [b"a" * 70_000, b"b", b"c" * 126]
    async with dial(sockets, "/fragments", who) as socket:
        await socket.send(sent)
        assert await collect(socket.recv_streaming()) == sent


async def collect(parts: AsyncIterable[str | bytes]) -> list[str | bytes]:
    """The fragments; the package ends a message with an empty one."""
    return [part async for part in parts if part]


async def test_pings_are_answered_by_the_other_end(sockets, who):
    async with dial(sockets, "/ping", who) as socket:
        assert await socket.recv() == "the pong came"
        async with asyncio.timeout(PATIENCE_S):
            assert await (await socket.ping(b"payload")) > 0


async def test_compression_is_agreed_upon_end_to_end(sockets, who):
    for compression, agreed in (("deflate", [PerMessageDeflate]), (None, [])):
        async with dial(sockets, "/echo", who, compression=compression) as socket:
            assert [type(each) for each in socket.protocol.extensions] == agreed
            await socket.send("again " * 100_000)
            assert await socket.recv() == "again " * 100_000


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["chat.v1", "chat.v3"], "chat.v1"), (["chat.v1", "chat.v2"], "chat.v2")]
)
async def test_the_server_chooses_the_subprotocol(sockets, who, offered, chosen):
    async with dial(sockets, "/echo", who, subprotocols=offered) as socket:
        assert socket.subprotocol == chosen


@pytest.mark.parametrize(("code", "reason"), CLOSES)
async def test_the_server_closes_and_the_client_knows_why(sockets, who, code, reason):
    async with dial(sockets, f"/close?code={code}&reason={reason or '%20'}", who) as socket:
        await socket.wait_closed()
    assert (socket.close_code, (socket.close_reason or "").strip()) == (code, reason)


@pytest.mark.parametrize(("code", "reason"), CLOSES)
async def test_the_client_closes_and_the_server_knows_why(sockets, who, code, reason):
    name = secrets.token_hex(4)
    async with dial(sockets, f"/echo?name={name}", who) as socket:
        await socket.close(code, reason)
    assert socket.close_code == code
    assert await ends(who, name) == [[code, reason]]


async def test_a_refused_handshake_is_told_as_it_is(sockets, who):
    with pytest.raises(InvalidStatus) as refused:
        async with dial(sockets, "/refused", who):
            pass
    assert (refused.value.response.status_code, refused.value.response.body) == (403, b"not for you")


async def test_an_end_without_a_word_is_one_on_the_other_side_too(sockets, who):
    async with dial(sockets, "/abrupt", who) as socket:
        with pytest.raises(ConnectionClosedError) as closed:
            await socket.recv()
    assert closed.value.rcvd is None
    name = secrets.token_hex(4)
    async with dial(sockets, f"/echo?name={name}", who) as socket:
        socket.transport.abort()
    assert await ends(who, name) == [[1006, ""]]


async def test_two_hundred_are_open_at_once_and_nobody_hears_another(sockets, who):
    sockets_open = [dial(sockets, "/echo", who, open_timeout=PATIENCE_S) for _ in range(200)]
    opened = await asyncio.gather(*(each.__aenter__() for each in sockets_open))
    try:
        for turn in range(2):
            said = [f"{turn} {number}" for number in range(len(opened))]
            await asyncio.gather(*(socket.send(text) for socket, text in zip(opened, said, strict=True)))
            assert await asyncio.gather(*(socket.recv() for socket in opened)) == said
    finally:
        await asyncio.gather(*(socket.close() for socket in opened))
