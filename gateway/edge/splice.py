"""Gzip for pages that differ in a few places only.

Compressing a whole waiting page takes longer than rendering it, and most of it (style, script, the script's words) is
the same for everyone. Deflate lets compressed pieces stand one after the other once each ends on a byte boundary and
looks back at nothing before it (RFC 1951; zlib's full flush), so the fixed pieces are compressed once, hard, and only
what lies between them is compressed anew. One gzip member results, which every client reads.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Final

# Magic, deflate, no flags, no time, no hint, system unknown (RFC 1952, 2.3).
_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# An empty last block: ends the stream after pieces that all end on a byte boundary.
_END: Final = b"\x03\x00"


class Splicer:
    """Compresses texts in which the given pieces occur in this order; others too, only slower."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self._pieces = [(piece.encode(), _deflated(piece.encode(), 9)) for piece in pieces if piece]

    def gzip(self, body: bytes) -> bytes:
        """The body as one gzip member, the same for the same body."""
        return gzip_member([self.deflated(body)], zlib.crc32(body), len(body))

    def deflated(self, body: bytes) -> bytes:
        """The body, or a part of it, as blocks that others may stand before and behind."""
        out: list[bytes] = []
        done = 0
        for piece, deflated in self._pieces:
            at = body.find(piece, done)
            if at >= 0:
                out += (_deflated(body[done:at], 6), deflated)
                done = at + len(piece)
        out.append(_deflated(body[done:], 6))
        return b"".join(out)


def stored(data: bytes) -> bytes:
    """A block of data as it is, shorter than 64 KiB: what is little and new each time is not worth compressing."""
    return struct.pack("<BHH", 0, len(data), len(data) ^ 0xFFFF) + data


def gzip_member(blocks: Sequence[bytes], crc: int, size: int) -> bytes:
    """What the blocks hold. crc, size: of all of it, uncompressed."""
    return b"".join((_HEADER, *blocks, _END, struct.pack("<II", crc, size & 0xFFFFFFFF)))


def _deflated(data: bytes, level: int) -> bytes:
    """Raw deflate blocks without an end, complete in themselves."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)
