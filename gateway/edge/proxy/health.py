"""What is thought of one server: a pure state machine, told what happened and when.

Two judgements, independent of each other. The *active checks* say up or down. The *requests themselves* send a server
that fails them to rest; after its rest it gets one trial request at a time, until one succeeds. After either, its
share rises slowly.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from gateway.edge.proxy.balance import Standing
from gateway.settings import Upstream

LONGEST_REST_S: Final = 60.0
# A share of 0 would never be tried, and one close to it takes no part until others are overrun. (Envoy's default.)
LEAST_SHARE: Final = 0.1


class Verdict(Enum):
    """What an active check found. DRAIN: the server itself asks for no new requests."""

    GOOD = "good"
    BAD = "bad"
    DRAIN = "drain"


@dataclass(slots=True)
class Attempt:
    """One request at a server. What came of one that began before the last rest says nothing about the server now.

    trial: number of the trial it is, 0 if it is none.
    """

    era: int
    trial: int
    answered: bool = False
    failed: bool = False


class Health:
    """One server's health. Times are seconds of one monotonic clock. Servers begin healthy."""

    def __init__(self, settings: Upstream) -> None:
        self._rise = settings.health_rise
        self._fall = settings.health_fall
        self._fails = settings.passive_fails
        self._first_rest_s = settings.rest_s
        self._slow_start_s = settings.slow_start_s
        self.up = True
        self.failures = 0
        self._streak = 0
        self._era = 0
        self._rest_s = 0.0
        self._rest_until_s: float | None = None
        # The trial under way (0: none), and until when others wait for what comes of it.
        self._trial = 0
        self._trials = 0
        self._trial_until_s = 0.0
        self._recovered_s: float | None = None

    def resting(self, now_s: float) -> bool:
        """Whether it is to be spared, be it that its trial request is still under way."""
        if self._rest_until_s is None:
            return False
        return now_s < (self._trial_until_s if self._trial else self._rest_until_s)

    def standing(self, now_s: float) -> Standing:
        if self.resting(now_s):
            return Standing.RESTING
        return Standing.READY if self.up else Standing.UNHEALTHY

    def share(self, now_s: float) -> float:
        """Its share of the requests: rises in a straight line to 1 over `slow_start_s` after a recovery."""
        if self._recovered_s is None:
            return 1.0
        elapsed_s = now_s - self._recovered_s
        if elapsed_s >= self._slow_start_s:
            return 1.0
        return max(LEAST_SHARE, elapsed_s / self._slow_start_s)

    # The requests themselves.

    def begin(self, now_s: float) -> Attempt:
        """A request begins. Give the attempt back by `end`, whatever comes of it."""
        if self._rest_until_s is None or self.resting(now_s):
            return Attempt(self._era, 0)
        # A visitor may take long over a body: that must not keep the server out for as long.
        self._trials += 1
        self._trial, self._trial_until_s = self._trials, now_s + LONGEST_REST_S
        return Attempt(self._era, self._trial)

    def end(self, attempt: Attempt) -> None:
        """The request is over, perhaps without a word on the server: then the next one is the trial."""
        if attempt.era != self._era:
            return
        if attempt.answered and not attempt.failed:
            self.failures = 0
        if attempt.trial == self._trial:
            self._trial = 0

    def succeeded(self, attempt: Attempt, now_s: float) -> bool:
        """The server begins to answer; whether it recovers by that. `end` forgets its failures, if none follows."""
        attempt.answered = True
        if attempt.era != self._era or self._rest_until_s is None:
            return False
        self._rest_until_s = None
        self._trial = 0
        self._recovered_s = now_s
        return True

    def failed(self, attempt: Attempt, now_s: float, *, refused: bool = False) -> float | None:
        """The server failed a request, or `refused` the connection; how long it rests if that begins a rest."""
        attempt.failed = True
        if attempt.era != self._era:
            return None
        self.failures += 1
        if self._rest_until_s is not None:
            # Tried although it rests, because nothing else was left: no reason to let it rest longer.
            if not attempt.trial:
                return None
            self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
        elif refused or self.failures >= self._fails:
            self._rest_s = self._first_rest_s
        else:
            return None
        self._rest_until_s = now_s + self._rest_s
        self._trial = 0
        self._era += 1
        return self._rest_s

    # The active checks.

    def checked(self, verdict: Verdict, now_s: float) -> bool:
        """A check is done; whether the server went up or down by it (see `up`)."""
        if (verdict is Verdict.GOOD) == self.up:
            self._streak = 0
            return False
        self._streak += 1
        needed = self._rise if verdict is Verdict.GOOD else 1 if verdict is Verdict.DRAIN else self._fall
        if self._streak < needed:
            return False
        self.up = not self.up
        self._streak = 0
        if self.up:
            self._recovered_s = now_s
        return True
