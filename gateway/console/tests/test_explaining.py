"""What operators can see of an eligibility calendar: what anybody is told and why, and whether its file is in order."""

import json
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway import cli, keys
from gateway.edge.tests.backend import Backend, running, until
from gateway.edge.tests.front import TOKEN, Visitor, front
from shared.calendar_file import BUILT_IN

JULY = (BUILT_IN / "july-2021.toml").read_text()
ASK = {"Authorization": f"Bearer {TOKEN}"}
EXPLAIN = "/api/rooms/vaccine/explain"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "calendar.toml"
    path.write_text(JULY)
    return path


@pytest.fixture
async def site(tmp_path, file):
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(running(Backend()))
        rooms: list[dict[str, Any]] = [
            {"calendar": str(file), "prequeue_s": 7200},
            {"name": "other", "paths": ["/other"]},
        ]
        yield await stack.enter_async_context(front(tmp_path, [backend], rooms=rooms))


async def ask(site, path):
    return await Visitor(site.operator_port).ask("GET", path, headers=ASK)


async def test_the_gates_answer_for_any_birth_date_and_moment_with_all_it_rests_on(site):
    got = await ask(site, f"{EXPLAIN}?birth=1970-03-02&at=2021-07-20T17:59:59")
    assert got.status == 200
    told = got.json()
    assert {
        key: told[key] for key in ("room", "verdict", "way", "wave", "lines_up_from", "opens", "ticket_cohorts")
    } == {
        "room": "vaccine",
        "verdict": "not_yet",
        "way": "later",
        "wave": "50-52",
        "lines_up_from": "2021-07-20T18:00:00+09:00",
        "opens": "2021-07-20T20:00:00+09:00",
        "ticket_cohorts": "50-52+50-54",
    }
    assert told["rule"]["name"] == "50-52/1"
    assert "1970-03-02" not in got.body.decode()
    later = (await ask(site, f"{EXPLAIN}?birth=1970-03-02&at=2021-07-20T18:00:00%2B09:00")).json()
    assert (later["way"], later["at"]) == ("wave", "2021-07-20T18:00:00+09:00")


async def test_it_is_the_answer_by_the_settings_of_now(site):
    await site.change(prequeue_ms=None)
    assert (await ask(site, f"{EXPLAIN}?birth=1970-03-02")).json()["way"] == "wave"


