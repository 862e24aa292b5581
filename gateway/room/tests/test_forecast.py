"""A forecast worked out once tells what one made for each question would."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.room import course
from gateway.room.course import Course
from gateway.room.forecast import Forecast, wait_range
from gateway.room.model import Call, Limits, limits_in_force
from gateway.room.schedule import Change, Phase, Window, look
from gateway.room.tests.test_policy import NOW, curves, room

MINUTE = 60_000
LINES = 200

moments = st.lists(st.integers(NOW - 9, NOW + 20), min_size=3, max_size=12, unique=True).map(sorted)


@st.composite
def schedules(draw):
    """Settings that change, open and close within a few milliseconds, or within a few hours."""
    scale = draw(st.sampled_from([1, 10 * MINUTE]))
    opens, closes, opens_again = (NOW + (at - NOW) * scale for at in draw(moments)[:3])
    changes = [
        Change(NOW + (at - NOW) * scale, draw(st.none() | st.integers(0, 900)), draw(st.none() | st.integers(0, 900)))
        for at in draw(moments)
    ]
    return Limits(
        opens_at_ms=draw(st.sampled_from([None, opens])),
        closes_at_ms=closes,
        more_windows=(Window(opens_again, None),) * draw(st.integers(0, 1)),
        timetable=tuple(changes),
    )


@settings(deadline=None)
@given(schedules(), st.integers(NOW - 20, NOW + 40))
def test_a_course_says_of_every_moment_what_the_settings_say(limits, now_ms):
    for at_ms in (now_ms, NOW + (now_ms - NOW) * 10 * MINUTE):
        made = Course(limits)
        here = made.since(made.at(at_ms))[0]
        there = limits_in_force(limits, at_ms)
        assert (here.outflow, here.ceiling) == (there.new_users_per_minute, there.total_active_users)
        assert here.is_open == (look(limits.windows, limits.prequeue_ms, at_ms).phase is Phase.OPEN)
        assert here.until_ms is None or at_ms < here.until_ms


@settings(deadline=None)
@given(st.data())
def test_a_forecast_carried_on_tells_what_a_new_one_would(data):
    limits = [data.draw(schedules()) for _ in range(2)]
    counts = [{}, {"admitted": 900, "inside_s": 90_000}, {"estimate.within": 40, "estimate.later": 60}]
    forecast = Forecast(room())
    at = room(tail=10_000)
    for _ in range(4):
        changes = {
            "limits": st.sampled_from(limits),
            "curve": curves,
            "counters": st.sampled_from(counts),
            "calls": st.sampled_from([(), (Call(1, 50, 0, 50),)]),
            "live": st.integers(0, 900),
            "lane_waiting": st.integers(0, 9),
            "lane_granted": st.integers(0, 9),
            "pace_milli": st.integers(0, 10**6),
            "call_clock_ms": st.integers(0, 20_000),
            "now_ms": st.integers(NOW - 9, NOW + 60) | st.integers(NOW, NOW + 200 * MINUTE),
        }
        name = data.draw(st.sampled_from(sorted(changes)))
        at = replace(at, **{name: data.draw(changes[name])})
        forecast = forecast.of(at)
        ahead = data.draw(st.integers(0, 10_000))
        assert forecast.wait_range(at, ahead) == wait_range(at, ahead)


@pytest.fixture
def looks(monkeypatch):
    """How often a schedule was looked at, moment by moment."""
    seen = []

    def looking(*asked):
        seen.append(asked)
        return look(*asked)

    monkeypatch.setattr(course, "look", looking)
    return seen


def test_a_long_timetable_is_gone_through_once_however_many_ask_and_however_often_the_room_ticks(looks):
    lines = tuple(Change(NOW + MINUTE * (at + 1), 600 + at) for at in range(LINES))
    at = room(limits=Limits(timetable=lines), tail=50_000)
    forecast = Forecast(at)
    for asked in range(1_000):
        at = replace(at, now_ms=at.now_ms + 100, tick=at.tick + 1, live=asked % 300)
        forecast = forecast.of(at)
        assert forecast.wait_range(at, 49_000) is not None
    assert len(looks) == LINES + 1


def test_the_low_end_counts_with_people_giving_up_but_never_with_an_earlier_opening():
    """Of 60,000, who take 83 minutes at least, a sixth may be gone by then; of 600 hardly anybody."""
    opens_ms = NOW + 120 * MINUTE
    for now, least_ms in ((Limits(), 0), (Limits(opens_at_ms=opens_ms), 120 * MINUTE)):
        limits = replace(now, total_active_users=10**6)
        at = room(limits=replace(limits, new_users_per_minute=600), tail=100_000, now_ms=NOW, calls=())
        told = [wait_range(at, ahead) for ahead in (0, 600, 6_000, 30_000, 60_000, 99_999)]
        lows = [each[0] for each in told if each is not None]
        assert len(lows) == len(told)
        assert lows == sorted(lows)
        assert lows[0] >= least_ms
        soon_ms, late_ms = (lows[index] - least_ms for index in (1, 4))
        assert 0.5 * 100 * soon_ms < late_ms < 0.85 * 100 * soon_ms
