"""What must hold of a crowd whose gateways lost their store for a while: from their answers and the backend's log."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.room.policy import burst
from gateway.tests.outage.people import Heard, Person, Stage
from gateway.tests.outage.scene import OUTFLOW_PER_MINUTE, Forwarded

# Two failures, each after its timeout, until a gateway counts its store as away; longer where both were seen later.
NOTICED_S = 3.5
# People see their admission later than it was, by as much as the machine is busy: two may seem nearer than they were.
LATE_S = 1.5
# What a visitor is owed for the store's part, and a busy machine's part of an answer.
PATIENCE_S = 1.0
MACHINE_S = 2.0
AWAY_POLL_MS = range(5_000, 15_001)
# A line's clock may be off by what counts as no jump, and an answer be late.
CLOCK_S = 6.0

# More answers than this, or too little was seen to say so.
SEEN = 50


@dataclass(frozen=True, slots=True)
class Outage:
    """In seconds of `time.monotonic`. begun_s: the store was away. seen_s: every gateway's operators were told so."""

    begun_s: float
    ended_s: float
    seen_s: float = 0.0

    def has(self, moment_s: float) -> bool:
        return self.begun_s < moment_s < self.ended_s

    def was_noticed(self, moment_s: float) -> bool:
        return max(self.begun_s + NOTICED_S, self.seen_s) < moment_s < self.ended_s


@dataclass(frozen=True, slots=True)
class Figures:
    """answers: in all; meanwhile: of the outage. recovered_s: from its end to the first admission."""

    answers: int
    meanwhile: int
    worst_s: float
    p99_s: float
    admitted: int
    recovered_s: float

    def __str__(self) -> str:
        return (
            f"{self.answers} answers, {self.meanwhile} while the store was away; worst {self.worst_s:.2f} s, "
            f"p99 {self.p99_s:.3f} s; {self.admitted} admitted; the next {self.recovered_s:.2f} s after its return"
        )


def figures(people: Sequence[Person], outage: Outage) -> Figures:
    heard = list(_heard(people))
    took = sorted(each.took_s for each in heard)
    admitted = sorted(person.admitted_s for person in people if person.admitted_s is not None)
    after = [moment for moment in admitted if moment > outage.ended_s]
    assert after, "nobody was admitted after the outage"
    meanwhile = sum(outage.has(each.asked_s) for each in heard)
    return Figures(
        len(heard), meanwhile, took[-1], took[int(len(took) * 0.99)], len(admitted), after[0] - outage.ended_s
    )


def answers_were_bounded(people: Sequence[Person]) -> None:
    worst = max(_heard(people), key=lambda heard: heard.took_s)
    assert worst.took_s < PATIENCE_S + MACHINE_S, worst


def nobody_was_admitted(people: Sequence[Person], forwarded: Sequence[Forwarded], outage: Outage) -> None:
    """Whoever asked meanwhile: neither told so, nor seen by the backend."""
    meanwhile = {person.name for person in people if person.asked_s is None or outage.begun_s < person.asked_s}
    entered = [
        person.name
        for person in people
        if person.name in meanwhile and person.admitted_s is not None and outage.has(person.admitted_s)
    ]
    assert entered == [], entered
    first: dict[str, float] = {}
    for request in forwarded:
        first.setdefault(request.person, request.at_s)
    late = [name for name, at_s in first.items() if outage.has(at_s) and name in meanwhile]
    assert late == [], late


def nobody_inside_was_thrown_out(people: Sequence[Person], outage: Outage) -> int:
    """At no time, before, amid or after: every page that they asked for came from the backend. How many amid."""
    inside = [heard for heard in _heard(people) if heard.stage is Stage.INSIDE]
    refused = [heard for heard in inside if heard.gate is not None]
    assert refused == [], refused
    return sum(outage.was_noticed(heard.asked_s) for heard in inside)


def everyone_waiting_was_told_so(people: Sequence[Person], outage: Outage) -> int:
    """Always an answer that the page can show; and, once it was noticed, that the store is away. How many were."""
    waiting = [heard for heard in _heard(people) if heard.stage is Stage.WAITING]
    for heard in waiting:
        assert heard.status == 200, heard
        assert heard.facts is not None
        assert heard.facts["state"] in {"waiting", "called", "at_door", "inside"}, heard
    coming = [heard for heard in _heard(people) if heard.stage is Stage.COMING]
    turned_away = [heard for heard in coming if heard.status != 200 or heard.gate not in {None, "waiting"}]
    assert turned_away == [], turned_away
    meanwhile = [heard for heard in waiting if outage.was_noticed(heard.asked_s)]
    meanwhile = [heard for heard in meanwhile if heard.asked_s + heard.took_s < outage.ended_s]
    for heard in meanwhile:
        assert heard.facts is not None
        assert heard.facts["catching_up"], heard
        assert heard.facts["eta_ms"] is None, heard
        assert heard.facts["poll_after_ms"] in AWAY_POLL_MS, heard
    return len(meanwhile)


def every_number_was_one_persons(people: Sequence[Person], forwarded: Sequence[Forwarded]) -> None:
    """And every place had one pass."""
    holders: dict[int, set[str]] = defaultdict(set)
    for person in people:
        assert len(person.numbers) <= 1, f"{person.name} was told several numbers: {person.numbers}"
        for number in person.numbers:
            holders[number].add(person.name)
    passes: dict[int, set[str]] = defaultdict(set)
    for request in forwarded:
        claims = request.claims
        assert claims.place is not None
        assert claims.number is not None
        assert claims.pass_id is not None
        passes[claims.place].add(claims.pass_id)
        holders[claims.number].add(request.person)
    shared = {number: names for number, names in holders.items() if len(names) > 1}
    assert shared == {}, shared
    twice = {place: found for place, found in passes.items() if len(found) > 1}
    assert twice == {}, twice


def nothing_flooded(people: Sequence[Person], *, outflow: int = OUTFLOW_PER_MINUTE) -> None:
    """In any time, no more were admitted than the outflow allows in it, and the burst."""
    moments = sorted(person.admitted_s for person in people if person.admitted_s is not None)
    per_s = outflow / 60
    for begin, first_s in enumerate(moments):
        for end in range(begin, len(moments)):
            allowed = per_s * (moments[end] - first_s + LATE_S) + burst(outflow)
            assert end - begin + 1 <= allowed, f"{end - begin + 1} in {moments[end] - first_s:.2f} s"


def admission_went_on(people: Sequence[Person], since_s: float, *, pause_s: float) -> None:
    """From then on, nobody new came in for no longer than that, up to the last who did."""
    moments = sorted(person.admitted_s for person in people if person.admitted_s is not None)
    gaps = [later - earlier for earlier, later in pairwise([since_s, *(each for each in moments if each > since_s)])]
    assert gaps, "nobody was admitted"
    assert max(gaps) < pause_s


def time_went_on(people: Sequence[Person]) -> None:
    """What gateways say the time is never went back, and was this machine's."""
    for person in people:
        told = [heard for heard in person.heard if heard.facts is not None]
        for earlier, later in pairwise(told):
            assert _time_ms(earlier) <= _time_ms(later), (earlier, later)
        for heard in told:
            was_s = time.time() - (time.monotonic() - heard.asked_s)
            assert abs(_time_ms(heard) / 1000 - was_s) < CLOCK_S, heard


def _time_ms(heard: Heard) -> int:
    assert heard.facts is not None
    told: int = heard.facts["server_time_ms"]
    return told


def _heard(people: Sequence[Person]) -> Iterable[Heard]:
    return (heard for person in people for heard in person.heard)
