"""Servers that tests share: one of each per process, started for the first test that wants it.

A conftest takes them up by `from gateway.tests.redis.fixtures import redis_server, valkey_server, redis_cluster`.
Whoever shares keeps to `fresh_name()` and leaves the server as it was; to kill, freeze or empty one, start one's own.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from gateway.tests.redis.clusters import Cluster
from gateway.tests.redis.servers import RedisServer

T = TypeVar("T")

_SHARED: pytest.StashKey[dict[str, Any]] = pytest.StashKey()


def shared(config: pytest.Config, name: str, make: Callable[[], AbstractContextManager[T]]) -> T:
    """The one of that name in this process, whichever conftest asks; it ends with the run."""
    running = config.stash.setdefault(_SHARED, {})
    if name not in running:
        stack = ExitStack()
        running[name] = stack.enter_context(make())
        config.add_cleanup(stack.close)
    found: T = running[name]
    return found


def fresh_name() -> str:
    """A room's name, or the beginning of a key, that nobody else has."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> RedisServer:
    return shared(request.config, "redis", RedisServer)


@pytest.fixture(scope="session")
def valkey_server(request: pytest.FixtureRequest) -> RedisServer:
    return shared(request.config, "valkey", lambda: RedisServer("valkey"))


@pytest.fixture(scope="session")
def redis_cluster(request: pytest.FixtureRequest) -> Cluster:
    return shared(request.config, "cluster", Cluster)
