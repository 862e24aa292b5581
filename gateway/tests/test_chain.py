"""Whatever is done to an audit log shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chain import BEGIN, FAULTS_SHOWN, GENESIS, Fault, Head, Report, Verifier, link, split


def written(rooms: str, chain: str = "c") -> list[bytes]:
    """A log in which each letter is a line of the room so named."""
    heads: dict[str, Head] = {}
    lines = []
    for index, room in enumerate(rooms):
        if room not in heads:
            begin = {"seq": 1, "event": BEGIN, "room": room, "chain": chain, "prev": GENESIS}
            line, digest = link(begin, GENESIS)
            heads[room] = Head(chain, 1, digest)
            lines.append(line)
        head = heads[room]
        line, digest = link({"seq": head.seq + 1, "event": "admitted", "room": room, "number": index}, head.hash)
        heads[room] = Head(chain, head.seq + 1, digest)
        lines.append(line)
    return lines


def look(lines: list[bytes], *noted: tuple[str, Head]) -> Report:
    verifier = Verifier(noted)
    for number, line in enumerate(lines, 1):
        verifier.read(f"log:{number}", line)
    return verifier.end()


def faults(report: Report) -> set[Fault]:
    return {finding.fault for finding in report.findings}


LOGS = st.text("ab", min_size=2, max_size=12).map(written)


@given(LOGS)
def test_what_was_written_verifies(lines):
    report = look(lines)
    assert report.faults == 0
    assert sum(room.lines for room in report.rooms.values()) == len(lines)


@given(LOGS, st.data())
def test_a_line_in_which_any_byte_is_another_shows(lines, data):
    at = data.draw(st.integers(0, len(lines) - 1))
    byte = data.draw(st.integers(0, len(lines[at]) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda value: value not in {lines[at][byte], ord("\n")}))
    altered = lines[at][:byte] + bytes([other]) + lines[at][byte + 1 :]
    head = heads_of(lines)
    report = look([*lines[:at], altered, *lines[at + 1 :]], *head)
    assert report.faults


@given(LOGS, st.data())
def test_a_line_that_is_missing_shows(lines, data):
    at = data.draw(st.integers(0, len(lines) - 1))
    assert look(lines[:at] + lines[at + 1 :], *heads_of(lines)).faults


@given(LOGS, st.data())
def test_a_line_that_was_added_or_is_there_twice_shows(lines, data):
    at = data.draw(st.integers(0, len(lines)))
    extra = data.draw(
        st.sampled_from([*lines, link({"seq": 2, "event": "admitted", "room": "a", "number": 9}, GENESIS)[0]])
    )
    assert look([*lines[:at], extra, *lines[at:]], *heads_of(lines)).faults


@given(st.text("a", min_size=2, max_size=12).map(written), st.data())
def test_two_lines_that_changed_places_show(lines, data):
    one, other = data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True))
    lines[one], lines[other] = lines[other], lines[one]
    assert look(lines).faults


@given(LOGS, st.data())
def test_an_end_that_was_cut_off_shows_by_the_head_that_was_noted(lines, data):
    cut = data.draw(st.integers(0, len(lines) - 1))
    assert Fault.CUT_OFF in faults(look(lines[:cut], *heads_of(lines)))


def heads_of(lines: list[bytes]) -> list[tuple[str, Head]]:
    return [(room, found.head) for room, found in look(lines).rooms.items()]


def test_a_log_written_anew_as_a_whole_shows_by_the_head_that_was_noted():
    forged = [line.replace(b'"number":1', b'"number":7') for line in written("aaa")]
    again = []
    previous = GENESIS
    for line in forged:
        parts = split(line)
        assert parts is not None
        made, previous = link(parts[0], previous)
        again.append(made)
    assert look(again).faults == 0
    assert faults(look(again, *heads_of(written("aaa")))) == {Fault.REWRITTEN}


def test_a_head_of_another_chain_is_not_this_ones():
    (_, head), *_ = heads_of(written("aa"))
    assert look(written("aa"), ("a", Head("", head.seq, head.hash))).faults == 0
    assert faults(look(written("aa"), ("a", Head("other", head.seq, head.hash)))) == {Fault.REWRITTEN}


def test_the_part_that_is_left_of_a_rotated_log_verifies_by_itself():
    lines = written("aa")
    head = heads_of(lines)[0][1]
    begin, digest = link({"seq": 4, "event": BEGIN, "room": "a", "chain": "c", "prev": head.hash}, head.hash)
    last, _ = link({"seq": 5, "event": "admitted", "room": "a"}, digest)
    assert look([*lines, begin, last]).faults == 0
    report = look([begin, last], ("a", head))
    assert (report.faults, report.rooms["a"].first_seq, report.rooms["a"].head.seq) == (0, 4, 5)
    assert faults(look([last])) == {Fault.DROPPED}


def test_lines_from_before_the_chain_are_counted_and_none_after_its_beginning_pass_for_such():
    old = b'{"time_ms":1,"event":"admitted","room":"a"}'
    assert look([old, *written("a")]).unchained == 1
    assert faults(look([*written("a"), old])) == {Fault.FOREIGN}
    assert faults(look([*written("a"), old.replace(b'"a"', b'"b"')])) == {Fault.FOREIGN}
    assert faults(look([b'{"seq":null,"room":"a"}', *written("a")])) == {Fault.FOREIGN}


def proven(lines: list[bytes]) -> list[int]:
    """The numbers of the admissions that the log proves."""
    verifier = Verifier()
    found = [verifier.read("", line) for line in lines]
    return sorted(each[1]["number"] for each in [*found, *verifier.rest()] if each and "number" in each[1])


@given(LOGS, st.data())
def test_a_line_that_was_altered_and_hashed_anew_proves_nothing_once_another_follows_it(lines, data):
    assert proven(lines) == list(range(len([line for line in lines if b'"number"' in line])))
    at = data.draw(st.sampled_from([index for index, line in enumerate(lines) if b'"number"' in line]))
    facts, _, _ = split(lines[at]) or ({}, b"", "")
    before = [parts[2] for parts in map(split, lines[:at]) if parts and parts[0]["room"] == facts["room"]]
    forged = [*lines[:at], link({**facts, "number": 99}, before[-1])[0], *lines[at + 1 :]]
    is_followed = any(parts and parts[0]["room"] == facts["room"] for parts in map(split, lines[at + 1 :]))
    assert (99 in proven(forged)) != is_followed
    assert faults(look(forged, *heads_of(lines)))


def test_a_room_that_the_heads_do_not_know_is_foreign():
    verifier = Verifier()
    for line in written("ab"):
        verifier.read("log", line)
    assert [(finding.fault, finding.room) for finding in verifier.end(["a"]).findings] == [(Fault.FOREIGN, "b")]


def test_half_a_line_is_no_fault_as_long_as_no_line_is_missing():
    lines = written("aa")
    assert (look([*lines[:2], lines[2][:30], lines[2]]).faults, look([*lines, b'{"se']).torn) == (0, 1)
    assert Fault.DROPPED in faults(look([lines[0], lines[1][:30], lines[2]]))


def test_a_log_full_of_faults_is_told_within_bounds():
    report = look([b'{"hash":1}'] * 1_000)
    assert (report.faults, len(report.findings)) == (1_000, FAULTS_SHOWN)


@pytest.mark.parametrize(
    "line",
    [b"[]", b"7", b'"x"', b"\xff", b'{"seq":true,"room":"a","hash":"' + b"0" * 64 + b'"}', b'{"seq":1,"room":7}'],
)
def test_what_is_no_line_of_a_chain_is_none(line):
    assert split(line) is None
    look([line])
