"""`sunbeon room` against a real operator API: what it does, prints, writes down, and how it fails."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from gateway import cli
from gateway.drill.report import digest
from gateway.drill.run import TRICKS
from gateway.edge.tests.backend import Backend, running
from gateway.edge.tests.front import TOKEN, front

EIGHT, TEN = "2100-07-19T20:00:00+09:00", "2100-07-19T22:00:00+09:00"


@pytest.fixture
def sunbeon(site, capsys):
    """Runs one command against the site; its exit code, what it printed, what it complained of."""

    async def run(*words, token=TOKEN, url=None):
        url = url or f"http://127.0.0.1:{site.operator_port}"
        environ = {"SUNBEON_OPERATOR_TOKEN": token}
        code = await asyncio.to_thread(cli.main, ["room", *words, "--operator-url", url], environ=environ)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    return run


async def test_a_room_is_shown_and_told_whole_as_json(sunbeon):
    code, out, _ = await sunbeon("show", "north")
    assert (code, out.splitlines()[0]) == (0, "north: open")
    assert "  total_active_users = 1" in out.splitlines()
    assert json.loads((await sunbeon("show", "north", "--json"))[1])["settings"]["total_active_users"] == 1


async def test_settings_are_changed_by_name_and_who_did_it_is_on_record(site, sunbeon):
    code, out, _ = await sunbeon("set", "north", "total_active_users=9", f"opens_at={EIGHT}", "--by", "김 주무관")
    assert (code, out) == (0, "north: prequeue, opens 2100-07-19T11:00:00+00:00 (settings version 2)\n")
    line = site.audit()[-1]
    assert (line["event"], line["by"], line["by_said"], line["version"]) == ("settings", "김 주무관", True, 2)
    assert line["changed"] == {
        "opens_at": {"from": None, "to": "2100-07-19T11:00:00+00:00"},
        "total_active_users": {"from": 1, "to": 9},
    }


async def test_an_opening_is_postponed_and_from_when_to_when_why_and_by_whom_is_on_record(site, sunbeon):
    await sunbeon("set", "north", f"opens_at={EIGHT}")
    code, out, _ = await sunbeon("postpone", "north", "--opens-at", TEN, "--reason", "접속 지연", "--by", "Kim")
    assert code == 0
    assert "opens 2100-07-19T13:00:00+00:00" in out
    line = site.audit()[-1]
    assert (line["event"], line["by"], line["reason"]) == ("postponed", "Kim", "접속 지연")
    assert (line["from"], line["to"]) == ("2100-07-19T11:00:00+00:00", "2100-07-19T13:00:00+00:00")
    assert line["time_ms"] == site.clock.now_ms


async def test_a_postponement_past_the_end_of_a_calendar_window_warns_and_names_it(tmp_path, capsys):
    rooms = [{"calendar": "july-2021-announced"}]
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(running(Backend()))
        site = await stack.enter_async_context(front(tmp_path, [backend], rooms=rooms))
        words = [
            "room",
            "postpone",
            "vaccine",
            "--reason",
            "x",
            "--operator-url",
            f"http://127.0.0.1:{site.operator_port}",
        ]
        environ = {"SUNBEON_OPERATOR_TOKEN": TOKEN}

        async def told(opens_at):
            assert await asyncio.to_thread(cli.main, [*words, "--opens-at", opens_at], environ=environ) == 0
            return [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]

        assert await told("2021-07-20T17:59:59+09:00") == []
        (warning,) = await told("2021-07-20T18:00:00+09:00")
        assert "window 53-54 (Ages 53-54 (born 1967-1968)) closes at 2021-07-20T09:00:00+00:00" in warning
        both = await told("2021-07-22T10:00:00+09:00")
        assert [line.split()[2] for line in both] == ["53-54", "50-52"]


@pytest.mark.parametrize(("action", "state"), [("pause", "paused"), ("resume", "open"), ("close", "closed")])
async def test_a_room_is_paused_resumed_and_closed(sunbeon, action, state):
    code, out, _ = await sunbeon(action, "north")
    assert (code, out.startswith(f"north: {state} ")) == (0, True)


async def test_a_message_is_said_in_each_language_and_taken_back(site, sunbeon):
    assert (await sunbeon("message", "north", "--ko", "지연", "--en", "Delayed"))[0] == 0
    assert (await site.room("north")).limits.message == {"ko": "지연", "en": "Delayed"}
    assert (await sunbeon("message", "north", "--clear"))[0] == 0
    assert (await site.room("north")).limits.message == {}
    assert (await sunbeon("message", "north"))[0] == 2


async def test_a_line_is_begun_anew_only_if_that_is_meant(site, sunbeon):
    code, _, err = await sunbeon("reset", "north")
    assert (code, "with --yes" in err) == (2, True)
    before = (await site.room("north")).epoch
    assert (await sunbeon("reset", "north", "--yes", "--by", "Kim"))[0] == 0
    assert (await site.room("north")).epoch == before + 1
    assert (site.audit()[-1]["event"], site.audit()[-1]["by"]) == ("reset", "Kim")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("set", "north", "total_active_users=many"), "total_active_users"),
        (("set", "north", "colour=red"), "colour"),
        (("set", "north", "paused"), "write NAME=VALUE"),
        (("set", "nowhere", "idle_limit_s=9"), "no such room"),
        (("set", "../north", "idle_limit_s=9"), "no room's name"),
        (("postpone", "north", "--opens-at", "22:00", "--reason", "x"), "opens_at"),
        (("postpone", "north", "--opens-at", TEN, "--reason", "a\nb"), "reason"),
        (("pause", "north", "--by", "a\nb"), "in one line"),
        (("pause", "north", "--by", ""), "1 to 100 characters"),
    ],
)
async def test_what_was_asked_wrongly_is_told_and_changes_nothing(site, sunbeon, words, told):
    code, out, err = await sunbeon(*words)
    assert (code, out) == (2, "")
    assert told in err
    assert (await site.room("north")).limits.version == 1


async def test_what_cannot_be_done_as_things_are_is_told(sunbeon):
    code, _, err = await sunbeon("postpone", "north", "--opens-at", "2001-01-01T00:00:00Z", "--reason", "late")
    assert (code, "has passed already" in err) == (1, True)
    code, _, err = await sunbeon("show", "north", url="http://127.0.0.1:9")
    assert (code, "refused" in err) == (1, True)


async def test_a_wrong_token_or_address_is_told_without_the_token(sunbeon, tmp_path):
    code, _, err = await sunbeon("show", "north", token="not-the-one")
    assert (code, err) == (2, "sunbeon: the operator token is not the gateway's\n")
    assert (await sunbeon("show", "north", url="ftp://127.0.0.1"))[0] == 2
    code, _, err = await sunbeon("show", "north", "--operator-token-file", str(tmp_path / "none"), token="")
    assert (code, "No such file" in err) == (2, True)


async def test_a_change_without_a_name_is_on_record_without_one(site, sunbeon):
    await sunbeon("pause", "north")
    assert (site.audit()[-1]["by"], "by_said" in site.audit()[-1]) == (None, False)


def drilled(site, folder, *red):
    """The file of a drill's report."""
    rows = [{"name": trick.name, "result": "red" if trick.name in red else "green"} for trick in TRICKS]
    told = {"format": "sunbeon-drill-report-1", "drill": "abc1", "room": "north", "epoch": 1, "settings_version": 1}
    path = folder / "drill.json"
    path.write_text(json.dumps({**told, "ended_ms": site.clock.now_ms, "rows": rows, "requests": 7}))
    return path


