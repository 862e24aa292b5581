"""How each booking got in: told by the log alone, whatever a booking says of itself."""

import csv
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.audit import Audit
from gateway.chain import link, split
from gateway.cli import main
from gateway.ledger import Ledger

EIGHT = 1_626_692_400_000  # 19 July 2021, 20:00 in Korea
THROUGH = {"state": {"from": "open", "to": "passthrough"}}
COLUMNS = ("ref", "created_at", "room", "epoch", "number", "place", "how", "rule", "pass_id")


@dataclass
class Evening:
    """An audit log, and bookings."""

    folder: Path
    rows: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = self.folder / "audit.log"
        self.audit = Audit(self.log)

    def admit(self, number: int, /, **other: object) -> None:
        facts = {"epoch": 1, "number": number, "place": number, "pass_id": f"p{number}", "how": "line", "again": False}
        self.audit.admitted("hall", EIGHT + number * 1_000, **facts | other)

    def book(self, number: int, /, **other: object) -> None:
        row = dict(zip(COLUMNS, (f"b{number}", "", "hall", 1, number, number, "line", "", f"p{number}"), strict=True))
        row["created_at"] = f"2021-07-19T20:{10 + number:02}:00+09:00"
        self.rows.append(row | other)

    def run(self, *words: object) -> int:
        path = self.folder / "bookings.csv"
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, COLUMNS)
            table.writeheader()
            table.writerows(self.rows)
        return main(["reconcile", "--bookings", str(path), "--audit", str(self.log), *map(str, words)], environ={})


@pytest.fixture
def evening(tmp_path):
    made = Evening(tmp_path)
    yield made
    made.audit.close()


def classes(capsys) -> dict[str, int]:
    told: dict[str, int] = json.loads(capsys.readouterr().out)["classes"]
    return {name: number for name, number in told.items() if number}


def test_bookings_that_the_log_admits_are_queued_or_of_the_late_lane(evening, capsys):
    evening.admit(1)
    evening.admit(2, how="late_lane")
    evening.admit(3, how="direct")
    evening.book(1)
    evening.book(2, how="late_lane")
    evening.book(3, how="direct")
    assert evening.run("--json") == 0
    assert classes(capsys) == {"queued in order": 2, "late lane": 1}


def test_a_pass_that_was_told_again_proves_once(evening, capsys):
    evening.admit(1)
    evening.admit(1, again=True)
    evening.book(1)
    assert evening.run("--json") == 0
    assert classes(capsys) == {"queued in order": 1}


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"pass_id": "forged"}, "no line of the log admits its pass"),
        ({"pass_id": ""}, "it names no pass"),
        ({"number": 7}, "number 1, not 7"),
        ({"place": 7}, "place 1, not 7"),
        ({"epoch": 2}, "epoch 1, not 2"),
        ({"room": "yard"}, "room hall, not yard"),
        ({"how": "direct"}, "how line, not direct"),
        ({"how": "anything"}, "how line, not anything"),
        ({"created_at": "2021-07-19T19:58:00+09:00"}, "admitted only after it was booked"),
    ],
)
def test_a_booking_of_which_the_log_says_otherwise_is_unproven_and_named(evening, capsys, other, why):
    evening.admit(1)
    evening.book(1, **other)
    assert evening.run() == 1
    told = capsys.readouterr().out
    assert re.search(r"unproven +1 ", told)
    assert "unproven: b1 (" in told
    assert why in told


def test_a_pass_by_which_two_bookings_were_made_is_the_earlier_ones(evening, capsys):
    evening.admit(1)
    evening.book(1, ref="later", created_at="2021-07-19T20:30:00+09:00")
    evening.book(1, ref="earlier")
    assert evening.run() == 1
    told = capsys.readouterr().out
    assert "replayed: later (" in told
    assert "the pass had been used already, by earlier" in told


