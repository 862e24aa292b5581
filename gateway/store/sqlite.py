"""The embedded store: one SQLite file, shared by the worker processes of one machine.

Layout, from here inward:

* `sqlite.py` (this file): the `QueueStore` of one event loop; one thread does its work, call after call.
* `sqlite_file.py`: the file: transactions, durability, failures. `handoff.py`: whose turn it is to write.
* `sqlite_rooms.py`, `sqlite_visits.py`, `sqlite_observed.py`: what each transition does.
* `sqlite_line.py`, `sqlite_marks.py`, `sqlite_awaited.py`: on what.
* `steady.py`: its clock.

What is durable when: every answer survives the death of any process (kill -9), because what was written is in the
machine's memory. Against a power loss, admissions, settings and resets are flushed to the disk before they are
answered; joins are not, but the numbers they use were reserved on disk, and the line skips the reserved ones in the
machine's next boot. So no number is issued twice, and a batch of joins costs no flush.
"""

import asyncio
import sqlite3
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gateway.room.model import Limits, PassGrant, Snapshot, TickPlan
from gateway.room.presence import Sightings
from gateway.room.stock import Stock
from gateway.store import sqlite_observed as observed
from gateway.store import sqlite_rooms as rooms
from gateway.store import sqlite_visits as visits
from gateway.store.base import Admitted, Claim, ClaimAnswer, PassRef, QueueStore, Served, StoreUnavailable, Whereabouts
from gateway.store.inside import Inside
from gateway.store.lots import new_secret
from gateway.store.sqlite_file import StoreFile, Work
from gateway.store.sqlite_line import read_line, snapshot
from gateway.store.steady import Moment, SteadyClock
from shared.clock import Clock, now_ms

T = TypeVar("T")

