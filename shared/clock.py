"""Wall-clock time as everything here counts it: whole milliseconds since 1970, UTC."""

import time
from collections.abc import Callable

# A clock is a function, so that a test passes its own.
Clock = Callable[[], int]


def now_ms() -> int:
    """Milliseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1_000_000
