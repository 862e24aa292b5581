"""Clients that ask far more often than they are told: told off cheaply, at nobody else's cost.

A page is told when to ask again (`poll_after_ms`, never sooner than 1.3 s). Some tabs, a reload, a phone that comes out
of a pocket ask more often, and a bucket for each ticket allows for that; a program that asks each 100 ms empties it and
is then told after how many seconds it will be answered. Its place is as it was: nothing is taken away.

The table has a fixed size and never grows with the line. A ticket stands in one of two slots, found by its number. Who
finds both taken by others that have been asking too often is not watched; who finds one whose owner has not, takes it.
So a client is judged by its own asking alone: nobody is ever told off because of others, and a few may go unwatched
while more ask too often than the table has slots. Pure; one for each room and worker.
"""

from math import ceil
from typing import Final

# What a ticket may ask at once, and each second in the long run: five tabs in front of the line ask 3.9 times.
BURST: Final = 30
PER_SECOND: Final = 4
# Slots. Each takes some hundred bytes once it was used.
SLOTS: Final = 1 << 16
# The least that is told: a client that heeds it has a good part of its bucket back.
LEAST_RETRY_S: Final = 5
# Parts the numbers of tickets that follow one another.
_SCATTER: Final = 0x9E3779B97F4A7C15
_MASK: Final = (1 << 64) - 1


class Hasty:
    """slots: a power of two. monotonic time is an argument."""

    def __init__(self, slots: int = SLOTS) -> None:
        self._slots = slots
        self._owners: list[int | None] = [None] * slots
        # When the owner's bucket is full again.
        self._full_at_s = [0.0] * slots
        self.told_off = 0

    def takes(self, ticket_id: int, now_s: float) -> int | None:
        """Take a token of the ticket's bucket. None if there was one; else after how many seconds to ask again.

        ticket_id: the number, where the epoch is the same for all. now_s: monotonic.
        """
        slot = self._slot_of(ticket_id, now_s)
        if slot is None:
            return None
        full_at_s = max(self._full_at_s[slot], now_s) + 1 / PER_SECOND
        lacking_s = full_at_s - now_s - BURST / PER_SECOND
        if lacking_s > 1e-9:  # noqa: PLR2004 - what adding thirds rounds off
            self.told_off += 1
            return max(LEAST_RETRY_S, ceil(lacking_s))
        self._full_at_s[slot] = full_at_s
        return None

    def _slot_of(self, ticket_id: int, now_s: float) -> int | None:
        """Where the ticket's bucket is, from now on if it was in none; None where others need both places."""
        scattered = ticket_id * _SCATTER & _MASK
        owners = self._owners
        first, second = scattered >> 32 & self._slots - 1, scattered >> 8 & self._slots - 1
        if owners[first] == ticket_id:
            return first
        if owners[second] == ticket_id:
            return second
        for slot in (first, second):
            # A bucket that is at least half full again is not of one that asks too often: it may be forgotten.
            if self._full_at_s[slot] - now_s <= BURST / PER_SECOND / 2:
                owners[slot] = ticket_id
                self._full_at_s[slot] = now_s
                return slot
        return None
