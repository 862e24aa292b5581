"""What the store promises those who wait: the first whom a seat fits is booked, the moment it comes free."""

import asyncio
from dataclasses import replace

import pytest

from booking.errors import (
    AlreadyBooked,
    AlreadyWaiting,
    NoSuchBooking,
    NoSuchCentre,
    NoSuchSlot,
    NoSuchVaccine,
    PassUsed,
    SeatsLeft,
    SlotClosed,
    SoldOut,
)
from booking.model import BookingCard, Swept, WaitCard
from booking.schedule import DAY_MS
from booking.store.tests.desk import (
    BIRTH,
    BUSAN,
    DAY,
    FAR,
    FIRST,
    GAON,
    HOLD_MS,
    NEXT_DAY,
    NOW_MS,
    NURI,
    OTHER_VACCINE,
    SECOND,
    SEOUL,
    TOMORROW,
    claims,
    keys,
    party,
)


@pytest.fixture
async def full(open_desk):
    """One seat at each time; those of Seoul's first day are booked, in the order of the slots."""
    desk = await open_desk(capacity=1)
    return desk, await desk.fill()


async def test_a_seat_that_comes_free_is_booked_for_the_first_who_waits_under_the_code_they_have(full):
    desk, booked = full
    by = claims(number=41)
    first = await desk.join(party("홍길동", booker="이하늘"), by)
    second = await desk.join("Kim")
    assert first == WaitCard(first.code, SEOUL, None, DAY, "홍*동", "이*늘", ahead=0)
    assert second.ahead == 1
    assert await desk.find(first.code) == first

    await desk.cancel(booked[1].code)

    card = await desk.booking(first.code)
    assert (card.slot.id, card.masked_name, card.booker_masked_name, card.number) == (SECOND, "홍*동", "이*늘", 41)
    assert await desk.left(SECOND) == 0
    assert await desk.find(second.code) == replace(second, ahead=0)
    assert await desk.rows("SELECT pass_id, waitlist_id, hold_id FROM bookings WHERE waitlist_id IS NOT NULL") == [
        (by.pass_id, 1, None)
    ]
    assert await desk.store.find_person(keys("홍길동").key, now_ms=NOW_MS) == card
    assert await desk.store.find_person(keys("Kim").key, now_ms=NOW_MS) == replace(second, ahead=0)


async def test_a_seat_goes_to_nobody_whom_it_does_not_fit(full):
    desk, booked = full
    await desk.fill(FAR, TOMORROW)
    elsewhere = await desk.join("Elsewhere", centre=BUSAN)
    later = await desk.join("Later", day=NEXT_DAY)
    other = await desk.join("Other", vaccine=NURI)
    fits = await desk.join("Fits", vaccine=GAON)
    anyone = await desk.join("Anyone")
    assert [each.ahead for each in (elsewhere, later, other, fits, anyone)] == [0, 0, 0, 0, 2]

    await desk.cancel(booked[0].code)
    await desk.cancel(booked[1].code)

    for card, slot in ((fits, FIRST), (anyone, SECOND)):
        assert (await desk.booking(card.code)).slot.id == slot
    for card in (elsewhere, later, other):
        assert await desk.find(card.code) == card


async def test_however_a_seat_comes_free_who_waits_has_it_before_anyone_else(full):
    desk, booked = full
    by, elsewhere = claims(), claims()
    first = await desk.join("First")
    await desk.change(booked[0].code, TOMORROW)
    assert (await desk.booking(first.code)).slot.id == FIRST

    # A hold given up, one moved elsewhere, one whose time is over.
    await desk.cancel(booked[1].code)
    dropped = await desk.hold(SECOND, "Dropper", by)
    second = await desk.join("Second")
    await desk.store.drop_hold(dropped.id, by, now_ms=NOW_MS)
    assert (await desk.booking(second.code)).slot.id == SECOND
    await desk.cancel(booked[2].code)
    await desk.hold(OTHER_VACCINE, "Mover", elsewhere)
    third = await desk.join("Third")
    await desk.hold(FAR, "Mover", elsewhere)
    assert (await desk.booking(third.code)).slot.id == OTHER_VACCINE


@pytest.mark.parametrize("how", ["hold", "change", "sweep", "join"])
async def test_the_seat_of_a_hold_that_is_over_goes_to_who_waits_whoever_comes_by_first(full, how):
    desk, booked = full
    mover = await desk.book(FAR, "Mover")
    await desk.cancel(booked[0].code)
    held = await desk.hold(FIRST, "Idler")
    waiting = await desk.join("Waiting")
    now_ms = held.expires_ms

    if how == "hold":
        with pytest.raises(SoldOut):
            await desk.hold(FIRST, "Newcomer", now_ms=now_ms)
    elif how == "change":
        with pytest.raises(SoldOut):
            await desk.change(mover.code, FIRST, now_ms)
    elif how == "join":
        card = await desk.store.join_waitlist(SEOUL, DAY, party("Later"), claims(), now_ms=now_ms)
        assert card.ahead == 0
    else:
        assert await desk.store.sweep(now_ms=now_ms) == Swept(ended=1, promoted=1)

    assert (await desk.booking(waiting.code)).slot.id == FIRST
    assert await desk.one("SELECT count(*) FROM holds") == 0


