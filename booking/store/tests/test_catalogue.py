"""What there is to book, and what stays as it is from start to start."""

import asyncio

import pytest

from booking.errors import NoSuchCentre, NoSuchSlot
from booking.model import Stock
from booking.schedule import DAY_MS, DEMO_CENTRES, DEMO_VACCINES, demo_slots
from booking.store import BookingStore, WrongSecret
from booking.store.tests.desk import (
    BUSAN,
    CENTRES,
    DAY,
    FAR,
    FIRST,
    GAON,
    HOLD_MS,
    HOUR_MS,
    NEXT_DAY,
    NOW_MS,
    NURI,
    OTHER_VACCINE,
    SECOND,
    SECRET,
    SEOUL,
    TOMORROW,
    VACCINES,
)


async def ids(desk, **chosen):
    return [slot.id for slot in await desk.store.slots(**{"now_ms": NOW_MS, **chosen})]


async def test_slots_are_chosen_by_centre_vaccine_and_day_and_told_by_time(desk):
    assert await ids(desk) == [FAR, FIRST, OTHER_VACCINE, SECOND, TOMORROW]
    assert await ids(desk, centre_id=SEOUL) == [FIRST, OTHER_VACCINE, SECOND, TOMORROW]
    assert await ids(desk, vaccine_id=NURI) == [OTHER_VACCINE]
    assert await ids(desk, day=NEXT_DAY) == [TOMORROW]
    assert await ids(desk, centre_id=BUSAN, vaccine_id=GAON, day=DAY) == [FAR]
    assert await ids(desk, centre_id=BUSAN, vaccine_id=NURI) == []
    nine = (await desk.store.slot(FIRST, now_ms=NOW_MS)).starts_ms
    assert await ids(desk, now_ms=nine - 1_800_000, day=DAY) == [FAR, FIRST, OTHER_VACCINE, SECOND]
    assert await ids(desk, now_ms=nine - 1_800_000 + 1, day=DAY) == [SECOND]
    with pytest.raises(NoSuchSlot):
        await desk.store.slot(999, now_ms=NOW_MS)


async def test_centres_and_vaccines_are_told_in_their_order(desk):
    assert tuple(await desk.store.centres()) == CENTRES
    assert tuple(await desk.store.vaccines()) == VACCINES
    assert await desk.store.centre(BUSAN) == CENTRES[1]
    with pytest.raises(NoSuchCentre):
        await desk.store.centre("atlantis")


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("서울", [SEOUL]),
        ("물결 예방", [BUSAN]),
        ("  SEOUL ", [SEOUL]),
        ("ｂｕｓａｎ", [BUSAN]),  # noqa: RUF001 - full width, as some keyboards type
        ("예방접종센터", [SEOUL, BUSAN]),
        ("서울 부산", []),
        ("%", []),
        ("", [SEOUL, BUSAN]),
    ],
)
async def test_centres_are_found_by_words_of_region_name_and_address(desk, search, found):
    assert [centre.id for centre in await desk.store.centres(search=search)] == found


async def test_the_stock_tells_free_seats_from_unbooked_ones(desk):
    assert await desk.store.stock(now_ms=NOW_MS) == Stock(left=10, unbooked=10)
    await desk.book(FIRST, "Hong")
    held = await desk.hold(FAR, "Kim")
    assert await desk.store.stock(now_ms=NOW_MS) == Stock(left=8, unbooked=9)
    assert await desk.store.stock(now_ms=held.expires_ms) == Stock(left=9, unbooked=9)
    # What begins too soon to be booked is no stock.
    assert await desk.store.stock(now_ms=NOW_MS + 13 * HOUR_MS) == Stock(left=4, unbooked=4)
    assert await desk.store.stock(now_ms=NOW_MS + 3 * DAY_MS) == Stock(left=0, unbooked=0)


async def test_starting_again_adds_days_and_changes_nothing_else(desk):
    await desk.book(FIRST, "Hong")
    before = await desk.rows("SELECT * FROM slots ORDER BY id")
    slots = list(demo_slots(NOW_MS, capacity=9))

    await asyncio.gather(*(desk.store.prepare(DEMO_CENTRES, DEMO_VACCINES, slots) for _ in range(3)))

    assert (await desk.rows("SELECT * FROM slots ORDER BY id"))[: len(before)] == before
    assert await desk.one("SELECT count(*) FROM slots") == 6 * 7 * 8 * 2
    assert await desk.one("SELECT count(*) FROM centres") == 6


async def test_another_secret_is_refused_since_people_could_book_twice(desk):
    other = BookingStore(desk.database, secret=b"o" * 32, hold_ms=HOLD_MS, proxy_limit=1)
    with pytest.raises(WrongSecret):
        await other.prepare((), (), ())
    await BookingStore(desk.database, secret=SECRET, hold_ms=HOLD_MS, proxy_limit=1).prepare((), (), ())
