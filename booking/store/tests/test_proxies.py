"""What the store promises about bookings for others: counted, limited, and limited also when all come at once."""

import asyncio

import pytest

from booking.errors import AlreadyBooked, ProxyLimitReached
from booking.model import BookingCard
from booking.store.tests.desk import FAR, FIRST, NOW_MS, SECOND, TOMORROW, claims, keys, party


def booked_by(booker, *names):
    return [party(name, booker=booker) for name in names]


async def test_one_books_for_as_many_others_as_the_limit_and_for_themself(desk):
    first, second, third = booked_by("Lee", "Ahn", "Bae", "Choi")
    cards = [await desk.book(FIRST, each) for each in (first, second)]

    with pytest.raises(ProxyLimitReached):
        await desk.hold(SECOND, third)
    await desk.book(SECOND, "Lee")
    await desk.book(SECOND, party("Choi", booker="Other"))

    await desk.cancel(cards[0].code)
    query = "SELECT booker_seat FROM bookings WHERE cancelled_ms IS NULL AND booker_key IS NOT NULL ORDER BY 1"
    assert await desk.rows(query) == [(1,), (2,)]
    await desk.book(FAR, first)


async def test_twenty_holds_for_others_confirmed_at_once_do_not_pass_the_limit(open_desk):
    desk = await open_desk(capacity=20, proxy_limit=3)
    passes = [claims() for _ in range(20)]
    holds = [
        await desk.hold((FIRST, SECOND, FAR)[n % 3], party(f"Parent {n}", booker="Lee"), by)
        for n, by in enumerate(passes)
    ]

    results = await asyncio.gather(
        *(desk.store.confirm(hold.id, by, now_ms=NOW_MS) for hold, by in zip(holds, passes, strict=True)),
        return_exceptions=True,
    )

    assert sum(isinstance(each, BookingCard) for each in results) == 3
    assert sum(isinstance(each, ProxyLimitReached) for each in results) == 17
    assert await desk.rows("SELECT booker_seat FROM bookings ORDER BY booker_seat") == [(1,), (2,), (3,)]
    # What they lost is free again.
    assert await desk.one("SELECT sum(taken) FROM slots") == 3


async def test_a_limit_of_none_lets_nobody_book_for_others(open_desk):
    desk = await open_desk(proxy_limit=0)
    with pytest.raises(ProxyLimitReached):
        await desk.hold(FIRST, party("Ahn", booker="Lee"))


async def test_a_limit_that_was_lowered_counts_what_there_is(open_desk):
    generous, strict = await open_desk(proxy_limit=3), await open_desk(proxy_limit=2)
    cards = [await generous.book(TOMORROW, each) for each in booked_by("Lee", "Ahn", "Bae")]
    await generous.book(FAR, party("Choi", booker="Lee"))
    await generous.cancel(cards[0].code)

    with pytest.raises(ProxyLimitReached):
        await strict.hold(FIRST, party("Dong", booker="Lee"))
    await generous.cancel(cards[1].code)
    await strict.book(FIRST, party("Dong", booker="Lee"))


async def test_waiting_for_others_counts_and_whose_booker_is_at_the_limit_is_passed_over(open_desk):
    desk = await open_desk(capacity=1, proxy_limit=1)
    booked = await desk.fill()
    held_by = claims()
    held = await desk.hold(FAR, party("Bae", booker="Lee"), held_by)
    first = await desk.join(party("Ahn", booker="Lee"))
    second = await desk.join("Choi")
    with pytest.raises(ProxyLimitReached):
        await desk.join(party("Dong", booker="Lee"))
    with pytest.raises(ProxyLimitReached):
        await desk.hold(TOMORROW, party("Dong", booker="Lee"))
    mother = await desk.store.confirm(held.id, held_by, now_ms=NOW_MS)

    await desk.cancel(booked[0].code)
    assert (await desk.booking(second.code)).slot.id == FIRST
    assert await desk.find(first.code) == first

    # Their turn comes when the booker has one less.
    await desk.cancel(mother.code)
    await desk.cancel(booked[1].code)
    assert (await desk.booking(first.code)).slot.id == SECOND


async def test_a_person_booked_for_by_two_at_once_has_one_booking(open_desk):
    desk = await open_desk(capacity=20)
    results = await asyncio.gather(
        *(desk.book((FIRST, SECOND)[n % 2], party("Mother", booker=f"Child {n}")) for n in range(10)),
        return_exceptions=True,
    )

    assert sum(isinstance(each, BookingCard) for each in results) == 1
    found = await desk.store.find_person(keys("Mother").key, now_ms=NOW_MS)
    assert isinstance(found, BookingCard)
    with pytest.raises(AlreadyBooked):
        await desk.hold(FAR, party("Mother", booker="Child 99"))
