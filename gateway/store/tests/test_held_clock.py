"""The line's clock while the server's does what it likes. True time is only the test's: nobody in it can read that."""

from dataclasses import dataclass, field
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.held_clock import AGREE_MS, FAR_AHEAD_MS, TOLERANCE_MS, HeldClock, Reading

START: Final = 1_800_000_000_000
STEP: Final = 600_000
HOUR: Final = 3_600_000
# A wall clock that agrees with nobody.
ASTRAY: Final = 10 * HOUR


@dataclass
class Gateway:
    """One that looks at the line, and ticks. astray_ms: what its wall clock is off by."""

    line: "Line"
    astray_ms: int = 0
    clock: HeldClock = field(default_factory=HeldClock)

    def read(self, *, late_ms: int = 0) -> Reading:
        """late_ms: how long ago the server said what it said."""
        line = self.line
        return self.clock.read(
            raw_ms=line.raw_ms - late_ms,
            shift_ms=line.shift_ms,
            last_tick_ms=line.last_tick_ms,
            mono_ms=line.true_ms - START + 77 * self.astray_ms,
            wall_ms=line.true_ms + self.astray_ms,
        )

    def tick(self) -> Reading:
        reading = self.read()
        self.line.shift_ms, self.line.last_tick_ms = reading.shift_ms, max(self.line.last_tick_ms, reading.now_ms)
        return reading


@dataclass
class Line:
    """What the store has. off_ms: how far the server's clock is from the true time."""

    true_ms: int = START
    off_ms: int = 0
    shift_ms: int = 0
    last_tick_ms: int = START

    @property
    def raw_ms(self) -> int:
        return self.true_ms + self.off_ms

    def pass_time(self, elapsed_ms: int) -> None:
        self.true_ms += elapsed_ms


def test_it_is_the_servers_clock_while_nothing_happens():
    line = Line(off_ms=-1_234, last_tick_ms=START - 5_000)
    gateway = Gateway(line)
    for _ in range(100):
        assert gateway.tick() == Reading(line.raw_ms, 0)
        line.pass_time(200)


@pytest.mark.parametrize("step_ms", [STEP, -STEP])
@pytest.mark.parametrize("ticking", [True, False])
def test_the_line_goes_on_by_its_own_time_when_the_servers_clock_steps_there_and_back(step_ms, ticking):
    line = Line()
    gateways = [Gateway(line), Gateway(line, astray_ms=ASTRAY)]
    for off_ms in (0, step_ms, 0, -step_ms, step_ms, 0):
        line.off_ms = off_ms
        for _ in range(5):
            for gateway in gateways:
                reading = gateway.tick() if ticking else gateway.read()
                assert reading.now_ms == line.true_ms
                assert line.raw_ms + reading.shift_ms == line.true_ms
            line.pass_time(200)


def test_the_shift_that_one_gateway_wrote_is_enough_for_all_others():
    line = Line()
    ticking, looking = Gateway(line, astray_ms=ASTRAY), Gateway(line, astray_ms=ASTRAY)
    for gateway in (ticking, looking):
        gateway.read()
    line.pass_time(200)
    line.off_ms = STEP
    assert ticking.tick().jump_ms == STEP
    line.pass_time(200)
    for gateway in (ticking, looking, Gateway(line, astray_ms=ASTRAY)):
        assert gateway.read() == Reading(line.true_ms, -STEP)


def test_a_step_that_is_a_correction_is_followed():
    line = Line(off_ms=-STEP, last_tick_ms=START - STEP)
    gateway = Gateway(line)
    assert gateway.tick().now_ms == START - STEP
    line.pass_time(200)
    line.off_ms = 0
    # This machine has known better all the time.
    assert gateway.tick() == Reading(line.true_ms, 0, STEP)


def test_a_correction_backwards_is_not_followed_into_the_past():
    line = Line(off_ms=STEP, last_tick_ms=START + STEP)
    gateway = Gateway(line)
    before = gateway.tick().now_ms
    line.pass_time(200)
    line.off_ms = 0
    assert gateway.tick().now_ms == before + 200
    line.pass_time(200)
    assert gateway.tick().now_ms == before + 400


