"""Whatever befalls a server: answers are bounded, failures have words, what was told stays true."""

import asyncio
from dataclasses import replace

import pytest
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as LostConnection

from gateway.room.model import Limits
from gateway.store.base import Admitted, Claim, PassRef, StoreMisconfigured, StoreUnavailable
from gateway.store.redis_link import failure
from gateway.store.tests.plans import opening_plan
from gateway.tests.redis.proxy import SlowProxy
from gateway.tests.redis.servers import RedisServer

SECRET = "hunter2"
FAR = 10**15
LIMITS = Limits(total_active_users=100)
# A call is bounded by its store's timeout; only one that is not bounded at all takes longer than this.
BOUND_S = 30
SHORT_S = 0.2
# Half of it is for the replicas.
WAITING_S = 0.8


@pytest.fixture(params=["redis", "valkey"])
def server(request):
    with RedisServer(request.param, aof=True, password=SECRET) as server:
        yield server


async def refused(call):
    """What a call is told that must fail, in a bounded time."""
    with pytest.raises(StoreUnavailable) as refusal:
        async with asyncio.timeout(BOUND_S):
            await call
    assert SECRET not in str(refusal.value)
    return str(refusal.value)


async def asked_again(ask):
    """As a gateway does: once more, until the store answers."""
    async with asyncio.timeout(BOUND_S):
        while True:
            try:
                return await ask()
            except StoreUnavailable:
                await asyncio.sleep(0.01)


async def with_people(store, people=3):
    """The room with so many in its line, all called, nobody in."""
    await store.open_room("hall", LIMITS)
    assert list(await store.join("hall", list(range(people)), expires_ms=FAR)) == list(range(1, people + 1))
    snapshot = await store.load("hall")
    assert (await store.commit("hall", opening_plan(snapshot), snapshot.tick))[0]
    return store


def hurried(store, timeout_s=SHORT_S):
    """From now on answers must come sooner: not for the work before, which a busy machine may take longer for."""
    store._link._timeout_s = timeout_s
    return store


def claim(store, place, pass_id):
    return store.claim("hall", [Claim(1, place, pass_id)])


# --- A server without memory, replicas, or answers ---


async def test_a_server_out_of_memory_does_nothing_by_halves_and_lets_people_go(server, stores):
    store = await with_people(stores(server.url))
    assert isinstance((await claim(store, 1, "a"))[0], Admitted)
    assert await store.leave("hall", [(1, 3)]) == [True]
    before = await store.load("hall")
    server.call("CONFIG", "SET", "maxmemory", "1")
    try:
        assert "out of memory (maxmemory)" in await refused(store.join("hall", [7], expires_ms=FAR))
        assert "out of memory" in await refused(claim(store, 2, "b"))
        assert "out of memory" in await refused(store.commit("hall", opening_plan(before), before.tick))
    finally:
        server.call("CONFIG", "SET", "maxmemory", "0")
    assert replace(await store.load("hall"), now_ms=before.now_ms) == before
    assert await store.join("hall", [7], expires_ms=FAR) == [4]


async def test_a_server_without_the_replicas_it_wants_takes_nothing(server, stores):
    store = await with_people(stores(server.url))
    server.call("CONFIG", "SET", "min-replicas-to-write", "1")
    assert "min-replicas-to-write" in await refused(store.join("hall", [7], expires_ms=FAR))
    assert "min-replicas-to-write" in await refused(claim(store, 1, "a"))
    server.call("CONFIG", "SET", "min-replicas-to-write", "0")
    assert await store.join("hall", [7], expires_ms=FAR) == [4]
    assert (await claim(store, 1, "b"))[0].grant.pass_id == "b"


