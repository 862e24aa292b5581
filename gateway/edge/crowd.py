"""How many of something each client network holds: an IPv4 address, or the /64 that one IPv6 customer gets.

Pure counting, per worker: with several workers a network may hold the limit in each of them.
"""

from collections.abc import Sequence
from typing import Final

from gateway.edge.client import peer_address
from gateway.room.match import Network

_PREFIX_BYTES: Final = 8  # a /64


class Crowd:
    """limit: how many a network may hold; 0 counts nothing. trusted: front servers; they bring everybody's, uncounted.

    What has left takes no memory.
    """

    def __init__(self, limit: int, trusted: Sequence[Network] = ()) -> None:
        self._limit = limit
        self._trusted = trusted
        self._held: dict[bytes, int] = {}

    def __len__(self) -> int:
        """How many networks hold any."""
        return len(self._held)

    def enter(self, peer: str | None) -> bytes | None:
        """Count one more of `peer`'s. What to hand to `leave`, or None if it is not counted. Raises `Crowded`."""
        return self.enter_from(self.network_of(peer))

    def enter_from(self, network: bytes | None) -> bytes | None:
        """As `enter`, by what `network_of` said."""
        if network is None:
            return None
        held = self._held.get(network, 0)
        if held >= self._limit:
            raise Crowded
        self._held[network] = held + 1
        return network

    def leave(self, network: bytes | None) -> None:
        """What `enter` counted is over."""
        if network is None:
            return
        held = self._held[network] - 1
        if held:
            self._held[network] = held
        else:
            del self._held[network]

    def trusts(self, peer: str | None) -> bool:
        """Whether that is a front server."""
        address = peer_address(peer) if peer else None
        # Without an address it came by a unix socket: a front server on this machine.
        return address is None or any(address in network for network in self._trusted)

    def network_of(self, peer: str | None) -> bytes | None:
        """What an address counts as; None: as nothing."""
        address = peer_address(peer) if peer and self._limit else None
        if address is None or any(address in network for network in self._trusted):
            return None
        return address.packed[:_PREFIX_BYTES]


class Crowded(Exception):
    """This network holds as many as it may."""
