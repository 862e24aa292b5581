"""Which server has a room, while servers come, go and change places."""

import asyncio

import pytest

from gateway.room.model import Limits
from gateway.store.base import Claim, StoreMisconfigured, StoreUnavailable
from gateway.store.tests.plans import opening_plan
from gateway.tests.redis.clusters import Cluster
from gateway.tests.redis.process import HOST
from gateway.tests.redis.sentinels import NAME, SentinelSet

FAR = 10**15
LIMITS = Limits()
BOUND_S = 60
SECRET = "hunter2"


async def asked_again(ask):
    """As a gateway does: once more, until the store answers."""
    async with asyncio.timeout(BOUND_S):
        while True:
            try:
                return await ask()
            except StoreUnavailable:
                await asyncio.sleep(0.05)


async def opened(store, *rooms):
    for room in rooms:
        await store.open_room(room, LIMITS)
    return store


async def with_somebody_in(store):
    await opened(store, "hall")
    assert await store.join("hall", [7], expires_ms=FAR) == [1]
    snapshot = await store.load("hall")
    assert (await store.commit("hall", opening_plan(snapshot), snapshot.tick))[0]
    (answer,) = await store.claim("hall", [Claim(1, 1, "a")])
    assert answer.fresh
    return store


async def still_in(store):
    (answer,) = await asked_again(lambda: store.claim("hall", [Claim(1, 1, "b")]))
    assert (answer.grant.pass_id, answer.fresh) == ("a", False)
    assert await asked_again(lambda: store.join("hall", [7], expires_ms=FAR)) == [1]


# --- Sentinel ---


async def test_a_promoted_server_is_found_and_has_everybody_and_no_number_twice(stores):
    with SentinelSet(password=SECRET) as servers:
        url = servers.url.replace("://", f"://:{SECRET}@")
        store = await with_somebody_in(stores(url, patience_ms=1_000))
        for knock in range(2):
            old = servers.kill_primary()
            await asyncio.to_thread(servers.await_promotion, old)
            await still_in(store)
            number = await asked_again(lambda: store.join("hall", [100 + knock], expires_ms=FAR))  # noqa: B023
            assert number == [2 + knock]
            if knock == 0:
                await asyncio.to_thread(servers.revive, old)


async def test_sentinels_that_are_gone_or_hang_are_passed_over(stores):
    with SentinelSet() as servers:
        servers.sentinels[0].kill()
        servers.sentinels[1].freeze()
        store = await with_somebody_in(stores(servers.url, timeout_s=2))
        for server in servers.servers:
            server.cut_connections()
        await still_in(store)
        servers.sentinels[1].thaw()


async def test_a_name_that_no_sentinel_knows_is_told(stores):
    with SentinelSet() as servers:
        with pytest.raises(StoreUnavailable, match="other"):
            await stores(servers.url.replace(f"/{NAME}", "/other")).open_room("hall", LIMITS)
        with pytest.raises(StoreMisconfigured, match="no sentinel"):
            await stores(f"redis+sentinel://{servers.servers[0].address}/{NAME}").open_room("hall", LIMITS)


# --- Cluster ---


async def test_a_room_whose_slot_has_moved_is_found_where_it_is_now(redis_cluster, stores):
    store = await with_somebody_in(stores(redis_cluster.url))
    key = stores.key("line")
    for _ in range(3):
        redis_cluster.end_migration(key, *redis_cluster.begin_migration(key))
        await still_in(store)
    assert (await asked_again(lambda: store.load("hall"))).tail == 1


async def test_a_room_whose_slot_is_on_its_way_waits_and_loses_nobody(redis_cluster, stores):
    store = await with_somebody_in(stores(redis_cluster.url))
    key = stores.key("line")
    source, target = redis_cluster.begin_migration(key)
    redis_cluster.move_key(stores.key("marks"), source, target)
    with pytest.raises(StoreUnavailable, match="being moved to another server"):
        await store.join("hall", [8], expires_ms=FAR)
    redis_cluster.end_migration(key, source, target)
    await still_in(store)
    assert await asked_again(lambda: store.join("hall", [8], expires_ms=FAR)) == [2]


async def test_one_node_is_enough_to_find_the_cluster_and_one_that_is_gone_does_no_harm(redis_cluster, stores):
    owner = redis_cluster.owner(stores.key("line"))
    other = redis_cluster.other(stores.key("line"))
    await with_somebody_in(stores(f"redis+cluster://{other.address}"))
    await still_in(await opened(stores(f"redis+cluster://{HOST}:1,{owner.address}"), "hall"))


async def test_a_server_of_a_cluster_that_is_gone_takes_only_its_rooms_along(stores):
    with Cluster(node_timeout_ms=60_000) as cluster:
        rooms = [f"hall{each}" for each in range(12)]
        store = await opened(stores(cluster.url, timeout_s=2), *rooms)
        owners = {room: cluster.owner(stores.key("line", room)) for room in rooms}
        lost = owners[rooms[0]]
        elsewhere = [room for room in rooms if owners[room] is not lost]
        assert elsewhere
        lost.freeze()
        for _ in range(5):
            with pytest.raises(StoreUnavailable):
                await store.load(rooms[0])
            for room in elsewhere:
                assert (await store.load(room)).epoch == 1
        lost.thaw()
        assert (await asked_again(lambda: store.load(rooms[0]))).epoch == 1


async def test_a_replica_that_takes_over_in_a_cluster_is_found(stores):
    with Cluster(replicas=True, node_timeout_ms=1_000) as cluster:
        store = await with_somebody_in(stores(cluster.url, patience_ms=1_000))
        owner = cluster.owner(stores.key("line"))
        # What is not replicated yet is another test's business.
        assert owner.call("WAIT", 1, 5_000) == 1
        owner.kill()
        await still_in(store)
