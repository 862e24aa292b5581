"""A later window's pre-queue while the room is open: numbers of its own, then a block of the room's line."""

import asyncio

import pytest

from gateway.edge.away import stand_without_store
from gateway.edge.line import Line
from gateway.edge.settle import Credentials, InLine, Inside, settle
from gateway.edge.tests.front import ROOM, START_MS, Faulty, Hands
from gateway.edge.waves import GONE_MS, LINGER_MS
from gateway.room.decide import place_of, place_of_ticket
from gateway.room.draw import Draw
from gateway.room.model import Append, Block, Mode, Prequeue
from gateway.room.ticket import Knock, Ticket
from gateway.settings import Room
from gateway.store.base import StoreUnavailable
from gateway.store.batching import BatchingStore
from gateway.store.sqlite import SqliteStore
from gateway.store.tests.plans import idle_plan

# The evening window, for which people line up from the start of the test.
OPENS_MS = START_MS + 600_000
NOTHING = Credentials(None, (), None, damaged=False)


class Calendar:
    """Windows that open some time."""

    def __init__(self, **opens_ms: int) -> None:
        self.opens_ms = opens_ms

    def __call__(self, now_ms: int) -> dict[str, int]:
        return {wave: at_ms for wave, at_ms in self.opens_ms.items() if at_ms > now_ms}


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
def calendar():
    return Calendar(fifties=OPENS_MS)


@pytest.fixture
async def store(tmp_path, clock):
    made = Faulty(SqliteStore(tmp_path / "queue.db", first_epoch=1, wall_ms=clock, mono_ms=clock, boot_id="this"))
    yield made
    made.failure = None
    await made.close()


@pytest.fixture
def start(store, clock, calendar):
    """Starts one more gateway's line."""

    async def start_one(pending=calendar, **room) -> Line:
        config = Room.model_validate({**ROOM, **room})
        made = Line(config, BatchingStore(store), secure=False, monotonic=clock.seconds, wall=clock, pending=pending)
        await made.start()
        clock.now_ms += 2_000
        await made.tick_now()
        return made

    return start_one


@pytest.fixture
async def line(start):
    """With one seat, which is taken, so that whoever comes waits."""
    made = await start()
    assert isinstance(await settle(made, NOTHING), Inside)
    return made


def knock(number: int) -> Knock:
    return Knock(number, START_MS)


async def line_up(line: Line, people: int, wave: str = "fifties") -> list[Ticket]:
    """In the wave if there is one."""
    return [await line.join(line.new_knock(), wave=wave) for _ in range(people)]


async def open_window(line: Line, clock: Hands) -> None:
    clock.now_ms = OPENS_MS
    await line.tick_now()


def bringing(*tickets: Ticket) -> Credentials:
    return Credentials(None, tickets, None, damaged=False)


async def standing(line: Line, *tickets: Ticket) -> Ticket:
    found = await settle(line, bringing(*tickets))
    assert isinstance(found, InLine)
    return found.ticket


async def test_who_lines_up_for_a_later_window_does_not_stand_in_the_line_that_moves(line):
    waiting = await line_up(line, 3)
    assert [(ticket.wave, ticket.number) for ticket in waiting] == [("fifties", 1), ("fifties", 2), ("fifties", 3)]
    await line.tick_now()
    assert line.snapshot.tail == 1, "who is inside"
    assert await standing(line, waiting[1]) == waiting[1]
    assert place_of_ticket(waiting[1], line.snapshot) is None


async def test_the_same_knock_has_the_same_number_in_the_wave(line):
    assert await line.join(knock(7), wave="fifties") == await line.join(knock(7), wave="fifties")


async def test_when_its_window_opens_a_wave_stands_behind_who_came_before_and_ahead_of_who_comes_later(line, clock):
    before = await line_up(line, 2, wave="")
    wave = await line_up(line, 3)
    before += await line_up(line, 2, wave="")
    await open_window(line, clock)
    later = await line_up(line, 2, wave="fifties")
    assert [ticket.wave for ticket in later] == ["", ""], "its window is open: into the line"
    places = [place_of_ticket(ticket, line.snapshot) for ticket in (*before, *wave, *later)]
    assert places == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert await standing(line, wave[1]) == Ticket(1, 7, wave[1].issued_ms)


