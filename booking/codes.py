"""Booking codes: short enough to read over the phone, too many to guess. Pure."""

from typing import Final

# Without I, L, O and U: nothing that reads as 1 or 0, and no accidental words.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 10

_AS_READ: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})


def code_from(random_bytes: bytes) -> str:
    """A code from `LENGTH` random bytes, five bits of each: 50 bits."""
    return "".join(ALPHABET[byte & 31] for byte in random_bytes[:LENGTH])


def normalise(typed: str) -> str:
    """The code as stored, however it was typed: `7k3m9 xq2-ot` is `7K3M9XQ20T`. At most a code's length and one."""
    return "".join(each for each in typed.upper().translate(_AS_READ) if each in ALPHABET)[: LENGTH + 1]


def grouped(code: str) -> str:
    """For the eye: `7K3M9-XQ20T`."""
    return f"{code[:5]}-{code[5:]}"
