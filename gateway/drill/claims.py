"""Tricks of somebody whose turn has come: one place, one pass, once."""

import asyncio
import time
from typing import Final

from gateway.drill.exchange import Exchange, fields_of, merged
from gateway.drill.plan import Drill
from gateway.drill.report import Finding, Row
from gateway.drill.site import SCRIPT, Jar, expect, note
from shared.wire import VisitorState

COPIES: Final = 3
LOOKS: Final = 12
_PASS_FIELDS: Final = 4
_LOST: Final = frozenset({VisitorState.USED, VisitorState.OUTSIDE, VisitorState.REFUSED})


async def await_turn(drill: Drill) -> None:
    """Have a place that may be claimed: by a knock where nobody waits, else when the line has come to the drill."""
    site = drill.site
    if not drill.has_gate or site.called is not None:
        return
    if not site.keeps:
        # A HEAD gets a knock where a GET would be let in.
        answer = (await site.ask("HEAD", site.page)).answer
        jar = merged({}, [answer] if answer is not None else [])
        site.called = jar if site.ticket in jar else None
        return
    if site.waiting is None or drill.place is None or not drill.wait_s:
        return
    until = time.monotonic() + drill.wait_s
    while time.monotonic() < until:
        answer = (await site.ask("GET", site.own("board"), SCRIPT)).answer
        serving = answer.json().get("serving") if answer is not None else None
        if isinstance(serving, int) and serving >= drill.place:
            site.called, site.waiting = site.waiting, None
            return
        await asyncio.sleep(max(0.2, drill.wait_s / LOOKS))


async def interrupted(drill: Drill, row: Row) -> None:
    """Connections that break while the place is claimed: then again, and the turn is there, once."""
    site, jar = drill.site, drill.site.called or {}
    data = site.wire.compose("GET", site.page, cookies=jar)
    for cut in (data, data, data[: len(data) // 2]):
        await site.wire.break_off(cut)
    again = [await site.status(jar), await site.status(jar)]
    _one_pass(drill, row, "asked again after it was cut off", again)
    for exchange in again:
        if exchange.answer is not None:
            site.called = merged(site.called or {}, [exchange.answer])


async def copied(drill: Drill, row: Row) -> None:
    """Several clients with one ticket: one pass, however fast they are."""
    site = drill.site
    ticket = {name: value for name, value in (site.called or {}).items() if name == site.ticket}
    copies = await asyncio.gather(*(site.ask("GET", site.page, jar=ticket) for _ in range(COPIES)))
    _one_pass(drill, row, "a copy of the ticket", list(copies))


async def replayed(drill: Drill, row: Row) -> None:
    """The turn is over: neither its ticket nor its pass is good for anything."""
    site, jar = drill.site, drill.site.called or {}
    old = fields_of(jar.get(site.visitor_pass, ""))
    left = await site.leave(jar)
    given_up = left.answer is not None and left.answer.gate == "left"
    expect(row, "leaves", left, good=given_up, why="the gate did not say so")
    if not given_up or len(old) < _PASS_FIELDS:
        row.not_tried.append("it has no pass to use again")
        return
    ticket, visitor_pass = jar.get(site.ticket, ""), jar[site.visitor_pass]
    jars: dict[str, Jar] = {
        "the used ticket": {site.ticket: ticket},
        "the ended pass": {site.visitor_pass: visitor_pass},
        "both": jar,
        "the ended pass as a ticket": {site.ticket: visitor_pass},
        "the used ticket as a pass": {site.visitor_pass: ticket},
    }
    for what, brought in jars.items():
        exchange = await site.ask("GET", site.page, jar=brought)
        new = _passes(drill, exchange)
        if exchange.answer is not None and exchange.answer.gate is None and any(each[3] != old[3] for each in new):
            # A new turn of its own, where nobody waits; not the old one.
            fresh = all(each[1] != old[1] for each in new)
            why = "" if fresh else "the used place was admitted again"
            note(row, what, exchange, Finding.HELD if fresh else Finding.BROKEN, why)
            await site.leave(merged({}, [exchange.answer]))
            continue
        got_in = exchange.answer is not None and exchange.answer.gate is None
        expect(row, what, exchange, good=exchange.answer is not None and not got_in and not new, why="it let in again")
    site.called = None


def _passes(drill: Drill, exchange: Exchange) -> list[list[object]]:
    tokens = [answer.cookies.get(drill.site.visitor_pass, "") for answer in exchange.answers]
    return [told for told in map(fields_of, tokens) if len(told) >= _PASS_FIELDS]


def _one_pass(drill: Drill, row: Row, what: str, exchanges: list[Exchange]) -> None:
    """Note whether all passes that were given are one and the same, and that one was."""
    held = fields_of((drill.site.called or {}).get(drill.site.visitor_pass, ""))
    ids: set[object] = {held[3]} if len(held) >= _PASS_FIELDS else set()
    for exchange in exchanges:
        given = _passes(drill, exchange)
        ids |= {each[3] for each in given}
        if exchange.answer is not None and exchange.answer.gate is None and not given:
            note(row, what, exchange, Finding.BROKEN, "let in without a pass")
        else:
            lost = exchange.answer is not None and exchange.answer.json().get("state") in _LOST
            finding = Finding.HELD if len(ids) == 1 else Finding.BROKEN if ids or lost else Finding.UNCLEAR
            why = "two passes for one place" if ids else "the turn is lost" if lost else "no pass came"
            note(row, what, exchange, finding, "" if finding is Finding.HELD else why)
