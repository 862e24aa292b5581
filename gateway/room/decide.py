"""What becomes of a request to a room: one pure function, one closed set of answers.

`decide` sees only what was verified: tokens whose signatures fit, the room as the store last showed it. It is
optimistic where being wrong is harmless, because the store checks again, exactly: `Admit` and `Join` are asked for
with `QueueStore.claim`, which may still say no; `Forward` of a pass holds only if the store says that it lives.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, assert_never

from gateway.room.draw import Draw
from gateway.room.entitle import Entitled, Way
from gateway.room.model import USER_CREDIT, WAVE_MARK, Block, QueueingMethod, Snapshot
from gateway.room.ticket import Knock, Pass, Ticket
from shared.wire import RoomState

# Of an enumeration's members Python 3.11 is asked by a function call, each time: what is asked often is kept.
_OPEN: Final = RoomState.OPEN
_PASSTHROUGH: Final = RoomState.PASSTHROUGH


class Refusal(StrEnum):
    """Why not; also the name of the counter and of the page."""

    FORGED = "forged"
    OLD_EPOCH = "old_epoch"
    CLOSED = "closed"
    SOLD_OUT = "sold_out"
    FULL = "full"
    EARLY = "early"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision rests on.

    rule: name of the bypass rule that covers this request.
    damaged: a ticket cookie was there but is not one of ours.
    visitor_pass: None also where the store has said that it does not live (then `pass_ended`).
    at_once: a newcomer may join in this very request, without knocking first.
    joined_ahead: newcomers who joined so since `room` was seen, and are not in it yet.
    used: the store has said that this ticket's place has had its turn.
    entitled: what the room's eligibility calendar says of the visitor; None: it has none, nobody is asked.
    """

    room: Snapshot
    rule: str | None = None
    visitor_pass: Pass | None = None
    ticket: Ticket | None = None
    knock: Knock | None = None
    damaged: bool = False
    used: bool = False
    at_once: bool = True
    joined_ahead: int = 0
    entitled: Entitled | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """To the backend: with a pass (if the store agrees), by a rule, or because the room is switched off."""

    visitor_pass: Pass | None
    rule: str | None


@dataclass(frozen=True, slots=True)
class Admit:
    """The place is called: claim it, and forward this request."""

    ticket: Ticket
    place: int


@dataclass(frozen=True, slots=True)
class Join:
    """Give the visitor a number. knock: what was brought back; None if there is room, and no need to knock first.

    wave: of the pre-queue of a later window; "" for one of the room's own line.
    """

    knock: Knock | None
    wave: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """ticket: None for a newcomer, who gets a knock."""

    ticket: Ticket | None


@dataclass(frozen=True, slots=True)
class Tell:
    """Not into the line: ask for the birth date, or say when, or that it will not be. ticket: of a place held."""

    entitled: Entitled
    ticket: Ticket | None


@dataclass(frozen=True, slots=True)
class Refuse:
    why: Refusal


Decision = Forward | Admit | Join | Wait | Tell | Refuse


def counted(ticket: Ticket, room: Snapshot) -> Ticket:
    """The ticket as it counts now: if its wave has joined the line, with its number there.

    As it is if the wave has not, and where it missed it (`missed_wave`).
    """
    block = _block_of(ticket, room)
    if block is None or ticket.number > block.size:
        return ticket
    return ticket._replace(number=block.base + ticket.number, wave="")


def missed_wave(ticket: Ticket, room: Snapshot) -> bool:
    """Whether its number was issued in the very moment in which the wave joined the line, and is none of those."""
    block = _block_of(ticket, room)
    return block is not None and ticket.number > block.size


def _block_of(ticket: Ticket, room: Snapshot) -> Block | None:
    return room.blocks.get(ticket.wave) if ticket.wave and ticket.epoch == room.epoch else None


def wave_of(ticket: Ticket, room: Snapshot) -> str:
    """In which wave a ticket of this epoch, as it counts now, got its number; "" for the room's own line."""
    return ticket.wave or next((wave for wave, block in room.blocks.items() if ticket.number in block), "")


def place_of_ticket(ticket: Ticket, room: Snapshot) -> int | None:
    """The place a ticket of this epoch has. None while lots are still to be drawn, or its wave is still to join."""
    ticket = counted(ticket, room)
    return None if ticket.wave else place_of(ticket.number, room)


def place_of(number: int, room: Snapshot) -> int | None:
    """The place a queue number has. None while lots are still to be drawn."""
    if room.awaits_draw:
        return None
    for wave, block in room.blocks.items():
        if block.secret and number in block:
            draw = _draw(block.secret, block.size, wave_name(room.room, wave), room.epoch)
            return block.base + draw.place(number - block.base)
    if not room.draw_size:
        return number
    return _draw(room.draw_secret, room.draw_size, room.room, room.epoch).place(number)


