"""Servers run by the shipped files keep the line: by the user we name, and through the death of a primary."""

import asyncio
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import pytest
import redis

from gateway.room.model import Limits
from gateway.room.policy import plan_tick
from gateway.store.base import Admitted, Claim, PassRef, StoreUnavailable
from gateway.store.open import open_store
from gateway.tests.deployment.shipped import GATEWAY, SENTINELS_PASSWORD, ShippedSentinel, directives, users
from gateway.tests.redis.clusters import Cluster
from gateway.tests.redis.process import wait_for
from gateway.tests.redis.sentinels import NAME
from gateway.tests.redis.servers import RedisServer

ROOM = "hall"
FAR_MS = 10**14
PATIENCE_S = 60
USER = f"{GATEWAY[0]}:{GATEWAY[1]}@"


async def use(store) -> None:
    """Ask everything there is to ask."""
    room = await store.open_room(ROOM, Limits(total_active_users=1))
    assert len(await store.join(ROOM, [1, 2, None, None], expires_ms=FAR_MS)) == 4
    for _ in range(3):
        room = await store.load(ROOM)
        await store.commit(ROOM, plan_tick(room, room.now_ms), room.tick)
    room = await store.load(ROOM)
    epoch = room.epoch
    answers = await store.claim(ROOM, [Claim(epoch, place, f"pass{place}") for place in (1, 2)])
    assert isinstance(answers[0], Admitted)
    ref = PassRef(epoch, 1, "pass1")
    assert all([*await store.renew(ROOM, [ref]), *await store.look(ROOM, [ref])])
    assert await store.leave(ROOM, [(epoch, 4)]) == [True]
    await store.load(ROOM)
    assert await store.complete(ROOM, [ref], reason="completed") == [True]
    await store.count(ROOM, {"damaged": 1})
    await store.update_settings(ROOM, {"total_active_users": 2}, expected_version=None)
    await store.acknowledge(ROOM, epoch, 9)


async def until_it_answers(store):
    """The room, as soon as the store has it again."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(StoreUnavailable):
                return await store.load(ROOM)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_the_user_that_we_name_may_do_all_that_a_gateway_does_and_no_more(kind):
    with RedisServer(kind, acl=users()) as server:
        store = open_store(server.url_as(*GATEWAY), timeout_s=10)
        await use(store)
        before = await store.load(ROOM)
        # What a server has to be told that lost everything is more than all of this.
        await asyncio.to_thread(server.restart)
        assert (await until_it_answers(store)).tail >= before.tail
        await store.reset(ROOM, expected_version=None)
        await store.close()
        with redis.Redis.from_url(server.url_as(*GATEWAY)) as client:
            for command in (
                ["FLUSHALL"],
                ["CONFIG", "GET", "*"],
                ["KEYS", "*"],
                ["GET", "sunbeon:x"],
                ["HGET", "x", "y"],
            ):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*command)
        with redis.Redis.from_url(server.url) as stranger, pytest.raises(redis.exceptions.AuthenticationError):
            stranger.ping()


async def test_the_user_that_we_name_will_do_in_a_cluster():
    with Cluster(acl=users()) as cluster:
        store = open_store(cluster.url.replace("://", f"://{USER}"), timeout_s=10)
        await use(store)
        await store.close()


@pytest.mark.slow
async def test_servers_and_sentinels_by_the_shipped_files_replace_a_primary_that_dies():
    with ExitStack() as stack:
        settings: dict[str, Any] = {"acl": users(), "directives": directives()}
        primary = stack.enter_context(RedisServer("valkey", **settings))
        replicas = [stack.enter_context(RedisServer("valkey", replica_of=primary, **settings)) for _ in range(2)]
        for replica in replicas:
            replica.wait_for_primary()
        # By the programs' names for it: an option that a server does not know would have ended it.
        wait_for(lambda: int(primary.info("replication")["min_slaves_good_slaves"]) == 2, "both replicas are heard")
        sentinels = [stack.enter_context(ShippedSentinel("valkey", primary)) for _ in range(3)]
        for sentinel in sentinels:
            wait_for(partial(sentinel.is_content, replicas=2, sentinels=2), "a Sentinel knows all")
        hosts = ",".join(sentinel.address for sentinel in sentinels)
        url = f"redis+sentinel://{USER}{hosts}/{NAME}?min_replicas=1"
        store = open_store(url, timeout_s=10, sentinel_password=SENTINELS_PASSWORD)
        await use(store)
        before = await store.load(ROOM)
        primary.kill()
        after = await until_it_answers(store)
        assert (after.epoch, after.tail, after.serving) == (before.epoch, before.tail, before.serving)
        assert any(replica.is_primary for replica in replicas)
        await store.close()


async def test_a_primary_that_no_replica_is_heard_from_takes_no_writes():
    with ExitStack() as stack:
        primary = stack.enter_context(RedisServer(acl=users(), directives={**directives(), "min-replicas-max-lag": 1}))
        replica = stack.enter_context(RedisServer(acl=users(), directives=directives(), replica_of=primary))
        replica.wait_for_primary()
        wait_for(lambda: int(primary.info("replication")["min_slaves_good_slaves"]) == 1, "the replica is heard")
        store = open_store(primary.url_as(*GATEWAY), timeout_s=10)
        await use(store)
        replica.freeze()
        wait_for(lambda: int(primary.info("replication")["min_slaves_good_slaves"]) == 0, "it is missed")
        with pytest.raises(StoreUnavailable, match="min-replicas-to-write"):
            await store.join(ROOM, [3], expires_ms=FAR_MS)
        replica.thaw()
        wait_for(lambda: int(primary.info("replication")["min_slaves_good_slaves"]) == 1, "it is heard again")
        assert await store.join(ROOM, [3], expires_ms=FAR_MS)
        await store.close()
