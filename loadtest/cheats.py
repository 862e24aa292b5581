"""The tricks, each played through to see whether it helps; `attempt` judges."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, TypeVar

from yarl import URL

from loadtest.attempt import attempt, not_known
from loadtest.client import JSON, Answer
from loadtest.evidence import Trick, Turn
from loadtest.jar import Jar
from loadtest.scenario import Cheat
from loadtest.site import Status
from loadtest.visitor import Visitor
from shared.wire import PASS_COOKIE, PASS_HEADER, TICKET_COOKIE, TICKET_HEADER, VisitorState

T = TypeVar("T")

REPLAYS: Final = 8

# With no cookies at all; the others bring what the visitor was given so far.
FRESH: Final = 4

FORBIDDEN: Final = 403

# Every gateway knows within a second, of the pass that it served, that it ended.
KNOWN_FOR_MS: Final = 1_250


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# {"alg":"none"} and claims to match: what a cheat writes who has read the documentation.
FAKE_JWT: Final = ".".join(
    (
        _b64(b'{"alg":"none","typ":"JWT","kid":"1"}'),
        _b64(b'{"iss":"sunbeon","jti":"x","how":"exempt","epoch":1,"num":1,"place":1,"iat":1,"exp":9999999999}'),
        "",
    )
)

FALSE_TICKET: Final = _b64(bytes(range(64)))
FALSE_HEADERS: Final = (
    {PASS_HEADER: FAKE_JWT},
    {PASS_HEADER: _b64(bytes(range(64)))},
    {TICKET_HEADER: FALSE_TICKET},
    {"Sunbeon-Gate": "inside", "Sunbeon-Command": "complete", "Sunbeon-How": "exempt"},
    {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
    {"X-Original-URL": "/_sunbeon/jwks.json", "X-Rewrite-URL": "/_sunbeon/jwks.json"},
    {"X-HTTP-Method-Override": "OPTIONS", "Date": "Wed, 21 Jul 2100 20:00:00 GMT"},
)


def deep_links(path: str) -> tuple[str, ...]:
    """Other spellings of a path that a careless gate takes for another page and a backend for the same."""
    rest = path.lstrip("/")
    encoded = f"%{ord(rest[0]):02x}{rest[1:]}" if rest else "%2e/"
    return (
        path.upper(),
        f"/{encoded}",
        f"/%2e{path}",
        f"/.{path}",
        f"/x/..{path}",
        f"/x/%2e%2e{path}",
        f"/%2fx/%2e%2e/{rest}",
        f"/{path}",
        f"///{rest}",
        f"/%2f{rest}",
        f"{path};x",
        f"/;x{path}",
        f"{path}%2f",
        f"{path}?/_sunbeon/jwks.json",
        f"/_sunbeon/..{path}",
        f"/_sunbeon/%2e%2e{path}",
    )


async def before_joining(visitor: Visitor) -> None:
    """The tricks of someone who has no ticket yet."""
    trick = visitor.journey.trick
    if trick is None:
        return
    play = {
        Cheat.FORGED_TICKET: _forged_ticket,
        Cheat.HEADERS: _headers,
        Cheat.DEEP_LINK: _deep_link,
        Cheat.METHODS: _methods,
        Cheat.KNOCK_REPLAY: _knock_replay,
        Cheat.BACKEND_DIRECT: _backend_direct,
    }.get(trick.cheat)
    if play is not None:
        await play(visitor, trick)


async def while_waiting(visitor: Visitor) -> None:
    """The tricks of someone who has a ticket and has not been called. Does nothing if there is no line."""
    trick = visitor.journey.trick
    if trick is None or visitor.entered:
        return
    play: Callable[[Visitor, Trick], Awaitable[None]] | None = {
        Cheat.ALTERED_TICKET: _altered_ticket,
        Cheat.FORGED_PASS: _forged_pass,
        Cheat.TICKET_AS_PASS: _ticket_as_pass,
        Cheat.HEADERS: _headers,
        Cheat.DEEP_LINK: _deep_link,
        Cheat.METHODS: _methods,
        Cheat.EARLY_CLAIM: _early_claim,
        Cheat.FAST_POLL: _fast_poll,
    }.get(trick.cheat)
    if play is None:
        return
    await visitor.page()
    if visitor.entered:
        return
    status = await visitor.status()
    if status.state is VisitorState.WAITING:
        await play(visitor, trick)


async def after_visit(visitor: Visitor) -> None:
    """The trick of someone whose visit is over."""
    trick = visitor.journey.trick
    if trick is None or trick.cheat is not Cheat.USED_TICKET:
        return
    ticket = visitor.jar.get(visitor.site.ticket) or visitor.claim_jar.get(visitor.site.ticket)
    ended = visitor.last_pass
    finished = visitor.journey.current
    old = Jar().with_cookie(visitor.site.ticket, ticket)
    # Whoever forwarded for it a moment ago may do so until it asks the store again.
    await visitor.client.sleep_ms(KNOWN_FOR_MS)
    swapped = Jar() if ended is None else _false(visitor, Jar(), visitor.site.ticket, ended)
    jars = (old, old.with_cookie(visitor.site.pass_, ended), Jar().with_cookie(visitor.site.pass_, ended), swapped)
    for jar in jars:
        what, has_pass = "the used ticket or pass", jar.get(visitor.site.pass_) is not None
        await attempt(visitor, trick, what, visitor.site.page, jar=jar, false=True, ended=has_pass)
        if visitor.journey.current is not finished:
            await visitor.leave()  # an honest new turn, since nobody was waiting: make room again
            visitor.journey.current = finished


async def _forged_ticket(visitor: Visitor, trick: Trick) -> None:
    for size in (16, 48, 200):
        jar = _false(visitor, Jar(), visitor.site.ticket, _b64(visitor.rng.randbytes(size)))
        await attempt(visitor, trick, "a forged ticket", visitor.site.page, jar=jar)
        await not_known(visitor, trick, "a forged ticket", jar)


async def _altered_ticket(visitor: Visitor, trick: Trick) -> None:
    ticket = visitor.jar.get(visitor.site.ticket) or ""
    for _ in range(REPLAYS):
        index = visitor.rng.randrange(len(ticket))
        other = visitor.rng.choice([letter for letter in "ABCxyz0189-_" if letter != ticket[index]])
        jar = _false(visitor, visitor.jar, visitor.site.ticket, ticket[:index] + other + ticket[index + 1 :])
        await attempt(visitor, trick, "an altered ticket", visitor.site.page, jar=jar, false=True)
        await not_known(visitor, trick, "an altered ticket", jar)


async def _forged_pass(visitor: Visitor, trick: Trick) -> None:
    for size in (16, 48, 200):
        with_pass = _false(visitor, visitor.jar, visitor.site.pass_, _b64(visitor.rng.randbytes(size)))
        await attempt(visitor, trick, "a forged pass", visitor.site.page, jar=with_pass)
    jar = _false(visitor, Jar(), visitor.site.pass_, FAKE_JWT)
    await attempt(visitor, trick, "a fake JWT as a pass", visitor.site.page, jar=jar)


async def _ticket_as_pass(visitor: Visitor, trick: Trick) -> None:
    ticket = visitor.jar.get(visitor.site.ticket) or ""
    page = visitor.site.page
    jars = (
        _false(visitor, visitor.jar, visitor.site.pass_, ticket),
        _false(visitor, Jar(), visitor.site.pass_, ticket),
        Jar({PASS_COOKIE: ticket, TICKET_COOKIE: ticket}),
        Jar({f"{PASS_COOKIE}_another": ticket, f"{TICKET_COOKIE}_another": ticket}),
    )
    for jar in jars:
        await attempt(visitor, trick, "a ticket as a pass", page, jar=jar)
    await attempt(visitor, trick, "a ticket as a proof", page, headers={PASS_HEADER: ticket})


def _false(visitor: Visitor, jar: Jar, name: str, value: str) -> Jar:
    """The jar with a cookie that is none of the gate's; the gate has to count it each time."""
    return jar.with_cookie(name, visitor.client.forge(name, value))


