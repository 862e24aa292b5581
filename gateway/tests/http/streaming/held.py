"""Connections that are held: WebSockets, server-sent events, and those that wait for their next request."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Iterable
from pathlib import Path
from statistics import quantiles
from typing import Final, TypeVar

from gateway.edge.streams import LOOK_S as STREAMS_LOOK_S
from gateway.supervisor import GRACE_S
from gateway.tests.http.streaming.flow import MIB, Cut, Flow, get
from gateway.tests.http.streaming.site import PATIENCE_S, Backend, Exchange, Figure, Gate, at_most, exactly, site, told
from gateway.tests.http.streaming.websocket import BINARY, CLOSE, GOING_AWAY, frame, handshake, read_frame
from gateway.tests.stand import fetch

KIB: Final = 1024
SLACK_S: Final = 5.0
# A WebSocket and an idle connection: rather more than measured, far less than a body.
WEBSOCKET_KIB: Final = 128
IDLE_KIB: Final = 48
_AT_ONCE: Final = 100

T = TypeVar("T")


async def few_at_once(work: Iterable[Awaitable[T]]) -> list[T]:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Awaitable[T]) -> T:
        async with turn:
            return await each

    return await asyncio.gather(*(one(each) for each in work))


# WebSockets


async def websockets(gate: Gate, backend: Backend, *, sockets: int, rounds: int, drain_s: float) -> list[Figure]:
    """Every message is echoed; when the gateway stops, every socket is told so, in time. Stops it."""
    memory = gate.memory()
    flows = await few_at_once(handshake(gate.port, f"/echo/{index}") for index in range(sockets))
    each_kib = (memory.resident() - memory.base) * KIB / sockets
    ends = [backend.exchanges[f"/echo/{index}"] for index in range(sockets)]
    right = 0
    for turn in range(rounds):
        right += sum(await asyncio.gather(*(_echoed(flow, index, turn) for index, flow in enumerate(flows))))
    figures = [
        at_most(f"{sockets} WebSockets: memory of one, open", each_kib, WEBSOCKET_KIB, "KiB"),
        exactly(f"{sockets} WebSockets: messages echoed", right, sockets * rounds),
        told(f"{sockets} WebSockets, amid their messages: memory grew by", f"{memory.growth():.1f} MiB"),
    ]
    loop = asyncio.get_running_loop()
    since_s = loop.time()
    gate.terminate()
    codes = await asyncio.gather(*(_code(flow) for flow in flows))
    closed_s = loop.time() - since_s
    code = await gate.exit_code()
    at_backend = sum(bool(exchange.whole) for exchange in ends)
    return [
        *figures,
        exactly("on SIGTERM: clients told 1001", codes.count(GOING_AWAY), sockets),
        exactly("on SIGTERM: backend's ends told 1001", at_backend, sockets),
        at_most("on SIGTERM: all told after", closed_s, drain_s, "s"),
        at_most("on SIGTERM: the process ended after", loop.time() - since_s, drain_s + GRACE_S, "s"),
        exactly("on SIGTERM: exit code", code, 0),
    ]


async def _echoed(flow: Flow, index: int, turn: int) -> bool:
    """A message there and back: of 1 MiB for one socket in a hundred, of up to 2 KiB for the others."""
    dice = random.Random(1000 * turn + index)
    payload = dice.randbytes(MIB if index % 100 == turn else dice.randrange(2 * KIB))
    sending = asyncio.create_task(flow.send(frame(payload, masked=True)))
    async with asyncio.timeout(PATIENCE_S):
        got = await read_frame(flow)
        await sending
    return got == (BINARY, payload)


async def _code(flow: Flow) -> int:
    """The code with which a WebSocket was closed; 0 if it was not."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            first, payload = await read_frame(flow)
            await flow.ended()
    except (Cut, TimeoutError):
        return 0
    flow.close()
    return int.from_bytes(payload[:2]) if first == CLOSE else 0


# Server-sent events


class _Publisher:
    """A backend that sends the next event of a stream only when the last one has arrived, to the client's word."""

    def __init__(self, events: int) -> None:
        self._events = events
        self.arrived: dict[str, asyncio.Queue[None]] = {}

    async def __call__(self, exchange: Exchange) -> None:
        arrived = self.arrived.setdefault(exchange.path, asyncio.Queue())
        await exchange.flow.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(self._events):
            await arrived.get()
            await asyncio.sleep(random.uniform(0.5, 1.5))
            event = f"data: {time.perf_counter()}\n\n".encode()
            await exchange.flow.send(b"%x\r\n%b\r\n" % (len(event), event))
        await exchange.flow.ended()
        raise Cut


