"""The harness's own parts. What it measures is never asserted; that it would notice a wrong answer is."""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from loadtest.bench import cores, spent, wrk
from loadtest.bench.__main__ import main
from loadtest.bench.document import generated, merge
from loadtest.bench.figures import Round, Spread, ratios, slowdowns
from loadtest.bench.measure import Contestant, Wanted, compare
from loadtest.bench.program import Failed, Program, unused
from loadtest.bench.report import BEGIN, END, as_json, from_json, into, table
from loadtest.bench.row import Figure, Found, Kind
from loadtest.bench.rows import ROWS
from loadtest.bench.sunbeon import poll
from loadtest.bench.targets import costs, judged
from loadtest.bench.wire import PAGE, ask, request

WRK = shutil.which("wrk")
TOLD = wrk.Told(requests=1_000, bytes=120_000, seconds=1.0, errors=0, p50_us=100, p90_us=200, p99_us=300, max_us=400)
TWO = cores.split(frozenset({0, 1}))
LOAD = wrk.Load(requests=None, connections=8)  # type: ignore[arg-type]  # wrk itself is not run


def a_round(requests=100, cpu_s=1.0, p50_us=0):
    return Round(requests=requests, seconds=1.0, cpu_s=cpu_s, p50_us=p50_us)


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status, body = 200, b"the right answer"

    def do_GET(self):
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.send_header("Set-Cookie", f"seen={self.headers['Cookie'].count(';')}; Path=/")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_args):
        pass


class Standing:
    """In the place of a program: a server of this very process."""

    name = "standing"

    def __init__(self, address, session):
        self.address, self.session = address, session

    def check(self):
        pass

    def output(self):
        return ""


@pytest.fixture
def server(monkeypatch) -> Iterator[Standing]:
    monkeypatch.setattr(Server, "status", 200)
    monkeypatch.setattr(Server, "body", b"the right answer")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as listening:
        listening.daemon_threads = True
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        host, port = listening.server_address[:2]
        yield Standing((host, port), session=-1)
        listening.shutdown()
        thread.join()


def contestant(server, name="one", **changes):
    requests = [request("GET", "/", PAGE, ["ticket=1"]), request("GET", "/", PAGE, ["ticket=2"])]
    return Contestant(name, server, requests, LOAD, Wanted(b"right"), **changes)


def test_what_the_script_told_is_read_and_every_kind_of_error_counts():
    line = {
        "requests": 5, "bytes": 640, "microseconds": 1_500_000, "refused": 1, "cut": 2, "timeouts": 3, "statuses": 4,
        "p50_us": 10, "p90_us": 20, "p99_us": 30, "max_us": 40,
    }  # fmt: skip
    told = wrk.parse(f"Running 1s test\n  64 connections\n\n{json.dumps(line)}\n")
    assert told == wrk.Told(requests=5, bytes=640, seconds=1.5, errors=10, p50_us=10, p90_us=20, p99_us=30, max_us=40)


