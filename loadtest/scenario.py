"""Who comes, when, and to do what: a plan drawn from a seed, before the first request is sent.

Arrivals are open-loop: a visitor comes when the plan says, however slowly the site answers those before. A generator
that waits for answers measures a site that is never overloaded ("coordinated omission").

The same arguments give the same plan, so that a run can be repeated. This module does no I/O and reads no clock.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """What a visitor is like."""

    HONEST = "honest"  # waits as told, enters when called
    NO_SHOW = "no_show"  # waits a little, then asks no more, and never comes when called
    LEAVER = "leaver"  # waits a little, then gives the place up
    CHEAT = "cheat"  # tries one trick, and otherwise behaves as an honest one


class Cheat(StrEnum):
    """What a cheat tries."""

    FORGED_TICKET = "forged_ticket"  # random bytes as a ticket
    ALTERED_TICKET = "altered_ticket"  # the own ticket with one byte changed
    FORGED_PASS = "forged_pass"  # random bytes as a pass
    TICKET_AS_PASS = "ticket_as_pass"  # a real ticket in the place of a pass, and under another room's name
    HEADERS = "headers"  # the proof the gate gives to backends, and other trusted-looking headers, from outside
    DEEP_LINK = "deep_link"  # the protected page by another spelling of its address
    METHODS = "methods"  # other methods than GET, a fetch, a WebSocket upgrade
    KNOCK_REPLAY = "knock_replay"  # one knock brought back many times, at once and later
    EARLY_CLAIM = "early_claim"  # reloads the page while waiting
    FAST_POLL = "fast_poll"  # asks for its status without the pauses it was told to make
    USED_TICKET = "used_ticket"  # comes again with the ticket and the pass of a finished visit
    BACKEND_DIRECT = "backend_direct"  # goes to the backend's port, past the gate


class Scenario(StrEnum):
    """What the run is a run of."""

    RUSH = "rush"  # everybody comes to a room as it is
    OPENING = "opening"  # half come before the room opens, half after it


class Arrivals(StrEnum):
    """How arrivals are spread over the time they are given."""

    POISSON = "poisson"  # as many at any time
    RAMP = "ramp"  # more and more: the rate grows from nothing in a straight line


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of all visitors, each 0..1.

    repeat: of the honest ones, how many ask for the page a second time with the cookies they had before they were let
    in, as a browser does whose answer was lost.
    """

    no_show: float = 0.05
    leaver: float = 0.03
    cheat: float = 0.10
    repeat: float = 0.10


@dataclass(frozen=True, slots=True)
class VisitorPlan:
    """One visitor. `seed` is for choices made on the way; `arrives_ms` counts from the start of the run.

    early: comes before the opening.
    """

    index: int
    arrives_ms: int
    kind: Kind
    cheat: Cheat | None
    repeats_claim: bool
    seed: int
    early: bool = False


def plan_visitors(
    *, visitors: int, arrive_ms: int, arrivals: Arrivals, shares: Shares, cheats: Sequence[Cheat], seed: int
) -> tuple[VisitorPlan, ...]:
    """The plan, in order of arrival.

    Shares are exact, rounded up to whole visitors, so that a small run has its cheats too; who is what is drawn.
    Cheats take turns in `cheats`, which may be empty only if there are none.
    """
    rng = random.Random(seed)  # noqa: S311 - a plan that can be repeated, not a secret
    kinds = _kinds(visitors, shares)
    rng.shuffle(kinds)
    moments = sorted(_moment(arrivals, rng.random(), arrive_ms) for _ in range(visitors))
    honest = [index for index, kind in enumerate(kinds) if kind is Kind.HONEST]
    repeating = set(rng.sample(honest, math.ceil(len(honest) * shares.repeat)))
    plans = []
    tried = 0
    for index, (kind, moment) in enumerate(zip(kinds, moments, strict=True)):
        cheat = None
        if kind is Kind.CHEAT:
            cheat = cheats[tried % len(cheats)]
            tried += 1
        plans.append(VisitorPlan(index, moment, kind, cheat, index in repeating, rng.getrandbits(64)))
    return tuple(plans)


def plan_opening(
    *, opens_ms: int, visitors: int, arrive_ms: int, arrivals: Arrivals, shares: Shares, cheats: Sequence[Cheat],
    seed: int,
) -> tuple[VisitorPlan, ...]:  # fmt: skip
    """Half of the visitors from the start on, the others from the opening on, either over `arrive_ms`."""
    halves = [
        plan_visitors(
            visitors=count, arrive_ms=arrive_ms, arrivals=arrivals, shares=shares, cheats=cheats, seed=seed + half
        )
        for half, count in enumerate((visitors - visitors // 2, visitors // 2))
    ]
    early = [replace(plan, early=True) for plan in halves[0]]
    later = [replace(plan, index=len(early) + plan.index, arrives_ms=opens_ms + plan.arrives_ms) for plan in halves[1]]
    return (*early, *later)


def _kinds(visitors: int, shares: Shares) -> list[Kind]:
    """One kind per visitor, unshuffled."""
    others = [Kind.CHEAT] * math.ceil(visitors * shares.cheat)
    others += [Kind.NO_SHOW] * math.ceil(visitors * shares.no_show)
    others += [Kind.LEAVER] * math.ceil(visitors * shares.leaver)
    others = others[:visitors]
    return others + [Kind.HONEST] * (visitors - len(others))


def _moment(arrivals: Arrivals, draw: float, arrive_ms: int) -> int:
    """Arrival of one visitor, from a draw in 0..1.

    Given their number, the arrivals of a Poisson process are independent and uniform; the ramp is the inverse of its
    cumulative t^2.
    """
    part = draw if arrivals is Arrivals.POISSON else math.sqrt(draw)
    return int(part * arrive_ms)