async def test_who_waits_and_wants_to_hold_the_seat_that_just_became_theirs_is_told_so(full):
    desk, booked = full
    await desk.cancel(booked[0].code)
    held = await desk.hold(FIRST, "Idler")
    waiting = await desk.join("Hong")

    with pytest.raises(AlreadyBooked):
        await desk.hold(FIRST, "Hong", now_ms=held.expires_ms)

    assert (await desk.booking(waiting.code)).slot.id == FIRST


async def test_a_booking_ends_the_persons_wait(full):
    desk, booked = full
    waiting = await desk.join("Hong")
    card = await desk.book(FAR, "Hong")
    # At once, and not only when the next seat would be theirs.
    assert await desk.one("SELECT count(*) FROM waitlist") == 0
    await desk.cancel(booked[0].code)

    assert await desk.left(FIRST) == 1
    with pytest.raises(NoSuchBooking):
        await desk.find(waiting.code)
    assert await desk.store.find_person(keys("Hong").key, now_ms=NOW_MS) == card


async def test_of_two_who_came_free_at_once_each_books_another(full):
    desk, booked = full
    waiting = [await desk.join(f"Waiting {n}") for n in range(4)]

    await asyncio.gather(*(desk.cancel(card.code) for card in booked))
    await desk.store.sweep(now_ms=NOW_MS)

    found = [await desk.find(card.code) for card in waiting]
    assert [isinstance(each, BookingCard) for each in found] == [True, True, True, False]
    assert {each.slot.id for each in found if isinstance(each, BookingCard)} == {FIRST, SECOND, OTHER_VACCINE}


async def test_a_promotion_and_a_booking_of_the_same_person_at_once_make_one(open_desk):
    desk = await open_desk(capacity=10)
    booked = await desk.fill(FIRST, SECOND, OTHER_VACCINE)
    names = [f"Waiting {n}" for n in range(10)]
    for name in names:
        await desk.join(name)
    passes = {name: claims() for name in names}
    holds = {name: await desk.hold(FAR, name, passes[name]) for name in names}

    results = await asyncio.gather(
        *(desk.store.confirm(holds[name].id, passes[name], now_ms=NOW_MS) for name in names),
        *(desk.cancel(card.code) for card in booked[:10]),
        return_exceptions=True,
    )
    await desk.store.sweep(now_ms=NOW_MS)

    errors = [each for each in results if isinstance(each, BaseException)]
    assert all(isinstance(each, (AlreadyBooked, SoldOut)) for each in errors), errors
    for name in names:
        found = await desk.store.find_person(keys(name).key, now_ms=NOW_MS)
        assert isinstance(found, BookingCard)
    assert await desk.one("SELECT count(*) FROM waitlist") == 0
    assert await desk.one("SELECT count(*) FROM holds") == 0


async def test_joining_again_gives_the_same_place_and_another_list_is_refused(full):
    desk, _ = full
    await desk.fill(FAR)
    entry = party("Hong", booker="Lee")
    places = await asyncio.gather(*(desk.join(entry) for _ in range(5)))
    assert len({place.code for place in places}) == 1
    assert await desk.join(entry, vaccine=NURI) == places[0]

    with pytest.raises(AlreadyWaiting):
        await desk.join(entry, centre=BUSAN)
    # Somebody else books for the same person: they must not learn the code.
    with pytest.raises(AlreadyWaiting):
        await desk.join(party("Hong", booker="Choi"))
    with pytest.raises(AlreadyWaiting):
        await desk.join("Hong")


async def test_there_is_nothing_to_wait_for_where_there_is_a_seat_or_no_appointment(full):
    desk, booked = full
    for centre, day, vaccine, error in (
        (SEOUL, NEXT_DAY, None, SeatsLeft),
        ("atlantis", DAY, None, NoSuchCentre),
        (SEOUL, DAY, "water", NoSuchVaccine),
        (BUSAN, DAY, NURI, NoSuchSlot),
        (SEOUL, DAY.replace(year=2020), None, NoSuchSlot),
    ):
        with pytest.raises(error):
            await desk.join("Hong", centre=centre, day=day, vaccine=vaccine)
    await desk.cancel(booked[1].code)
    with pytest.raises(SeatsLeft):
        await desk.join("Hong")
    await desk.join("Hong", vaccine=NURI)
    with pytest.raises(SlotClosed):
        await desk.store.join_waitlist(SEOUL, DAY, party("Kim"), claims(), now_ms=NOW_MS + DAY_MS)


