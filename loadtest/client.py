"""HTTP for thousands of visitors over one pool of connections, each with cookies of its own.

Cookies are kept by hand: `http.cookiejar` and its kin cost more than the request. A connection that fails is made
again, at another gateway if there is one, with growing pauses, for as long as the run lasts, and counted as a
reconnect, not as an error: workers may be killed on purpose, and a visitor's browser would try again too.
"""

import asyncio
import random
import re
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import aiohttp
import orjson
from yarl import URL

from loadtest.gates import Gates
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
_CATCHING_UP: Final = re.compile(rb'"catching_up": ?true')
# Answers of the gate that are 503 because the operator wants it so.
MEANT: Final = frozenset({"closed", "full"})


class Watch:
    """Milliseconds since it was made, by the monotonic clock."""

    def __init__(self) -> None:
        self._start_ns = time.monotonic_ns()

    def floor_ms(self) -> int:
        return (time.monotonic_ns() - self._start_ns) // 1_000_000

    def ceil_ms(self) -> int:
        return -((self._start_ns - time.monotonic_ns()) // 1_000_000)


class Jar:
    """One visitor's cookies. Names are given bare; the prefix that TLS brings is added and removed here."""

    __slots__ = ("_cookies",)

    def __init__(self, cookies: Mapping[str, str] | None = None) -> None:
        self._cookies = dict(cookies or {})

    def take(self, lines: Iterable[str]) -> set[str]:
        """Obey `Set-Cookie` lines; the bare names of those set (not of those deleted)."""
        taken = set()
        for line in lines:
            pair, _, attributes = line.partition(";")
            name, _, value = pair.strip().partition("=")
            if not value or "max-age=0" in attributes.lower().replace(" ", "").split(";"):
                self._cookies.pop(name, None)
            else:
                self._cookies[name] = value
                taken.add(name.removeprefix(SECURE_PREFIX))
        return taken

    def get(self, name: str) -> str | None:
        return self._cookies.get(name) or self._cookies.get(SECURE_PREFIX + name)

    def with_cookie(self, name: str, value: str | None) -> "Jar":
        """A copy with one cookie more, or other, or (None) less."""
        copy = Jar(self._cookies)
        full = SECURE_PREFIX + name if SECURE_PREFIX + name in copy._cookies else name
        copy._cookies.pop(full, None)
        if value is not None:
            copy._cookies[full] = value
        return copy

    def copy(self) -> "Jar":
        return Jar(self._cookies)

    def header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())


@dataclass(slots=True)
class Tally:
    """Counts over all visitors. `lags_ms`: how late the generator itself was, once per arrival, poll and request.

    requests: tries. asked: what visitors wanted, each of one try or more; hit: of these, how many saw an error.
    troubles: the errors they saw, by gateway and kind: `refused` (no connection), `cut` (it was lost with the answer),
        `timeout`, or the status with the gate's word.
    asked_ms: when each request was wanted, whether or not there was a socket for it.
    catching_up: status answers that said that the line could not be asked. away_ms: when these, or errors for the same
        reason, were seen.
    false_answered, false_lost: requests that brought a token known to be false, and were answered, or may have been
        read without that an answer came.
    """

    asked: int = 0
    hit: int = 0
    catching_up: int = 0
    away_ms: "array[int]" = field(default_factory=lambda: array("L"))
    troubles: Counter[tuple[str, str]] = field(default_factory=Counter)
    requests: int = 0
    reconnects: int = 0
    orphans: int = 0
    false_answered: int = 0
    false_lost: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    lags_ms: "array[int]" = field(default_factory=lambda: array("L"))
    asked_ms: "array[int]" = field(default_factory=lambda: array("L"))


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `gate` is the gate's word, None on an answer of the backend; `lost` how many were lost before it.

    sent_ms: of the first try, whose answer may have been lost, and which may have done what this one tells.
    """

    status: int
    gate: str | None
    set_cookies: tuple[str, ...]
    retry_after_s: float
    body: bytes
    sent_ms: int
    got_ms: int
    lost: int = 0

    def json(self) -> Any:
        """The body, or None where it is no JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


class Client:
    """Asks, measures, counts. At most `sockets` requests are under way at once; who must wait for one is a lag."""

    def __init__(self, session: aiohttp.ClientSession, gates: Gates, *, sockets: int) -> None:
        self._session = session
        # aiohttp would send a request again by itself, unseen: the checks must know which answers were lost.
        session._retry_connection = False  # noqa: SLF001
        self._gates = gates
        self._slots = asyncio.Semaphore(sockets)
        self.watch = Watch()
        self.tally = Tally()
        self._false: set[str] = set()

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
            except aiohttp.ClientConnectorError:
                tally.reconnects += 1
                kind = "refused"
            except TimeoutError:
                tally.errors["timeout"] += 1
                kind = "timeout"
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
                tally.reconnects += 1
                kind = "cut"
            except aiohttp.ClientError as error:
                kind = type(error).__name__
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
        elif orphans and answer.gate == WAITING and _CATCHING_UP.search(answer.body):
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
        """One try. Raises what aiohttp raises, and `TimeoutError`."""
        asked_ms = self.watch.floor_ms()
        false = bool(self._false) and self._is_false(headers)
        self.tally.false_lost += false
        async with self._slots:
            sent_ms = self.watch.floor_ms()
            self.note_lag(sent_ms - asked_ms)
            self.tally.requests += 1
            self.tally.asked_ms.append(asked_ms)
            async with self._session.request(method, url, headers=headers, data=data, allow_redirects=False) as reply:
                body = await reply.read()
                self.tally.false_lost -= false
                self.tally.false_answered += false
                return Answer(
                    status=reply.status,
                    gate=reply.headers.get(GATE_HEADER),
                    set_cookies=tuple(reply.headers.getall("Set-Cookie", ())),
                    retry_after_s=_seconds(reply.headers.get("Retry-After")),
                    body=body,
                    sent_ms=sent_ms,
                    got_ms=self.watch.ceil_ms(),
                )

    def _is_false(self, headers: Mapping[str, str]) -> bool:
        brought = headers.get("Cookie", "").split("; ")
        ticket = headers.get(TICKET_HEADER)
        return not self._false.isdisjoint((*brought, f"{TICKET_HEADER}={ticket}"))


def _seconds(text: str | None) -> float:
    """A `Retry-After` in seconds, kept to what a run can bear; 1 where it is absent or a date."""
    try:
        return min(max(float(text or 1), 0.1), 5.0)
    except ValueError:
        return 1.0
