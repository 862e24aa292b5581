"""The rules once more, as plainly as they can be said: day by day and hour by hour, with nothing prepared."""

from dataclasses import dataclass
from datetime import date, timedelta
from unittest.mock import patch

from hypothesis import strategies as st

from shared.rules import load
from shared.rules.model import AttributeValue, Kind

# All births and hours that the calendars made here speak of, and some around them.
BIRTHS = [date(1964, 1, 1) + timedelta(days=days) for days in range(7 * 365 + 2)]
HOURS = range(-1, 10)
# What an identity provider may say of a person.
SAID: tuple[dict[str, AttributeValue], ...] = ({}, {"worker": True}, {"worker": 1}, {"worker": "true", "other": True})


@dataclass(frozen=True)
class Group:
    years: tuple[int, int] | None
    born: tuple[tuple[date, date], ...]
    ages: tuple[int, int] | None
    year_digits: tuple[int, ...]
    day_digits: tuple[int, ...]
    worker: tuple[bool | int, ...]

    def has(self, birth, said):
        return (
            (self.years is None or self.years[0] <= birth.year <= self.years[1])
            and (not self.born or any(first <= birth < before for first, before in self.born))
            and (self.ages is None or self.ages[0] <= age(birth, date(2021, 2, 28)) <= self.ages[1])
            and (not self.year_digits or int(str(birth.year)[-1]) in self.year_digits)
            and (not self.day_digits or int(str(birth.day)[-1]) in self.day_digits)
            and (not self.worker or any(repr(said.get("worker")) == repr(value) for value in self.worker))
        )


@dataclass(frozen=True)
class Plan:
    """windows, pauses: (groups by number, first hour, hour after)."""

    groups: tuple[Group, ...]
    windows: tuple[tuple[frozenset[int], int, int], ...]
    pauses: tuple[tuple[frozenset[int], int, int], ...]

    def of(self, birth, said):
        return frozenset(number for number, each in enumerate(self.groups) if each.has(birth, said))

    def is_open(self, mine, hour):
        return count(self.windows, mine, hour) > 0 and count(self.pauses, mine, hour) == 0

    def kind(self, mine, hour):
        if not any(named & mine for named, _, _ in self.windows):
            return Kind.NOT_ELIGIBLE
        if self.is_open(mine, hour):
            return Kind.ELIGIBLE
        if not any(self.is_open(mine, later) for later in range(hour, HOURS.stop)):
            return Kind.OVER
        return Kind.PAUSED if count(self.pauses, mine, hour) else Kind.NOT_YET

    def text(self):
        lines = ['zone = "Asia/Seoul"', 'title = { ko = "가", en = "a" }', "version = 1"]
        for number, each in enumerate(self.groups):
            lines += ["[[cohort]]", f'id = "c{number}"', 'label = { ko = "가", en = "a" }']
            lines += [f"birth_years = {{ from = {each.years[0]}, to = {each.years[1]} }}"] if each.years else []
            ranges = ", ".join(f"{{ from = {first}, before = {before} }}" for first, before in each.born)
            lines += [f"born = [{ranges}]"] if ranges else []
            if each.ages:
                lines.append(f"age = {{ on = 2021-02-28, from = {each.ages[0]}, to = {each.ages[1]} }}")
            lines += [f"birth_year_digits = {list(each.year_digits)}"] if each.year_digits else []
            lines += [f"birth_day_digits = {list(each.day_digits)}"] if each.day_digits else []
            values = ", ".join(str(value).lower() for value in each.worker)
            lines += [f"attributes.worker = [{values}]"] if values else []
        for table, times, spans in (
            ("window", ("opens", "closes"), self.windows),
            ("closed", ("from", "until"), self.pauses),
        ):
            for number, (named, first, after) in enumerate(spans):
                cohorts = [f"c{each}" for each in sorted(named)]
                lines += [f"[[{table}]]", f'id = "{table}{number}"', f"cohorts = {cohorts}"]
                lines += [
                    f"{key} = 2021-07-19T{hour:02}:00:00" for key, hour in zip(times, (first, after), strict=True)
                ]
                lines.append("version = 1" if table == "window" else 'reason = { ko = "가", en = "a" }')
        return "\n".join(lines)

    def calendar(self):
        """Not checked: with overlaps and gaps, which `judge` answers too."""
        with patch.object(load, "check"):
            return load.load(self.text(), file="plan.toml")

    def problems(self):
        """The kinds of problems there are between the parts."""
        everybody = {self.of(birth, said) for birth in BIRTHS for said in SAID}
        named = [(each, spans) for each in everybody if (spans := [w for w in self.windows if w[0] & each])]
        found = set()
        busy = set()
        for mine, windows in named:
            first, last = min(w[1] for w in windows), max(w[2] for w in windows)
            for hour in range(first, last):
                if count(windows, mine, hour) > 1:
                    found.add("overlap")
                if not count(windows, mine, hour) and not count(self.pauses, mine, hour):
                    found.add("gap")
                busy |= {p for p in self.pauses if p[0] & mine and p[1] <= hour < p[2]}
            if any(all(count(self.pauses, mine, hour) for hour in range(w[1], w[2])) for w in windows):
                found.add("empty")
        let_in = frozenset().union(*(window[0] for window in self.windows))
        if any(number not in let_in for number in range(len(self.groups))) or set(self.pauses) - busy:
            found.add("empty")
        if frozenset(range(len(self.groups))) - frozenset().union(*everybody):
            found.add("empty")
        plain = [each for each in self.groups if not each.worker]
        covered = [birth for birth in BIRTHS if any(each.has(birth, {}) for each in plain)]
        if covered and len(covered) <= (covered[-1] - covered[0]).days:
            found.add("hole")
        return found


