"""From what was brought to where one stands: reading tokens, and the turns of asking the store."""

import asyncio

import pytest

from gateway.edge.line import Line
from gateway.edge.settle import (
    Credentials,
    InLine,
    Inside,
    Knocking,
    Refused,
    Through,
    read_credentials,
    settle,
)
from gateway.edge.tests.front import ROOM, START_MS, Hands
from gateway.room.decide import Refusal
from gateway.room.model import Mode
from gateway.room.ticket import KeyRing, Knock, Pass, Ticket, sign
from gateway.settings import Room
from gateway.store.batching import BatchingStore
from gateway.store.sqlite import SqliteStore
from shared.wire import How

RING = KeyRing("k2", {"k1": b"1" * 32, "k2": b"2" * 32})
NOTHING = Credentials(None, (), None, damaged=False)


def read(tickets=(), passes=(), room="vaccine", epoch=1) -> Credentials:
    return read_credentials(list(tickets), list(passes), room, RING, epoch=epoch)


def text(token, room="vaccine", ring=RING) -> str:
    return sign(token, room, ring)


@pytest.fixture
async def line(tmp_path):
    """A line with one seat and full credit, and its clock as `line.hands`."""
    clock = Hands()
    store = BatchingStore(
        SqliteStore(tmp_path / "queue.db", first_epoch=1, wall_ms=clock, mono_ms=clock, boot_id="this")
    )
    made = Line(Room.model_validate(ROOM), store, secure=False, monotonic=clock.seconds)
    await made.start()
    clock.now_ms += 2_000
    await made.tick_now()
    yield made
    await store.close()


async def join(line, count=1) -> list[Ticket]:
    return [await line.join(None) for _ in range(count)]


def test_the_ticket_of_this_epoch_with_the_lowest_number_counts():
    mine = [text(Ticket(epoch, number, 0)) for epoch, number in ((1, 5), (2, 9), (2, 7), (3, 1))]
    assert read(mine, epoch=2).ticket == Ticket(2, 7, 0)
    assert read(mine[:1], epoch=2).ticket == Ticket(1, 5, 0)


def test_older_keys_still_open():
    old = KeyRing("k1", RING.secrets)
    assert read([text(Ticket(1, 5, 0), ring=old)]) == Credentials(None, (Ticket(1, 5, 0),), None, damaged=False)


def test_a_key_nobody_knows_is_told_apart_from_a_forgery():
    strange = KeyRing("k3", {"k3": b"3" * 32})
    found = read([text(Ticket(1, 5, 0), ring=strange)])
    assert (found.damaged, found.unknown_key, found.ticket) == (True, True, None)
    assert not read(["ticket.k1.abc.def"]).unknown_key


@pytest.mark.parametrize("where", ["tickets", "passes"])
@pytest.mark.parametrize("junk", ["", "x", "....", "ticket.k1..", "a" * 10_000, "é", "ticket.k1.W10.x"])
def test_junk_is_damage_and_nothing_worse(where, junk):
    found = read(**{where: [junk]})
    assert found == Credentials(None, (), None, damaged=True, unknown_key=found.unknown_key)


def test_a_token_in_the_wrong_place_is_damage():
    ticket, held = text(Ticket(1, 5, 0)), text(Pass(1, 5, 5, "id", "line", 0))
    assert read([held]) == Credentials(None, (), None, damaged=True)
    assert read([], [ticket]) == Credentials(None, (), None, damaged=True)
    assert read([text(Ticket(1, 5, 0), room="other")]).damaged


def test_a_pass_of_another_epoch_is_no_pass_and_no_damage():
    assert read([], [text(Pass(1, 5, 5, "id", "line", 0))], epoch=2) == NOTHING


async def test_a_newcomer_who_finds_room_is_inside_in_one_go(line):
    standing = await settle(line, NOTHING)
    assert isinstance(standing, Inside)
    assert (standing.visitor_pass.how, standing.fresh, standing.first_time) == (How.DIRECT, True, True)
    assert standing.ticket is not None
    assert standing.ticket.number == standing.visitor_pass.place == 1


