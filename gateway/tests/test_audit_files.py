"""`sunbeon audit`: verify and export, by the command."""

import csv
import gzip
import io
import json

import pytest

from gateway.audit import Audit
from gateway.cli import main

EIGHT = 1_626_692_400_000  # 19 July 2021, 20:00 in Korea


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "audit.log"
    audit = Audit(path, max_bytes=2_000)
    for number in range(1, 21):
        audit.admitted("hall", EIGHT + number * 1_000, epoch=1, number=number, place=number, pass_id="-x", how="line")
    audit.note("refused", "yard", EIGHT, why="forged", colour="=red")
    audit.close()
    return path


def run(*words: object) -> int:
    return main([*map(str, words)], environ={})


def test_a_log_is_found_whole_with_what_was_moved_aside_from_it(log, capsys):
    assert run("audit", "verify", log) == 0
    told = capsys.readouterr().out
    assert "room hall: 23 lines;" in told or "room hall: 24 lines;" in told
    assert "the log holds" in told
    assert (log.parent / "audit.log.1").exists()


def test_what_was_moved_aside_may_be_packed(log, capsys):
    first = log.parent / "audit.log.1"
    (log.parent / "audit.log.1.gz").write_bytes(gzip.compress(first.read_bytes()))
    first.unlink()
    assert run("audit", "verify", log) == 0


def test_an_altered_line_is_named_with_its_file_and_line(log, capsys):
    first = log.parent / "audit.log.1"
    first.write_bytes(first.read_bytes().replace(b'"number":3,', b'"number":9,'))
    assert run("audit", "verify", log) == 1
    told = capsys.readouterr().out
    assert f"altered: {first}:4: room hall: line 4" in told
    assert "THE LOG DOES NOT HOLD" in told


def test_a_head_noted_earlier_is_looked_for(log, capsys):
    run("audit", "verify", log)
    noted = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("room hall")).split()[-1]
    assert run("audit", "verify", log, "--head", f"hall:{noted}") == 0
    assert (
        run("audit", "verify", log.parent / "audit.log.1", log.parent / "audit.log.2", "--head", f"hall:{noted}") == 1
    )
    seq = noted.split(":")[0]
    assert run("audit", "verify", log, "--head", f"hall:{seq}:{'0' * 64}") == 1


def test_a_file_that_is_missing_damaged_or_holds_no_chain_is_said(tmp_path, capsys):
    assert run("audit", "verify", tmp_path / "none.log") == 1
    assert "there is no such log" in capsys.readouterr().err
    (tmp_path / "bad.gz").write_bytes(b"no gzip")
    assert run("audit", "verify", tmp_path / "bad.gz") == 1
    assert "cannot be read" in capsys.readouterr().err
    (tmp_path / "empty.log").write_bytes(b"")
    assert run("audit", "verify", tmp_path / "empty.log") == 1
    assert "no line of a chain" in capsys.readouterr().out


@pytest.mark.parametrize("head", ["hall", "hall:0:" + "0" * 64, "hall:1:zz", "HALL:1:" + "0" * 64])
def test_a_head_that_is_none_is_a_wrong_command(log, head, capsys):
    with pytest.raises(SystemExit) as stop:
        run("audit", "verify", log, "--head", head)
    assert stop.value.code == 2


def test_lines_are_exported_for_a_spreadsheet_and_no_text_as_a_formula(log, capsys):
    assert run("audit", "export", log, "--event", "admitted", "--event", "refused") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["number"] for row in rows if row["room"] == "hall"] == [str(number) for number in range(1, 21)]
    assert rows[0]["time"] == "2021-07-19T11:00:01.000+00:00"
    assert {row["pass_id"] for row in rows} == {"'-x", ""}
    assert json.loads(rows[-1]["more"]) == {"colour": "=red"}


def test_lines_are_exported_as_json_by_room_event_and_time(log, capsys):
    command = ["audit", "export", log, "--format", "json", "--room", "hall", "--event", "admitted"]
    assert run(*command, "--from", "2021-07-19T20:00:05+09:00", "--before", "2021-07-19T20:00:08+09:00") == 0
    assert [json.loads(line)["number"] for line in capsys.readouterr().out.splitlines()] == [5, 6, 7]


@pytest.mark.parametrize(
    ("time", "says"),
    [
        ("yesterday", "2021-07-19T20:00:00+09:00"),
        ("2021-07-19T20:00:00", "2021-07-19T20:00:00+09:00"),
        ("0001-01-01T00:00:00+14:00", "1970 to 2199"),
        ("9999-12-31T23:59:59-14:00", "1970 to 2199"),
    ],
)
def test_a_time_that_is_none_or_of_no_zone_is_a_wrong_command(log, time, says, capsys):
    with pytest.raises(SystemExit):
        run("audit", "export", log, "--from", time)
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("cut", ["the last line", "a whole room", "garbage at the end"])
def test_what_is_missing_at_the_end_shows_by_the_heads_beside_the_log(log, cut, capsys):
    lines = log.read_bytes().splitlines(keepends=True)
    match cut:
        case "the last line":
            lines.pop()
        case "a whole room":
            lines = [line for line in lines if b'"room":"yard"' not in line]
        case _:
            lines[-1] = b'{"seq":2,"half\n'
    log.write_bytes(b"".join(lines))
    assert run("audit", "verify", log) == 1
    assert "cut_off" in capsys.readouterr().out


def test_without_a_head_it_is_said_that_the_end_may_be_missing(log, capsys):
    assert run("audit", "verify", log) == 0
    assert "no head was noted" not in capsys.readouterr().out
    heads = log.with_name("audit.log.heads")
    for damaged in (None, "[]", '{"rooms":{"hall":{"chain":"c","seq":"7","hash":"h"}}}'):
        heads.unlink() if damaged is None else heads.write_text(damaged)
        log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
        assert run("audit", "verify", log) == 0
        assert "room hall: no head was noted: nothing says whether its end was cut off" in capsys.readouterr().out


def test_a_chain_that_somebody_added_as_a_whole_shows_by_the_heads_beside_the_log(log, tmp_path, capsys):
    other = Audit(tmp_path / "other.log")
    other.admitted("cellar", 1, number=1)
    other.close()
    log.write_bytes(log.read_bytes() + (tmp_path / "other.log").read_bytes())
    assert run("audit", "verify", log) == 1
    assert "foreign: end: room cellar: the heads beside the log know of no such room" in capsys.readouterr().out


def test_a_packed_file_that_is_damaged_is_said(log, capsys):
    first = log.parent / "audit.log.1"
    packed = bytearray(gzip.compress(first.read_bytes()))
    packed[20] ^= 0xFF
    (log.parent / "audit.log.1.gz").write_bytes(packed)
    first.unlink()
    assert run("audit", "verify", log) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_a_line_whose_time_is_none_is_exported_as_it_stands(log, capsys):
    log.write_bytes(log.read_bytes() + b'{"time_ms":900000000000000000,"event":"odd","room":"hall"}\n')
    assert run("audit", "export", log, "--event", "odd") == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["time"] == "900000000000000000"


def test_files_that_others_numbered_from_the_newest_on_are_read_in_the_order_of_time(log):
    first, second = (log.parent / f"audit.log.{number}" for number in (1, 2))
    first.rename(log.parent / "kept")
    second.rename(first)
    (log.parent / "kept").rename(second)
    assert run("audit", "verify", log) == 0
