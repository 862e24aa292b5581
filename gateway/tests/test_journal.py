"""Files of JSON lines: appended to by many, and followed when they are moved away."""

import errno
import json
import logging
import os

import pytest

from gateway.journal import Journal


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Seconds()


def lines(path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_two_writers_share_a_file(tmp_path):
    first, second = Journal(tmp_path / "x" / "log", "log"), Journal(tmp_path / "x" / "log", "log")
    first.write({"n": 1})
    second.write({"n": 2})
    first.write({"n": 3})
    assert [line["n"] for line in lines(tmp_path / "x" / "log")] == [1, 2, 3]
    first.close()
    second.close()


@pytest.mark.parametrize("remade", [False, True])
def test_a_file_that_was_moved_away_is_followed_within_a_second(tmp_path, clock, remade):
    path = tmp_path / "log"
    journal = Journal(path, "log", clock=clock)
    journal.write({"n": 1})
    path.rename(tmp_path / "old")
    if remade:
        path.touch()
    clock.now += 1
    journal.write({"n": 2})
    assert (lines(tmp_path / "old"), lines(path)) == ([{"n": 1}], [{"n": 2}])
    journal.close()


def test_only_the_owner_may_read_it(tmp_path):
    Journal(tmp_path / "log", "log").close()
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


def test_a_disk_that_fails_stops_nobody(tmp_path, clock, caplog):
    folder = tmp_path / "x"
    journal = Journal(folder / "log", "audit log", clock=clock)
    (folder / "log").rename(tmp_path / "old")
    folder.rmdir()
    clock.now += 1
    with caplog.at_level(logging.ERROR):
        journal.write({"n": 1})
    assert "the audit log cannot be written" in caplog.text
    journal.close()


def test_a_full_disk_is_told_of_once_and_half_a_line_spoils_no_other(tmp_path, caplog, monkeypatch):
    room, write = 0, os.write

    def write_what_fits(descriptor, data):
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[:room])

    journal = Journal(tmp_path / "log", "audit log")
    monkeypatch.setattr(os, "write", write_what_fits)
    with caplog.at_level(logging.WARNING):
        for number, room in enumerate([99, 4, 99, 99, 3, 0, 0, 99]):  # noqa: B007 - what is left on the disk
            journal.write({"n": number})
    journal.close()
    assert (tmp_path / "log").read_text() == '{"n":0}\n{"n"\n{"n":2}\n{"n":3}\n{"n\n{"n":7}\n'
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"] * 2


def test_without_a_path_nothing_is_written(tmp_path):
    journal = Journal(None, "log")
    journal.write({"n": 1})
    journal.close()
    assert list(tmp_path.iterdir()) == []
