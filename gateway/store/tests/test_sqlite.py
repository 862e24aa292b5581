"""What the SQLite store promises beyond the contract: its file, its clock, and what becomes of both."""

import asyncio
import fcntl
import resource
import sqlite3
import stat
import threading
import time
from contextlib import closing as closing_now
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from gateway.room.model import USER_CREDIT, Append, Block, Limits
from gateway.store.base import Admitted, AtDoor, Claim, PassRef, Served, StoreError, StoreUnavailable
from gateway.store.handoff import PLACES, Turn
from gateway.store.sqlite import SqliteStore
from gateway.store.tests.plans import idle_plan, opening_plan

FAR = 10**15


@dataclass
class Machine:
    """A machine whose time and boots are ours."""

    wall: int = 1_000_000
    mono: int = 5_000
    boot: str = "boot-1"

    def store(self, path: Path, patience_ms: int = 2_000) -> SqliteStore:
        return SqliteStore(
            path,
            first_epoch=1,
            wall_ms=lambda: self.wall,
            mono_ms=lambda: self.mono,
            boot_id=self.boot,
            patience_ms=patience_ms,
        )

    def pass_time(self, elapsed_ms: int, jump_ms: int = 0) -> None:
        self.mono += elapsed_ms
        self.wall += elapsed_ms + jump_ms

    def lose_power(self) -> None:
        self.mono = 10
        self.boot += "+"


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "er" / "queue.db"


# --- the file ---


async def test_the_files_are_for_their_owner_alone(closing, machine, path):
    store = closing(machine.store(path))
    await store.open_room("hall", Limits())
    await store.join("hall", [1], expires_ms=FAR)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == [
        "queue.db",
        "queue.db-next",
        "queue.db-next-2",
        "queue.db-next-3",
        "queue.db-next-4",
        "queue.db-shm",
        "queue.db-turn",
        "queue.db-wal",
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize("content", [b"", b"not a database at all, but a longer text " * 50])
async def test_a_damaged_file_is_refused_by_name_and_left_as_it_is(closing, machine, path, content):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match=r"queue\.db: it is damaged"):
        await closing(machine.store(path)).open_room("hall", Limits())
    assert path.read_bytes() == content


async def test_a_page_damaged_in_the_middle_is_noticed_at_the_opening(closing, machine, path):
    first = machine.store(path)
    await first.open_room("hall", Limits())
    await first.join("hall", list(range(500)), expires_ms=FAR)
    await first.close()
    content = bytearray(path.read_bytes())
    content[4096 * 4 : 4096 * 6] = b"\xff" * 8192
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="damaged"):
        await closing(machine.store(path)).load("hall")


async def test_a_database_of_something_else_is_refused_untouched(closing, machine, path):
    path.parent.mkdir(parents=True)
    with closing_now(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE orders (id)")
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="something else"):
        await closing(machine.store(path)).load("hall")
    assert path.read_bytes() == before


