"""An open-loop generator: requests are sent when they are due, however slowly the ones before them are answered.

A generator that waits for answers asks less where the server is slow, and leaves out of its figures just the waits
that matter ("coordinated omission"; Gil Tene, the README of https://github.com/giltene/wrk2). So the moments at which
requests are due are drawn beforehand (a Poisson process: people do not take turns), and a wait counts from there, not
from when the request got out. A person whose last question is open asks no second one, as no browser does: a request
for which nobody is free is not put off but *unasked*, and counts among those offered. Who has had no answer
`patience_s` after it was due hangs up (`lost`), and comes back by a new connection.

Raw sockets and one epoll in place of an event loop: half of what is asked for comes by a connection of its own, and a
transport costs several times what these do. Not on a timer's grain: what is due is sent up to 1 ms later.
"""

import gc
import random
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from loadtest.bench.wire import Address

# A ticket may ask four times a second in the long run (`gateway.edge.hasty`).
PAUSE_S: Final = 0.26
# Of one source address there are some 28,000 ports, and a closed one is not free at once.
SOURCES: Final = tuple(f"127.0.9.{number}" for number in range(1, 65))
_BURST: Final = 32
_EVENTS: Final = 128
_GRAIN_S: Final = 0.001
_READ: Final = 65_536
_LENGTH: Final = b"content-length: "
# IP_BIND_ADDRESS_NO_PORT: the port is chosen when the target is known.
_PORT_LATER: Final = 24
_IN: Final = select.EPOLLIN
_OUT: Final = select.EPOLLOUT


@dataclass(slots=True)
class Stream:
    """Requests of one kind. marker: what a right answer has in it.

    kept: each of `requests` is a person's, who keeps a connection; else each is sent by a new one, in turn.
    pause_s: how long a person who keeps one leaves between two requests, at least.
    """

    name: str
    requests: Sequence[bytes]
    marker: bytes
    kept: bool = True
    pause_s: float = 0.0


@dataclass(slots=True)
class Told:
    """Of one kind. waits_s: of those answered well, from when they were due. in_time: of these, within the run.

    shed: a refusal with `Retry-After`, the longest of `shed_bytes`. wrong: other answers, by status. lost: no answer.
    cut: the connection was refused or closed before an answer. unasked: nobody was free to ask.
    late_s: how late the generator itself was, of each that was sent.
    """

    offered: int = 0
    well: int = 0
    in_time: int = 0
    shed: int = 0
    lost: int = 0
    cut: int = 0
    unasked: int = 0
    shed_bytes: int = 0
    wrong: Counter[int] = field(default_factory=Counter)
    waits_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)

    @property
    def accounted(self) -> int:
        """What became of them; equal to `offered`."""
        return self.well + self.shed + self.lost + self.cut + self.unasked + self.wrong.total()


