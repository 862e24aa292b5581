"""A server that answers an upload without reading it, and closes: its answer is there, though our next write fails.

On both event loops, because it hangs on what they do when a write fails.
"""

import asyncio
from collections import Counter

import pytest
import uvloop

from gateway.edge.tests.backend import Backend, running
from gateway.edge.tests.front import Answer, Connection, front

BODY = b"x" * 3_000_000
HEAD = f"POST /x HTTP/1.1\r\nHost: site.test\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3000\r\nConnection: close\r\n\r\n" + b"n" * 3000


async def refuse(_, writer) -> None:
    """Answer the head, and close over a body that nobody read: the kernel sends a reset behind the answer."""
    writer.transport.pause_reading()
    writer.write(REFUSAL)
    writer.close()


async def post(port: int) -> Answer:
    connection = await Connection.open(port)
    sending = asyncio.create_task(connection.send(HEAD + BODY))
    try:
        return await connection.answer()
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await connection.close()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_it_is_heard_and_nobody_is_blamed(loop, tmp_path):
    async def carry() -> tuple[Counter[int], list[Answer]]:
        async with (
            running(Backend(act=refuse, early=True)) as backend,
            front(tmp_path, [backend], rooms=[{"state": "passthrough"}], upstream={"passive_fails": 1}) as site,
        ):
            answers = [await post(site.port) for _ in range(20)]
            backend.act = None
            # A server that rested would be known by a trial in which nobody else may take part.
            assert not any(server.resting for server in site.upstreams.state())
            return Counter(each.status for each in answers), answers

    with asyncio.Runner(loop_factory=loop) as runner:
        statuses, answers = runner.run(carry())
    assert statuses == {403: 20}
    assert all(each.clean and each.body == b"n" * 3000 for each in answers)