async def _headers(visitor: Visitor, trick: Trick) -> None:
    visitor.client.forge(TICKET_HEADER, FALSE_TICKET)
    for turn, headers in _shuffled(visitor, FALSE_HEADERS):
        what = f"header {next(iter(headers))}"
        await attempt(visitor, trick, what, visitor.site.page, headers=headers, jar=_fresh(visitor, turn))


async def _deep_link(visitor: Visitor, trick: Trick) -> None:
    site = visitor.site
    for turn, path in _shuffled(visitor, (*deep_links(site.page.raw_path), *deep_links("/api/slots"))):
        await attempt(visitor, trick, "another spelling", site.at(path), jar=_fresh(visitor, turn))
    host = site.page.host or ""
    port = site.page.port
    for turn, name in _shuffled(visitor, (f"{host}.:{port}", f"{host.upper()}:{port}", f"{host}.", host)):
        headers = {"Host": name}
        await attempt(visitor, trick, f"host {name}", site.page, headers=headers, jar=_fresh(visitor, turn))


def _shuffled(visitor: Visitor, things: Sequence[T]) -> Iterator[tuple[int, T]]:
    """In another order for each visitor, so that each gets its turn among the first."""
    return enumerate(visitor.rng.sample(things, len(things)))


def _fresh(visitor: Visitor, turn: int) -> Jar | None:
    """An empty jar for the first few; None (the visitor's own) for the others, and where there is no line to jump."""
    return Jar() if turn < FRESH and not visitor.entered else None


