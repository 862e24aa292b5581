"""What is told of a simulated evening: page, tables, capacity, and the command that makes them."""

import json
import os
import signal
from dataclasses import replace

import pytest

from gateway.cli import main
from gateway.commands import simulating
from gateway.simulate import costs, page, play
from gateway.simulate.costs import BadCosts
from gateway.simulate.server import Kind, program
from gateway.simulate.sizing import HASTY_PER_S, haste, needs
from gateway.simulate.summary import summarize, tables
from gateway.simulate.tests.small import SMALL, Lying, lying, small
from gateway.simulate.texts import TEXTS
from gateway.tests.redis.process import missing
from gateway.tests.test_report import Reader

PEAKS = {"polls": 60_000.0, "joins": 20_000.0, "claims": 600.0}
TINY = ["loadtest", "simulate", "--scale", "0.0005", "--faster", "60", "--store", "sqlite"]


@pytest.fixture(scope="module")
def summary():
    return summarize(small(), costs.USUAL)


@pytest.mark.parametrize(
    ("value", "english", "korean"),
    [(0, "0", "0"), (800, "800", "800"), (5_000, "5,000", "5,000"), (24_000, "24k", "2.4만"), (300_000, "300k", "30만"),
     (1_200_000, "1.2M", "120만"), (10_000_000, "10M", "1,000만")],
)  # fmt: skip
def test_numbers_beside_charts_are_short_enough_for_their_margin(value, english, korean):
    assert (page.brief(value, "en"), page.brief(value, "ko")) == (english, korean)


@pytest.mark.parametrize("language", TEXTS)
def test_the_page_stands_alone_and_is_whole(summary, language):
    text = page.render(summary, language)
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert len(set(reader.ids)) == len(reader.ids)
    assert reader.loads == []
    assert "script" not in reader.tags
    assert text.count('<svg class="chart"') == 5 * len(TEXTS)
    assert TEXTS[language]["holds"] in text


def test_both_languages_say_all_there_is(summary):
    assert TEXTS["ko"].keys() == TEXTS["en"].keys()
    named = {row[0] for table in tables(summary, "ko") for row in table.rows if not table.head}
    assert not [name for name in named if name.isascii()]


def test_every_number_of_the_tables_is_in_the_data(summary):
    told = {table.title: table for table in tables(summary, "en")}
    assert ("arrivals", f"{SMALL.arrivals:,}") in told["Totals"].rows
    assert json.loads(json.dumps(summary.as_json()))["outcome"]["digest"] == summary.outcome.digest


def test_what_a_line_takes_grows_with_it_and_says_whose_measures_it_rests_on(summary):
    found = needs(PEAKS, 6_000_000, 300_000, costs.USUAL)
    six = next(need for need in found if need.waiting == 6_000_000)
    us = costs.USUAL.us
    work = 40_000 * us["poll"] + 20_000 * (us["page"] + us["join"]) + 600 * us["claim"] + 30_000 * us["forward"]
    assert six.cores == pytest.approx(2 * work / 1e6)
    assert six.gateways * 16 >= six.cores + 16
    assert [need.cores for need in found] == sorted(need.cores for need in found)
    assert all(need.gateways >= 2 for need in found)
    assert "defaults" in costs.USUAL.source
    scenario = {**summary.outcome.scenario, "times_faster": 1}
    capacity = tables(replace(summary, outcome=replace(summary.outcome, scenario=scenario)), "en")[-1]
    assert len(capacity.rows) == len(summary.needs)
    assert costs.USUAL.source in capacity.text


def test_hasty_clients_cost_less_told_off_than_answered():
    for each in haste(costs.USUAL):
        assert each.asks_per_s == each.clients * HASTY_PER_S
        assert each.cores < 0.6 * each.cores_if_answered


def bench(**rows):
    series = {"nginx": [{"requests": 100, "cpu_s": 0.001, "helper_cpu_s": 0}]}
    ours = {"Sunbeon": [{"requests": 1_000, "cpu_s": us / 1_000, "helper_cpu_s": 0.009} for us in (30, 20, 25)]}
    found = {name: {"when": "2026-11-23, abc", "found": {"series": {**series, **ours}}} for name in ("status", *rows)}
    return {"about": {"machine": "a machine"}, "rows": found}


