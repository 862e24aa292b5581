"""Were people admitted in the order of their places? Pure, in memory that grows with the places, by a bit each.

Two admissions are *out of order* if the later one has the lower place: somebody was overtaken. Called people come in
their own time, so those called together overtake one another every evening, and nobody is wronged by it. They are
called in order, and each may come until the claim window is over. So a place cannot be overtaken by one that is further
behind it than there were places called in one claim window: whoever comes later than that is in the late lane, and
counted apart. Beyond that distance (`apart`) there should be none.
"""

from dataclasses import dataclass
from typing import Final

_BLOCK: Final = 4096
# No line is longer; what a log says beyond it is no place.
MOST_PLACES: Final = 100_000_000


class Places:
    """Places that were admitted, one bit each."""

    def __init__(self) -> None:
        self._marks = bytearray()
        self._counts: list[int] = []
        self.highest = 0

    def add(self, place: int) -> bool:
        """Whether it was not there before. place: from 1 to `MOST_PLACES`."""
        block, byte, bit = place // _BLOCK, place >> 3, 1 << (place & 7)
        if block >= len(self._counts):
            more = block + 1 - len(self._counts)
            self._counts.extend([0] * more)
            self._marks.extend(bytes(more * _BLOCK // 8))
        if self._marks[byte] & bit:
            return False
        self._marks[byte] |= bit
        self._counts[block] += 1
        self.highest = max(self.highest, place)
        return True

    def beyond(self, place: int) -> int:
        """How many of those that are there have a higher place."""
        if place >= self.highest:
            return 0
        block, within = divmod(place + 1, _BLOCK)
        marks = self._marks[block * _BLOCK // 8 : (block + 1) * _BLOCK // 8]
        return (int.from_bytes(marks, "little") >> within).bit_count() + sum(self._counts[block + 1 :])


@dataclass(slots=True)
class Order:
    """overtaken: admissions before which somebody with a higher place was admitted.

    overtaken_apart, pairs: by somebody more than `apart` places behind, and how many such pairs there are.
    furthest: by how many places anybody was overtaken at most.
    """

    apart: int
    admissions: int = 0
    overtaken: int = 0
    overtaken_apart: int = 0
    pairs: int = 0
    furthest: int = 0

    def admit(self, place: int, before: Places) -> None:
        """The next admission, of somebody in time. before: the earlier ones of its epoch, in time too."""
        self.admissions += 1
        if place < before.highest:
            self.overtaken += 1
            self.furthest = max(self.furthest, before.highest - place)
            pairs = before.beyond(place + self.apart)
            self.pairs += pairs
            self.overtaken_apart += pairs > 0
