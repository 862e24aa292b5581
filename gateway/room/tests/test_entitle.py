"""What a calendar means for the line: who waits, in which line, and from when."""

from datetime import date

import pytest

from gateway.room.decide import Admit, Facts, Forward, Join, Refusal, Refuse, Tell, Wait, decide
from gateway.room.entitle import NO_COHORT, UNKNOWN, Entitled, Register, Way, cohorts_text
from gateway.room.model import Limits, Mode, QueueingMethod
from gateway.room.tests.test_decide import BUSY, CALLED, IDLE, KNOCK, PASS, TICKET, in_mode
from gateway.room.ticket import MAX_TOKEN_CHARS, KeyRing, Ticket, sign
from shared.rules.load import load
from shared.rules.model import Kind

HOUR = 3_600_000
# 1 July 2021 in Korea; the calendar below counts from it.
DAY = 1_625_065_200_000
NINE, TEN, TWO, FOUR = (DAY + hour * HOUR for hour in (9, 10, 14, 16))
CALENDAR = """
title = { ko = "칠월", en = "July" }
version = 3
zone = "Asia/Seoul"
[[cohort]]
id = "old"
label = { ko = "가", en = "A" }
birth_years = { to = 1959 }
[[cohort]]
id = "young"
label = { ko = "나", en = "B" }
birth_years = { from = 1960, to = 1969 }
[[cohort]]
id = "nurses"
label = { ko = "다", en = "C" }
birth_years = { from = 1980 }
attributes = { nurse = true }
[[window]]
id = "first"
version = 1
cohorts = ["old", "nurses"]
opens = 2021-07-01T09:00:00
closes = 2021-07-01T18:00:00
[[window]]
id = "second"
version = 2
cohorts = ["young"]
opens = 2021-07-01T14:00:00
closes = 2021-07-01T18:00:00
[[closed]]
id = "lunch"
cohorts = ["old"]
from = 2021-07-01T12:00:00
until = 2021-07-01T16:00:00
reason = { ko = "점심", en = "lunch" }
"""
REGISTER = Register(load(CALENDAR, file="july.toml"))
OPEN = Limits()
SEATS = {
    Way.NOW: Entitled(Way.NOW),
    Way.ROOM: Entitled(Way.ROOM),
    Way.WAVE: Entitled(Way.WAVE, wave="second"),
    Way.LATER: Entitled(Way.LATER),
    Way.NEVER: Entitled(Way.NEVER),
    Way.ASK: UNKNOWN,
}


def ways(cohorts, limits=OPEN, hours=range(8, 20)):
    return [REGISTER.entitle(cohorts, limits, DAY + hour * HOUR).way.value for hour in hours]


# What a ticket says


def test_a_ticket_says_the_cohorts_and_nothing_nearer_to_the_birth_date():
    assert REGISTER.cohorts_of(date(1959, 12, 31)) == "old"
    assert REGISTER.cohorts_of(date(1960, 1, 1)) == "young"
    assert REGISTER.cohorts_of(date(1970, 1, 1)) == NO_COHORT
    assert cohorts_text(["b", "a", "c"]) == "a+b+c"


def test_cohorts_nobody_is_in_by_birth_date_are_not_known():
    for cohorts in ("", "nurses", "nurses+old", "old+young", "gone"):
        assert REGISTER.entitle(cohorts, OPEN, TEN) == UNKNOWN


def test_however_many_cohorts_there_are_the_token_fits():
    many = cohorts_text(f"cohort-{'x' * 50}-{number}" for number in range(90))
    assert many != cohorts_text(f"cohort-{'x' * 50}-{number}" for number in range(91))
    ticket = Ticket(10**9, 10**12, 10**13, many, "w" * 100)
    assert len(sign(ticket, "vaccine", KeyRing("k" * 8, {"k" * 8: b"1" * 32}))) <= MAX_TOKEN_CHARS


# Which line, from when


