"""Clients that stall, trickle and vanish, and backends that do: each costs the gateway its stated time and no more."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

from gateway.tests.http.streaming.flow import MIB, Cut, Flow, Head, get, pieces, post
from gateway.tests.http.streaming.site import PATIENCE_S, Backend, Exchange, Figure, Gate, at_most, exactly, until
from gateway.tests.http.streaming.websocket import handshake

CLIENT_LIMIT_S: Final = 1.0
BACKEND_LIMIT_S: Final = 2.0
# Where clients and backends stall: who does is told by the answer, 408 or 504.
NEAR: Final[Mapping[str, Mapping[str, float]]] = {
    "gateway": {"client_idle_timeout_s": CLIENT_LIMIT_S, "header_timeout_s": CLIENT_LIMIT_S},
    "upstream": {
        "idle_timeout_s": BACKEND_LIMIT_S,
        "response_timeout_s": BACKEND_LIMIT_S,
        "max_idle_connections": 0,
        "passive_fails": 100,
    },
}
# Where clients go away: nothing else can be what ended it.
FAR_S: Final = 60.0
FAR: Final[Mapping[str, Mapping[str, float]]] = {
    "gateway": {"client_idle_timeout_s": FAR_S, "header_timeout_s": FAR_S, "keepalive_timeout_s": FAR_S},
    "upstream": {"max_idle_connections": 0},
}
# What a limit may be exceeded by on a busy machine. A client's going away is to be seen within the same.
SLACK_S: Final = 5.0
_SMALL: Final = 64 * 1024
_LONG: Final = 512 * MIB
_STEP_S: Final = 0.1
# Until every buffer on the way is full. If it is too short on some machine, the case is a milder one, no other.
_FILL_S: Final = 0.5


def _now() -> float:
    return asyncio.get_running_loop().time()


# What clients do first


async def _ask(port: int, path: str) -> Flow:
    flow = await Flow.open(port, receive_buffer=_SMALL)
    await flow.send(get(path))
    return flow


async def _stop_reading(port: int, path: str) -> Flow:
    """Read the head, and stop; when this returns, nothing more gets through."""
    flow = await _ask(port, path)
    await flow.head()
    await asyncio.sleep(_FILL_S)
    return flow


async def _read(port: int, path: str) -> Flow:
    """Read a part."""
    flow = await _ask(port, path)
    body = flow.body(await flow.head())
    for _ in range(20):
        await anext(body)
    return flow


async def _upload(port: int, path: str) -> Flow:
    """Send as much as is taken, for a moment."""
    flow = await Flow.open(port)
    await flow.send(post(path, _LONG))
    with suppress(TimeoutError):
        async with asyncio.timeout(_FILL_S):
            for piece in pieces(_LONG):
                await flow.send(piece)
    return flow


async def _pipeline(port: int, path: str) -> Flow:
    """Ask, and go on asking behind it until nothing more is taken."""
    flow = await _ask(port, path)
    with suppress(TimeoutError):
        async with asyncio.timeout(_FILL_S):
            while True:
                await flow.send(get("/silent/behind") * 100)
    return flow


# Clients that go away


Begin = Callable[[int, str], Awaitable[Flow]]
Leave = Callable[[Flow], None]

_AT_WORK: Final[tuple[tuple[str, str, Begin], ...]] = (
    ("waiting for an answer", "/silent", _ask),
    ("amid a download", f"/down/length/{_LONG}", _read),
    ("amid a download it stopped reading", f"/down/chunked/{_LONG}", _stop_reading),
    ("amid an endless answer", "/endless", _read),
    ("amid an upload", f"/up/{_LONG}", _upload),
    ("holding a WebSocket", "/echo", handshake),
)
# Here the gateway reads the client no more, so as to hold nothing for it.
_HELD_BACK: Final[tuple[tuple[str, str, Begin], ...]] = (
    ("amid an upload that the backend does not take", "/deaf", _upload),
    ("waiting, with many requests behind", "/silent", _pipeline),
)


async def gone_clients(gate: Gate, backend: Backend) -> list[Figure]:
    """A client that goes away takes its request to the backend with it, at once."""
    figures = []
    ways: list[tuple[str, Leave]] = [("reset", Flow.reset), ("dead", Flow.die)]
    for case in _AT_WORK:
        for how, leave in ways:
            figures += await _gone(gate, backend, case, how, leave)
    figures += await _gone(gate, backend, _AT_WORK[0], "half-closed", Flow.half_close)
    return figures


async def gone_while_held_back(gate: Gate, backend: Backend, most_s: float = SLACK_S) -> list[Figure]:
    """So does one that goes away while it is held back."""
    figures = []
    for case in _HELD_BACK:
        figures += await _gone(gate, backend, case, "reset", Flow.reset, most_s)
    return figures


async def _gone(
    gate: Gate, backend: Backend, case: tuple[str, str, Begin], how: str, leave: Leave, most_s: float = SLACK_S
) -> list[Figure]:
    what, path, begin = case
    flow = await begin(gate.port, f"{path}/{how}")
    exchange = await backend.exchange(f"{path}/{how}")
    since_s = _now()
    leave(flow)
    figures = await _freed(f"client {what}, {how}", gate, exchange, since_s, most_s)
    exchange.flow.reset()
    flow.reset()
    await until(lambda: not gate.connections(), "the gateway is free for the next case")
    return figures


async def _freed(name: str, gate: Gate, exchange: Exchange, since_s: float, most_s: float) -> list[Figure]:
    """How long after `since_s` the gateway had let go of the backend, and the backend knew."""
    try:
        await until(lambda: not gate.connections(), name, most_s)
        freed_s = _now() - since_s
        figures = [at_most(f"{name}: backend free after", freed_s, most_s, "s")]
        if not exchange.path.startswith("/deaf"):  # who does not read is told nothing
            async with asyncio.timeout(SLACK_S):
                seen_s = await exchange.flow.ended() - since_s
            figures.append(at_most(f"{name}: backend told after", seen_s, most_s, "s"))
    except (AssertionError, TimeoutError):
        return [Figure(f"{name}: backend free after", f"not in {most_s:g} s", f"<= {most_s:g} s", kept=False)]
    return figures


# Clients that stay and stall


async def stalling_clients(gate: Gate, backend: Backend) -> list[Figure]:
    """Each ends within the time the settings name."""
    figures = []
    path = f"/down/length/{_LONG}"
    since_s = _now()
    flow = await _stop_reading(gate.port, path)
    name = "client that stops reading a download"
    figures += await _freed(name, gate, await backend.exchange(path), since_s, 2 * CLIENT_LIMIT_S + SLACK_S)
    figures.append(exactly(f"{name}: is told a whole one", await _is_whole(flow), expected=False))

    for name, step_s, kind in (
        ("client that sends a body byte by byte", _STEP_S, 408),
        ("client that stops amid a body", FAR_S, 408),
    ):
        path = f"/up/{step_s}"
        since_s = _now()
        flow = await Flow.open(gate.port)
        await flow.send(post(path, 1000))
        trickle = asyncio.create_task(_trickle(flow, b"." * 1000, step_s))
        figures += await _freed(name, gate, await backend.exchange(path), since_s, 2 * CLIENT_LIMIT_S + SLACK_S)
        figures.append(exactly(f"{name}: answer", (await flow.head()).status, kind))
        figures.append(exactly(f"{name}: whole at the backend", backend.exchanges[path].whole, expected=False))
        trickle.cancel()
        flow.reset()

    for name, took_s in await asyncio.gather(
        _endless_head(gate.port, "client that never ends its head", get("/never")[:-2], 0),
        _endless_head(gate.port, "client that sends its head byte by byte", get("/never", *["X: 1"] * 50), _STEP_S),
        _endless_head(gate.port, "client that sends nothing", b"", 0),
    ):
        figures.append(at_most(f"{name}: ended after", took_s, CLIENT_LIMIT_S + SLACK_S, "s"))
    figures.append(
        exactly("heads that never ended: reached the backend", "/never" in backend.exchanges, expected=False)
    )
    return figures


async def _endless_head(port: int, name: str, head: bytes, step_s: float) -> tuple[str, float]:
    """After how long the gateway ended it."""
    flow = await Flow.open(port)
    since_s = _now()
    trickle = asyncio.create_task(_trickle(flow, head, step_s))
    async with asyncio.timeout(PATIENCE_S):
        took_s = await flow.ended() - since_s
    trickle.cancel()
    return name, took_s


async def _trickle(flow: Flow, data: bytes, step_s: float) -> None:
    """Byte by byte; all at once if the step is 0."""
    with suppress(Cut):
        for piece in (data[at : at + 1] for at in range(len(data))) if step_s else [data]:
            await flow.send(piece)
            await asyncio.sleep(step_s)


async def _is_whole(flow: Flow) -> bool:
    """Whether what is left of an answer comes to its end."""
    left = _LONG
    with suppress(ConnectionError):
        while left and (piece := await flow.reader.read(_SMALL)):
            left -= len(piece)
    flow.reset()
    return not left


# Backends


async def bad_backends(gate: Gate, *, drip: int, every_s: float) -> list[Figure]:
    """Each ends within the time the settings name; one that is only slow does not."""
    figures = []
    for name, path, begin, expected in (
        ("backend that does not take an upload", "/deaf", _upload, 504),
        ("backend that never answers", "/silent", _ask, 504),
        ("backend that stops amid an answer", "/stall", _ask, None),
    ):
        since_s = _now()
        flow = await begin(gate.port, path)
        async with asyncio.timeout(PATIENCE_S):
            head = await flow.head()
            figures.append(exactly(f"{name}: answer", head.status, expected or 200))
            if expected is None:
                figures.append(exactly(f"{name}: told a whole one", await _took(flow, head), expected=None))
        figures.append(at_most(f"{name}: ended after", _now() - since_s, BACKEND_LIMIT_S + SLACK_S, "s"))
        flow.reset()
        await until(lambda: not gate.connections(), f"{name}: is let go")
    flow = await _ask(gate.port, f"/drip/{drip}/{every_s}")
    got = await _took(flow, await flow.head())
    figures.append(exactly(f"backend that sends a byte every {every_s:g} s: bytes", got, drip))
    flow.close()
    return figures


async def _took(flow: Flow, head: Head) -> int | None:
    """The size of what came; None if it did not come whole."""
    try:
        return (await flow.take(head))[0]
    except Cut:
        return None
