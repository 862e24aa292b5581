"""The console's stream: one message a second for all, to holders of a token, for as long as it counts."""

import asyncio
import json

import pytest

from gateway import tokens
from gateway.console import events
from gateway.console.events import Feed
from gateway.console.tests.test_api import BEARER, ask
from gateway.edge.tests.backend import PATIENCE_S, until
from gateway.edge.tests.front import Connection
from gateway.tokens import Role


@pytest.fixture
def feeds(monkeypatch):
    """The feeds that are made from now on."""
    made = []

    class Known(Feed):
        def __init__(self, make):
            super().__init__(make)
            made.append(self)

    monkeypatch.setattr(events, "Feed", Known)
    return made


def messages(body):
    return [json.loads(part.removeprefix(b"data: ")) for part in body.split(b"\n\n") if part]


async def listen(site, token=BEARER):
    connection = await Connection.open(site.operator_port)
    await connection.send(f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n\r\n".encode())
    head = await connection.head()
    return connection, head


def test_a_message_is_made_once_a_second_for_however_many_listen():
    now_s, made = [7.2], []

    def make():
        made.append(now_s[0])
        return len(made)

    feed = Feed(make, monotonic=lambda: now_s[0])
    assert {feed.message() for _ in range(50)} == {b"data: 1\n\n"}
    assert feed.until_next_s() == pytest.approx(0.8)
    now_s[0] = 8.0
    assert {feed.message() for _ in range(50)} == {b"data: 2\n\n"}
    assert made == [7.2, 8.0]


async def test_it_tells_of_every_room_and_of_the_servers_behind_it(site):
    got = await ask(site, "GET", "/api/events?messages=2")
    assert (got.status, got.one("Content-Type"), got.clean) == (200, "text/event-stream", True)
    assert got.one("Cache-Control") == "no-store"
    first, _ = messages(got.body)
    assert [room["room"] for room in first["rooms"]] == ["north", "south"]
    assert first["rooms"][0] == {
        **(await ask(site, "GET", "/api/rooms/north")).json(),
        "server_time_ms": first["rooms"][0]["server_time_ms"],
    }
    assert first["rooms"][0]["title"] == {"ko": "예방접종", "en": "Vaccination"}
    assert first["rooms"][0]["timezone"] == "Asia/Seoul"
    assert [server["up"] for server in first["servers"]] == [True]
    assert {store["room"]: store["up"] for store in first["stores"]} == {"north": True, "south": True}


async def test_a_change_is_in_the_next_message(site):
    connection, head = await listen(site)
    assert head.status == 200
    await connection.reader.readuntil(b"\n\n")
    await ask(site, "PATCH", "/api/rooms/north", {"new_users_per_minute": 777})
    text = b""
    while b'"new_users_per_minute":777' not in text:
        text = await connection.reader.readuntil(b"\n\n")
    await connection.close()


async def test_it_ends_when_the_token_is_revoked(site):
    path = site.folder / "operators.json"
    token = tokens.create(path, "kim", Role.VIEWER, now_s=0)
    connection, head = await listen(site, f"Bearer {token}")
    assert head.status == 200
    tokens.revoke(path, "kim")
    await asyncio.wait_for(connection.reader.readuntil(b"\r\n0\r\n\r\n"), PATIENCE_S)
    await connection.close()


async def test_it_ends_when_the_worker_is_on_its_way_out_and_begins_no_more(site):
    connection, _ = await listen(site)
    site.streams.stopping = True
    await asyncio.wait_for(connection.reader.readuntil(b"\r\n0\r\n\r\n"), PATIENCE_S)
    await connection.close()
    assert (await ask(site, "GET", "/api/events")).status == 503


async def test_who_goes_away_is_not_written_to_any_more_and_only_so_many_are_heard(feeds, site, monkeypatch):
    monkeypatch.setattr(events, "MOST_LISTENERS", 3)
    connections = [(await listen(site))[0] for _ in range(3)]
    assert feeds[0].listeners == 3
    assert (await ask(site, "GET", "/api/events?messages=1")).status == 503
    for connection in connections:
        await connection.close()
    await until(lambda: feeds[0].listeners == 0, "all have gone")
    assert (await ask(site, "GET", "/api/events?messages=1")).status == 200


async def test_one_token_does_not_take_every_place_of_those_who_listen(feeds, site, monkeypatch):
    monkeypatch.setattr(events, "MOST_OF_ONE", 2)
    token = "Bearer " + tokens.create(site.folder / "operators.json", "eve", Role.VIEWER, now_s=0)
    connections = [(await listen(site, token))[0] for _ in range(2)]
    assert (await ask(site, "GET", "/api/events?messages=1", token=token)).status == 503
    assert (await ask(site, "GET", "/api/events?messages=1")).status == 200
    for connection in connections:
        await connection.close()
    await until(lambda: feeds[0].listeners == 0, "all have gone")
    assert (await ask(site, "GET", "/api/events?messages=1", token=token)).status == 200


async def test_a_question_for_the_head_alone_gets_no_message_and_ends(site):
    connection = await Connection.open(site.operator_port)
    question = f"/api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: {BEARER}\r\n\r\n"
    await connection.send(f"HEAD {question}GET /api/me HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (await asyncio.wait_for(connection.head(), PATIENCE_S)).status == 200
    assert (await asyncio.wait_for(connection.head(), PATIENCE_S)).status == 401
    await connection.close()


@pytest.mark.parametrize("wanted", ["0", "-1", "x", "", "1e3", "100000", "%D9%A3"])
async def test_what_is_no_number_of_messages_is_refused(site, wanted):
    assert (await ask(site, "GET", f"/api/events?messages={wanted}")).status == 422


async def test_who_asks_is_told_who_they_are(site):
    assert (await ask(site, "GET", "/api/me")).json() == {"name": "first", "role": "admin"}
    token = tokens.create(site.folder / "operators.json", "kim", Role.VIEWER, now_s=0)
    assert (await ask(site, "GET", "/api/me", token=f"Bearer {token}")).json() == {"name": "kim", "role": "viewer"}