async def test_what_min_replicas_do_not_confirm_is_not_told_however_often_it_is_asked(server, stores):
    alone = stores(server.url, options="&min_replicas=1", timeout_s=WAITING_S)
    for _ in range(2):
        # (The first time the server did not know the script, and two waits were one too many.)
        told = await refused(alone.open_room("hall", LIMITS))
    assert "0 of 1 replicas (min_replicas)" in told
    with RedisServer(server.kind, replica_of=server, password=SECRET) as replica:
        replica.wait_for_primary()
        store = hurried(await with_people(stores(server.url, options="&min_replicas=1")), WAITING_S)
        stranger = hurried(stores(server.url, options="&min_replicas=1"), WAITING_S)
        await asked_again(lambda: stranger.open_room("hall", LIMITS))
        replica.freeze()
        for _ in range(3):
            told = [await refused(store.join("hall", [7], expires_ms=FAR)), await refused(claim(store, 1, "a"))]
        assert all("0 of 1 replicas (min_replicas)" in each for each in told)
        # A gateway whose connection has written nothing of it.
        assert "0 of 1 replicas" in await refused(claim(stranger, 1, "b"))
        replica.thaw()
        (answer,) = await asked_again(lambda: claim(store, 1, "b"))
        assert (answer.grant.pass_id, answer.fresh) == ("a", False)
        assert await asked_again(lambda: store.join("hall", [7], expires_ms=FAR)) == [4]


async def test_a_frozen_server_costs_a_bounded_time_and_then_none(server, stores):
    store = hurried(await with_people(stores(server.url)))
    server.freeze()
    assert "no answer in time" in await refused(store.join("hall", [7], expires_ms=FAR))
    assert "no answer in time" in await refused(claim(store, 1, "a"))
    # From now on nobody waits: of many who ask, one may try.
    told = await asyncio.gather(*(refused(store.load("hall")) for _ in range(100)))
    assert sum("does not answer" in each for each in told) >= 99
    server.thaw()
    # What it was sent while it was frozen it may have done: the same people get the same.
    assert await asked_again(lambda: store.join("hall", [7, 8], expires_ms=FAR)) == [4, 5]
    (answer,) = await asked_again(lambda: claim(store, 1, "a"))
    assert answer.grant.pass_id == "a"


async def test_an_answer_that_comes_too_late_is_never_taken_for_another(server, stores):
    async with SlowProxy(server) as proxy:
        store = hurried(await with_people(stores(proxy.url)))
        proxy.delay_s = 2.0
        for knock in range(10, 14):
            await refused(store.join("hall", [knock], expires_ms=FAR))
        proxy.delay_s = 0.0
        for _ in range(20):
            assert (await asked_again(lambda: store.load("hall"))).epoch == 1
            assert await asked_again(lambda: store.look("hall", [PassRef(1, 1, "a")])) == [None]
        numbers = await asked_again(lambda: store.join("hall", [10, 11, 12, 13], expires_ms=FAR))
        assert len(set(numbers)) == 4
        assert min(numbers) == 4


async def test_an_answer_nobody_waits_for_any_more_is_never_taken_for_another(server, stores):
    async with SlowProxy(server) as proxy:
        store = await with_people(stores(proxy.url))
        proxy.delay_s = 0.1
        asking = [asyncio.ensure_future(store.join("hall", [each], expires_ms=FAR)) for each in range(10, 30)]
        await asyncio.sleep(0.02)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        proxy.heal()
        assert {snapshot.epoch for snapshot in await asyncio.gather(*(store.load("hall") for _ in range(20)))} == {1}
        assert await store.look("hall", [PassRef(1, 1, "a")]) == [None]


async def test_a_connection_reset_amid_calls_fails_them_and_no_others(server, stores):
    async with SlowProxy(server, delay_s=0.05) as proxy:
        store = await with_people(stores(proxy.url))
        asking = [asyncio.ensure_future(store.join("hall", [each], expires_ms=FAR)) for each in range(10, 20)]
        await asyncio.sleep(0.02)
        proxy.cut()
        for answer in await asyncio.gather(*asking, return_exceptions=True):
            assert isinstance(answer, StoreUnavailable | list)
        proxy.heal()
        numbers = await asked_again(lambda: store.join("hall", list(range(10, 20)), expires_ms=FAR))
        assert sorted(numbers) == list(range(4, 14))


# --- A server that comes back ---


