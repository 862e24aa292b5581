"""What the store promises when all come at once, and to several programs: each desk here has connections of its own."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from booking.model import BookingCard
from booking.store.tests.desk import (
    BIRTH,
    BUSAN,
    FAR,
    FIRST,
    HOLD_MS,
    NOW_MS,
    OTHER_VACCINE,
    SECOND,
    SEOUL,
    Desk,
    claims,
    keys,
    party,
)


@pytest.fixture
async def desks(open_desk) -> list[Desk]:
    """Three programs; one seat at each time."""
    return [await open_desk(capacity=1, proxy_limit=3) for _ in range(3)]


async def at_once(*asked: Awaitable[Any]) -> tuple[list[Any], set[str]]:
    """What came back, and the names of the errors."""
    results = await asyncio.gather(*asked, return_exceptions=True)
    fine = [each for each in results if not isinstance(each, BaseException)]
    return fine, {type(each).__name__ for each in results if isinstance(each, BaseException)}


async def test_one_seat_that_fifty_want_is_one_booking(desks):
    booked, refused = await at_once(*(desks[n % 3].book(FIRST, f"Visitor {n}") for n in range(50)))

    assert (len(booked), refused) == (1, {"SoldOut"})
    assert await desks[0].one("SELECT taken FROM slots WHERE id = 1") == 1


async def test_a_confirmation_sent_twenty_times_to_three_programs_has_one_answer(desks):
    by = claims()
    held = await desks[0].hold(FIRST, "Hong", by)

    booked, refused = await at_once(*(desks[n % 3].store.confirm(held.id, by, now_ms=NOW_MS) for n in range(20)))

    assert (len(booked), refused) == (20, set())
    assert {card.code for card in booked} == {held.code}


async def test_confirming_and_dropping_at_once_leaves_a_booking_or_a_free_seat(desks):
    for n in range(10):
        by = claims()
        held = await desks[0].hold(FIRST, f"Visitor {n}", by)

        booked, refused = await at_once(
            desks[1].store.confirm(held.id, by, now_ms=NOW_MS), desks[2].store.drop_hold(held.id, by, now_ms=NOW_MS)
        )

        assert refused <= {"AlreadyBooked", "HoldExpired"}
        cards = [card for card in booked if card is not None]
        assert await desks[0].left(FIRST) == 1 - len(cards)
        for card in cards:
            await desks[0].cancel(card.code)


async def test_a_hold_confirmed_as_its_time_ends_is_the_persons_or_another_ones(desks):
    for n in range(10):
        by = claims()
        held = await desks[0].hold(FIRST, f"Visitor {n}", by)

        booked, refused = await at_once(
            desks[0].store.confirm(held.id, by, now_ms=held.expires_ms - 1),
            desks[1].book(FIRST, f"Another {n}", now_ms=held.expires_ms),
            desks[2].store.sweep(now_ms=held.expires_ms),
        )

        cards = [card for card in booked if isinstance(card, BookingCard)]
        assert len(cards) == 1
        assert refused <= {"HoldExpired", "SoldOut"}
        await desks[0].cancel(cards[0].code)


async def test_cancelling_and_changing_at_once_ends_cancelled_and_frees_both_seats(desks):
    for n in range(10):
        card = await desks[0].book(FIRST, f"Visitor {n}")

        _, refused = await at_once(
            desks[1].cancel(card.code), desks[2].change(card.code, FAR), desks[0].change(card.code, SECOND)
        )

        assert refused <= {"BookingCancelled"}
        assert (await desks[0].booking(card.code)).cancelled
        assert [await desks[0].left(slot) for slot in (FIRST, SECOND, FAR)] == [1, 1, 1]


async def test_two_who_change_to_the_same_seat_are_one_there_and_one_where_they_were(desks):
    cards = [await desks[0].book(slot, f"Visitor {slot}") for slot in (FIRST, OTHER_VACCINE)]

    moved, refused = await at_once(*(desks[n].change(card.code, SECOND) for n, card in enumerate(cards)))

    assert (len(moved), refused) == (1, {"SoldOut"})
    assert sum([await desks[0].left(slot) for slot in (FIRST, OTHER_VACCINE, SECOND)]) == 1


async def test_ten_bookings_of_one_booker_for_others_at_once_do_not_pass_the_limit(open_desk):
    desks = [await open_desk(capacity=5, proxy_limit=3) for _ in range(3)]

    booked, refused = await at_once(
        *(desks[n % 3].book((FIRST, SECOND)[n % 2], party(f"Parent {n}", booker="Lee")) for n in range(10))
    )

    assert (len(booked), refused) == (3, {"ProxyLimitReached"})
    assert await desks[0].rows("SELECT booker_seat FROM bookings ORDER BY 1") == [(1,), (2,), (3,)]


async def test_one_seat_that_comes_free_while_many_join_cancel_and_book_is_one_persons(desks):
    card = (await desks[0].fill(FAR))[0]
    waiting = [await desks[0].join(f"Waiting {n}", centre=BUSAN) for n in range(3)]

    booked, refused = await at_once(
        *(desk.cancel(card.code) for desk in desks),
        *(desk.store.sweep(now_ms=NOW_MS) for desk in desks),
        *(desks[n % 3].book(FAR, f"Newcomer {n}") for n in range(10)),
        *(desks[n % 3].join(f"Late {n}", centre=BUSAN) for n in range(3)),
    )

    assert len(booked) == 3 + 3 + 3
    assert refused == {"SoldOut"}
    assert (await desks[0].booking(waiting[0].code)).slot.id == FAR
    assert await desks[0].one("SELECT count(*) FROM bookings WHERE cancelled_ms IS NULL") == 1
    assert await desks[0].one("SELECT count(*) FROM waitlist") == 5


async def test_who_leaves_the_waitlist_as_a_seat_comes_free_has_left_or_is_booked(desks):
    for n in range(8):
        card = (await desks[0].fill(FAR))[0]
        place = await desks[0].join(f"Waiting {n}", centre=BUSAN)

        _, refused = await at_once(
            desks[1].cancel(card.code), desks[2].store.leave_waitlist(place.code, BIRTH, now_ms=NOW_MS)
        )

        booked = await desks[0].store.find_person(keys(f"Waiting {n}").key, now_ms=NOW_MS)
        assert (refused, booked is not None) in (({"AlreadyBooked"}, True), (set(), False))
        if booked is not None:
            await desks[0].cancel(booked.code)


async def test_one_person_who_joins_two_waitlists_at_once_is_on_one(desks):
    await desks[0].fill(centre=SEOUL)
    await desks[0].fill(centre=BUSAN)

    joined, refused = await at_once(*(desks[n % 3].join("Hong", centre=(SEOUL, BUSAN)[n % 2]) for n in range(8)))

    assert len({place.code for place in joined}) == 1
    assert refused == {"AlreadyWaiting"}
    assert await desks[0].one("SELECT count(*) FROM waitlist") == 1


async def test_sweepers_and_visitors_at_once_end_each_hold_once(open_desk):
    desks = [await open_desk(capacity=6) for _ in range(3)]
    for n in range(6):
        await desks[0].hold(FIRST, f"Idler {n}")
    over = NOW_MS + HOLD_MS

    booked, refused = await at_once(
        *(desk.store.sweep(now_ms=over) for desk in desks),
        *(desks[n % 3].book(FIRST, f"Visitor {n}", now_ms=over) for n in range(9)),
    )

    assert sum(isinstance(each, BookingCard) for each in booked) == 6
    assert refused == {"SoldOut"}
    assert await desks[0].one("SELECT count(*) FROM holds") == 0
