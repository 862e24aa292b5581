"""Limits on tries: identity checks cost money, and guessers need many."""

from collections import OrderedDict
from typing import Final

# Keys that are remembered; the oldest are forgotten first.
_MOST_KEYS: Final = 100_000


class Attempts:
    """How often each key was tried lately, in this process: several processes allow so many times more."""

    def __init__(self, most: int, *, within_s: int) -> None:
        """most: tries of one key within `within_s` of its first."""
        self._most = most
        self._within_ms = within_s * 1000
        self._made: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def used_up(self, key: str, now_ms: int) -> bool:
        """Whether the next try is one too many."""
        return self._count(key, now_ms)[0] >= self._most

    def note(self, key: str, now_ms: int) -> None:
        """One more try."""
        count, first_ms = self._count(key, now_ms)
        self._made.pop(key, None)
        self._made[key] = (count + 1, first_ms)
        if len(self._made) > _MOST_KEYS:
            self._made.popitem(last=False)

    def take_back(self, key: str) -> None:
        """The last try was not one after all."""
        if key in self._made:
            count, first_ms = self._made[key]
            self._made[key] = (count - 1, first_ms)

    def _count(self, key: str, now_ms: int) -> tuple[int, int]:
        count, first_ms = self._made.get(key, (0, now_ms))
        return (count, first_ms) if abs(now_ms - first_ms) < self._within_ms else (0, now_ms)