def count(spans, mine, hour):
    return sum(bool(named & mine) and first <= hour < after for named, first, after in spans)


def age(birth, on):
    """Birthdays so far. That of 29 February is 1 March where there is no 29th."""
    birthdays = 0
    for year in range(birth.year + 1, on.year + 1):
        try:
            birthday = birth.replace(year=year)
        except ValueError:
            birthday = date(year, 3, 1)
        birthdays += birthday <= on
    return birthdays


_years = st.integers(1965, 1969)
_dates = st.sampled_from([date(1966, 1, 1), date(1966, 3, 1), date(1967, 12, 25), date(1968, 2, 29), date(1968, 3, 1)])
_digits = st.sets(st.integers(0, 9), max_size=3).map(lambda digits: tuple(sorted(digits)))
_rarely = st.sampled_from([None, None, None, True])


@st.composite
def groups(draw):
    years = tuple(sorted((draw(_years), draw(_years))))
    born = tuple(sorted((draw(_dates), draw(_dates))))
    low = draw(st.integers(52, 55))
    kind = draw(st.sampled_from(["years", "years", "born", "ages"]))
    return Group(
        years if kind == "years" else None,
        (born,)
        if born[0] < born[1] and (kind == "born" or draw(_rarely))
        else ()
        if kind != "born"
        else ((date(1966, 1, 1), date(1967, 1, 1)),),
        (low, low + draw(st.integers(0, 1))) if kind == "ages" or draw(_rarely) else None,
        draw(_digits) if draw(_rarely) else (),
        draw(_digits) if draw(_rarely) else (),
        draw(st.sampled_from([(), (), (True,), (1,), (True, 1)])),
    )


@st.composite
def plans(draw):
    some = tuple(draw(st.lists(groups(), min_size=1, max_size=3)))
    named = st.sets(st.integers(0, len(some) - 1), min_size=1).map(frozenset)
    hours = st.tuples(named, st.integers(0, 7), st.integers(1, 3)).map(
        lambda each: (each[0], each[1], each[1] + each[2])
    )
    windows = draw(st.lists(hours, min_size=1, max_size=4))
    return Plan(some, tuple(windows), tuple(draw(st.lists(hours, max_size=3, unique=True))))
