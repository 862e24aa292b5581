"""The state of a room's line: a handful of counters, however many wait.

A visitor's place is in the ticket the visitor holds, so nothing is kept per waiting visitor. What is kept: how far the
numbers go (`tail`), how far the calls go (`serving`), which places have had their turn (a bitmap, in the store), who is
inside (passes), who was called lately (`Call`), and who came but found every seat taken (the *lane*).

Time is the store's, in milliseconds. Two *room clocks* advance only with ticks, and by at most `MAX_STEP_MS` each: the
pass clock (on which passes expire, standing still while the room is switched off, as nobody's pass is renewed then) and
the call clock (on which claim windows run, standing still while admission does). So an outage, a jump of the machine's
clock or five minutes of passthrough expire nobody, and a pause costs nobody their place.

Admission has two gates. *Calling* a place is a plan: paced by outflow and by the seats that are free, allowing for
those who will not come. *Admitting* its holder is exact: one unit of credit and one seat, taken in the same
transaction. Who comes and finds none waits in the lane, ahead of every place not yet called.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Final, NamedTuple

from gateway.room.allow import Allowed
from gateway.room.approval import Approval
from gateway.room.schedule import Change, Moment, Phase, Window, in_force, look
from shared.wire import How, RoomState

# One user of credit. Credit is counted in users x ms per minute, so that any cut of a minute adds up to the same.
USER_CREDIT: Final = 60_000

# A tick that comes later than this lost the time: missed outflow must not come back as one flood.
MAX_STEP_MS: Final = 2_000

# Unused outflow of this long may be used at once, and always at least one user: see `policy.burst`.
BURST_MS: Final = 2_000

# How far ahead of `serving` a snapshot says who has left. More places than this are never called in one tick.
LOOKAHEAD_PLACES: Final = 32_768

# Behind it in a room's name: which of its waves this is. No room of the settings has it in its name.
WAVE_MARK: Final = "~"

# Bins of the show-up curve: <1 s, 1-2 s, 2-4 s, ... the last one holds everything from 1,024 s.
AGE_BINS: Final = 12

_STATES: Final = {
    Phase.EARLY: RoomState.EARLY,
    Phase.PREQUEUE: RoomState.PREQUEUE,
    Phase.OPEN: RoomState.OPEN,
    Phase.OVER: RoomState.CLOSED,
}


def age_bin(age_ms: int) -> int:
    """Bin of the show-up curve for an age since the call: bin b > 0 holds ages of 2^(b-1) to 2^b seconds."""
    # Asked for each call of minutes, several times a tick: without `min` and `max`, half the time.
    b = (age_ms // 1000).bit_length() if age_ms > 0 else 0
    return b if b < AGE_BINS else AGE_BINS - 1


class Mode(StrEnum):
    """What the operator set."""

    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"
    SOLD_OUT = "sold_out"
    PASSTHROUGH = "passthrough"


class QueueingMethod(StrEnum):
    """Who gets which place. `draw`: lots among those who came before opening (`draw.py`), then in order of coming."""

    FIFO = "fifo"
    DRAW = "draw"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Limits:
    """The live settings of a room. `version` grows by one with every change.

    opens_at_ms, closes_at_ms: the first window. more_windows: those after it, in order.
    prequeue_ms: how long before an opening people may line up; None: any time.
    timetable: changes of outflow and ceiling, in order; `Snapshot.in_force` says what they come to.
    unserved_limit_ms: how long after its admission the life of a pass may begin, while the backend fails; 0: it begins
    at once, whatever the backend does.
    postponed_from_ms, postponed_to_ms: the opening that was announced before, and the one it was moved to. Until then
    the pass clock stands still too.
    armed: by which drill an operator said that the opening may come, and for which version and epoch; nothing else
    depends on it.
    allow: exemptions, also expired ones. approvals: actions that wait for a second person, also expired ones. Both are
    changed by actions of their own only.
    mode_since: the version that set `mode` to something else; the stores keep it (`limits_text.patched`).
    """

    mode: Mode = Mode.OPEN
    queueing_method: QueueingMethod = QueueingMethod.FIFO
    total_active_users: int = 300
    new_users_per_minute: int = 600
    claim_window_ms: int = 300_000
    session_length_ms: int = 900_000
    idle_limit_ms: int = 300_000
    opens_at_ms: int | None = None
    closes_at_ms: int | None = None
    more_windows: tuple[Window, ...] = ()
    prequeue_ms: int | None = None
    timetable: tuple[Change, ...] = ()
    postponed_from_ms: int | None = None
    postponed_to_ms: int | None = None
    message: Mapping[str, str] = field(default_factory=dict)
    armed: Mapping[str, str] = field(default_factory=dict)
    version: int = 1
    allow: tuple[Allowed, ...] = ()
    approvals: tuple[Approval, ...] = ()
    unserved_limit_ms: int = 600_000
    mode_since: int = 1

    @property
    def windows(self) -> tuple[Window, ...]:
        """All of them, in order; at least one."""
        return (Window(self.opens_at_ms, self.closes_at_ms), *self.more_windows)


def room_state(limits: Limits, now_ms: int) -> RoomState:
    """What the room is doing at a moment of the store's clock. The operator's word counts before the schedule's."""
    if limits.mode is not Mode.OPEN:
        return RoomState(limits.mode.value)
    moment = look(limits.windows, limits.prequeue_ms, now_ms)
    if moment.phase is Phase.EARLY and moment.opens_at_ms == limits.postponed_to_ms:
        # It was to be open by now: who comes may line up, however short the pre-queue is.
        return RoomState.PREQUEUE
    return _STATES[moment.phase]


