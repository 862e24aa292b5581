"""A limit on identity checks: they cost money, and a guesser must not have many."""

from collections import OrderedDict
from typing import Final

from booking.errors import TooManyAttempts

# Passes whose attempts are remembered; the oldest are forgotten first.
_MOST_PASSES: Final = 100_000


class Attempts:
    """How many identity checks each pass has asked for, in this process: several allow so many times more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._made: OrderedDict[str, int] = OrderedDict()

    def note(self, pass_id: str) -> None:
        """Raises `TooManyAttempts`."""
        made = self._made.pop(pass_id, 0) + 1
        self._made[pass_id] = min(made, self._most + 1)
        if len(self._made) > _MOST_PASSES:
            self._made.popitem(last=False)
        if made > self._most:
            raise TooManyAttempts("this pass has had its identity checks")
