"""What the backend has left, and how likely it is gone before somebody's turn. Pure.

The backend says with its answers how many can still be booked. Set against the visits made meanwhile, that tells how
many bookings a visit makes, and so what those ahead will leave.
"""

from dataclasses import dataclass
from math import erf, sqrt
from typing import Final

from gateway.room.model import Snapshot

# Before so many visits nothing is said of chances.
LEAST_VISITS: Final = 20
# The least part of a visit's booking that is chance.
LEAST_SPREAD: Final = 0.2
# Chances are told in steps of so many per cent, and between these two: only what has happened is certain.
PERCENT_STEP: Final = 5
LEAST_PERCENT: Final = 1
MOST_PERCENT: Final = 99


@dataclass(frozen=True, slots=True)
class Stock:
    """The newest report. at_ms: of the store's clock. half_visits: made by then, see `half_visits`.

    first_left, first_half_visits: likewise, of the first report of this stock.
    """

    left: int
    at_ms: int
    half_visits: int
    first_left: int
    first_half_visits: int


def half_visits(room: Snapshot) -> int:
    """Visits made so far, counted twice: who is inside counts half, being half-way through on the average."""
    return 2 * room.counters.get("admitted", 0) - room.live


def reported(known: Stock | None, left: int, room: Snapshot) -> Stock:
    """What is known once the backend says `left`. A rise beyond what those inside can give back is new stock.

    Answers overtake one another and bookings are cancelled, so a small rise is none.
    """
    visits = half_visits(room)
    if known is None or left > known.left + room.live or visits < known.half_visits - room.live:
        return Stock(left, room.now_ms, visits, left, visits)
    return Stock(left, room.now_ms, visits, known.first_left, known.first_half_visits)


def newest(one: Stock | None, other: Stock | None) -> Stock | None:
    """The later of two reports; of one moment, that of less."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda stock: (stock.at_ms, -stock.left))


def chance_sold_out(stock: Stock, ahead: int, live: int) -> int | None:
    """The chance, in per cent, that nothing is left when the turn comes of somebody with `ahead` people ahead.

    All of them are taken to come, and those inside (`live`) to be half-way through. 0 where nobody can take anything,
    100 where nothing is left; None while too little was seen.
    """
    if stock.left == 0:
        return 100
    if ahead + live == 0:
        return 0
    visits = (stock.half_visits - stock.first_half_visits) / 2
    if visits < LEAST_VISITS:
        return None
    booked = max(0, stock.first_left - stock.left)
    # Half a booking more than was seen: that nobody has booked yet does not say that nobody will.
    rate = (booked + 0.5) / visits
    mean = (ahead + live / 2) * rate
    # As of people who book once or not at all, both those to come and those the pace was measured by; but never as if
    # everybody did the same.
    spread = sqrt((mean + mean * mean / (booked + 0.5)) * max(1 - rate, LEAST_SPREAD))
    percent = 50 * (1 + erf((mean - stock.left + 0.5) / (spread * sqrt(2))))
    return min(max(round(percent / PERCENT_STEP) * PERCENT_STEP, LEAST_PERCENT), MOST_PERCENT)
