"""What a waiting person is told: how many are ahead, and when to ask again. Pure integers, milliseconds."""

from typing import Final

from gateway.room.model import LOOKAHEAD_PLACES, Mode, Snapshot
from gateway.room.schedule import last_closing
from shared.wire import RoomState

# So that what an operator changes is seen within two seconds by those in front: with the jitter and a tick, 1.95 s.
SHORTEST_POLL_MS: Final = 1_500
LONGEST_POLL_MS: Final = 120_000
# At the door: a kept seat stands empty until its holder asks, and is given to others after `policy.LONGEST_GRANT_MS`.
LONGEST_DOOR_POLL_MS: Final = 20_000
# Ask again after this share of the estimated wait: the longer the line, the fewer the polls.
POLL_SHARE: Final = 8
JITTER_PERCENT: Final = 15

# After an opening, and while lots are drawn: a tick needs a moment, then everyone asks once within this spread, by lot,
# which is at most this part of the pause between polls: so all ask about OPENING_PART times as fast as before.
OPENING_MOMENT_MS: Final = 1_000
OPENING_SPREAD_MS: Final = 25_000
OPENING_PART: Final = 4

_BEFORE_OPENING: Final = {RoomState.EARLY, RoomState.PREQUEUE}
_NOBODY_ENTERS: Final = {RoomState.EARLY, RoomState.PREQUEUE, RoomState.CLOSED, RoomState.SOLD_OUT}


def people_ahead(room: Snapshot, place: int) -> int:
    """People with a place before this one, not yet called, who have not left.

    Exact within `LOOKAHEAD_PLACES` of the last call. Of those who left further back only the number is known: they are
    taken to be spread evenly.
    """
    places = max(0, min(place - 1, room.tail) - room.serving)
    if not places or not room.left_ahead:
        return places
    if places <= LOOKAHEAD_PLACES:
        return places - (room.absent_near & ((1 << places) - 1)).bit_count()
    further, near = room.tail - room.serving - LOOKAHEAD_PLACES, room.absent_near_count
    beyond = min(max(room.left_ahead - near, 0), further)
    return places - near - beyond * (places - LOOKAHEAD_PLACES) // further


def poll_after(snapshot: Snapshot, eta_ms: tuple[int, int] | None, *, jitter: int) -> int:
    """When to ask again.

    jitter: any non-negative integer; spreads the answer over +-15 %, so that those who came together part ways.
    Never so late that a claim window could open and close in between.
    """
    longest = _longest_poll(snapshot)
    # By the low end: whoever may be called soon has to be there.
    wanted = longest if eta_ms is None else eta_ms[0] // POLL_SHARE
    return _spread(longest if wanted >= longest else max(wanted, SHORTEST_POLL_MS), jitter)


def poll_at_door(snapshot: Snapshot, *, jitter: int) -> int:
    """When to ask again for a seat, once called and come.

    In a short lane at once. In a long one, as after a pause of a whole group's, only a few find a seat this moment, or
    may come in on the one that is kept for them, and nobody there is told which: the outflow says how long the lane
    lasts at least.
    """
    outflow = max(1, snapshot.in_force.new_users_per_minute)
    people = snapshot.lane_waiting + snapshot.lane_granted
    wanted = people * 60_000 // outflow // POLL_SHARE
    wanted = min(max(wanted, SHORTEST_POLL_MS), LONGEST_DOOR_POLL_MS, _longest_poll(snapshot))
    return _spread(wanted, jitter)


def poll_at_opening(
    snapshot: Snapshot, eta_ms: tuple[int, int] | None, *, jitter: int, window_ms: int | None = None
) -> int | None:
    """When to ask again if an opening comes before that; None where none is awaited.

    window_ms: when the visitor's own window opens, where that is what they wait for; else it is the room's opening.
    Until then seldom, as nobody is admitted; nobody just before it. After it everyone asks once: those in front when
    they are likely to be called, the others, and all who wait for their lot, at a moment drawn by lot (`jitter`).
    """
    opens_ms = snapshot.moment.opens_at_ms
    if window_ms is not None:
        left = max(0, window_ms - snapshot.now_ms)
    elif opens_ms is not None and snapshot.state in _BEFORE_OPENING:
        left = max(0, opens_ms - snapshot.now_ms)
    elif snapshot.awaits_draw and snapshot.state is RoomState.OPEN:
        left = 0
    else:
        return None
    longest = _longest_poll(snapshot)
    seldom = _spread(longest, jitter)
    if seldom <= left:
        return seldom
    lot = jitter % (min(OPENING_SPREAD_MS, longest // OPENING_PART) + 1)
    called_in = lot if eta_ms is None else max(0, eta_ms[0] - left)
    return left + OPENING_MOMENT_MS + min(lot, called_in)


def finishing(room: Snapshot) -> int | None:
    """After a closing, how long at most those inside may still take; None where nobody is, or nothing has closed.

    When an operator closed a room is not kept: then it is a whole session.
    """
    session_ms = room.limits.session_length_ms
    if not room.live or room.state not in _NOBODY_ENTERS:
        return None
    if room.limits.mode is not Mode.OPEN:
        return session_ms
    closed_ms = last_closing(room.limits.windows, room.now_ms)
    left_ms = 0 if closed_ms is None else closed_ms + session_ms - room.now_ms
    return left_ms if left_ms > 0 else None


def _longest_poll(snapshot: Snapshot) -> int:
    """Never so long that a claim window could open and close in between."""
    return max(SHORTEST_POLL_MS, min(LONGEST_POLL_MS, snapshot.limits.claim_window_ms // 3))


def _spread(wanted_ms: int, jitter: int) -> int:
    swing = wanted_ms * JITTER_PERCENT // 100
    return wanted_ms - swing + jitter % (2 * swing + 1)
