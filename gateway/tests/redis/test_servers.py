"""Each control of the servers does what it says: what is shown by breaking them rests on that."""

import asyncio
import os
import select
import shutil
import socket
import subprocess
import sys
from contextlib import closing, suppress
from importlib import metadata
from pathlib import Path

import pytest
import redis
import redis.asyncio
import redis.sentinel
import uvloop

from gateway.tests.redis import process
from gateway.tests.redis.clusters import Cluster, slot_of
from gateway.tests.redis.fixtures import fresh_name
from gateway.tests.redis.process import HOST
from gateway.tests.redis.proxy import SlowProxy
from gateway.tests.redis.sentinels import NAME, SentinelSet
from gateway.tests.redis.servers import RedisServer
from gateway.tests.redis.watcher import running_in
from gateway.tests.stand import DidNotHappen, until

STEP_S = 600
# Enough for an answer that is on its way to come.
MOMENT_S = 0.1
# Between two looks at a clock, on a busy machine.
LATE_S = 30


def connected(server) -> socket.socket:
    return socket.create_connection((HOST, server.port), timeout=process.CALL_TIMEOUT_S)


def is_silent(sock) -> bool:
    return not select.select([sock], [], [], MOMENT_S)[0]


@pytest.mark.parametrize("kind", ["redis", "valkey"])
@pytest.mark.parametrize(
    "settings", [{}, {"unix_socket": True}, {"password": "a b/c@d"}], ids=["port", "unix socket", "password"]
)
def test_a_server_serves_at_its_url(kind, settings):
    with RedisServer(kind, **settings) as server, redis.Redis.from_url(server.url) as client:
        assert client.info("server")["process_id"] == server.pid


def test_a_tls_server_shows_a_certificate_that_can_be_verified():
    with RedisServer(tls=True) as server:
        with redis.Redis.from_url(server.url, ssl_ca_certs=str(server.ca_file)) as client:
            assert client.ping()
        with redis.Redis.from_url(server.url) as stranger, pytest.raises(redis.ConnectionError, match="CERTIFICATE"):
            stranger.ping()


def test_a_user_of_an_acl_file_may_do_what_it_says():
    with RedisServer(acl=["user gate on >secret ~sunbeon:* +set", "user default off"]) as server:
        with redis.Redis.from_url(server.url_as("gate", "secret")) as gate:
            assert gate.set("sunbeon:a", 1)
            with pytest.raises(redis.exceptions.NoPermissionError):
                gate.set("other", 1)
        with redis.Redis.from_url(server.url) as nobody, pytest.raises(redis.AuthenticationError):
            nobody.ping()
        assert server.call("GET", "sunbeon:a") == "1"


@pytest.mark.parametrize("kind", ["redis", "valkey"])
@pytest.mark.parametrize("aof", [True, False])
def test_a_killed_server_comes_back_where_it_was_with_what_its_file_kept(kind, aof):
    with RedisServer(kind, aof=aof) as server:
        address, pid = server.address, server.pid
        server.call("SET", "a", "1")
        server.kill()
        assert not server.runs
        with pytest.raises(redis.ConnectionError):
            server.call("PING")
        server.restart()
        assert server.address == address
        assert server.pid != pid
        assert server.call("GET", "a") == ("1" if aof else None)


def test_nobody_else_is_given_the_port_of_a_server_that_is_down(monkeypatch):
    with RedisServer() as server:
        server.stop()
        other, holder = process.reserve_port()
        holder.close()
        monkeypatch.setattr(process, "PORTS", [*[server.port] * 9, other])
        port, holder = process.reserve_port()
        holder.close()
        assert port == other


def test_a_frozen_server_takes_questions_and_answers_them_when_it_thaws():
    with RedisServer() as server, connected(server) as sock:
        server.freeze()
        sock.sendall(b"PING\r\n")
        assert is_silent(sock)
        with connected(server) as newcomer:
            newcomer.sendall(b"PING\r\n")
            assert is_silent(newcomer)
            server.thaw()
            assert sock.recv(100) == newcomer.recv(100) == b"+PONG\r\n"


