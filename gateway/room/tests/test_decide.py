from dataclasses import replace

import pytest

from gateway.room.decide import (
    Admit,
    Facts,
    Forward,
    Join,
    Refusal,
    Refuse,
    Wait,
    decide,
    goes_by_pass,
    only_waits,
    place_of,
)
from gateway.room.model import USER_CREDIT, Limits, Mode, QueueingMethod
from gateway.room.tests.test_policy import NOW, room
from gateway.room.ticket import Knock, Pass, Ticket

IDLE = room(credit=10 * USER_CREDIT, entry_credit=10 * USER_CREDIT)
BUSY = replace(IDLE, tail=100, serving=50, live=300)
TICKET = Ticket(1, 60, NOW)
CALLED = Ticket(1, 50, NOW)
PASS = Pass(1, 10, 10, "p", "line", NOW)
KNOCK = Knock(7, NOW)


def in_mode(state, mode, **limits):
    return replace(state, limits=replace(state.limits, mode=mode, **limits))


def test_a_pass_goes_through_whatever_the_room_is_doing():
    for mode in (Mode.OPEN, Mode.PAUSED, Mode.CLOSED, Mode.SOLD_OUT):
        assert decide(Facts(in_mode(BUSY, mode), visitor_pass=PASS)) == Forward(PASS, None)


def test_a_pass_of_an_earlier_epoch_is_none():
    assert decide(Facts(BUSY, visitor_pass=PASS._replace(epoch=0))) == Wait(None)


def test_a_rule_goes_before_everything_and_is_named():
    assert decide(Facts(in_mode(BUSY, Mode.CLOSED), rule="office", damaged=True)) == Forward(None, "office")


def test_a_room_switched_off_lets_everyone_through_namelessly():
    assert decide(Facts(in_mode(BUSY, Mode.PASSTHROUGH), ticket=TICKET)) == Forward(None, None)


def test_a_called_ticket_is_admitted_and_one_not_called_waits():
    assert decide(Facts(BUSY, ticket=CALLED)) == Admit(CALLED, CALLED.number)
    assert decide(Facts(BUSY, ticket=TICKET)) == Wait(TICKET)


def test_nobody_is_admitted_while_the_room_is_paused_or_before_it_opens():
    before = replace(BUSY, limits=Limits(opens_at_ms=NOW + 1))
    for state in (in_mode(BUSY, Mode.PAUSED), before):
        assert decide(Facts(state, ticket=CALLED)) == Wait(CALLED)
    at_the_moment = replace(BUSY, limits=Limits(opens_at_ms=NOW))
    assert decide(Facts(at_the_moment, ticket=CALLED)) == Admit(CALLED, CALLED.number)


@pytest.mark.parametrize(("mode", "why"), [(Mode.CLOSED, Refusal.CLOSED), (Mode.SOLD_OUT, Refusal.SOLD_OUT)])
def test_a_closed_room_refuses_with_the_reason(mode, why):
    closed = in_mode(BUSY, mode)
    for facts in (Facts(closed), Facts(closed, knock=KNOCK), Facts(closed, ticket=CALLED, used=True)):
        assert decide(facts) == Refuse(why)


@pytest.mark.parametrize("mode", [Mode.CLOSED, Mode.SOLD_OUT])
def test_a_closed_room_keeps_those_who_have_a_place_waiting(mode):
    for ticket in (TICKET, CALLED):
        assert decide(Facts(in_mode(BUSY, mode), ticket=ticket)) == Wait(ticket)


def test_a_ticket_of_an_earlier_epoch_is_refused_with_the_reason():
    assert decide(Facts(replace(BUSY, epoch=2), ticket=TICKET)) == Refuse(Refusal.OLD_EPOCH)


def test_a_forged_cookie_is_refused_unless_something_good_came_with_it():
    assert decide(Facts(BUSY, damaged=True)) == Refuse(Refusal.FORGED)
    assert decide(Facts(BUSY, damaged=True, ticket=TICKET)) == Wait(TICKET)


def test_a_newcomer_joins_at_once_where_there_is_room():
    assert decide(Facts(IDLE)) == Join(None)


@pytest.mark.parametrize(
    "change",
    [
        {"tail": 1},
        {"lane_waiting": 1},
        {"live": 300},
        {"live": 299, "lane_granted": 1},
        {"credit": USER_CREDIT - 1},
        {"entry_credit": USER_CREDIT - 1},
        {"admitting": False},
    ],
)
def test_a_newcomer_knocks_first_where_anything_stands_in_the_way(change):
    assert decide(Facts(replace(IDLE, **change))) == Wait(None)


def test_a_knock_brought_back_is_given_a_number():
    assert decide(Facts(BUSY, knock=KNOCK)) == Join(KNOCK)


def test_a_room_that_keeps_no_line_refuses_newcomers_when_full_but_honours_tickets():
    state = in_mode(BUSY, Mode.OPEN, queueing_method=QueueingMethod.REJECT)
    assert decide(Facts(state)) == Refuse(Refusal.FULL)
    assert decide(Facts(state, knock=KNOCK)) == Refuse(Refusal.FULL)
    assert decide(Facts(state, ticket=CALLED)) == Admit(CALLED, CALLED.number)


def test_a_used_ticket_makes_its_holder_a_newcomer():
    assert decide(Facts(BUSY, ticket=CALLED, used=True)) == Wait(None)
    assert decide(Facts(IDLE, ticket=CALLED, used=True)) == Join(None)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("epochs_off", [-1, 0, 1])
def test_the_shortcuts_say_what_decide_says(mode, epochs_off):
    now = in_mode(BUSY, mode)
    held = Pass(now.epoch + epochs_off, 1, 1, "a", "line", 0)
    assert goes_by_pass(now, held) is (decide(Facts(now, visitor_pass=held)) == Forward(held, None))
    if epochs_off == 0:
        for number in (1, now.serving, now.serving + 1, now.tail):
            ticket = Ticket(now.epoch, number, 0)
            assert only_waits(now, place_of(number, now)) is (decide(Facts(now, ticket=ticket)) == Wait(ticket))
