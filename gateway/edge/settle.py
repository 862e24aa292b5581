"""From what a visitor brings to where the visitor stands: decide, ask the store, decide again with its answer.

The decision (`gateway.room.decide`) is pure and optimistic; the store is exact. Each answer of the store removes one
doubt (this pass lives or not, this place is used or not, this number is issued), so the loop ends after a few turns.
Pages and status answers both come through here: asking for the status of a called place claims it, so a visitor who
is told "inside" is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import assert_never

from gateway.edge.line import Line
from gateway.room.decide import Admit, Facts, Forward, Join, Refusal, Refuse, Tell, Wait, decide, goes_by_pass, has_room
from gateway.room.entitle import Entitled
from gateway.room.model import PassGrant
from gateway.room.ticket import BadToken, KeyRing, Knock, Pass, Ticket, Token, UnknownKey, verify
from gateway.store.base import Admitted, AtDoor, Held, NotCalled, Spent
from shared.wire import How


@dataclass(frozen=True, slots=True)
class Credentials:
    """What was brought and verified.

    tickets: of this epoch first, then of the line itself, lowest number first.
    damaged: something was brought that is none of ours.
    """

    visitor_pass: Pass | None
    tickets: tuple[Ticket, ...]
    knock: Knock | None
    damaged: bool
    unknown_key: bool = False

    @property
    def ticket(self) -> Ticket | None:
        """The one that counts first."""
        return self.tickets[0] if self.tickets else None

    @property
    def cohorts(self) -> str:
        """Which cohorts it says its bearer is in. A knock that has lapsed still says so."""
        return next((each.cohorts for each in (*self.tickets, self.knock) if each is not None and each.cohorts), "")

    @property
    def knocks_only(self) -> Knock | None:
        """The knock, where there is nothing better."""
        return self.knock if self.visitor_pass is None and not self.tickets else None

    @property
    def empty(self) -> bool:
        """Whether nothing good was brought."""
        return self.visitor_pass is None and not self.tickets and self.knock is None


@dataclass(frozen=True, slots=True)
class Inside:
    """A live pass. fresh: the visitor does not hold it yet. ticket: set where its cookie is to be set too.

    grace: the store could not be asked, and the pass is remembered to live.
    knockless: the number was issued in this very request, by no knock: nobody can ask for it again.
    """

    visitor_pass: Pass
    grant: PassGrant
    fresh: bool
    first_time: bool
    ticket: Ticket | None
    grace: bool = False
    knockless: bool = False


@dataclass(frozen=True, slots=True)
class Through:
    """Needs no pass: by a rule, because the room is switched off, or because its store is away and it fails open."""

    how: How
    rule: str | None


@dataclass(frozen=True, slots=True)
class InLine:
    """Waiting. notice: what happened to an earlier turn, if anything (`used`, `ended`).

    entitled: by the room's eligibility calendar, where it has one.
    catching_up: the store could not be asked. called: the place is called, and cannot be claimed before it can be.
    knockless: as in `Inside`.
    """

    ticket: Ticket
    at_door: bool
    notice: str | None
    catching_up: bool = False
    called: bool = False
    entitled: Entitled | None = None
    knockless: bool = False


@dataclass(frozen=True, slots=True)
class Knocking:
    """A newcomer, who gets this knock to bring back."""

    knock: Knock
    notice: str | None
    catching_up: bool = False
    entitled: Entitled | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """Not in line, by the eligibility calendar: asked for the birth date, or told when, or why not.

    ticket: of a place that is held.
    """

    entitled: Entitled
    ticket: Ticket | None


@dataclass(frozen=True, slots=True)
class Refused:
    why: Refusal


Standing = Inside | Through | InLine | Knocking | Told | Refused


def read_credentials(
    tickets: Iterable[str], passes: Iterable[str], room: str, keys: KeyRing, *, epoch: int
) -> Credentials:
    """Verify what was brought."""
    from_tickets = _verified(tickets, room, keys)
    from_passes = _verified(passes, room, keys)
    found_tickets = [token for token in from_tickets if isinstance(token, Ticket)]
    knock = next((token for token in from_tickets if isinstance(token, Knock)), None)
    found_pass = next((token for token in from_passes if isinstance(token, Pass) and token.epoch == epoch), None)
    # A good token in the other one's cookie is as wrong there as a forged one.
    misplaced = any(isinstance(token, Pass) for token in from_tickets)
    misplaced = misplaced or any(isinstance(token, Ticket | Knock) for token in from_passes)
    failures = [token for token in (*from_tickets, *from_passes) if isinstance(token, BadToken)]
    unknown_key = any(isinstance(error, UnknownKey) for error in failures)
    found_tickets.sort(key=lambda ticket: (ticket.epoch != epoch, ticket.wave != "", ticket.number))
    return Credentials(found_pass, tuple(found_tickets), knock, misplaced or bool(failures), unknown_key)


def _verified(texts: Iterable[str], room: str, keys: KeyRing) -> list[Token | BadToken]:
    """Each text as the token it is, or as what is wrong with it."""
    found: list[Token | BadToken] = []
    for text in texts:
        try:
            found.append(verify(text, room, keys))
        except BadToken as error:
            found.append(error)
    return found


def stand_by_memory(line: Line, brought: Credentials, *, rule: str | None = None) -> Inside | None:
    """Where `settle` would put the bearer of a pass that lived a moment ago, without asking the store.

    None: only `settle` can say. A ticket beside the pass decides nothing while that lives.
    """
    held = brought.visitor_pass
    if held is None:
        return None
    if rule is not None or not goes_by_pass(line.snapshot, held):
        return None
    grant = line.lives(held)
    return None if grant is None else Inside(held, grant, fresh=False, first_time=False, ticket=None)


async def settle(  # noqa: C901, PLR0912 - a table
    line: Line, brought: Credentials, *, rule: str | None = None, at_once: bool = True
) -> Standing:
    """Where the visitor stands, after everything that can be done now was done. Raises `StoreError`.

    at_once: whether a newcomer may join in this very request.
    """
    if brought.ticket is not None:
        await line.catch_up(brought.ticket)
    knock = brought.knock if brought.knock is not None and line.accepts(brought.knock) else None
    tickets = await line.take_in(brought.tickets)
    facts = Facts(
        line.snapshot, rule, brought.visitor_pass, tickets.pop(0) if tickets else None, knock, brought.damaged,
        at_once=at_once, joined_ahead=line.joined_ahead,
    )  # fmt: skip
    cohorts = brought.cohorts
    notice: str | None = None
    joined_now = knockless = looked_again = False
    while True:
        facts = replace(facts, entitled=line.entitle(facts.ticket.cohorts if facts.ticket else cohorts))
        match decide(facts):
            case Wait(ticket=None) if at_once and not looked_again and _is_full_without_line(facts):
                # The seat may have come free through another worker a moment ago.
                looked_again = True
                await line.look_again()
                facts = replace(facts, room=line.snapshot, joined_ahead=line.joined_ahead)
            case Forward(visitor_pass=None, rule=rule):
                return Through(How.EXEMPT if rule is not None else How.PASSTHROUGH, rule)
            case Forward(visitor_pass=held) if held is not None:
                grant = await line.renew(held)
                if grant is not None:
                    return Inside(held, grant, fresh=False, first_time=False, ticket=None)
                notice = "ended"
                facts = replace(facts, room=line.snapshot, visitor_pass=None)
            case Admit(ticket, place):
                answer = await line.claim(ticket, place, direct=joined_now, held=brought.visitor_pass)
                if not isinstance(answer, Spent):
                    return _claimed(answer, ticket, facts, notice=notice, knockless=knockless)
                notice = notice or "used"
                following = tickets.pop(0) if tickets else None
                facts = replace(facts, room=line.snapshot, ticket=following, used=following is None)
            case Join(brought_knock, wave):
                room_for_all = not wave and has_room(facts.room, facts.joined_ahead)
                ticket = await line.join(brought_knock, wave=wave, cohorts=cohorts)
                joined_now, knockless = True, brought_knock is None
                if room_for_all:
                    # Nobody is in front: be called in this very request rather than at the next tick.
                    await line.tick_now()
                facts = replace(facts, room=line.snapshot, ticket=ticket, knock=None, used=False)
            case Wait(ticket=None):
                return Knocking(line.new_knock(cohorts), notice, entitled=facts.entitled)
            case Wait(ticket=waiting) if waiting is not None:
                return InLine(waiting, at_door=False, notice=notice, entitled=facts.entitled, knockless=knockless)
            case Tell(who, held_ticket):
                return Told(who, held_ticket)
            case Refuse(why):
                return Refused(why)


def _is_full_without_line(facts: Facts) -> bool:
    return facts.room.admitting and facts.room.waiting == 0


def _claimed(
    answer: Admitted | AtDoor | Held | NotCalled, ticket: Ticket, facts: Facts, *, notice: str | None, knockless: bool
) -> Standing:
    match answer:
        case Admitted(grant, fresh=first_time):
            held = Pass(ticket.epoch, ticket.number, grant.place, grant.pass_id, grant.how.value, facts.room.now_ms)
            return Inside(held, grant, fresh=True, first_time=first_time, ticket=ticket, knockless=knockless)
        case AtDoor() | Held() | NotCalled():
            at_door = isinstance(answer, AtDoor)
            return InLine(ticket, at_door=at_door, notice=notice, entitled=facts.entitled, knockless=knockless)
        case _ as unreachable:
            assert_never(unreachable)
