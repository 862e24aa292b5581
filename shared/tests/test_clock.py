"""Time as everything here counts it: whole milliseconds since 1970."""

import time

from shared.clock import now_ms


def test_the_clock_is_the_machines_in_whole_milliseconds():
    before = time.time()
    now = now_ms()
    assert isinstance(now, int)
    assert before * 1000 - 1 <= now <= time.time() * 1000 + 1
