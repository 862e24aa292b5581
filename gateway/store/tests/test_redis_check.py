"""What will not do is refused before the first room opens, in words, without a secret, and nothing takes its place."""

import asyncio
import re
from contextlib import asynccontextmanager
from importlib.resources import files

import pytest

from gateway.room.model import Limits
from gateway.store.base import StoreMisconfigured, StoreUnavailable
from gateway.store.open import open_store
from gateway.store.redis import RedisStore
from gateway.tests.redis.process import HOST
from gateway.tests.redis.servers import RedisServer

SECRET = "hunter2"
# What the manual gives a gateway's user.
GATE = "user gate on >hunter2 ~* +@read +@write +@scripting +info +time +wait +select +client"


async def refusal(store, kind=StoreMisconfigured, room="hall"):
    """What opening a room is told, with everything that led to it."""
    with pytest.raises(kind) as refused:
        await store.open_room(room, Limits())
    told = str(refused.value)
    assert SECRET not in told + repr(store)
    return told


@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_a_server_that_will_do_opens_rooms(kind, stores):
    with RedisServer(kind, password=SECRET, directives={"maxmemory": "100mb"}) as server:
        assert (await stores(server.url).open_room("hall", Limits())).epoch == 1


async def test_a_unix_socket_will_do(stores):
    with RedisServer(unix_socket=True, password=SECRET) as server:
        store = stores(f"redis+unix://:{SECRET}@{server.socket_file}")
        assert (await store.open_room("hall", Limits())).epoch == 1


@pytest.mark.parametrize("login", ["", ":wrong@", "gate:wrong@", f"nobody:{SECRET}@"])
async def test_a_wrong_user_or_password_is_refused(login, stores):
    with RedisServer(password="right") as server:
        told = await refusal(stores(f"redis://{login}{server.address}"))
    assert "refuses our user or password" in told
    assert server.address in told


async def test_a_password_given_apart_wins_over_that_of_the_url(stores):
    with RedisServer(password=SECRET) as server:
        url = f"redis://:wrong@{server.address}"
        assert (await stores(url, password=SECRET).open_room("hall", Limits())).epoch == 1


async def test_a_user_with_the_permissions_we_ask_for_will_do(stores):
    with RedisServer(acl=[GATE]) as server:
        store = stores(server.url_as("gate", SECRET))
        assert (await store.open_room("hall", Limits())).epoch == 1
        assert await store.join("hall", [1], expires_ms=10**15) == [1]


@pytest.mark.parametrize("kind", ["redis", "valkey"])
@pytest.mark.parametrize("lacking", ["-info", "-evalsha", "-eval", "-time", "-hset", "resetkeys ~other:*"])
async def test_a_user_without_a_permission_is_refused(kind, lacking, stores):
    with RedisServer(kind, acl=[f"{GATE} {lacking}"]) as server:
        told = await refusal(stores(server.url_as("gate", SECRET)))
    assert "lacks a permission" in told
    assert "user_script" not in told


@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_a_replica_is_refused(kind, stores):
    with RedisServer(kind) as primary, RedisServer(kind, replica_of=primary) as replica:
        replica.wait_for_primary()
        assert "read-only replica" in await refusal(stores(replica.url))


@asynccontextmanager
async def impostor(version):
    """A server that says it is of a version, and knows nothing else."""

    async def serve(reader, writer):
        while line := await reader.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int((await reader.readline())[1:])
                words.append((await reader.readexactly(size + 2))[:-2])
            told = f"redis_version:{version}\r\nrole:master\r\n".encode()
            writer.write(b"$%d\r\n%s\r\n" % (len(told), told) if words[0] == b"INFO" else b"+OK\r\n")
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield f"redis://{HOST}:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("version", ["6.2.14", "5.0", "0", "none"])
async def test_a_server_too_old_is_refused(version, stores):
    async with impostor(version) as url:
        told = await refusal(stores(url))
    assert f"is version {version}" in told
    assert "7.0" in told
    await stores.opened[0].close()