def test_who_was_let_in_without_the_line_is_exempt_by_whom(evening, capsys):
    evening.audit.note("exempt", "hall", EIGHT, how="exempt", rule="health")
    evening.audit.note("settings", "hall", EIGHT, by="kim", changed=THROUGH)
    evening.audit.note("settings", "hall", EIGHT, by="lee", changed={"message": {"from": {}, "to": {"ko": "x"}}})
    evening.audit.note("exempt", "hall", EIGHT + 1, how="passthrough", rule=None)
    evening.audit.failed_open("hall", EIGHT + 2, epoch=1)
    nobody = {"number": "", "place": ""}
    evening.book(1, how="exempt", rule="health", pass_id="x-1", **nobody)
    evening.book(2, how="passthrough", pass_id="x-2", **nobody)
    evening.book(3, how="fail_open", pass_id="x-3", **nobody)
    assert evening.run() == 0
    told = capsys.readouterr().out
    assert re.search(r"exempt +3 ", told)
    assert "exempt: exempt health: 1 (1 passages on record)" in told
    assert "exempt: passthrough, by kim: 1 (1 passages on record)" in told
    assert "exempt: fail_open: 1 (1 passages on record)" in told


def test_who_came_by_the_allow_list_is_told_with_whoever_allowed_it(evening, capsys):
    evening.audit.operated("allowed", "hall", EIGHT - 1, name="clinic", by="kim")
    evening.audit.note("exempt", "hall", EIGHT, how="exempt", rule="clinic")
    evening.book(1, how="exempt", rule="clinic", pass_id="x-1", number="", place="")
    assert evening.run() == 0
    assert "exempt: exempt clinic, by kim: 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "other",
    [
        {"how": "exempt", "rule": "family"},
        {"how": "passthrough"},
        {"how": "fail_open"},
        {"how": "exempt", "rule": "health", "created_at": "2021-07-19T23:00:00+09:00"},
        {"how": "exempt", "rule": "health", "room": "yard"},
    ],
)
def test_who_says_exempt_while_nobody_like_that_was_let_in_is_unproven(evening, capsys, other):
    evening.audit.note("exempt", "hall", EIGHT, how="exempt", rule="health")
    evening.book(1, pass_id="x-1", number="", place="", **other)
    assert evening.run("--json") == 1
    assert classes(capsys) == {"unproven": 1}


def test_a_line_that_was_altered_proves_nothing(evening, capsys):
    evening.admit(1)
    evening.log.write_bytes(evening.log.read_bytes().replace(b'"p1"', b'"p2"'))
    evening.book(1, pass_id="p2")
    assert evening.run("--json") == 1
    assert classes(capsys) == {"unproven": 1}


def test_a_line_that_was_altered_and_hashed_anew_proves_nothing(evening, capsys):
    for number in (1, 2, 3):
        evening.admit(number)
    lines = evening.log.read_bytes().splitlines()
    first, second = split(lines[1]), split(lines[2])
    assert first
    assert second
    (_, _, before), (facts, _, _) = first, second
    lines[2] = link({**facts, "pass_id": "forged"}, before)[0]
    evening.log.write_bytes(b"\n".join(lines) + b"\n")
    evening.book(2, pass_id="forged")
    assert evening.run("--json") == 1
    assert classes(capsys) == {"unproven": 1}


def test_lines_that_fit_and_say_what_no_gateway_says_prove_nothing_and_stop_nothing(evening, capsys):
    odd: list[dict[str, Any]] = [
        {"event": ["admitted"], "pass_id": "p1"},
        {"event": "admitted", "pass_id": ["p1"]},
        {"event": "exempt", "how": {"a": 1}, "rule": ["x"]},
        {"event": "allowed", "by": ["x"], "name": {}},
        {"event": "settings", "changed": [1]},
        {"event": "refused", "lines_not_written": "many"},
    ]
    ledger = Ledger(evening.log)
    for facts in odd:
        ledger.append("hall", {"time_ms": EIGHT, "room": "hall", **facts})
    ledger.close()
    evening.admit(1)
    evening.book(1)
    evening.book(2, how="exempt", rule="x")
    assert evening.run("--json") == 1
    assert classes(capsys) == {"queued in order": 1, "unproven": 1}


def test_nothing_that_a_list_or_a_log_says_moves_the_terminals_cursor(evening, capsys):
    evening.admit(1)
    evening.book(2, ref="\x1b[2Jall proven\x9b")
    evening.log.write_bytes(evening.log.read_bytes() + b'{"event":"x","room":"\\u001b[2Jthe log holds"}\n')
    assert evening.run() == 1
    assert main(["audit", "verify", str(evening.log)], environ={}) == 1
    told = capsys.readouterr().out
    assert "\ufffd[2Jall proven\ufffd" in told
    assert "\ufffd[2Jthe log holds" in told
    assert all(line.isprintable() for line in told.splitlines())