def test_a_generator_that_says_nothing_is_a_failure():
    with pytest.raises(Failed, match="told nothing"):
        wrk.parse("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_prepared_requests_are_written_with_their_length_whatever_is_in_them(tmp_path):
    written = wrk.prepare(tmp_path / "requests", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\n7\n"]).read_bytes()
    assert written == b"18\nGET / HTTP/1.1\r\n\r\n" + b"4\n\x00\n7\n"


def test_processor_time_is_that_of_the_program_and_of_children_it_waited_for():
    spin = "import time\nwhile time.process_time() < 0.3: pass"
    code = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {spin!r}])\n{spin}\nprint(flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        found = spent.cpu_s(process.pid)
        assert spent.pids(process.pid) == [process.pid]
        assert spent.memory_bytes(process.pid) > 1_000_000
        process.stdin.close()
    # Of both, and of two starts of an interpreter; whatever else runs here, processor time does not grow by waiting.
    assert 0.58 <= found < 2


def test_a_session_that_is_gone_has_spent_nothing():
    with subprocess.Popen([sys.executable, "-c", ""], start_new_session=True) as process:
        pass
    assert spent.cpu_s(process.pid) == 0


@pytest.mark.parametrize(
    ("available", "told"),
    [
        ({3}, "one core for everything"),
        ({0, 1}, "there are only two"),
        ({0, 1, 2, 5}, "server on core 0, generator (wrk) on 2, 5, backend on 1"),
    ],
)
def test_the_report_says_which_core_was_whose(available, told):
    assert told in cores.split(frozenset(available)).told()


def test_a_program_is_ended_with_its_children_and_nothing_else(tmp_path):
    code = (
        "import socket, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "listening = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
        "time.sleep(60)"
    )
    address = unused()
    program = Program(
        "one", [sys.executable, "-c", code, str(address[1])], folder=tmp_path, address=address, on=cores.available()
    )
    with program:
        assert len(spent.pids(program.session)) == 2
    assert spent.pids(program.session) == []


def test_a_program_that_ends_at_once_fails_with_what_it_printed(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no such setting')"]
    program = Program("one", command, folder=tmp_path, address=unused(), on=cores.available())
    with pytest.raises(Failed, match="no such setting"), program:
        pass


def test_medians_ratios_and_added_latencies_are_of_the_same_round():
    mine, reference = [a_round(100), a_round(300, 2.0), a_round(50)], [a_round(200), a_round(150), a_round(200)]
    assert Spread.of([each.per_cpu_s for each in mine]) == Spread(100, 50, 150)
    assert ratios(mine, reference) == Spread(0.5, 0.25, 1.0)
    assert a_round(100, 0.5).us_each == 5_000
    slow, quick, bare = ([a_round(p50_us=us)] for us in (130, 50, 10))
    assert slowdowns(slow, quick, bare) == Spread(3, 3, 3)


def test_contestants_take_turns_and_the_first_is_measured_twice_in_each_round(server, monkeypatch):
    asked = []

    def run(address, load, **_named):
        asked.append((address, load))
        return TOLD

    monkeypatch.setattr(wrk, "run", run)
    monkeypatch.setattr(Contestant, "look", lambda _: None)
    first, second = contestant(server, "nginx"), contestant(server, "Sunbeon")
    found = compare([first, second], rounds=3, seconds=1, cores=TWO, progress=lambda _: None)
    assert {name: len(rounds) for name, rounds in found.items()} == {"nginx": 3, "Sunbeon": 3, "nginx again": 3}
    assert len(asked) == 2 + 9  # each warmed up once


@pytest.mark.parametrize(("status", "body"), [(500, b"the right answer"), (200, b"something else")])
def test_a_wrong_answer_is_refused_before_anything_is_measured(server, monkeypatch, status, body):
    monkeypatch.setattr(Server, "status", status)
    monkeypatch.setattr(Server, "body", body)
    with pytest.raises(Failed, match="one answered"):
        contestant(server).look()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"errors": 1}, "1 of 1000 answers failed"),
        ({"requests": 0, "bytes": 0}, "answers failed"),
        ({"bytes": 8_000_000}, "answers of 8000 bytes"),
        ({"bytes": 1_000}, "answers of 1 bytes"),
    ],
)
def test_a_round_with_errors_or_with_answers_of_another_length_is_refused(server, monkeypatch, changes, why):
    one = contestant(server)
    one.look()
    size = one._size
    right = {"requests": 1_000, "bytes": int(1_000 * size)}
    told = {**{name: getattr(TOLD, name) for name in wrk.Told.__slots__}, **right}
    monkeypatch.setattr(wrk, "run", lambda *_args, **_named: wrk.Told(**told))
    assert one.measure(1, on=TWO.generator).requests == 1_000
    monkeypatch.setattr(wrk, "run", lambda *_args, **_named: wrk.Told(**{**told, **changes}))
    with pytest.raises(Failed, match=why):
        one.measure(1, on=TWO.generator)


def test_requests_look_like_a_browsers_and_carry_the_visitors_cookies(server):
    reply = ask(server.address, poll("sunbeon_ticket_bench=abc"))
    assert (reply.status, reply.body) == (200, b"the right answer")
    assert reply.cookies() == ("seen=3",)
    assert b"\r\nSunbeon-Ticket: abc\r\n" in poll("sunbeon_ticket_bench=abc")


def test_a_table_has_medians_the_noise_beside_its_reference_and_the_notes():
    series = {"nginx": [a_round(1_000)], "Sunbeon": [a_round(450)], "nginx again": [a_round(990)]}
    found = Found(Kind.RATE, series, "nginx", notes=["**caddy is not installed here and was left out.**"])
    lines = table(found).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| nginx", "| nginx again", "| **Sunbeon**"]
    assert "| 450 (450-450) | 0.45 | 0.45-0.45 | 2,222.2 us |" in lines[4]
    assert "left out" in lines[-1]
    assert from_json(json.loads(json.dumps(as_json(found)))) == replace(found, figures=[])


def test_latencies_are_told_as_what_each_adds():
    series = {"nginx": [a_round(p50_us=60)], "Sunbeon": [a_round(p50_us=110)], "no proxy": [a_round(p50_us=10)]}
    assert "| **Sunbeon** | 110 us | 110-110 | 0 us | 100 us | 2.0 (2.0-2.0) |" in table(
        Found(Kind.LATENCY, series, "nginx")
    )


