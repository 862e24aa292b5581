"""Where a visitor stands while the store cannot be asked: by what was last known of the room. Nothing is changed.

Places are kept: a ticket, or a knock, is answered with the waiting page, as it was. A live pass is honoured for a
while (`Line.recall`). Nobody is admitted, unless the operator chose so for this room (`on_store_error = "admit"`): then
everyone goes in for whom the room was open, except by a ticket that does not count or a pass that was taken away.
"""

from dataclasses import replace
from typing import Final, assert_never

from gateway.edge.line import Line
from gateway.edge.settle import Credentials, InLine, Inside, Knocking, Refused, Standing, Through, Told
from gateway.edge.waves import WaveAway
from gateway.room.decide import Admit, Facts, Forward, Join, Refusal, Refuse, Tell, Wait, counted, decide
from gateway.room.entitle import Entitled, Way
from gateway.room.ticket import Pass, Ticket
from gateway.store.base import StaleEpoch, StoreError, StoreUnavailable
from shared.wire import How, RoomState

# Failures of a question that do not mean that the room's store is away: nobody gets ahead of the line by them.
_AT_WORK: Final = (WaveAway, StaleEpoch)


class TurnUnconfirmed(StoreUnavailable):
    """A pass that cannot be confirmed: it may live, and is not forwarded on its own word."""


def stand_without_store(
    line: Line, brought: Credentials, *, rule: str | None = None, failed: StoreError | None = None
) -> Standing:
    """Where the visitor stands until the store answers again. failed: how its question went; None: it was not asked.

    Raises `TurnUnconfirmed` for a pass this process does not remember, or not for so long, and `StoreUnavailable` for
    a ticket of an epoch it has not heard of.
    """
    room, opened = line.snapshot, _is_opened(line) and not isinstance(failed, _AT_WORK)
    brought = replace(brought, tickets=tuple(counted(each, room) for each in brought.tickets))
    brought, notice = _without_ended(line, brought, opened=opened)
    ticket = brought.ticket
    if ticket is not None and ticket.epoch > room.epoch and rule is None and brought.visitor_pass is None:
        raise StoreUnavailable("a ticket of an epoch not seen yet")
    knock = brought.knock if brought.knock is not None and line.accepts(brought.knock) else None
    who = line.entitle(ticket.cohorts if ticket is not None else brought.cohorts)
    # Nobody gets in before their window by the store's failing.
    opens_to_them = opened and (who is None or who.way is Way.NOW)
    match decide(Facts(room, rule, brought.visitor_pass, ticket, knock, brought.damaged, entitled=who)):
        case Forward(visitor_pass=held, rule=by_rule):
            if held is not None:
                return _by_pass(line, held, opened=opened)
            return Through(How.EXEMPT if by_rule is not None else How.PASSTHROUGH, by_rule)
        case Admit() | Wait() | Join() | Refuse(Refusal.FULL) if opens_to_them:
            return Through(How.FAIL_OPEN, None)
        case Admit(ticket=waiting):
            return _in_line(waiting, who, called=True)
        case Wait(ticket=waiting) if waiting is not None:
            return _in_line(waiting, who)
        case Tell(entitled=entitled, ticket=held_ticket):
            return Told(entitled, held_ticket)
        case Wait() | Join():
            # The same knock again: it may have been given its number already, in an answer that got lost.
            again = line.knock_again(knock) if knock is not None else line.new_knock(brought.cohorts)
            return Knocking(again, notice, catching_up=True, entitled=who)
        case Refuse(why):
            return Refused(why)
        case _ as unreachable:
            assert_never(unreachable)


def _by_pass(line: Line, held: Pass, *, opened: bool) -> Standing:
    grant = line.recall(held)
    if grant is not None:
        return Inside(held, grant, fresh=False, first_time=False, ticket=None, grace=True)
    if opened and not line.was_revoked(held):
        return Through(How.FAIL_OPEN, None)
    raise TurnUnconfirmed("the pass cannot be confirmed; the turn is kept")


def _without_ended(line: Line, brought: Credentials, *, opened: bool) -> tuple[Credentials, str | None]:
    """What is left of what was brought if its pass was ended here: its place has had its turn. And a notice of that."""
    held = brought.visitor_pass
    if held is None or not line.has_ended(held):
        return brought, None
    if opened and line.was_revoked(held):
        raise TurnUnconfirmed("the pass was revoked")
    left = tuple(each for each in brought.tickets if (each.epoch, each.number) != (held.epoch, held.number))
    return replace(brought, visitor_pass=None, tickets=left), "ended"


def _in_line(ticket: Ticket, who: Entitled | None, *, called: bool = False) -> InLine:
    return InLine(ticket, at_door=False, notice=None, catching_up=True, called=called, entitled=who)


def _is_opened(line: Line) -> bool:
    """Whether the operator's choice lets everyone in: only where people were being let in when last heard of."""
    known = line.known
    limited = known.in_force.total_active_users == 0 or known.in_force.new_users_per_minute == 0
    opened = known.state is RoomState.OPEN and not limited and not line.will_sell_out
    return line.config.on_store_error == "admit" and opened
