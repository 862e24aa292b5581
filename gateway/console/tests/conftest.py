"""A gateway whose operator API is asked over real HTTP."""

from contextlib import AsyncExitStack

import pytest

from gateway.edge.tests.backend import Backend, running
from gateway.edge.tests.front import front


@pytest.fixture
async def site(tmp_path):
    """Two rooms, `north` and `south`, before one backend."""
    rooms = [{"name": "north", "paths": ["/n"]}, {"name": "south", "paths": ["/s"]}]
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(running(Backend()))
        yield await stack.enter_async_context(front(tmp_path, [backend], rooms=rooms, faulty=True))
