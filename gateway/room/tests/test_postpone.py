"""An opening is moved, before it and after it, and everything else of the schedule stays."""

from dataclasses import replace

import pytest

from gateway.room.model import Limits, room_state
from gateway.room.postpone import CannotPostpone, postponed
from gateway.room.schedule import Change, Window
from shared.wire import RoomState

EIGHT, TEN, MIDNIGHT = 20 * 3_600_000, 22 * 3_600_000, 24 * 3_600_000
LIMITS = Limits(opens_at_ms=EIGHT, closes_at_ms=MIDNIGHT, more_windows=(Window(2 * MIDNIGHT, 3 * MIDNIGHT),))


@pytest.mark.parametrize("now_ms", [0, EIGHT - 1, EIGHT, EIGHT + 48 * 60_000])
def test_the_window_that_is_open_or_comes_next_is_moved(now_ms):
    after = replace(LIMITS, **postponed(LIMITS, now_ms, TEN))
    assert after.windows == (Window(TEN, MIDNIGHT), Window(2 * MIDNIGHT, 3 * MIDNIGHT))
    assert (after.postponed_from_ms, after.postponed_to_ms) == (EIGHT, TEN)
    assert room_state(after, TEN - 1) is RoomState.PREQUEUE
    assert room_state(after, TEN) is RoomState.OPEN


def test_a_later_window_is_moved_when_it_is_its_turn():
    after = replace(LIMITS, **postponed(LIMITS, MIDNIGHT, 2 * MIDNIGHT + 5))
    assert after.windows == (Window(EIGHT, MIDNIGHT), Window(2 * MIDNIGHT + 5, 3 * MIDNIGHT))
    assert after.postponed_from_ms == 2 * MIDNIGHT


def test_people_may_line_up_for_a_moved_opening_however_short_the_pre_queue_is():
    limits = replace(LIMITS, prequeue_ms=30 * 60_000)
    assert room_state(limits, EIGHT - 40 * 60_000) is RoomState.EARLY
    after = replace(limits, **postponed(limits, EIGHT + 48 * 60_000, TEN))
    assert room_state(after, EIGHT + 49 * 60_000) is RoomState.PREQUEUE
    # The window after it has its own pre-queue.
    assert room_state(after, MIDNIGHT) is RoomState.EARLY


def test_moved_twice_it_was_announced_once():
    once = replace(LIMITS, **postponed(LIMITS, EIGHT + 5, TEN))
    twice = replace(once, **postponed(once, EIGHT + 9, TEN + 7))
    assert (twice.postponed_from_ms, twice.postponed_to_ms) == (EIGHT, TEN + 7)


def test_a_room_that_was_always_open_is_postponed_from_now():
    after = replace(Limits(), **postponed(Limits(), 500, 900))
    assert (after.opens_at_ms, after.postponed_from_ms) == (900, 500)


@pytest.mark.parametrize(
    ("limits", "now_ms", "to_ms", "word"),
    [
        (LIMITS, EIGHT, EIGHT, "passed"),
        (LIMITS, EIGHT, MIDNIGHT, "before it opens"),
        (LIMITS, 3 * MIDNIGHT, 4 * MIDNIGHT, "over"),
        (replace(LIMITS, timetable=(Change(5),)), EIGHT, TEN, "changes nothing"),
    ],
)
def test_what_the_schedule_has_no_room_for_is_refused(limits, now_ms, to_ms, word):
    with pytest.raises(CannotPostpone, match=word):
        postponed(limits, now_ms, to_ms)


def test_an_opening_is_not_moved_forward_as_people_would_come_too_late():
    for now_ms in (0, EIGHT - 10):
        with pytest.raises(CannotPostpone, match="before the opening that was announced"):
            postponed(LIMITS, now_ms, EIGHT - 1)
    assert postponed(LIMITS, 0, EIGHT)["opens_at_ms"] == EIGHT