async def test_scripts_that_a_server_forgot_are_sent_again(server, stores):
    store = await with_people(stores(server.url))
    for place in (1, 2, 3):
        server.call("SCRIPT", "FLUSH")
        assert isinstance((await claim(store, place, "a"))[0], Admitted)


async def test_connections_that_were_cut_are_made_again(server, stores):
    store = await with_people(stores(server.url))
    for knock in range(10, 15):
        server.cut_connections()
        numbers = await asked_again(lambda: store.join("hall", [knock], expires_ms=FAR))  # noqa: B023
        assert numbers == [knock - 6]


async def test_a_server_killed_and_started_again_knows_all_that_was_told(server, stores):
    store = await with_people(stores(server.url, patience_ms=1_000))
    (told,) = await claim(store, 1, "a")
    server.kill()
    assert "cannot be reached" in await refused(store.load("hall"))
    server.restart()
    (again,) = await asked_again(lambda: claim(store, 1, "b"))
    assert again.grant.pass_id == told.grant.pass_id
    assert await asked_again(lambda: store.join("hall", [0, 7], expires_ms=FAR)) == [1, 4]


async def test_a_store_that_was_closed_says_so(redis_server, stores):
    store = await with_people(stores(redis_server.url))
    await store.close()
    assert "was closed" in await refused(store.load("hall"))
    await store.close()


async def test_closing_a_store_whose_server_is_frozen_takes_a_bounded_time(server, stores):
    store = stores(server.url)
    for room in range(20):
        await store.open_room(f"hall{room}", LIMITS)
    server.freeze()
    async with asyncio.timeout(5):
        await store.close()
    server.thaw()


# --- Words ---


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OutOfMemoryError("command not allowed"), StoreUnavailable, "out of memory"),
        (BusyLoadingError("Redis is loading"), StoreUnavailable, "loading"),
        (MasterDownError("Link with MASTER is down"), StoreUnavailable, "lost its primary"),
        (ClusterDownError("Hash slot not served"), StoreUnavailable, "slots without a server"),
        (TryAgainError("Multiple keys request during rehashing of slot"), StoreUnavailable, "being moved"),
        (AskError("5 host:1"), StoreUnavailable, "being moved"),
        (ResponseError("WRONGTYPE Operation against a key"), StoreUnavailable, "another type"),
        (ResponseError("MISCONF Errors writing to the AOF file"), StoreUnavailable, "save to its disk"),
        (ResponseError("BUSY Redis is busy running a script"), StoreUnavailable, "busy with a script"),
        (ResponseError("whatever else"), StoreUnavailable, "refuses a command (whatever else)"),
        (ReadOnlyError("READONLY"), StoreUnavailable, "read-only replica"),
        (NoPermissionError("no permissions"), StoreMisconfigured, "lacks a permission"),
        (LostConnection("Connection refused"), StoreUnavailable, "cannot be reached (Connection refused)"),
        (OSError(), StoreUnavailable, "cannot be reached (OSError)"),
        (TimeoutError(), StoreUnavailable, "no answer in time"),
    ],
)
def test_every_failure_names_the_server_and_what_is_the_matter(error, kind, words):
    told = failure("host:1", error)
    assert type(told) is kind
    assert str(told).startswith("host:1: ")
    assert words in str(told)


async def test_a_server_that_is_loading_its_data_is_called_so(server, stores):
    store = await with_people(stores(server.url))
    # It looks up from its file every 1,024 commands.
    server.call("EVAL", "for i = 1, 8 * 1024 do redis.call('SET', 'filler' .. i, i) end", 0)
    server.call("CONFIG", "SET", "key-load-delay", 100)
    server.call("CONFIG", "REWRITE")
    server.kill()
    await asyncio.to_thread(server.start)
    told = set()
    async with asyncio.timeout(BOUND_S):
        while True:
            try:
                assert (await store.load("hall")).tail == 3
                break
            except StoreUnavailable as refusal:
                told.add(str(refusal))
            await asyncio.sleep(0.02)
    assert any("is loading its data" in each for each in told), told
