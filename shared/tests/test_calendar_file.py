"""A calendar that is edited counts without a restart; one that is bad, half written or gone changes nothing."""

import logging
import os
from datetime import date

import pytest

from shared.calendar_file import LOOK_MS, MOST_BYTES, CalendarFile, find_calendar, read_calendar
from shared.rules.calendar import judge
from shared.rules.model import BadCalendar

# Long before any file was written: so "it has not been touched for a while" never holds by itself.
START_MS = 1_626_692_400_000
ANNOUNCED = find_calendar("july-2021-announced").read_text()
BECAME = find_calendar("july-2021").read_text()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(ANNOUNCED)
    return path


def looks(file, count, start=1):
    """The version in force at each of so many looks."""
    return [file.current(START_MS + number * LOOK_MS).version for number in range(start, start + count)]


def errors(caplog):
    return [record for record in caplog.records if record.levelno == logging.ERROR]


def test_an_edit_counts_once_two_looks_have_found_it(path):
    file = CalendarFile(path)
    before = file.current(START_MS)
    assert not judge(before, date(1970, 2, 28), {}, START_MS).eligible
    assert judge(before, date(1968, 3, 2), {}, START_MS).eligible

    path.write_text(BECAME)

    assert looks(file, 3) == [1, 2, 2]
    assert not judge(file.current(START_MS + 4 * LOOK_MS), date(1968, 3, 2), {}, START_MS).eligible
    # Whoever is amid a request keeps the calendar they began with.
    assert before.version == 1


def test_a_file_that_has_been_at_rest_counts_at_once(path):
    file = CalendarFile(path)
    path.write_text(BECAME)
    written_ms = path.stat().st_mtime_ns // 1_000_000

    assert file.current(written_ms + LOOK_MS - 1).version == 1
    file = CalendarFile(path)
    path.write_text(ANNOUNCED)
    os.utime(path, ns=(written_ms * 1_000_000, written_ms * 1_000_000))
    assert file.current(written_ms + LOOK_MS).version == 1


def test_the_file_is_looked_at_no_more_than_once_a_second(path):
    file = CalendarFile(path)
    file.current(START_MS)
    path.write_text(BECAME)

    assert file.current(START_MS + LOOK_MS - 1).version == 1
    path.write_text(ANNOUNCED)
    assert looks(file, 3) == [1, 1, 1]
    path.write_text(BECAME)
    # The look at 3 is past; two more are needed, and a thousand within a second are none.
    assert {file.current(START_MS + 3 * LOOK_MS + offset).version for offset in range(LOOK_MS)} == {1}


def test_a_clock_set_back_does_not_stop_the_looks(path):
    file = CalendarFile(path)
    file.current(START_MS)
    path.write_text(BECAME)

    assert [file.current(START_MS - hours * 3_600_000).version for hours in (1, 2)] == [1, 2]


def test_a_bad_file_keeps_the_calendar_and_is_told_once(path, caplog):
    file = CalendarFile(path)
    path.write_text(BECAME.replace(', en = "Ages 53-54 (born 1967-1968)"', "").replace("version = 2\nzone", "zone"))

    assert looks(file, 6) == [1] * 6

    (record,) = errors(caplog)
    told = vars(record)["problems"]
    assert [line.split(": ", 1)[1] for line in told] == [
        "version is missing (missing)",
        "cohort 53-54: label: en is missing: everything is said in Korean and in English (missing)",
    ]
    assert file.problem == "\n".join(told)

    path.write_text("version = 2")
    looks(file, 4, start=7)
    assert len(errors(caplog)) == 2

    path.write_text(BECAME)
    assert looks(file, 2, start=12) == [1, 2]
    assert file.problem is None


