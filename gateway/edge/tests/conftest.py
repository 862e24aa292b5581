"""A recording backend, and gateways before it."""

from contextlib import AsyncExitStack

import pytest

from gateway.edge.tests.backend import Backend, running
from gateway.edge.tests.front import front


@pytest.fixture
async def stack():
    async with AsyncExitStack() as made:
        yield made


@pytest.fixture
async def backend(stack):
    return await stack.enter_async_context(running(Backend()))


@pytest.fixture
def start(stack, backend, tmp_path):
    """Start a gateway before the backend (or `backends`): see `front.front`."""

    async def start_one(*, backends=None, **more):
        return await stack.enter_async_context(front(tmp_path, backends or [backend], **more))

    return start_one


@pytest.fixture
async def site(start):
    """A gateway with one room that has one seat."""
    return await start()
