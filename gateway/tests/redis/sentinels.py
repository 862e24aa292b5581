"""A primary with two replicas under three real Sentinels, which put a replica in its place when it dies.

`with SentinelSet() as servers:` returns when every Sentinel knows the replicas and the other Sentinels: a primary
killed the next moment is replaced. They look more often than an operator's would, and agree within some 2 s, rarely 7.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Self

from gateway.tests.redis.process import HOST, Kind, ServerProcess, wait_for
from gateway.tests.redis.servers import RedisServer

NAME: Final = "sunbeon"
SENTINELS: Final = 3
QUORUM: Final = 2
DOWN_AFTER_MS: Final = 1_000
# Two Sentinels may stand for election at once and neither win; after twice this long they try again.
FAILOVER_TIMEOUT_MS: Final = 2_000
# Their own are 10 s, 2 s, 1 s and 30 s, which a test would only wait for. Tilt is what they fall into when a busy
# machine looks to them like a clock that jumped.
TIMINGS_MS: Final = {"info-period": 300, "publish-period": 300, "ping-period": 200, "tilt-period": 1_000}


@dataclass(eq=False, repr=False)
class Sentinel(ServerProcess):
    kind: Kind
    primary: RedisServer

    _arguments = ("--sentinel",)

    def start(self) -> None:
        super().start()
        self.call("SENTINEL", "DEBUG", *(part for pair in TIMINGS_MS.items() for part in pair))

    def named(self) -> int:
        """The port of the primary, as this Sentinel tells clients."""
        return int(self.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def is_content(self, *, replicas: int, sentinels: int) -> bool:
        """Whether it knows so many replicas, all in order, and so many other Sentinels."""
        primary = _pairs(self.call("SENTINEL", "MASTER", NAME))
        seen = [_pairs(each) for each in self.call("SENTINEL", "REPLICAS", NAME)]
        return (
            primary["flags"] == "master"
            and int(primary["num-other-sentinels"]) == sentinels
            and len(seen) == replicas
            and all(each["flags"] == "slave" and each["master-link-status"] == "ok" for each in seen)
        )

    def _config(self) -> list[str]:
        self.port = self._take_port()
        lines = [
            f"bind {HOST}",
            f"port {self.port}",
            f"dir {self.folder}",
            f"sentinel monitor {NAME} {HOST} {self.primary.port} {QUORUM}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {NAME} {FAILOVER_TIMEOUT_MS}",
            f"sentinel parallel-syncs {NAME} 1",
        ]
        if self.primary.password:
            lines.append(f'sentinel auth-pass {NAME} "{self.primary.password}"')
        return lines


class SentinelSet:
    """servers: the first begins as primary. Further settings are those of `RedisServer`, for each of them."""

    def __init__(self, kind: Kind = "redis", **settings: Any) -> None:
        primary = RedisServer(kind, **settings)
        self.servers = [primary, *(RedisServer(kind, replica_of=primary, **settings) for _ in range(2))]
        self.sentinels = [Sentinel(kind, primary) for _ in range(SENTINELS)]
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for server in self.servers:
                stack.enter_context(server)
            # First: a Sentinel learns of replicas by asking the primary now and then.
            for replica in self.servers[1:]:
                replica.wait_for_primary()
            for sentinel in self.sentinels:
                stack.enter_context(sentinel)
            self.wait_until_well()
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(each.address for each in self.sentinels)}/{NAME}"

    def primary(self) -> RedisServer:
        """As the first Sentinel that answers tells it."""
        for sentinel in self.sentinels:
            if sentinel.runs:
                return self._at(sentinel.named())
        raise LookupError("no Sentinel runs")

    def kill_primary(self) -> RedisServer:
        """SIGKILL; whom it hit."""
        primary = self.primary()
        primary.kill()
        return primary

    def await_promotion(self, old: RedisServer) -> tuple[RedisServer, float]:
        """Wait until another than `old` is primary, and every Sentinel that runs says so.

        It, and when it was first seen to be one, which is a moment before clients can learn of it (`time.monotonic`).
        """
        others = [server for server in self.servers if server is not old and server.runs]

        def promoted() -> RedisServer | None:
            return next((server for server in others if server.is_primary), None)

        new = wait_for(promoted, "a replica is promoted")
        seen = time.monotonic()
        sentinels = [each for each in self.sentinels if each.runs]
        wait_for(lambda: all(each.named() == new.port for each in sentinels), "the Sentinels name the new primary")
        return new, seen

    def revive(self, server: RedisServer) -> None:
        """Start a dead server as a replica, and wait until all is well: then a next primary may be killed.

        `server.start()` alone lets it come up as what it was, until the Sentinels notice.
        """
        server.follow(self.primary())
        server.start()
        self.wait_until_well()

    def wait_until_well(self) -> None:
        """Every server follows one primary, and every Sentinel knows it."""
        replicas, others = len(self.servers) - 1, len(self.sentinels) - 1
        for sentinel in self.sentinels:
            wait_for(
                lambda each=sentinel: each.is_content(replicas=replicas, sentinels=others),  # type: ignore[misc]
                "a Sentinel knows all others",
            )

    def _at(self, port: int) -> RedisServer:
        return next(server for server in self.servers if server.port == port)


def _pairs(flat: Any) -> dict[str, str]:
    """redis-py makes a dict of some answers, and leaves others as they came."""
    return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))
