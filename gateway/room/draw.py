"""Lots among those who came before opening: a random order of the M early numbers that anyone can recompute.

Nothing is kept for each visitor. The order is a keyed permutation of 1..M: a Feistel network over the smallest power of
two that holds M, walked on until the result is within M (Black and Rogaway, "Ciphers with Arbitrary Finite Domains",
2002). Its key is made of a secret whose hash was published before anybody joined, and of M, which nobody knew then: so
neither the operator nor a visitor can choose the order, and once the secret is published everybody can check it.

The recipe, for whoever writes it down in another language (all integers big-endian):

    key      = SHA-256(secret | M as 8 bytes | epoch as 8 bytes | room in UTF-8)
    F(r, x)  = first 8 bytes of SHA-256(key | r as 1 byte | x as 8 bytes)
    permute  : x of `bits` bits is split into left (bits / 2 bits, rounded down) and right (the rest);
               for r = 0..ROUNDS-1: left, right = right, left xor (F(r, right) mod 2^(bits of left));
               what comes out is put together as it was split
    place(n) = 1 + permute(permute(... permute(n - 1))), until the result is below M
"""

from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from typing import Final

# Even, so that the halves are as wide at the end as at the beginning.
ROUNDS: Final = 10
# A network of a few bits is no good lot; a small M is walked to instead.
LEAST_BITS: Final = 6
SECRET_BYTES: Final = 32


def commitment(secret: bytes) -> str:
    """What is published before anybody joins: SHA-256 of the secret, in hex."""
    return sha256(secret).hexdigest()


class Draw:
    """The order of `size` early numbers (0: nobody was early) of one room and epoch."""

    def __init__(self, secret: bytes, size: int, room: str, epoch: int) -> None:
        self.size = size
        head = size.to_bytes(8, "big") + epoch.to_bytes(8, "big")
        # Copied for each round: hashing the key again would cost as much as the round.
        self._keyed = sha256(sha256(secret + head + room.encode()).digest())
        bits = max((size - 1).bit_length(), LEAST_BITS)
        self._left_bits, self._right_bits = bits // 2, bits - bits // 2

    def place(self, number: int) -> int:
        """The place of a number: for 1..size another one of these, for those after them the number itself."""
        if not 1 <= number <= self.size:
            return number
        x = self._permute(number - 1)
        while x >= self.size:
            x = self._permute(x)
        return x + 1

    def number(self, place: int) -> int:
        """The number that has a place: `place` the other way round."""
        if not 1 <= place <= self.size:
            return place
        x = self._permute_back(place - 1)
        while x >= self.size:
            x = self._permute_back(x)
        return x + 1

    def __iter__(self) -> Iterator[int]:
        """The places of the numbers 1..size, in order."""
        return map(self.place, range(1, self.size + 1))

    def _permute(self, x: int) -> int:
        wide = self._right_bits
        left, right = x >> wide, x & ((1 << wide) - 1)
        for masks in self._rounds:
            left, right = right, left ^ (self._mix(masks[0], right) & masks[1])
        return left << wide | right

    def _permute_back(self, x: int) -> int:
        wide = self._right_bits
        left, right = x >> wide, x & ((1 << wide) - 1)
        for masks in reversed(self._rounds):
            left, right = right ^ (self._mix(masks[0], left) & masks[1]), left
        return left << wide | right

    @cached_property
    def _rounds(self) -> tuple[tuple[bytes, int], ...]:
        """For each round, its byte, and the mask of the half it changes: the halves take turns."""
        widths = (self._left_bits, self._right_bits)
        return tuple((bytes([r]), (1 << widths[r & 1]) - 1) for r in range(ROUNDS))

    def _mix(self, tag: bytes, x: int) -> int:
        hashed = self._keyed.copy()
        hashed.update(tag + x.to_bytes(8, "big"))
        return int.from_bytes(hashed.digest()[:8], "big")