def wave_name(room: str, wave: str) -> str:
    """What a wave is called as a draw of its own; no room of the settings has such a name."""
    return f"{room}{WAVE_MARK}{wave}"


@lru_cache(maxsize=256)
def _draw(secret: str, size: int, room: str, epoch: int) -> Draw:
    return Draw(bytes.fromhex(secret), size, room, epoch)


def has_room(room: Snapshot, joined_ahead: int = 0) -> bool:
    """Whether a newcomer would be called at once: nobody in front, a seat and credit at hand beside those ahead."""
    return (
        room.admitting
        and room.waiting == 0
        and room.lane_waiting == 0
        and room.live + room.lane_granted + joined_ahead < room.in_force.total_active_users
        and min(room.credit, room.entry_credit) >= USER_CREDIT * (joined_ahead + 1)
    )


def only_waits(room: Snapshot, place: int | None) -> bool:
    """Whether `decide` says `Wait` to whoever brings a ticket of this epoch and place, and nothing else.

    For rooms without a calendar. A shortcut for those who ask most often; where it says no, ask `decide`.
    """
    state = room.state
    if state is _OPEN:
        return place is None or place > room.serving
    return state is not _PASSTHROUGH


def goes_by_pass(room: Snapshot, held: Pass) -> bool:
    """Whether `decide` says `Forward` by this pass to whoever brings it, with no rule that lets the request in.

    A shortcut as `only_waits` is.
    """
    return held.epoch == room.epoch and room.state is not _PASSTHROUGH


def decide(facts: Facts) -> Decision:
    """The gate's answer to a request for a page of the room."""
    room = facts.room
    if facts.rule is not None:
        return Forward(None, facts.rule)
    if room.state is RoomState.PASSTHROUGH:
        return Forward(None, None)
    if facts.visitor_pass is not None and facts.visitor_pass.epoch == room.epoch:
        return Forward(facts.visitor_pass, None)
    if facts.damaged and facts.ticket is None and facts.knock is None:
        return Refuse(Refusal.FORGED)
    return _told(facts) or _by_state(facts)


def _by_state(facts: Facts) -> Decision:
    room = facts.room
    match room.state:
        case RoomState.EARLY | RoomState.CLOSED | RoomState.SOLD_OUT if _holds_place(facts):
            # Told so on the page they wait on; it goes on by itself if the room opens again.
            return Wait(facts.ticket)
        case RoomState.EARLY:
            return Refuse(Refusal.EARLY)
        case RoomState.CLOSED:
            return Refuse(Refusal.CLOSED)
        case RoomState.SOLD_OUT:
            return Refuse(Refusal.SOLD_OUT)
        case RoomState.PREQUEUE | RoomState.OPEN | RoomState.PAUSED | RoomState.PASSTHROUGH:
            return _in_line(facts, room)
        case _ as unreachable:
            assert_never(unreachable)


def _holds_place(facts: Facts) -> bool:
    return facts.ticket is not None and not facts.used and facts.ticket.epoch == facts.room.epoch


def _told(facts: Facts) -> Tell | None:
    """What eligibility has to say before the line does."""
    who = facts.entitled
    if who is None or facts.room.state in {RoomState.CLOSED, RoomState.SOLD_OUT}:
        return None
    if facts.ticket is not None and not facts.used and facts.ticket.epoch != facts.room.epoch:
        return None
    match who.way:
        case Way.ASK | Way.NEVER:
            return Tell(who, facts.ticket if _holds_place(facts) else None)
        case Way.LATER if not _holds_place(facts):
            return Tell(who, None)
        case Way.NOW | Way.ROOM | Way.WAVE | Way.LATER:
            return None
        case _ as unreachable:
            assert_never(unreachable)


def _in_line(facts: Facts, room: Snapshot) -> Decision:
    who = facts.entitled
    may_enter = who is None or who.way is Way.NOW
    if facts.ticket is not None and not facts.used:
        if facts.ticket.epoch != room.epoch:
            return Refuse(Refusal.OLD_EPOCH)
        ticket = counted(facts.ticket, room)
        place = place_of_ticket(ticket, room)
        if place is not None and place <= room.serving and room.state is RoomState.OPEN and may_enter:
            return Admit(ticket, place)
        return Wait(ticket)
    if who is not None and who.way is Way.WAVE:
        return Join(facts.knock, who.wave) if facts.knock is not None else Wait(None)
    if has_room(room, facts.joined_ahead) and (facts.at_once or facts.knock is not None):
        return Join(facts.knock)
    if room.limits.queueing_method is QueueingMethod.REJECT:
        return Refuse(Refusal.FULL)
    return Join(facts.knock) if facts.knock is not None else Wait(None)
