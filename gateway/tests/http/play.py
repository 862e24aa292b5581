"""Play a case on a gateway: a client and a backend of raw sockets, and what came out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.edge.tests.backend import PATIENCE_S
from gateway.tests.http.case import Answer, Case, Do, Got, Hear, Step, Tell
from gateway.tests.http.wire import Ended, Message, Reader, Wire

PROBE: Final = b"GET /probe HTTP/1.1\r\nHost: site.test\r\n\r\n"
SWITCHED: Final = 101
PROBED: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nprobed"


@dataclass(slots=True)
class Signs:
    """What the two ends of a case tell each other."""

    said: dict[str, asyncio.Event] = field(default_factory=dict)

    def __getitem__(self, word: str) -> asyncio.Event:
        return self.said.setdefault(word, asyncio.Event())


@dataclass(slots=True)
class Backend:
    """Follows the scripts, whatever the gateway makes of the answers. probes: requests of our own in between."""

    scripts: Sequence[Sequence[Step]]
    signs: Signs
    port: int = 0
    seen: list[Message] = field(default_factory=list)
    probes: list[Message] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)

    async def serve(self, wire: Wire) -> None:
        reader = Reader(wire)
        self.readers.append(reader)
        try:
            while True:
                message = await reader.request()
                if b" /probe " in message.start:
                    self.probes.append(message)
                    wire.write(PROBED)
                else:
                    await self._follow(reader, message)
        except Ended:
            pass
        finally:
            wire.close()

    async def _follow(self, reader: Reader, message: Message) -> None:
        """Do the request's script. Raises `Ended` when the connection is over."""
        script = self.scripts[min(len(self.seen), len(self.scripts) - 1)]
        self.seen.append(message)
        for step in script:
            if step is Do.BODY:
                await reader.request_body(message)
            else:
                await _do(reader.wire, step, self.signs)
            if step in {Do.CLOSE, Do.RESET}:
                raise Ended
        if any(isinstance(step, bytes) and step.startswith(b"HTTP/1.1 101") for step in script):
            await reader.wire.ended()
            raise Ended  # what follows is no HTTP
        if Do.BODY not in script:
            await reader.request_body(message)


async def _do(wire: Wire, step: Step, signs: Signs) -> None:
    match step:
        case bytes():
            wire.write(step)
        case Got(data):
            await wire.until(lambda: True if data in wire.received else None)
        case Tell(word):
            signs[word].set()
        case Hear(word):
            await signs[word].wait()
        case Do.CLOSE:
            wire.close()
        case Do.HALF:
            wire.stop()
        case Do.RESET:
            wire.reset()


@asynccontextmanager
async def backend(case: Case, port: int = 0) -> AsyncIterator[Backend]:
    """A backend for one case, with no memory of another."""
    made = Backend(case.scripts, Signs())
    tasks: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Wire(lambda wire: tasks.append(loop.create_task(made.serve(wire)))), "127.0.0.1", port
    )
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for reader in made.readers:
            await reader.wire.give_up()


@dataclass(slots=True)
class Outcome:
    """What came out. interim: the 1xx heads before each answer. then: the client's connection is "open", "closed" or
    "stuck". again: the backend's last connection carried another request. tunnel: after a 101, at the client. back:
    bytes at the backend that belong to no request. alive: the gateway still serves others."""

    answers: list[Message] = field(default_factory=list)
    interim: list[tuple[bytes, ...]] = field(default_factory=list)
    seen: list[Message] = field(default_factory=list)
    then: str = "stuck"
    again: bool | None = None
    tunnel: bytes = b""
    back: bytes = b""
    alive: bool = False

    @property
    def switched(self) -> bool:
        return bool(self.answers) and self.answers[-1].status == SWITCHED


async def play(case: Case, port: int, behind: Backend, *, patience_s: float = PATIENCE_S) -> Outcome:
    """Play it against the gateway at `port`. Nothing that goes wrong raises: it is in the outcome."""
    wire = await Wire.open(port)
    reader = Reader(wire)
    outcome = Outcome()
    with suppress(TimeoutError, Ended):
        async with asyncio.timeout(patience_s):
            for step in case.steps:
                await _do(wire, step, behind.signs)
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            await _read_answers(case, reader, outcome)
            await _look_further(case, reader, outcome)
    wire.close()
    another = await Wire.open(port)
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            outcome.alive = await _probe(Reader(another)) is not None
            for message in behind.seen:
                if not message.whole or outcome.switched:
                    await message.wire.ended()
    await wire.give_up()
    await another.give_up()
    outcome.seen = list(behind.seen)
    if behind.seen and behind.probes:
        outcome.again = behind.probes[0].wire is behind.seen[-1].wire
    outcome.back = b"".join(each.rest for each in behind.readers)
    return outcome


async def _read_answers(case: Case, reader: Reader, outcome: Outcome) -> None:
    """As many as the case expects at most, or until the connection ends."""
    wanted: Sequence[Answer] = max((each.answers for each in case.expected), key=len)
    for answer in wanted:
        try:
            interim = []
            while (message := await reader.head()).status in range(100, 200) and message.status != SWITCHED:
                interim.append(message.head)
            outcome.answers.append(message)
            outcome.interim.append(tuple(interim))
            await reader.answer_body(message, answer.to)
        except Ended:
            return


async def _look_further(case: Case, reader: Reader, outcome: Outcome) -> None:
    """Is the connection still good for something, and is nothing on it that nobody asked for?"""
    wire = reader.wire
    if outcome.switched:
        expect = case.expected[0]
        with suppress(Ended):
            await wire.until(lambda: True if len(reader.rest) >= len(expect.tunnel) else None)
        if expect.then == "closed":
            await wire.ended()
        outcome.then = "closed" if wire.end else "open"
        outcome.tunnel = reader.rest
        return
    outcome.then = "closed" if await _probe(reader) is None else "open"
    outcome.tunnel = reader.rest


async def _probe(reader: Reader) -> Message | None:
    """Ask for something else on a connection; None if it is closed."""
    try:
        reader.wire.write(PROBE)
        message = await reader.head()
        await reader.answer_body(message, b"GET")
    except Ended:
        return None
    return message if message.body == b"probed" else None