@pytest.mark.parametrize("which", ["the same", "a copy", "a part of it"])
def test_a_log_that_is_given_twice_is_no_second_proof(evening, tmp_path, capsys, which):
    evening.audit.note("exempt", "hall", EIGHT, how="exempt", rule="desk")
    copy = tmp_path / "copy.log"
    copy.write_bytes(evening.log.read_bytes())
    evening.audit.note("exempt", "hall", EIGHT + 1, how="exempt", rule="desk")
    given = {"the same": evening.log, "a copy": copy, "a part of it": copy}[which]
    if which == "a part of it":
        copy.write_bytes(b"".join(evening.log.read_bytes().splitlines(keepends=True)[:2]))
    assert evening.run(given) == 1
    assert f"{evening.log} has the same lines: name each log once" in capsys.readouterr().out


def test_sound_bookings_of_a_log_that_does_not_hold_are_no_success(evening, capsys):
    evening.admit(1)
    evening.admit(2)
    evening.admit(3)
    evening.book(1)
    lines = evening.log.read_bytes().splitlines(keepends=True)
    evening.log.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    assert evening.run() == 1
    assert "dropped: " in capsys.readouterr().out


def test_logs_of_several_gateways_are_the_whole_together(evening, tmp_path, capsys):
    other = Audit(tmp_path / "other.log")
    evening.audit.note("settings", "hall", EIGHT + 9_000, by="lee", changed=THROUGH)
    evening.admit(1)
    other.note("settings", "hall", EIGHT, by="kim", changed=THROUGH)
    other.note("exempt", "hall", EIGHT + 1, how="passthrough", rule=None)
    facts = {"epoch": 1, "number": 2, "place": 2, "pass_id": "p2", "how": "line", "again": False}
    other.admitted("hall", EIGHT + 2_000, **facts)
    other.close()
    evening.book(1)
    evening.book(2)
    evening.book(3, how="passthrough", number="", place="", created_at="2021-07-19T20:00:05+09:00")
    assert evening.run(tmp_path / "other.log") == 0
    told = capsys.readouterr().out
    assert "exempt: passthrough, by kim: 1" in told
    assert told.count(": holds\n") == 2


def test_every_booking_is_written_with_its_evidence(evening, tmp_path, capsys):
    evening.admit(1)
    evening.book(1)
    evening.book(2, ref="=2+5")
    rows = tmp_path / "rows.csv"
    assert evening.run("--rows", rows) == 1
    found = list(csv.DictReader(io.StringIO(rows.read_text())))
    assert [row["class"] for row in found] == ["queued in order", "unproven"]
    assert found[0]["evidence"].endswith("audit.log:2 (line 2 of the room)")
    assert found[1]["ref"] == "'=2+5"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ref,room\n", "columns are missing: created_at, epoch"),
        (",".join(COLUMNS) + "\nb,yesterday,hall,1,1,1,line,,p\n", ":2: Invalid isoformat"),
        (",".join(COLUMNS) + "\nb,2021-07-19T20:00:00,hall,1,1,1,line,,p\n", "no UTC offset"),
        (",".join(COLUMNS) + "\nb,2021-07-19T20:00:00Z,hall,1,one,1,line,,p\n", ":2: invalid literal"),
        ("", "columns are missing"),
    ],
)
def test_a_list_that_cannot_be_used_is_told_with_its_line(evening, tmp_path, capsys, text, says, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["reconcile", "--bookings", "-", "--audit", str(evening.log)], environ={}) == 1
    assert says in capsys.readouterr().err


def test_a_list_that_is_no_text_is_told(evening, tmp_path, capsys):
    (tmp_path / "list.csv").write_bytes(",".join(COLUMNS).encode() + b"\nb\xff\n")
    assert main(["reconcile", "--bookings", str(tmp_path / "list.csv"), "--audit", str(evening.log)], environ={}) == 1
    assert "list.csv:0: is no CSV" in capsys.readouterr().err
