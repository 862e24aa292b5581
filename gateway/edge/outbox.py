"""What is to be sent in a turn of the event loop is sent at its end.

Sending wakes the one who reads, on another core, and that costs us more than all else that the kernel does for an
answer. Who is awake already need not be woken: so what a turn has to say is read first, all of it, and said in one go.
"""

import asyncio
from typing import Final, Protocol

# Beyond this, what is there goes out: nobody's answer waits for more than these many others.
MOST: Final = 64


class Wire(Protocol):
    """As much of a transport as is needed here."""

    def is_closing(self) -> bool: ...

    def write(self, data: bytes, /) -> None: ...


class Outbox:
    """Of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: list[tuple[Wire, bytes]] = []

    def put(self, wire: Wire, data: bytes) -> None:
        """Have this sent, in its turn. Who writes to `wire` or closes it otherwise has to `send` first."""
        held = self._held
        held.append((wire, data))
        if len(held) == 1:
            self._loop.call_soon(self.send)
        elif len(held) >= MOST:
            self.send()

    def send(self) -> None:
        """Send now what is held."""
        held, self._held = self._held, []
        for wire, data in held:
            # Lost meanwhile: there is nobody to tell.
            if not wire.is_closing():
                wire.write(data)
