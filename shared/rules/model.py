"""What a calendar is made of, and what it says of a person. Intervals are closed-open; times are ms since 1970."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from shared.errors import SunbeonError

AttributeValue = str | bool | int


class Kind(StrEnum):
    """The answers there are. Exactly one is true of a person at a moment."""

    ELIGIBLE = "eligible"
    NOT_YET = "not_yet"
    PAUSED = "paused"
    OVER = "over"
    NOT_ELIGIBLE = "not_eligible"


@dataclass(frozen=True, slots=True)
class Text:
    """The same thing said in Korean and in English."""

    ko: str
    en: str


@dataclass(frozen=True, slots=True)
class Births:
    """A set of birth dates: those in one of `spans` whose last digits are among the given ones.

    spans: (first day, first day after), sorted, apart; an open end is `date.min` or `date.max`.
    year_digits, day_digits: last digits of the year and of the day of the month.
    """

    spans: tuple[tuple[date, date], ...]
    year_digits: frozenset[int] = frozenset(range(10))
    day_digits: frozenset[int] = frozenset(range(10))


@dataclass(frozen=True, slots=True)
class Cohort:
    """People named together. attributes: (name, values), of which the person must have one of each."""

    id: str
    label: Text
    births: Births
    attributes: tuple[tuple[str, tuple[AttributeValue, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a rule said before: `version` held until `replaced_ms`."""

    version: int
    opens_ms: int
    closes_ms: int
    replaced_ms: int
    reason: Text | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A window in which members of any of `cohorts` (ids) may book. earlier: superseded versions, oldest first."""

    id: str
    version: int
    cohorts: tuple[str, ...]
    opens_ms: int
    closes_ms: int
    reason: Text | None = None
    note: Text | None = None
    earlier: tuple[Earlier, ...] = ()

    @property
    def name(self) -> str:
        """Id and version as kept with a booking: `53-54/2`."""
        return f"{self.id}/{self.version}"


@dataclass(frozen=True, slots=True)
class Pause:
    """A declared time in which members of `cohorts` (ids) may not book, whatever a rule says."""

    id: str
    cohorts: tuple[str, ...]
    from_ms: int
    until_ms: int
    reason: Text


@dataclass(frozen=True, slots=True)
class Hole:
    """Birth dates left out on purpose, between those of cohorts."""

    births: Births
    reason: Text


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the calendar says of one person at one moment.

    rule: the one that is open (eligible), opens next (not_yet, paused) or closed last (over); None: not_eligible.
    cohort: the person's cohort that `rule` names; `cohorts`: all of the person's.
    pause: the one the moment lies in (paused), else None.
    opens_ms: when the person may book next (not_yet, paused), else None.
    from_ms, until_ms: the verdict is the same all this time; None: no end on that side.
    superseded: earlier versions of `rule` that gave another answer to what matters now: when it opens (not_yet,
    paused) or closes (eligible, over). `rule.earlier` has all.
    all_cohorts: every cohort of the calendar, to tell who can book.
    """

    kind: Kind
    calendar_version: int
    calendar_title: Text
    zone: str
    rule: Rule | None
    cohort: Cohort | None
    cohorts: tuple[Cohort, ...]
    pause: Pause | None
    opens_ms: int | None
    from_ms: int | None
    until_ms: int | None
    superseded: tuple[Earlier, ...]
    all_cohorts: tuple[Cohort, ...] = field(repr=False)

    @property
    def eligible(self) -> bool:
        return self.kind is Kind.ELIGIBLE

    @property
    def rule_name(self) -> str | None:
        """For `Party.rule`: `53-54/2`."""
        return self.rule.name if self.rule else None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a calendar file. where: the part it is in (`rule 53-54`, `cohort 50-54`); "": the file.

    line: from 1; 0 if it is about the file as a whole.
    kind: a word of `docs/eligibility.md`: syntax, unknown, type, missing, duplicate, overlap, gap, ...
    """

    file: str
    line: int
    kind: str
    where: str
    message: str

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line}: {where}{self.message} ({self.kind})"


class BadCalendar(SunbeonError):
    """The calendar cannot be used. `problems`: all that is wrong, in the order of lines."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))
