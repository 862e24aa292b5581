"""A task that asks the store can be ended: what bounds every answer, and what a gateway stops by, rests on that."""

import asyncio
import random

import pytest

from gateway.room.model import Limits
from gateway.store.open import open_store
from gateway.store.redis import RedisStore

TIMES = 200
LONGEST_ASKED_S = 0.004
PATIENCE_S = 10


@pytest.mark.parametrize("server", ["redis_server", "valkey_server"])
async def test_a_task_that_is_cancelled_while_it_asks_the_store_ends(server, request):
    store = open_store(request.getfixturevalue(server).url + "?prefix=cancelled", timeout_s=PATIENCE_S)
    assert isinstance(store, RedisStore)
    await store.open_room("hall", Limits())

    async def ask() -> None:
        while True:
            await store.load("hall")

    for _ in range(TIMES):
        task = asyncio.create_task(ask())
        await asyncio.sleep(random.uniform(0, LONGEST_ASKED_S))
        task.cancel()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled(), task.exception()
    await store.close()
