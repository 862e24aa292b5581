"""What the operator API answers with, as models: for the OpenAPI document. `shown.py` makes the rooms themselves.

A program that reads answers must take fields it does not know for no error: more may be told some day.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Moment = str | None


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow")


class Health(_Answer):
    """store_away, calendar_not_taken: rooms of which that is so."""

    status: str
    store_away: list[str] = Field(default_factory=list)
    calendar_not_taken: list[str] = Field(default_factory=list)


class InForce(_Answer):
    """The limits as the timetable has them by now."""

    new_users_per_minute: int
    total_active_users: int


class RoomShown(_Answer):
    """A room. fresh: whether the store was heard from lately. settings: the live ones, and their version.

    wait_ms: what the last in line is told. timezone: in which its times are written.
    """

    room: str
    fresh: bool
    epoch: int
    state: str
    admitting: bool
    opens_at: Moment
    closes_at: Moment
    postponed_from: Moment
    in_force: InForce
    draw_size: int | None
    settings: dict[str, Any]
    tail: int
    serving: int
    watermark: int
    waiting: int
    people_waiting: int | None
    stock: int | None
    waves: dict[str, Any]
    live: int
    lane_waiting: int
    lane_granted: int
    credit: int
    entry_credit: int
    server_time_ms: int
    wait_ms: tuple[int, int] | None
    estimates_within: float | None
    armed: dict[str, Any] | None
    title: dict[str, str]
    timezone: str
    counters: dict[str, int]


class Missed(_Answer):
    """A calendar's window that ends before the room opens. people: whose it is, by language."""

    window: str
    people: dict[str, str]
    closes_at: str


class Postponed(RoomShown):
    """The room. missed: what else has to be moved now; warnings: the same, a line each."""

    missed: list[Missed]
    warnings: list[str]


class RoomList(_Answer):
    rooms: list[RoomShown]


class Anything(_Answer):
    """As the operation's summary says."""
