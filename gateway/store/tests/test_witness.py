from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.room.model import Block, Curve, Limits, PassGrant, Snapshot
from gateway.store import witness as module
from gateway.store.base import PassRef
from gateway.store.witness import LEAST_MARGIN, LOOKS, MARGIN_LOOKS, PART, PART_BYTES, Ended, Left, Used, Witness
from shared.wire import How

FAR = 10**15
ROOM = Snapshot(
    room="hall", epoch=1, limits=Limits(), tick=0, now_ms=0, last_tick_ms=0, pass_clock_ms=0, call_clock_ms=0, tail=0,
    serving=0, watermark=0, left_ahead=0, absent=b"", credit=0, call_credit=0, entry_credit=0, admitting=True, live=0,
    lane_waiting=0, lane_granted=0, pace_milli=0, curve=Curve(), calls=(), counters={}, draw_secret="",
    draw_size=None,
)  # fmt: skip


def grant(place, pass_id="", expires_ms=FAR):
    return PassGrant(pass_id or f"p{place}", place, How.LINE, expires_ms, FAR, expires_ms)


@pytest.fixture
def witness():
    """Has looked at the room once."""
    witness = Witness()
    witness.look(ROOM)
    return witness


def events(witness, tick):
    return [event for part in witness.testimony(tick) for event in part.events]


def marked(witness, tick=-1):
    """The places in the bitmap that is told, by SETBIT's count of bits."""
    found = set()
    for part in witness.testimony(tick):
        for byte, bits in enumerate(part.marks):
            found |= {(part.offset + byte) * 8 + bit for bit in range(8) if bits & 0x80 >> bit}
    return found


def test_who_has_seen_nothing_has_nothing_to_tell_and_says_so_once():
    witness = Witness()
    assert (witness.epoch, witness.counters()) == (0, {"epoch": 0})
    (part,) = witness.testimony(-1)
    assert (list(part.events), part.marks) == ([], b"")


def test_the_end_of_the_numbers_is_the_highest_that_was_seen_or_told(witness):
    witness.joined(1, [4, 9, 5])
    assert witness.counters()["tail"] == 9
    witness.look(replace(ROOM, tick=1, tail=20))
    witness.joined(1, [])
    witness.joined(1, [7])
    witness.look(replace(ROOM, tick=2, tail=12))
    assert witness.counters()["tail"] == 20


def test_the_newest_snapshot_counts_in_whatever_order_they_come(witness):
    witness.look(replace(ROOM, tick=5, serving=50))
    witness.look(replace(ROOM, tick=4, serving=40, tail=70))
    assert (witness.counters()["tick"], witness.counters()["serving"], witness.tail) == (5, 50, 70)


def test_what_was_seen_since_a_tick_is_told_event_by_event(witness):
    witness.admitted(1, 3, grant(1))
    witness.left(1, 4, 2)
    witness.admitted(1, 5, grant(3))
    witness.ended(1, 5, 3, "p3", "completed")
    told = [Used(3, grant(1)), Left(4, 2), Used(5, grant(3)), Ended(5, 3, "p3", "completed")]
    assert events(witness, 0) == told
    assert events(witness, 4) == told[1:]
    assert events(witness, 6) == []
    assert marked(witness, 0) == set()


def test_what_happened_before_the_first_look_is_not_claimed_to_be_known():
    witness = Witness()
    witness.look(replace(ROOM, tick=7))
    assert witness.must_tell_all(6)
    assert not witness.must_tell_all(7)


def test_a_server_that_lost_more_than_is_remembered_is_told_all_that_lives_and_was_used(monkeypatch, witness):
    monkeypatch.setattr(module, "EVENTS", 3)
    for place in range(1, 6):
        witness.admitted(1, place, grant(place))
    witness.ended(1, 6, 5, "p5", "completed")
    # The events of ticks 1 to 3 were forgotten.
    assert witness.must_tell_all(3)
    assert not witness.must_tell_all(4)
    assert events(witness, 4) == [Used(4, grant(4)), Used(5, grant(5)), Ended(6, 5, "p5", "completed")]
    assert marked(witness, 3) == {1, 2, 3, 4, 5}
    told = events(witness, 3)
    assert [event.grant.place for event in told if isinstance(event, Used)] == [1, 2, 3, 4]
    assert [event for event in told if not isinstance(event, Used)] == [Ended(6, 5, "p5", "completed")]


