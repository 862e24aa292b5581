"""Each row turns red by the fault it is there to find, and a site without faults is green."""

import asyncio
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import keys
from gateway.drill import outside
from gateway.drill.plan import Drill
from gateway.drill.report import Finding, Report, Result, Row, Severity, lines_of
from gateway.drill.run import TRICKS, run
from gateway.drill.site import Site
from gateway.drill.tests.fake_site import PAGE, TOKEN, running
from gateway.drill.tests.fake_site import Site as Fake
from gateway.drill.wire import Budget, Origin, Wire
from gateway.edge.tests.tls import certificates

FAST = 100_000.0


async def play(
    fake: Fake,
    folder: Path,
    *,
    most: int = 200,
    told: Callable[[Row], None] = lambda _: None,
    wait_s: float = 0.0,
    backend: bool = True,
    operator: bool = True,
) -> Report:
    keys_file = folder / "keys.json"
    if not keys_file.exists():
        keys.create(keys_file)
    settings: Any = SimpleNamespace(gateway=SimpleNamespace(keys_file=keys_file), room=())
    budget = Budget(most, FAST)

    def wire(url: str) -> Wire:
        return Wire(Origin.of(url, "--url"), budget, "abc")

    drill = Drill(
        site=Site(wire(fake.url), PAGE, "main"),
        backend=wire(fake.backend_url) if backend else None,
        operator=wire(fake.operator_url) if operator else None,
        token=TOKEN,
        settings=settings,
        wait_s=wait_s,
    )
    return await run(drill, budget, "abc", told=told)


def by_name(report: Report) -> dict[str, Row]:
    return {row.name: row for row in report.rows}


def calls_when_asked(fake: Fake) -> Callable[[Row], None]:
    """Lets everybody in as soon as all tricks of the waiting are played."""

    def told(row: Row) -> None:
        if row.name == "tls":
            fake.serving = fake.tail

    return told


async def test_a_site_without_faults_has_no_red_row_and_everything_is_tried(tmp_path):
    async with running(Fake()) as fake:
        report = await play(fake, tmp_path, told=calls_when_asked(fake), wait_s=20)
    assert {row.name: list(lines_of(row)) for row in report.rows if row.result in {Result.RED, Result.YELLOW}} == {}
    assert [row.name for row in report.rows if row.result is Result.NONE] == [
        "operator-port", "tls", "store-away", "bypass-rules",
    ]  # fmt: skip
    assert report.exit_code(strict=True) == 0
    assert (report.room, report.settings_version, report.epoch) == ("main", 7, 1)


WAITING_FAULTS = [
    "gate", "page", "cookies", "paths", "hosts", "headers", "methods", "clock", "script", "upgrade", "http-version",
    "smuggling", "forged", "altered", "swapped", "other-room", "other-epoch", "knock", "network", "backend",
    "operator-paths", "operator-token",
]  # fmt: skip
CLAIM_FAULTS = ["claim", "copied", "replayed"]


@pytest.mark.parametrize("fault", [*WAITING_FAULTS, *CLAIM_FAULTS])
async def test_a_planted_fault_turns_its_row_red(tmp_path, fault):
    async with running(Fake(fault=fault)) as fake:
        report = await play(fake, tmp_path, told=calls_when_asked(fake), wait_s=20 if fault in CLAIM_FAULTS else 0)
    assert by_name(report)[fault].result is Result.RED
    assert report.exit_code() == 1
    assert any(line.startswith("RED") and fault in line for row in report.rows for line in lines_of(row))


@pytest.mark.parametrize("fault", CLAIM_FAULTS)
async def test_where_nobody_waits_a_fault_at_the_claim_is_found_without_waiting(tmp_path, fault):
    async with running(Fake(fault=fault, admits=True)) as fake:
        report = await play(fake, tmp_path)
    assert by_name(report)[fault].result is Result.RED


async def test_where_nobody_waits_what_means_nothing_is_yellow_and_says_why(tmp_path):
    async with running(Fake(admits=True)) as fake:
        report = await play(fake, tmp_path)
    rows = by_name(report)
    assert rows["paths"].result is Result.YELLOW
    assert "let in at once" in rows["paths"].not_tried[0]
    assert [rows[name].result for name in ("gate", "forged", *CLAIM_FAULTS)] == [Result.GREEN] * 5
    assert report.exit_code() == 0
    assert report.exit_code(strict=True) == 1


