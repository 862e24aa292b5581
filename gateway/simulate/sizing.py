"""How many gateways and cores a line takes: the fullest second of an evening, times what a request costs. Pure.

An evening for so many people is the simulated one with all of its numbers in proportion: arrivals, seats, outflow. Then
all it asks is in proportion too, the polls as well, so that one run tells of every size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from gateway.edge.hasty import PER_SECOND
from gateway.simulate.costs import Costs

SIZES: Final = (10_000, 100_000, 500_000, 1_000_000, 3_000_000, 6_000_000, 10_000_000)
# The fullest second may take this part of the cores: twice of it is there.
HEADROOM: Final = 2.0
# A gateway is one machine; one more than is needed, so that any of them may go.
CORES_EACH: Final = 16
SPARE: Final = 1
# Of those inside, requests a minute that are forwarded.
FORWARDS_PER_MINUTE: Final = 6.0
# The store is one core: this part of it is what we let a room take.
STORE_PART: Final = 0.5
# What a client asks that does not heed what it is told: every 100 ms.
HASTY_PER_S: Final = 10
HASTY: Final = (1_000, 10_000, 100_000)
_MICRO: Final = 1e6
_PER_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class Need:
    """For a line of `waiting`. Rates are of the fullest second. store: part of the store's one core."""

    waiting: int
    polls_per_s: float
    joins_per_s: float
    forwards_per_s: float
    cores: float
    gateways: int
    store: float

    @property
    def fits_one_store(self) -> bool:
        return self.store <= STORE_PART


def needs(peaks: Mapping[str, float], most_waiting: int, most_inside: int, costs: Costs) -> Sequence[Need]:
    """peaks: polls, joins and claims a second in the fullest second of the evening in which so many waited."""
    return [_need(size, size / max(most_waiting, 1), peaks, most_inside, costs) for size in SIZES]


def _need(waiting: int, times: float, peaks: Mapping[str, float], inside: int, costs: Costs) -> Need:
    polls, joins, claims = (peaks.get(kind, 0.0) * times for kind in ("polls", "joins", "claims"))
    forwards = inside * times * FORWARDS_PER_MINUTE / _PER_MINUTE
    us = costs.us
    # Whoever joins has asked for a page before, and gets the number by the first poll, which polls count already.
    work = (polls - joins) * us["poll"] + joins * (us["page"] + us["join"]) + claims * us["claim"]
    cores = (work + forwards * us["forward"]) / _MICRO * HEADROOM
    asked = costs.store_us
    store = (joins * asked["join"] + claims * asked["claim"] + forwards * asked["renew"]) / _MICRO
    return Need(waiting, polls, joins, forwards, cores, ceil(cores / CORES_EACH) + SPARE, store)


@dataclass(frozen=True, slots=True)
class Haste:
    """What so many clients cost that ask every 100 ms. cores: if each ask were answered in full; or most told off."""

    clients: int
    asks_per_s: float
    answered_per_s: float
    cores_if_answered: float
    cores: float


def haste(costs: Costs) -> Sequence[Haste]:
    """Being told off is taken to cost what the board costs: both are the same few bytes for everybody."""
    found = []
    for clients in HASTY:
        asks, answered = clients * HASTY_PER_S, clients * min(PER_SECOND, HASTY_PER_S)
        cores = (answered * costs.us["poll"] + (asks - answered) * costs.us["board"]) / _MICRO
        found.append(Haste(clients, asks, answered, asks * costs.us["poll"] / _MICRO, cores))
    return found