async def test_nobody_gets_ahead_of_a_wave_between_its_opening_and_the_next_tick(line, clock):
    wave = await line_up(line, 3)
    clock.now_ms = OPENS_MS
    (first,) = await line_up(line, 1, wave="")
    assert place_of_ticket(wave[-1], line.snapshot) == first.number - 1


async def test_who_finds_a_seat_free_as_a_window_opens_does_not_pass_the_wave(start, clock):
    line = await start()
    wave = await line_up(line, 3)
    clock.now_ms = OPENS_MS
    found = await settle(line, NOTHING)
    assert isinstance(found, InLine)
    assert found.ticket.number == 4
    assert place_of_ticket(wave[0], line.snapshot) == 1


async def test_a_wave_of_a_process_that_never_met_it_is_let_in_before_anybody_joins_there(line, start, clock):
    other = await start()
    await line_up(line, 3)
    clock.now_ms = OPENS_MS
    (first,) = await line_up(other, 1, wave="")
    assert first.number == 5


async def test_two_gateways_that_let_a_wave_in_at_once_let_it_in_once(line, start, clock):
    other = await start()
    await line_up(line, 3)
    clock.now_ms = OPENS_MS
    await asyncio.gather(*(each.tick_now() for each in (line, other) for _ in range(5)))
    await asyncio.gather(line.tick_now(), other.tick_now())
    assert line.snapshot.blocks == other.snapshot.blocks == {"fifties": Block(1, 3)}
    assert line.snapshot.tail == 4


async def test_a_number_issued_in_the_moment_of_the_opening_is_given_another_once(line, clock, store):
    await line_up(line, 3)
    clock.now_ms = OPENS_MS - 1
    # Through a gateway whose clock is behind, after the length of the wave was read.
    snapshot = await store.load("vaccine")
    plan = idle_plan(snapshot, append=Append("fifties", 2))
    assert (await store.commit("vaccine", plan, snapshot.tick))[0]
    await line.tick_now()
    missed = Ticket(1, 3, START_MS, "cohort", "fifties")
    found = [await standing(line, missed) for _ in range(3)]
    assert set(found) == {Ticket(1, 4, START_MS, "cohort")}


async def test_of_several_tickets_the_one_that_is_first_in_line_counts(line, clock):
    wave = await line_up(line, 3)
    (plain,) = await line_up(line, 1, wave="")
    await line_up(line, 30, wave="")
    assert await standing(line, wave[0], plain) == plain
    await open_window(line, clock)
    assert await standing(line, wave[0], plain) == plain
    (late,) = await line_up(line, 1, wave="")
    assert (await standing(line, late, wave[0])).number == place_of_ticket(wave[0], line.snapshot)


async def test_an_empty_wave_joins_nothing_and_one_who_joined_it_in_the_last_moment_is_not_lost(line, start, clock):
    slow = await start(Calendar(fifties=OPENS_MS + 5_000))
    await open_window(line, clock)
    assert line.snapshot.blocks == {}
    (last,) = await line_up(slow, 1)
    assert last.wave == "fifties"
    await line.waves.look(line.snapshot)
    await line.tick_now()
    assert line.snapshot.blocks == {"fifties": Block(1, 1)}


async def test_a_wave_that_the_calendar_forgot_joins_the_line_and_a_slip_of_minutes_changes_nothing(start, clock):
    known, calendar = {"fifties": START_MS + 10 * GONE_MS}, Calendar()
    calendar.opens_ms = known
    line = await start(calendar)
    await line_up(line, 3)
    for _ in range(2):
        calendar.opens_ms = {}
        await line.tick_now()
        clock.now_ms += GONE_MS - 1
        await line.tick_now()
        assert line.snapshot.blocks == {}
        calendar.opens_ms = known
        await line.tick_now()
    calendar.opens_ms = {}
    await line.tick_now()
    clock.now_ms += GONE_MS
    await line.tick_now()
    assert line.snapshot.blocks == {"fifties": Block(0, 3)}