async def test_a_row_for_every_fault_and_a_fault_for_every_row():
    # These two are about the host's other ports, and have tests of their own.
    assert {trick.name for trick in TRICKS} == {
        *WAITING_FAULTS, *CLAIM_FAULTS, "operator-port", "tls", "store-away", "bypass-rules",
    }  # fmt: skip


async def test_an_operators_port_that_takes_connections_from_outside_is_red(tmp_path, monkeypatch):
    monkeypatch.setattr(outside, "is_loopback", lambda _: False)
    async with running(Fake()) as fake:
        assert by_name(await play(fake, tmp_path))["operator-port"].result is Result.RED
        port = Origin.of(fake.operator_url, "-").port
        monkeypatch.setattr(outside, "DEFAULT_OPERATOR_PORT", 1)
        assert port != 1
        assert by_name(await play(fake, tmp_path, operator=False))["operator-port"].result is Result.GREEN


async def test_visitors_who_come_without_tls_turn_the_row_red(tmp_path, monkeypatch):
    monkeypatch.setattr(outside, "is_loopback", lambda _: False)
    async with running(Fake()) as fake:
        assert by_name(await play(fake, tmp_path))["tls"].result is Result.RED


async def test_a_server_that_speaks_old_tls_turns_the_row_red(tmp_path):
    certificates.write(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        old.minimum_version = ssl.TLSVersion.TLSv1
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=old)
    port = server.sockets[0].getsockname()[1]
    wire = Wire(Origin.of(f"https://127.0.0.1:{port}", "--url"), Budget(9, FAST), "abc", outside.unverified())
    row = Row("tls", "tls", Severity.HIGH)
    await outside.tls(Drill(Site(wire, PAGE, "main"), ca_file=str(tmp_path / "cert.pem")), row)
    server.close()
    await server.wait_closed()
    assert [each.finding for each in row.evidence[1:]] == [Finding.BROKEN, Finding.BROKEN]


async def test_a_site_that_does_not_answer_is_red_and_nothing_of_it_green(tmp_path):
    async with running(Fake()) as fake:
        pass
    report = await play(fake, tmp_path)
    assert report.red == ["gate"]
    assert not [row for row in report.rows if row.result is Result.GREEN]


async def test_what_is_not_said_is_not_tried_and_yellow(tmp_path):
    async with running(Fake()) as fake:
        rows = by_name(await play(fake, tmp_path, backend=False, operator=False))
    for name, option in (("backend", "--backend-url"), ("operator-token", "--operator-url"), ("claim", "--wait")):
        assert rows[name].result is Result.YELLOW
        assert option in rows[name].not_tried[0]


async def test_no_more_requests_than_allowed_and_the_rest_is_said_not_to_be_tried(tmp_path):
    async with running(Fake()) as fake:
        report = await play(fake, tmp_path, most=60)
        assert len(fake.seen) <= 60
    assert report.requests <= 60
    row = by_name(report)["forged"]
    assert row.result is Result.YELLOW
    assert "60 requests" in row.not_tried[0]


async def test_every_place_taken_is_given_back(tmp_path):
    async with running(Fake()) as fake:
        report = await play(fake, tmp_path, told=calls_when_asked(fake), wait_s=20)
        assert fake.ended == set(range(1, fake.tail + 1))
    assert report.numbers_used == fake.tail


async def test_places_that_cannot_be_given_back_are_told(tmp_path):
    async with running(Fake(stubborn=True)) as fake:
        row = by_name(await play(fake, tmp_path))["cleaned-up"]
    assert row.result is Result.YELLOW
    assert "could not be given back" in row.not_tried[0]


async def test_every_request_is_marked_and_no_token_is_in_the_report(tmp_path):
    async with running(Fake()) as fake:
        report = await play(fake, tmp_path, told=calls_when_asked(fake), wait_s=20)
        http = [request for request in fake.seen if request.version.startswith("HTTP/")]
        assert {request.get("Sunbeon-Drill") for request in http if request.version != "HTTP/0.9"} == {"abc"}
    text = str(report.as_json())
    assert TOKEN not in text
    assert not [token for token in fake.good if token.rpartition(".")[2] in text]
