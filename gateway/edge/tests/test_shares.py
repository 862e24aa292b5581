"""What one client network may hold of the backend, streams included: a share, so that the others get through."""

import pytest

from gateway.edge.tests.backend import hang, until
from gateway.edge.tests.front import BROWSER, Connection, exchange

BEHIND = {"trusted_proxies": ["127.0.0.0/8"]}
# Of one network, a /64; and of another.
HERE = [f"2001:db8:0:1::{number}" for number in range(9)]
ELSEWHERE = "2001:db8:0:2::1"


def get(address: str) -> bytes:
    return f"GET / HTTP/1.1\r\nHost: site.test\r\nX-Forwarded-For: {address}\r\n\r\n".encode()


async def holding(site, backend, count: int) -> list[Connection]:
    """So many requests of one network that the backend does not answer."""
    backend.act = hang
    held = [await Connection.open(site.port) for _ in range(count)]
    for connection, address in zip(held, HERE, strict=False):
        await connection.send(get(address))
    await until(lambda: len(backend.requests) == count, "they are under way")
    backend.act = None
    return held


@pytest.mark.parametrize("upstream", [{"max_requests_per_network": 2}, {"max_connections": 5}])
async def test_no_network_holds_more_of_the_backend_than_its_share(start, backend, upstream):
    site = await start(rooms=[{"state": "passthrough"}], edge=BEHIND, upstream=upstream)
    first, second = await holding(site, backend, 2)
    got = await exchange(site.port, get(HERE[3]))
    assert (got.status, got.gate, len(backend.requests)) == (429, "too_many", 2)
    assert (await exchange(site.port, get(ELSEWHERE))).status == 200
    await first.close()
    await until(lambda: backend.requests[0].closed, "whoever left gave back what it held")
    for _ in range(3):
        assert (await exchange(site.port, get(HERE[3]))).status == 200
    await second.close()


async def test_whoever_was_admitted_when_the_share_was_used_up_keeps_the_pass(start, backend):
    upstream = {"max_requests_per_network": 1}
    site = await start(rooms=[{"paths": ["/book"]}], edge=BEHIND, upstream=upstream)
    (held,) = await holding(site, backend, 1)
    visitor = site.visitor(headers={**BROWSER, "X-Forwarded-For": HERE[1]})
    got = await visitor.get("/book")
    assert (got.status, got.gate) == (429, "too_many")
    assert visitor.visitor_pass is not None
    await held.close()
    await until(lambda: backend.last.closed, "the share is free")
    assert (await visitor.get("/book")).gate is None
    assert (await site.room()).counters["admitted"] == 1
