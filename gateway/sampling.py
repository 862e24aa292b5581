"""Which lines of a flood are written: the first of a kind at once, then one in a second, with how many were not.

Whatever visitors can provoke would else fill the disk, and cost more than answering them. Pure.
"""

from dataclasses import dataclass
from typing import Final

EVERY_S: Final = 1.0
# Kinds remembered; beyond it the one that was written longest ago is forgotten.
MOST_KINDS: Final = 1_000


@dataclass(slots=True)
class _Kind:
    written_s: float
    not_written: int = 0


class Sampling:
    """For one log. A kind is whatever lines have in common."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def take(self, kind: str, now_s: float) -> dict[str, int] | None:
        """What to say beside a line: `not_written`, if lines like it were left out since; None to leave it out too.

        now_s: monotonic.
        """
        known = self._kinds.pop(kind, None)
        if known is not None and now_s - known.written_s < EVERY_S:
            known.not_written += 1
            self._kinds[kind] = known
            return None
        self._kinds[kind] = _Kind(now_s)
        if len(self._kinds) > MOST_KINDS:
            del self._kinds[min(self._kinds, key=lambda each: self._kinds[each].written_s)]
        return {"not_written": known.not_written} if known is not None and known.not_written else {}
