"""SIGTERM while bodies are under way: what ends within the drain is whole, what does not is cut, nobody hangs."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.supervisor import GRACE_S
from gateway.tests.http.streaming.backends import ROUTES
from gateway.tests.http.streaming.bodies import upload
from gateway.tests.http.streaming.flow import MIB, Cut, Flow, digest, get
from gateway.tests.http.streaming.site import LOOK_S, PATIENCE_S, Exchange, Figure, at_most, exactly, site, told, until

_SIZE: Final = 16 * MIB
_BURST: Final = MIB
_PIECE: Final = 16 * 1024
_FOR_EVER: Final = 2**40
_SMALL_BUFFER: Final = 64 * 1024
# Less than a drain in any of these.
SLACK_S: Final = 3.0


def _now() -> float:
    return asyncio.get_running_loop().time()


async def downloads_under_way(folder: Path, *, bodies: int, takes_s: float, drain_s: float) -> list[Figure]:
    """The only worker is told to stop amid downloads that take less than the drain."""
    pace = _pace(takes_s)
    async with site(folder, ROUTES, gateway={"drain_s": drain_s}) as (gate, backend):
        paths = [f"/down/{('length', 'chunked')[index % 2]}/{_SIZE}/{index}" for index in range(bodies)]
        downloads = [asyncio.create_task(_downloaded(gate.port, path, pace)) for path in paths]
        idle = await Flow.open(gate.port)
        await until(lambda: len(backend.exchanges) == bodies, "all are under way")
        since_s = _now()
        gate.terminate()
        idle_s = await idle.ended() - since_s
        idle.close()
        refused = sum([not await _is_answered(gate.port) for _ in range(20)])
        whole = sum(await asyncio.gather(*downloads))
        code = await gate.exit_code()
        return [
            exactly("SIGTERM: downloads whole", whole, bodies),
            exactly("SIGTERM: new connections refused, of 20", refused, 20),
            told("SIGTERM: an idle connection was closed after", f"{idle_s:.2f} s"),
            at_most("SIGTERM amid downloads: the process ended after", _now() - since_s, drain_s + GRACE_S, "s"),
            exactly("SIGTERM amid downloads: exit code", code, 0),
        ]


async def uploads_under_way(folder: Path, *, bodies: int, takes_s: float, drain_s: float) -> list[Figure]:
    """The only worker is told to stop amid uploads that take less than the drain."""
    pace = _pace(takes_s)
    async with site(folder, ROUTES, gateway={"drain_s": drain_s}) as (gate, backend):
        uploads = [
            asyncio.create_task(_uploaded(gate.port, f"/up/{index}", pace, chunked=bool(index % 2)))
            for index in range(bodies)
        ]
        await until(lambda: len(backend.exchanges) == bodies, "all are under way")
        gate.terminate()
        whole = sum(await asyncio.gather(*uploads))
        code = await gate.exit_code()
        return [exactly("SIGTERM: uploads whole", whole, bodies), exactly("SIGTERM amid uploads: exit code", code, 0)]


async def endless_under_way(folder: Path, *, drain_s: float) -> list[Figure]:
    """The only worker is told to stop amid answers that do not end."""
    async with site(folder, ROUTES, gateway={"drain_s": drain_s}) as (gate, backend):
        paths = [f"/down/{framing}/{_FOR_EVER}" for framing in ("length", "chunked")]
        endless = [asyncio.create_task(_downloaded(gate.port, path, _pace(1))) for path in paths]
        await until(lambda: len(backend.exchanges) == len(paths), "all are under way")
        since_s = _now()
        gate.terminate()
        whole = sum(await asyncio.gather(*endless))
        cut_s = _now() - since_s
        code = await gate.exit_code()
        killed = "did not stop in time and was killed" in gate.logs()
        return [
            exactly("SIGTERM: endless answers that seem whole", whole, 0),
            at_most("SIGTERM: endless answers were cut after", cut_s, drain_s + SLACK_S, "s"),
            exactly("SIGTERM amid endless answers: the worker had to be killed", killed, expected=False),
            exactly("SIGTERM amid endless answers: exit code", code, 0),
        ]


async def tail_under_way(folder: Path, *, drain_s: float) -> list[Figure]:
    """The only worker is told to stop when an answer has come whole, but its end still waits for a slow client."""
    client: list[Flow] = []

    async def filling(exchange: Exchange) -> None:
        """An answer that just does not fit into the kernel, so that the gateway holds its end."""
        await exchange.flow.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        queued = [0, 0, 0]
        while not 0 < queued[-1] == queued[-2] == queued[-3]:
            await exchange.flow.send(b"%x\r\n" % _PIECE, b"." * _PIECE, b"\r\n")
            await asyncio.sleep(LOOK_S)
            queued.append(gate.unsent(client[0].local_port))
        await exchange.flow.send(b"0\r\n\r\n")

    routes = {**ROUTES, "fill": filling}
    no_idle = {"max_idle_connections": 0}
    async with site(folder, routes, gateway={"drain_s": drain_s}, upstream=no_idle) as (gate, backend):
        client.append(flow := await Flow.open(gate.port, receive_buffer=_SMALL_BUFFER))
        await flow.send(get("/fill"))
        await backend.exchange("/fill")
        await until(lambda: not gate.connections(), "the answer has left the backend")
        gate.terminate()
        await asyncio.sleep(SLACK_S / 2)
        try:
            whole = bool(await flow.take(await flow.head()))
        except Cut:
            whole = False
        flow.close()
        return [exactly("SIGTERM: an answer whole whose end waits for its client", whole, expected=True)]


async def one_of_two_workers(folder: Path, *, bodies: int, takes_s: float, drain_s: float) -> list[Figure]:
    """One of two is told to stop, while new connections come all the time."""
    pace = _pace(takes_s)
    async with site(folder, ROUTES, workers=2, gateway={"drain_s": drain_s}) as (gate, backend):
        downs = [
            asyncio.create_task(_downloaded(gate.port, f"/down/length/{_SIZE}/{index}", pace))
            for index in range(bodies)
        ]
        await until(lambda: len(backend.exchanges) == bodies, "all are under way")
        stopped = gate.worker_pids()[0]
        os.kill(stopped, signal.SIGTERM)
        answered = failed = 0
        while stopped in gate.worker_pids():
            if await _is_answered(gate.port):
                answered += 1
            else:
                failed += 1
            await asyncio.sleep(0.01)
        whole = sum(await asyncio.gather(*downs))
        await until(lambda: len(gate.worker_pids()) == 2, "there is another worker")
        name = "SIGTERM to one of two workers"
        return [
            exactly(f"{name}: downloads whole", whole, bodies),
            Figure(f"{name}: new connections served meanwhile", str(answered), "> 0", answered > 0),
            # The kernel resets what waits in the queue of a listener that closes.
            at_most(f"{name}: new connections refused", failed, 5, "of them"),
        ]


def _pace(takes_s: float) -> str:
    """How the backend gives or takes a body for it to take this long; see `backends`."""
    return f"{_BURST},{takes_s * _BURST / _SIZE}"


async def _downloaded(port: int, path: str, backend_pace: str) -> bool:
    """Whether it came whole."""
    flow = await Flow.open(port)
    try:
        await flow.send(get(path, f"X-Pace: {backend_pace}"))
        return await flow.take(await flow.head()) == (_SIZE, digest(_SIZE))
    except Cut:
        return False
    finally:
        flow.close()


async def _uploaded(port: int, path: str, backend_pace: str, *, chunked: bool) -> bool:
    """Whether it came whole."""
    with suppress(Cut):
        _, said = await upload(port, path, _SIZE, chunked=chunked, backend_pace=backend_pace)
        return said == f"{_SIZE} {digest(_SIZE)}"
    return False


async def _is_answered(port: int) -> bool:
    """Whether a new connection is served, and not refused or ended without an answer."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            flow = await Flow.open(port)
            try:
                await flow.send(get("/small"))
                return (await flow.head()).status == 200
            finally:
                flow.reset()
    except (OSError, Cut):
        return False
