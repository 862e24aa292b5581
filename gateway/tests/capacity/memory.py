"""Bytes of the server's memory: of people who wait, of live passes, of knocks lately answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.tests.capacity.filled import EPOCH, ROOM, call, enter, join, knock, opened, used_memory
from gateway.tests.redis.process import Kind
from gateway.tests.redis.servers import RedisServer

MILLION: Final = 1_000_000
# What the server writes down of its own work is none of ours: of scripts that were slow, which depends on the machine,
# and how long each command took, with 24 KB for every one that was ever called.
_KEEPS_NO_DIARY: Final[Mapping[str, str | int]] = {"slowlog-log-slower-than": -1, "latency-tracking": "no"}


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes more than the empty server's, one upon the other; the same whenever they are measured.

    scripts: of a room that is open, with nobody in it. waiting: and all who wait, one place among the last of which was
    given up, so that the bitmap has its full length. passes: and those inside. knocks: of these alone.
    """

    kind: Kind
    people: tuple[int, int, int]
    scripts: int
    waiting: int
    passes: int
    knocks: int

    def report(self) -> str:
        waiting, passes, knocks = self.people
        return (
            f"{self.kind:7} an open room {self.scripts / MILLION:.2f} MB; with {waiting:,} waiting "
            f"{self.waiting / MILLION:.2f} MB; and {passes:,} inside {self.passes / MILLION:.2f} MB "
            f"({(self.passes - self.waiting) / max(passes, 1):.0f} bytes each); apart from that, {knocks:,} knocks "
            f"{self.knocks / MILLION:.1f} MB ({self.knocks / max(knocks, 1):.0f} bytes each)"
        )


async def measure(kind: Kind, *, waiting: int, passes: int, knocks: int) -> Memory:
    with RedisServer(kind, directives=_KEEPS_NO_DIARY) as server:
        empty = used_memory(server)
        async with opened(server):
            pass
        scripts = used_memory(server) - empty
        async with opened(server) as store:
            # Whoever is inside has waited, too.
            await join(store, waiting + passes)
            assert await store.leave(ROOM, [(EPOCH, waiting + passes - 1)]) == [True]
        with_waiting = used_memory(server) - empty
        async with opened(server) as store:
            await call(store, passes)
            await enter(store, 1, passes)
        with_passes = used_memory(server) - empty
        async with opened(server) as store:
            await knock(store, knocks)
        with_knocks = used_memory(server) - empty
        return Memory(
            kind, (waiting, passes, knocks), scripts, with_waiting, with_passes, with_knocks - with_passes
        )  # fmt: skip
