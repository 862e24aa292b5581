"""The policy: from a room as it is to what the next tick does. Once, here, in pure integers.

Every gateway may plan several times a second; the store carries out one plan per state (compare-and-set), and a plan
counts the time since the last one. So a hundred gateways call and admit no more people than one.

Three budgets, each earned at the outflow, because calling is a forecast, a seat is a promise and coming in a fact:

* `entry_credit` pays for coming in, exactly one user each, taken by `QueueStore.claim`. The W ms after any tick see at
  most outflow x W + `burst` users let in. (A span that begins between two ticks also sees what its first tick earned
  for the time before it: a fifth of a second's outflow, at the usual pace of ticks.)
* `credit` pays for seats: taken by `claim` for who is let in at once, by `commit` for whom one is kept in the lane, for
  `LONGEST_GRANT_MS` at most. Were it the only one, all those for whom seats were kept while nobody could ask (a network
  that stood still) would come in in the moment in which they can.
* `call_credit` pays for calls, each at the measured chance that a called person comes. With half the people gone home,
  two places are called for every seat, and the outflow still reaches what the operator asked for.

Seats are reckoned the same way: who was called and has not come yet counts with the chance that someone called that
long ago still comes. When more come than forecast, they wait in the lane, ahead of every new call.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gateway.room.model import (
    AGE_BINS,
    BURST_MS,
    LOOKAHEAD_PLACES,
    MAX_STEP_MS,
    USER_CREDIT,
    Call,
    Curve,
    Snapshot,
    TickPlan,
    age_bin,
    limits_in_force,
    room_state,
)
from gateway.room.stay import stay_ms
from shared.wire import RoomState

# Chances are whole parts per million.
CERTAIN: Final = 1_000_000

# A called person is never taken to be rarer than this: one seat never calls more than twenty.
LEAST_CHANCE: Final = CERTAIN // 20

# Before anything is measured: most who come do so within the seconds that a page takes to ask again.
PRIOR_AT_RISK: Final = 8
PRIOR_CAME: Final = (4, 5, 5, 2) + (1,) * (AGE_BINS - 4)

# Above this many, the curve halves, so that an evening's manner of coming outweighs the afternoon's. Never before it
# has seen so many minutes' outflow: who is called just before it halves counts half, but comes after it and counts
# whole, so that a curve which halves every few seconds takes too many for coming.
CURVE_FULL: Final = 4_096
CURVE_MINUTES: Final = 5

# The pace is averaged over about so many calls, and over no less and no more time than this.
PACE_CALLS: Final = 20
PACE_MS: Final = (60_000, 600_000)

# A seat kept in the lane is free again after this at the latest. Whoever stands at the door asks every 2 to 20 s, a tab
# in the background once a minute: who has not asked in this time is gone, and the seat is somebody else's.
LONGEST_GRANT_MS: Final = 90_000

# A seat is kept for who is likely to come within this time (the end of age bin `SOON_BIN`), not for who may come within
# the whole claim window: they are not many, have a right of their way in the lane, and an empty seat helps nobody.
SOON_BIN: Final = 3
SOON_S: Final = 1 << SOON_BIN

# From a call to its holder at the door: a page that asks every two seconds, a tick, a way through the network. Seats
# that will come free within this time are called for already.
LEAD_MS: Final = 4_000
# ... but never more than this part (one in ...) of the ceiling.
MOST_AHEAD: Final = 12


def burst(new_users_per_minute: int) -> int:
    """The stated burst: users that may be admitted after a lull beyond what the outflow earns meanwhile.

    One more than `BURST_MS` earns: the part of a user that `credit_cap` keeps beside it may be all but a whole one.
    """
    if new_users_per_minute == 0:
        return 0
    return max(1, -(-new_users_per_minute * BURST_MS // USER_CREDIT)) + 1


def credit_cap(new_users_per_minute: int) -> int:
    """The most credit that is kept: what `BURST_MS` earns, and whatever part of a user was earned beside it.

    Without that part, cutting the credit off would cost a slow room a little of every user. An outflow of 0 keeps none:
    what was saved up before lets nobody in.
    """
    if new_users_per_minute == 0:
        return 0
    return max(USER_CREDIT, new_users_per_minute * BURST_MS) + USER_CREDIT - 1


def chances(curve: Curve, claim_window_ms: int) -> tuple[int, ...]:
    """For each age bin, the chance (ppm) that someone called that long ago and not yet come still will.

    Kaplan-Meier: 1 - product over the bins to come of (1 - came / at_risk), so that calls whose window is still open
    count for what they have shown so far.
    """
    last = age_bin(max(claim_window_ms - 1, 0))
    result = [0] * AGE_BINS
    stay_away = CERTAIN
    for b in range(last, -1, -1):
        stay_away = stay_away * (CERTAIN - _hazard(curve, b)) // CERTAIN
        result[b] = CERTAIN - stay_away
    return tuple(result)


def soon(curve: Curve, claim_window_ms: int) -> tuple[int, ...]:
    """For each age bin, the chance (ppm) that someone called that long ago and not yet come will within `SOON_S`."""
    last = age_bin(max(claim_window_ms - 1, 0))
    result = [0] * AGE_BINS
    stay_away = CERTAIN
    for b in range(min(SOON_BIN, last), -1, -1):
        stay_away = stay_away * (CERTAIN - _hazard(curve, b)) // CERTAIN
        result[b] = CERTAIN - stay_away
    for b in range(SOON_BIN + 1, last + 1):
        # The bin is 2^(b-1) seconds long.
        result[b] = _hazard(curve, b) * SOON_S >> (b - 1)
    return tuple(result)


def surely(curve: Curve, claim_window_ms: int) -> int:
    """The chance (ppm) that a called person comes, if nobody comes later than was seen so far.

    The least it can be: `chances` takes those who have not come in what was seen for people who may still.
    """
    last = age_bin(max(claim_window_ms - 1, 0))
    stay_away = CERTAIN
    for b in range(last + 1):
        if b <= SOON_BIN:
            hazard = _hazard(curve, b)
        else:
            at_risk = max(curve.at_risk[b], 0) + PRIOR_AT_RISK
            hazard = min(max(curve.came[b], 0), at_risk) * CERTAIN // at_risk
        stay_away = stay_away * (CERTAIN - hazard) // CERTAIN
    return CERTAIN - stay_away


def _hazard(curve: Curve, b: int) -> int:
    """The chance (ppm) that someone awaited at the beginning of an age bin comes within it."""
    # A store may hold anything, and no number in it may stop the line.
    at_risk = max(curve.at_risk[b], 0) + PRIOR_AT_RISK
    return min(max(curve.came[b], 0) + PRIOR_CAME[b], at_risk) * CERTAIN // at_risk


def expected_ppm(calls: Sequence[Call], call_clock_ms: int, by_age: Sequence[int]) -> int:
    """Users (in millionths) still expected from the calls made so far."""
    return sum(call.remaining * by_age[age_bin(call_clock_ms - call.called_at_ms)] for call in calls)


def freed_ppm(snapshot: Snapshot, chance: int) -> int:
    """Seats (in millionths) likely to come free before a person called now is at the door.

    In a full room as many leave as come in, and who comes in is the pace times the chance that a called person comes.
    Should fewer leave, those called too soon wait at the door, ahead of everyone not yet called.
    """
    ceiling_ppm = snapshot.in_force.total_active_users * CERTAIN
    return min(snapshot.pace_milli * chance * LEAD_MS // (1000 * 60_000), ceiling_ppm // MOST_AHEAD)


def serve_to(snapshot: Snapshot, people: int) -> int:
    """The place to serve up to so that `people` holders who have not left are called, or as many as there are."""
    limit = min(snapshot.tail, snapshot.serving + LOOKAHEAD_PLACES)
    if people <= 0:
        return snapshot.serving
    if not any(snapshot.absent):
        return min(snapshot.serving + people, limit)
    place = snapshot.serving
    reached = place
    while people > 0 and place < limit:
        offset = place - snapshot.serving
        place += 1
        byte = snapshot.absent[offset >> 3] if offset >> 3 < len(snapshot.absent) else 0
        if not byte >> (offset & 7) & 1:
            people -= 1
        reached = place
    return reached


def plan_tick(snapshot: Snapshot, now_ms: int) -> TickPlan:
    """What to do at `now_ms` of the store's clock.

    Never calls more people than are waiting; never calls a place before a lower one; admits nobody unless the room is
    open, by this clock; expires no pass while the room is switched off (passthrough). Time beyond `MAX_STEP_MS` since
    the last tick, or behind it, counts as none.
    """
    limits = limits_in_force(snapshot.limits, now_ms)
    elapsed = min(max(now_ms - snapshot.last_tick_ms, 0), MAX_STEP_MS)
    state = room_state(limits, now_ms)
    admitting = state is RoomState.OPEN
    # A room that is switched off renews no passes: while it lets everybody through, it expires nobody either. Nor does
    # one whose opening was moved: who is inside then has all of their time when it goes on.
    stands = state is RoomState.PASSTHROUGH or replace(snapshot, now_ms=now_ms).is_postponed
    pass_clock = snapshot.pass_clock_ms + (0 if stands else elapsed)
    call_clock = snapshot.call_clock_ms + (elapsed if admitting else 0)

    watermark = snapshot.watermark
    for call in snapshot.calls:
        if call_clock - call.called_at_ms > limits.claim_window_ms:
            watermark = max(watermark, call.last)
    pending = [call for call in snapshot.calls if call.last > watermark]

    earned = limits.new_users_per_minute * elapsed if admitting else 0
    if snapshot.tick == 0 and earned < USER_CREDIT and admitting and limits.new_users_per_minute:
        # A room that never ticked has had a lull: whoever comes first need not wait for the first unit to be earned.
        earned = USER_CREDIT
    cap = credit_cap(limits.new_users_per_minute)
    credit = min(snapshot.credit + earned, cap)
    by_age = chances(snapshot.curve, limits.claim_window_ms)
    chance = max(by_age[0], LEAST_CHANCE)

    call_credit = min(snapshot.call_credit + earned, cap)
    called_to = snapshot.serving
    grants = people = 0
    if admitting:
        seats = limits.total_active_users - snapshot.live - snapshot.lane_granted
        grants = max(0, min(snapshot.lane_waiting, seats, credit // USER_CREDIT))
        seats_ppm = (seats - snapshot.lane_waiting) * CERTAIN + freed_ppm(snapshot, chance)
        seats_ppm -= expected_ppm(pending, call_clock, soon(snapshot.curve, limits.claim_window_ms))
        # People already at the door use up what new calls would.
        purse = call_credit - snapshot.lane_waiting * USER_CREDIT
        price = USER_CREDIT * chance // CERTAIN
        # To the nearest person: half a chance that nobody comes is worth a call, even for one seat.
        people = max(0, min(snapshot.waiting, (seats_ppm + chance // 2) // chance, purse // price))
        called_to = serve_to(snapshot, people)
        call_credit -= people * price

    return TickPlan(
        now_ms=max(now_ms, snapshot.last_tick_ms),
        pass_clock_ms=pass_clock,
        call_clock_ms=call_clock,
        admitting=admitting,
        credit_add=earned,
        credit_cap=cap,
        call_credit=call_credit,
        watermark=watermark,
        grant_expiry_ms=min(limits.claim_window_ms, LONGEST_GRANT_MS),
        grants=grants,
        serve_to=called_to,
        at_risk_add=_newly_at_risk(pending, people, snapshot.call_clock_ms, call_clock),
        halve_curve=snapshot.curve.at_risk[0] > max(CURVE_FULL, CURVE_MINUTES * limits.new_users_per_minute),
        pace_milli=(
            min(_pace(snapshot, people, elapsed, chance), limits.new_users_per_minute * 1000 * CERTAIN // chance)
            if admitting
            else snapshot.pace_milli
        ),
        total_active_users=limits.total_active_users,
        draw=admitting and snapshot.awaits_draw,
    )


def _newly_at_risk(pending: Sequence[Call], people: int, before_ms: int, after_ms: int) -> tuple[int, ...]:
    """Who is awaited at the beginning of each bin that a call has entered since the last tick."""
    added = [0] * AGE_BINS
    added[0] = people
    for call in pending:
        old_ms, new_ms = before_ms - call.called_at_ms, after_ms - call.called_at_ms
        # Bins begin at whole seconds.
        if old_ms // 1000 != new_ms // 1000:
            for b in range(age_bin(old_ms) + 1, age_bin(new_ms) + 1):
                added[b] += call.remaining
    return tuple(added)


def _pace(snapshot: Snapshot, people: int, elapsed_ms: int, chance: int) -> int:
    """Exponential average of people called per minute (x 1000) while people wait; 0 once nobody does.

    Who is called on arrival, and what another line did an hour ago, says nothing of the next line's pace.
    """
    if snapshot.waiting <= people:
        return 0
    if elapsed_ms == 0:
        return snapshot.pace_milli
    limits = snapshot.in_force
    mean_ms, _ = stay_ms(snapshot)
    # What a full room calls. While it fills up, calls come faster, which says nothing of the time when it is full.
    full = max(1, limits.total_active_users * 60_000 * 1000 * CERTAIN // (mean_ms * chance))
    now = people * 60_000 * 1000 // elapsed_ms
    if snapshot.live + snapshot.lane_granted + people < limits.total_active_users:
        now = min(now, full)
        if snapshot.pace_milli == 0:
            # The first calls come in a burst.
            return min(now, limits.new_users_per_minute * 1000)
    elif snapshot.pace_milli == 0:
        return full
    shortest, longest = PACE_MS
    over_ms = min(max(PACE_CALLS * 60_000 * 1000 // snapshot.pace_milli, shortest), longest)
    return max(1, snapshot.pace_milli + (now - snapshot.pace_milli) * elapsed_ms // over_ms)
