"""One drill from its first request to its last: the rows in their order, and everything that was taken given back."""

import secrets
from collections.abc import Callable
from typing import Final

from gateway.drill import around, begin, claims, outside, spoken, tricks
from gateway.drill.plan import Drill, Needs, Trick
from gateway.drill.report import Evidence, Finding, Report, Result, Row, Severity
from gateway.drill.wire import Budget, Spent
from shared.clock import now_ms

C, H, M, INFO = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.INFO

_BEFORE: Final = (
    Trick("gate", "a gate stands before the page and keeps newcomers waiting", C, Needs.NOTHING, begin.gate),
    Trick("page", "the waiting page's headers", M, Needs.KEPT, around.page),
    Trick("cookies", "the cookies' flags", H, Needs.KEPT, around.cookies),
    Trick("paths", "other spellings of the address", C, Needs.KEPT, tricks.paths),
    Trick("hosts", "other hosts, absolute addresses", C, Needs.KEPT, tricks.hosts),
    Trick("headers", "headers that claim something", C, Needs.KEPT, tricks.headers),
    Trick("methods", "other methods", C, Needs.KEPT, tricks.methods),
    Trick("clock", "the visitor's own clock", C, Needs.KEPT, tricks.clock),
    Trick("script", "everything a script could send", C, Needs.KEPT, tricks.script),
    Trick("upgrade", "upgrades to another protocol", C, Needs.KEPT, spoken.upgrades),
    Trick("http-version", "older and other versions of HTTP", C, Needs.KEPT, spoken.versions),
    Trick("smuggling", "requests that can be read in two ways", C, Needs.KEPT, spoken.smuggling),
    Trick("forged", "tickets and passes nobody signed", C, Needs.GATE, tricks.forged),
    Trick("altered", "its own ticket, altered", C, Needs.NUMBER, tricks.alterations),
    Trick("swapped", "its own ticket where a pass belongs", C, Needs.NUMBER, tricks.swapped),
    Trick("other-room", "its own ticket in another room", C, Needs.NUMBER, tricks.other_room),
    Trick("other-epoch", "a ticket of an earlier line", C, Needs.GATE, tricks.other_epoch),
    Trick("knock", "one knock brought many times", C, Needs.NUMBER, tricks.knocks),
    Trick("network", "connections broken while joining", C, Needs.NUMBER, tricks.network),
    Trick("backend", "the backend asked past the gate", C, Needs.NOTHING, around.backend),
    Trick("operator-paths", "the operator API on the visitors' listener", H, Needs.GATE, around.operator_paths),
    Trick("operator-token", "the operator API without a token", H, Needs.NOTHING, around.operator_token),
    Trick("operator-port", "the operators' port reached from outside", H, Needs.NOTHING, outside.operator_outside),
    Trick("tls", "certificate and versions of TLS", H, Needs.NOTHING, outside.tls),
)
_AT_ITS_TURN: Final = (
    Trick("claim", "connections broken while claiming", C, Needs.CLAIM, claims.interrupted),
    Trick("copied", "one ticket, several clients", C, Needs.CLAIM, claims.copied),
    Trick("replayed", "a used ticket, an ended pass", C, Needs.CLAIM, claims.replayed),
)
_AFTER: Final = (
    Trick("store-away", "the store out of reach", INFO, Needs.NOTHING, around.store_away),
    Trick("bypass-rules", "who needs no turn, by the settings", INFO, Needs.NOTHING, around.rules),
)
TRICKS: Final = (*_BEFORE, *_AT_ITS_TURN, *_AFTER)


def new_id() -> str:
    """What marks the requests of one drill."""
    return secrets.token_hex(6)


async def run(drill: Drill, budget: Budget, drill_id: str, *, told: Callable[[Row], None] = lambda _: None) -> Report:
    """Play everything, then give back what was taken, also when interrupted. told: hears of each row as it is done."""
    began_ms = now_ms()
    rows: list[Row] = []

    async def play(tricks: tuple[Trick, ...]) -> None:
        for trick in tricks:
            rows.append(await _play(drill, trick))
            told(rows[-1])

    try:
        await _ask_operator(drill)
        await play(_BEFORE)
        try:
            # A seat that the drill still holds would stand in its own way.
            await _give_back(drill, keep=drill.site.number)
            await claims.await_turn(drill)
        except Spent:
            drill.site.called = None
        await play((*_AT_ITS_TURN, *_AFTER))
    finally:
        budget.clean_up()
        left = await _give_back(drill)
    if left.result is not Result.GREEN:
        rows.append(left)
        told(left)
    origin, site = drill.site.wire.origin, drill.site
    return Report(
        drill=drill_id,
        url=f"{origin.scheme}://{origin.name}{site.page}",
        room=site.room,
        epoch=drill.room.get("epoch"),
        settings_version=drill.room.get("settings", {}).get("version"),
        began_ms=began_ms,
        ended_ms=now_ms(),
        requests=budget.used,
        numbers_used=len(site.numbers),
        rows=rows,
    )


async def _play(drill: Drill, trick: Trick) -> Row:
    row = trick.row()
    if not _may_play(drill, trick.needs):
        row.not_tried.append((trick.needs if drill.has_gate else Needs.GATE).value)
        return row
    try:
        await trick.play(drill, row)
    except Spent as error:
        row.not_tried.append(str(error))
    return row


def _may_play(drill: Drill, needs: Needs) -> bool:
    match needs:
        case Needs.NOTHING:
            return True
        case Needs.GATE:
            return drill.has_gate
        case Needs.KEPT:
            return drill.has_gate and drill.site.keeps
        case Needs.NUMBER:
            return drill.has_gate and drill.site.waiting is not None
        case Needs.CLAIM:
            return drill.has_gate and drill.site.called is not None


async def _ask_operator(drill: Drill) -> None:
    """What the operator API says of the rooms, where it may be asked."""
    if drill.operator is None or drill.token is None:
        return
    exchange = await drill.operator.ask("GET", "/api/rooms", (("Authorization", f"Bearer {drill.token}"),))
    rooms = exchange.answer.json().get("rooms", []) if exchange.answer is not None else []
    drill.rooms = tuple(str(room["room"]) for room in rooms)
    wanted = drill.site.room or (drill.rooms[0] if len(drill.rooms) == 1 else None)
    drill.room = next((room for room in rooms if room["room"] == wanted), {})
    if wanted in drill.rooms:
        drill.site.room = wanted


async def _give_back(drill: Drill, *, keep: int | None = None) -> Row:
    """Leave every place and pass that is still held, but for that of one number."""
    row = Row("cleaned-up", "places and passes given back", Severity.MEDIUM)
    held = [(number, jar) for number, jar in drill.site.taken.items() if number != keep]
    row.evidence.append(Evidence("places held", "-", str(len(held)), Finding.HELD))
    for number, jar in held:
        try:
            answer = (await drill.site.leave(jar)).answer
            if answer is None or answer.gate != "left":
                row.not_tried.append(f"number {number} could not be given back")
        except Spent:
            row.not_tried.append(f"number {number} was not given back: {Spent.__name__}")
    return row
