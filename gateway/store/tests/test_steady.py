from hypothesis import given
from hypothesis import strategies as st

from gateway.store.steady import Moment, SteadyClock, steady_now

HOUR = 3_600_000
steps = st.lists(st.tuples(st.integers(0, HOUR), st.integers(-HOUR, HOUR)), max_size=30)


def test_it_is_the_wall_clock_while_that_goes_forward():
    assert steady_now(1_000, 50, 990, 40) == Moment(1_000, 50)
    assert steady_now(HOUR, 50, 990, 40) == Moment(HOUR, 50)


def test_it_goes_on_at_half_speed_while_the_wall_clock_is_behind():
    assert steady_now(500, 140, 1_000, 40) == Moment(1_050, 140)


def test_a_clock_read_every_millisecond_does_not_stand_still():
    now = Moment(1_000, 0)
    for mono_ms in range(1, 1_001):
        now = steady_now(0, mono_ms, now.now_ms, now.mono_ms)
    assert now.now_ms == 1_500


@given(steps)
def test_it_never_goes_back_and_never_stands_still_whatever_the_wall_clock_does(walk):
    wall_ms, mono_ms = HOUR, 0
    now = start = Moment(wall_ms, mono_ms)
    for elapsed_ms, jump_ms in walk:
        wall_ms += elapsed_ms + jump_ms
        mono_ms += elapsed_ms
        after = steady_now(wall_ms, mono_ms, now.now_ms, now.mono_ms)
        assert after.now_ms >= max(now.now_ms, wall_ms)
        assert after.now_ms - start.now_ms >= mono_ms // 2
        now = after


@given(steps, st.lists(st.integers(0, 1), min_size=30, max_size=30))
def test_one_process_never_sees_it_go_back_though_two_keep_it(walk, which):
    wall_ms, mono_ms = HOUR, 0
    clocks = [SteadyClock(lambda: wall_ms, lambda: mono_ms) for _ in range(2)]
    kept, seen = Moment(wall_ms, mono_ms), [0, 0]
    for (elapsed_ms, jump_ms), one in zip(walk, which, strict=False):
        wall_ms += elapsed_ms + jump_ms
        mono_ms += elapsed_ms
        now = clocks[one].read(kept)
        assert now.now_ms >= seen[one]
        seen[one] = now.now_ms
        if jump_ms % 2:
            kept = max(kept, now, key=lambda moment: moment.now_ms)
