"""Logs: one line per event, whatever is in it."""

import json
import logging

import pytest

from shared import logs


@pytest.fixture
def log():
    """A logger of its own; what was configured before comes back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield logging.getLogger("gateway.test")
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_json_line_has_the_event_and_its_facts(log, capsys):
    logs.configure(json=True)
    log.warning("something %s", "happened", extra={"room": "vaccine", "count": 3})
    line = json.loads(capsys.readouterr().err)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "gateway.test",
        "event": "something happened",
        "room": "vaccine",
        "count": 3,
    }


def test_an_event_is_one_line_whatever_is_in_it(log, capsys):
    logs.configure(json=True)
    log.error("two\nlines \u2028 \x00 \ud800", extra={"why": ValueError("a\nb"), "odd": {1, 2}})
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert json.loads(printed)["why"] == "a\nb"


def test_an_exception_is_part_of_its_line(log, capsys):
    logs.configure(json=True)
    try:
        int("inside")
    except ValueError:
        log.exception("failed")
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "ValueError: invalid literal" in json.loads(printed)["exception"]


def test_for_people_a_line_is_text_with_its_facts(log, capsys):
    logs.configure()
    log.info("started", extra={"room": "vaccine"})
    line = capsys.readouterr().err
    assert "INFO" in line
    assert "gateway.test" in line
    assert line.endswith("started room=vaccine\n")


def test_what_is_below_the_level_is_not_written(log, capsys):
    logs.configure(level="warning")
    log.info("quiet")
    assert capsys.readouterr().err == ""


def test_configuring_again_writes_nothing_twice(log, capsys):
    for _ in range(3):
        logs.configure(json=True)
    log.warning("once")
    assert capsys.readouterr().err.count("once") == 1


def test_requests_are_not_logged_one_by_one(log, capsys):
    logs.configure(level="info")
    logging.getLogger("aiohttp.access").info("GET / 200")
    assert capsys.readouterr().err == ""


def test_a_line_of_text_stays_one_line_whatever_is_in_it():
    record = logging.makeLogRecord({"msg": "broken\nin two", "levelname": "INFO", "name": "x", "why": "a\x1b[2J\rb"})
    line = logs.TextFormatter().format(record)
    assert line.endswith("broken\\x0ain two why=a\\x1b[2J\\x0db")
    assert "\n" not in line
