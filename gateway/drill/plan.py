"""What every trick is played with, and what it needs to be worth playing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gateway.drill.exchange import Exchange
from gateway.drill.report import Row, Severity
from gateway.drill.site import Site
from gateway.drill.wire import Wire
from gateway.settings import Settings


class Needs(Enum):
    """Of the site as it stands: a gate is there, keeps newcomers waiting, gave the drill a number, called it."""

    NOTHING = ""
    GATE = "there is no gate to try it at"
    KEPT = "newcomers are let in at once: drill before the opening, or while there is a line"
    NUMBER = "the drill was given no number that waits: nobody can line up, or nobody has to"
    CLAIM = "the drill's turn did not come: --wait gives it time"


@dataclass(slots=True)
class Drill:
    """A drill under way.

    backend, operator: where they are, if that was said. token: the operators'. room: as the operator API shows it.
    rooms: the names of all. settings: the gateway's, if the drill runs beside it. wait_s: how long its turn is awaited.
    """

    site: Site
    backend: Wire | None = None
    operator: Wire | None = None
    token: str | None = None
    settings: Settings | None = None
    wait_s: float = 0.0
    ca_file: str | None = None
    room: Mapping[str, Any] = field(default_factory=dict)
    rooms: tuple[str, ...] = ()
    # What the newcomer of the first row was answered.
    first: Exchange | None = None
    has_gate: bool = False
    place: int | None = None


Play = Callable[[Drill, Row], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Trick:
    name: str
    title: str
    severity: Severity
    needs: Needs
    play: Play

    def row(self) -> Row:
        return Row(self.name, self.title, self.severity)
