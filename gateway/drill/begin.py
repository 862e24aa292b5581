"""The first row: whether there is a gate that keeps people waiting, and where the drill stands in its line."""

from gateway.drill.exchange import Answer, merged
from gateway.drill.plan import Drill
from gateway.drill.report import Finding, Row
from gateway.drill.site import expect, note
from shared.wire import OWN_PATH, SECURE_PREFIX, TICKET_COOKIE, VisitorState

# Words of a gate that does not take the address for a room's.
ASTRAY = frozenset({"misdirected", "not_found", "bad_request"})


async def gate(drill: Drill, row: Row) -> None:
    """Ask for the page as a newcomer, and get in line if there is one."""
    site = drill.site
    if drill.room:
        row.notes.append(f"the operator API says: {drill.room.get('state')}, {drill.room.get('waiting')} waiting")
    drill.first = exchange = await site.ask("GET", site.page)
    answer = exchange.answer
    if answer is None:
        note(row, "a newcomer asks for the page", exchange, Finding.BROKEN, "nothing answers there")
        return
    site.room = site.room or _room_of(answer) or (drill.rooms[0] if len(drill.rooms) == 1 else None)
    if site.room is None:
        why = "no gate answers there" if answer.gate is None else "the gate names no room: say which with --room"
        note(row, "a newcomer asks for the page", exchange, Finding.BROKEN, why)
        return
    site.remember(exchange)
    board = await site.ask("GET", site.own("board"))
    drill.has_gate = board.answer is not None and board.answer.gate == "board"
    expect(row, "the room's board", board, good=drill.has_gate, why=f"no gate answers below {OWN_PATH}")
    if not drill.has_gate:
        return
    if answer.gate is not None:
        site.keeps = answer.gate not in ASTRAY
        note(row, "a newcomer asks for the page", exchange, Finding.HELD if site.keeps else Finding.BROKEN, answer.gate)
        if site.keeps:
            await _join(drill, row, answer)
        return
    what = "a newcomer asks for the page"
    if not answer.cookies.get(site.visitor_pass):
        why = "it came without the gate: the room is switched off, or a bypass rule covers the drill"
        note(row, what, exchange, Finding.BROKEN, why)
        return
    jar = merged({}, [answer])
    called = await site.was_called(jar)
    why = "" if called else "it gave a pass for a place that is not called"
    note(row, what, exchange, Finding.HELD if called else Finding.BROKEN, why)
    row.notes.append("nobody has to wait now, so that only part of the tricks mean anything")
    await site.leave(jar)


async def _join(drill: Drill, row: Row, answer: Answer) -> None:
    """Bring the knock back, as the waiting page does."""
    site = drill.site
    jar = merged({}, [answer])
    if site.ticket not in jar:
        row.notes.append(f"nobody can line up: {answer.gate}")
        return
    told = await site.status(jar)
    got = told.answer.json() if told.answer is not None else {}
    in_line = got.get("state") == VisitorState.WAITING and isinstance(got.get("number"), int)
    if got.get("state") == VisitorState.INSIDE and told.answer is not None:
        site.keeps = False  # a seat came free that moment
        await site.leave(merged(jar, [told.answer]))
        return
    expect(row, "its knock gets a number", told, good=in_line, why="no number came")
    if in_line and told.answer is not None:
        site.waiting, site.number, drill.place = merged(jar, [told.answer]), got["number"], got.get("place")


def _room_of(answer: Answer) -> str | None:
    """The room by the name of its cookie."""
    names = [name.removeprefix(SECURE_PREFIX) for name in answer.cookies]
    return next(
        (name.removeprefix(f"{TICKET_COOKIE}_") for name in names if name.startswith(f"{TICKET_COOKIE}_")), None
    )
