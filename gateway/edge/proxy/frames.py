"""Where WebSocket frames begin and end (RFC 6455, 5.2), so that a tunnel can be ended between two of them.

Only lengths are read: nothing is unmasked, joined or judged. What a tunnel carries is between its two ends.
"""

import secrets
import struct
from typing import Final

# RFC 6455, 7.4.1.
GOING_AWAY: Final = 1001
POLICY_VIOLATION: Final = 1008

_CLOSE: Final = 0x88
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_IN_16_BITS: Final = 126
_IN_64_BITS: Final = 127


class Frames:
    """Follows one direction of a connection."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    @property
    def between(self) -> bool:
        """Whether the last frame is complete and the next has not begun."""
        return not self._head and not self._left

    def advance(self, data: bytes, *, to_boundary: bool = False) -> int:
        """Follow `data`; how much of it was followed. to_boundary: no further than to the end of the present frame."""
        at, size = 0, len(data)
        while at < size and not (to_boundary and self.between):
            if self._left:
                step = min(self._left, size - at)
                self._left -= step
                at += step
                continue
            wanted = _head_size(self._head + data[at : at + 2])
            step = min(wanted - len(self._head), size - at)
            self._head += data[at : at + step]
            at += step
            if len(self._head) == _head_size(self._head):
                self._left = _payload_size(self._head)
                self._head = b""
        return at


def close_frame(code: int, *, masked: bool) -> bytes:
    """A Close frame. masked: as a client must send it (RFC 6455, 5.3)."""
    payload = struct.pack(">H", code)
    if not masked:
        return bytes((_CLOSE, len(payload))) + payload
    mask = secrets.token_bytes(4)
    return bytes((_CLOSE, _MASKED | len(payload))) + mask + bytes(a ^ b for a, b in zip(payload, mask, strict=False))


def _head_size(head: bytes) -> int:
    """How long a frame's head is; 2 while less than that is there."""
    if len(head) < 2:  # noqa: PLR2004
        return 2
    length = head[1] & _LENGTH
    more = 2 if length == _IN_16_BITS else 8 if length == _IN_64_BITS else 0
    return 2 + more + (4 if head[1] & _MASKED else 0)


def _payload_size(head: bytes) -> int:
    length = head[1] & _LENGTH
    if length == _IN_16_BITS:
        return int.from_bytes(head[2:4])
    if length == _IN_64_BITS:
        return int.from_bytes(head[2:10])
    return length
