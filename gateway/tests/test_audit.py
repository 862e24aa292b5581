"""The audit log: every admission, refusals within an allowance, whole lines from many writers."""

import json
import threading

import pytest

from gateway.audit import LINES_PER_SECOND, Audit


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Seconds()


@pytest.fixture
def audit(tmp_path, clock):
    made = Audit(tmp_path / "logs" / "audit.log", clock=clock)
    yield made
    made.close()


def lines(tmp_path) -> list[dict[str, object]]:
    """The events; the chain they are links of is for test_ledger.py."""
    found = [json.loads(line) for line in (tmp_path / "logs" / "audit.log").read_text().splitlines()]
    return [
        {key: line[key] for key in line if key not in {"seq", "hash"}} for line in found if line["event"] != "chain"
    ]


def test_an_admission_is_a_line_with_its_facts(audit, tmp_path):
    audit.admitted("vaccine", 1_000, number=7, place=7, pass_id="id", how="line")
    assert lines(tmp_path) == [
        {
            "time_ms": 1_000,
            "event": "admitted",
            "room": "vaccine",
            "number": 7,
            "place": 7,
            "pass_id": "id",
            "how": "line",
        }
    ]


def test_the_file_is_its_owners(audit, tmp_path):
    assert (tmp_path / "logs" / "audit.log").stat().st_mode & 0o777 == 0o600


def test_a_flood_of_refusals_is_cut_and_the_cut_is_told(audit, tmp_path, clock):
    for _ in range(LINES_PER_SECOND + 50):
        audit.note("refused", "vaccine", 0, why="forged")
    assert len(lines(tmp_path)) == LINES_PER_SECOND
    clock.now += 1
    audit.note("refused", "vaccine", 1_000, why="forged")
    audit.note("refused", "vaccine", 1_000, why="forged")
    assert lines(tmp_path)[-2]["lines_not_written"] == 50
    assert "lines_not_written" not in lines(tmp_path)[-1]


def test_no_flood_keeps_an_admission_from_being_written(audit, tmp_path):
    for _ in range(LINES_PER_SECOND * 2):
        audit.note("refused", "vaccine", 0)
    for number in range(1_000):
        audit.admitted("vaccine", 0, number=number)
    assert len([line for line in lines(tmp_path) if line["event"] == "admitted"]) == 1_000


def test_several_writers_never_cut_into_each_others_lines(tmp_path):
    audits = [Audit(tmp_path / "logs" / "audit.log") for _ in range(4)]

    def write(audit: Audit) -> None:
        for number in range(500):
            audit.admitted("vaccine", 0, number=number, text="x" * 200)

    threads = [threading.Thread(target=write, args=(audit,)) for audit in audits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for audit in audits:
        audit.close()
    assert len(lines(tmp_path)) == 2_000


def test_a_log_of_before_is_continued(tmp_path):
    for number in range(2):
        audit = Audit(tmp_path / "logs" / "audit.log")
        audit.admitted("vaccine", 0, number=number)
        audit.close()
    assert [line["number"] for line in lines(tmp_path)] == [0, 1]


def test_a_log_that_cannot_be_opened_stops_the_start(tmp_path):
    with pytest.raises(OSError, match="directory"):
        Audit(tmp_path)


def test_a_disk_that_is_full_stops_nobody_and_is_said(audit, caplog, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.ledger.os.write", full)
    audit.admitted("vaccine", 0, number=1)
    monkeypatch.undo()
    assert "the audit log cannot be written" in caplog.text


def test_the_newest_line_is_known_by_its_hash_whoever_wrote_it(audit, tmp_path, clock):
    assert audit.head("vaccine") is None
    other = Audit(tmp_path / "logs" / "audit.log")
    other.admitted("vaccine", 0, number=1)
    clock.now += 1
    assert audit.head("vaccine") == other.head("vaccine")
    assert (
        json.loads((tmp_path / "logs" / "audit.log").read_text().splitlines()[-1])["hash"] == audit.head("vaccine").hash
    )
    other.close()


def test_without_a_path_nothing_is_written(tmp_path):
    audit = Audit(None)
    audit.admitted("vaccine", 0)
    audit.close()
    audit.close()
    assert list(tmp_path.iterdir()) == []