def test_the_old_calendar_put_back_clears_the_problem(path):
    file = CalendarFile(path)
    path.write_text("nonsense")
    looks(file, 3)
    assert file.problem is not None

    path.write_text(ANNOUNCED)

    assert looks(file, 2, start=4) == [1, 1]
    assert file.problem is None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_a_file_being_written_counts_only_when_it_is_whole(path, caplog, share):
    file = CalendarFile(path)
    cut = int(len(BECAME) * share)

    path.write_text(BECAME[:cut])
    assert looks(file, 1) == [1]
    path.write_text(BECAME)
    assert looks(file, 2, start=2) == [1, 2]

    assert errors(caplog) == []


def test_half_a_file_that_would_be_a_calendar_by_itself_is_not_taken_for_one(path):
    half = find_calendar("everyone").read_text().replace("version = 1\nzone", "version = 8\nzone")
    file = CalendarFile(path)

    path.write_text(half)
    assert looks(file, 1) == [1]
    path.write_text(half + 'note = { ko = "성인만", en = "Adults only" }\n')

    assert looks(file, 2, start=2) == [1, 8]
    assert file.current(START_MS + 4 * LOOK_MS).rules[0].note is not None


def test_a_file_that_is_gone_keeps_the_calendar_and_one_that_comes_back_counts(path, caplog):
    file = CalendarFile(path)
    path.unlink()

    assert looks(file, 4) == [1] * 4
    assert len(errors(caplog)) == 1
    assert file.problem == f"{path}: cannot be read: No such file or directory (file)"

    path.write_text(BECAME)
    assert looks(file, 2, start=5) == [1, 2]
    assert file.problem is None


def test_a_file_replaced_by_renaming_counts_whatever_its_time_says(path, tmp_path):
    file = CalendarFile(path)
    stamp = path.stat().st_mtime_ns
    new = tmp_path / "new.toml"
    new.write_text(BECAME)
    os.utime(new, ns=(stamp, stamp))
    new.rename(path)

    assert looks(file, 2) == [1, 2]


def test_a_change_under_an_old_version_is_taken_and_told(path, caplog):
    file = CalendarFile(path)
    path.write_text(ANNOUNCED.replace("opens = 2021-07-19T20:00:00", "opens = 2021-07-19T21:00:00"))
    looks(file, 3)

    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert vars(record)["parts"] == ["calendar", "rule 53-54"]
    assert not judge(file.current(START_MS + 9 * LOOK_MS), date(1968, 3, 2), {}, START_MS).eligible


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"version = 1", "title is missing"), (b'\n\n"\xff"', ":3: is not UTF-8 text"), (None, "cannot be read: No such")],
)
def test_nothing_starts_with_a_bad_calendar(tmp_path, content, message):
    path = tmp_path / "bad.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadCalendar, match=message):
        CalendarFile(path)


def test_a_mark_before_the_text_does_no_harm(tmp_path):
    path = tmp_path / "marked.toml"
    path.write_bytes(b"\xef\xbb\xbf" + ANNOUNCED.encode())
    assert read_calendar(path).version == 1


def test_built_in_calendars_are_found_by_name_and_others_by_path(tmp_path):
    assert find_calendar("july-2021").name == "july-2021.toml"
    assert find_calendar("") == find_calendar("everyone")
    assert find_calendar("./july-2021").parent.name == ""
    assert find_calendar(str(tmp_path / "july-2021.toml")).parent == tmp_path


def bad(path) -> str:
    with pytest.raises(BadCalendar) as raised:
        read_calendar(path)
    return str(raised.value)


def test_a_pipe_in_a_calendars_place_is_said_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    assert "is no file" in bad(tmp_path / "pipe.toml")
    assert "is no file" in bad(tmp_path) or "cannot be read" in bad(tmp_path)


def test_a_file_too_large_to_be_a_calendar_is_not_read(tmp_path):
    path = tmp_path / "large.toml"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert "is larger than" in bad(path)


def test_a_file_that_is_nested_beyond_reading_is_a_bad_one(path):
    file = CalendarFile(path)
    path.write_text("x = " + "[" * 20_000)
    looks(file, 3)
    assert file.problem is not None
    assert "nested too deeply" in file.problem