def limits_in_force(limits: Limits, now_ms: int) -> Limits:
    """`limits` with the outflow and the ceiling that the timetable has come to."""
    if not limits.timetable:
        return limits
    outflow, ceiling = in_force(limits.timetable, now_ms)
    return replace(
        limits,
        new_users_per_minute=limits.new_users_per_minute if outflow is None else outflow,
        total_active_users=limits.total_active_users if ceiling is None else ceiling,
    )


# What is made by the hundred for each snapshot, or for each request, is a named tuple: made in a third of the time that
# a frozen dataclass takes.
class Call(NamedTuple):
    """Places first..last, called together when the call clock stood at `called_at_ms`.

    remaining: holders who have neither come nor left.
    """

    first: int
    last: int
    called_at_ms: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Curve:
    """When called people come: per age bin, how many were still awaited as it began, and how many came in it."""

    at_risk: tuple[int, ...] = (0,) * AGE_BINS
    came: tuple[int, ...] = (0,) * AGE_BINS


@dataclass(frozen=True, slots=True)
class Block:
    """A wave that has joined the line: its number n is the room's number base + n, for n from 1 to size.

    secret: hex, of the lots that give the block's places to its numbers; "" where places follow the numbers.
    """

    base: int
    size: int
    secret: str = ""

    def __contains__(self, number: int) -> bool:
        return self.base < number <= self.base + self.size


@dataclass(frozen=True, slots=True)
class Prequeue:
    """A wave that has yet to join the line. waiting: numbers issued. opens_ms: None if nobody knows any more."""

    waiting: int
    opens_ms: int | None


@dataclass(frozen=True, slots=True)
class Append:
    """Let a wave join the line: as one block, behind every number issued by then. `Block` has size and secret."""

    wave: str
    size: int
    secret: str = ""


