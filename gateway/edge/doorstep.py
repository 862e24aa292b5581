"""New connections while there is too much to do: newcomers are answered before anything is made for them.

To make a connection all that it needs (a parser, a task, timers) costs more than a page. Whoever brings nothing of ours
and asks for a page is told to come back, in a few words, and the connection ends. Everybody else is let through to an
ordinary connection with what they said, and whoever says nothing for long is not waited for.
"""

import asyncio
from typing import TYPE_CHECKING, Final, cast

from gateway.edge.crowd import Crowded
from gateway.edge.later import Later
from gateway.edge.overload import BUSY

if TYPE_CHECKING:
    from gateway.edge.server import Server

_OURS: Final = b"sunbeon"


class Doorstep(asyncio.Protocol):
    """Counts as a connection while it lasts."""

    __slots__ = ("_network", "_patience", "_peer", "_server", "_wire")

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._wire: asyncio.Transport | None = None
        self._network: bytes | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire, server = cast("asyncio.Transport", transport), self._server
        peer = wire.get_extra_info("peername")
        try:
            if server.open_connections < server.most_connections:
                self._network = server.crowd.enter(peer[0] if isinstance(peer, tuple) else None)
                self._wire = wire
        except Crowded:
            pass
        if self._wire is None:
            # Turned away there, as ever.
            self._let_through(wire)
            return
        server.open_connections += 1
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(server.settings.header_timeout_s, wire.abort)

    def data_received(self, data: bytes) -> None:
        wire, server = self._wire, self._server
        if wire is None:
            return
        answer: bytes | Later | None = None
        if _OURS not in data.lower() and server.hot is not None and not server.leaving:
            answer = server.hot(data, _nobody)
        self._leave()
        if isinstance(answer, bytes) and answer.startswith(BUSY):
            wire.write(answer)
            wire.close()
        else:
            self._let_through(wire, data, answer)

    def connection_lost(self, exc: BaseException | None) -> None:
        del exc
        self._leave()

    def _let_through(self, wire: asyncio.Transport, data: bytes = b"", answer: bytes | Later | None = None) -> None:
        connection = self._server.connection()
        wire.set_protocol(connection)
        connection.connection_made(wire)
        if isinstance(answer, bytes):
            connection.give(answer)
        elif data:
            connection.data_received(data)

    def _leave(self) -> None:
        if self._wire is None:
            return
        self._wire = None
        self._server.open_connections -= 1
        self._server.crowd.leave(self._network)
        if self._patience is not None:
            self._patience.cancel()


def _nobody(_answer: bytes | None) -> None:
    """Nothing that a newcomer asks for is answered later."""