async def test_who_has_booked_or_used_the_pass_does_not_wait(full):
    desk, _ = full
    by = claims()
    await desk.book(FAR, "Hong", by)
    with pytest.raises(AlreadyBooked):
        await desk.join("Hong")
    with pytest.raises(PassUsed):
        await desk.join("Kim", by)


async def test_a_pass_that_waits_for_one_books_for_nobody_else(full):
    desk, booked = full
    by, other = claims(), claims()
    held = await desk.hold(FAR, "Kim", by)
    waiting = await desk.join("Hong", by)
    with pytest.raises(PassUsed):
        await desk.hold(TOMORROW, "Kim", by)
    with pytest.raises(PassUsed):
        await desk.store.confirm(held.id, by, now_ms=NOW_MS)
    assert await desk.left(FAR) == 1
    with pytest.raises(PassUsed):
        await desk.join("Kim", by)
    # For the same person it may.
    await desk.book(FAR, "Hong", by)
    await desk.join("Choi", other)
    await desk.cancel(booked[0].code)
    with pytest.raises(PassUsed):
        await desk.hold(TOMORROW, "Bae", other)
    with pytest.raises(NoSuchBooking):
        await desk.find(waiting.code)


async def test_who_leaves_waits_no_more_and_who_was_booked_cannot_leave(full):
    desk, booked = full
    leaves, stays = await desk.join("Leaves"), await desk.join("Stays")
    with pytest.raises(NoSuchBooking):
        await desk.store.leave_waitlist(leaves.code, BIRTH.replace(day=3), now_ms=NOW_MS)

    await desk.store.leave_waitlist(leaves.code, BIRTH, now_ms=NOW_MS)
    with pytest.raises(NoSuchBooking):
        await desk.store.leave_waitlist(leaves.code, BIRTH, now_ms=NOW_MS)
    await desk.cancel(booked[0].code)

    assert (await desk.booking(stays.code)).slot.id == FIRST
    with pytest.raises(AlreadyBooked):
        await desk.store.leave_waitlist(stays.code, BIRTH, now_ms=NOW_MS)


async def test_an_appointment_that_is_about_to_begin_is_given_to_nobody(full):
    desk, booked = full
    waiting = await desk.join("Hong")
    begins_ms = (await desk.booking(booked[0].code)).slot.starts_ms

    await desk.cancel(booked[0].code, begins_ms - 1_800_000 + 1)
    assert await desk.find(waiting.code) == waiting
    assert await desk.store.sweep(now_ms=begins_ms - 1_800_000 + 1) == Swept(0, 0)
    await desk.cancel(booked[1].code, begins_ms - 1_800_000)
    assert (await desk.booking(waiting.code)).slot.id == SECOND


async def test_sweeping_ends_what_is_over_once_however_many_sweep(open_desk):
    desks = [await open_desk(capacity=5) for _ in range(2)]
    booked = await desks[0].fill()
    for card in booked[:5]:
        await desks[0].cancel(card.code)
    for n in range(5):
        await desks[0].hold(FIRST, f"Idler {n}")
    for n in range(3):
        await desks[0].join(f"Waiting {n}")
    now_ms = NOW_MS + HOLD_MS
    assert await desks[0].store.sweep(now_ms=now_ms - 1) == Swept(0, 0)

    swept = await asyncio.gather(*(desk.store.sweep(now_ms=now_ms) for desk in desks * 3))

    assert (sum(each.ended for each in swept), sum(each.promoted for each in swept)) == (5, 3)
    assert await desks[0].left(FIRST, now_ms) == 2


async def test_sweeping_gives_a_seat_that_was_missed_to_who_waits(full):
    desk, _ = full
    waiting = await desk.join("Hong")
    # As when the operator adds seats.
    await desk.run("UPDATE slots SET capacity = 2 WHERE id = 3")

    assert await desk.store.sweep(now_ms=NOW_MS) == Swept(0, 1)
    assert (await desk.booking(waiting.code)).slot.id == OTHER_VACCINE
    assert await desk.store.sweep(now_ms=NOW_MS) == Swept(0, 0)


async def test_sweeping_ends_holds_that_cannot_become_bookings(full):
    desk, booked = full
    await desk.join("Hong")
    await desk.hold(FAR, "Hong")
    await desk.cancel(booked[0].code)
    assert await desk.left(FAR) == 0

    assert await desk.store.sweep(now_ms=NOW_MS) == Swept(1, 0)
    assert await desk.left(FAR) == 1


async def test_a_wait_ends_with_its_day(full):
    desk, _ = full
    waiting = await desk.join("Hong")
    midnight = NOW_MS + 4 * 3_600_000 + DAY_MS

    await desk.store.sweep(now_ms=midnight - 1)
    assert await desk.find(waiting.code) == waiting
    await desk.store.sweep(now_ms=midnight)
    with pytest.raises(NoSuchBooking):
        await desk.find(waiting.code)