async def event_streams(folder: Path, streams: int, events: int) -> list[Figure]:
    """Nothing is held back until there is more of it; and a stream ends with the pass it came in by."""
    publisher = _Publisher(events)
    room = {"state": "open", "total_active_users": 10 * streams, "new_users_per_minute": 60_000}
    async with site(folder, {"events": publisher}, room=room) as (gate, backend):
        memory = gate.memory()
        flows = await few_at_once(_subscribed(gate.port, f"/events/{index}") for index in range(streams))
        delays = await asyncio.gather(
            *(_listen(flow, events, publisher.arrived[f"/events/{index}"]) for index, flow in enumerate(flows))
        )
        delays_ms = [1000 * delay for each in delays for delay in each]
        cuts = quantiles(delays_ms, n=100)
        grown_kib = (memory.resident() - memory.base) * KIB / streams
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        await asyncio.to_thread(_reset, gate)
        reset_s = loop.time()
        ended = await asyncio.gather(*(_end(flow) for flow in flows))
        ended_s = loop.time() - reset_s
        async with asyncio.timeout(PATIENCE_S):
            at_backend_s = max([await exchange.flow.ended() for exchange in backend.exchanges.values()]) - reset_s
        most_s = STREAMS_LOOK_S + SLACK_S
        return [
            exactly(
                f"{streams} event streams: events that came, each before the next", len(delays_ms), streams * events
            ),
            told(f"{streams} event streams: delay", f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms"),
            told(f"{streams} event streams: memory of one", f"{grown_kib:.0f} KiB"),
            told("the room is reset: the operator's call took", f"{reset_s - since_s:.2f} s"),
            exactly("the room is reset: streams ended properly", sum(ended), streams),
            at_most("the room is reset: all ended after", ended_s, most_s, "s"),
            at_most("the room is reset: the backend saw all end after", at_backend_s, most_s, "s"),
        ]


async def _subscribed(port: int, path: str) -> Flow:
    """An event stream, once the room lets us in."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            flow = await Flow.open(port)
            await flow.send(get(path, "Accept: text/event-stream"))
            head = await flow.head()
            if head.status == 200 and head.headers.get("content-type") == "text/event-stream":
                return flow
            flow.reset()
            await asyncio.sleep(0.1)


async def _listen(flow: Flow, events: int, arrived: "asyncio.Queue[None]") -> list[float]:
    """How long each event was under way, in seconds."""
    delays = []
    async with asyncio.timeout(PATIENCE_S + 2 * events):
        for _ in range(events):
            arrived.put_nowait(None)
            event = await flow.event()
            delays.append(time.perf_counter() - float(event.removeprefix(b"data: ")))
    return delays


async def _end(flow: Flow) -> bool:
    """Whether the answer comes to its proper end."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await flow.event() == b""
    except (Cut, TimeoutError):
        return False


def _reset(gate: Gate) -> None:
    """As an operator does, with the version of the room just seen."""
    path = f"/api/rooms/{gate.name}"
    headers = {"Authorization": f"Bearer {gate.token}"}
    _, told_headers, _ = fetch(gate.operator_url, "GET", path, headers=headers)
    seen = dict(told_headers)["ETag"]
    headers |= {"If-Match": seen, "Content-Type": "application/json"}
    body = json.dumps({"confirm": gate.name}).encode()
    status, _, content = fetch(gate.operator_url, "POST", f"{path}/reset", body=body, headers=headers)
    assert status == 200, content


# Connections that wait for their next request


async def idle_connections(gate: Gate, connections: int) -> list[Figure]:
    """What a client costs that asks for nothing."""
    first = await few_at_once(Flow.open(gate.port) for _ in range(_AT_ONCE))
    await few_at_once(_asked(flow) for flow in first)  # what any first request costs is not theirs
    memory = gate.memory()
    flows = await few_at_once(Flow.open(gate.port) for _ in range(connections))
    right = sum(await few_at_once(_asked(flow) for flow in flows))
    each_kib = (memory.resident() - memory.base) * KIB / connections
    again = sum(await few_at_once(_asked(flow) for flow in flows))
    name = f"{connections} idle connections"
    return [
        exactly(f"{name}: requests answered, and answered again", (right, again), (connections, connections)),
        at_most(f"{name}: memory of one", each_kib, IDLE_KIB, "KiB"),
    ]


async def _asked(flow: Flow) -> bool:
    await flow.send(get("/small"))
    head = await flow.head()
    return head.status == 200 and [piece async for piece in flow.body(head)] == [b"ok"]