async def test_a_room_is_armed_by_a_drills_report_and_which_one_is_on_record_by_its_hash(site, sunbeon, tmp_path):
    path = drilled(site, tmp_path)
    code, out, _ = await sunbeon("arm", "north", "--drill", str(path), "--by", "Kim")
    assert (code, out.splitlines()[-1]) == (0, "north: open (settings version 2)")
    line = site.audit()[-1]
    assert (line["event"], line["by"], line["sha256"]) == ("armed", "Kim", digest(json.loads(path.read_bytes())))
    assert "armed: {'stands': True" in (await sunbeon("show", "north"))[1]


async def test_a_red_row_refuses_to_arm_until_it_is_overridden_by_name(site, sunbeon, tmp_path):
    path = str(drilled(site, tmp_path, "tls"))
    code, _, err = await sunbeon("arm", "north", "--drill", path)
    assert code == 1
    assert "tls is red" in err
    override = ("--override", "tls: renewed tonight, see the log")
    assert (await sunbeon("arm", "north", "--drill", path, *override))[0] == 0
    assert site.audit()[-1]["overrides"] == {"tls": "renewed tonight, see the log"}


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        (None, (), "No such file"),
        ("nonsense", (), "no drill's report"),
        ("[]", (), "no drill's report"),
        ("{}", (), "no drill's report"),
        ("real", ("--override", "tls"), "ROW:REASON"),
    ],
)
async def test_what_is_no_report_arms_nothing(site, sunbeon, tmp_path, content, more, said):
    path = drilled(site, tmp_path) if content == "real" else tmp_path / "report.json"
    if content not in {None, "real"}:
        path.write_text(content)
    code, _, err = await sunbeon("arm", "north", "--drill", str(path), *more)
    assert code == 2
    assert said in err


