"""The program starts, stops cleanly, and says in plain lines why it does not start."""

import json
import os
import signal
import stat
import subprocess
import sys
import urllib.request

import pytest

from booking.cli import main
from booking.secret_key import SecretError, load_secret
from booking.settings import split_listen
from booking.tests.conftest import hmac_jwk


@pytest.fixture
def config(tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [hmac_jwk("k1")]}))
    path = tmp_path / "sunbeon.toml"
    path.write_text(
        f"""
        [gateway]
        anything = "is the gateway's business"
        [booking]
        listen = "127.0.0.1:0"
        database = "sqlite+aiosqlite:///{tmp_path}/var/booking.db"
        backend_keys = "{tmp_path}/keys.json"
        secret_file = "{tmp_path}/var/secret"
        request_log = "{tmp_path}/var/requests.jsonl"
        """
    )
    return path


def test_wrong_settings_are_all_told_and_exit_2(tmp_path, capsys):
    path = tmp_path / "sunbeon.toml"
    path.write_text('[booking]\nhold_s = 1\nlanguage = "fr"\ncolour = "red"\ndatabase = "postgres://x"\n')

    code = main(["run", "--config", str(path), "--listen", "nowhere"], environ={"SUNBEON_BOOKING__SLOT_CAPACITY": "0"})

    lines = capsys.readouterr().err.splitlines()
    assert code == 2
    named = {line.split(":")[0] for line in lines}
    assert named == {
        f"booking.{key}" for key in ("hold_s", "language", "colour", "database", "listen", "slot_capacity")
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("keys.json", "keys.json: is not a JWK Set"),
        ("var/booking.db", "booking.db: file is not a database"),
        ("var/secret", "secret: is not a key of 32 bytes"),
    ],
)
def test_a_damaged_file_is_told_in_one_line_and_exits_1(config, capsys, change, reason):
    (config.parent / "var").mkdir()
    (config.parent / change).write_text("this is not what it should be "[:20])

    assert main(["run", "--config", str(config)], environ={}) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("booking: ")
    assert reason in line


def test_a_port_that_is_taken_is_told_in_one_line_and_exits_1(config, capsys, unused_tcp_port_held):
    arguments = ["run", "--config", str(config), "--listen", f"127.0.0.1:{unused_tcp_port_held}"]

    assert main(arguments, environ={}) == 1

    assert "address already in use" in capsys.readouterr().err


@pytest.fixture
def unused_tcp_port_held():
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_serves_until_a_signal_and_stops_cleanly(config, number):
    command = [sys.executable, "-m", "booking", "run", "--config", str(config)]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SUNBEON_")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[1]
            with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
                assert json.load(answer) == {"status": "ok", "rules": "ok"}
            process.send_signal(number)
            _, told = process.communicate(timeout=10)
        finally:
            process.kill()
    assert (process.returncode, told) == (0, "")


def test_the_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    path = tmp_path / "var" / "secret"
    secret = load_secret(path, None)

    assert len(secret) == 32
    assert load_secret(path, None) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret"]
    assert load_secret(path, "x" * 32) == b"x" * 32
    with pytest.raises(SecretError, match="SUNBEON_BOOKING_SECRET"):
        load_secret(path, "short")


@pytest.mark.parametrize("text", ["8090", ":8090", "::1:8090", "[::1]", "localhost:http", "localhost:70000", "a:-1"])
def test_a_wrong_address_to_listen_at_is_refused(text):
    with pytest.raises(ValueError):
        split_listen(text)


def test_addresses_to_listen_at_are_read():
    assert split_listen("[::1]:8090") == ("::1", 8090)
    assert split_listen("localhost:0") == ("localhost", 0)
