"""The tricks of somebody who has to wait: whatever they send, it is the gate that answers."""

import asyncio
from typing import Final

from gateway.drill.exchange import Fields
from gateway.drill.forgery import FALSE_HEADERS, MADE_UP_PROOF, altered, made_up, overlong, spellings
from gateway.drill.plan import Drill
from gateway.drill.report import Finding, Row
from gateway.drill.site import SCRIPT, expect, note
from gateway.room.ticket import Ticket, sign
from shared.wire import PASS_COOKIE, PASS_HEADER, TICKET_HEADER, VisitorState

REPLAYS: Final = 4
_NOT_KNOWN: Final = frozenset({VisitorState.REFUSED, VisitorState.OUTSIDE})

_CLOCKS: Final[tuple[tuple[str, Fields], ...]] = (
    ("a date far ahead", (("Date", "Wed, 21 Jul 2100 20:00:00 GMT"),)),
    ("a page from the future", (("If-Modified-Since", "Wed, 21 Jul 2100 20:00:00 GMT"),)),
    ("a page from the past", (("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"), ("If-None-Match", "*"))),
    ("a browser's clock in headers", (("X-Client-Time", "9999999999999"), ("Client-Date", "4102444800"))),
    ("a browser's clock in a cookie", (("Cookie", "now=9999999999999; opens_at=0; serverTimeOffset=9999999999"),)),
)
_AS_SCRIPT: Final[tuple[tuple[str, Fields], ...]] = (
    ("fetch()", (("Accept", "*/*"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"))),
    ("XMLHttpRequest", (("Accept", "application/json"), ("X-Requested-With", "XMLHttpRequest"))),
    ("a prefetch", (("Sec-Purpose", "prefetch;prerender"), ("Sec-Fetch-Mode", "navigate"))),
    ("an image in a page", (("Accept", "image/*"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image"))),
    ("a frame in a page", (("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe"))),
)
_MADE_UP_STATUS: Final = b'{"state":"inside","number":1,"place":1,"ahead":0,"eta_ms":[0,0]}'


async def paths(drill: Drill, row: Row) -> None:
    site = drill.site
    odd = {"an escape of four digits", "an escaped end", "a backslash"}
    for turn, (what, path) in enumerate(spellings(site.page)):
        await site.attempt(row, what, path, jar=site.either(turn), odd=what in odd)
    for what, path in overlong(site.page):
        await site.attempt(row, what, path, odd=True)
    rules = drill.settings.room if drill.settings is not None else ()
    exempt = [path for room in rules if room.name == site.room for rule in room.bypass for path in rule.paths][:3]
    for path in exempt:
        await site.attempt(row, f"by way of {path}, which is exempt", f"{path}/..{site.page}")
        await site.attempt(row, f"by way of {path}, escaped", f"{path}/%2e%2e{site.page}")


async def hosts(drill: Drill, row: Row) -> None:
    site, name = drill.site, drill.site.wire.origin.name
    host = drill.site.wire.origin.host
    for turn, (what, value) in enumerate((("in capitals", name.upper()), ("with a dot at its end", f"{host}."))):
        await site.attempt(row, f"the host {what}", headers=[("Host", value)], jar=site.either(turn), odd=True)
    for value in ("localhost", "backend.internal", f"someone@{name}", ""):
        await site.attempt(row, f"host {value!r}", headers=[("Host", value)], odd=True)
    await site.attempt(row, "two hosts", headers=[("Host", name), ("Host", "localhost")], odd=True)
    for scheme in ("http", "HTTPS"):
        target = f"{scheme}://{name}{site.page}"
        await site.attempt(row, f"an absolute address, {scheme}", target, jar=site.either(1), odd=scheme == "HTTPS")
    await site.attempt(row, "an absolute address of another host", f"http://localhost{site.page}", odd=True)


async def headers(drill: Drill, row: Row) -> None:
    for turn, (what, fields) in enumerate(FALSE_HEADERS):
        jar = drill.site.either(turn)
        await drill.site.attempt(row, what, headers=fields, jar=jar)


async def methods(drill: Drill, row: Row) -> None:
    site = drill.site
    for turn, method in enumerate(("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")):
        await site.attempt(row, method, method=method, jar=site.either(turn))
    for method in ("TRACE", "get", "DRILL"):
        await site.attempt(row, method, method=method, odd=True)


async def script(drill: Drill, row: Row) -> None:
    """Everything a page could send: to the protected page, and to the gate's own endpoints."""
    site = drill.site
    for turn, (what, fields) in enumerate(_AS_SCRIPT):
        await site.attempt(row, what, headers=fields, jar=site.either(turn))
    queries = ("status?state=inside&number=1&place=1", "board?serving=999999999", "draw?secret=1")
    for query in queries:
        await site.attempt(row, "an endpoint with a query", site.own(query), headers=SCRIPT, jar=site.either(1))
    json = (*SCRIPT, ("Content-Type", "application/json"))
    for method, action in (("POST", "status"), ("PUT", "board"), ("PATCH", "draw"), ("POST", "admit")):
        jar = site.either(1)
        await site.attempt(
            row,
            "a made-up answer sent back",
            site.own(action),
            method=method,
            headers=json,
            body=_MADE_UP_STATUS,
            jar=jar,
        )
    if site.waiting is not None:
        foreign = (*SCRIPT, ("Origin", "https://elsewhere.example"), ("Sec-Fetch-Site", "cross-site"))
        await site.attempt(
            row, "another site's page gives the place up", site.own("leave"), method="POST", headers=foreign,
            jar=site.waiting,
        )  # fmt: skip
    await site.still_waits(row)


async def clock(drill: Drill, row: Row) -> None:
    site = drill.site
    for fields in _CLOCKS:
        await site.attempt(row, fields[0], headers=fields[1])
    for query in ("?now=9999999999999", "?opened=1&t=4102444800000"):
        await site.attempt(row, "a clock in the query", site.page + query, jar=site.either(1))
    await site.still_waits(row)


async def forged(drill: Drill, row: Row) -> None:
    site = drill.site
    jars = {
        "a made-up ticket": {site.ticket: made_up("ticket")},
        "a made-up pass": {site.visitor_pass: made_up("pass")},
        "both": {site.ticket: made_up("ticket"), site.visitor_pass: made_up("pass")},
        "a proof as a pass": {site.visitor_pass: MADE_UP_PROOF},
        "nonsense": {site.ticket: "inside", site.visitor_pass: "true"},
    }
    for what, jar in jars.items():
        await site.attempt(row, what, jar=jar, never=True)
    for what in ("a made-up ticket", "both"):
        await _not_known(drill, row, what, jars[what])
    await site.attempt(row, "a made-up ticket as the page's script sends it", site.own("status"),
                       headers=(*SCRIPT, (TICKET_HEADER, made_up("ticket"))), never=True)  # fmt: skip


async def alterations(drill: Drill, row: Row) -> None:
    """The drill's own ticket with one thing changed, and nothing else beside it."""
    site = drill.site
    ticket = (site.waiting or {}).get(site.ticket, "")
    if ticket.count(".") != 3:  # noqa: PLR2004 - `gateway.room.ticket`
        row.not_tried.append("its ticket is in no form the drill knows")
        return
    for turn, (what, token) in enumerate(altered(ticket).items()):
        jar = {site.ticket: token}
        await site.attempt(row, what, jar=jar, never=True)
        if turn % 2 == 0:
            await _not_known(drill, row, what, jar)


async def swapped(drill: Drill, row: Row) -> None:
    """A good ticket where something else belongs."""
    site = drill.site
    ticket = (site.waiting or {}).get(site.ticket, "")
    await site.attempt(row, "the ticket as a pass", jar={site.visitor_pass: ticket}, never=True)
    await site.attempt(row, "the ticket as both", jar={site.ticket: ticket, site.visitor_pass: ticket})
    other = {f"{PASS_COOKIE}_another": ticket, PASS_COOKIE: ticket}
    await site.attempt(row, "the ticket as the pass of no room", jar=other)
    await site.attempt(row, "the ticket as a proof", headers=[(PASS_HEADER, ticket)])
    await site.still_waits(row)


async def other_room(drill: Drill, row: Row) -> None:
    site = drill.site
    others = [name for name in drill.rooms if name != site.room]
    if not drill.rooms:
        row.not_tried.append("which other rooms there are, the operator API knows: --operator-url")
    elif not others:
        row.applies = False
        row.notes.append("there is only one room")
    ticket = (site.waiting or {}).get(site.ticket, "")
    for name in others[:3]:
        cookie = site.ticket.removesuffix(site.room or "") + name
        exchange = await site.ask("GET", f"/_sunbeon/{name}/status", SCRIPT, jar={cookie: ticket})
        state = exchange.answer.json().get("state") if exchange.answer is not None else None
        expect(row, f"its ticket in room {name}", exchange, good=state in _NOT_KNOWN, why=f"taken for {state}")


async def other_epoch(drill: Drill, row: Row) -> None:
    """A ticket from before the line was last started anew; only who has the keys can make one."""
    site = drill.site
    epoch = drill.room.get("epoch")
    if drill.settings is None or site.room is None:
        row.not_tried.append("only who has the gateway's keys can make such a ticket: --config, beside the gateway")
        return
    from gateway import keys

    if not isinstance(epoch, int):
        board = (await site.ask("GET", site.own("board"), SCRIPT)).answer
        epoch = board.json().get("epoch") if board is not None else None
    if not isinstance(epoch, int):
        row.not_tried.append("the board does not say which epoch it is")
        return
    ring = keys.load(drill.settings.gateway.keys_file).cookies
    jar = {site.ticket: sign(Ticket(epoch - 1, 1, 1), site.room, ring)}
    exchange = await site.attempt(row, "number 1 of the line before this one", jar=jar, never=True)
    word = exchange.answer.gate if exchange.answer is not None else None
    if word not in {"old_epoch", None}:
        expect(row, "and is told why", exchange, good=site.keeps and word in {"early", "closed", "sold_out"},
               why=f"the gate took it for {word}")  # fmt: skip
    await _not_known(drill, row, "number 1 of the line before this one", jar)


async def knocks(drill: Drill, row: Row) -> None:
    """One knock, brought by several at once and again: one number."""
    await _one_number(drill, row, broken=False)


async def network(drill: Drill, row: Row) -> None:
    """Connections that break in the middle of joining: no second number."""
    await _one_number(drill, row, broken=True)
    await drill.site.still_waits(row)


async def _one_number(drill: Drill, row: Row, *, broken: bool) -> None:
    site = drill.site
    page = await site.ask("GET", site.page)
    knock = {name: value for name, value in (page.answer.cookies if page.answer else {}).items() if name == site.ticket}
    if not knock:
        note(row, "a newcomer's knock", page, Finding.UNCLEAR, "none came")
        return
    many = [await site.status(knock)] if broken else await asyncio.gather(*(site.status(knock) for _ in range(REPLAYS)))
    if broken:
        whole = site.wire.compose("GET", site.own("status"), SCRIPT, cookies=knock)
        for cut in (whole, whole, whole[: len(whole) // 2]):
            await site.wire.break_off(cut)
    numbers: list[int] = []
    for exchange in (*many, await site.status(knock)):
        told = exchange.answer.json() if exchange.answer is not None else {}
        number = told.get("number")
        if isinstance(number, int):
            numbers.append(number)
        same = isinstance(number, int) and len(set(numbers)) == 1
        what = "the same knock again, after it was cut off" if broken else "the same knock again"
        why = f"numbers {numbers}" if isinstance(number, int) else f"no number: {told.get('state')}"
        expect(row, what, exchange, good=same, why=why)
        # What it holds is given back at the end.
        site.remember(exchange, knock)


async def _not_known(drill: Drill, row: Row, what: str, jar: dict[str, str]) -> None:
    """The gate must have no place for this ticket, and not even tell of one."""
    exchange = await drill.site.status(jar)
    state = exchange.answer.json().get("state") if exchange.answer is not None else None
    expect(row, f"{what}: its status", exchange, good=state in _NOT_KNOWN, why=f"taken for {state}")