def test_what_is_written_replaces_what_lies_between_the_marks_and_nothing_else():
    about = {"machine": "a machine", "cores": "one core", "versions": {"nginx": "1"}}
    found = as_json(Found(Kind.FIGURES, figures=[Figure("until it serves", "1 s")]))
    rows = {"board": {"when": "today", "rounds": 1, "seconds": 2.0, "found": found}}
    text = into(f"before\n{BEGIN}\nold\n{END}\nafter\n", generated({"about": about, "rows": rows}))
    assert text.startswith(f"before\n{BEGIN}\n\nA machine") or "a machine. One core." in text
    assert "| until it serves | 1 s |" in text
    assert "old" not in text
    assert text.endswith(f"{END}\nafter\n")
    with pytest.raises(ValueError, match="no place"):
        into("a text without marks", "new")


def test_targets_are_judged_by_medians_of_ratios_and_those_without_figures_are_left_out():
    series = {"nginx": [a_round(1_000)] * 3, "Sunbeon": [a_round(440), a_round(460), a_round(900)]}
    lines = judged({"status": Found(Kind.RATE, series, "nginx")})
    assert lines[2:] == ["| status poll, of nginx | >= 0.45 | 0.46 | met |"]
    series["Go net/http"] = [a_round(500)] * 3
    assert judged({"status": Found(Kind.RATE, series, "nginx")})[3] == (
        "| status poll, of Go net/http | >= 1.00 | 0.92 | **not met** |"
    )


def test_a_long_line_is_judged_by_the_noise_of_the_short_one():
    series = {"Sunbeon, 8 in line": [a_round(100)], "Sunbeon, 6,000,000 in line": [a_round(98)], "again": [a_round(96)]}
    (line,) = judged({"line": Found(Kind.RATE, series, "Sunbeon, 8 in line")})[2:]
    assert "| 0.49 | met |" in line


def test_each_kind_of_request_is_told_with_what_it_takes():
    series = {"nginx": [a_round(1_000)], "Sunbeon": [a_round(100)], "Sunbeon, to a newcomer": [a_round(50)]}
    lines = costs({"page": Found(Kind.RATE, series, "nginx")}, {"page": "Waiting page"})
    assert lines[2:] == [
        "| Waiting page | 10,000 us | 100 |",
        "| Waiting page, to a newcomer | 20,000 us | 50 |",
    ]


@pytest.mark.skipif(
    WRK is None and not os.environ.get("CI"), reason="WRK IS NOT INSTALLED: the script for it is not tested"
)
def test_wrk_sends_each_request_once_ends_with_the_last_and_keeps_what_the_answers_set(server, tmp_path):
    requests = [request("GET", "/", PAGE, ["a=1"] * number) for number in range(40)]
    load = wrk.Load(wrk.prepare(tmp_path / "requests", requests), connections=2, once=True, keep=tmp_path / "kept")
    told = wrk.run(server.address, load, seconds=20, on=cores.available())
    assert told.errors == 0
    assert told.seconds < 15
    kept = (tmp_path / "kept").read_text().splitlines()
    # The first goes to wrk's own trial; the last ones may be under way when it ends, or come a second time.
    expected = [f"seen={2 + number}; Path=/" for number in range(1, 38)]
    assert set(expected) <= set(kept)
    assert told.requests >= len(expected)


def test_a_row_that_fails_takes_its_earlier_figures_away_until_it_is_measured_again(tmp_path):
    about = {"machine": "a machine", "cores": "one core", "versions": {}}
    found = as_json(Found(Kind.FIGURES, figures=[Figure("until it serves", "1 s")]))
    row = {"when": "today", "rounds": 1, "seconds": 2.0, "found": found}
    merge(tmp_path / "raw.json", {"start": row, "idle": row}, {}, about)
    raw = merge(tmp_path / "raw.json", {}, {"start": "no answer (today)"}, about)
    assert list(raw["rows"]) == ["idle"]
    assert "### Until it serves\n\n**Failed: no answer (today)**" in generated(raw)
    raw = merge(tmp_path / "raw.json", {"start": row}, {}, about)
    assert (set(raw["rows"]), raw["failed"]) == ({"idle", "start"}, {})


def test_a_row_nobody_knows_is_refused_before_anything_is_started(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--rows", "status,forward-1gib"])
    assert ended.value.code == 2
    assert "no row 'forward-1gib'" in capsys.readouterr().err
    assert "status" in ROWS
