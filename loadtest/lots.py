"""The order that lots give, recomputed from what is published of a draw: the recipe of docs/draw.md. Pure.

Written apart from the gateway's own, so that a fault in one of them shows as a difference.
"""

from functools import cache
from hashlib import sha256
from typing import Final

RECIPE: Final = "sunbeon-draw-1"
ROUNDS: Final = 10
LEAST_BITS: Final = 6


def commits_to(secret: str, commitment: str) -> bool:
    """Both in hex. Whether this is the secret whose hash was published. Raises `ValueError` for what is no hex."""
    return sha256(bytes.fromhex(secret)).hexdigest() == commitment


class Lots:
    """The places of the numbers 1..size of a room's epoch. secret: hex."""

    def __init__(self, secret: str, size: int, room: str, epoch: int) -> None:
        self.size = size
        self._key = sha256(bytes.fromhex(secret) + _eight(size) + _eight(epoch) + room.encode()).digest()
        bits = max((size - 1).bit_length(), LEAST_BITS)
        self._narrow, self._wide = bits // 2, bits - bits // 2
        # A half of a number has few values: each is hashed once in a round.
        self._mixed = cache(self._mix)

    def place(self, number: int) -> int:
        """The place of a number; of one that came after the draw, the number."""
        if not 1 <= number <= self.size:
            return number
        x = self._permute(number - 1)
        while x >= self.size:
            x = self._permute(x)
        return x + 1

    def _permute(self, x: int) -> int:
        left, right = x >> self._wide, x & ((1 << self._wide) - 1)
        for r in range(0, ROUNDS, 2):
            left ^= self._mixed(r, right) & ((1 << self._narrow) - 1)
            right ^= self._mixed(r + 1, left) & ((1 << self._wide) - 1)
        return left << self._wide | right

    def _mix(self, r: int, x: int) -> int:
        return int.from_bytes(sha256(self._key + bytes([r]) + _eight(x)).digest()[:8], "big")


def _eight(number: int) -> bytes:
    return number.to_bytes(8, "big")
