"""19 July in small, for tests: 20,000 people in ten minutes, and stores that lie."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from gateway.room.model import Snapshot
from gateway.simulate.play import play
from gateway.simulate.record import Outcome
from gateway.simulate.scenario import JULY_19, Scenario
from gateway.simulate.stage import Stage
from gateway.store.base import QueueStore

SMALL: Final[Scenario] = JULY_19.scaled(0.002).faster(30)

Wrap = Callable[[Stage], None]


def silent(_at_ms: int, _room: Snapshot) -> None:
    pass


def small(store: str = "sqlite", *, wrap: Wrap | None = None, scenario: Scenario = SMALL) -> Outcome:
    return play(scenario, store, silent, wrap=wrap)


class Lying:
    """A real store, but for what a test overrides."""

    def __init__(self, store: QueueStore) -> None:
        self.real = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def lying(kind: type[Lying]) -> Wrap:
    def wrap(stage: Stage) -> None:
        stage.stores = [kind(store) for store in stage.stores]

    return wrap


def lies_of(room: Snapshot, **changes: Any) -> Snapshot:
    return replace(room, **changes)
