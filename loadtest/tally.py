"""What is counted and timed over all visitors."""

import time
from array import array
from collections import Counter
from dataclasses import dataclass, field


class Watch:
    """Milliseconds since it was made, by the monotonic clock."""

    def __init__(self) -> None:
        self._start_ns = time.monotonic_ns()

    def floor_ms(self) -> int:
        return (time.monotonic_ns() - self._start_ns) // 1_000_000

    def ceil_ms(self) -> int:
        return -((self._start_ns - time.monotonic_ns()) // 1_000_000)


@dataclass(slots=True)
class Tally:
    """Counts over all visitors.

    lags_ms: how late the generator itself was, once per arrival, poll and request: by when it was due, not by when the
        answer before it came. queued_ms: of these, waits for a connection while all were in use.
    requests: tries. asked: what visitors wanted, each of one try or more; hit: of these, how many saw an error.
    troubles: the errors they saw, by gateway and kind: `refused` (no connection), `cut` (it was lost with the answer),
        `timeout`, or the status with the gate's word.
    asked_ms: when each request was wanted, whether or not there was a socket for it.
    catching_up: status answers that said that the line could not be asked. away_ms: when these, or errors for the same
        reason, were seen.
    false_answered, false_lost: requests that brought a token known to be false, and were answered, or may have been
        read without that an answer came.
    """

    asked: int = 0
    hit: int = 0
    catching_up: int = 0
    away_ms: "array[int]" = field(default_factory=lambda: array("L"))
    troubles: Counter[tuple[str, str]] = field(default_factory=Counter)
    requests: int = 0
    reconnects: int = 0
    orphans: int = 0
    false_answered: int = 0
    false_lost: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    lags_ms: "array[int]" = field(default_factory=lambda: array("L"))
    queued_ms: "array[int]" = field(default_factory=lambda: array("L"))
    asked_ms: "array[int]" = field(default_factory=lambda: array("L"))
