"""One chain for each room, however many processes write it, die at it, and whatever is moved away."""

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.chain import Fault, Report, Verifier
from gateway.ledger import LOCK_LONGEST_S, LOCK_PATIENCE_S, Ledger

WRITER = """
import sys
from pathlib import Path
from gateway.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]), max_bytes=int(sys.argv[3]))
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    room = "hall" if number % 3 else "yard"
    ledger.append(room, {"event": "admitted", "room": room, "n": number})
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "var" / "audit.log"


@pytest.fixture
def ledger(path):
    made = Ledger(path)
    yield made
    made.close()


def add(ledger: Ledger, *numbers: int, room: str = "hall") -> None:
    for number in numbers:
        ledger.append(room, {"time_ms": number, "event": "admitted", "room": room, "number": number})


def look(*paths: Path) -> Report:
    verifier = Verifier()
    for path in paths:
        for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
            verifier.read(f"{path.name}:{number}", line)
    return verifier.end()


def parts(path: Path) -> list[Path]:
    """The files of a log, in the order they were written."""
    moved = sorted(path.parent.glob(f"{path.name}.[0-9]*"), key=lambda each: int(each.suffix[1:]))
    return [*moved, path]


def test_two_that_write_in_turns_make_one_chain(ledger, path):
    other = Ledger(path)
    for number in range(10):
        add(other if number % 2 else ledger, number)
    other.close()
    report = look(path)
    assert (report.faults, report.rooms["hall"].lines) == (0, 11)
    assert ledger.newest()["hall"] == report.rooms["hall"].head


def test_a_chain_goes_on_after_a_restart(ledger, path):
    add(ledger, 1)
    chain = ledger.heads["hall"].chain
    ledger.close()
    again = Ledger(path)
    add(again, 2)
    again.close()
    report = look(path)
    assert (report.faults, report.rooms["hall"].lines, report.rooms["hall"].head.chain) == (0, 3, chain)


@pytest.mark.slow
def test_processes_that_are_killed_at_any_moment_leave_a_chain_without_a_fault(path):
    for round_number in range(6):
        command = [sys.executable, "-c", WRITER, str(path), "100000", "200000"]
        writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        time.sleep(0.1 + 0.03 * round_number)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            assert writer.stdout is not None
            writer.stdout.close()
    last = Ledger(path)
    add(last, 1)
    last.close()
    report = look(*parts(path))
    assert report.faults == 0, report.findings
    assert report.rooms["hall"].lines > 100
    assert len(parts(path)) > 1


def test_a_log_that_was_moved_away_goes_on_in_a_new_file(ledger, path):
    add(ledger, 1, 2)
    moved = path.rename(path.with_name("audit.log.1"))
    add(ledger, 3)
    add(ledger, 4, room="yard")
    assert look(moved, path).faults == 0
    assert look(path).rooms["hall"].first_seq == 4
    assert look(path).faults == 0


def test_a_log_that_has_grown_is_moved_aside_by_whoever_writes_next(path):
    one, other = Ledger(path, max_bytes=1_000), Ledger(path, max_bytes=1_000)
    for number in range(60):
        add(other if number % 2 else one, number)
    one.close()
    other.close()
    files = parts(path)
    assert len(files) > 5
    assert all(each.stat().st_size < 1_500 for each in files)
    assert (look(*files).faults, look(*files[3:]).faults) == (0, 0)
    assert look(*files[:3], *files[4:]).findings[0].fault is Fault.DROPPED


def test_heads_that_were_lost_are_read_from_the_log(ledger, path):
    add(ledger, 1, 2)
    add(ledger, 3, room="yard")
    os.truncate(path.with_name("audit.log.heads"), 5)
    add(ledger, 4)
    assert (look(path).faults, look(path).rooms["hall"].lines) == (0, 4)


ROOM = '{"inode":1,"size":1,"files":0,"opened":[],"rooms":{"hall":'


@pytest.mark.parametrize(
    "damaged",
    [
        *("[]", "null", "{}", "garbage", '{"rooms":[]}', '{"inode":1,"size":-1,"files":0,"opened":[],"rooms":{}}'),
        *(f"{ROOM}{head}}}}}" for head in ("5", "{}", '{"chain":"c","seq":"1","hash":"h"}')),
        ROOM + '{"chain":"c","seq":1e99,"hash":"h"}}}',
    ],
)
def test_heads_that_are_none_stop_nobody_and_the_chain_goes_on(ledger, path, damaged, caplog):
    heads = path.with_name("audit.log.heads")
    add(ledger, 1)
    heads.write_text(damaged)
    assert ledger.newest()["hall"].seq == 2
    add(ledger, 2)
    heads.write_text(damaged)
    again = Ledger(path)
    add(again, 3)
    again.close()
    add(ledger, 4)
    assert (look(path).faults, look(path).rooms["hall"].lines) == (0, 5)
    assert "are damaged" in caplog.text


def test_heads_that_cannot_be_written_whole_do_not_have_the_log_read_again_for_every_line(ledger, path, monkeypatch):
    add(ledger, *range(200))
    read: list[int] = []
    true_pread, true_pwrite = os.pread, os.pwrite

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        found = true_pread(descriptor, size, offset)
        read.append(len(found))
        return found

    monkeypatch.setattr("os.pread", counted)
    monkeypatch.setattr(
        "os.pwrite", lambda descriptor, text, at: true_pwrite(descriptor, text[:40].ljust(len(text)), at)
    )
    add(ledger, *range(5))
    monkeypatch.undo()
    assert sum(read) < path.stat().st_size / 2
    add(ledger, 9)
    assert (look(path).faults, look(path).rooms["hall"].lines) == (0, 207)


def test_workers_meet_again_at_heads_that_were_deleted_or_moved_away(ledger, path):
    heads = path.with_name("audit.log.heads")
    add(ledger, 1)
    heads.unlink()
    other = Ledger(path)
    for number in range(2, 6):
        add(ledger if number % 2 else other, number)
    heads.rename(path.with_name("away"))
    for number in range(6, 10):
        add(ledger if number % 2 else other, number)
    assert ledger.newest() == other.newest()
    other.close()
    assert (look(path).faults, look(path).rooms["hall"].lines, ledger.newest()["hall"].seq) == (0, 10, 10)


def test_a_line_that_the_heads_do_not_know_counts(ledger, path):
    heads = path.with_name("audit.log.heads")
    add(ledger, 1)
    before = heads.read_bytes()
    add(ledger, 2)
    heads.write_bytes(before)
    with path.open("ab") as file:
        file.write(b'{"seq":4,"half":')
    add(ledger, 3)
    assert (look(path).faults, look(path).rooms["hall"].lines, look(path).torn) == (0, 4, 1)


def test_a_log_whose_end_was_cut_off_shows_it(ledger, path, caplog):
    add(ledger, 1, 2, 3)
    os.truncate(path, path.stat().st_size - 100)
    add(ledger, 4)
    assert look(path).faults
    assert "shorter than it was" in caplog.text


def test_a_process_that_stops_with_the_lock_in_hand_stops_nobody(ledger, path, caplog):
    add(ledger, 1)
    with path.with_name("audit.log.heads").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        add(ledger, 2)
    add(ledger, 3)
    report = look(path)
    assert [finding.fault for finding in report.findings] == [Fault.FOREIGN]
    assert report.rooms["hall"].lines == 3
    assert "locked by a process" in caplog.text


def test_a_lock_that_nobody_lets_go_of_is_told_of_once_a_second_however_many_lines_come(ledger, path, caplog):
    with path.with_name("audit.log.heads").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        add(ledger, *range(40))
    assert 1 <= caplog.text.count("locked by a process") < 20
    assert ledger.unchained == 40


def test_who_waits_for_others_that_write_waits_on_and_for_one_that_does_not_go_on_only_briefly(
    ledger, path, monkeypatch
):
    add(ledger, 1)
    heads = path.with_name("audit.log.heads")
    now = [0.0]
    monkeypatch.setattr("gateway.ledger.time.monotonic", lambda: now[0])
    with heads.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def others_write(pause_s: float) -> None:
            now[0] += pause_s * 20
            os.utime(heads, ns=(0, round(now[0] * 1e9)))
            if now[0] > LOCK_LONGEST_S / 2:
                fcntl.flock(held, fcntl.LOCK_UN)

        monkeypatch.setattr("gateway.ledger.time.sleep", others_write)
        add(ledger, 2)
        assert (now[0] > LOCK_PATIENCE_S, ledger.unchained) == (True, 0)
        fcntl.flock(held, fcntl.LOCK_EX)
        began_s = now[0]

        def nobody_writes(pause_s: float) -> None:
            now[0] += pause_s

        monkeypatch.setattr("gateway.ledger.time.sleep", nobody_writes)
        add(ledger, 3)
    assert (now[0] - began_s < 2 * LOCK_PATIENCE_S, ledger.unchained) == (True, 1)


def test_a_disk_that_fails_is_told_of_once_and_when_it_works_again(ledger, path, caplog, monkeypatch):
    caplog.set_level(logging.WARNING)
    add(ledger, 1)
    with monkeypatch.context() as patch:
        patch.setattr("os.write", lambda _, data: len(data) // 2)
        add(ledger, 2, 3)
    add(ledger, 4)
    assert caplog.text.count("cannot be written") == 1
    assert caplog.text.count("is written again") == 1
    assert (look(path).faults, look(path).rooms["hall"].lines) == (0, 3)


def test_files_are_their_owners(ledger, path):
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}


def test_a_log_that_cannot_be_made_anew_leaves_everybody_elses_files_alone(ledger, path):
    add(ledger, 1)
    path.parent.rename(path.parent.with_name("gone"))
    strangers = []
    for number in range(5):
        add(ledger, number)
        strangers.append(os.open("/dev/null", os.O_RDONLY))
    for descriptor in strangers:
        os.fstat(descriptor)
        os.close(descriptor)
    path.parent.with_name("gone").rename(path.parent)
    add(ledger, 9)
    assert look(path).faults == 0


def test_what_was_moved_aside_is_never_written_over_also_where_the_heads_were_lost(path):
    for _ in range(3):
        ledger = Ledger(path, max_bytes=1_000)
        for number in range(20):
            add(ledger, number)
        ledger.close()
        path.with_name("audit.log.heads").unlink()
    files = parts(path)
    assert len(files) > 6
    assert sum(look(each).rooms["hall"].lines for each in files) > 60
    assert sum(line.count(b'"admitted"') for each in files for line in each.read_bytes().splitlines()) == 60


def test_a_log_that_cannot_be_moved_aside_grows_on(path, monkeypatch, caplog):
    ledger = Ledger(path, max_bytes=500)

    def refused(*_: object) -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refused)
    add(ledger, *range(20))
    monkeypatch.undo()
    assert (look(path).faults, look(path).rooms["hall"].lines) == (0, 21)
    assert caplog.text.count("cannot be moved aside") == 1
    add(ledger, 20)
    ledger.close()
    assert len(parts(path)) == 2


def test_a_lock_that_was_waited_for_in_vain_is_not_waited_for_with_every_line(ledger, path, monkeypatch):
    now = [0.0]

    def slept(pause_s: float) -> None:
        now[0] += pause_s

    monkeypatch.setattr("gateway.ledger.time.monotonic", lambda: now[0])
    monkeypatch.setattr("gateway.ledger.time.sleep", slept)
    with path.with_name("audit.log.heads").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        add(ledger, 1)
        assert now[0] >= LOCK_PATIENCE_S
        add(ledger, *range(2, 10))
    # Nine lines, and far less than nine times the first one's wait.
    assert now[0] < 2 * LOCK_PATIENCE_S
