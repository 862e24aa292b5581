"""Which server has a room: the one there is, the one the sentinels call primary, or the one of a cluster's slot.

Clients are redis-py's, one per server, none of which tries anything again by itself: a try is bounded here, and whether
it may be repeated is known only to who asks.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError

from gateway.store.base import StoreUnavailable
from gateway.store.redis_url import Kind, RedisUrl

# A sentinel that is gone must not use up the time in which another would have answered.
SENTINEL_TIMEOUT_S: Final = 0.25
# A second address of a server's is tried while there is time for it.
CONNECT_PART: Final = 0.5


@dataclass(frozen=True, slots=True)
class Access:
    """How servers are asked. Passwords win over those of the URL."""

    timeout_s: float
    password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None


class Nodes(Protocol):
    async def of(self, key: str) -> Redis:
        """The client of the server that has the key, as far as is known. Raises `StoreUnavailable`, `RedisError`."""
        ...

    async def all(self) -> Sequence[Redis]:
        """Of every server that may have a room."""
        ...

    async def failed(self) -> None:
        """A server did not answer, or said that it is not the one: what was known of it may be wrong."""
        ...

    async def close(self) -> None: ...


def open_nodes(url: RedisUrl, access: Access) -> Nodes:
    match url.kind:
        case Kind.SINGLE:
            return SingleServer(url, access)
        case Kind.SENTINEL:
            return SentinelPrimary(url, access)
        case Kind.CLUSTER:
            return ClusterServers(url, access)


class OneClient:
    """All rooms lie on one server, whichever it is just now."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def of(self, key: str) -> Redis:  # noqa: ARG002
        return self._client

    async def all(self) -> Sequence[Redis]:
        return [self._client]

    async def failed(self) -> None:
        await self._client.connection_pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        await self._client.aclose()


class SingleServer(OneClient):
    def __init__(self, url: RedisUrl, access: Access) -> None:
        place: dict[str, Any]
        if url.path is not None:
            place = {"unix_socket_path": url.path}
        else:
            place = {"host": url.hosts[0][0], "port": url.hosts[0][1]} | _tls(url, access)
        super().__init__(Redis(**place, **_connection(url, access)))


class SentinelPrimary(OneClient):
    """Every new connection asks the sentinels which server is the primary."""

    def __init__(self, url: RedisUrl, access: Access) -> None:
        self._sentinel = Sentinel(  # type: ignore[no-untyped-call]
            url.hosts,
            sentinel_kwargs={
                "socket_timeout": min(SENTINEL_TIMEOUT_S, access.timeout_s),
                "socket_connect_timeout": min(SENTINEL_TIMEOUT_S, access.timeout_s),
                "retry": Retry(NoBackoff(), 0),
                "protocol": 2,
                "password": access.sentinel_password,
                **_tls(url, access),
            },
        )
        super().__init__(self._sentinel.master_for(url.service or "", **_connection(url, access), **_tls(url, access)))

    async def close(self) -> None:
        await super().close()
        for sentinel in self._sentinel.sentinels:
            await sentinel.aclose()


class ClusterServers:
    """A map from slots to servers, asked of any of them, and asked again when one fails or says that it has moved."""

    def __init__(self, url: RedisUrl, access: Access) -> None:
        self._options = _connection(url, access) | _tls(url, access)
        self._clients: dict[tuple[str, int], Redis] = {host: self._open(host) for host in url.hosts}
        self._slots: Mapping[tuple[int, int], tuple[str, int]] = {}
        self._looking = asyncio.Lock()
        self._outdated = True

    async def of(self, key: str) -> Redis:
        await self._look()
        slot = key_slot(key.encode())
        for (first, last), server in self._slots.items():
            if first <= slot <= last:
                return self._clients[server]
        raise StoreUnavailable(f"no server of the cluster has slot {slot}, where this room lives")

    async def all(self) -> Sequence[Redis]:
        await self._look()
        return [self._clients[server] for server in set(self._slots.values())]

    async def failed(self) -> None:
        self._outdated = True

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    def _open(self, server: tuple[str, int]) -> Redis:
        return Redis(host=server[0], port=server[1], **self._options)

    async def _look(self) -> None:
        if not self._outdated:
            return
        async with self._looking:
            if self._outdated:
                self._outdated = False
                try:
                    self._slots = await self._ask_slots()
                except BaseException:
                    self._outdated = True
                    raise

    async def _ask_slots(self) -> Mapping[tuple[int, int], tuple[str, int]]:
        """All are asked at once: one of them may hang. The first answer that tells of slots counts."""
        asked = [asyncio.ensure_future(_slots(server, client)) for server, client in self._clients.items()]
        error: Exception | None = None
        try:
            for answer in asyncio.as_completed(asked):
                try:
                    slots = await answer
                except (RedisError, OSError, RuntimeError) as failure:  # the last: uvloop's, of a closed connection
                    error = failure
                    continue
                if slots:
                    for server in set(slots.values()) - set(self._clients):
                        self._clients[server] = self._open(server)
                    return slots
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise error or StoreUnavailable("no server of the cluster has slots")


async def _slots(asked: tuple[str, int], client: Redis) -> dict[tuple[int, int], tuple[str, int]]:
    """Range of slots -> the server that has it, as the one asked knows; a server need not know its own address."""
    found = await client.execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
    slots = {}
    for first, last, (host, port, *_), *_ in found:
        known = host.decode() if host not in {None, b"", b"?"} else asked[0]
        slots[first, last] = (known, port)
    return slots


def _connection(url: RedisUrl, access: Access) -> dict[str, Any]:
    return {
        "db": url.db,
        "username": url.user,
        "password": access.password if access.password is not None else url.password,
        # Who asks bounds it. redis-py's own bound makes a task of each command, and on Python 3.11 loses a cancellation
        # that comes while it is sent: the asker then waits once more as long.
        "socket_timeout": None,
        "socket_connect_timeout": access.timeout_s * CONNECT_PART,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "client_name": "sunbeon",
    }


def _tls(url: RedisUrl, access: Access) -> dict[str, Any]:
    if not url.tls:
        return {}
    return {
        "ssl": True,
        "ssl_ca_certs": str(access.ca_file) if access.ca_file is not None else None,
        "ssl_min_version": ssl.TLSVersion.TLSv1_2,
    }
