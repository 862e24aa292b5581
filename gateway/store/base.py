"""The contract every store keeps, and what it answers.

Each method is one whole transition of one room: atomic, durable when it returns as far as the docstring says, and made
for a batch, because a gateway gathers all requests of one turn of its event loop into one call. Answers come in the
order of what was asked. The policy is not here: `plan_tick` (pure) decides, `commit` carries out.

Every method raises `StoreUnavailable` if the room's state cannot be read or written, having changed nothing it could
not take back, and `UnknownRoom` for a room that was not opened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from gateway.room.model import Limits, PassGrant, Snapshot, TickPlan
from gateway.room.presence import Sightings
from gateway.room.stock import Stock
from shared.errors import SunbeonError


class StoreError(SunbeonError):
    """The store could not do what was asked."""


class StoreUnavailable(StoreError):
    """Locked, full, damaged, unreachable: admit nobody, lose nothing, say so."""


class StoreMisconfigured(StoreError):
    """What no waiting mends: a wrong address or password, a server too old, somebody else's data in the way."""


class UnknownRoom(StoreError):
    pass


class StaleEpoch(StoreError):
    """The line was started anew since the caller last looked."""


class VersionConflict(StoreError):
    """Someone else changed the settings first; `snapshot` is what they are now."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(f"settings are at version {snapshot.limits.version}")
        self.snapshot = snapshot


class Admitted(NamedTuple):
    """The place has a live pass; `fresh` is False where it had it before (a lost answer, a second tab)."""

    grant: PassGrant
    fresh: bool


@dataclass(frozen=True, slots=True)
class AtDoor:
    """Called and came, but no seat or no credit this moment. Remembered: seats go to the lowest place first."""


@dataclass(frozen=True, slots=True)
class NotCalled:
    """The place is above `serving`, or was never issued."""


@dataclass(frozen=True, slots=True)
class Held:
    """Admission stands still (paused, before opening, closed): nothing changed, come again."""


@dataclass(frozen=True, slots=True)
class Spent:
    """The place has had its turn, or its holder left."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What the store knows of a place, beside the line's counters.

    spent: it has had its turn, or its holder left. at_door: in the lane; seat_kept: and a seat is kept for it.
    grant: its live pass.
    """

    spent: bool
    at_door: bool
    seat_kept: bool
    grant: PassGrant | None


ClaimAnswer = Admitted | AtDoor | NotCalled | Held | Spent


class PassRef(NamedTuple):
    """Names a pass the way its token does."""

    epoch: int
    place: int
    pass_id: str


class Claim(NamedTuple):
    """Ask for the pass of a place of `epoch`; `pass_id` (fresh random text) becomes its id if it is granted now.

    direct: the number was issued in this very request, so that a pass granted now is of somebody who never waited.
    """

    epoch: int
    place: int
    pass_id: str
    direct: bool = False


class Served(NamedTuple):
    """What the backend made of a request by a pass. works: it answered; else it failed (5xx, or no answer in time)."""

    ref: PassRef
    works: bool


class QueueStore(Protocol):
    """Where rooms live. One object may be shared by all tasks of one event loop."""

    async def open_room(self, room: str, limits: Limits) -> Snapshot:
        """Make the room known, and new if it is new: nothing issued, an epoch no earlier line of that name had.

        limits: as the settings file has them. A field that differs from what the file had at the last opening changes
        the live settings; one that does not leaves what an operator set since. `limits.version` is ignored.
        """
        ...

    async def load(self, room: str) -> Snapshot:
        """The room as it is now. Changes nothing."""
        ...

    async def commit(self, room: str, plan: TickPlan, expected_tick: int) -> tuple[bool, Snapshot]:
        """Carry out `plan` if the room is still at `expected_tick`. True if it was; and the room as it is now."""
        ...

    async def join(
        self, room: str, knocks: Sequence[int | None], *, expires_ms: int, epoch: int | None = None
    ) -> Sequence[int]:
        """Issue one number per knock, in order.

        epoch: the one the caller will write on the tickets. Raises `StaleEpoch`, having issued nothing, if it has
        passed.

        A knock (64-bit, not negative) that was answered before gets the number it got then, for as long as it is
        remembered: at least until `expires_ms` (store's wall clock), by when the gateway accepts it no more.
        None always gets a new number. A number once returned is never issued again in its epoch: not after a crash of
        this process, of all processes, nor of the machine.
        """
        ...

    async def acknowledge(self, room: str, epoch: int, number: int) -> Snapshot:
        """Learn from a ticket that `number` was issued in `epoch`: neither it nor any below it is issued again.

        For a store that forgot: put back from a backup, or promoted without the last writes. Changes nothing if the
        number is no news, or of another epoch.
        """
        ...

    async def claim(self, room: str, claims: Sequence[Claim]) -> Sequence[ClaimAnswer]:
        """Admit those whose turn it is, exactly: never past `total_active_users`, never without credit.

        For each in turn: a live pass of the place is returned again. A place already used is `Spent`, one not called
        `NotCalled` (so is one of another epoch). `Held` unless `admitting`. Else the holder has come: with a seat kept
        in the lane, admitted for USER_CREDIT of `entry_credit`, or `AtDoor` while there is none, or `live` is at the
        ceiling or past it (it was lowered); the seat stays kept. Waiting in the lane, `AtDoor`. Else admitted if nobody
        waits in the lane and there is a seat, for as much of `credit` and of `entry_credit`, or put into the lane. Who
        comes into the lane or in within the claim window is marked on the curve and taken off the call's `remaining`.
        Who comes with a place <= `watermark` is `late`.
        A seat is free while live + lane_granted < total_active_users. Counts `admitted`, and `admitted_late` of these;
        `peak_live` is the highest `live` there ever was. A pass granted now is on trial for `unserved_limit_ms`.
        Durable against power loss when it returns.
        """
        ...

    async def renew(self, room: str, passes: Sequence[PassRef]) -> Sequence[PassGrant | None]:
        """The passes that live, each kept alive for another idle limit, never past its end; None for those that do not.

        May leave the stored expiry as it is while less than a tenth of the idle limit would be gained.
        """
        ...

    async def look(self, room: str, passes: Sequence[PassRef]) -> Sequence[PassGrant | None]:
        """As `renew`, but keeps none of them alive and changes nothing."""
        ...

    async def where(self, room: str, places: Sequence[tuple[int, int]]) -> Sequence[Whereabouts | None]:
        """How it is with each (epoch, place); None for one that was never issued. Changes nothing."""
        ...

    async def find_pass(self, room: str, pass_id: str) -> PassGrant | None:
        """The live pass of this id, whosever it is. For operators: looks at all inside. Changes nothing."""
        ...

    async def serve(self, room: str, served: Sequence[Served]) -> Sequence[PassGrant | None]:
        """What the backend made of passes on trial, as `trial.tried` has it; None for those that do not live.

        Changes nothing of a pass that is not on trial, or not any more. Counts each failure on trial as `unserved`, and
        as `restarted` the passes whose life began later because of one.
        """
        ...

    def recall(self, room: str, ref: PassRef) -> PassGrant | None:
        """The pass as this process last knew it to live; None if it never saw it live, or knows that it ended.

        Asks nobody: for the time in which the store cannot be asked.
        """
        ...

    async def complete(self, room: str, passes: Sequence[PassRef], *, reason: str) -> Sequence[bool]:
        """End live passes and free their seats at once; False for those that did not live.

        reason: the counter it goes to: `completed`, `revoked` or `left`.
        """
        ...

    async def leave(self, room: str, places: Sequence[tuple[int, int]]) -> Sequence[bool]:
        """Give up (epoch, place): it is `Spent` from now on, its lane entry or live pass ends. False if it was spent.

        Counts `left`.
        """
        ...

    async def count(self, room: str, deltas: Mapping[str, int]) -> None:
        """Add to the room's counters."""
        ...

    async def observe(self, room: str, seen: Sightings, stock: Stock | None) -> tuple[Sightings, Stock | None]:
        """Tell all that this process has seen and heard of who waits and of what is left; what all have told.

        By `presence.merged` and `stock.newest`, so that telling again, late or in another order changes nothing. No
        promise: a store that forgets begins anew, with what is told next. Touches no number, place or pass.
        """
        ...

    async def update_settings(self, room: str, patch: Mapping[str, Any], *, expected_version: int | None) -> Snapshot:
        """Change fields of `Limits` (by field name); `version` and `tick` grow by one, `admitting` is cleared.

        expected_version: None to change whatever is there. Raises `VersionConflict`.
        """
        ...

    async def reset(self, room: str, *, expected_version: int | None) -> Snapshot:
        """Start a new epoch: numbers from 1, nobody called, nobody inside; settings and clocks stay.

        Counters stay but for what was learned of the crowd that was sent home (`stay.after_reset`).
        """
        ...

    async def close(self) -> None:
        """Give back files and connections."""
        ...
