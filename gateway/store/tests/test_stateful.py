"""`line_machine` on SQLite alone, and beside each kind of real server, of its own: they are killed and moved.

More than the usual: `STATEFUL_EXAMPLES=1000 pytest gateway/store/tests/test_stateful.py`.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from gateway.store.tests.line_machine import LineMachine
from gateway.store.tests.sides import Clocks, RedisSide, Side, SqliteSide
from gateway.tests.redis.clusters import Cluster
from gateway.tests.redis.servers import RedisServer

EXAMPLES: Final = 40
EXAMPLES_OF_SERVERS: Final = 20


def run(sides: Callable[[Clocks], Sequence[Side]], examples: int) -> None:
    profile = settings(
        max_examples=int(os.environ.get("STATEFUL_EXAMPLES", examples)),
        stateful_step_count=50,
        deadline=None,
        database=None,
        derandomize="CI" in os.environ,
        suppress_health_check=[HealthCheck.too_slow],
    )
    # It takes anything that makes a machine.
    run_state_machine_as_test(lambda: LineMachine(sides), settings=profile)  # type: ignore[arg-type]


@pytest.fixture(params=["redis", "valkey", "cluster"])
def servers(request: pytest.FixtureRequest) -> Iterator[RedisServer | Cluster]:
    with Cluster() if request.param == "cluster" else RedisServer(request.param, aof=True) as servers:
        yield servers


def test_whatever_is_done_sqlite_and_the_model_agree():
    run(lambda clocks: [SqliteSide(clocks)], EXAMPLES)


@pytest.mark.slow
def test_whatever_is_done_and_befalls_the_servers_sqlite_and_they_and_the_model_agree(servers):
    run(lambda clocks: [SqliteSide(clocks), RedisSide(clocks, servers)], EXAMPLES_OF_SERVERS)
