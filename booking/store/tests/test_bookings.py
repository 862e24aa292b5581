"""What the store promises on either database: never oversold, one booking each, the same answer when asked again."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from booking.errors import (
    AlreadyBooked,
    BookingCancelled,
    HoldExpired,
    NoSuchBooking,
    NoSuchCentre,
    NoSuchSlot,
    NoSuchVaccine,
    OtherPass,
    PassUsed,
    SlotClosed,
    SoldOut,
    StoreUnavailable,
    TooLateToCancel,
    TooLateToChange,
)
from booking.model import BookingCard
from booking.store.tests.desk import (
    BIRTH,
    FAR,
    FIRST,
    HOLD_MS,
    HOUR_MS,
    NOW_MS,
    OTHER_VACCINE,
    SECOND,
    TOMORROW,
    claims,
    keys,
    party,
)
from shared.wire import How

NINE = NOW_MS + 13 * HOUR_MS


async def at_once(*coroutines: Any) -> tuple[list[Any], Counter[str]]:
    """What came back, and how often each error."""
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    fine = [each for each in results if not isinstance(each, BaseException)]
    return fine, Counter(type(each).__name__ for each in results if isinstance(each, BaseException))


async def test_200_at_once_for_50_seats_make_exactly_50_bookings(open_desk):
    desk = await open_desk(capacity=50)

    booked, refused = await at_once(*(desk.book(FIRST, f"Visitor {n}") for n in range(200)))

    assert (len({card.code for card in booked}), refused) == (50, {"SoldOut": 150})
    assert await desk.rows("SELECT taken, capacity FROM slots WHERE id = 1") == [(50, 50)]
    assert await desk.one("SELECT count(*) FROM bookings WHERE cancelled_ms IS NULL") == 50
    assert await desk.one("SELECT count(*) FROM holds") == 0


async def test_two_programs_at_one_database_sell_no_seat_twice(open_desk):
    desks = [await open_desk(capacity=10) for _ in range(2)]

    booked, refused = await at_once(*(desks[n % 2].book(FIRST, f"Visitor {n}") for n in range(60)))

    assert (len(booked), refused) == (10, {"SoldOut": 50})


async def test_one_person_in_20_browsers_gets_one_booking(open_desk):
    desk = await open_desk(capacity=20)

    booked, refused = await at_once(*(desk.book((FIRST, SECOND)[n % 2], "Hong") for n in range(20)))

    assert len(booked) == 1
    # Holds of the same person ended with the booking; those who came after it were told at once.
    assert set(refused) <= {"HoldExpired", "AlreadyBooked"}
    assert await desk.one("SELECT count(*) FROM bookings") == 1
    assert await desk.one("SELECT sum(taken) FROM slots") == 1


async def test_a_copied_pass_in_20_browsers_books_once(open_desk):
    desk = await open_desk(capacity=20)
    by = claims()

    booked, refused = await at_once(*(desk.book((FIRST, SECOND)[n % 2], f"Visitor {n}", by) for n in range(20)))

    assert len(booked) == 1
    assert set(refused) <= {"PassUsed", "HoldExpired"}
    assert await desk.one("SELECT sum(taken) FROM slots") == 1


async def test_a_request_sent_many_times_at_once_has_one_outcome(desk):
    by = claims()
    held, _ = await at_once(*(desk.hold(FIRST, "Hong", by) for _ in range(8)))
    assert len({hold.id for hold in held}) == 1
    assert len(held) == 8

    booked, refused = await at_once(*(desk.store.confirm(held[0].id, by, now_ms=NOW_MS) for _ in range(8)))

    assert len(booked) == 8
    assert len({card.code for card in booked}) == 1
    assert await desk.one("SELECT count(*) FROM bookings") == 1
    assert not refused


async def test_the_code_shown_with_the_hold_is_the_bookings(desk):
    by = claims(number=41)
    held = await desk.hold(FIRST, "홍길동", by)
    found = await desk.store.find_hold(held.id, by, now_ms=NOW_MS)
    with pytest.raises(NoSuchBooking):
        await desk.find(held.code)

    card = await desk.store.confirm(held.id, by, now_ms=NOW_MS)

    assert card == BookingCard(held.code, held.slot, "홍*동", None, How.LINE, 41, cancelled=False)
    assert found == held
    assert held.slot.left == 1
    assert await desk.find(held.code) == card
    assert await desk.store.find_person(keys("홍길동").key, now_ms=NOW_MS) == card


async def test_a_booking_keeps_how_its_maker_got_in_and_who_booked_by_which_rule(desk):
    by = claims(pass_id="p-7", number=200_123, place=199_000, epoch=3, rule="clinic", how=How.EXEMPT)
    card = await desk.book(FIRST, party("김순자", booker="이하늘"), by)

    columns = "pass_id, room, epoch, number, place, how, bypass_rule, settings_version, created_ms"
    assert await desk.rows(f"SELECT {columns} FROM bookings") == [
        ("p-7", "vaccine", 3, 200_123, 199_000, "exempt", "clinic", 7, NOW_MS)
    ]
    kept = "masked_name, booker_masked_name, booker_seat, consent, calendar_rule"
    assert await desk.rows(f"SELECT {kept} FROM bookings") == [("김*자", "이*늘", 1, "v1", "53-54/2")]
    ((contact,),) = await desk.rows("SELECT contact FROM bookings")
    assert bytes(contact) == b"sealed"
    assert card.booker_masked_name == "이*늘"


async def test_a_hold_ends_with_its_time_and_its_seat_is_free_at_once(open_desk):
    desk = await open_desk(capacity=1)
    by = claims()
    held = await desk.hold(FIRST, "Hong", by)
    assert held.expires_ms == NOW_MS + HOLD_MS
    assert await desk.left(FIRST, held.expires_ms - 1) == 0
    assert (await desk.store.find_hold(held.id, by, now_ms=held.expires_ms - 1)).slot.left == 0

    assert await desk.left(FIRST, held.expires_ms) == 1
    for finish in (desk.store.find_hold, desk.store.confirm):
        with pytest.raises(HoldExpired):
            await finish(held.id, by, now_ms=held.expires_ms)
    await desk.book(FIRST, "Kim", now_ms=held.expires_ms)
    assert await desk.one("SELECT count(*) FROM holds") == 0


async def test_a_hold_is_its_makers_alone(desk):
    held = await desk.hold(FIRST, "Hong")

    for finish in (desk.store.find_hold, desk.store.confirm, desk.store.drop_hold):
        with pytest.raises(OtherPass):
            await finish(held.id, claims(), now_ms=NOW_MS)
    assert await desk.left(FIRST) == 1
    # Exempt visitors have a new pass with every request; the id of the hold is their proof.
    await desk.store.confirm(held.id, claims(number=None), now_ms=NOW_MS)


async def test_a_pass_holds_one_seat_and_keeps_it_when_the_next_is_sold_out(desk):
    by = claims()
    first = await desk.hold(FIRST, "Hong", by)
    second = await desk.hold(SECOND, "Hong", by)
    assert (await desk.left(FIRST), await desk.left(SECOND)) == (2, 1)
    with pytest.raises(HoldExpired):
        await desk.store.confirm(first.id, by, now_ms=NOW_MS)
    await desk.fill(FIRST)

    with pytest.raises(SoldOut):
        await desk.hold(FIRST, "Hong", by)

    assert (await desk.store.confirm(second.id, by, now_ms=NOW_MS)).slot.id == SECOND


async def test_holding_the_same_seat_again_neither_loses_nor_lengthens_it(open_desk):
    desk = await open_desk(capacity=1)
    by = claims()
    held = await desk.hold(FIRST, "Hong", by)

    again = await desk.hold(FIRST, "Hong", by, NOW_MS + 60_000)
    assert again == held
    other = await desk.hold(FIRST, "Kim", by, NOW_MS + 60_000)

    assert other.id != held.id
    assert other.code != held.code
    assert other.expires_ms == held.expires_ms
    assert other.slot.left == 0
    assert (await desk.store.confirm(other.id, by, now_ms=NOW_MS)).masked_name == "K**"


async def test_a_dropped_hold_gives_its_seat_back_once(desk):
    by = claims()
    held = await desk.hold(FIRST, "Hong", by)

    await at_once(*(desk.store.drop_hold(held.id, by, now_ms=NOW_MS) for _ in range(5)))
    await desk.store.drop_hold("unknown", by, now_ms=NOW_MS)

    assert await desk.left(FIRST) == 2
    with pytest.raises(HoldExpired):
        await desk.store.confirm(held.id, by, now_ms=NOW_MS)
    card = await desk.book(FIRST, "Hong", by)
    hold_id = await desk.one("SELECT hold_id FROM bookings")
    with pytest.raises(AlreadyBooked):
        await desk.store.drop_hold(hold_id, by, now_ms=NOW_MS)
    assert await desk.booking(card.code) == card


async def test_a_seat_cannot_be_held_that_is_not_to_be_booked(desk):
    by = claims()
    await desk.book(FIRST, party("Hong", booker="Lee"), by)

    with pytest.raises(PassUsed):
        await desk.hold(FIRST, "Kim", by)
    with pytest.raises(AlreadyBooked) as told:
        await desk.hold(SECOND, "Hong")
    assert told.value.by_proxy
    await desk.book(SECOND, "Kim")
    with pytest.raises(AlreadyBooked) as told:
        await desk.hold(SECOND, "Kim")
    assert not told.value.by_proxy
    with pytest.raises(NoSuchSlot):
        await desk.hold(999_999, "Choi")
    await desk.hold(FIRST, "Choi", now_ms=NINE - 1_800_000)
    with pytest.raises(SlotClosed):
        await desk.hold(FIRST, "Bae", now_ms=NINE - 1_800_000 + 1)


async def test_with_a_booking_the_persons_other_holds_end_and_their_seats_are_free(desk):
    elsewhere = claims()
    held = await desk.hold(FAR, party("Hong", booker="Lee"), elsewhere)
    await desk.book(FIRST, "Hong")

    assert await desk.left(FAR) == 2
    with pytest.raises(HoldExpired):
        await desk.store.confirm(held.id, elsewhere, now_ms=NOW_MS)


async def test_who_has_been_booked_meanwhile_loses_the_hold_and_not_the_seat(open_desk):
    desk = await open_desk(capacity=1)
    booked = (await desk.fill())[0]
    await desk.join("Hong")
    by = claims()
    held = await desk.hold(FAR, "Hong", by)
    await desk.cancel(booked.code)

    for error in (AlreadyBooked, HoldExpired):
        with pytest.raises(error):
            await desk.store.confirm(held.id, by, now_ms=NOW_MS)

    assert await desk.left(FAR) == 1
    assert await desk.one("SELECT count(*) FROM holds") == 0


async def test_cancelling_gives_the_seat_back_once_and_lets_the_person_book_again(desk):
    by = claims()
    card = await desk.book(FIRST, "Hong", by)
    with pytest.raises(NoSuchBooking):
        await desk.store.cancel(card.code, BIRTH.replace(day=3), now_ms=NOW_MS)
    with pytest.raises(NoSuchBooking):
        await desk.cancel("0000000000")

    cancelled, refused = await at_once(*(desk.cancel(f" {card.code.lower()}") for _ in range(5)))

    assert [each.cancelled for each in cancelled] == [True] * 5
    assert not refused
    assert await desk.left(FIRST) == 2
    with pytest.raises(HoldExpired):
        await desk.store.confirm(await desk.one("SELECT hold_id FROM bookings"), by, now_ms=NOW_MS)
    again = await desk.book(FIRST, "Hong")
    assert again.code != card.code
    assert (await desk.booking(card.code)).cancelled
    assert await desk.store.find_person(keys("Hong").key, now_ms=NOW_MS) == again
    with pytest.raises(TooLateToCancel):
        await desk.cancel(again.code, NINE)
    assert (await desk.cancel(again.code, NINE - 1)).cancelled
    assert await desk.store.find_person(keys("Hong").key, now_ms=NOW_MS) is None


@pytest.mark.parametrize("slot", [SECOND, OTHER_VACCINE, TOMORROW, FAR])
async def test_a_booking_moves_to_any_time_vaccine_and_centre_and_keeps_its_code(desk, slot):
    card = await desk.book(FIRST, "Hong")

    moved = await desk.change(card.code, slot)

    assert (moved.code, moved.slot.id, moved.slot.left) == (card.code, slot, 1)
    assert await desk.left(FIRST) == 2
    assert await desk.change(card.code, slot) == moved
    assert await desk.one("SELECT changed_ms FROM bookings") == NOW_MS


async def test_a_booking_that_cannot_move_keeps_its_seat(desk):
    card = await desk.book(FIRST, "Hong")
    await desk.fill(SECOND)

    for slot, now_ms, error in (
        (SECOND, NOW_MS, SoldOut),
        (999_999, NOW_MS, NoSuchSlot),
        (OTHER_VACCINE, NINE - 1_800_000 + 1, SlotClosed),
        (TOMORROW, NINE, TooLateToChange),
    ):
        with pytest.raises(error):
            await desk.change(card.code, slot, now_ms)
        assert await desk.booking(card.code) == card
    with pytest.raises(NoSuchBooking):
        await desk.store.change(card.code, BIRTH.replace(day=3), TOMORROW, now_ms=NOW_MS)
    # To where it is, it is no change: also when it is full, closed or over.
    assert await desk.change(card.code, FIRST, NINE) == card
    assert (await desk.change(card.code, TOMORROW, NINE - 1)).slot.id == TOMORROW


async def test_a_full_time_frees_up_for_a_change_when_a_hold_ends(open_desk):
    desk = await open_desk(capacity=1)
    card = await desk.book(FIRST, "Hong")
    held = await desk.hold(SECOND, "Kim")

    assert (await desk.change(card.code, SECOND, held.expires_ms)).slot.id == SECOND


async def test_change_and_cancel_at_once_leave_one_truth(open_desk):
    desk = await open_desk(capacity=30)
    cards = [await desk.book(FIRST, f"Visitor {n}") for n in range(20)]

    _, refused = await at_once(
        *(one for card in cards for one in (desk.change(card.code, SECOND), desk.cancel(card.code)))
    )

    assert set(refused) <= {"BookingCancelled"}
    assert (await desk.left(FIRST), await desk.left(SECOND)) == (30, 30)
    with pytest.raises(BookingCancelled):
        await desk.change(cards[0].code, TOMORROW)


async def test_bookings_that_move_criss_cross_do_not_block_each_other(open_desk):
    desk = await open_desk(capacity=40)
    here = [await desk.book(FIRST, f"Here {n}") for n in range(10)]
    there = [await desk.book(FAR, f"There {n}") for n in range(10)]

    moved, refused = await at_once(
        *(desk.change(card.code, FAR) for card in here), *(desk.change(card.code, FIRST) for card in there)
    )

    assert (len(moved), refused) == (20, {})
    assert (await desk.left(FIRST), await desk.left(FAR)) == (30, 30)


async def test_a_code_that_is_taken_is_drawn_again(open_desk):
    numbers = iter([b"i" * 16, b"a" * 10, b"j" * 16, b"a" * 10, b"a" * 10, b"b" * 10, b"a" * 10, b"b" * 10, b"c" * 10])
    desk = await open_desk(capacity=1, random=lambda _: next(numbers))
    card = await desk.book(FIRST, "Hong")
    held = await desk.hold(SECOND, "Kim")
    await desk.run("UPDATE slots SET taken = capacity WHERE id = 5")
    joined = await desk.join("Choi", centre="busan")
    await desk.run("UPDATE slots SET taken = 0 WHERE id = 5")

    assert len({card.code, held.code, joined.code}) == 3


async def test_random_numbers_that_are_none_are_a_fault_and_nothing_is_taken(open_desk):
    desk = await open_desk(random=lambda count: b"a" * count)
    await desk.book(FIRST, "Hong")

    with pytest.raises(StoreUnavailable):
        await desk.book(FIRST, "Kim")

    assert await desk.left(FIRST) == 1


@pytest.mark.parametrize("text", ["\0", "a\0b", "'", "%", "x" * 100_000, "홍길동"])
async def test_odd_words_and_numbers_are_of_nothing_and_no_fault(desk, text):
    card = await desk.book(FIRST, "Hong")
    by = claims()
    for finish in (desk.store.find_hold, desk.store.confirm):
        with pytest.raises(HoldExpired):
            await finish(text, by, now_ms=NOW_MS)
    await desk.store.drop_hold(text, by, now_ms=NOW_MS)
    for ask in (desk.find, desk.cancel, lambda code: desk.change(code, SECOND)):
        with pytest.raises(NoSuchBooking):
            await ask(text)
    with pytest.raises(NoSuchBooking):
        await desk.store.leave_waitlist(text, BIRTH, now_ms=NOW_MS)
    with pytest.raises(NoSuchCentre):
        await desk.join("Kim", centre=text)
    with pytest.raises(NoSuchVaccine):
        await desk.join("Kim", vaccine=text)
    assert await desk.store.slots(now_ms=NOW_MS, centre_id=text) == []
    assert await desk.store.slots(now_ms=NOW_MS, vaccine_id=text) == []
    for number in (0, -1, 2**31, 2**53, 2**70):
        for wish in (desk.hold(number, "Kim"), desk.change(card.code, number), desk.store.slot(number, now_ms=NOW_MS)):
            with pytest.raises(NoSuchSlot):
                await wish


async def test_a_crowd_before_a_full_time_is_told_so_even_while_its_seats_are_locked(open_desk):
    desk = await open_desk(capacity=1)
    by = claims()
    held = await desk.hold(FIRST, "Hong", by)
    locked, done = asyncio.Event(), asyncio.Event()

    async def keep(db: Any) -> None:
        await db.exec_driver_sql("UPDATE slots SET capacity = capacity")
        locked.set()
        await done.wait()

    keeping = asyncio.create_task(desk.database.write(keep))
    await locked.wait()
    async with asyncio.timeout(5):
        _, refused = await at_once(*(desk.hold(FIRST, f"Visitor {n}") for n in range(50)))
    done.set()
    await keeping

    assert refused == {"SoldOut": 50}
    assert await desk.hold(FIRST, "Hong", by) == held


async def test_exempt_visitors_hold_one_seat_for_one_person_and_find_it_again(open_desk):
    desk = await open_desk(capacity=1)

    def exempt():
        return claims(number=None, place=None, how=How.EXEMPT)

    held = await desk.hold(FIRST, "Hong", exempt())
    assert await desk.hold(FIRST, "Hong", exempt()) == held
    await desk.hold(SECOND, "Hong", exempt())

    assert (await desk.left(FIRST), await desk.left(SECOND)) == (1, 0)
    # Somebody else who books for the same person has a hold of their own.
    await desk.hold(FIRST, party("Hong", booker="Lee"), exempt())
    assert (await desk.left(FIRST), await desk.left(SECOND)) == (0, 0)
