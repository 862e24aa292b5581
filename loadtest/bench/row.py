"""What a row of the report is, and how one is run."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from loadtest.bench.cores import Cores
from loadtest.bench.figures import Round
from loadtest.bench.ground import Ground
from loadtest.bench.measure import Contestant, compare
from loadtest.bench.program import Failed

# The contestant that is this project.
OURS: Final = "Sunbeon"


class Kind(StrEnum):
    """RATE: requests per processor second. LATENCY: what one request takes. FIGURES: named numbers."""

    RATE = "rate"
    LATENCY = "latency"
    FIGURES = "figures"


@dataclass(frozen=True, slots=True)
class Figure:
    """what: of whom or what. value: with its unit. amount: the same as a number, where something is judged by it."""

    what: str
    value: str
    amount: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a row came to. reference: to whom ratios are. notes: what a reader has to know of this very run.

    table: beside figures, lines of equal length, the first one their heads.
    """

    kind: Kind
    series: Mapping[str, Sequence[Round]] = field(default_factory=dict)
    reference: str = ""
    figures: Sequence[Figure] = ()
    notes: Sequence[str] = ()
    table: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often. programs: those that can be run here. quick: small, to see that it works."""

    rounds: int
    seconds: float
    quick: bool
    cores: Cores
    folder: Path
    open_files: int
    programs: frozenset[str]
    say: Callable[[str], None]

    def ground(self, stack: ExitStack, row: str) -> Ground:
        folder = self.folder / row
        folder.mkdir(parents=True)
        return Ground(folder, self.cores, stack, self.open_files)

    def has(self, program: str) -> bool:
        return program in self.programs


def _nothing(_plan: Plan, _ground: Ground) -> Found:
    raise Failed("there is nothing to measure")


@dataclass(frozen=True, slots=True)
class Row:
    """meaning: what was measured, in a sentence or two. needs: programs without which there is nothing to measure.

    wants: programs that are left out where they are missing.
    contestants: start all, the reference first. Where there are none, `figures` does all there is to do.
    """

    name: str
    title: str
    meaning: str
    contestants: Callable[[Plan, Ground], list[Contestant]] | None = None
    figures: Callable[[Plan, Ground], Found] = _nothing
    kind: Kind = Kind.RATE
    needs: Sequence[str] = ("wrk", "nginx")
    wants: Sequence[str] = ()
    comment: Callable[[Mapping[str, Sequence[Round]]], list[str]] | None = None

    def run(self, plan: Plan) -> Found:
        """Raises `Failed`, also where something it needs is not installed."""
        missing = [name for name in self.needs if not plan.has(name)]
        if missing:
            raise Failed(f"{', '.join(missing)} is not installed")
        with ExitStack() as stack:
            ground = plan.ground(stack, self.name)
            notes = [f"**{name} is not installed here and was left out.**" for name in self.wants if not plan.has(name)]
            if self.contestants is None:
                return self.figures(plan, ground)
            contestants = self.contestants(plan, ground)
            series = compare(
                contestants, rounds=plan.rounds, seconds=plan.seconds, cores=plan.cores, progress=plan.say
            )  # fmt: skip
            if self.comment is not None:
                notes += self.comment(series)
            return Found(self.kind, series, contestants[0].name, notes=notes)
