"""One gateway kept at work between clients of exact bytes and a lenient backend, for one example after another."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.edge.tests.front import front
from gateway.tests.http import strict
from gateway.tests.http.grammar import Reply, Sent
from gateway.tests.http.lenient import READINGS, Backend, Record, echo, listening
from gateway.tests.http.verdict import Heard, Talk, judge, judge_answer
from gateway.tests.http.wire import Wire

# The only timed waits. The first is for what must come, the second for a refusal of what nobody can call a request;
# cut short by a slow machine, it makes the judge miss something, and never see something that is not there.
PATIENCE_S: Final = 10.0
QUIET_S: Final = 0.02
ROOMS: Final = (
    {"name": "in", "paths": ["/in"], "state": "passthrough"},
    {"name": "shut", "paths": ["/shut"], "state": "closed"},
)
# One connection to the backend: what one visitor does to it, the next one finds.
UPSTREAM: Final = {"max_connections": 1, "response_timeout_s": 2.0}


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened. wrong: every promise that was broken, with what shows it."""

    talks: tuple[Talk, ...]
    wrong: tuple[str, ...]

    def check(self) -> None:
        """Raises AssertionError with all that one needs to see."""
        if self.wrong:
            raise AssertionError("\n".join(["", *(f"a client sent {talk.sent!r}" for talk in self.talks), *self.wrong]))


class Rig:
    """port: where clients connect; a gateway's, or what a test puts in its place."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Trial]], Trial], port: int, backend: Backend) -> None:
        self._run = run
        self._port = port
        self.backend = backend
        self._innocents = 0

    def try_out(self, sent: Sent) -> Trial:
        """Send a stream on a connection of its own, then an innocent's request on another."""
        return self._run(self._try_out(sent))

    def answer(self, reply: Reply) -> Trial:
        """Let the backend answer a request so, then two innocents'."""
        return self._run(self._answer(reply))

    async def _try_out(self, sent: Sent) -> Trial:
        self.backend.forget()
        self.backend.live, self.backend.early = sent.live, sent.early
        talks = [await talk(self._port, sent.writes)]
        await self._settled()
        self.backend.early = False
        talks.append(await self._innocent())
        heard = [Heard(bytes(connection.received), connection.open) for connection in self.backend.connections]
        return await self._over(talks, judge(talks, self.backend.records, heard))

    async def _answer(self, reply: Reply) -> Trial:
        self.backend.forget()
        self.backend.live = READINGS[0]

        def answer(record: Record) -> list[bytes | None]:
            return list(reply.writes) if record.message.start[1] == b"/out/reply" else echo(record)

        self.backend.reply = answer
        asked = b"%b /out/reply HTTP/1.1\r\nHost: site.test\r\nContent-Length: 0\r\n\r\n" % reply.method
        talks = [await talk(self._port, [asked])]
        await self._settled()
        talks += [await self._innocent(), await self._innocent()]
        self.backend.reply = echo
        return await self._over(talks, judge_answer(reply, talks, self.backend.records))

    async def _innocent(self) -> Talk:
        self._innocents += 1
        mark = b"innocent%d" % self._innocents
        asked = b"GET /out/%b HTTP/1.1\r\nHost: site.test\r\nX-Mark: %b\r\n\r\n" % (mark, mark)
        got = await talk(self._port, [asked], innocent=True)
        await self._settled()
        return got

    async def _over(self, talks: list[Talk], wrong: list[str]) -> Trial:
        if wrong:
            self.backend.cut()
            await self._settled()
        return Trial(tuple(talks), tuple(wrong))

    async def _settled(self) -> None:
        """Wait until no connection to the backend is amid a request."""
        looks = 0
        while any(_busy(connection.received) for connection in self.backend.connections if connection.open):
            looks += 1
            if looks > PATIENCE_S / QUIET_S * 20:
                break
            await asyncio.sleep(0 if looks < 20 else QUIET_S / 20)


def _busy(received: bytearray) -> bool:
    return strict.requests(bytes(received)).end is strict.End.INCOMPLETE


async def talk(port: int, writes: Sequence[bytes], *, innocent: bool = False) -> Talk:
    """Write, and read until every request has its answer or the other side closes."""
    sent = b"".join(writes)
    asked = strict.requests(sent)
    wire = await Wire.open(port)
    for piece in writes:
        if wire.end:
            break
        wire.write(piece)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def answered() -> bool | None:
        got = strict.answers(bytes(wire.received), asked.methods)
        return True if wire.end or len(got.messages) >= len(asked.messages) else None

    hung = not await _within(PATIENCE_S, wire.until(answered))
    if asked.end is not strict.End.CLEAN and not hung:
        await _within(QUIET_S, wire.ended())
    closed = wire.end is not None
    if not closed:
        with suppress(OSError):
            wire.transport.write_eof()
        await _within(PATIENCE_S, wire.ended())
    reset = wire.end != "eof"
    wire.reset()
    return Talk(asked, sent, bytes(wire.received), closed=closed, hung=hung, reset=reset, innocent=innocent)


async def _within(seconds: float, what: Awaitable[object]) -> bool:
    """Whether it came to be in time."""
    try:
        async with asyncio.timeout(seconds):
            await what
    except TimeoutError:
        return False
    return True


@contextmanager
def rig(folder: Path, before: Callable[[Backend], AbstractAsyncContextManager[int]] | None = None) -> Iterator[Rig]:
    """A gateway before a lenient backend, in an event loop of their own. before: what to put in the gateway's place.

    The loop stands still between examples.
    """
    backend = Backend()
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def start() -> int:
            await stack.enter_async_context(listening(backend))
            if before is not None:
                return await stack.enter_async_context(before(backend))
            backends: Any = [backend]  # all that is asked of one is its address
            made = await stack.enter_async_context(front(folder, backends, rooms=ROOMS, upstream=UPSTREAM))
            return made.port

        port = runner.run(start())
        try:
            yield Rig(runner.run, port, backend)
        finally:
            runner.run(stack.aclose())
