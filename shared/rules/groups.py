"""Birth dates as people name them: by years where a year is whole, else by dates."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from shared.rules.births import BirthClass

_Pair = tuple[int | None, int | None]
_Digits = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class BirthGroup:
    """first <= birth date < before (None: no end on that side), with last digits among these (None: any)."""

    first: date | None
    before: date | None
    year_digits: _Digits = None
    day_digits: _Digits = None

    def contains(self, birth: date) -> bool:
        return (
            (self.first is None or self.first <= birth)
            and (self.before is None or birth < self.before)
            and (self.year_digits is None or birth.year % 10 in self.year_digits)
            and (self.day_digits is None or birth.day % 10 in self.day_digits)
        )

    def __str__(self) -> str:
        """`1967-1968`, `1967-03-01 to 1967-03-15`, `before 1962`; ends included."""
        text = _span_text(self.first, self.before)
        if self.year_digits is not None:
            text += f", year ending in {_listed(self.year_digits)}"
        if self.day_digits is not None:
            text += f", day ending in {_listed(self.day_digits)}"
        return text


def group(wanted: Iterable[BirthClass], everyone: Iterable[BirthClass]) -> tuple[BirthGroup, ...]:
    """These classes in few words. everyone: all classes there are, to see where any digit will do."""
    there_are = _by_span(everyone)
    groups: list[BirthGroup] = []
    for span, pairs in sorted(_by_span(wanted).items()):
        for year_digits, day_digits in _products(pairs, there_are[span]):
            new = BirthGroup(_open(span[0]), _open(span[1]), year_digits, day_digits)
            before = next((old for old in groups if old.before == new.first and _same_digits(old, new)), None)
            if before is not None:
                groups[groups.index(before)] = replace(before, before=new.before)
            else:
                groups.append(new)
    return tuple(groups)


def _by_span(classes: Iterable[BirthClass]) -> dict[tuple[date, date], set[_Pair]]:
    spans: dict[tuple[date, date], set[_Pair]] = {}
    for each in classes:
        spans.setdefault((each.first, each.before), set()).add((each.year_digit, each.day_digit))
    return spans


def _products(pairs: set[_Pair], there_are: set[_Pair]) -> list[tuple[_Digits, _Digits]]:
    """The pairs as (digits of years) times (digits of days), as few as is easily had."""
    years, days = _among(pairs, there_are, 0), _among(pairs, there_are, 1)
    if pairs == {pair for pair in there_are if _in(pair[0], years) and _in(pair[1], days)}:
        return [(years, days)]
    found: list[tuple[_Digits, _Digits]] = []
    for year in sorted({pair[0] for pair in pairs if pair[0] is not None}):
        of_year = {pair for pair in pairs if pair[0] == year}
        found.append(((year,), _among(of_year, {pair for pair in there_are if pair[0] == year}, 1)))
    return found


def _among(pairs: set[_Pair], there_are: set[_Pair], position: int) -> _Digits:
    mine = {pair[position] for pair in pairs}
    if mine == {pair[position] for pair in there_are}:
        return None
    return tuple(sorted(digit for digit in mine if digit is not None))


def _in(digit: int | None, digits: _Digits) -> bool:
    return digits is None or digit in digits


def _same_digits(one: BirthGroup, other: BirthGroup) -> bool:
    return (one.year_digits, one.day_digits) == (other.year_digits, other.day_digits)


def _open(day: date) -> date | None:
    return None if day in {date.min, date.max} else day


def _span_text(first: date | None, before: date | None) -> str:
    last = before - timedelta(days=1) if before else None
    whole = all(day is None or (day.month, day.day) == (1, 1) for day in (first, before))
    start = first and (str(first.year) if whole else first.isoformat())
    end = last and (str(last.year) if whole else last.isoformat())
    if start and end:
        return start if start == end else f"{start}-{end}" if whole else f"{start} to {end}"
    if start:
        return f"{start} or later"
    return f"{end} or earlier" if end else "any date"


def _listed(digits: tuple[int, ...]) -> str:
    return " or ".join(map(str, digits))
