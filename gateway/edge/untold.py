"""What one process has to tell the store of a room, and has not yet: passes that ended, and counts."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, TypeVar

from gateway.room.ticket import Pass
from gateway.store.base import PassRef, QueueStore, StoreError

K = TypeVar("K")
V = TypeVar("V")

# Passes remembered as revoked, and passes whose end the store has yet to be told; beyond it the oldest are forgotten.
REMEMBERED: Final = 10_000


class Untold:
    """Of one room. What is told is told once; what fails is told the next time."""

    def __init__(self, room: str) -> None:
        self._room = room
        self._counted: Counter[str] = Counter()
        # By epoch and place: a pass that has ended, and why.
        self._ended: dict[tuple[int, int], tuple[Pass, str]] = {}
        self._revoked: dict[str, None] = {}

    def __len__(self) -> int:
        """How many passes' ends."""
        return len(self._ended)

    def count(self, counter: str, number: int = 1) -> None:
        self._counted[counter] += number

    def count_all(self, numbers: Mapping[str, int]) -> None:
        self._counted.update(numbers)

    def ended(self, visitor_pass: Pass, reason: str) -> None:
        """The store could not be told of it."""
        _remember(self._ended, (visitor_pass.epoch, visitor_pass.place), (visitor_pass, reason))

    def has_ended(self, epoch: int, place: int) -> bool:
        return (epoch, place) in self._ended

    def revoked(self, pass_id: str) -> None:
        """Remembered whether or not the store is told."""
        _remember(self._revoked, pass_id, None)

    def was_revoked(self, visitor_pass: Pass) -> bool:
        return visitor_pass.pass_id in self._revoked

    async def tell(self, store: QueueStore) -> None:
        """Raises `StoreError`."""
        for reason in {why for _, why in self._ended.values()}:
            passes = [visitor_pass for visitor_pass, why in self._ended.values() if why == reason]
            await store.complete(self._room, [*map(ref_of, passes)], reason=reason)
            for visitor_pass in passes:
                self._ended.pop((visitor_pass.epoch, visitor_pass.place), None)
        if not self._counted:
            return
        counted, self._counted = self._counted, Counter()
        try:
            await store.count(self._room, counted)
        except StoreError:
            self._counted.update(counted)
            raise


def ref_of(visitor_pass: Pass) -> PassRef:
    """The pass as the store is asked for it."""
    return PassRef(visitor_pass.epoch, visitor_pass.place, visitor_pass.pass_id)


def _remember(what: dict[K, V], key: K, value: V) -> None:
    what[key] = value
    if len(what) > REMEMBERED:
        del what[next(iter(what))]
