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

# The contestant that is this project.
OURS: Final = "Sunbeon"


class Kind(StrEnum):
    """RATE: requests per processor second. LATENCY: what one request takes. FIGURES: named numbers."""

    RATE = "rate"
    LATENCY = "latency"
    FIGURES = "figures"


@dataclass(frozen=True, slots=True)
class Figure:
    """what: of whom or what. value: with its unit."""

    what: str
    value: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a row came to. reference: to whom ratios are. notes: what a reader has to know of this very run."""

    kind: Kind
    series: Mapping[str, Sequence[Round]] = field(default_factory=dict)
    reference: str = ""
    figures: Sequence[Figure] = ()
    notes: Sequence[str] = ()


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

    def missing(self, programs: Sequence[str]) -> list[str]:
        """What the report says of those that cannot be run here."""
        return [f"**{name} is not installed here and was left out.**" for name in programs if not self.has(name)]

    def compare(self, contestants: Sequence[Contestant]) -> dict[str, list[Round]]:
        return compare(
            contestants, rounds=self.rounds, seconds=self.seconds, cores=self.cores, progress=self.say
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """meaning: what was measured, in a sentence or two. needs: programs without which there is nothing to measure."""

    name: str
    title: str
    meaning: str
    run: Callable[[Plan, Ground], Found]
    needs: Sequence[str] = ("wrk", "nginx")