def test_costs_of_make_bench_are_taken_by_their_medians_and_the_rest_is_told_as_assumed(tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(bench()))
    found = costs.read(tmp_path / "bench.json")
    assert found.us["poll"] == pytest.approx(25)
    assert found.us["join"] > found.us["poll"]
    assert found.us["forward"] == costs.USUAL.us["forward"]
    assert found.store_us == costs.USUAL.store_us
    assert "a machine" in found.source
    assert "forward" in found.source


def test_a_page_costs_what_a_newcomers_does_and_a_join_is_measured_with_its_store(tmp_path):
    found = bench(**{"page": 1, "join-redis": 1, "board": 1, "forward-seldom": 1})
    newcomer = [{"requests": 1_000, "cpu_s": 0.05, "helper_cpu_s": 0}]
    pages = {**found["rows"]["page"]["found"]["series"], "Sunbeon, to a newcomer": newcomer}
    found["rows"]["page"] = {"when": "2026-11-23, abc", "found": {"series": pages}}
    (tmp_path / "bench.json").write_text(json.dumps(found))
    told = costs.read(tmp_path / "bench.json")
    assert told.us["page"] == pytest.approx(50)
    assert told.us["join"] == pytest.approx(25)
    assert told.store_us["join"] == pytest.approx(9)
    assert "defaults" not in told.source


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"about": {"machine": "m"}, "rows": {}}', '{"rows": {"status": 1}}'])
def test_a_file_that_is_none_of_make_bench_is_refused(tmp_path, text):
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(BadCosts):
        costs.read(tmp_path / "bench.json")


def test_the_command_plays_an_evening_and_writes_what_it_came_to(tmp_path, capsys):
    where = ["--out", str(tmp_path / "report.html"), "--json", str(tmp_path / "report.json")]
    assert main([*TINY, *where]) == 0
    told = capsys.readouterr().out
    assert "every check held" in told
    assert "Polls per second by the length of the line" in told
    assert "What a line takes" not in told, "nobody comes twelve times as fast"
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert json.loads((tmp_path / "report.json").read_text())["outcome"]["broken"] is None


def test_a_check_that_does_not_hold_is_exit_code_1_and_says_where(monkeypatch, capsys):
    class Overfills(Lying):
        async def complete(self, _name, passes, **_):
            return [True] * len(passes)

    def broken(*_):
        return small(wrap=lying(Overfills))

    monkeypatch.setattr(simulating, "_play", broken)
    assert main(TINY) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "was broken" in told
    assert "at 20:" in told or "at 19:" in told


def test_who_interrupts_it_gets_no_stack_trace(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(simulating, "_play", interrupted)
    assert main(TINY) == 130


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_who_ends_it_leaves_no_server_and_no_folder_behind(store, monkeypatch, tmp_path_factory):
    if store == "redis" and program(Kind.REDIS) is None:
        missing("redis-server")
    # A socket's name may be 107 bytes long.
    folder, seen = tmp_path_factory.mktemp("e"), []

    def watch(*_):
        seen.extend(folder.iterdir())
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(play, "_MEMORY_DISK", folder)
    monkeypatch.setattr(simulating, "_play", lambda scenario, name, _: play.play(scenario, name, watch))
    assert main([*TINY[:-1], store]) == 130
    assert seen
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("wrong", [["--step-ms", "2001"], ["--gateways", "0"], ["--faster", "0"]])
def test_a_scenario_that_cannot_be_is_exit_code_2(wrong, capsys):
    assert main([*TINY, *wrong]) == 2
    assert capsys.readouterr().err.startswith("sunbeon: ")


@pytest.mark.parametrize("wrong", [["--scale", "0"], ["--scale", "x"], ["--store", "paper"]])
def test_a_wrong_word_is_refused(wrong):
    with pytest.raises(SystemExit) as stopped:
        main([*TINY, *wrong])
    assert stopped.value.code == 2