def test_a_gateway_without_a_past_does_not_believe_a_clock_far_ahead_of_its_own():
    line = Line(off_ms=FAR_AHEAD_MS + 1)
    reading = Gateway(line).read()
    assert (reading.now_ms, reading.jump_ms) == (START, FAR_AHEAD_MS + 1)
    assert line.raw_ms + reading.shift_ms == START


def test_a_gateway_without_a_past_goes_by_a_line_that_others_keep_far_ahead():
    line = Line(off_ms=HOUR, last_tick_ms=START + HOUR - TOLERANCE_MS)
    assert Gateway(line).read() == Reading(START + HOUR, 0)


def test_a_gateway_without_a_past_takes_the_last_tick_for_the_least_time_it_may_be():
    line = Line(off_ms=-STEP)
    gateway = Gateway(line)
    assert gateway.tick().now_ms == START
    line.pass_time(200)
    assert gateway.tick().now_ms == START + 200


def test_an_answer_that_comes_late_moves_the_line_no_further_than_it_was_late():
    line = Line()
    gateway = Gateway(line, astray_ms=ASTRAY)
    gateway.tick()
    for late_ms in (0, 900, 5_000, 0, 300):
        line.pass_time(6_000)
        assert 0 <= line.true_ms - gateway.read(late_ms=late_ms).now_ms <= min(late_ms, TOLERANCE_MS)


moves = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 5_000) | st.integers(0, HOUR),
        st.just(0) | st.sampled_from([STEP, -STEP, TOLERANCE_MS, -TOLERANCE_MS]) | st.integers(-HOUR, HOUR),
        st.booleans(),
    ),
    max_size=40,
)


@given(moves, st.lists(st.just(0) | st.integers(-HOUR, HOUR), min_size=3, max_size=3))
def test_no_gateway_ever_sees_the_line_go_back_whatever_the_clocks_do(walk, astray):
    line = Line()
    gateways = [Gateway(line, astray_ms=each) for each in astray]
    seen = [0, 0, 0]
    for which, elapsed_ms, step_ms, ticks in walk:
        line.pass_time(elapsed_ms)
        line.off_ms += step_ms
        before = line.last_tick_ms
        now_ms = (gateways[which].tick() if ticks else gateways[which].read()).now_ms
        assert now_ms >= max(seen[which], before)
        seen[which] = now_ms


@given(moves)
def test_a_step_of_any_size_moves_the_line_by_the_tolerance_at_most_where_no_other_clock_confirms_it(
    walk,
):
    line = Line()
    # Further away than all steps together: a server's clock never comes to agree with it.
    gateways = [Gateway(line, astray_ms=1_000 * HOUR) for _ in range(3)]
    for gateway in gateways:
        gateway.read()
    small = 0
    for which, elapsed_ms, step_ms, ticks in walk:
        line.pass_time(elapsed_ms)
        line.off_ms += step_ms
        small += min(abs(step_ms), TOLERANCE_MS)
        now_ms = (gateways[which].tick() if ticks else gateways[which].read()).now_ms
        assert abs(now_ms - line.true_ms) <= small


@given(moves, st.integers(-AGREE_MS, AGREE_MS))
def test_where_a_server_tells_the_time_again_the_line_does_too(walk, astray_ms):
    line = Line()
    gateway = Gateway(line, astray_ms=astray_ms)
    gateway.read()
    for _, elapsed_ms, step_ms, _ in walk:
        line.pass_time(elapsed_ms)
        line.off_ms += step_ms
        gateway.tick()
    ahead_ms = max(gateway.clock._last_ms - line.true_ms, 0)
    line.off_ms = 0
    # A line that is ahead is let come back by no clock: true time comes up to it, or it stays as far ahead.
    for _ in range(3):
        line.pass_time(1)
        gateway.tick()
    assert -TOLERANCE_MS <= gateway.read().now_ms - line.true_ms <= max(ahead_ms, TOLERANCE_MS)