@pytest.mark.parametrize(
    "query",
    [
        *("", "?birth=", "?birth=1970-02-30", "?birth=x", "?birth=1970-03-02&at=soon"),
        *(f"?birth=1970-03-02&at={at}" for at in ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00%2B14:00")),
    ],
)
async def test_what_cannot_be_read_is_refused_without_repeating_it(site, query):
    got = await ask(site, EXPLAIN + query)
    assert got.status == 422
    assert "1970" not in got.body.decode()


async def test_it_takes_the_token_and_a_room_with_a_calendar(site):
    assert (await Visitor(site.operator_port).ask("GET", EXPLAIN)).status == 401
    assert (await ask(site, "/api/rooms/other/explain?birth=1970-03-02")).status == 404


async def test_the_birth_date_an_operator_asks_about_is_in_no_log(site, caplog, tmp_path):
    with caplog.at_level("DEBUG"):
        await ask(site, f"{EXPLAIN}?birth=1970-03-02")
    assert "1970-03-02" not in caplog.text + (tmp_path / "audit.log").read_text()


async def test_a_file_that_changes_counts_without_a_restart_and_a_bad_one_is_seen_and_changes_nothing(site, file):
    async def rule():
        return (await ask(site, f"{EXPLAIN}?birth=1967-03-02&at=2021-07-19T21:00:00")).json()["rule"]["name"]

    async def metric(name):
        text = (await ask(site, "/metrics")).body.decode()
        return next(line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(name + "{"))

    async def see(text):
        file.write_text(text)
        for _ in range(2):
            await site.pass_time(2_000)

    assert await rule() == "53-54/2"
    await see((BUILT_IN / "july-2021-announced.toml").read_text())
    assert await rule() == "53-54/1"
    assert (await metric("sunbeon_calendar_version"), await metric("sunbeon_calendar_taken")) == ("1.0", "1.0")
    await see(JULY.replace("closes", "shuts", 1))
    assert await rule() == "53-54/1"
    assert (await metric("sunbeon_calendar_version"), await metric("sunbeon_calendar_taken")) == ("1.0", "0.0")
    ready = await Visitor(site.operator_port).ask("GET", "/readyz")
    assert (ready.status, ready.json()["calendar_not_taken"]) == (200, ["vaccine"])
    await see(JULY)
    assert await rule() == "53-54/2"
    assert "calendar_not_taken" not in (await Visitor(site.operator_port).ask("GET", "/readyz")).json()


async def test_a_file_is_looked_at_even_while_nobody_comes(site, file):
    file.write_text((BUILT_IN / "july-2021-announced.toml").read_text())
    site.clock.now_ms += 2_000
    await site.line.tick_now()
    site.clock.now_ms += 2_000
    await until(lambda: site.line.eligibility.calendar.version == 1, "the tick has looked")


# The same by command


@pytest.fixture
def config(tmp_path, file):
    path = tmp_path / "sunbeon.toml"
    path.write_text(
        f'[upstream]\nservers = ["http://127.0.0.1:9"]\n[[room]]\nname = "v"\nprequeue_s = 7200\ncalendar = "{file}"\n'
    )
    return path


def sunbeon(capsys, *words):
    code = cli.main([*map(str, words)], environ={})
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_command_says_what_somebody_is_told_and_why(config, capsys):
    words = ("explain", "--config", config, "--birth", "1968-03-02", "--at", "2021-07-19T20:50:00")
    code, out, _ = sunbeon(capsys, *words)
    assert code == 0
    for part in (
        "not yet: opens 2021-07-19 22:00:00+09:00",
        "rule      53-54, version 2",
        "replaced 2021-07-19 20:48:00",
    ):
        assert part in out
    assert out.splitlines()[-1] == "  room      open: lines up in the pre-queue 53-54"
    told = json.loads(sunbeon(capsys, *words, "--json")[1])
    assert (told["room"], told["verdict"], told["way"]) == ("v", "not_yet", "wave")


@pytest.mark.parametrize(
    ("birth", "at", "last"),
    [
        ("1968-03-02", "2021-07-19T12:00:00", "  room      open: lines up from 2021-07-19 20:00:00+09:00"),
        ("1963-03-02", "2021-07-19T12:00:00", "  room      open: goes into line, and in"),
        ("1990-03-02", "2021-07-19T12:00:00", "  room      open: does not wait"),
    ],
)
def test_it_says_what_becomes_of_them(config, capsys, birth, at, last):
    out = sunbeon(capsys, "explain", "--config", config, "--room", "v", "--birth", birth, "--at", at)[1]
    assert out.splitlines()[-1] == last


@pytest.mark.parametrize(
    "words", [("--birth", "x"), ("--birth", "1968-03-02", "--at", "x"), ("--birth", "1968-03-02", "--room", "y")]
)
def test_what_was_typed_wrongly_is_said(config, capsys, words):
    code, out, err = sunbeon(capsys, "explain", "--config", config, *words)
    assert (code, out) == (2, "")
    assert err.startswith("sunbeon: ")


def test_check_names_every_problem_of_a_calendar_with_its_line(config, file, capsys):
    file.write_text(JULY.replace('id = "50-54"', 'id = "50-55"', 1).replace("version = 2", "version = 0", 1))
    code, _, err = sunbeon(capsys, "check", config)
    assert code == 2
    problems = [line for line in err.splitlines() if line.startswith(f"sunbeon: room.v.calendar: {file}:")]
    assert len(problems) >= 2


def test_a_calendar_that_is_not_there_is_a_problem_of_the_settings(config, capsys):
    config.write_text(config.read_text().replace("calendar.toml", "nowhere.toml"))
    code, _, err = sunbeon(capsys, "check", config)
    assert code == 2
    assert "room.v.calendar" in err
    assert "cannot be read" in err


def test_check_warns_of_cohorts_nobody_can_be_known_to_be_in(config, file, capsys):
    file.write_text(
        JULY.replace(
            "birth_years = { from = 1969, to = 1971 }",
            "birth_years = { from = 1969, to = 1971 }\nattributes = { nurse = true }",
        )
    )
    # The keys are another matter.
    keys.create(config.parent / "keys.json")
    config.write_text(
        f'[gateway]\nkeys_file = "{config.parent}/keys.json"\nstore = "sqlite:///{config.parent}/q.db"\n'
        + config.read_text()
    )
    code, out, err = sunbeon(capsys, "check", config)
    assert (code, "no problems" in out) == (0, True), err
    assert "warning: room.v.calendar: some cohorts ask for more than a birth date" in err