def test_cut_connections_are_closed_and_new_ones_served():
    with RedisServer() as server, connected(server) as asking, connected(server) as listening:
        asking.sendall(b"PING\r\n")
        listening.sendall(b"SUBSCRIBE a\r\n")
        assert asking.recv(100)
        assert listening.recv(100)
        assert server.cut_connections() == 2
        assert asking.recv(100) == listening.recv(100) == b""
        assert server.call("PING")


def test_a_clock_steps_by_what_is_said_and_with_it_what_expires():
    def now():
        return server.call("TIME")[0]

    with RedisServer("valkey", clock_offset_s=0, aof=True) as server:
        server.call("SET", "a", "1", "EX", STEP_S - LATE_S)
        before = now()
        server.step_clock(-STEP_S)
        assert -STEP_S <= now() - before < -STEP_S + LATE_S
        assert server.call("GET", "a")
        server.step_clock(2 * STEP_S)
        assert STEP_S <= now() - before < STEP_S + LATE_S
        assert server.call("GET", "a") is None
        server.restart()
        assert STEP_S <= now() - before < STEP_S + LATE_S


def test_a_server_that_cannot_start_says_why_and_leaves_nothing():
    server = RedisServer(directives={"nonsense": 1})
    with pytest.raises(DidNotHappen, match="Bad directive"):
        server.__enter__()
    assert not server.folder.exists()


def is_alive(pid) -> bool:
    """Without a command line it is dead, and only counted until somebody asks for its exit code."""
    with suppress(FileNotFoundError):
        return bool(Path("/proc", pid, "cmdline").read_bytes())
    return False


SCRIPT = """
from gateway.tests.redis.servers import RedisServer

with RedisServer("redis") as one, RedisServer("redis") as two:
    two.freeze()
    print(one.pid, two.pid, one.folder, two.folder, flush=True)
    input()
"""


def test_a_test_that_is_killed_leaves_neither_servers_nor_files(redis_server):
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as test:
        assert test.stdout is not None
        one, two, *folders = test.stdout.readline().split()
        assert all(map(is_alive, (one, two)))
        test.kill()
    until(lambda: not any(map(os.path.exists, folders)), "the folders are gone")
    assert not any(map(is_alive, (one, two)))
    assert running_in(redis_server.folder) == [redis_server.pid]