def test_a_testimony_comes_in_parts_that_take_a_server_no_longer_than_it_may(witness):
    for place in range(2 * PART + 1):
        witness.left(1, 1, place)
    assert [len(part.events) for part in witness.testimony(1)] == [PART, PART, 1]
    witness.left(1, 1, 8 * PART_BYTES + 3)
    parts = [part for part in witness.testimony(-1) if part.marks]
    assert [part.offset for part in parts] == [0, PART_BYTES]
    assert all(len(part.marks) <= PART_BYTES for part in parts)
    assert 8 * PART_BYTES + 3 in marked(witness)


def test_a_new_epoch_forgets_the_old_and_nothing_of_an_old_one_is_taken_for_the_new(witness):
    witness.joined(1, [500])
    witness.admitted(1, 1, grant(1))
    witness.look(replace(ROOM, epoch=2, tick=9, tail=3))
    witness.look(replace(ROOM, epoch=1, tick=10, tail=900))
    witness.joined(1, [600])
    witness.admitted(1, 10, grant(2))
    witness.ended(1, 10, 1, "p1", "completed")
    witness.left(1, 10, 4)
    assert (witness.epoch, witness.tail, marked(witness), events(witness, 0)) == (2, 3, set(), [])
    assert witness.inside.recall(PassRef(2, 2, "p2")) is None


def test_the_margin_is_what_the_line_grew_at_most_between_two_looks_some_times_over(witness):
    assert witness.margin == LEAST_MARGIN
    for tick, tail in enumerate([100, 1_100, 1_150], start=1):
        witness.look(replace(ROOM, tick=tick, tail=tail))
    assert witness.margin == 1_000 * MARGIN_LOOKS
    # What this process issued itself it knows.
    witness.joined(1, [90_000])
    witness.look(replace(ROOM, tick=4, tail=90_000))
    assert witness.margin == 1_000 * MARGIN_LOOKS
    for tick in range(5, 5 + LOOKS):
        witness.look(replace(ROOM, tick=tick, tail=90_000))
    assert witness.margin == LEAST_MARGIN


def test_numbers_that_a_mended_server_skipped_are_no_growth(witness):
    witness.told()
    witness.look(replace(ROOM, tick=1, tail=50_000))
    assert witness.margin == LEAST_MARGIN


places = st.integers(1, 40)
acts = st.tuples(st.sampled_from(["admitted", "left", "ended", "gone", "lives", "look"]), places)


@given(st.lists(acts, max_size=80), st.integers(1, 10))
def test_whatever_was_seen_every_place_used_is_told_and_no_pass_known_to_have_ended(walk, remembered):
    witness = Witness()
    witness.look(ROOM)
    used, live, noted = set(), {}, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "EVENTS", remembered)
        for tick, (act, place) in enumerate(walk):
            if {"lives": place not in used, "gone": place in live, "look": False}.get(act, True):
                noted.append((tick, place))
            match act:
                case "admitted" | "lives":
                    live[place] = grant(place)
                    used.add(place)
                    witness.admitted(1, tick, live[place]) if act == "admitted" else witness.lives(1, tick, live[place])
                case "left":
                    used.add(place)
                    witness.left(1, tick, place)
                case "ended":
                    used.add(place)
                    live.pop(place, None)
                    witness.ended(1, tick, place, f"p{place}", "completed")
                case "gone":
                    live.pop(place, None)
                    witness.gone(1, tick, place, f"p{place}")
                case "look":
                    witness.look(replace(ROOM, tick=tick, tail=tick))
    assert marked(witness) == used
    told = events(witness, -1)
    assert {event.grant.place: event.grant for event in told if isinstance(event, Used)} == live
    # Event by event: nothing of the ticks that are still whole is missing.
    since = witness._whole_since
    expected = [place for tick, place in noted if tick >= since]
    found = events(witness, since)
    assert [event.grant.place if isinstance(event, Used) else event.place for event in found] == expected


def test_a_wave_that_joins_is_no_growth_of_which_others_may_have_issued_more(witness):
    witness.look(replace(ROOM, tick=1, tail=1_000_010, blocks={"fifties": Block(0, 1_000_000)}))
    assert witness.margin == max(LEAST_MARGIN, 10 * MARGIN_LOOKS)