async def test_a_number_and_a_ticket_are_found_and_a_pass_is_revoked(site, sunbeon, tmp_path):
    visitor = site.visitor(room="north")
    await visitor.get("/n")
    await site.lines["north"].tick_now()
    code, out, _ = await sunbeon("where", "north", "1")
    assert (code, "where: inside" in out.splitlines(), "pass place: 1" in out.splitlines()) == (0, True, True)
    file = tmp_path / "ticket"
    file.write_text(visitor.cookies["sunbeon_ticket_north"] + "\n")
    assert "kind: ticket" in (await sunbeon("where", "north", "--ticket-file", str(file)))[1].splitlines()
    assert (await sunbeon("where", "north"))[0] == 2
    code, out, _ = await sunbeon("revoke", "north", "1", "--reason", "a robot", "--by", "Kim")
    assert (code, out) == (0, "north: the pass of place 1 has ended\n")
    assert (site.audit()[-1]["event"], site.audit()[-1]["by"]) == ("pass_revoked", "Kim")
    assert (await sunbeon("revoke", "north", "1", "--reason", "again"))[0] == 2


async def test_the_allow_list_is_added_to_listed_and_taken_from(site, sunbeon):
    until = "2021-07-20T00:00:00+09:00"
    add = ("allow", "north", "--add", "clinic", "--network", "10.1.0.0/16", "--until", until, "--reason", "by phone")
    code, out, _ = await sunbeon(*add)
    assert (code, out) == (
        0,
        "clinic: 10.1.0.0/16 until 2021-07-19T15:00:00+00:00, by nobody named: by phone\n",
    )
    assert (await sunbeon("allow", "north"))[1] == out
    assert (await sunbeon("allow", "north", "--add", "x", "--network", "10.0.0.0/8"))[0] == 2
    assert (await sunbeon("allow", "north", "--remove", "clinic"))[1] == "nobody\n"


async def test_passthrough_has_to_be_meant(site, sunbeon):
    assert (await sunbeon("passthrough", "north"))[0] == 2
    assert (await site.room("north")).state.value == "open"
    assert (await sunbeon("passthrough", "north", "--yes"))[1] == "north: passthrough (settings version 2)\n"
    assert (await sunbeon("open", "north"))[1] == "north: open (settings version 3)\n"
