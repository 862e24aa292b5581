"""How many newcomers of one client network may be let in by the very request they came with.

Who finds room is admitted at once, and a client that keeps no cookies would take another seat with every request. A
network that sends more newcomers than an operator expects of it has them knock first, as in a line: a browser brings
its knock back within moments, and what keeps no cookies takes nothing. Nobody is refused. Pure; per worker.
"""

from collections.abc import Callable
from itertools import islice
from typing import Final

from gateway.room.match import Address

_PREFIX_BYTES: Final = 8  # of an IPv6 address: the /64 that one customer gets
# Networks remembered at most; beyond it those are forgotten that came first.
REMEMBERED: Final = 100_000


class Newcomers:
    """A bucket for each network: `per_minute` tokens at most, refilled at that pace. 0: no limit."""

    def __init__(self, per_minute: int, *, monotonic: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        # By network: the moment at which its bucket is full again.
        self._full_at_s: dict[bytes, float] = {}

    def __len__(self) -> int:
        """How many networks are remembered."""
        return len(self._full_at_s)

    def may_enter(self, address: Address) -> bool:
        """Take a token of the address's network, if there is one."""
        if not self._per_minute:
            return True
        now_s = self._monotonic()
        network = address.packed[:_PREFIX_BYTES]
        full_at_s = max(self._full_at_s.pop(network, now_s), now_s) + 60 / self._per_minute
        if full_at_s > now_s + 60 + 1e-9:
            self._full_at_s[network] = full_at_s - 60 / self._per_minute
            return False
        self._full_at_s[network] = full_at_s
        self._forget(now_s)
        return True

    def _forget(self, now_s: float) -> None:
        """Drop, of the two that were seen longest ago, those with a full bucket, and any beyond the bound."""
        for network in list(islice(self._full_at_s, 2)):
            if self._full_at_s[network] <= now_s or len(self._full_at_s) > REMEMBERED:
                del self._full_at_s[network]
