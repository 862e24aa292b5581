"""WebSocket as raw frames (RFC 6455), for both ends."""

import asyncio
import base64
import hashlib
import secrets
import struct
from typing import Final

from gateway.tests.http.streaming.flow import Cut, Flow, get

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BINARY: Final = 0x82
CLOSE: Final = 0x88
GOING_AWAY: Final = 1001
_MASKED: Final = 0x80


def frame(payload: bytes, *, masked: bool, first: int = BINARY) -> bytes:
    size = len(payload)
    flag = _MASKED if masked else 0
    if size < 126:
        head = struct.pack(">BB", first, flag | size)
    elif size < 2**16:
        head = struct.pack(">BBH", first, flag | 126, size)
    else:
        head = struct.pack(">BBQ", first, flag | 127, size)
    if not masked:
        return head + payload
    mask = secrets.token_bytes(4)
    return head + mask + _mask(payload, mask)


def _mask(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(size)


async def read_frame(flow: Flow) -> tuple[int, bytes]:
    """Its first byte and its payload, unmasked. Raises `Cut`."""
    try:
        first, second = await flow.reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(await flow.reader.readexactly(2))
        elif size == 127:
            size = int.from_bytes(await flow.reader.readexactly(8))
        mask = await flow.reader.readexactly(4) if second & _MASKED else b""
        payload = await flow.reader.readexactly(size)
    except (ConnectionError, asyncio.IncompleteReadError):
        raise Cut from None
    return first, _mask(payload, mask) if mask else payload


async def handshake(port: int, path: str) -> Flow:
    """A WebSocket. Raises `Cut`."""
    flow = await Flow.open(port)
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    await flow.send(
        get(path, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}")
    )
    head = await flow.head()
    assert head.status == 101, head
    assert head.headers["sec-websocket-accept"] == accept(key)
    return flow


def accept(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
