"""What visitors are told of themselves and of the room, as data: status answers, the board, the draw."""

from dataclasses import asdict
from typing import Any, Final, NamedTuple

from gateway.chain import Head
from gateway.edge.chance import CHANCE
from gateway.edge.opening import BEFORE_OPENING, own_opening_ms
from gateway.edge.pages import in_language
from gateway.edge.settle import InLine, Inside, Knocking, Refused, Standing, Through, Told
from gateway.edge.watch import Watch
from gateway.room.decide import place_of_ticket, wave_name
from gateway.room.draw import commitment
from gateway.room.entitle import Entitled, Way
from gateway.room.estimate import finishing, people_ahead, poll_after, poll_at_door, poll_at_opening
from gateway.room.forecast import wait_range
from gateway.room.model import Block, QueueingMethod, Snapshot
from gateway.settings import as_iso
from shared.wire import DRAW_RECIPE, VisitorState

# Only parts those who came together.
_jitter: Final = CHANCE

# While the line is out of reach pages ask again within this, spread wide: its return must be no stampede.
AWAY_POLL_MS: Final = (5_000, 15_000)


def status_facts(
    room: Snapshot,
    standing: Standing | None,
    language: str,
    *,
    ticket: str | None = None,
    as_of_ms: int | None = None,
    stale: bool = False,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """A status answer (`shared.wire.STATUS_FIELDS`). standing: None for somebody who has not joined.

    as_of_ms: when `room` was like this, if not now. stale: that is so long ago that its numbers may not hold any more.
    watch: who is still there and what is left; None where that is not known.
    """
    number, place = _number_and_place(standing, room)
    draw, draw_size, wave = _lots_of(standing, room)
    window = eligibility_facts(standing.entitled) if isinstance(standing, InLine | Knocking | Told) else None
    window_ms = own_opening_ms(window, room.state, room.moment.opens_at_ms)
    catching_up = stale or (isinstance(standing, InLine | Knocking) and standing.catching_up)
    # Before one's own window opens, the line moves without one.
    counts = place is not None and isinstance(standing, InLine) and window_ms is None
    ahead = people_ahead(room, place) if counts and place is not None else None
    expected = _wait_range(watch, room, ahead) if ahead is not None and not catching_up else None
    late = _lateness(standing, window, room, expected)
    # Nobody is told how long a turn takes that does not come.
    eta = None if late == "certain" else expected
    # Whoever is in, is next, or has yet to bring a knock back, should ask soon.
    at_door = isinstance(standing, InLine) and standing.at_door
    at_front = isinstance(standing, InLine) and room.admitting and ahead == 0
    soon = at_front or isinstance(standing, Inside | Through | Knocking)
    return {
        "state": _state(standing).value,
        "room_state": room.state.value,
        "number": number,
        "place": place,
        "ahead": _there_ahead(watch, room, place, ahead),
        "draw": draw,
        "draw_size": draw_size,
        "wave": wave,
        "eta_ms": eta,
        "poll_after_ms": (
            _jitter.randint(*AWAY_POLL_MS)
            if catching_up
            else poll_at_door(room, jitter=_jitter.getrandbits(32))
            if at_door and room.admitting
            else _poll_after(room, expected, soon=soon, window_ms=window_ms)
        ),
        "server_time_ms": room.now_ms,
        "as_of_ms": room.now_ms if as_of_ms is None else as_of_ms,
        "catching_up": catching_up,
        "opens_at_ms": room.moment.opens_at_ms,
        "postponed_from_ms": room.limits.postponed_from_ms if room.is_postponed else None,
        "closes_at_ms": room.moment.closes_at_ms,
        "finishing_ms": finishing(room),
        "eligibility": window and {**window, "late": late},
        "outflow_per_minute": room.in_force.new_users_per_minute,
        "settings_version": room.limits.version,
        "stock": _stock(watch, room, place if ahead is not None and not catching_up else None),
        "message": in_language(room.limits.message, language) or None,
        "ticket": ticket,
    }


class Own(NamedTuple):
    """What a status answer tells to one who waits, apart from number and ticket; the rest is told to all alike.

    place, ahead: None while lots are still to be drawn. chance: that nothing is left when the turn comes, in per cent.
    """

    place: int | None
    ahead: int | None
    eta_ms: tuple[int, int] | None
    poll_after_ms: int
    chance: int | None


def own_facts(room: Snapshot, place: int | None, watch: Watch) -> Own:
    """As `status_facts` tells who is plainly in line: not called, of no wave, in a room without a calendar."""
    if place is None:
        return Own(None, None, None, _poll_after(room, None, soon=False, window_ms=None), None)
    people = people_ahead(room, place)
    eta = watch.wait_range(room, people)
    there = watch.there_ahead(room, place, people)
    return Own(
        place,
        people if there is None else there,
        eta,
        _poll_after(room, eta, soon=room.admitting and people == 0, window_ms=None),
        watch.chance_behind(room, there),
    )


def knock_poll_ms(room: Snapshot) -> int:
    """When to bring a knock back."""
    return _poll_after(room, None, soon=True, window_ms=None)


def eligibility_facts(entitled: Entitled | None) -> dict[str, Any] | None:
    """The visitor's own window: when they may book next or since when, and until when, by which rule and version."""
    verdict = entitled and entitled.verdict
    if not verdict:
        return None
    rule = verdict.rule
    return {
        "verdict": verdict.kind.value,
        "rule": verdict.rule_name,
        "opens_at_ms": verdict.opens_ms or (rule and rule.opens_ms),
        "closes_at_ms": rule and rule.closes_ms,
    }


def _lateness(
    standing: Standing | None, window: dict[str, Any] | None, room: Snapshot, expected: tuple[int, int] | None
) -> str | None:
    """Whether one's own window closes before one's turn: "certain" by all that is known, "maybe", else None."""
    if window is None or window["closes_at_ms"] is None or not isinstance(standing, InLine | Knocking):
        return None
    if isinstance(standing, InLine) and (standing.at_door or standing.called):
        return None
    left_ms, opens_ms = window["closes_at_ms"] - room.now_ms, room.moment.opens_at_ms
    if room.state in BEFORE_OPENING and opens_ms is not None and opens_ms - room.now_ms >= left_ms:
        return "certain"
    if expected is None or expected[1] <= left_ms:
        return None
    return "certain" if expected[0] >= left_ms else "maybe"


def eligibility_data(entitled: Entitled) -> dict[str, Any]:
    """The same for programs, as JSON has moments; `lines_up_from`: where it is too soon to line up."""
    facts, verdict = eligibility_facts(entitled), entitled.verdict
    if facts is None or verdict is None:
        return {"verdict": entitled.reason}
    return {
        "verdict": facts["verdict"],
        "rule": facts["rule"],
        "opens_at": as_iso(facts["opens_at_ms"]),
        "closes_at": as_iso(facts["closes_at_ms"]),
        "lines_up_from": as_iso(entitled.joins_ms),
        "cohorts": [cohort.id for cohort in verdict.cohorts],
        "calendar_version": verdict.calendar_version,
    }


def board_facts(
    room: Snapshot, *, as_of_ms: int, stale: bool, audit_head: Head | None = None, people_waiting: int | None = None
) -> dict[str, Any]:
    """The same for everyone. audit_head: the newest line of the room's audit log, by its hash: for whoever notes it.

    people_waiting: of those who wait, how many are still there.
    """
    return {
        "room": room.room,
        "state": room.state.value,
        "epoch": room.epoch,
        "tail": room.tail,
        "serving": room.serving,
        "waiting": room.waiting,
        "people_waiting": people_waiting,
        "outflow_per_minute": room.in_force.new_users_per_minute,
        "opens_at_ms": room.moment.opens_at_ms,
        "server_time_ms": room.now_ms,
        "as_of_ms": as_of_ms,
        "catching_up": stale,
        "message": dict(room.limits.message),
        "audit": None if audit_head is None else asdict(audit_head),
    }


def draw_facts(room: Snapshot, *, as_of_ms: int, stale: bool) -> dict[str, Any]:
    """What everybody may know of the draw: enough to recompute it afterwards, nothing of it before.

    commitment: from the beginning. base, size, secret: None until lots are drawn. All None where nobody draws lots.
    """
    secret = room.draw_secret if _draw(room) is not None else None
    drawn = None if room.draw_size is None else Block(0, room.draw_size, room.draw_secret)
    opens_ms = room.moment.opens_at_ms
    return _draw_page(room, room.room, secret, drawn, opens_ms=opens_ms, as_of_ms=as_of_ms, stale=stale)


def wave_draw_facts(
    room: Snapshot, wave: str, secret: str, *, opens_ms: int | None, as_of_ms: int, stale: bool
) -> dict[str, Any]:
    """As `draw_facts`, of the lots within a wave: they are drawn as it joins the line. secret: the wave's own."""
    block = room.blocks.get(wave)
    known: str | None = secret if room.limits.queueing_method is QueueingMethod.DRAW else None
    if block is not None:
        known = block.secret or None
    drawn = block if known else None
    name = wave_name(room.room, wave)
    return _draw_page(room, name, known, drawn, opens_ms=opens_ms, as_of_ms=as_of_ms, stale=stale)


def _draw_page(
    room: Snapshot,
    name: str,
    secret: str | None,
    drawn: Block | None,
    *,
    opens_ms: int | None,
    as_of_ms: int,
    stale: bool,
) -> dict[str, Any]:
    """secret: None where nobody draws lots; not told before they are `drawn`."""
    return {
        "room": name,
        "epoch": room.epoch,
        "method": "fifo" if secret is None else "draw",
        "recipe": None if secret is None else DRAW_RECIPE,
        "commitment": None if secret is None else commitment(bytes.fromhex(secret)),
        "base": None if drawn is None else drawn.base,
        "size": None if drawn is None else drawn.size,
        "secret": None if drawn is None else secret,
        "opens_at_ms": opens_ms,
        "server_time_ms": room.now_ms,
        "as_of_ms": as_of_ms,
        "catching_up": stale,
    }


def _lots_of(standing: Standing | None, room: Snapshot) -> tuple[str | None, int | None, str | None]:
    """Whether lots decide this visitor's place, among how many, and of which wave they are, if not the room's own."""
    if isinstance(standing, InLine):
        if standing.ticket.wave:
            drawing = room.limits.queueing_method is QueueingMethod.DRAW
            return ("wave_pending", None, standing.ticket.wave) if drawing else (None, None, None)
        for wave, block in room.blocks.items():
            if block.secret and standing.ticket.number in block:
                return "wave_drawn", block.size, wave
    return _draw(room), room.draw_size, None


def _there_ahead(watch: Watch | None, room: Snapshot, place: int | None, ahead: int | None) -> int | None:
    """Of the `ahead` who have not left, those still there; all, while nobody can say."""
    there = watch.there_ahead(room, place) if watch is not None and place is not None and ahead is not None else None
    return ahead if there is None else there


def _wait_range(watch: Watch | None, room: Snapshot, ahead: int) -> tuple[int, int] | None:
    return wait_range(room, ahead) if watch is None else watch.wait_range(room, ahead)


def _stock(watch: Watch | None, room: Snapshot, place: int | None) -> dict[str, int | None] | None:
    """What is left, and the chance that it is gone before the place's turn; None where the backend never said."""
    if watch is None or watch.stock is None:
        return None
    chance = watch.chance_gone(room, place) if place is not None else None
    return {"left": watch.stock.left, "chance_gone_percent": chance}


def _draw(room: Snapshot) -> str | None:
    """Whether lots decide the places: "drawn", "pending", or None where they do not."""
    if room.draw_size is not None:
        return "drawn"
    return "pending" if room.awaits_draw else None


def _poll_after(room: Snapshot, eta: tuple[int, int] | None, *, soon: bool, window_ms: int | None) -> int:
    jitter = _jitter.getrandbits(32)
    at_opening = None if soon else poll_at_opening(room, eta, jitter=jitter, window_ms=window_ms)
    return poll_after(room, (0, 0) if soon else eta, jitter=jitter) if at_opening is None else at_opening


def _state(standing: Standing | None) -> VisitorState:
    match standing:
        case InLine(at_door=True):
            return VisitorState.AT_DOOR
        case InLine(called=True):
            return VisitorState.CALLED
        case Inside() | Through():
            return VisitorState.INSIDE
        case Refused() | Told(entitled=Entitled(way=Way.NEVER)):
            return VisitorState.REFUSED
        case Told():
            return VisitorState.OUTSIDE
        case _:
            return VisitorState.WAITING


def _number_and_place(standing: Standing | None, room: Snapshot) -> tuple[int | None, int | None]:
    match standing:
        case InLine(ticket=ticket):
            return ticket.number, place_of_ticket(ticket, room)
        case Inside(visitor_pass=held):
            return held.number, held.place
        case _:
            return None, None
