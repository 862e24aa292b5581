"""The live settings as this process has seen them, by version: to tell an operator what another one has changed."""

from typing import Final

from gateway.room.model import Limits

# More than anybody changes between looking at a room and changing it.
REMEMBERED: Final = 64


class Versions:
    def __init__(self) -> None:
        self._seen: dict[int, Limits] = {}

    def note(self, limits: Limits) -> None:
        self._seen[limits.version] = limits
        if len(self._seen) > REMEMBERED:
            del self._seen[min(self._seen)]

    def get(self, version: int) -> Limits | None:
        return self._seen.get(version)
