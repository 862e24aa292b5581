"""Long bodies, both ways and in both framings: whole at the other end, and never held by the gateway."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import Final

from gateway.tests.http.streaming.flow import MIB, Flow, Pace, digest, get, post
from gateway.tests.http.streaming.site import Backend, Figure, Gate, at_most, exactly, told

# A stream may hold about twice 64 KiB of a body and what the socket gave at once (256 KiB), on either side.
# An upload's pieces lie in more hands than a download's.
PER_STREAM_MIB: Final[Mapping[str, float]] = {"down": 1.5, "up": 3.0}
ONE_STREAM_MIB: Final = 32.0
# By how much a peak may be higher because it was looked for longer.
FLAT: Final = 0.25
FLAT_MIB: Final = 8.0
_SMALL_BUFFER: Final = 64 * 1024
WAYS: Final = tuple((way, framing) for way in ("down", "up") for framing in ("length", "chunked"))


async def download(port: int, path: str, pace: Pace, receive_buffer: int | None = None) -> tuple[int, str]:
    flow = await Flow.open(port, receive_buffer=receive_buffer)
    await flow.send(get(path))
    got = await flow.take(await flow.head(), pace)
    flow.close()
    return got


async def upload(port: int, path: str, size: int, *, chunked: bool, backend_pace: str = "0,0") -> tuple[Flow, str]:
    """Send a body; the flow, and what the backend says of it. backend_pace: how it reads (bytes, seconds)."""
    flow = await Flow.open(port)
    await flow.send(
        post(path, size, chunked=chunked).replace(b"\r\n\r\n", f"\r\nX-Pace: {backend_pace}\r\n\r\n".encode())
    )
    await flow.send_body(size, chunked=chunked)
    head = await flow.head()
    said = b"".join([piece async for piece in flow.body(head)]).decode()
    flow.close()
    return flow, said


async def one_at_a_time(gate: Gate, size: int) -> list[Figure]:
    """One long body after another."""
    figures = []
    memory = gate.memory()
    figures.append(told("resident memory of an idle worker", f"{memory.base:.1f} MiB"))
    expected = digest(size)
    for way, framing in WAYS:
        memory.mark()
        path = f"/{way}/{framing}/{size}"
        began_s = asyncio.get_running_loop().time()
        if way == "down":
            whole = await download(gate.port, path, Pace()) == (size, expected)
        else:
            _, said = await upload(gate.port, path, size, chunked=framing == "chunked")
            whole = said == f"{size} {expected}"
        took_s = asyncio.get_running_loop().time() - began_s
        name = f"{way}load of {size // MIB} MiB, {framing}"
        figures += [
            exactly(f"{name}: whole", whole, expected=True),
            at_most(f"{name}: memory grew by", memory.growth(), ONE_STREAM_MIB, "MiB"),
            told(f"{name}: pace", f"{size / MIB / took_s:,.0f} MiB/s"),
        ]
    return figures


async def slow_crowd(
    gate: Gate, backend: Backend, way: str, *, streams: int, size: int, burst: int, pause_s: float
) -> list[Figure]:
    """Many at once, taken in bursts with pauses: whoever sends is held back, not buffered for.

    A quarter of each first: bodies four times as long must cost no more.
    """
    memory = gate.memory()
    await _crowd(gate, backend, way, streams, size // 4, Pace(burst, pause_s))
    first = memory.growth()
    began_s = asyncio.get_running_loop().time()
    whole, held_back = await _crowd(gate, backend, way, streams, size, Pace(burst, pause_s))
    took_s = asyncio.get_running_loop().time() - began_s
    name = f"{streams} slow {way}loads of {size // MIB} MiB"
    return [
        exactly(f"{name}: whole", whole, streams),
        at_most(f"{name}: memory grew by", memory.growth(), ONE_STREAM_MIB + streams * PER_STREAM_MIB[way], "MiB"),
        at_most(
            f"{name}: of which for the last three quarters", memory.growth() - first, FLAT * first + FLAT_MIB, "MiB"
        ),
        # Otherwise nothing was shown.
        Figure(
            f"{name}: the sender was held back for",
            f"{min(held_back):.1f}-{max(held_back):.1f} s of {took_s:.1f} s",
            f"half of them > {pause_s:g} s",
            # On a busy machine, one that begins late finds the way free.
            median(held_back) > pause_s,
        ),
    ]


async def _crowd(
    gate: Gate, backend: Backend, way: str, streams: int, size: int, pace: Pace
) -> tuple[int, list[float]]:
    """How many came whole, and how long each sender was held back."""
    expected = digest(size)
    paths = [f"/{way}/{('length', 'chunked')[index % 2]}/{size}/{index}" for index in range(streams)]
    if way == "down":
        got = await asyncio.gather(*(download(gate.port, path, replace(pace), _SMALL_BUFFER) for path in paths))
        whole = sum(each == (size, expected) for each in got)
        return whole, [backend.exchanges[path].held_back_s for path in paths]
    said = f"{pace.burst},{pace.pause_s}"
    answers = await asyncio.gather(
        *(upload(gate.port, path, size, chunked="chunked" in path, backend_pace=said) for path in paths)
    )
    return sum(said == f"{size} {expected}" for _, said in answers), [flow.held_back_s for flow, _ in answers]