async def test_a_file_of_a_newer_version_is_refused(closing, machine, path):
    first = machine.store(path)
    await first.open_room("hall", Limits())
    await first.close()
    with closing_now(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET schema_version = 99")
    with pytest.raises(StoreError, match="schema 99") as refusal:
        await closing(machine.store(path)).load("hall")
    assert not isinstance(refusal.value, StoreUnavailable)


def forget_entries(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE rooms DROP COLUMN entry_credit")


def forget_trials(connection: sqlite3.Connection) -> None:
    forget_entries(connection)
    for column in ("trial_ms", "failed"):
        connection.execute(f"ALTER TABLE passes DROP COLUMN {column}")


async def test_a_pass_of_a_file_from_before_there_were_trials_lives_on_and_is_on_none(closing, machine, path):
    first = machine.store(path)
    await first.open_room("hall", Limits())
    await first.join("hall", [None], expires_ms=FAR)
    seen = await first.load("hall")
    await first.commit("hall", opening_plan(seen), seen.tick)
    (answer,) = await first.claim("hall", [Claim(seen.epoch, 1, "p1")])
    await first.close()
    with closing_now(sqlite3.connect(path)) as connection, connection:
        forget_trials(connection)
        connection.execute("UPDATE meta SET schema_version = 3")
    store = closing(machine.store(path))
    (grant,) = await store.serve("hall", [Served(PassRef(seen.epoch, 1, "p1"), works=False)])
    assert isinstance(answer, Admitted)
    assert grant == answer.grant._replace(trial=None)


async def test_a_file_from_before_coming_in_was_paid_for_lets_in_as_the_outflow_earns_it(closing, machine, path):
    first = machine.store(path)
    await first.open_room("hall", Limits())
    await first.join("hall", [None] * 2, expires_ms=FAR)
    seen = await first.load("hall")
    await first.commit("hall", opening_plan(seen), seen.tick)
    await first.close()
    with closing_now(sqlite3.connect(path)) as connection, connection:
        forget_entries(connection)
        connection.execute("UPDATE meta SET schema_version = 4")
    store = closing(machine.store(path))
    claims = [Claim(seen.epoch, 1, "p1")]
    assert await store.claim("hall", claims) == [AtDoor()]
    seen = await store.load("hall")
    await store.commit("hall", idle_plan(seen, credit_add=USER_CREDIT, grants=1), seen.tick)
    (answer,) = await store.claim("hall", claims)
    assert isinstance(answer, Admitted)


async def test_a_file_from_before_there_were_waves_is_upgraded_and_its_line_goes_on(closing, machine, path):
    first = machine.store(path)
    before = await first.open_room("hall", Limits())
    await first.join("hall", [None] * 3, expires_ms=FAR)
    await first.close()
    with closing_now(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE rooms DROP COLUMN blocks")
        forget_trials(connection)
        connection.execute("UPDATE meta SET schema_version = 2")
    store = closing(machine.store(path))
    seen = await store.load("hall")
    assert (seen.tail, seen.blocks, seen.draw_secret) == (3, {}, before.draw_secret)
    after = (await store.commit("hall", idle_plan(seen, append=Append("fifties", 2)), seen.tick))[1]
    assert after.blocks == {"fifties": Block(3, 2)}


async def test_a_power_loss_after_a_wave_has_joined_moves_nobody_of_it(closing, machine, path):
    store = machine.store(path)
    await store.open_room("hall", Limits())
    await store.join("hall", [None] * 3, expires_ms=FAR)
    seen = await store.load("hall")
    await store.commit("hall", idle_plan(seen, append=Append("fifties", 1_000)), seen.tick)
    await store.close()
    machine.lose_power()
    after = await closing(machine.store(path)).load("hall")
    assert (after.blocks, after.tail) == ({"fifties": Block(3, 1_000)}, 1_003)


async def test_a_file_that_is_gone_is_not_made_anew_and_one_put_back_is_used(closing, machine, path):
    store = closing(machine.store(path))
    await store.open_room("hall", Limits())
    await store.join("hall", [None], expires_ms=FAR)
    path.rename(path.with_name("away"))
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="gone"):
            await store.join("hall", [None], expires_ms=FAR)
    assert not path.exists()
    path.with_name("away").rename(path)
    assert await store.join("hall", [None], expires_ms=FAR) == [2]


async def test_another_file_in_its_place_is_refused(closing, machine, path):
    store = closing(machine.store(path))
    await store.open_room("hall", Limits())
    path.rename(path.with_name("away"))
    path.write_bytes(path.with_name("away").read_bytes())
    with pytest.raises(StoreUnavailable, match="replaced"):
        await store.load("hall")


async def test_changes_without_their_file_are_not_mistaken_for_a_new_store(closing, machine, path):
    path.parent.mkdir(parents=True)
    path.with_name("queue.db-wal").write_bytes(b"changes")
    with pytest.raises(StoreUnavailable, match="put it back"):
        await closing(machine.store(path)).open_room("hall", Limits())


async def test_a_place_where_no_file_can_be_is_told_by_name(closing, machine, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"file/queue\.db"):
        await closing(machine.store(tmp_path / "file" / "queue.db")).open_room("hall", Limits())


async def join_on(store: SqliteStore, answered: list[int]) -> None:
    """Join with the knocks 100, 101, ... in hundreds, until it fails."""
    for start in range(100, 100_000, 100):
        answered += await store.join("hall", list(range(start, start + 100)), expires_ms=FAR)


async def test_a_full_disk_loses_nothing_and_the_store_goes_on_when_there_is_room(closing, machine, path):
    store = closing(machine.store(path))
    await store.open_room("hall", Limits())
    answered = list(await store.join("hall", list(range(100)), expires_ms=FAR))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file may grow past this: the disk is full, as far as the store can tell.
    full = path.with_name("queue.db-wal").stat().st_size + 10_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (full, before[1]))
    try:
        with pytest.raises(StoreUnavailable, match=r"queue\.db: the disk"):
            await join_on(store, answered)
        with pytest.raises(StoreUnavailable):
            await store.join("hall", list(range(10**6, 10**6 + 5_000)), expires_ms=FAR)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    again = await store.join("hall", [*range(len(answered)), None], expires_ms=FAR)
    assert again[:-1] == answered
    assert again[-1] > max(answered)


async def test_a_file_locked_by_a_foreign_program_is_told_in_bounded_time_and_used_again_after(closing, machine, path):
    store = closing(machine.store(path, patience_ms=100))
    await store.open_room("hall", Limits())
    with closing_now(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.join("hall", [None], expires_ms=FAR)
        assert time.monotonic() - began < 2
        assert (await store.load("hall")).tail == 0
        foreign.execute("ROLLBACK")
    assert await store.join("hall", [None], expires_ms=FAR) == [1]


async def test_calls_behind_a_process_that_keeps_its_turn_are_refused_together(closing, machine, path):
    store = closing(machine.store(path, patience_ms=100))
    await store.open_room("hall", Limits())
    turn = Turn(path)
    turn.take(time.monotonic() + 1)
    began = time.monotonic()
    answers = await asyncio.gather(
        *(store.join("hall", [None], expires_ms=FAR) for _ in range(20)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 20
    assert time.monotonic() - began < 2
    # Reading waits for no turn.
    assert (await store.load("hall")).tail == 0
    turn.close()
    assert await store.join("hall", [None], expires_ms=FAR) == [1]


def test_nobody_overtakes_who_waits_to_write(tmp_path):
    path, order = tmp_path / "q", []
    turns = [Turn(path) for _ in PLACES]
    turns[0].take(time.monotonic() + 5)

    def write(number: int) -> None:
        turns[number].take(time.monotonic() + 20)
        order.append(number)
        turns[number].give()

    threads = []
    # Each comes when the one before has its place; the first waits next to the turn.
    for number, place in enumerate(reversed(PLACES[:-1]), 1):
        threads.append(threading.Thread(target=write, args=(number,)))
        threads[-1].start()
        while not _is_taken(Path(f"{path}{place}")):
            time.sleep(0.001)
    turns[0].give()
    # Who has just written wants to again.
    write(0)
    for thread in threads:
        thread.join()
    assert order == [*range(1, len(PLACES)), 0]
    for turn in turns:
        turn.close()


def _is_taken(place: Path) -> bool:
    with place.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_who_gives_up_waiting_to_write_holds_up_nobody(tmp_path):
    first, second, third = (Turn(tmp_path / "q") for _ in range(3))
    first.take(time.monotonic() + 5)
    with pytest.raises(StoreUnavailable):
        second.take(time.monotonic())
    first.give()
    third.take(time.monotonic())
    for turn in (first, second, third):
        turn.close()


async def test_a_closed_store_says_so(machine, path):
    store = machine.store(path)
    await store.open_room("hall", Limits())
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.load("hall")


# --- its clock, and power losses ---


async def test_the_clock_goes_on_when_the_machine_is_set_back(closing, machine, path):
    store = closing(machine.store(path))
    first = await store.open_room("hall", Limits())
    assert first.now_ms == 1_000_000
    machine.pass_time(10_000)
    assert (await store.load("hall")).now_ms == 1_010_000
    machine.pass_time(1_000, jump_ms=-500_000)
    assert (await store.load("hall")).now_ms == 1_010_500
    snapshot = await store.load("hall")
    await store.commit("hall", idle_plan(snapshot), snapshot.tick)
    # Another process takes it from the file.
    other = closing(machine.store(path))
    machine.pass_time(1_000)
    assert (await other.load("hall")).now_ms == 1_011_000
    machine.pass_time(0, jump_ms=800_000)
    assert (await other.load("hall")).now_ms == machine.wall


async def test_the_clock_does_not_go_back_over_a_reboot(closing, machine, path):
    store = machine.store(path)
    await store.open_room("hall", Limits())
    machine.pass_time(10_000)
    snapshot = await store.load("hall")
    await store.commit("hall", idle_plan(snapshot), snapshot.tick)
    await store.close()
    machine.lose_power()
    machine.wall = 0
    again = closing(machine.store(path))
    assert (await again.load("hall")).now_ms == 1_010_000
    machine.pass_time(100)
    assert (await again.load("hall")).now_ms == 1_010_050


async def test_numbers_that_a_power_loss_may_have_rolled_back_are_skipped(closing, machine, path):
    store = machine.store(path)
    await store.open_room("hall", Limits(new_users_per_minute=600))
    await store.join("hall", [None] * 3, expires_ms=FAR)
    await store.close()
    copy = path.read_bytes()
    store = machine.store(path)
    answered = await store.join("hall", [None] * 90, expires_ms=FAR)
    await store.close()
    # The disk has what was flushed with the first numbers; the later ones were answered, and lost.
    path.write_bytes(copy)
    machine.lose_power()
    again = closing(machine.store(path))
    after = await again.join("hall", [None], expires_ms=FAR)
    assert after[0] > max(answered)
    assert after[0] <= 3 + 100 + 1


async def test_numbers_are_reserved_with_a_flush_before_they_are_issued(closing, machine, path):
    store = closing(machine.store(path))
    await store.open_room("hall", Limits(new_users_per_minute=600))
    flushed = []

    def note(statement: str) -> None:
        if "synchronous" in statement:
            flushed.append(statement.endswith("FULL"))

    await store.load("hall")
    connection = store._file._connection
    assert connection is not None
    connection.set_trace_callback(note)
    with closing_now(sqlite3.connect(path)) as reader:
        for _ in range(50):
            was_reserved, tail = reader.execute("SELECT reserved, tail FROM rooms").fetchone()
            number = (await store.join("hall", [None] * 7, expires_ms=FAR))[-1]
            reserved = reader.execute("SELECT reserved FROM rooms").fetchone()[0]
            assert number <= reserved
            assert reserved - number <= 100
            if tail + 7 > was_reserved:
                assert store._file._durable
    assert 2 <= sum(flushed) <= 5


async def test_admissions_settings_and_resets_are_flushed(closing, machine, path):
    store = closing(machine.store(path))
    await store.open_room("hall", Limits())
    await store.join("hall", [None], expires_ms=FAR)
    snapshot = await store.load("hall")
    await store.commit("hall", opening_plan(snapshot), snapshot.tick)
    for call in (
        lambda: store.claim("hall", [Claim(1, 1, "x")]),
        lambda: store.update_settings("hall", {"mode": "paused"}, expected_version=None),
        lambda: store.reset("hall", expected_version=None),
    ):
        await store.count("hall", {"x": 1})
        assert not store._file._durable
        await call()
        assert store._file._durable


async def test_a_restart_without_a_power_loss_skips_nothing(closing, machine, path):
    for number in range(1, 4):
        store = machine.store(path)
        await store.open_room("hall", Limits())
        assert await store.join("hall", [None], expires_ms=FAR) == [number]
        await store.close()


async def test_knocks_are_forgotten_after_their_time_and_not_before(closing, machine, path):
    store = closing(machine.store(path))
    await store.open_room("hall", Limits())
    await store.join("hall", [1, 2], expires_ms=machine.wall + 1_000)
    await store.join("hall", [2], expires_ms=machine.wall + 2_000)
    for elapsed_ms, remembered in ((999, [1, 2]), (1, [3, 2]), (1_000, [4, 5])):
        machine.pass_time(elapsed_ms)
        snapshot = await store.load("hall")
        await store.commit("hall", idle_plan(snapshot), snapshot.tick)
        assert await store.join("hall", [1, 2], expires_ms=0) == remembered


async def test_calls_shortly_after_one_another_count_as_one(closing, machine, path):
    store = closing(machine.store(path))
    await store.open_room("hall", Limits())
    await store.join("hall", [None] * 1_000, expires_ms=FAR)
    for place in range(1, 101):
        snapshot = await store.load("hall")
        await store.commit("hall", idle_plan(snapshot, serve_to=place, call_clock_ms=place * 10), snapshot.tick)
    snapshot = await store.load("hall")
    assert [(call.first, call.last, call.remaining) for call in snapshot.calls] == [
        (1, 25, 25),
        (26, 50, 25),
        (51, 75, 25),
        (76, 100, 25),
    ]
    assert [call.called_at_ms for call in snapshot.calls] == [10, 260, 510, 760]


async def test_a_line_that_begins_again_in_a_new_file_is_not_taken_for_the_lost_one(tmp_path: Path) -> None:
    epochs = []
    for wall_ms in (1_626_692_400_000, 1_626_692_460_000):
        store = SqliteStore(tmp_path / f"{wall_ms}.db", wall_ms=partial(int, wall_ms))
        epochs.append((await store.open_room("hall", Limits())).epoch)
        await store.reset("hall", expected_version=None)
        await store.close()
    assert epochs[1] > epochs[0] + 1
