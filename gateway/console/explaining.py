"""Why a visitor was told what they were told, for operators. The birth date asked about is neither kept nor logged."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol

from gateway.room.explain import read_birth, read_moment
from gateway.room.model import Limits, Snapshot
from shared.rules.calendar import Calendar


class Explains(Protocol):
    """What the console needs of a room's eligibility calendar. problem: why the file as it is now was not taken."""

    @property
    def problem(self) -> str | None: ...

    @property
    def calendar(self) -> Calendar: ...

    def explain(self, birth: date, limits: Limits, at_ms: int) -> dict[str, Any]: ...


def explain(eligibility: Explains, room: Snapshot, query: Mapping[str, str]) -> dict[str, Any]:
    """Raises `ValueError` for what cannot be read; never with the birth date in it."""
    at_ms = read_moment(query["at"], eligibility.calendar) if query.get("at") else room.now_ms
    return eligibility.explain(read_birth(query.get("birth", "")), room.limits, at_ms)