async def test_a_wave_that_the_calendar_forgot_joins_the_line_no_later_than_was_said(line, calendar, clock):
    await line_up(line, 3)
    clock.now_ms = OPENS_MS - 1
    calendar.opens_ms.clear()
    await line.tick_now()
    assert line.snapshot.blocks == {}
    await open_window(line, clock)
    assert line.snapshot.blocks == {"fifties": Block(1, 3)}


@pytest.mark.parametrize("opens_ms", [OPENS_MS, OPENS_MS + 60_000])
async def test_when_the_room_is_moved_to_a_waves_opening_or_past_it_nobody_who_comes_then_gets_ahead_of_it(
    line, clock, opens_ms
):
    wave = await line_up(line, 3)
    clock.now_ms += 60_000
    await line.postpone(opens_ms, reason="", expected_version=None)
    (late,) = await line_up(line, 1)
    assert (late.wave, late.number) == ("", 5), "the room's own line is that of the window now"
    clock.now_ms = opens_ms
    await line.tick_now()
    assert [place_of_ticket(ticket, line.snapshot) for ticket in (*wave, late)] == [2, 3, 4, 5]


async def test_when_the_room_is_moved_to_before_a_waves_opening_the_wave_goes_on_apart(line, clock):
    wave = await line_up(line, 3)
    clock.now_ms += 60_000
    await line.postpone(OPENS_MS - 1, reason="", expected_version=None)
    (late,) = await line_up(line, 1)
    assert (late.wave, late.number) == ("fifties", 4)
    await open_window(line, clock)
    assert place_of_ticket(wave[0], line.snapshot) == 2


async def test_a_wave_nobody_was_in_when_it_joined_the_rooms_line_is_not_forgotten_when_the_room_opens_sooner(
    start, clock
):
    line = await start(opens_at="2021-07-19T20:20:00+09:00")
    await line_up(line, 1)
    assert line.waves.due(line.snapshot) == []
    await line.change({"opens_at_ms": START_MS + 5_000}, expected_version=None)
    clock.now_ms = START_MS + 10_000
    await line.tick_now()
    (ticket,) = await line_up(line, 1)
    assert ticket.wave == "fifties"
    await open_window(line, clock)
    (late,) = await line_up(line, 1)
    assert place_of_ticket(ticket, line.snapshot) == late.number - 1


async def test_a_window_that_is_moved_keeps_its_wave_waiting(line, calendar, clock):
    await line_up(line, 3)
    calendar.opens_ms["fifties"] += 60_000
    await open_window(line, clock)
    assert line.snapshot.blocks == {}
    clock.now_ms += 60_000
    await line.tick_now()
    assert line.snapshot.blocks == {"fifties": Block(1, 3)}


async def test_a_window_that_opened_while_no_gateway_ran_lets_its_wave_in_when_one_does(line, start, clock):
    await line_up(line, 3)
    clock.now_ms = OPENS_MS + 3_600_000
    restarted = await start()
    assert restarted.snapshot.blocks == {"fifties": Block(1, 3)}


async def test_a_wave_nobody_knows_any_more_is_made_known_by_its_first_ticket(line, start, clock):
    wave = await line_up(line, 3)
    restarted = await start(Calendar())
    assert restarted.snapshot.blocks == {}
    assert await standing(restarted, wave[2]) == wave[2]
    await restarted.tick_now()
    clock.now_ms += GONE_MS
    await restarted.tick_now()
    assert (await standing(restarted, wave[2])).number == 4


async def test_a_wave_number_that_the_store_forgot_is_issued_to_nobody_else(line):
    await standing(line, Ticket(1, 50, START_MS, wave="fifties"))
    (following,) = await line_up(line, 1)
    assert following.number == 51


async def test_after_a_reset_no_wave_number_counts_and_they_begin_anew(line, clock):
    (old,) = await line_up(line, 1)
    await line.reset(expected_version=None)
    (new,) = await line_up(line, 1)
    assert (old.epoch, new.epoch, new.number) == (1, 2, 1)
    await open_window(line, clock)
    assert line.snapshot.blocks == {"fifties": Block(0, 1)}
    assert await line.take_in([old]) == [old]