def test_before_ones_window_one_lines_up_at_any_time_where_nothing_else_is_set():
    assert ways("young") == ["wave"] * 6 + ["now"] * 4 + ["never"] * 2
    assert ways("old") == ["wave"] + ["now"] * 3 + ["wave"] * 4 + ["now"] * 2 + ["never"] * 2
    assert set(ways(NO_COHORT)) == {"never"}


def test_the_prequeue_is_as_long_before_ones_own_window_as_before_the_rooms_opening():
    limits = Limits(prequeue_ms=HOUR)
    assert ways("young", limits) == ["later"] * 5 + ["wave"] + ["now"] * 4 + ["never"] * 2
    assert REGISTER.entitle("young", limits, TEN).joins_ms == TWO - HOUR
    assert REGISTER.entitle("young", limits, TWO - HOUR - 1).way is Way.LATER
    assert REGISTER.entitle("young", limits, TWO - 1).way is Way.WAVE
    assert REGISTER.entitle("young", limits, TWO).way is Way.NOW


@pytest.mark.parametrize(("opens_ms", "way"), [(TWO, "room"), (TWO + 1, "room"), (TWO - 1, "wave")])
def test_where_the_room_itself_opens_no_sooner_its_own_prequeue_is_the_line(opens_ms, way):
    assert ways("young", Limits(opens_at_ms=opens_ms), [10]) == [way]


def test_before_that_prequeue_one_is_told_when_it_begins():
    found = REGISTER.entitle("young", Limits(opens_at_ms=FOUR, prequeue_ms=HOUR), TEN)
    assert (found.way, found.joins_ms) == (Way.LATER, FOUR - HOUR)


def test_a_room_that_keeps_no_line_keeps_none_for_later_windows():
    assert ways("young", Limits(queueing_method=QueueingMethod.REJECT), [10]) == ["later"]


def test_a_pause_opens_again_as_a_prequeue_of_its_own():
    assert REGISTER.pending(DAY) == {"first": NINE, "second": TWO, "first:lunch": FOUR}
    assert REGISTER.pending(TWO) == {"first:lunch": FOUR}
    assert REGISTER.entitle("old", OPEN, TWO).wave == "first:lunch"
    assert REGISTER.entitle("old", OPEN, DAY).wave == "first"
    assert REGISTER.pending(FOUR) == {}


# Another birth date, later: whose place it can be


# Issued in a line (a wave by its name, "*" once that has joined) at an hour, to one; may another hold it? By the
# calendar above old people book from 9 to 12 and from 16 on, young ones from 14 on.
@pytest.mark.parametrize(
    ("line", "hour", "holder", "other", "kept"),
    [
        ("", 10, "old", "young", False),  # it was not their time
        ("", 14, "young", "old", False),  # nor is it in a pause
        ("", 15, "young", "young", True),
        ("", 16, "young", "old", True),  # both could book
        ("", 16, "old", "young", True),
        ("", 10, "renamed", "young", True),  # nobody can say
        ("", 10, "", "young", True),
        ("", 8, "old", "young", False),
        ("second", 10, "young", "old", False),
        ("first:lunch", 13, "old", "young", False),
        ("first:lunch", 13, "renamed", "young", True),
        ("second*", 10, "young", "young", True),
        ("second*", 10, "young", "old", True),  # they could have had a lower number
        ("second*", 13, "young", "old", False),
    ],
)
def test_a_number_may_be_held_by_whoever_could_have_been_given_it_then(line, hour, holder, other, kept):
    wave = line.rstrip("*")
    ticket = Ticket(1, 5, DAY + hour * HOUR, holder, "" if line.endswith("*") else wave)
    assert REGISTER.could_hold(other, ticket, wave, OPEN) is kept


