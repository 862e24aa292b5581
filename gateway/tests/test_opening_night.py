"""19 July 2021 once more, in virtual time: opens at 20:00, fails at 20:48, is postponed to 22:00, goes on.

The real policy and store. People come for the draw from 19:00 on. At 20:48 the booking site gives up, and the operator
moves the opening. Everyone keeps number and place, and whoever was inside has at 22:00 the time they had left at 20:48.
"""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.room.decide import place_of
from gateway.room.model import Limits, QueueingMethod, Snapshot
from gateway.room.policy import burst, plan_tick
from gateway.room.postpone import postponed
from gateway.store.base import Admitted, AtDoor, Claim, Held, PassRef
from gateway.store.sqlite import SqliteStore
from shared.wire import RoomState

MINUTE = 60_000
SEVEN = 1_626_688_800_000  # 19 July 2021, 19:00 in Korea
EIGHT, TEN = SEVEN + 60 * MINUTE, SEVEN + 180 * MINUTE
FAILS = EIGHT + 48 * MINUTE
EARLY, LATER = 900, 300
OUTFLOW = 12
LIMITS = Limits(
    queueing_method=QueueingMethod.DRAW,
    opens_at_ms=EIGHT,
    prequeue_ms=60 * MINUTE,
    total_active_users=2_000,
    new_users_per_minute=OUTFLOW,
    session_length_ms=70 * MINUTE,
    idle_limit_ms=65 * MINUTE,
)


@dataclass
class Night:
    """The room and its clock. admitted: place -> moment, in order of admission."""

    store: SqliteStore
    now_ms: int
    admitted: dict[int, int] = field(default_factory=dict)
    passes: dict[int, str] = field(default_factory=dict)

    async def tick(self, step_ms: int = 1_000) -> Snapshot:
        """A second goes by; who is called comes at once."""
        self.now_ms += step_ms
        room = await self.store.load("r")
        _, room = await self.store.commit("r", plan_tick(room, room.now_ms), room.tick)
        called = [place for place in range(1, room.serving + 1) if place not in self.admitted]
        answers = await self.store.claim("r", [Claim(1, place, f"p{place}") for place in called])
        for place, answer in zip(called, answers, strict=True):
            match answer:
                case Admitted(grant):
                    self.admitted[place], self.passes[place] = self.now_ms, grant.pass_id
                case AtDoor() | Held():
                    pass
                case other:
                    raise AssertionError(f"place {place}: {other}")
        return room

    async def until(self, moment_ms: int) -> Snapshot:
        room = await self.tick()
        while self.now_ms < moment_ms:
            room = await self.tick()
        return room

    async def time_left_ms(self) -> dict[int, int]:
        refs = [PassRef(1, place, pass_id) for place, pass_id in self.passes.items()]
        grants = await self.store.look("r", refs)
        return {grant.place: grant.lives_ms for grant in grants if grant is not None}


@pytest.fixture
async def night(tmp_path: Path):
    made = Night(None, SEVEN)  # type: ignore[arg-type]
    made.store = SqliteStore(
        tmp_path / "line.db",
        first_epoch=1,
        wall_ms=lambda: made.now_ms,
        mono_ms=lambda: made.now_ms - SEVEN,
        boot_id="night",
        patience_ms=60_000,
    )
    await made.store.open_room("r", LIMITS)
    yield made
    await made.store.close()


async def test_the_night_of_19_july_with_places_kept(night):
    # 19:00 to 20:00: people come, nobody has a place, nobody is let in.
    await night.store.join("r", [None] * EARLY, expires_ms=night.now_ms)
    room = await night.until(EIGHT - 1_000)
    assert (room.state, room.awaits_draw, room.serving, night.admitted) == (RoomState.PREQUEUE, True, 0, {})
    assert place_of(1, room) is None

    # 20:00: lots are drawn, once, among all who were there.
    room = await night.tick()
    assert (room.state, room.draw_size) == (RoomState.OPEN, EARLY)
    places = [place_of(number, room) for number in range(1, EARLY + 1)]
    assert set(places) == set(range(1, EARLY + 1))
    await night.store.join("r", [None] * LATER, expires_ms=night.now_ms)

    # 20:48: it fails, and is postponed.
    room = await night.until(FAILS)
    before = dict(night.admitted)
    assert len(before) == pytest.approx(48 * OUTFLOW, abs=burst(OUTFLOW) + 2)
    left_before = await night.time_left_ms()
    assert set(left_before) == set(before)
    room = await night.store.update_settings("r", postponed(room.limits, night.now_ms, TEN), expected_version=1)
    assert (room.state, room.is_postponed) == (RoomState.PREQUEUE, True)

    # Until 22:00 nothing happens to anybody, and people may go on lining up.
    room = await night.until(FAILS + 30 * MINUTE)
    late = list(await night.store.join("r", [None] * 5, expires_ms=night.now_ms))
    assert late == list(range(EARLY + LATER + 1, EARLY + LATER + 6))
    room = await night.until(TEN - 1_000)
    assert night.admitted == before
    assert await night.time_left_ms() == pytest.approx(left_before, abs=2_000)
    assert [place_of(number, room) for number in range(1, EARLY + 1)] == places

    # 22:00: it goes on where it stood, in order, without a flood.
    room = await night.tick()
    assert (room.state, room.draw_size) == (RoomState.OPEN, EARLY)
    room = await night.until(TEN + 20 * MINUTE)
    after = {place: at for place, at in night.admitted.items() if place not in before}
    assert list(night.admitted) == sorted(night.admitted), "a place was let in before a lower one"
    assert min(after.values()) >= TEN
    assert len([at for at in after.values() if at < TEN + 2 * MINUTE]) <= 2 * OUTFLOW + burst(OUTFLOW)
    assert len(after) == pytest.approx(20 * OUTFLOW, abs=burst(OUTFLOW) + 2)
    # Whoever had a quarter of an hour left at 20:48 had it at 22:00.
    alive = await night.time_left_ms()
    assert {place for place, left_ms in left_before.items() if left_ms > 21 * MINUTE} <= set(alive)