async def test_waves_join_in_the_order_of_their_openings(start, clock):
    line = await start(Calendar(b=OPENS_MS - 2, a=OPENS_MS - 1, c=OPENS_MS + 1))
    for wave in "abc":
        await line_up(line, 2, wave)
    clock.now_ms = OPENS_MS
    (late,) = await line_up(line, 1, wave="")
    assert line.snapshot.blocks == {"b": Block(0, 2), "a": Block(2, 2)}
    assert late.number == 5
    await line.waves.look(line.snapshot)
    assert line.waves.prequeues(line.snapshot) == {"c": Prequeue(2, OPENS_MS + 1)}


async def test_while_a_wave_cannot_be_let_in_nobody_joins_ahead_of_it(line, clock, store, monkeypatch):
    await line_up(line, 3)
    clock.now_ms = OPENS_MS
    load = store.load

    async def load_room_only(room):
        if "~" in room:
            raise StoreUnavailable("away")
        return await load(room)

    monkeypatch.setattr(store, "load", load_room_only, raising=False)
    with pytest.raises(StoreUnavailable):
        await line.join(knock(1))
    assert line.snapshot.tail == 1
    monkeypatch.undo()
    assert (await line.join(knock(1))).number == 5


async def test_a_wave_is_not_looked_at_for_ever(line, clock, store):
    await open_window(line, clock)
    clock.now_ms += LINGER_MS + 1
    await line.tick_now()
    store.failure = AssertionError("asked")
    await line.waves.look(line.snapshot)


async def test_who_leaves_before_their_wave_joins_has_no_place_to_give_up(line):
    (ticket,) = await line_up(line, 1)
    assert not await line.leave(ticket)


async def test_who_leaves_after_their_wave_joined_gives_up_its_place(line, clock):
    (ticket,) = await line_up(line, 1)
    await open_window(line, clock)
    assert await line.leave(ticket)


async def test_while_the_store_is_away_a_wave_ticket_waits_and_one_of_a_wave_that_joined_keeps_its_number(line, clock):
    wave = await line_up(line, 2)
    before = stand_without_store(line, bringing(wave[1]))
    await open_window(line, clock)
    after = stand_without_store(line, bringing(wave[1]))
    assert isinstance(before, InLine)
    assert isinstance(after, InLine)
    assert (before.ticket, after.ticket.number) == (wave[1], 3)


# Lots


async def test_where_lots_are_drawn_each_wave_draws_its_own(start, clock):
    line = await start(queueing_method="draw")
    early = await line_up(line, 5, wave="")
    wave = await line_up(line, 40)
    await open_window(line, clock)
    block = line.snapshot.blocks["fifties"]
    assert (block.base, block.size, len(block.secret)) == (5, 40, 64)
    draw = Draw(bytes.fromhex(block.secret), 40, "vaccine~fifties", 1)
    places = [place_of_ticket(ticket, line.snapshot) for ticket in wave]
    assert places == [5 + draw.place(ticket.number) for ticket in wave]
    assert set(places) == set(range(6, 46))
    assert [place_of(ticket.number, line.snapshot) for ticket in early] == [1, 2, 3, 4, 5]
    assert place_of(46, line.snapshot) == 46


async def test_a_wave_that_joins_before_the_room_has_drawn_takes_part_in_its_lots(start, clock):
    line = await start(queueing_method="draw", opens_at="2021-07-19T20:20:00+09:00")
    await line.change({"mode": Mode.PAUSED}, expected_version=None)
    clock.now_ms = OPENS_MS - 1
    await line.tick_now()
    await line.waves.join("fifties", line.snapshot, None, OPENS_MS)
    clock.now_ms = OPENS_MS
    await line.tick_now()
    (late,) = await line_up(line, 1, wave="")
    assert (line.snapshot.blocks, late.number) == ({"fifties": Block(0, 1)}, 2)
    assert line.snapshot.awaits_draw
    await line.change({"mode": Mode.OPEN}, expected_version=None)
    clock.now_ms += 600_000
    await line.tick_now()
    assert line.snapshot.draw_size == 2
    assert {place_of(number, line.snapshot) for number in (1, 2)} == {1, 2}