def share_within(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies; 0 without any."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


class _Talk:
    """A connection, and the person's whose it is, if it is kept."""

    __slots__ = ("answer", "asked_s", "due_s", "kept", "of", "request", "socket", "unsent", "waiting")

    def __init__(self, of: int, request: bytes, *, kept: bool) -> None:
        self.of = of
        self.request = request
        self.kept = kept
        self.socket: socket.socket | None = None
        self.asked_s = -PAUSE_S
        self.due_s = 0.0
        self.answer = b""
        self.unsent = b""
        # Numbers the questions; 0: none is open.
        self.waiting = 0


class Generator:
    """At one server. open_files: how many connections it may have at once."""

    def __init__(self, address: Address, streams: Sequence[Stream], *, open_files: int, seed: int = 1) -> None:
        self._address = address
        self._streams = streams
        self._most_open = open_files
        self._lots = random.Random(seed)  # noqa: S311
        self._epoll = select.epoll()
        self._talks: dict[int, _Talk] = {}
        self._free = [
            deque(_Talk(number, request, kept=True) for request in stream.requests) if stream.kept else deque()
            for number, stream in enumerate(streams)
        ]
        self._next = [0] * len(streams)
        self._source = 0
        self._asked = 0
        self._open: deque[tuple[float, _Talk, int]] = deque()
        self._told: list[Told] = []
        self._begun_s = 0.0
        self._until_s = 0.0

    def close(self) -> None:
        for talk in list(self._talks.values()):
            self._hang_up(talk)
        self._epoll.close()

    def connect(self) -> None:
        """Open all kept connections beforehand, as those of people who have been there for a while."""
        for free in self._free:
            for talk in free:
                if talk.socket is None:
                    self._dial(talk)
                    time.sleep(0.0001)  # a backlog is short

    def run(
        self, rates: Sequence[float], seconds: float, patience_s: float, over: Callable[[], None] = lambda: None
    ) -> list[Told]:
        """Of each stream so many a second, for so long; then wait for what is open, for `patience_s` at most.

        over: called once between the two.
        """
        dues, which = self._plan(rates, seconds)
        self._told = told = [Told() for _ in self._streams]
        for number in which:
            told[number].offered += 1
        with _no_garbage():
            self._begun_s = begun = time.monotonic()
            self._until_s = seconds
            sent, count, clock = 0, len(dues), time.monotonic
            now, going = 0.0, True
            while True:
                if going and now >= seconds:
                    going = False
                    over()
                burst = min(sent + _BURST, count)
                while sent < burst and dues[sent] <= now:
                    self._ask(which[sent], dues[sent], now)
                    sent += 1
                    now = clock() - begun
                if not going and sent == count and not self._waits():
                    break
                ready = 0.0 if sent < count and dues[sent] <= now else _GRAIN_S
                for fd, event in self._epoll.poll(ready, _EVENTS):
                    self._hear(fd, event)
                now = clock() - begun
                self._give_up(now - patience_s)
        return told

    def _plan(self, rates: Sequence[float], seconds: float) -> tuple[list[float], list[int]]:
        """When something is due, and of which stream."""
        dues: list[float] = []
        total, due = sum(rates), 0.0
        while True:
            due += self._lots.expovariate(total)
            if due >= seconds:
                return dues, self._lots.choices(range(len(rates)), rates, k=len(dues))
            dues.append(due)

    def _ask(self, number: int, due_s: float, now_s: float) -> None:
        told, stream = self._told[number], self._streams[number]
        if stream.kept:
            free = self._free[number]
            if not free or now_s + self._begun_s - free[0].asked_s < stream.pause_s:
                told.unasked += 1
                return
            talk = free.popleft()
        else:
            talk = _Talk(number, stream.requests[self._next[number] % len(stream.requests)], kept=False)
            self._next[number] += 1
        self._asked += 1
        talk.waiting, talk.due_s, talk.asked_s, talk.answer = self._asked, due_s, now_s + self._begun_s, b""
        told.late_s.append(now_s - due_s)
        self._open.append((due_s, talk, self._asked))
        if talk.socket is None:
            if len(self._talks) >= self._most_open:
                told.unasked += 1
                self._done(talk)
                return
            if not self._dial(talk):
                self._cut(talk)
                return
        self._send(talk, talk.request)

    def _dial(self, talk: _Talk) -> bool:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setsockopt(socket.SOL_IP, _PORT_LATER, 1)
            self._source = (self._source + 1) % len(SOURCES)
            made.bind((SOURCES[self._source], 0))
            with suppress(BlockingIOError):
                made.connect(self._address)
        except OSError:
            made.close()
            return False
        talk.socket = made
        self._talks[made.fileno()] = talk
        self._epoll.register(made, _IN)
        return True

    def _send(self, talk: _Talk, data: bytes) -> None:
        assert talk.socket is not None  # noqa: S101 - for mypy
        try:
            sent = talk.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._cut(talk)
            return
        if sent < len(data):
            talk.unsent = data[sent:]
            self._epoll.modify(talk.socket, _IN | _OUT)

    def _hear(self, fd: int, event: int) -> None:
        talk = self._talks.get(fd)
        if talk is None or talk.socket is None:
            return
        if event & _OUT and talk.unsent and not event & (select.EPOLLERR | select.EPOLLHUP):
            unsent, talk.unsent = talk.unsent, b""
            self._epoll.modify(talk.socket, _IN)
            self._send(talk, unsent)
            return
        try:
            data = talk.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._cut(talk)
            return
        answer = talk.answer = talk.answer + data if talk.answer else data
        end = answer.find(b"\r\n\r\n")
        if end < 0 or not talk.waiting:
            return
        head = answer[: end + 2].lower()
        at = head.find(_LENGTH)
        size = end + 4 + (int(head[at + len(_LENGTH) : head.find(b"\r", at)]) if at >= 0 else 0)
        if len(answer) >= size:
            self._judge(talk, head, answer)
            if not talk.kept or b"\r\nconnection: close\r" in head:
                self._hang_up(talk)
            self._done(talk)

    def _judge(self, talk: _Talk, head: bytes, answer: bytes) -> None:
        told, status = self._told[talk.of], answer[9:12]
        if status == b"200" and self._streams[talk.of].marker in answer:
            now_s = time.monotonic() - self._begun_s
            told.well += 1
            told.in_time += now_s < self._until_s
            told.waits_s.append(now_s - talk.due_s)
        elif status in {b"503", b"429"} and b"\r\nretry-after: " in head:
            told.shed += 1
            told.shed_bytes = max(told.shed_bytes, len(answer))
        else:
            told.wrong[int(status)] += 1

    def _cut(self, talk: _Talk) -> None:
        """The connection has ended. Between two requests that is nobody's loss."""
        self._hang_up(talk)
        if talk.waiting:
            self._told[talk.of].cut += 1
            self._done(talk)

    def _done(self, talk: _Talk) -> None:
        talk.waiting = 0
        if talk.kept:
            self._free[talk.of].append(talk)

    def _hang_up(self, talk: _Talk) -> None:
        made, talk.socket, talk.unsent = talk.socket, None, b""
        if made is not None:
            del self._talks[made.fileno()]
            made.close()

    def _waits(self) -> bool:
        """Whether anything is open."""
        while self._open and self._open[0][1].waiting != self._open[0][2]:
            self._open.popleft()
        return bool(self._open)

    def _give_up(self, before_s: float) -> None:
        """Hang up on what has been due since then."""
        while self._open and self._open[0][0] < before_s:
            _, talk, number = self._open.popleft()
            if talk.waiting == number:
                self._told[talk.of].lost += 1
                self._hang_up(talk)
                self._done(talk)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Looking for garbage among hundreds of thousands of objects would make it late."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
