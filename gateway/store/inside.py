"""Who is inside, as far as this process has seen: what it was told of live passes, kept while they may live.

For the time in which the store cannot be asked, and for a store that has to be told what it forgot. Grows with the
people inside whom this process has met, never with those who wait.
"""

from collections import deque
from collections.abc import Iterator

from gateway.room.model import PassGrant, Snapshot
from gateway.store.base import PassRef


class Inside:
    """Live passes of one room and one epoch: the newest seen. Who passed an older epoch is forgotten."""

    def __init__(self) -> None:
        self.epoch = 0
        self._pass_clock_ms = 0
        self._grants: dict[int, PassGrant] = {}
        # In about the order in which they expire; an entry whose pass was renewed since goes to the end once more.
        self._expiring: deque[tuple[int, int]] = deque()

    def __len__(self) -> int:
        return len(self._grants)

    def __iter__(self) -> Iterator[PassGrant]:
        return iter(self._grants.values())

    def get(self, place: int) -> PassGrant | None:
        """The place's live pass, if it was seen."""
        return self._grants.get(place)

    def lives(self, epoch: int, grant: PassGrant) -> None:
        """The store said so."""
        if not self._is_of(epoch):
            return
        if grant.place not in self._grants:
            self._expiring.append((grant.expires_ms, grant.place))
        self._grants[grant.place] = grant

    def ended(self, epoch: int, place: int, pass_id: str | None = None) -> None:
        """The store said so. pass_id: None for whatever pass the place has."""
        if epoch == self.epoch and place in self._grants and pass_id in {None, self._grants[place].pass_id}:
            del self._grants[place]

    def look(self, snapshot: Snapshot) -> None:
        """Forget what has run out by the room's clock, and everything at a new epoch."""
        if not self._is_of(snapshot.epoch):
            return
        self._pass_clock_ms = max(self._pass_clock_ms, snapshot.pass_clock_ms)
        while self._expiring and self._expiring[0][0] <= self._pass_clock_ms:
            _, place = self._expiring.popleft()
            grant = self._grants.get(place)
            if grant is None:
                continue
            if grant.expires_ms <= self._pass_clock_ms:
                del self._grants[place]
            else:
                self._expiring.append((grant.expires_ms, place))

    def recall(self, ref: PassRef) -> PassGrant | None:
        """`QueueStore.recall`."""
        grant = self._grants.get(ref.place) if ref.epoch == self.epoch else None
        return grant if grant is not None and grant.pass_id == ref.pass_id else None

    def _is_of(self, epoch: int) -> bool:
        """Whether this is about the present epoch, which a later one becomes."""
        if epoch > self.epoch:
            self.epoch, self._pass_clock_ms = epoch, 0
            self._grants.clear()
            self._expiring.clear()
        return epoch == self.epoch
