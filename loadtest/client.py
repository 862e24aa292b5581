"""HTTP for thousands of visitors over one pool of connections, each with cookies of its own.

A connection that fails is made again, at another gateway if there is one, with growing pauses, for as long as the run
lasts, and counted as a reconnect, not as an error: workers may be killed on purpose, and a visitor's browser would try
again too.
"""

import asyncio
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import orjson
from yarl import URL

from loadtest.connection import BadAnswer, Cut, Refused, decoded
from loadtest.gates import Gates
from loadtest.jar import Jar
from loadtest.pool import Door, Pool
from loadtest.tally import Tally, Watch
from shared.wire import GATE_HEADER, SECURE_PREFIX, TICKET_HEADER

HTML: Final = "text/html,application/xhtml+xml;q=0.9"
JSON: Final = "application/json"

FIRST_BACKOFF_S: Final = 0.05
LAST_BACKOFF_S: Final = 2.0

ERROR: Final = 500
# Words of the gate when it cannot ask the line.
AWAY: Final = frozenset({"turn_kept", "unavailable"})
# Its word on the waiting page, and what is in it while the line cannot be asked.
WAITING: Final = "waiting"
_CATCHING_UP: Final = re.compile(rb'"catching_up": ?(true|false)')
# Answers of the gate that are 503 because the operator wants it so.
MEANT: Final = frozenset({"closed", "full"})

# Addresses that are remembered taken apart; each booking has some of its own.
MOST_KNOWN: Final = 10_000

_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_WHAT_WE_ARE: Final = "User-Agent: sunbeon-loadtest\r\nAccept-Encoding: gzip, deflate\r\n"


@dataclass(slots=True)
class Answer:
    """One answer. `gate` is the gate's word, None on an answer of the backend; `lost` how many were lost before it.

    raw: the body, as it was sent, in `coding`.
    sent_ms: of the first try, whose answer may have been lost, and which may have done what this one tells.
    """

    status: int
    gate: str | None
    set_cookies: tuple[str, ...]
    retry_after_s: float
    raw: bytes
    sent_ms: int
    got_ms: int
    lost: int = 0
    coding: str = ""

    def json(self) -> Any:
        """The body, or None where it is no JSON."""
        try:
            return orjson.loads(decoded(self.raw, self.coding))
        except (BadAnswer, orjson.JSONDecodeError):
            return None

    def catching_up(self) -> bool:
        """Whether a page says that the line cannot be asked. To read it to its end costs more than to ask for it."""
        try:
            said = _CATCHING_UP.search(decoded(self.raw, self.coding, _CATCHING_UP))
        except BadAnswer:
            return False
        return said is not None and said[1] == b"true"


