"""The demo's appointments and the rules of time."""

from datetime import date, datetime

from booking import schedule
from booking.tests.conftest import START_MS


def test_the_next_seven_days_have_the_same_hours_at_every_centre():
    slots = list(schedule.demo_slots(START_MS, capacity=60))

    assert len(slots) == len(set(slots)) == 6 * 7 * 8 * 2
    moments = [schedule.in_korea(start) for _, _, start, _ in slots]
    assert min(moments) == datetime.fromisoformat("2021-07-20T09:00:00+09:00")
    assert max(moments) == datetime.fromisoformat("2021-07-26T17:00:00+09:00")


def test_the_day_is_koreas_not_the_servers():
    late_in_korea = schedule.to_ms(datetime.fromisoformat("2021-07-19T15:00:00+00:00"))

    assert schedule.in_korea(late_in_korea).date() == date(2021, 7, 20)
    assert schedule.in_korea(late_in_korea - 1).date() == date(2021, 7, 19)
    assert schedule.day_bounds(date(2021, 7, 20))[0] == late_in_korea
    assert (
        min(start for _, _, start, _ in schedule.demo_slots(late_in_korea, capacity=60))
        > late_in_korea + schedule.DAY_MS
    )


def test_the_first_and_last_day_there_is_have_bounds():
    for day in (date.min, date.max):
        start, end = schedule.day_bounds(day)
        assert end - start == schedule.DAY_MS


def test_booking_ends_half_an_hour_before():
    assert schedule.bookable_from(START_MS) == START_MS + 1_800_000
