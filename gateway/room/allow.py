"""Live exemptions: people an operator lets through without a turn, for a reason and for a time.

Each is a bypass rule that ends by itself. They are kept with the room's live settings, so every gateway has them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gateway.room.match import BypassRule, parse_networks


@dataclass(frozen=True, slots=True)
class Allowed:
    """name: how it is counted and logged. expires_ms: from then on it counts for nothing.

    networks, paths: as in a bypass rule; where both are given, both must hold. by: whose doing it is.
    """

    name: str
    reason: str
    expires_ms: int
    networks: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    by: str | None = None


def read_allowed(kept: Mapping[str, Any]) -> Allowed:
    """An entry from JSON. Raises `TypeError`, `ValueError`."""
    return Allowed(**{**kept, "networks": tuple(kept["networks"]), "paths": tuple(kept["paths"])})


def in_force(entries: Iterable[Allowed], now_ms: int) -> tuple[Allowed, ...]:
    """Those that have not expired."""
    return tuple(entry for entry in entries if now_ms < entry.expires_ms)


@lru_cache(maxsize=1024)
def rule_of(entry: Allowed) -> BypassRule:
    return BypassRule(entry.name, entry.paths, parse_networks(entry.networks))
