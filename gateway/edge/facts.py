"""What visitors are told of themselves and of the room, as data: status answers, the board, the draw."""

import random
from dataclasses import asdict
from typing import Any, Final

from gateway.chain import Head
from gateway.edge.opening import own_opening_ms
from gateway.edge.pages import in_language
from gateway.edge.settle import InLine, Inside, Knocking, Refused, Standing, Through, Told
from gateway.room.decide import place_of_ticket
from gateway.room.draw import commitment
from gateway.room.entitle import Entitled, Way
from gateway.room.estimate import finishing, people_ahead, poll_after, poll_at_opening
from gateway.room.forecast import wait_range
from gateway.room.model import Snapshot
from gateway.settings import as_iso
from shared.wire import DRAW_RECIPE, VisitorState

# Jitter needs no secret: it only parts those who came together.
_jitter: Final = random.Random()  # noqa: S311


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
) -> dict[str, Any]:
    """A status answer (`shared.wire.STATUS_FIELDS`). standing: None for somebody who has not joined.

    as_of_ms: when `room` was like this, if not now. stale: that is so long ago that its numbers may not hold any more.
    """
    number, place = _number_and_place(standing, room)
    window = eligibility_facts(standing.entitled) if isinstance(standing, InLine | Knocking | Told) else None
    window_ms = own_opening_ms(window, room.state, room.moment.opens_at_ms)
    catching_up = stale or (isinstance(standing, InLine | Knocking) and standing.catching_up)
    # Before one's own window opens, the line moves without one.
    counts = place is not None and isinstance(standing, InLine) and window_ms is None
    ahead = people_ahead(room, place) if counts and place is not None else None
    eta = wait_range(room, ahead) if ahead is not None and not catching_up else None
    # Whoever is in, is next, or has yet to bring a knock back, should ask soon.
    at_front = isinstance(standing, InLine) and room.admitting and (standing.at_door or ahead == 0)
    soon = at_front or isinstance(standing, Inside | Through | Knocking)
    return {
        "state": _state(standing).value,
        "room_state": room.state.value,
        "number": number,
        "place": place,
        "ahead": ahead,
        "draw": _draw(room),
        "draw_size": room.draw_size,
        "eta_ms": eta,
        "poll_after_ms": (
            _jitter.randint(*AWAY_POLL_MS) if catching_up else _poll_after(room, eta, soon=soon, window_ms=window_ms)
        ),
        "server_time_ms": room.now_ms,
        "as_of_ms": room.now_ms if as_of_ms is None else as_of_ms,
        "catching_up": catching_up,
        "opens_at_ms": room.moment.opens_at_ms,
        "postponed_from_ms": room.limits.postponed_from_ms if room.is_postponed else None,
        "closes_at_ms": room.moment.closes_at_ms,
        "finishing_ms": finishing(room),
        "eligibility": window,
        "outflow_per_minute": room.in_force.new_users_per_minute,
        "message": in_language(room.limits.message, language) or None,
        "ticket": ticket,
    }


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


def board_facts(room: Snapshot, *, as_of_ms: int, stale: bool, audit_head: Head | None = None) -> dict[str, Any]:
    """The same for everyone. audit_head: the newest line of the room's audit log, by its hash: for whoever notes it."""
    return {
        "room": room.room,
        "state": room.state.value,
        "epoch": room.epoch,
        "tail": room.tail,
        "serving": room.serving,
        "waiting": room.waiting,
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

    commitment: from the beginning. size, secret: None until lots are drawn. All None where nobody draws lots.
    """
    draw = _draw(room)
    drawn = draw == "drawn"
    return {
        "room": room.room,
        "epoch": room.epoch,
        "method": "fifo" if draw is None else "draw",
        "recipe": None if draw is None else DRAW_RECIPE,
        "commitment": None if draw is None else commitment(bytes.fromhex(room.draw_secret)),
        "size": room.draw_size if drawn else None,
        "secret": room.draw_secret if drawn else None,
        "opens_at_ms": room.moment.opens_at_ms,
        "server_time_ms": room.now_ms,
        "as_of_ms": as_of_ms,
        "catching_up": stale,
    }


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