@pytest.mark.parametrize(("environ", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_a_missing_program_skips_at_home_and_fails_in_ci(monkeypatch, kind, environ, outcome):
    monkeypatch.setenv("CI", environ)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(metadata, "files", lambda _: [])
    with pytest.raises(outcome, match=r"no redis-server|no Valkey"):
        process.program(kind)


@pytest.mark.parametrize(("kind", "rounds"), [("redis", 2), ("valkey", 1)])
def test_sentinels_put_a_replica_in_the_place_of_a_killed_primary_again_and_again(kind, rounds):
    with SentinelSet(kind, password="secret") as servers:
        addresses = [(HOST, sentinel.port) for sentinel in servers.sentinels]
        clients = redis.sentinel.Sentinel(addresses, protocol=2)
        for count in range(rounds):
            servers.primary().call("INCR", "a")
            servers.primary().call("WAIT", 2, 0)
            killed = servers.kill_primary()
            new, _ = servers.await_promotion(killed)
            assert new is not killed
            assert new is servers.primary()
            with closing(clients.master_for(NAME, password="secret", protocol=2)) as client:
                assert client.get("a") == str(count + 1).encode()
            servers.revive(killed)
            assert not killed.is_primary
            assert killed.call("GET", "a") == str(count + 1)
        for sentinel in clients.sentinels:
            sentinel.close()


@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_a_slot_half_on_its_way_refers_its_clients_to_the_other_node(kind):
    with Cluster(kind) as cluster:
        room = fresh_name()
        here, there, new = f"{{{room}}}here", f"{{{room}}}there", f"{{{room}}}new"
        owner = cluster.owner(room)
        owner.call("MSET", here, "1", there, "2")
        source, target = cluster.begin_migration(room)
        assert source is owner
        assert target is not owner
        cluster.move_key(there, source, target)
        assert source.call("GET", here) == "1"
        with pytest.raises(redis.exceptions.AskError):
            source.call("SET", new, "3")
        with pytest.raises(redis.exceptions.TryAgainError):
            source.call("MGET", here, there)
        with pytest.raises(redis.exceptions.MovedError):
            target.call("GET", there)
        cluster.end_migration(room, source, target)
        assert cluster.owner(room) is target
        assert target.call("MGET", here, there) == ["1", "2"]
        with pytest.raises(redis.exceptions.MovedError):
            source.call("GET", here)


def test_keys_are_spread_over_three_nodes(redis_cluster):
    keys = {slot_of(key): key for key in ("a", "b", "c")}
    assert len({redis_cluster.owner(key).port for key in keys.values()}) == 3


def test_a_replica_takes_the_slots_of_a_killed_node():
    with Cluster("valkey", replicas=True, node_timeout_ms=1_000) as cluster:
        killed = cluster.owner("a")
        killed.call("SET", "a", "1")
        killed.call("WAIT", 1, 0)
        killed.kill()
        until(lambda: cluster.owner("a") is not killed, "a replica has the slots")
        cluster.wait_until_well()
        assert cluster.owner("a").call("GET", "a") == "1"


def test_a_cluster_without_replicas_is_down_when_a_node_is_and_well_when_it_is_back():
    with Cluster(node_timeout_ms=1_000) as cluster:
        killed, other = cluster.owner("a"), cluster.other("a")
        killed.kill()
        until(lambda: "cluster_state:fail" in other.call("CLUSTER", "INFO"), "the cluster is down")
        killed.start()
        cluster.wait_until_well()
        assert cluster.owner("a") is killed


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


async def through(proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    writer.write(b"PING\r\n")
    assert await reader.readline() == b"+PONG\r\n"
    return reader, writer


def test_answers_come_later_by_the_delay_and_in_their_order(run, redis_server):
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with SlowProxy(redis_server) as proxy:
            reader, writer = await through(proxy)
            proxy.delay_s = 0.3
            begun = loop.time()
            writer.write(b"ECHO a\r\nECHO b\r\n")
            await asyncio.sleep(MOMENT_S)
            proxy.delay_s = 0.0
            writer.write(b"ECHO c\r\n")
            assert [(await reader.readline())[:1] + await reader.readline() for _ in "abc"] == [
                b"$a\r\n",
                b"$b\r\n",
                b"$c\r\n",
            ]
            # uvloop's clock is one of milliseconds.
            assert loop.time() - begun > 0.298
            writer.close()

    run(scenario())


def has_one_client(server) -> bool:
    """The one that asks."""
    return bool(server.info("clients")["connected_clients"] == 1)


def test_a_cut_line_resets_both_ends_and_carries_new_connections(run):
    async def scenario() -> None:
        with RedisServer() as server:
            async with SlowProxy(server) as proxy:
                reader, writer = await through(proxy)
                proxy.cut()
                with pytest.raises(ConnectionResetError):
                    await reader.readline()
                writer.close()
                await asyncio.to_thread(until, lambda: has_one_client(server), "the server's end is closed")
                (await through(proxy))[1].close()

    run(scenario())


def test_a_black_hole_carries_nothing_until_it_heals(run, redis_server):
    async def scenario() -> None:
        async with SlowProxy(redis_server) as proxy:
            before = await through(proxy)
            proxy.blackhole()
            newcomer = await asyncio.open_connection(HOST, proxy.port)
            for _, writer in before, newcomer:
                writer.write(b"PING\r\n")
            reads = [asyncio.ensure_future(reader.readline()) for reader, _ in (before, newcomer)]
            assert not (await asyncio.wait(reads, timeout=MOMENT_S))[0]
            proxy.heal()
            assert await asyncio.gather(*reads) == [b"+PONG\r\n"] * 2
            for _, writer in before, newcomer:
                writer.close()

    run(scenario())


def test_a_line_to_a_server_that_is_down_is_closed(run):
    async def scenario() -> None:
        with RedisServer(password="secret") as server:
            async with SlowProxy(server) as proxy:
                async with redis.asyncio.Redis.from_url(proxy.url) as client:
                    assert await client.ping()
                server.kill()
                reader, writer = await asyncio.open_connection(HOST, proxy.port)
                assert await reader.read() == b""
                writer.close()

    run(scenario())