async def _methods(visitor: Visitor, trick: Trick) -> None:
    page = visitor.site.page
    for method in ("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"):
        await attempt(visitor, trick, "another method", page, method=method)
    await attempt(visitor, trick, "a fetch", visitor.site.at("/api/slots"), accept=JSON)
    await attempt(visitor, trick, "a booking", visitor.site.at("/api/holds"), method="POST", accept=JSON)
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(visitor.rng.randbytes(16)).decode(),
    }
    await attempt(visitor, trick, "an upgrade", page, headers=upgrade)


async def _knock_replay(visitor: Visitor, trick: Trick) -> None:
    await visitor.page()
    if visitor.entered:
        return
    knock = visitor.jar.copy()

    async def bring() -> Answer:
        return await visitor.ask("GET", visitor.site.own("status"), accept=JSON, jar=knock)

    answers = [*await asyncio.gather(*(bring() for _ in range(REPLAYS))), await bring()]
    first: int | None = None
    for answer in answers:
        trick.tried += 1
        status = Status.read(answer.json())
        if status is None or status.number is None:
            continue
        if first is None:
            first = status.number
            visitor.jar.take(answer.set_cookies)
            visitor.see(status, answer)
        elif status.number != first:
            trick.worked(f"one knock gave number {status.number} beside {first}")
            visitor.journey.turns.append(Turn(status.number, status.place))


async def _early_claim(visitor: Visitor, trick: Trick) -> None:
    for _ in range(REPLAYS):
        await attempt(visitor, trick, "a reload while waiting", visitor.site.page)
        await visitor.client.sleep_ms(visitor.rng.uniform(0, 100))


async def _fast_poll(visitor: Visitor, trick: Trick) -> None:
    for _ in range(REPLAYS * 2):
        trick.tried += 1
        answer = await visitor.ask("GET", visitor.site.own("status"), accept=JSON)
        status = Status.read(answer.json())
        mine = visitor.journey.current
        if status is None or mine is None:
            continue  # told off
        if status.number is not None and status.number != mine.number:
            trick.worked(f"polling fast turned number {mine.number} into {status.number}")
        visitor.jar.take(answer.set_cookies)
        visitor.see(status, answer)
        if status.state is not VisitorState.WAITING:
            return


async def _backend_direct(visitor: Visitor, trick: Trick) -> None:
    if visitor.backend is None:
        return
    origin = str(visitor.backend.origin())
    for path in (visitor.site.page.raw_path, "/", "/booking", "/api/slots"):
        for headers in ({}, {PASS_HEADER: FAKE_JWT}, {PASS_HEADER: "x"}):
            trick.tried += 1
            url = URL(origin + path, encoded=True)
            answer = await visitor.client.ask("GET", url, jar=Jar(), headers=headers)
            if answer.status != FORBIDDEN:
                trick.worked(f"the backend's port: GET {path} answered {answer.status}, not {FORBIDDEN}")