def test_who_lined_up_with_everyone_before_an_opening_may_say_another_date_of_that_opening():
    limits = Limits(opens_at_ms=FOUR, prequeue_ms=8 * HOUR)
    ticket = Ticket(1, 5, DAY + 13 * HOUR, "old")
    assert REGISTER.could_hold("young", ticket, "", limits)
    # ... but by the settings of now, and it was open then: the opening was moved.
    earlier = Ticket(1, 5, DAY + 10 * HOUR, "old")
    assert REGISTER.could_hold("young", earlier, "", limits)
    moved = Limits(opens_at_ms=FOUR, prequeue_ms=8 * HOUR, postponed_from_ms=NINE, postponed_to_ms=FOUR)
    assert not REGISTER.could_hold("young", earlier, "", moved)
    assert REGISTER.could_hold("old", earlier, "", moved)


# What becomes of a request


@pytest.mark.parametrize("who", SEATS.values(), ids=SEATS)
def test_eligibility_touches_no_pass_and_no_rule_and_no_room_that_is_switched_off(who):
    assert decide(Facts(BUSY, visitor_pass=PASS, entitled=who)) == Forward(PASS, None)
    assert decide(Facts(BUSY, rule="office", entitled=who)) == Forward(None, "office")
    assert decide(Facts(in_mode(BUSY, Mode.PASSTHROUGH), entitled=who)) == Forward(None, None)


@pytest.mark.parametrize("who", SEATS.values(), ids=SEATS)
def test_a_closed_room_and_a_ticket_that_does_not_count_are_told_first(who):
    assert decide(Facts(in_mode(BUSY, Mode.CLOSED), entitled=who)) == Refuse(Refusal.CLOSED)
    assert decide(Facts(in_mode(BUSY, Mode.SOLD_OUT), ticket=TICKET, entitled=who)) == Wait(TICKET)
    assert decide(Facts(BUSY, damaged=True, entitled=who)) == Refuse(Refusal.FORGED)
    old = Ticket(0, 1, 0)
    assert decide(Facts(BUSY, ticket=old, entitled=who)) == Refuse(Refusal.OLD_EPOCH)


@pytest.mark.parametrize(
    "state", [IDLE, BUSY, in_mode(BUSY, Mode.PAUSED), in_mode(BUSY, Mode.OPEN, opens_at_ms=10**15)]
)
def test_who_is_not_known_or_has_no_window_left_is_told_in_every_state_and_takes_nothing(state):
    for who in (SEATS[Way.ASK], SEATS[Way.NEVER]):
        assert decide(Facts(state, knock=KNOCK, entitled=who)) == Tell(who, None)
        assert decide(Facts(state, ticket=CALLED, entitled=who)) == Tell(who, CALLED)
        assert decide(Facts(state, ticket=CALLED, used=True, entitled=who)) == Tell(who, None)


def test_a_called_place_is_kept_until_ones_window_opens():
    for way in (Way.ROOM, Way.WAVE, Way.LATER):
        assert decide(Facts(BUSY, ticket=CALLED, entitled=SEATS[way])) == Wait(CALLED)
    assert decide(Facts(BUSY, ticket=CALLED, entitled=SEATS[Way.NOW])) == Admit(CALLED, CALLED.number)


def test_nobody_enters_a_free_room_before_their_window():
    assert decide(Facts(IDLE, knock=KNOCK, entitled=SEATS[Way.NOW])) == Join(KNOCK)
    assert decide(Facts(IDLE, knock=KNOCK, entitled=SEATS[Way.WAVE])) == Join(KNOCK, "second")
    assert decide(Facts(IDLE, entitled=SEATS[Way.WAVE])) == Wait(None)
    assert decide(Facts(IDLE, knock=KNOCK, entitled=SEATS[Way.LATER])) == Tell(SEATS[Way.LATER], None)


def test_every_verdict_has_a_word():
    assert {Entitled(Way.NOW, None).reason, *(kind.value for kind in Kind)} == {
        "unknown", "eligible", "not_yet", "paused", "over", "not_eligible",
    }  # fmt: skip
