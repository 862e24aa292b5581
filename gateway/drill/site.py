"""The site under drill: asks as a visitor, judges what came back, and remembers what it was given, to give it back.

A request got through if anything but the gate answered it. Where the gate let the drill in by the same answer in the
ordinary way (a pass, for a place the board says is called), that was the drill's own turn and proves nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.drill.exchange import Answer, Exchange, Fields, fields_of, merged
from gateway.drill.report import Evidence, Finding, Row
from gateway.drill.wire import Wire
from shared.wire import OWN_PATH, PASS_COOKIE, SECURE_PREFIX, TICKET_COOKIE, VisitorState

# As scripts send it.
SCRIPT: Final[Fields] = (("Accept", "application/json"),)
BAD: Final = range(400, 600)

Jar = Mapping[str, str]


@dataclass(slots=True)
class Site:
    """page: the path under drill. room: once it is known. keeps: whether newcomers are kept waiting now.

    waiting: the cookies of the drill's own visitor, who has a number and is not called. called: those of one whose
    place may be claimed. numbers: those used. taken: cookies by which places and passes are held.
    """

    wire: Wire
    page: str
    room: str | None = None
    keeps: bool = False
    waiting: Jar | None = None
    number: int | None = None
    called: Jar | None = None
    numbers: set[int] = field(default_factory=set)
    taken: dict[int, Jar] = field(default_factory=dict)

    @property
    def ticket(self) -> str:
        return self._cookie(TICKET_COOKIE)

    @property
    def visitor_pass(self) -> str:
        return self._cookie(PASS_COOKIE)

    def own(self, action: str) -> str:
        """The path of one of the room's endpoints."""
        return f"{OWN_PATH}{self.room}/{action}"

    async def ask(
        self,
        method: str,
        target: str,
        headers: Fields = (),
        body: bytes = b"",
        *,
        jar: Jar | None = None,
        version: str = "HTTP/1.1",
    ) -> Exchange:
        """One request; what its answer gave is remembered."""
        exchange = await self.wire.ask(method, target, headers, body, cookies=jar, version=version)
        self.remember(exchange, jar)
        return exchange

    def remember(self, exchange: Exchange, jar: Jar | None = None) -> None:
        """Note which places and passes the answers gave, by number."""
        for answer in exchange.answers:
            after = merged(jar or {}, [answer])
            given = [value for name, value in answer.cookies.items() if name in {self.ticket, self.visitor_pass}]
            for token in given:
                told = fields_of(token)
                if not token.startswith("knock.") and len(told) > 1 and isinstance(told[1], int):
                    self.numbers.add(told[1])
                    self.taken[told[1]] = {**self.taken.get(told[1], {}), **after}

    async def status(self, jar: Jar) -> Exchange:
        return await self.ask("GET", self.own("status"), SCRIPT, jar=jar)

    async def leave(self, jar: Jar) -> Exchange:
        exchange = await self.ask("POST", self.own("leave"), SCRIPT, jar=jar)
        answer = exchange.answer
        if answer is not None and answer.gate == "left":
            for token in jar.values():
                self.taken.pop((fields_of(token) or [0, 0])[1], None)
        return exchange

    def either(self, turn: int) -> Jar:
        """By turns the cookies of a newcomer, who has none, and those of the drill's own visitor."""
        return self.waiting if self.waiting is not None and turn % 2 else {}

    async def attempt(
        self,
        row: Row,
        what: str,
        target: str | None = None,
        *,
        method: str = "GET",
        headers: Fields = (),
        body: bytes = b"",
        jar: Jar | None = None,
        version: str = "HTTP/1.1",
        never: bool = False,
        odd: bool = False,
    ) -> Exchange:
        """One request that must not get through, judged. never: it must not even be let in in the ordinary way.

        odd: it may not belong to the room, or be no HTTP, so that another server may refuse it.
        """
        exchange = await self.ask(method, target or self.page, headers, body, jar=jar, version=version)
        await self.judge(row, what, exchange, jar or {}, never=never, odd=odd)
        return exchange

    async def judge(
        self, row: Row, what: str, exchange: Exchange, jar: Jar, *, never: bool = False, odd: bool = False
    ) -> None:
        """Note whether a request got through."""
        finding, why = Finding.UNCLEAR, "no answer"
        for answer in exchange.answers:
            finding, why = await self._judge_one(answer, jar, never=never)
            if finding is Finding.BROKEN and odd and answer.status in BAD and answer.gate is None:
                finding, why = Finding.UNCLEAR, "refused, but not by the gate"
            if finding is not Finding.HELD:
                break
        note(row, what, exchange, finding, why)

    async def _judge_one(self, answer: Answer, jar: Jar, *, never: bool) -> tuple[Finding, str]:
        admitted = bool(answer.cookies.get(self.visitor_pass))
        if answer.gate is not None and not admitted:
            return Finding.HELD, ""
        if not admitted:
            return Finding.BROKEN, "it was not the gate that answered"
        if never:
            return Finding.BROKEN, "it gave a pass"
        after = merged(jar, [answer])
        if not await self.was_called(after):
            return Finding.BROKEN, "it gave a pass for a place that is not called"
        if self.waiting is not None and self.waiting.get(self.ticket) == after.get(self.ticket):
            self.waiting, self.called = None, after
        return Finding.UNCLEAR, "the drill's own turn came with it"

    async def was_called(self, jar: Jar) -> bool:
        """Whether the place of the pass in this jar is called, by the board."""
        told = fields_of(jar.get(self.visitor_pass, ""))
        board = (await self.ask("GET", self.own("board"), SCRIPT)).answer
        serving = board.json().get("serving") if board is not None else None
        return len(told) > 2 and isinstance(serving, int) and told[2] <= serving  # noqa: PLR2004 - epoch, number, place

    async def still_waits(self, row: Row) -> None:
        """The drill's own visitor must stand where it stood, after what was tried."""
        if self.waiting is None:
            return
        exchange = await self.status(self.waiting)
        told = exchange.answer.json() if exchange.answer is not None else {}
        state, number = told.get("state"), told.get("number")
        if state == VisitorState.WAITING:
            same = number == self.number
            why = "" if same else f"number {self.number} has become {number}"
            note(row, "afterwards its own place is as before", exchange, Finding.HELD if same else Finding.BROKEN, why)
        elif state == VisitorState.INSIDE and exchange.answer is not None:
            after = merged(self.waiting, [exchange.answer])
            called = await self.was_called(after)
            why = "the drill's own turn came" if called else "let in before its place was called"
            note(row, "afterwards", exchange, Finding.UNCLEAR if called else Finding.BROKEN, why)
            self.waiting, self.called = None, after
        else:
            note(row, "afterwards its own place is as before", exchange, Finding.BROKEN, f"its place is gone: {state}")
            self.waiting = None

    def _cookie(self, name: str) -> str:
        prefix = SECURE_PREFIX if self.wire.origin.scheme == "https" else ""
        return f"{prefix}{name}_{self.room}"


def note(row: Row, what: str, exchange: Exchange, finding: Finding, why: str = "") -> None:
    row.evidence.append(Evidence(what, exchange.sent_text, exchange.came_text, finding, why))


def expect(row: Row, what: str, exchange: Exchange, *, good: bool, why: str) -> None:
    """Note an exchange as held if it was good; as unclear if nothing came, and else as broken."""
    finding = Finding.HELD if good else Finding.BROKEN if exchange.answers else Finding.UNCLEAR
    note(row, what, exchange, finding, "" if good else why if exchange.answers else "no answer")
