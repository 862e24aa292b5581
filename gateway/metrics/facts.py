"""What a worker knows of itself, for its metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class ServerFacts(Protocol):
    """One server of the backend, as one worker sees it."""

    @property
    def name(self) -> str: ...
    @property
    def healthy(self) -> bool: ...
    @property
    def resting(self) -> bool: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def idle(self) -> int: ...


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """The store of one room, as one worker finds it; counts are since its start.

    up: the last tick was made, and lately. age_s: since it was last heard from. skew_ms: this machine's wall clock less
    the store's. errors: by kind. grace: requests forwarded by a remembered pass. let_in: requests let in without the
    line. fails_open: whether that goes on.
    """

    room: str
    up: bool
    age_s: float
    skew_ms: int
    errors: Mapping[str, int]
    grace: int
    let_in: int
    fails_open: bool


@dataclass(frozen=True, slots=True)
class CalendarFacts:
    """The eligibility calendar of a room, as one worker has it. taken: it is what the file says."""

    room: str
    version: int
    taken: bool


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """Lines of the audit log since this worker's start.

    chained: written as they should be. unchained: written without a link, because the log was locked. failed: not
    written, because the disk failed. left_out: more refusals in a second than are written.
    """

    chained: int = 0
    unchained: int = 0
    failed: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """connections: of visitors, open now. refused: requests and connections that never reached the gate, by kind.

    streams: WebSockets and event streams open now. stores: of each room.
    calendars: of each room that has one.
    By room, None where nobody knows: stock: what its backend last said it has left. people: who wait and are still
    there.
    """

    connections: int
    refused: Mapping[str, int]
    streams: int
    servers: Sequence[ServerFacts]
    stock: Mapping[str, int | None]
    stores: Sequence[StoreFacts] = ()
    calendars: Sequence[CalendarFacts] = ()
    people: Mapping[str, int | None] = field(default_factory=dict)
    audit: AuditFacts = AuditFacts()