async def test_many_newcomers_at_once_take_the_free_seats_and_no_more(line):
    await line.change({"total_active_users": 5}, expected_version=None)
    standings = await asyncio.gather(*(settle(line, NOTHING) for _ in range(40)))
    inside = [each for each in standings if isinstance(each, Inside)]
    assert len(inside) <= 5
    assert (await line._store.store.load("vaccine")).live == len(inside)
    numbers = [each.ticket.number for each in standings if isinstance(each, (Inside, InLine)) and each.ticket]
    assert len(set(numbers)) == len(numbers)


async def test_behind_others_a_newcomer_knocks_first(line):
    await settle(line, NOTHING)
    await line.tick_now()
    standing = await settle(line, NOTHING)
    assert isinstance(standing, Knocking)
    standing = await settle(line, Credentials(None, (), standing.knock, damaged=False))
    assert isinstance(standing, InLine)
    assert (standing.ticket.number, standing.at_door, standing.notice) == (2, False, None)


async def test_a_knock_out_of_its_time_is_none(line):
    await settle(line, NOTHING)
    await line.tick_now()
    for issued_ms in (0, START_MS - 119_000, START_MS + 3_600_000):
        standing = await settle(line, Credentials(None, (), Knock(7, issued_ms), damaged=False))
        assert isinstance(standing, Knocking)


async def test_a_live_pass_beats_everything_else_that_was_brought(line):
    first = await settle(line, NOTHING)
    assert isinstance(first, Inside)
    other = Credentials(first.visitor_pass, (Ticket(9, 9, 0),), Knock(1, 0), damaged=True)
    standing = await settle(line, other)
    assert isinstance(standing, Inside)
    assert (standing.fresh, standing.visitor_pass) == (False, first.visitor_pass)


async def test_a_pass_somebody_made_up_does_not_live(line):
    await settle(line, NOTHING)
    await line.tick_now()
    standing = await settle(line, Credentials(Pass(1, 1, 1, "made-up", "line", 0), (), None, damaged=False))
    assert isinstance(standing, Knocking)
    assert standing.notice == "ended"


async def test_a_ticket_nobody_was_given_is_never_called(line):
    standing = await settle(line, Credentials(None, (Ticket(1, 999, 0),), None, damaged=False))
    assert isinstance(standing, InLine)
    standing = await settle(line, Credentials(None, (Ticket(1, 0, 0),), None, damaged=False))
    assert not isinstance(standing, Inside)


async def test_a_rule_goes_before_every_refusal(line):
    await line.change({"mode": Mode.CLOSED}, expected_version=None)
    assert await settle(line, NOTHING) == Refused(Refusal.CLOSED)
    assert await settle(line, NOTHING, rule="health") == Through(How.EXEMPT, "health")


async def test_a_room_switched_off_asks_for_nothing(line):
    await line.change({"mode": Mode.PASSTHROUGH}, expected_version=None)
    assert await settle(line, Credentials(None, (), None, damaged=True)) == Through(How.PASSTHROUGH, None)


@pytest.mark.parametrize(("of_place", "same"), [(0, True), (1, False)])
async def test_a_pass_the_store_has_forgotten_is_granted_again_as_the_same_pass(line, of_place, same):
    # Its server died before anybody else knew; the pass itself is the proof that it was granted.
    (ticket,) = await join(line)
    await line.tick_now()
    place = ticket.number + of_place
    held = Pass(1, place, place, "as-it-was", "line", START_MS)
    standing = await settle(line, Credentials(held, (ticket,), None, damaged=False))
    assert isinstance(standing, Inside)
    assert (standing.grant.pass_id == "as-it-was") == same


async def test_a_pass_that_has_ended_is_not_granted_again(line):
    (ticket,) = await join(line)
    await line.tick_now()
    inside = await settle(line, Credentials(None, (ticket,), None, damaged=False))
    assert isinstance(inside, Inside)
    await line.end(inside.visitor_pass, "completed")
    standing = await settle(line, Credentials(inside.visitor_pass, (ticket,), None, damaged=False), at_once=False)
    assert not isinstance(standing, Inside)
