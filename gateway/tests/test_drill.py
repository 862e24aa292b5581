"""The drill against the real gateway and booking site, by its command."""

import json
import socket
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest

from gateway.cli import main
from gateway.edge.tests.tls.certificates import write
from gateway.tests.stand import Stand, without_turn


def command(stand, *more):
    return [
        "drill", "--url", f"{stand.url}/booking", "--operator-url", stand.operator_url,
        "--operator-token-file", str(stand.folder / "operator.token"), "--per-second", "100", *more,
    ]  # fmt: skip


@pytest.mark.slow
def test_all_is_green_at_a_gateway_as_it_is_shipped(stand):
    holder = stand.visitor()
    holder.enter()
    report = stand.folder / "report.json"
    more = ("--backend-url", stand.backend_url, "--config", str(stand.config), "--wait", "60", "--report", str(report))
    program = [sys.executable, "-m", "gateway", *command(stand, *more, "--strict")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=stand.folder) as process:
        assert process.stdout is not None
        shown = ""
        for line in process.stdout:
            shown += line
            if " tls " in line:
                # All that somebody who waits can do was done: now the drill's turn comes.
                holder.leave()
    assert process.returncode == 0, shown
    told = json.loads(report.read_text())
    assert (told["red"], told["yellow"]) == ([], [])
    assert told["requests"] <= 200
    assert told["room"] == "vaccine"
    assert told["settings_version"] == stand.room()["settings"]["version"]
    # The drill let nobody in, took nothing along, and is counted.
    assert without_turn(stand.requests(), stand.admissions()) == []
    room = stand.room()
    assert (room["waiting"], room["live"]) == (0, 0)
    assert room["counters"]["drill"] > 50
    assert stand.token not in shown + report.read_text()
    operator = ["--operator-url", stand.operator_url, "--operator-token-file", str(stand.folder / "operator.token")]
    assert main(["room", "arm", "vaccine", "--drill", str(report), *operator]) == 0
    assert stand.room()["armed"]["drill"] == told["drill"]


def test_a_room_that_lets_everybody_through_is_red(stand, capsys):
    stand.patch(state="passthrough")
    assert main(command(stand)) == 1
    assert "RED     critical  gate" in capsys.readouterr().out


def test_a_room_for_part_of_the_site_has_no_red_row(tmp_path, show, capsys):
    with Stand(tmp_path, room={"paths": ["/booking"], "hosts": ["127.0.0.1"]}) as stand:
        show(stand)
        stand.visitor().enter("/booking")
        assert main(command(stand, "--backend-url", stand.backend_url, "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["red"] == []
    assert {row["name"]: row["result"] for row in told["rows"]}["operator-paths"] == "green"


@pytest.mark.parametrize(("trusted", "days", "result"), [(True, 60, "green"), (True, 3, "yellow"), (False, 60, "red")])
def test_a_certificate_is_judged_as_a_browser_would_and_old_tls_is_tried(tmp_path, show, capsys, trusted, days, result):
    write(tmp_path, ends=timedelta(days=days))
    files = {"tls_certificate": str(tmp_path / "cert.pem"), "tls_key": str(tmp_path / "key.pem")}
    with Stand(tmp_path, gateway=files) as stand:
        show(stand)
        stand.patch(state="paused")
        more = ["--ca-file", str(tmp_path / "cert.pem")] if trusted else []
        main(command(stand, "--json", *more))
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert rows["tls"]["result"] == result
    assert [each["finding"] for each in rows["tls"]["evidence"][1:]] == ["held", "held"]
    assert rows["cookies"]["result"] == "green"
    assert {each["what"] for each in rows["cookies"]["evidence"]} == {"HttpOnly", "SameSite=Lax", "Path=/", "Secure"}
    assert rows["paths"]["result"] == "green"


@pytest.mark.parametrize("trusted", [True, False])
def test_the_operators_token_goes_to_nobody_whose_certificate_is_not_trusted(tmp_path, capsys, trusted):
    write(tmp_path)
    (tmp_path / "token").write_text("sbo_secret")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    heard = []

    def listen(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                    heard.append(secured.recv(65_536))

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as thread:
        thread.submit(listen, listener)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        more = ["--ca-file", str(tmp_path / "cert.pem")] if trusted else []
        words = ["--operator-url", url, "--operator-token-file", str(tmp_path / "token"), "--json", *more]
        assert main(["drill", "--url", "http://127.0.0.1:1/", *words]) == 1
        listener.shutdown(socket.SHUT_RDWR)
    assert any(b"sbo_secret" in each for each in heard) == trusted
    assert "sbo_secret" not in capsys.readouterr().out


def test_a_ca_file_that_holds_no_certificate_is_said(tmp_path, capsys):
    (tmp_path / "ca.pem").write_text("nothing")
    for file in ("ca.pem", "none.pem"):
        assert main(["drill", "--url", "http://127.0.0.1:1/", "--ca-file", str(tmp_path / file)]) == 2
        assert f"--ca-file: {tmp_path / file}: " in capsys.readouterr().err


def test_the_access_log_marks_a_drill_by_its_id(tmp_path, show, capsys):
    log = tmp_path / "access.log"
    with Stand(tmp_path / "stand", gateway={"access_log": str(log)}) as stand:
        show(stand)
        main(command(stand, "--json"))
        stand.visitor().ask("GET", "/", headers={"Sunbeon-Drill": "not an id\u00ff"})
    drill = json.loads(capsys.readouterr().out)["drill"]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line.get("drill") for line in lines} == {drill, None}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--url", "https://booking.example/"], "--yes-this-is-mine"),
        (["--url", "http://127.0.0.1/", "--backend-url", "http://10.0.0.7/"], "--yes-this-is-mine"),
        (["--url", "http://127.0.0.1/%62ooking"], "plain path"),
        (["--url", "gopher://127.0.0.1/"], "no http"),
        (["--url", "http://127.0.0.1/", "--operator-url", "http://127.0.0.1:1", "--operator-token-file", "/no"], "/no"),
        (["--url", "http://127.0.0.1/", "--config", "/no.toml"], "no.toml"),
    ],
)
def test_what_is_asked_wrongly_is_said_and_nothing_is_sent(more, said, capsys):
    assert main(["drill", *more]) == 2
    assert said in capsys.readouterr().err
