"""People who try a trick, at the gate's own functions: signatures, `decide`, and then the store. All must be refused.

What a visitor sends goes the way it goes in a gateway: read and verified, decided upon, and where the decision asks the
store, the store is asked. Tricks upon the way of a request to the gate are for `sunbeon drill` and the load tester.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.room.decide import Admit, Facts, Forward, decide
from gateway.room.model import Snapshot
from gateway.room.ticket import BadToken, KeyRing, Pass, Ticket, sign, verify
from gateway.simulate.checks import Checks
from gateway.simulate.stage import ROOM, Stage
from gateway.store.base import Admitted, Claim, ClaimAnswer, PassRef

_SECRET_BYTES: Final = 32
KID: Final = "k1"


class Trick(StrEnum):
    FORGED = "forged"  # a ticket for place 1, signed by nobody here
    ALTERED = "altered"  # the own ticket with a lower number and the old signature
    FORGED_PASS = "forged_pass"  # a pass, signed by nobody here
    OLD = "old"  # a ticket of an earlier line
    EARLY = "early"  # the own ticket, before the call: also before the opening, whatever the visitor's clock says
    COPIED = "copied"  # the ticket of somebody who is in, or was
    COPIED_PASS = "copied_pass"  # the pass of a visit that is over


@dataclass(frozen=True, slots=True)
class _Brought:
    """A credential as text. place: whose, if it was somebody's."""

    trick: Trick
    text: str
    place: int


class Cheats:
    def __init__(self, rng: random.Random, checks: Checks) -> None:
        self._rng = rng
        self._checks = checks
        self._keys = KeyRing(KID, {KID: rng.randbytes(_SECRET_BYTES)})
        self._foreign = KeyRing(KID, {KID: rng.randbytes(_SECRET_BYTES)})
        self._turn = 0
        self.tried: Counter[str] = Counter()
        # By what they were refused: the signature, the decision, the store.
        self.refused: Counter[str] = Counter()

    async def come(self, number: int, room: Snapshot, stage: Stage, over: Sequence[int]) -> None:
        """So many try. room: as it is. over: places whose visits are over."""
        claims: list[tuple[Trick, Claim]] = []
        looks: list[tuple[Trick, PassRef]] = []
        tricks = list(Trick)
        for _ in range(number):
            trick = tricks[self._turn % len(tricks)]
            self._turn += 1
            brought = self._bring(trick, room, over)
            if brought is None:
                continue
            self.tried[trick] += 1
            match self._judge(brought, room):
                case Claim() as claim:
                    claims.append((trick, claim))
                case PassRef() as ref:
                    looks.append((trick, ref))
                case None:
                    pass
        if claims:
            answers = await stage.turn().claim(ROOM, [claim for _, claim in claims])
            for (trick, claim), answer in zip(claims, answers, strict=True):
                self._answered(trick, claim, answer)
        if looks:
            grants = await stage.turn().look(ROOM, [ref for _, ref in looks])
            for (trick, ref), grant in zip(looks, grants, strict=True):
                self._checks.cheated(trick, f"the pass of place {ref.place} still lives", refused=grant is None)
                self.refused["store"] += 1

    def _bring(self, trick: Trick, room: Snapshot, over: Sequence[int]) -> _Brought | None:
        epoch, behind = room.epoch, room.tail - room.serving
        match trick:
            case Trick.FORGED:
                return _Brought(trick, sign(Ticket(epoch, 1, 0), ROOM, self._foreign), 1)
            case Trick.FORGED_PASS:
                return _Brought(trick, sign(Pass(epoch, 1, 1, "p", "line", 0), ROOM, self._foreign), 1)
            case Trick.OLD:
                return _Brought(trick, sign(Ticket(epoch - 1, 1, 0), ROOM, self._keys), 1)
            case Trick.ALTERED | Trick.EARLY if behind > 1:
                # Never place 1, which is what an altered ticket says.
                place = room.serving + 2 + self._rng.randrange(behind - 1)
                own = sign(Ticket(epoch, place, 0), ROOM, self._keys)
                if trick is Trick.EARLY:
                    return _Brought(trick, own, place)
                first = sign(Ticket(epoch, 1, 0), ROOM, self._keys)
                return _Brought(trick, f"{first.rpartition('.')[0]}.{own.rpartition('.')[2]}", place)
            case Trick.COPIED | Trick.COPIED_PASS if over:
                place = over[self._rng.randrange(len(over))]
                if trick is Trick.COPIED:
                    return _Brought(trick, sign(Ticket(epoch, place, 0), ROOM, self._keys), place)
                old = Pass(epoch, place, place, pass_id(place), "line", 0)
                return _Brought(trick, sign(old, ROOM, self._keys), place)
            case _:
                return None

    def _judge(self, brought: _Brought, room: Snapshot) -> Claim | PassRef | None:
        """What the store is still to be asked; None: refused without it."""
        try:
            token = verify(brought.text, ROOM, self._keys)
        except BadToken:
            self.refused["signature"] += 1
            self._checks.cheated(brought.trick, "its signature was no good", refused=True)
            return None
        told = f"a credential of place {brought.place} was taken for good"
        genuine = brought.trick in {Trick.OLD, Trick.EARLY, Trick.COPIED, Trick.COPIED_PASS}
        self._checks.cheated(brought.trick, told, refused=genuine)
        ticket = token if isinstance(token, Ticket) else None
        held = token if isinstance(token, Pass) else None
        match decide(Facts(room, visitor_pass=held, ticket=ticket)):
            case Admit(found, place):
                self._checks.cheated(
                    brought.trick, f"place {place} is to be let in", refused=brought.trick is Trick.COPIED
                )
                return Claim(found.epoch, place, "copied")
            case Forward(visitor_pass=Pass() as found):
                return PassRef(found.epoch, found.place, found.pass_id)
            case _:
                self.refused["decision"] += 1
        # Who goes round the decision would still meet the store.
        return Claim(ticket.epoch, ticket.number, "early") if ticket is not None else None

    def _answered(self, trick: Trick, claim: Claim, answer: ClaimAnswer) -> None:
        fresh = isinstance(answer, Admitted)
        self._checks.cheated(trick, f"place {claim.place} got {answer}", refused=not fresh)
        self.refused["store"] += 1


def pass_id(place: int) -> str:
    """Of the pass that a place gets: as long as a real one, and known without keeping it."""
    return f"{place:016x}"
