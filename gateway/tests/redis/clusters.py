"""A real cluster for tests: three primaries, each with a third of the slots, and a replica for each if wanted."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final, Self

import redis
from redis.crc import key_slot

from gateway.tests.redis.process import HOST, Kind, wait_for
from gateway.tests.redis.servers import RedisServer

SLOTS: Final = 16_384
PRIMARIES: Final = 3
# Long enough that a busy machine declares nobody dead.
NODE_TIMEOUT_MS: Final = 5_000
# While they meet: two who greet each other at once may have to wait so long and do it again.
MEETING_TIMEOUT_MS: Final = 1_000


class Cluster:
    """`with Cluster() as cluster:` runs one, and waits until every node says that all is well.

    replicas: one for each primary, which takes over within about two node timeouts when its primary is killed. Further
    settings are those of `RedisServer`, for each node; it cannot have a password.
    """

    def __init__(
        self,
        kind: Kind = "redis",
        *,
        replicas: bool = False,
        node_timeout_ms: int = NODE_TIMEOUT_MS,
        directives: Mapping[str, str | int] | None = None,
        **settings: Any,
    ) -> None:
        count = PRIMARIES * (2 if replicas else 1)
        self._node_timeout_ms = node_timeout_ms
        given = {**(directives or {}), "cluster-node-timeout": MEETING_TIMEOUT_MS}
        self.nodes = [RedisServer(kind, cluster=True, directives=given, **settings) for _ in range(count)]
        self._servers = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for node in self.nodes:
                stack.enter_context(node)
            self._meet()
            self._servers = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(node.address for node in self.nodes)}"

    def owner(self, key: str) -> RedisServer:
        """The primary that has the key's slot, as the first node that answers tells it."""
        slot = slot_of(key)
        for node in self._alive():
            for first, last, primary, *_ in node.call("CLUSTER", "SLOTS"):
                if first <= slot <= last:
                    return next(each for each in self.nodes if each.port == primary[1])
        raise LookupError(f"nobody has slot {slot}")

    def other(self, key: str) -> RedisServer:
        """A primary that does not have the key's slot."""
        owner = self.owner(key)
        return next(node for node in self._alive() if node is not owner and node.is_primary)

    def begin_migration(self, key: str) -> tuple[RedisServer, RedisServer]:
        """Leave the key's slot half on its way; from where, to where. For a key it lacks, one refers to the other."""
        source, target, slot = self.owner(key), self.other(key), slot_of(key)
        target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", identity(source))
        source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", identity(target))
        return source, target

    def move_key(self, key: str, source: RedisServer, target: RedisServer) -> None:
        """Carry one key of a slot that is on its way; a command that wants it and one that stayed is told TRYAGAIN."""
        source.call("MIGRATE", HOST, target.port, key, 0, 5_000)

    def end_migration(self, key: str, source: RedisServer, target: RedisServer) -> None:
        """Carry the rest, and tell everybody."""
        slot = slot_of(key)
        while keys := source.call("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.call("MIGRATE", HOST, target.port, "", 0, 5_000, "KEYS", *keys)
        for node in (target, source, *self._alive()):
            if node.is_primary:
                node.call("CLUSTER", "SETSLOT", slot, "NODE", identity(target))

    def wait_until_well(self) -> None:
        """Every node that runs knows every slot served."""
        alive = self._alive()
        wait_for(lambda: all(_state(node)["cluster_state"] == "ok" for node in alive), "the cluster is well")

    def _alive(self) -> list[RedisServer]:
        return [node for node in self.nodes if node.runs]

    def _meet(self) -> None:
        primaries, replicas = self.nodes[:PRIMARIES], self.nodes[PRIMARIES:]
        edges = [SLOTS * each // PRIMARIES for each in range(PRIMARIES + 1)]
        for number, node in enumerate(self.nodes):
            # Each its own, or two might take the same and quarrel about it.
            node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node, first, end in zip(primaries, edges, edges[1:], strict=False):
            node.call("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for node in self.nodes[1:]:
            self.nodes[0].call("CLUSTER", "MEET", HOST, node.port, node.bus_port)
        count = str(len(self.nodes))
        wait_for(lambda: all(_state(node)["cluster_known_nodes"] == count for node in self.nodes), "the nodes have met")
        for primary, replica in zip(primaries, replicas, strict=False):
            wait_for(lambda p=primary, r=replica: _follow(r, p), "a replica knows its primary")  # type: ignore[misc]
            replica.wait_for_primary()
        for node in self.nodes:
            node.call("CONFIG", "SET", "cluster-node-timeout", self._node_timeout_ms)
            # Also for its next start.
            node.call("CONFIG", "REWRITE")
        self.wait_until_well()


def slot_of(key: str) -> int:
    """Where the cluster keeps the key."""
    return int(key_slot(key.encode()))


def identity(node: RedisServer) -> str:
    """Its name inside the cluster."""
    return str(node.call("CLUSTER", "MYID"))


def _follow(replica: RedisServer, primary: RedisServer) -> bool:
    try:
        replica.call("CLUSTER", "REPLICATE", identity(primary))
    except redis.ResponseError:  # it has not heard yet that the other is a primary
        return False
    return True


def _state(node: RedisServer) -> dict[str, str]:
    return dict(line.split(":", 1) for line in node.call("CLUSTER", "INFO").split())
