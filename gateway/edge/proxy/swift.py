"""An answer that comes whole and small is found out in the turn of the event loop in which it has come.

Nearly all answers are of that kind: one final head, a stated length, a few KiB. For them `Relay`, which streams, waits
and holds back where it must, is more work than the answer itself. So the connection tells us as it is read, and head
and body go out in one write.

Whatever is not so is left to `Relay`, untouched, on the same connection, as if nobody had looked at it: interim heads,
a body in chunks, a long one or one that keeps us waiting, a switch of protocols, a command of the backend's, a head
that cannot be passed on, a failure of any kind.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp.http_parser import RawResponseMessage

from gateway.edge.proxy.answer import is_bodiless
from gateway.edge.proxy.connection import Connection
from gateway.edge.proxy.known import Known, known
from shared.wire import COMMAND_HEADER

# Below this a body goes out in one piece: the transport takes it without asking us to wait.
MOST_BYTES: Final = 32 * 1024
# A head waits for so long at most for the rest of its small body.
WAIT_S: Final = 0.05

# Told once: the answer, what is thought of its head, its body; or None if it is `Relay`'s to carry.
Answer = tuple[RawResponseMessage, Known, bytes]
Done = Callable[[Answer | None], None]


class Swift:
    """Waits for one answer to a request by `method`. `stop` it when it was told, or is not wanted any more.

    leaves: an answer with any of these headers is `Relay`'s.
    """

    __slots__ = ("_connection", "_done", "_leaves", "_method", "_patience")

    def __init__(
        self, connection: Connection, method: str, done: Done, *, leaves: Sequence[str] = (COMMAND_HEADER,)
    ) -> None:
        self._leaves = leaves
        self._connection = connection
        self._method = method
        self._done: Done | None = done
        self._patience: asyncio.TimerHandle | None = None
        connection.listen(self._look)

    def stop(self) -> None:
        self._done = None
        self._connection.listen(None)
        if self._patience is not None:
            self._patience.cancel()

    def _look(self) -> None:
        """Something has come, or the connection has ended."""
        message = self._connection.begun
        if message is None:
            self._tell(None)
            return
        told = known(message)
        if not self._fits(message, told):
            self._tell(None)
        elif (body := self._connection.whole()) is not None:
            self._tell((message, told, body))
        elif self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(WAIT_S, self._tell, None)

    def _fits(self, message: RawResponseMessage, told: Known) -> bool:
        if message.code < 200 or told.endless or not told.sound:  # noqa: PLR2004
            return False
        for name in self._leaves:
            if name in message.headers:
                return False
        return is_bodiless(self._method, message.code) or (told.length is not None and told.length <= MOST_BYTES)

    def _tell(self, found: Answer | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(found)