@dataclass(frozen=True)
class Snapshot:
    """A room as the store saw it in one moment.

    tick: grows by one with every committed plan and every change of settings; what compare-and-set compares.
    now_ms: the store's clock as it was read. last_tick_ms: the same at the last committed plan.
    tail: last number issued. serving: highest place called. watermark: highest place whose claim window is over.
    left_ahead: places above `serving` whose holders have left.
    absent: bitmap of places serving+1 .. serving+LOOKAHEAD_PLACES (bit i of byte j, least significant first, is place
        serving+1+8j+i) whose holders have left; may be shorter: what is missing is zeros.
    credit: for seats, spent by `claim`, and as one is kept in the lane. entry_credit: for coming in, spent by `claim`
        alone. call_credit: for calls, spent by plans. All in users x ms per minute.
    admitting: whether `claim` may admit; set by plans, cleared by any change of settings until the next plan.
    live: passes alive. lane_waiting / lane_granted: people in the lane without and with a seat kept for them.
    pace_milli: people called per minute, times 1000, averaged over about a minute while there is a line and the room
        is open.
    counters: what happened so far in this room, by name.
    draw_secret: hex; its hash is public from the beginning, it itself once lots are drawn (`draw.py`).
    draw_size: how many numbers the lots were drawn among; None: not yet.
    blocks: the waves that have joined the line, by name.
    """

    room: str
    epoch: int
    limits: Limits
    tick: int
    now_ms: int
    last_tick_ms: int
    pass_clock_ms: int
    call_clock_ms: int
    tail: int
    serving: int
    watermark: int
    left_ahead: int
    absent: bytes
    credit: int
    call_credit: int
    entry_credit: int
    admitting: bool
    live: int
    lane_waiting: int
    lane_granted: int
    pace_milli: int
    curve: Curve
    calls: tuple[Call, ...]
    counters: Mapping[str, int]
    draw_secret: str
    draw_size: int | None
    blocks: Mapping[str, Block] = field(default_factory=dict)

    # Worked out once: a snapshot is looked at by all who ask in its moment.
    @cached_property
    def in_force(self) -> Limits:
        """The limits as the timetable has them by now."""
        return limits_in_force(self.limits, self.now_ms)

    @cached_property
    def moment(self) -> Moment:
        """What the schedule says."""
        return look(self.limits.windows, self.limits.prequeue_ms, self.now_ms)

    @cached_property
    def is_postponed(self) -> bool:
        """Whether everyone waits for an opening that was moved."""
        opens_ms = self.moment.opens_at_ms
        return self.state is RoomState.PREQUEUE and opens_ms is not None and opens_ms == self.limits.postponed_to_ms

    @cached_property
    def awaits_draw(self) -> bool:
        """Whether lots are still to be drawn: nobody has a place yet."""
        drawing = self.limits.queueing_method is QueueingMethod.DRAW
        return drawing and self.draw_size is None and self.serving == 0

    @cached_property
    def waiting(self) -> int:
        """Places not yet called whose holders have not left; `Presence` knows who of them are still there."""
        return max(0, self.tail - self.serving - self.left_ahead)

    @cached_property
    def state(self) -> RoomState:
        return room_state(self.limits, self.now_ms)

    @cached_property
    def absent_near(self) -> int:
        """`absent` as a number, bit i for place serving+1+i, as far as the line goes."""
        # No store ever marks a place beyond the line, but nothing it holds may make a number negative.
        line = min(self.tail - self.serving, LOOKAHEAD_PLACES)
        return int.from_bytes(self.absent, "little") & ((1 << max(line, 0)) - 1)

    @cached_property
    def absent_near_count(self) -> int:
        """How many those are."""
        return self.absent_near.bit_count()


@dataclass(frozen=True, slots=True)
class TickPlan:
    """What one tick does; computed by `policy.plan_tick`, carried out whole by `QueueStore.commit`.

    total_active_users: the ceiling from now on, for this tick and for claims, until the next plan.
    append: a wave that joins the line, unless it has.
    draw: draw lots among the numbers issued by then, if that has not been done.

    The store applies it to the room as it then is, in this order:
    append the wave: its base is `tail`, which grows by its size; draw the lots;
    set the clocks, `admitting`, `call_credit`, `pace_milli`; `credit = min(credit + credit_add, credit_cap)`, and
    `entry_credit` likewise;
    delete the passes whose expiry is <= pass_clock_ms, counting them as `expired`;
    drop the calls whose last place is <= watermark, counting what remains of them as `no_shows`;
    drop lane grants older than `grant_expiry_ms` on the call clock: a holder above `watermark` is awaited by the call
    again, any other counts as a `no_show` too;
    keep seats for the `grants` lowest places waiting in the lane, each for USER_CREDIT of `credit`, no more than that
    credit and the ceiling allow;
    call all places from serving+1 to `serve_to` (if higher), less those who left.
    """

    now_ms: int
    pass_clock_ms: int
    call_clock_ms: int
    admitting: bool
    credit_add: int
    credit_cap: int
    call_credit: int
    watermark: int
    grant_expiry_ms: int
    grants: int
    serve_to: int
    at_risk_add: tuple[int, ...]
    halve_curve: bool
    pace_milli: int
    total_active_users: int
    draw: bool
    append: Append | None = None


class Trial(NamedTuple):
    """Of a pass that the backend has yet to answer. until_ms: its end, on the pass clock. failed: the backend has."""

    until_ms: int
    failed: bool = False


class PassGrant(NamedTuple):
    """A pass as the store knows it.

    how: DIRECT, LINE or LATE_LANE: told alike however often the pass is asked for.
    expires_ms: on the pass clock. ends_ms: the latest it can be renewed to.
    lives_ms: how long it would live from now if it were not renewed.
    trial: None once the backend has answered one of its requests (`trial.py`).
    """

    pass_id: str
    place: int
    how: How
    expires_ms: int
    ends_ms: int
    lives_ms: int
    trial: Trial | None = None