class Client:
    """Asks, measures, counts. At most `sockets` requests are under way at once; who must wait for one is late.

    limit_s: for one answer. Closed by `async with`.
    """

    def __init__(self, gates: Gates, *, sockets: int, limit_s: float = 30.0) -> None:
        self._gates = gates
        self._slots = asyncio.Semaphore(sockets)
        self._pool = Pool(limit_s)
        self.watch = Watch()
        self.tally = Tally()
        self._false: set[str] = set()
        # To take an address apart costs as much as sending a request to it.
        self._where: dict[URL, tuple[Door, str, str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    @property
    def opened(self) -> int:
        """Connections made so far."""
        return self._pool.opened

    def forge(self, name: str, value: str) -> str:
        """A cookie or header that is none of the gate's: it is counted whenever it is sent. Returns the value."""
        self._false |= {f"{name}={value}", f"{SECURE_PREFIX}{name}={value}"}
        return value

    async def ask(
        self,
        method: str,
        url: URL,
        *,
        jar: Jar,
        accept: str = HTML,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        orphans: bool = False,
    ) -> Answer:
        """Ask until there is an answer; whatever it says.

        orphans: the request may be given a number or a pass that is nobody's if the answer is lost.
        """
        sending = {"Accept": accept, **(headers or {})}
        if cookies := jar.header():
            sending["Cookie"] = cookies
        data = None
        if body is not None:
            sending["Content-Type"] = "application/json"
            data = orjson.dumps(body)
        tally = self.tally
        tally.asked += 1
        lost = 0
        backoff_s = FIRST_BACKOFF_S
        first_ms: int | None = None
        failed: str | None = None
        while True:
            began_ms = self.watch.floor_ms()
            target = self._gates.target(url, failed=failed)
            hosted = sending if target.host is None else {"Host": target.host, **sending}
            try:
                answer = await self.once(method, target.url, hosted, data)
                self._note_trouble_told(target.name, answer, first=first_ms is None, orphans=orphans)
                return answer if first_ms is None else replace(answer, sent_ms=first_ms, lost=lost)
            except Refused:
                tally.reconnects += 1
                kind = "refused"
            except TimeoutError:
                tally.errors["timeout"] += 1
                kind = "timeout"
            except Cut:
                tally.reconnects += 1
                kind = "cut"
            except BadAnswer:
                kind = "bad answer"
                tally.errors[kind] += 1
            except asyncio.CancelledError:
                tally.orphans += orphans
                raise
            self._note_trouble(target.name, kind, first=first_ms is None)
            lost += kind != "refused"
            first_ms = began_ms if first_ms is None else first_ms
            failed = target.name
            tally.orphans += bool(lost) and orphans
            await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries
            backoff_s = min(backoff_s * 2, LAST_BACKOFF_S)

    async def sleep_ms(self, pause_ms: float) -> None:
        """Pause, and note by how much it was overslept."""
        wanted_ms = self.watch.floor_ms() + pause_ms
        await asyncio.sleep(pause_ms / 1000)
        self.note_lag(self.watch.floor_ms() - wanted_ms)

    async def pause(self, answer: Answer) -> None:
        """Wait as an answer told, give or take a quarter: thousands were told the same at the same moment."""
        await self.sleep_ms(answer.retry_after_s * random.uniform(750, 1250))  # noqa: S311 - spreads retries

    def _note_trouble_told(self, gateway: str, answer: Answer, *, first: bool, orphans: bool) -> None:
        if answer.status >= ERROR and answer.gate not in MEANT:
            self._note_error(gateway, answer, first=first)
            # It may have been given a number before it failed.
            self.tally.orphans += orphans
        elif orphans and answer.gate == WAITING and answer.catching_up():
            # The line did not answer in time: what it gives this newcomer later, the gate gives back.
            self.tally.orphans += 1
            self.tally.away_ms.append(answer.sent_ms)

    def _note_error(self, gateway: str, answer: Answer, *, first: bool) -> None:
        kind = f"{answer.status} {answer.gate or 'backend'}"
        self.tally.errors[kind] += 1
        self._note_trouble(gateway, kind, first=first)
        if answer.gate in AWAY:
            self.tally.away_ms.append(answer.sent_ms)

    def _note_trouble(self, gateway: str, kind: str, *, first: bool) -> None:
        self.tally.troubles[gateway, kind] += 1
        self.tally.hit += first

    def note_lag(self, lag_ms: float) -> None:
        self.tally.lags_ms.append(max(0, int(lag_ms)))

    async def once(self, method: str, url: URL, headers: Mapping[str, str], data: bytes | None = None) -> Answer:
        """One try. Raises `NoAnswer` and `TimeoutError`."""
        watch, tally = self.watch, self.tally
        asked_ms = watch.floor_ms()
        door, path, host = self._where.get(url) or self._look_up(url)
        request = _written(method, path, host, headers, data)
        false = bool(self._false) and self._is_false(headers)
        tally.false_lost += false
        queued = self._slots.locked()
        await self._slots.acquire()
        try:
            sent_ms = watch.floor_ms()
            self.note_lag(sent_ms - asked_ms)
            if queued:
                tally.queued_ms.append(sent_ms - asked_ms)
            tally.requests += 1
            tally.asked_ms.append(asked_ms)
            head, raw = await self._pool.exchange(door, request, bodiless=method == "HEAD")
        finally:
            self._slots.release()
        tally.false_lost -= false
        tally.false_answered += false
        fields = head.headers
        return Answer(
            status=head.code,
            gate=fields.get(GATE_HEADER),
            set_cookies=tuple(fields.getall("Set-Cookie", ())),
            retry_after_s=_seconds(fields.get("Retry-After")),
            raw=raw,
            sent_ms=sent_ms,
            got_ms=watch.ceil_ms(),
            coding=fields.get("Content-Encoding", ""),
        )

    def _look_up(self, url: URL) -> tuple[Door, str, str]:
        """What to connect to, what to ask there, and under which name."""
        door = self._pool.door(url.host or "", url.port or 80, tls=url.scheme == "https")
        found = (door, url.raw_path_qs, url.host_port_subcomponent or "")
        if len(self._where) < MOST_KNOWN:
            self._where[url] = found
        return found

    def _is_false(self, headers: Mapping[str, str]) -> bool:
        brought = headers.get("Cookie", "").split("; ")
        ticket = headers.get(TICKET_HEADER)
        return not self._false.isdisjoint((*brought, f"{TICKET_HEADER}={ticket}"))


def _written(method: str, path: str, host: str, headers: Mapping[str, str], data: bytes | None) -> bytes:
    """A whole request. Paths and fields go out as they are spelled."""
    named = "" if "Host" in headers else f"Host: {host}\r\n"
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    length = "" if data is None and method in _BODILESS else f"Content-Length: {len(data or b'')}\r\n"
    return f"{method} {path} HTTP/1.1\r\n{named}{_WHAT_WE_ARE}{fields}{length}\r\n".encode() + (data or b"")


def _seconds(text: str | None) -> float:
    """A `Retry-After` in seconds, kept to what a run can bear; 1 where it is absent or a date."""
    try:
        return min(max(float(text or 1), 0.1), 5.0)
    except ValueError:
        return 1.0
