"""The tables themselves forbid what must never happen, whoever writes; and what they cannot, `check` finds."""

import pytest

from booking.errors import StoreUnavailable
from booking.store.tests.desk import FIRST, SECOND, party

BOOKING = (
    "INSERT INTO bookings (code, hold_id, waitlist_id, slot_id, created_ms, person_key, birth_check, masked_name, "
    "contact, booker_key, booker_masked_name, booker_seat, pass_id, room, epoch, how, settings_version) "
    "SELECT {code}, {hold_id}, {waitlist_id}, {slot_id}, created_ms, {person_key}, {birth_check}, masked_name, "
    "contact, {booker_key}, booker_masked_name, {booker_seat}, {pass_id}, room, epoch, how, settings_version "
    "FROM bookings"
)
FINE = {
    "code": "'C2'",
    "hold_id": "'h2'",
    "waitlist_id": "NULL",
    "slot_id": "slot_id",
    # Another row's; both databases know them as bytes.
    "person_key": "birth_check",
    "birth_check": "birth_check",
    "booker_key": "booker_key",
    "booker_seat": "2",
    "pass_id": "'p2'",
}


@pytest.mark.parametrize(
    "change",
    [
        {"code": "code"},
        {"hold_id": "hold_id"},
        {"person_key": "person_key"},
        {"pass_id": "pass_id"},
        {"booker_seat": "1"},
        {"booker_seat": "0"},
        {"booker_seat": "101"},
        {"booker_seat": "NULL"},
        {"booker_key": "NULL"},
        {"person_key": "NULL"},
        {"birth_check": "NULL"},
        {"hold_id": "NULL"},
        {"waitlist_id": "7"},
        {"slot_id": "999"},
    ],
    ids=lambda change: "-".join(f"{name}={value}" for name, value in change.items()),
)
async def test_a_booking_that_must_not_be_is_refused(desk, change):
    await desk.book(FIRST, party("Mother", booker="Child"))

    with pytest.raises(StoreUnavailable):
        await desk.run(BOOKING.format(**FINE | change))

    await desk.run(BOOKING.format(**FINE))
    await desk.run("UPDATE slots SET taken = 2 WHERE id = 1")


async def test_a_cancelled_booking_forbids_only_its_pass(desk):
    card = await desk.book(FIRST, party("Mother", booker="Child"))
    await desk.cancel(card.code)
    with pytest.raises(StoreUnavailable):
        await desk.run(BOOKING.format(**FINE | {"pass_id": "pass_id"}))

    await desk.run(BOOKING.format(**FINE | {"person_key": "person_key", "booker_seat": "1"}))
    await desk.run("UPDATE slots SET taken = 1 WHERE id = 1")


@pytest.mark.parametrize("taken", ["capacity + 1", "-1"])
async def test_a_slot_is_never_oversold(desk, taken):
    with pytest.raises(StoreUnavailable):
        await desk.run(f"UPDATE slots SET taken = {taken}")


async def test_one_pass_holds_once_and_one_person_waits_once(open_desk):
    desk = await open_desk(capacity=1)
    await desk.fill()
    await desk.join("Hong")
    for table in ("holds", "waitlist"):
        columns = (
            "slot_id, expires_ms"
            if table == "holds"
            else "centre_id, day, joined_ms, room, epoch, how, settings_version"
        )
        rest = f"birth_check, masked_name, contact, {columns}"
        if table == "holds":
            await desk.hold(5, "Kim")
        for code, person, by in (
            ("code", "birth_check", "'p'"),
            ("'C'", "person_key", "'p'"),
            ("'C'", "birth_check", "pass_id"),
        ):
            if table == "holds" and person == "person_key":
                continue  # two may hold for one person; one of them will book
            names, values = ("id, ", "'i', ") if table == "holds" else ("", "")
            with pytest.raises(StoreUnavailable):
                await desk.run(
                    f"INSERT INTO {table} ({names}code, person_key, pass_id, {rest}) "
                    f"SELECT {values}{code}, {person}, {by}, {rest} FROM {table}"
                )


async def test_errors_name_no_value_of_a_row(desk):
    card = await desk.book(FIRST, "홍길동")

    with pytest.raises(StoreUnavailable) as told:
        await desk.run(BOOKING.format(**FINE | {"code": "code", "booker_seat": "NULL"}))

    assert card.code not in str(told.value)
    assert "홍" not in str(told.value)
    assert len(str(told.value).splitlines()) == 1
    # Nor does what a log would print with it.
    assert told.value.__suppress_context__


async def test_check_finds_seats_that_are_counted_wrong_and_codes_given_twice(desk):
    card = await desk.book(FIRST, "Hong")
    await desk.hold(SECOND, "Kim")
    assert await desk.store.check() == []

    await desk.run("UPDATE slots SET taken = 0 WHERE id = 1")
    await desk.run("UPDATE slots SET taken = 2 WHERE id = 2")
    await desk.run(f"UPDATE holds SET code = '{card.code}'")
    found = await desk.store.check()
    assert found == [
        "slot 1: 0 of 2 seats counted, but 0 held and 1 booked",
        "slot 2: 2 of 2 seats counted, but 1 held and 0 booked",
        "1 codes are given to more than one",
    ]
    await desk.run("UPDATE slots SET taken = 1 WHERE id <= 2")
    await desk.run("UPDATE holds SET code = 'another'")