@pytest.mark.parametrize(("name", "kind"), [("line", "string"), ("marks", "hash"), ("late", "zset")])
async def test_a_key_of_another_type_is_refused_and_left_alone(name, kind, redis_server, stores):
    key = stores.key(name)
    redis_server.call(*{"string": ("SET", key, 1), "hash": ("HSET", key, 1, 1), "zset": ("ZADD", key, 1, 1)}[kind])
    told = await refusal(stores(redis_server.url))
    assert key in told
    assert kind in told
    assert redis_server.call("TYPE", key) == kind
    assert redis_server.call("EXISTS", *(stores.key(each) for each in ("line", "marks", "late"))) == 1


async def test_a_room_of_another_schema_is_refused_and_left_alone(redis_server, stores):
    redis_server.call("HSET", stores.key("line"), "schema", 99)
    assert "schema 99" in await refusal(stores(redis_server.url))
    assert redis_server.call("HGETALL", stores.key("line")) == {"schema": "99"}


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
async def test_a_server_that_may_throw_any_key_away_is_refused(policy, stores):
    with RedisServer(directives={"maxmemory": "100mb", "maxmemory-policy": policy}) as server:
        assert f"maxmemory-policy {policy}" in await refusal(stores(server.url))


async def test_a_room_in_a_slot_half_moved_is_refused_until_the_move_is_finished(redis_cluster, stores):
    key = stores.key("line")
    halves = redis_cluster.begin_migration(key)
    try:
        told = await refusal(stores(redis_cluster.url))
    finally:
        redis_cluster.end_migration(key, *halves)
    assert "half moved" in told
    assert "--cluster fix" in told
    assert (await stores(redis_cluster.url).open_room("hall", Limits())).epoch == 1


async def test_a_cluster_is_not_taken_for_a_single_server_nor_one_for_a_cluster(redis_cluster, redis_server, stores):
    node = redis_cluster.owner(stores.key("line"))
    assert "redis+cluster://" in await refusal(stores(node.url))
    assert "is no cluster" in await refusal(stores(f"redis+cluster://{redis_server.address}"))


async def test_tls_needs_a_certificate_that_can_be_verified(stores):
    with RedisServer(tls=True, password=SECRET) as server:
        assert "certificate" in await refusal(stores(server.url))
        assert (await stores(server.url, ca_file=server.ca_file).open_room("hall", Limits())).epoch == 1
        plain = server.url.replace("rediss:", "redis:")
        assert "cannot be reached" in await refusal(stores(plain), StoreUnavailable)


async def test_a_password_is_not_sent_to_who_shows_no_certificate(stores):
    heard = []

    async def serve(reader, writer):
        heard.append(await reader.read(1_000))
        writer.close()

    listener = await asyncio.start_server(serve, HOST, 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        await refusal(stores(f"rediss://:{SECRET}@{HOST}:{port}"), StoreUnavailable)
    assert heard
    assert SECRET.encode() not in b"".join(heard)


async def test_nobody_there_is_said_and_no_file_is_made_instead(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with RedisServer() as server:
        url = server.url_as("", SECRET)
    store = open_store(url)
    assert isinstance(store, RedisStore)
    for _ in range(4):
        assert server.address in await refusal(store, StoreUnavailable)
    await store.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["redis", "valkey"])
@pytest.mark.parametrize("lacking", ["bitop", "zrevrange", "unlink", "setrange", "hexists"])
async def test_what_a_script_would_lack_only_on_the_worst_day_is_told_at_the_start(kind, lacking, stores):
    with RedisServer(kind, acl=[f"{GATE} -{lacking}"]) as server:
        told = await refusal(stores(server.url_as("gate", SECRET)))
    assert f"lacks a permission ({lacking.upper()} on " in told


def test_every_command_of_the_scripts_is_asked_for_at_the_start():
    folder = files("gateway.store") / "lua"
    scripts = {path.name: path.read_text("utf-8") for path in folder.iterdir() if path.name.endswith(".lua")}
    asked = set(re.findall(r"'([A-Z]+)'", scripts.pop("permissions.lua"))) - {"OR"}
    used = set(re.findall(r"redis\.p?call\('([A-Z]+)'", "\n".join(scripts.values())))
    assert used == asked
