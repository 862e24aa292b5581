"""What the store promises persons: what is kept is told, what is forgotten is gone, and the provenance stays."""

import json

import pytest

from booking.errors import NoSuchBooking
from booking.model import Erased, Purged
from booking.schedule import DAY_MS
from booking.store.tests.desk import (
    BUSAN,
    FAR,
    FIRST,
    GAON,
    HOUR_MS,
    NEXT_DAY,
    NOW_MS,
    SECOND,
    SEOUL,
    TOMORROW,
    claims,
    keys,
    party,
)

PERSONAL = "person_key, birth_check, masked_name, contact, booker_key, booker_masked_name, booker_seat"
PROVENANCE = "pass_id, room, epoch, number, place, how, bypass_rule, settings_version, consent, calendar_rule, slot_id"
NINE = NOW_MS + 13 * HOUR_MS


async def test_purging_forgets_people_of_past_appointments_and_old_cancellations_only(desk):
    past = await desk.book(FIRST, party("Past", booker="Lee"), claims(number=41))
    cancelled = await desk.book(TOMORROW, "Cancelled")
    await desk.cancel(cancelled.code)
    coming = await desk.book(TOMORROW, "Coming")
    before = await desk.rows(f"SELECT {PROVENANCE}, created_ms FROM bookings ORDER BY code")

    counted = await desk.store.purge(before_ms=NINE + 1, dry_run=True)
    assert await desk.booking(past.code) == past
    purged = await desk.store.purge(before_ms=NINE + 1)

    assert purged == counted == Purged(bookings=2, waiting=0)
    assert await desk.store.purge(before_ms=NINE + 1) == Purged(0, 0)
    assert await desk.rows(f"SELECT {PERSONAL} FROM bookings WHERE person_key IS NULL") == [(None,) * 7] * 2
    assert await desk.rows(f"SELECT {PROVENANCE}, created_ms FROM bookings ORDER BY code") == before
    for card in (past, cancelled):
        with pytest.raises(NoSuchBooking):
            await desk.find(card.code)
    assert await desk.booking(coming.code) == coming
    assert await desk.store.find_person(keys("Past").key, now_ms=NOW_MS) is None


async def test_purging_has_an_edge(desk):
    await desk.book(FIRST, "Hong")

    assert await desk.store.purge(before_ms=NINE, dry_run=True) == Purged(0, 0)
    assert await desk.store.purge(before_ms=NINE + 1, dry_run=True) == Purged(1, 0)


async def test_purging_ends_waits_of_past_days(open_desk):
    desk = await open_desk(capacity=1)
    await desk.fill()
    await desk.fill(TOMORROW)
    await desk.join("Past")
    coming = await desk.join("Coming", day=NEXT_DAY)

    assert await desk.store.purge(before_ms=NINE + DAY_MS) == Purged(3, 1)
    assert await desk.find(coming.code) == coming


async def test_purging_many_at_once_leaves_none(open_desk, monkeypatch):
    monkeypatch.setattr("booking.store.people.BATCH", 3)
    desk = await open_desk(capacity=10)
    await desk.fill(FIRST)

    assert await desk.store.purge(before_ms=NINE + 1) == Purged(10, 0)
    assert await desk.one("SELECT count(*) FROM bookings WHERE person_key IS NULL") == 10


async def test_a_person_is_told_all_that_is_kept_of_them_and_nothing_of_others(desk):
    card = await desk.book(FIRST, party("홍길동", booker="이하늘"), claims(number=41))
    await desk.hold(FAR, party("김순자", booker="홍길동"))
    others = await desk.book(SECOND, party("Kim Minji", booker="홍길동"))

    told = await desk.store.export_person(keys("홍길동").key)

    assert json.loads(json.dumps(told)) == told
    (booking,) = told["bookings"]
    assert booking["code"] == card.code
    assert (booking["masked_name"], booking["booker_masked_name"], booking["number"]) == ("홍*동", "이*늘", 41)
    assert (booking["centre_id"], booking["vaccine_id"], booking["starts_ms"]) == (SEOUL, GAON, NINE)
    assert booking["contact_sealed"] == "sealed"
    assert (told["waiting"], told["holds"]) == ([], [])
    assert len(told["booked_for_others"]) == 2
    assert others.code in told["booked_for_others"]
    assert "K**" not in json.dumps(told, ensure_ascii=False)
    assert await desk.store.export_person(keys("Nobody").key) == {
        "bookings": [],
        "waiting": [],
        "holds": [],
        "booked_for_others": [],
    }


