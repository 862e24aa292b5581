"""The sketch of who is there: exact for short lines, near for long ones, the same in whatever order it is told."""

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.room import presence
from gateway.room.estimate import (
    JITTER_PERCENT,
    LONGEST_POLL_MS,
    OPENING_MOMENT_MS,
    OPENING_SPREAD_MS,
    people_ahead,
    poll_after,
)
from gateway.room.model import Limits, QueueingMethod, Snapshot
from gateway.room.presence import (
    GAP_MS,
    INTERVAL_MS,
    MOST_SAMPLED,
    Presence,
    Sightings,
    merged,
    step_for,
)
from gateway.room.tests.test_policy import room

SECRET = "ab" * 32


class Crowd:
    """Processes that share what they see of one line, and numbers whose holders ask once a minute."""

    def __init__(self, at: Snapshot, processes: int = 1) -> None:
        self.room = at
        self.processes = [Presence(at) for _ in range(processes)]
        self.kept: Sightings | None = None

    def change(self, **changes: object) -> None:
        self.room = replace(self.room, **changes)  # type: ignore[arg-type]
        self.processes = [each.of(self.room) for each in self.processes]

    def tell(self) -> None:
        for each in self.processes:
            self.kept = merged(self.kept, each.tell(self.room))
            each.hear(self.room, self.kept)

    def ask(self, numbers: Iterable[int]) -> None:
        for at, number in enumerate(numbers):
            self.processes[at % len(self.processes)].mark(self.room, number)
        self.tell()

    def pass_time(self, ms: int, there: Iterable[int] = (), *, every_ms: int = 20_000) -> None:
        """`there` ask once in the middle of each step."""
        people = list(there)
        for _ in range(ms // every_ms):
            self.room = replace(self.room, now_ms=self.room.now_ms + every_ms)
            self.ask(people)

    def settle(self, there: Iterable[int]) -> None:
        self.pass_time(2 * INTERVAL_MS, there, every_ms=30_000)

    @property
    def people(self) -> list[int | None]:
        return [each.people_there(self.room) for each in self.processes]


def test_who_polls_as_told_is_seen_in_every_two_intervals():
    slowest = LONGEST_POLL_MS * (100 + JITTER_PERCENT) // 100
    at = room(limits=Limits(claim_window_ms=10**9))
    assert max(poll_after(at, None, jitter=jitter) for jitter in range(0, 40_000, 500)) == slowest
    assert slowest + OPENING_MOMENT_MS + OPENING_SPREAD_MS < INTERVAL_MS


@given(st.integers(0, 10**8))
def test_no_more_are_sampled_than_the_sketch_has_bits_for_and_no_fewer_than_half(places):
    step = step_for(places)
    assert step.bit_count() == 1
    assert places <= MOST_SAMPLED * step
    assert step == 1 or places > MOST_SAMPLED * step // 2


@given(st.integers(0, 40), st.sets(st.integers(1, 60)), st.integers(1, 4))
def test_in_a_short_line_everyone_is_counted_exactly_by_every_process(serving, there, processes):
    crowd = Crowd(room(tail=60, serving=serving), processes)
    crowd.settle(there)
    still = {number for number in there if number > serving}
    assert crowd.people == [len(still)] * processes
    for place in range(serving + 1, 62):
        ahead = len({number for number in still if number < place})
        assert [each.there_ahead(crowd.room, place) for each in crowd.processes] == [ahead] * processes


def test_of_100_000_with_30_per_cent_there_the_estimate_is_within_a_tenth():
    """At every place that is far enough back to be told in thousands."""
    lot = random.Random(1)
    there = [number for number in range(1, 100_001) if lot.random() < 0.3]
    crowd = Crowd(room(tail=100_000), processes=2)
    crowd.settle(there)
    for told in crowd.people:
        assert told == pytest.approx(len(there), rel=0.1)
    for place in range(30_000, 100_001, 10_000):
        ahead = sum(number < place for number in there)
        for each in crowd.processes:
            assert each.there_ahead(crowd.room, place) == pytest.approx(ahead, rel=0.1)


def test_just_behind_the_front_of_a_long_line_ahead_are_as_many_as_of_those_nearby():
    lot = random.Random(1)
    crowd = Crowd(room(tail=1_000_000))
    # What lies between the sampled numbers makes no difference.
    sampled = range(0, 1_000_001, step_for(1_000_000))
    crowd.settle(number for number in sampled if lot.random() < 0.5)
    presence = crowd.processes[0]
    assert presence.there_ahead(crowd.room, 1) == 0
    assert 40 <= (presence.there_ahead(crowd.room, 101) or 0) <= 60
    assert presence.there_ahead(crowd.room, 2) == 1


@pytest.mark.parametrize("elapsed_ms", [0, INTERVAL_MS // 2])
def test_at_first_nobody_can_say(elapsed_ms):
    crowd = Crowd(room(tail=10))
    crowd.pass_time(elapsed_ms, range(1, 11))
    assert crowd.people == [None]


def test_a_process_that_starts_later_knows_what_the_others_know():
    crowd = Crowd(room(tail=100), processes=1)
    crowd.settle(range(1, 31))
    crowd.processes.append(Presence(crowd.room))
    crowd.tell()
    assert crowd.people == [30, 30]


def test_a_gap_in_which_nobody_was_watching_is_not_taken_for_absence():
    crowd = Crowd(room(tail=100))
    crowd.settle(range(1, 31))
    crowd.pass_time(GAP_MS + 1, every_ms=GAP_MS + 1)
    crowd.pass_time(30_000, range(1, 31))
    assert crowd.people == [None]
    crowd.settle(range(1, 31))
    assert crowd.people == [30]


def test_who_stops_asking_is_gone_after_two_intervals_and_there_again_when_back():
    crowd = Crowd(room(tail=100))
    crowd.settle(range(1, 31))
    crowd.settle(range(1, 11))
    assert crowd.people == [10]
    crowd.ask([77])
    assert crowd.people == [11]


def test_who_came_a_moment_ago_is_there_even_if_only_another_process_saw_them():
    crowd = Crowd(room(tail=100))
    crowd.settle(range(1, 31))
    crowd.change(tail=104)
    assert crowd.people == [34]
    assert crowd.processes[0].there_ahead(crowd.room, 104) == 33


def test_who_came_in_this_interval_or_the_one_before_is_there_without_having_asked():
    """A number is seen when it is issued: by a process that has said so to nobody, or to a whole wave at once."""
    crowd = Crowd(room(tail=100))
    crowd.settle(range(1, 31))
    crowd.change(tail=4_000, left_ahead=1, absent=bytes(16) + bytes([1]))
    crowd.pass_time(INTERVAL_MS, range(1, 31), every_ms=30_000)
    assert crowd.people[0] == 30 + 3_900 - 1
    crowd.settle(range(1, 31))
    assert crowd.people == [30]


def test_of_the_few_left_of_a_long_line_nobody_is_taken_to_be_gone_before_that_is_known():
    crowd = Crowd(room(tail=100_000))
    crowd.settle([64])
    crowd.change(serving=99_900)
    assert crowd.people == [100]
    crowd.settle([99_950])
    assert crowd.people == [1]


def test_who_has_left_is_not_there():
    crowd = Crowd(room(tail=10))
    crowd.settle(range(1, 11))
    crowd.change(left_ahead=2, absent=bytes([0b101]))
    crowd.tell()
    assert crowd.people == [8]
    assert crowd.processes[0].there_ahead(crowd.room, 4) == 1


@given(st.integers(1, 20_000), st.integers(0, 20_000), st.data())
@settings(max_examples=60, deadline=None)
def test_never_more_are_there_than_wait(tail, serving, data):
    serving = min(serving, tail)
    crowd = Crowd(room(tail=tail, serving=serving))
    crowd.settle(data.draw(st.lists(st.integers(1, tail), max_size=30)))
    place = data.draw(st.integers(1, tail + 1))
    assert 0 <= (crowd.people[0] or 0) <= crowd.room.waiting
    assert 0 <= (crowd.processes[0].there_ahead(crowd.room, place) or 0) <= people_ahead(crowd.room, place)


def test_holding_many_tickets_counts_only_for_those_that_ask():
    crowd = Crowd(room(tail=5_000))
    crowd.settle(range(1, 4_501, 45))
    assert crowd.people[0] == pytest.approx(100, rel=0.3)


def test_growing_from_a_short_to_a_long_line_keeps_what_was_seen():
    crowd = Crowd(room(tail=4_000))
    crowd.settle(range(1, 4_001))
    crowd.change(tail=16_000)
    crowd.pass_time(60_000, range(1, 16_001))
    assert crowd.people[0] == pytest.approx(16_000, rel=0.02)


def test_while_lots_are_to_be_drawn_numbers_are_counted_and_right_after_it_the_share_holds():
    limits = Limits(queueing_method=QueueingMethod.DRAW)
    crowd = Crowd(room(limits=limits, tail=3_000, draw_secret=SECRET))
    crowd.settle(range(1, 901))
    assert crowd.people == [900]
    crowd.change(draw_size=3_000, serving=500)
    assert crowd.people[0] == pytest.approx(750, rel=0.01)
    assert crowd.processes[0].there_ahead(crowd.room, 1_501) == pytest.approx(300, rel=0.01)
    crowd.settle(range(1, 901))
    drawn = crowd.processes[0].people_there(crowd.room)
    assert drawn == pytest.approx(750, rel=0.1)


def test_a_new_epoch_begins_with_nobody():
    crowd = Crowd(room(tail=100))
    crowd.settle(range(1, 31))
    crowd.change(epoch=crowd.room.epoch + 1, tail=5)
    crowd.pass_time(20_000, range(1, 6))
    assert crowd.people == [None]
    crowd.settle(range(1, 4))
    assert crowd.people == [3]


cells = st.dictionaries(
    st.tuples(st.integers(9, 11), st.sampled_from([1, 2]), st.integers(0, 1)),
    st.binary(min_size=512, max_size=512),
    max_size=3,
)
sightings = st.builds(
    Sightings,
    epoch=st.integers(1, 2),
    drawn=st.booleans(),
    at_ms=st.integers(10 * INTERVAL_MS, 10 * INTERVAL_MS + GAP_MS),
    since_ms=st.integers(0, 10),
    bits=cells,
    tails=st.dictionaries(st.integers(9, 11), st.integers(1, 99)),
)


@given(st.lists(sightings, min_size=1, max_size=4), st.randoms())
def test_telling_in_any_order_and_again_comes_to_the_same(told, shuffle):
    def all_of(order: Iterable[Sightings]) -> Sightings | None:
        kept: Sightings | None = None
        for each in order:
            kept = merged(kept, each)
        return kept

    again = [*told, *told]
    shuffle.shuffle(again)
    assert all_of(again) == all_of(told)


@given(sightings, sightings)
def test_what_was_seen_stays_seen(one, other):
    both = merged(one, other)
    for each in (one, other):
        if each.line == both.line:
            for cell, found in each.bits.items():
                if cell[0] in {both.at_ms // INTERVAL_MS, both.at_ms // INTERVAL_MS - 1}:
                    assert all(seen | more == more for seen, more in zip(found, both.bits[cell], strict=True))


def test_of_a_line_that_moves_fast_only_bitmaps_that_changed_and_still_matter_are_read_again(monkeypatch):
    """Thirty thousand people a minute through a short line: what was called is not looked at again."""
    read = []

    def reading(cell, marked):
        read.append(cell)
        return places(cell, marked)

    places = presence._places
    monkeypatch.setattr(presence, "_places", reading)
    crowd = Crowd(room(tail=4_000), processes=1)
    for called in range(0, 150_000, 2_500):
        crowd.change(tail=called + 4_000, serving=called, now_ms=crowd.room.now_ms + 5_000)
        crowd.ask(range(called + 1, called + 4_001, 40))
        # The bitmaps in which they are: two or three.
        assert len(read) <= 3
        assert all((chunk + 1) * MOST_SAMPLED * step > called for _, step, chunk in read)
        read.clear()
        crowd.tell()
        assert read == []
        there = range(called + 1, called + 4_001, 40)
        assert crowd.processes[0]._seen(called, called + 4_000) >= len(there)


@given(st.lists(st.tuples(st.integers(1, 9_000), st.integers(0, 3)), min_size=1, max_size=40), st.integers(0, 9_000))
@settings(max_examples=60, deadline=None)
def test_what_is_read_bit_by_bit_as_it_changes_is_what_is_marked(marks, serving):
    crowd = Crowd(room(tail=9_000))
    seen = set()
    for number, jump in marks:
        # All within one of the intervals of which the last two count: nobody is forgotten meanwhile.
        crowd.change(now_ms=crowd.room.now_ms + jump * 1_400)
        crowd.ask([number])
        seen.add(number)
    crowd.change(serving=serving)
    crowd.tell()
    one = crowd.processes[0]
    step = step_for(9_000)
    assert one._view == sorted(number for number in seen if number > serving and not number % step)