# A call that has not had its turn by then is refused rather than left hanging.
PATIENCE_MS: Final = 2_000

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def machine_boot_id() -> str:
    """Names this boot of the machine. Where none can be told, each call does: then every opening skips numbers."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return uuid.uuid4().hex


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class SqliteStore:
    """`QueueStore` on the file at `path`, which is opened (and made, if there is none) by the first call.

    wall_ms, mono_ms: the machine's clocks. boot_id: names the boot in which `mono_ms` counts.
    patience_ms: how long a call may wait for other writers.
    first_epoch: of rooms that are new; None for the second of their making. So a line that was lost with its file and
        begins again never takes the lost one's tickets for its own.
    """

    def __init__(
        self,
        path: Path,
        *,
        wall_ms: Clock = now_ms,
        mono_ms: Clock = _monotonic_ms,
        boot_id: str | None = None,
        patience_ms: int = PATIENCE_MS,
        first_epoch: int | None = None,
    ) -> None:
        self._clock = SteadyClock(wall_ms, mono_ms)
        self._boot_id = boot_id or machine_boot_id()
        self._patience_s = patience_ms / 1000
        self._first_epoch = first_epoch
        self._file = StoreFile(path, on_open=self._enter_boot)
        self._inside: defaultdict[str, Inside] = defaultdict(Inside)
        self._thread: ThreadPoolExecutor | None = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def open_room(self, room: str, limits: Limits) -> Snapshot:
        def work(file: sqlite3.Connection) -> Snapshot:
            now_ms = self._now(file).now_ms
            first_epoch = now_ms // 1000 if self._first_epoch is None else self._first_epoch
            return rooms.open_room(file, room, limits, now_ms, first_epoch, new_secret())

        return await self._write(work, durable=True)

    async def load(self, room: str) -> Snapshot:
        seen = await self._read(lambda file: snapshot(file, read_line(file, room), self._now(file).now_ms))
        self._inside[room].look(seen)
        return seen

    async def commit(self, room: str, plan: TickPlan, expected_tick: int) -> tuple[bool, Snapshot]:
        def work(file: sqlite3.Connection) -> tuple[bool, Snapshot]:
            now = self._now(file)
            answer = rooms.commit(file, room, plan, expected_tick, now.now_ms)
            if answer[0]:
                file.execute("UPDATE meta SET now_ms = ?, mono_ms = ?", (now.now_ms, now.mono_ms))
            return answer

        # A wave that has joined is told to its holders, and must not join anew elsewhere.
        return await self._write(work, durable=plan.append is not None)

    async def join(
        self, room: str, knocks: Sequence[int | None], *, expires_ms: int, epoch: int | None = None
    ) -> Sequence[int]:
        def call(deadline: float) -> Sequence[int]:
            try:
                return self._file.write(partial(work, flushed=False), deadline)
            except visits.MustReserve:
                return self._file.write(partial(work, flushed=True), deadline, durable=True)

        def work(file: sqlite3.Connection, *, flushed: bool) -> Sequence[int]:
            return visits.join(file, room, knocks, expires_ms, epoch, flushed=flushed)

        return await self._run(call)

    async def acknowledge(self, room: str, epoch: int, number: int) -> Snapshot:
        await self._write(lambda file: visits.acknowledge(file, room, epoch, number), durable=True)
        return await self.load(room)

    async def claim(self, room: str, claims: Sequence[Claim]) -> Sequence[ClaimAnswer]:
        answers = await self._write(lambda file: visits.claim(file, room, claims), durable=True)
        for claim, answer in zip(claims, answers, strict=True):
            if isinstance(answer, Admitted):
                self._inside[room].lives(claim.epoch, answer.grant)
        return answers

    async def renew(self, room: str, passes: Sequence[PassRef]) -> Sequence[PassGrant | None]:
        # Most renewals gain too little to be written, and those need no turn.
        grants = await self._read(lambda file: visits.unless_gain(file, room, passes))
        if grants is None:
            grants = await self._write(lambda file: visits.renew(file, room, passes))
        self._remember(room, passes, grants)
        return grants

    async def serve(self, room: str, served: Sequence[Served]) -> Sequence[PassGrant | None]:
        grants = await self._write(lambda file: visits.serve(file, room, served))
        self._remember(room, [one.ref for one in served], grants)
        return grants

    async def look(self, room: str, passes: Sequence[PassRef]) -> Sequence[PassGrant | None]:
        grants = await self._read(lambda file: visits.find(file, room, passes))
        self._remember(room, passes, grants)
        return grants

    async def where(self, room: str, places: Sequence[tuple[int, int]]) -> Sequence[Whereabouts | None]:
        return await self._read(lambda file: visits.where(file, room, places))

    async def find_pass(self, room: str, pass_id: str) -> PassGrant | None:
        return await self._read(lambda file: visits.find_pass(file, room, pass_id))

    def recall(self, room: str, ref: PassRef) -> PassGrant | None:
        return self._inside[room].recall(ref)

    async def complete(self, room: str, passes: Sequence[PassRef], *, reason: str) -> Sequence[bool]:
        answers = await self._write(lambda file: visits.complete(file, room, passes, reason))
        for ref in passes:
            self._inside[room].ended(ref.epoch, ref.place, ref.pass_id)
        return answers

    async def leave(self, room: str, places: Sequence[tuple[int, int]]) -> Sequence[bool]:
        answers = await self._write(lambda file: visits.leave(file, room, places))
        for epoch, place in places:
            self._inside[room].ended(epoch, place)
        return answers

    async def count(self, room: str, deltas: Mapping[str, int]) -> None:
        await self._write(lambda file: visits.count(file, room, deltas))

    async def observe(self, room: str, seen: Sightings, stock: Stock | None) -> tuple[Sightings, Stock | None]:
        return await self._write(lambda file: observed.observe(file, room, seen, stock))

    async def update_settings(self, room: str, patch: Mapping[str, Any], *, expected_version: int | None) -> Snapshot:
        return await self._write(
            lambda file: rooms.update_settings(file, room, patch, expected_version, self._now(file).now_ms),
            durable=True,
        )

    async def reset(self, room: str, *, expected_version: int | None) -> Snapshot:
        return await self._write(
            lambda file: rooms.reset(file, room, expected_version, self._now(file).now_ms, new_secret()),
            durable=True,
        )

    async def close(self) -> None:
        if self._thread is not None:
            await self._run(lambda _: self._file.close())
            self._thread.shutdown(wait=False)
            self._thread = None

    def _remember(self, room: str, passes: Sequence[PassRef], grants: Sequence[PassGrant | None]) -> None:
        for ref, grant in zip(passes, grants, strict=True):
            if grant is None:
                self._inside[room].ended(ref.epoch, ref.place, ref.pass_id)
            else:
                self._inside[room].lives(ref.epoch, grant)

    async def _read(self, work: Work[T]) -> T:
        return await self._run(lambda deadline: self._file.read(work, deadline))

    async def _write(self, work: Work[T], *, durable: bool = False) -> T:
        return await self._run(lambda deadline: self._file.write(work, deadline, durable=durable))

    async def _run(self, call: Callable[[float], T]) -> T:
        """Do it in the thread. The deadline counts from here, so a queue of calls is refused together."""
        if self._thread is None:
            raise StoreUnavailable("the store was closed")
        deadline = time.monotonic() + self._patience_s
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, deadline)

    def _now(self, file: sqlite3.Connection) -> Moment:
        return self._clock.read(Moment(*file.execute("SELECT now_ms, mono_ms FROM meta").fetchone()))

    def _enter_boot(self, file: sqlite3.Connection) -> None:
        """See to what a new boot of the machine means. Nothing, for every opening in it but the first."""
        file.execute(observed.TABLE)
        boot_id, kept_ms = file.execute("SELECT boot_id, now_ms FROM meta").fetchone()
        if boot_id == self._boot_id:
            return
        first = self._clock.first(kept_ms)
        rooms.skip_reserved(file)
        file.execute(
            "UPDATE meta SET boot_id = ?, now_ms = ?, mono_ms = ?", (self._boot_id, first.now_ms, first.mono_ms)
        )


if TYPE_CHECKING:
    _conforms: type[QueueStore] = SqliteStore
