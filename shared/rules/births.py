"""Sets of birth dates, and which of them a date is in."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from shared.rules.model import Births

ALWAYS: Final = ((date.min, date.max),)

_DAY: Final = timedelta(days=1)
_DIGITS: Final = 10
# So many days contain every last digit of a year together with every last digit of a day.
_ALL_DIGITS_DAYS: Final = 12 * 366


@dataclass(frozen=True, slots=True, order=True)
class BirthClass:
    """Birth dates nothing tells apart: first <= date < before, with these last digits (None: any)."""

    first: date
    before: date
    year_digit: int | None = None
    day_digit: int | None = None

    def extent(self) -> tuple[date, date]:
        """Its first date, and the day after its last: with last digits, these may lie within `first` and `before`."""
        offsets = range(min((self.before - self.first).days, _ALL_DIGITS_DAYS))
        first = next(day for each in offsets if self._has(day := self.first + each * _DAY))
        last = next(day for each in offsets if self._has(day := self.before - (each + 1) * _DAY))
        return first, last + _DAY

    def _has(self, day: date) -> bool:
        return self.year_digit in {None, day.year % _DIGITS} and self.day_digit in {None, day.day % _DIGITS}


class BirthIndex:
    """Tells of a birth date in which of several sets it is: bit i of the mask stands for the i-th set."""

    def __init__(self, sets: Sequence[Births]) -> None:
        self._edges = sorted({edge for births in sets for span in births.spans for edge in span})
        starts = [date.min, *self._edges]
        self._spans = [
            _mask(any(first <= start < before for first, before in births.spans) for births in sets) for start in starts
        ]
        self._years = [_mask(digit in births.year_digits for births in sets) for digit in range(_DIGITS)]
        self._days = [_mask(digit in births.day_digits for births in sets) for digit in range(_DIGITS)]

    def mask(self, birth: date) -> int:
        """The sets this date is in."""
        span = self._spans[bisect_right(self._edges, birth)]
        return span & self._years[birth.year % _DIGITS] & self._days[birth.day % _DIGITS]

    def classes(self) -> Iterator[tuple[BirthClass, int]]:
        """Every class that has a date in it, with its mask, in the order of dates."""
        years = len(set(self._years)) > 1
        days = len(set(self._days)) > 1
        edges = [date.min, *self._edges, date.max]
        for (first, before), mask in zip(pairwise(edges), self._spans, strict=True):
            found = {(year if years else None, day if days else None) for year, day in _digits(first, before)}
            for year, day in sorted(found, key=str):
                of_year = -1 if year is None else self._years[year]
                of_day = -1 if day is None else self._days[day]
                yield BirthClass(first, before, year, day), mask & of_year & of_day


def _mask(flags: Iterable[bool]) -> int:
    return sum(1 << position for position, flag in enumerate(flags) if flag)


def _digits(first: date, before: date) -> set[tuple[int, int]]:
    """The last digits of year and day that occur together."""
    length = (before - first).days
    if length >= _ALL_DIGITS_DAYS:
        return {(year, day) for year in range(_DIGITS) for day in range(_DIGITS)}
    days = (first + timedelta(days=offset) for offset in range(length))
    return {(day.year % _DIGITS, day.day % _DIGITS) for day in days}


def intersect(one: Iterable[tuple[date, date]], other: Iterable[tuple[date, date]]) -> tuple[tuple[date, date], ...]:
    """The dates in both, as sorted spans that are apart."""
    others = list(other)
    found = [(max(a, c), min(b, d)) for a, b in one for c, d in others if max(a, c) < min(b, d)]
    return union(found)


def union(spans: Iterable[tuple[date, date]]) -> tuple[tuple[date, date], ...]:
    """The dates in any, as sorted spans that are apart."""
    joined: list[tuple[date, date]] = []
    for first, before in sorted(span for span in spans if span[0] < span[1]):
        if joined and first <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], before)
        else:
            joined.append((first, before))
    return tuple(joined)


def aged(on: date, youngest: int, oldest: int | None) -> tuple[date, date]:
    """The birth dates of those whose age on that day, in whole years, is from `youngest` to `oldest`, both included.

    Who was born on 29 February is a year older on 1 March where there is no 29th: a period that ends on a day its last
    month lacks ends with that month (Korean Civil Code, article 160), so the birthday is the day after.
    """
    first = date.min if oldest is None else _latest_birth(on, oldest + 1) + _DAY
    return first, _latest_birth(on, youngest) + _DAY


def _latest_birth(on: date, age: int) -> date:
    """The last day on which one may be born and have reached that age."""
    try:
        return on.replace(year=on.year - age)
    except ValueError:  # 29 February, and no such day that year
        return date(on.year - age, 2, 28)
