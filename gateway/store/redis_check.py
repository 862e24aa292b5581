"""Whether the servers of a store will do: asked once, before the first room is opened.

What no waiting mends is `StoreMisconfigured`: the gateway then does not start, and says why.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from gateway.store.base import StoreMisconfigured, StoreUnavailable
from gateway.store.redis_link import Link, failure

# BITCOUNT in bits, PEXPIRE NX/GT and scripts whose effects alone are replicated came with 7.0; Valkey 8 is 7.2 here.
LEAST_VERSION: Final = (7, 0)
_TIME_S: Final = 3.0


async def check_servers(link: Link) -> None:
    """Raises `StoreMisconfigured` or `StoreUnavailable`, naming the server."""
    try:
        async with asyncio.timeout(_TIME_S):
            for server in await link.servers():
                _judge(link.reach, await server.info("server"), await server.info("replication"))
                _judge_memory(link.reach, await server.info("memory"))
                if not link.is_cluster and int((await server.info("cluster")).get("cluster_enabled", 0)):
                    raise StoreMisconfigured(f"{link.reach}: belongs to a cluster; write redis+cluster://")
    except (RedisError, OSError, TimeoutError) as error:
        raise failure(link.reach, error) from error


async def check_room(link: Link, keys: Sequence[str]) -> None:
    """Raises `StoreMisconfigured` if the keys lie in a half moved slot of a cluster, or may not be worked on."""
    key = keys[0]
    try:
        async with asyncio.timeout(_TIME_S):
            server = await link.server_of(key)
            moving = await _moving_slots(server)
    except (RedisError, OSError, TimeoutError) as error:
        raise failure(link.reach, error) from error
    slot = key_slot(key.encode())
    if slot in moving:
        raise StoreMisconfigured(
            f"{link.reach}: slot {slot}, where this room lives, is half moved to another server; "
            "finish it (redis-cli --cluster fix) and start again"
        )
    denied = (await link.call("permissions", keys, []))[1:]
    if denied:
        names = ", ".join(name.decode() for name in denied)
        raise StoreMisconfigured(f"{link.reach}: the user lacks a permission ({names} on {key.rpartition(':')[0]}:*)")


def check_type_and_schema(room: str, reply: Sequence[Any], schema: int) -> None:
    """Of what open.lua returned."""
    if reply[0] == b"wrongtype":
        raise StoreMisconfigured(
            f"the key {reply[1].decode()} is a {reply[2].decode()} of somebody else's; "
            "remove it, or choose another ?prefix="
        )
    if reply[0] == b"schema":
        raise StoreMisconfigured(
            f"room {room!r} was written by another version (schema {reply[1].decode()}; this program knows {schema})"
        )


def _judge(reach: str, server: Mapping[str, Any], replication: Mapping[str, Any]) -> None:
    text = str(server.get("redis_version", "0"))
    found = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    if found < LEAST_VERSION:
        raise StoreMisconfigured(f"{reach}: is version {text}; it takes Redis 7.0, or Valkey 8, or later")
    if replication.get("role") != "master":
        raise StoreMisconfigured(f"{reach}: is a read-only replica; name its primary, or its sentinels")


def _judge_memory(reach: str, memory: Mapping[str, Any]) -> None:
    policy = str(memory.get("maxmemory_policy", "noeviction"))
    if int(memory.get("maxmemory", 0)) and policy.startswith("allkeys"):
        raise StoreMisconfigured(
            f"{reach}: throws away any key when memory runs out (maxmemory-policy {policy}); set noeviction"
        )


async def _moving_slots(server: Redis) -> set[int]:
    info = await server.info("cluster")
    if not int(info.get("cluster_enabled", 0)):
        return set()
    state = await server.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
    if state.get("cluster_state") != "ok":
        raise StoreUnavailable("the cluster is down or has slots without a server")
    nodes = await server.execute_command("CLUSTER NODES")  # type: ignore[no-untyped-call]
    return {int(moving["slot"]) for node in nodes.values() for moving in node.get("migrations", ())}