async def test_what_waits_and_what_is_held_is_told_as_well(open_desk):
    desk = await open_desk(capacity=1)
    await desk.fill()
    entry = await desk.join("Hong", vaccine=GAON)
    held = await desk.hold(FAR, "Hong")

    told = await desk.store.export_person(keys("Hong").key)

    assert [each["code"] for each in told["waiting"]] == [entry.code]
    assert told["waiting"][0]["day"] == "2021-07-20"
    assert [(each["code"], each["centre_id"]) for each in told["holds"]] == [(held.code, BUSAN)]


async def test_who_is_erased_is_gone_with_their_seats_and_the_provenance_stays(open_desk):
    desk = await open_desk(capacity=1, proxy_limit=3)
    card = await desk.book(FIRST, "Hong", claims(pass_id="p-7", number=41))
    await desk.fill(SECOND, 3)
    waiting = await desk.join("Waiting")
    await desk.hold(FAR, party("Aunt", booker="Hong"))
    uncle = await desk.join(party("Uncle", booker="Hong"))
    mother = await desk.book(TOMORROW, party("Mother", booker="Hong"))

    erased = await desk.store.erase_person(keys("Hong").key, now_ms=NOW_MS)

    assert erased == Erased(cancelled=1, bookings=1, waiting=0, holds=0, booked_for_others=3)
    with pytest.raises(NoSuchBooking):
        await desk.find(card.code)
    assert await desk.rows(f"SELECT {PERSONAL} FROM bookings WHERE pass_id = 'p-7'") == [(None,) * 7]
    assert await desk.rows("SELECT number, cancelled_ms FROM bookings WHERE pass_id = 'p-7'") == [(41, NOW_MS)]
    # The seat went to who waited for it.
    assert (await desk.booking(waiting.code)).slot.id == FIRST
    # The mother keeps her booking; who made it is forgotten, and so is the number they may have left.
    kept = await desk.booking(mother.code)
    assert (kept.masked_name, kept.booker_masked_name, kept.cancelled) == ("M*****", None, False)
    assert await desk.rows("SELECT contact FROM bookings WHERE masked_name = 'M*****'") == [(None,)]
    assert (await desk.find(uncle.code)).booker_masked_name is None
    assert await desk.one("SELECT count(*) FROM holds WHERE booker_key IS NULL") == 1
    assert await desk.store.erase_person(keys("Hong").key, now_ms=NOW_MS) == Erased(0, 0, 0, 0, 0)


async def test_erasing_who_only_waits_or_holds_leaves_nothing(open_desk):
    desk = await open_desk(capacity=1)
    await desk.fill()
    by = claims()
    held = await desk.hold(FAR, "Hong", by)
    entry = await desk.join("Hong", by)

    assert await desk.store.erase_person(keys("Hong").key, now_ms=NOW_MS) == Erased(0, 0, 1, 1, 0)

    assert await desk.left(FAR) == 1
    with pytest.raises(NoSuchBooking):
        await desk.find(entry.code)
    assert held.code
    assert await desk.one("SELECT count(*) FROM waitlist") == 0


async def test_an_appointment_that_was_kept_is_not_cancelled_by_erasing(desk):
    await desk.book(FIRST, "Hong")

    assert (await desk.store.erase_person(keys("Hong").key, now_ms=NINE)).cancelled == 0
    assert await desk.one("SELECT cancelled_ms FROM bookings") is None


async def test_of_a_booker_who_is_erased_the_number_the_person_left_can_be_kept(desk):
    await desk.book(FIRST, party("Mother", booker="Hong"))

    await desk.store.erase_person(keys("Hong").key, now_ms=NOW_MS, without_booker=lambda sealed: sealed[:4])

    ((contact,),) = await desk.rows("SELECT contact FROM bookings")
    assert bytes(contact) == b"seal"
