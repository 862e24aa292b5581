"""The command: exit codes, refusals, the JSON report."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from loadtest.cli import TOKEN_VARIABLE, main
from loadtest.options import Options, UsageError, check
from loadtest.tests.fake_gate import TOKEN, Fake, running
from loadtest.tests.fake_line import Fault, Line


async def start(fake: Fake, *arguments: str) -> asyncio.subprocess.Process:
    command = ("-m", "loadtest", "--url", fake.url, "--operator-url", fake.operator_url, *arguments)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env={**os.environ, TOKEN_VARIABLE: TOKEN},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


QUICK = ("--visitors", "30", "--arrive-s", "0.2", "--stay-s", "0.05", "--max-s", "20")


async def test_a_good_run_exits_0_with_tables_and_a_report(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    async with running(Line(4, 6000)) as fake:
        process = await start(fake, *QUICK, "--json", str(target))
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"Invariants" in out
    assert b"30 of 30 done" in out
    text = target.read_text()
    report = json.loads(text)
    assert TOKEN not in text
    assert report["exit_code"] == 0
    assert report["summary"]["arrived"] == 30
    assert report["summary"]["time_to_admit_ms"]["p99"] > 0
    assert {check["verdict"] for check in report["checks"]} == {"ok", "not checked"}


async def test_a_broken_rule_exits_1() -> None:
    async with running(Line(4, 6000, frozenset({Fault.REFUSES_REPEATS}))) as fake:
        process = await start(fake, *QUICK)
        out, _ = await process.communicate()
    assert process.returncode == 1
    assert b"BROKEN" in out


async def test_an_interrupted_run_tells_what_it_knows() -> None:
    async with running(Line(4, 60)) as fake:
        process = await start(fake, *QUICK)
        assert process.stdout is not None
        await process.stdout.readline()
        await asyncio.sleep(0.6)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert err == b""
    assert b"cut short: interrupted" in out
    assert process.returncode in {1, 130}


def test_only_this_machine_is_load_tested(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", "http://192.0.2.7:8080/"], environ={}) == 2
    assert "--url: 192.0.2.7 is 192.0.2.7: only addresses of this machine" in capsys.readouterr().err


def test_all_problems_are_told_at_once() -> None:
    options = Options(
        urls=("ftp://127.0.0.1/",),
        backend_url="http://198.51.100.1/",
        operator_urls=("http://198.51.100.1:99999/",),
        operator_token="t",
        visitors=0,
        max_s=0,
    )
    with pytest.raises(UsageError) as caught:
        check(options)
    told = str(caught.value).splitlines()
    names = [line.partition(":")[0] for line in told]
    assert names == ["--url", "--operator-url", "--backend-url", "--visitors", "--max-s"]


def test_limits_cannot_be_set_without_the_operator_token(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", "http://127.0.0.1:1/", "--room", "a", "--total-active-users", "5"], environ={}) == 2
    assert "need the operator token" in capsys.readouterr().err


def test_a_token_file_that_cannot_be_read_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "none")
    assert main(["--url", "http://127.0.0.1:1/", "--operator-token-file", missing], environ={}) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_token_never_shows_in_the_options() -> None:
    assert TOKEN not in repr(Options(urls=("x",), operator_token=TOKEN))
