"""A room's line, the obvious way: a record for every person. Written from the contract, not from any store.

Slow, and small enough to be believed by reading it.
"""

from dataclasses import dataclass, field

from gateway.room.model import USER_CREDIT, Block, Call, Limits, Snapshot, TickPlan, age_bin
from gateway.store.base import Admitted, AtDoor, Claim, Held, NotCalled, PassRef, Spent
from shared.wire import How


@dataclass
class Person:
    """Whoever holds a number: waiting, then perhaps at the door, inside, gone."""

    place: int
    called_at_ms: int | None = None
    came_late: bool | None = None  # None: has not come
    how: How | None = None  # None: not admitted
    at_door: bool = False
    seat_kept_at_ms: int | None = None
    done: bool = False
    pass_id: str | None = None
    expires_ms: int = 0
    ends_ms: int = 0
    awaited: bool = False  # counts in its call's `remaining`
    trial_until_ms: int = 0  # 0: the backend has answered
    failed: bool = False

    @property
    def inside(self) -> bool:
        return self.pass_id is not None


@dataclass
class LineModel:
    limits: Limits
    epoch: int = 1
    people: dict[int, Person] = field(default_factory=dict)
    knocks: dict[int, int] = field(default_factory=dict)
    serving: int = 0
    watermark: int = 0
    credit: int = 0
    entry_credit: int = 0
    admitting: bool = False
    pass_clock_ms: int = 0
    call_clock_ms: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    came: list[int] = field(default_factory=lambda: [0] * 12)
    at_risk: list[int] = field(default_factory=lambda: [0] * 12)
    blocks: dict[str, Block] = field(default_factory=dict)

    def add(self, name: str, number: int = 1) -> None:
        if number:
            self.counters[name] = self.counters.get(name, 0) + number

    def inside(self) -> list[Person]:
        return [person for person in self.people.values() if person.inside]

    def kept(self) -> list[Person]:
        return [person for person in self.people.values() if person.seat_kept_at_ms is not None]

    def at_door(self) -> list[Person]:
        """Without a seat kept, lowest place first."""
        waiting = [person for person in self.people.values() if person.at_door and person.seat_kept_at_ms is None]
        return sorted(waiting, key=lambda person: person.place)

    def seats(self) -> int:
        return max(0, self.limits.total_active_users - len(self.inside()) - len(self.kept()))

    def join(self, knock: int | None) -> int:
        if knock is not None and knock in self.knocks:
            return self.knocks[knock]
        number = len(self.people) + 1
        self.people[number] = Person(number)
        if knock is not None:
            self.knocks[knock] = number
        return number

    def acknowledge(self, epoch: int, number: int) -> None:
        while epoch == self.epoch and len(self.people) < number:
            self.join(None)

    def claim(self, claim: Claim) -> object:
        """The kind of answer; for `Admitted`, (pass_id, fresh, how, expires_ms, ends_ms)."""
        person = self.people.get(claim.place)
        if claim.epoch != self.epoch or person is None:
            return NotCalled
        if person.inside:
            return self._told(person, fresh=False)
        if person.done:
            return Spent
        if person.place > self.serving:
            return NotCalled
        if not self.admitting:
            return Held
        if person.at_door:
            how = How.LATE_LANE if person.came_late else How.LINE
            may = person.seat_kept_at_ms is not None and len(self.inside()) < self.limits.total_active_users
            may = may and self.entry_credit >= USER_CREDIT
            return self._admit(person, claim.pass_id, how) if may else AtDoor
        person.came_late = person.place <= self.watermark
        if person.awaited:
            person.awaited = False
            assert person.called_at_ms is not None
            self.came[age_bin(self.call_clock_ms - person.called_at_ms)] += 1
        poor = self.credit < USER_CREDIT or self.entry_credit < USER_CREDIT
        if self.at_door() or poor or self.seats() == 0:
            person.at_door = True
            return AtDoor
        self.credit -= USER_CREDIT
        how = How.LATE_LANE if person.came_late else How.DIRECT if claim.direct else How.LINE
        return self._admit(person, claim.pass_id, how)

    def _admit(self, person: Person, pass_id: str, how: How) -> object:
        person.how = how
        self.entry_credit -= USER_CREDIT
        person.at_door, person.seat_kept_at_ms, person.done, person.pass_id = False, None, True, pass_id
        person.ends_ms = self.pass_clock_ms + self.limits.session_length_ms
        person.expires_ms = min(person.ends_ms, self.pass_clock_ms + self.limits.idle_limit_ms)
        limit_ms = self.limits.unserved_limit_ms
        person.trial_until_ms, person.failed = (self.pass_clock_ms + limit_ms if limit_ms else 0), False
        self.add("admitted")
        if person.came_late:
            self.add("admitted_late")
        self.counters["peak_live"] = max(self.counters.get("peak_live", 0), len(self.inside()))
        return self._told(person, fresh=True)

    def _told(self, person: Person, *, fresh: bool) -> object:
        return (Admitted, person.pass_id, fresh, person.how, person.expires_ms, person.ends_ms)

    def holder(self, ref: PassRef) -> Person | None:
        """Who is inside with this very pass."""
        person = self.people.get(ref.place)
        return person if person and ref.epoch == self.epoch and person.pass_id == ref.pass_id else None

    def renewed_to(self, person: Person) -> set[int]:
        """Expiries the contract allows after a renewal; the store says which it chose."""
        best = max(person.expires_ms, min(person.ends_ms, self.pass_clock_ms + self.limits.idle_limit_ms))
        small = (best - person.expires_ms) * 10 < self.limits.idle_limit_ms
        return {best, person.expires_ms} if small else {best}

    def serve(self, ref: PassRef, *, works: bool) -> Person | None:
        person = self.holder(ref)
        if person is None or self.pass_clock_ms >= person.trial_until_ms:
            return person
        if not works or person.failed:
            person.ends_ms = max(person.ends_ms, self.pass_clock_ms + self.limits.session_length_ms)
            lives_to_ms = min(person.ends_ms, self.pass_clock_ms + self.limits.idle_limit_ms)
            person.expires_ms = max(person.expires_ms, lives_to_ms)
        if not works:
            self.add("unserved")
            person.failed = True
        else:
            self.add("restarted", int(person.failed))
            person.trial_until_ms, person.failed = 0, False
        return person

    def complete(self, ref: PassRef, reason: str) -> bool:
        person = self.holder(ref)
        if person is None:
            return False
        person.pass_id = None
        self.add(reason)
        return True

    def where(self, epoch: int, place: int) -> Person | None:
        return self.people.get(place) if epoch == self.epoch else None

    def leave(self, epoch: int, place: int) -> bool:
        person = self.people.get(place)
        if epoch != self.epoch or person is None or (person.done and not person.inside):
            return False
        person.done, person.pass_id, person.at_door, person.seat_kept_at_ms = True, None, False, None
        person.awaited = False
        self.add("left")
        return True

    def commit(self, plan: TickPlan) -> None:
        wave = plan.append
        if wave is not None and wave.wave not in self.blocks:
            self.blocks[wave.wave] = Block(len(self.people), wave.size, wave.secret)
            for _ in range(wave.size):
                self.join(None)
        self.pass_clock_ms, self.call_clock_ms, self.admitting = plan.pass_clock_ms, plan.call_clock_ms, plan.admitting
        self.credit = min(self.credit + plan.credit_add, plan.credit_cap)
        self.entry_credit = min(self.entry_credit + plan.credit_add, plan.credit_cap)
        for person in self.inside():
            if person.expires_ms <= self.pass_clock_ms:
                person.pass_id = None
                self.add("expired")
        self.watermark = plan.watermark
        for person in self.people.values():
            if person.awaited and person.place <= self.watermark:
                person.awaited = False
                self.add("no_shows")
        for person in self.kept():
            if self.call_clock_ms - (person.seat_kept_at_ms or 0) > plan.grant_expiry_ms:
                person.at_door, person.seat_kept_at_ms = False, None
                person.awaited = person.place > self.watermark
                self.add("no_shows", 0 if person.awaited else 1)
        for person in self.at_door()[: plan.grants]:
            if self.credit >= USER_CREDIT and self.seats() > 0:
                self.credit -= USER_CREDIT
                person.seat_kept_at_ms = self.call_clock_ms
        while self.serving < min(plan.serve_to, len(self.people)):
            self.serving += 1
            person = self.people[self.serving]
            person.called_at_ms, person.awaited = self.call_clock_ms, not person.done
        self.at_risk = [old + new for old, new in zip(self.at_risk, plan.at_risk_add, strict=True)]
        if plan.halve_curve:
            self.at_risk = [number // 2 for number in self.at_risk]
            self.came = [number // 2 for number in self.came]

    def reset(self) -> None:
        self.epoch += 1
        self.people, self.knocks, self.blocks = {}, {}, {}
        self.serving = self.watermark = self.credit = self.entry_credit = 0
        self.admitting = False
        self.came, self.at_risk = [0] * 12, [0] * 12
        if "admitted" in self.counters:
            self.counters["stay_from"] = self.counters["admitted"]

    def check(self, seen: Snapshot) -> None:
        """Fail unless the store's room is this one."""
        people = self.people.values()
        away = [person.place for person in people if person.done and person.place > self.serving]
        assert seen.epoch == self.epoch
        assert seen.tail == len(self.people)
        assert dict(seen.blocks) == self.blocks
        assert (seen.serving, seen.watermark) == (self.serving, self.watermark)
        assert (seen.credit, seen.entry_credit, seen.admitting) == (self.credit, self.entry_credit, self.admitting)
        assert (seen.pass_clock_ms, seen.call_clock_ms) == (self.pass_clock_ms, self.call_clock_ms)
        assert seen.live == len(self.inside())
        assert (seen.lane_waiting, seen.lane_granted) == (len(self.at_door()), len(self.kept()))
        assert seen.left_ahead == len(away)
        bits = int.from_bytes(seen.absent, "little")
        assert [self.serving + 1 + i for i in range(bits.bit_length()) if bits >> i & 1] == away
        assert seen.curve.came == tuple(self.came)
        assert seen.curve.at_risk == tuple(self.at_risk)
        assert dict(seen.counters) == self.counters
        self._check_calls(seen.calls)

    def _check_calls(self, calls: tuple[Call, ...]) -> None:
        for call in calls:
            within = [self.people[place] for place in range(call.first, call.last + 1)]
            assert call.remaining == sum(person.awaited for person in within)
        awaited = sum(person.awaited for person in self.people.values())
        assert awaited == sum(call.remaining for call in calls)
