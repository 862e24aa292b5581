"""The command `sunbeon`: what it prints, and the code it ends with."""

import subprocess
import sys

import pytest

from gateway import cli, demo, keys
from gateway.edge.tests.tls import certificates

GOOD = """
[gateway]
keys_file = "{folder}/keys.json"
operator_token_file = "{folder}/operator.token"
store = "sqlite:///{folder}/queue.db"
{gateway}

[upstream]
servers = ["http://127.0.0.1:9"]

[[room]]
name = "vaccine"
{room}
"""


@pytest.fixture
def config(tmp_path):
    """A settings file in order, with its keys; `write` again to spoil it."""
    keys.create(tmp_path / "keys.json")
    path = tmp_path / "sunbeon.toml"

    def write(gateway: str = "", room: str = "") -> str:
        path.write_text(GOOD.format(folder=tmp_path, gateway=gateway, room=room), encoding="utf-8")
        return str(path)

    write()
    return write


def run(*words: str, environ=None) -> int:
    return cli.main(words, environ=environ or {})


def test_settings_in_order_are_said_to_be(config, capsys):
    path = config()
    assert run("check", path) == 0
    assert capsys.readouterr().out == f"{path}: 1 room(s), no problems\n"


def test_all_that_is_wrong_with_the_settings_is_printed_by_name(config, capsys):
    assert run("check", config('workers = "x"\ncolour = 1', "total_active_users = -1")) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    for name in ("gateway.workers", "gateway.colour", "room[0].total_active_users"):
        assert f"sunbeon: {name}: " in printed.err
    assert "Traceback" not in printed.err


def test_all_that_is_wrong_with_the_files_is_printed_by_name(config, capsys, tmp_path):
    (tmp_path / "keys.json").chmod(0o644)
    text = (tmp_path / "sunbeon.toml").read_text().replace("sqlite:///", "mysql:///")
    (tmp_path / "sunbeon.toml").write_text(text + 'templates = "nowhere"\n')
    assert run("check", str(tmp_path / "sunbeon.toml")) == 2
    printed = capsys.readouterr().err
    for name in ("gateway.keys_file", "gateway.store", "room.vaccine.templates"):
        assert f"sunbeon: {name}: " in printed


def test_a_missing_key_file_is_told_with_the_remedy(config, capsys, tmp_path):
    (tmp_path / "keys.json").unlink()
    assert run("check", config()) == 2
    assert "sunbeon keys create" in capsys.readouterr().err


def test_a_template_that_does_not_work_is_told(config, capsys, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "waiting.html").write_text("{{ nobody_knows }}")
    assert run("check", config(room=f'templates = "{tmp_path}/own"')) == 2
    printed = capsys.readouterr().err
    assert f"room.vaccine.templates: {tmp_path}/own/waiting.html" in printed
    assert "nobody_knows" in printed


def test_a_certificate_that_cannot_be_used_is_told_before_anything_starts(config, capsys, tmp_path):
    path = config(f'tls_certificate = "{tmp_path}/cert.pem"\ntls_key = "{tmp_path}/key.pem"')
    for command in (("check", path), ("gateway", "--config", path)):
        assert run(*command) == 2
        assert (
            f"sunbeon: gateway.tls_certificate: {tmp_path}/cert.pem: cannot be read: No such" in capsys.readouterr().err
        )


def test_a_file_of_authorities_that_holds_none_is_told_before_anything_starts(config, capsys, tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    config()
    path = tmp_path / "sunbeon.toml"
    path.write_text(
        path.read_text()
        .replace("[upstream]", f'[upstream]\ntls_ca_file = "{tmp_path}/ca.pem"')
        .replace("http://", "https://")
    )
    assert run("check", str(path)) == 2
    assert f"upstream.tls_ca_file: {tmp_path}/ca.pem: holds no certificate" in capsys.readouterr().err


def test_an_expired_certificate_is_a_warning(config, capsys, tmp_path):
    certificates.write(tmp_path, begins=-2 * certificates.DAY, ends=-certificates.DAY)
    assert run("check", config(f'tls_certificate = "{tmp_path}/cert.pem"\ntls_key = "{tmp_path}/key.pem"')) == 0
    printed = capsys.readouterr()
    assert printed.out.endswith("no problems\n")
    assert f"sunbeon: warning: gateway.tls_certificate: {tmp_path}/cert.pem: expired at" in printed.err


def test_check_reads_no_store_and_makes_no_file(config, tmp_path):
    path = config()
    before = sorted(entry.name for entry in tmp_path.iterdir())
    run("check", path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == before


def test_the_environment_is_checked_too(config, capsys):
    assert run("check", config(), environ={"SUNBEON_GATEWAY__WORKERS": "0", "SUNBEON_NONSENSE": "1"}) == 2
    printed = capsys.readouterr().err
    assert "SUNBEON_NONSENSE: unknown variable" in printed
    assert "gateway.workers" in printed


def test_a_file_that_is_not_there_is_wrong(capsys):
    assert run("check", "/nowhere/sunbeon.toml") == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["gateway", "demo"])
def test_nothing_starts_with_settings_that_are_wrong(config, capsys, command):
    assert run(command, "--config", config("workers = 0")) == 2
    assert "gateway.workers" in capsys.readouterr().err


def test_a_gateway_does_not_start_with_keys_others_can_read(config, capsys, tmp_path):
    (tmp_path / "keys.json").chmod(0o640)
    assert run("gateway", "--config", config()) == 2
    assert "make it 600" in capsys.readouterr().err


def test_the_settings_file_can_come_from_the_environment(config, capsys):
    assert run("gateway", environ={"SUNBEON_CONFIG": config("workers = 0")}) == 2
    assert "gateway.workers" in capsys.readouterr().err


def test_a_flag_is_checked_like_a_setting(config, capsys):
    assert run("gateway", "--config", config(), "--listen", "nowhere") == 2
    assert "gateway.listen" in capsys.readouterr().err


def test_the_demos_own_settings_are_in_order(capsys, tmp_path):
    text = demo.CONFIG.read_text(encoding="utf-8").replace("var/", f"{tmp_path}/")
    (tmp_path / "demo.toml").write_text(text, encoding="utf-8")
    keys.create(tmp_path / "keys.json")
    assert run("check", str(tmp_path / "demo.toml")) == 0


@pytest.mark.parametrize("words", [(), ("fly",), ("keys",), ("keys", "eat"), ("check",), ("gateway", "--workers", "x")])
def test_a_command_line_that_is_none_ends_with_2(words):
    with pytest.raises(SystemExit) as caught:
        run(*words)
    assert caught.value.code == 2


# Keys


def test_keys_are_made_rotated_listed_and_retired(tmp_path, capsys):
    path = str(tmp_path / "keys.json")
    assert run("keys", "create", "--file", path, "--algorithm", "EdDSA") == 0
    assert run("keys", "rotate", "--file", path, "--sign-after-s", "0") == 0
    capsys.readouterr()
    assert run("keys", "list", "--file", path) == 0
    listed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(use, state) for _, use, _, _, state in listed] == [
        ("cookies", "valid"), ("backend", "valid"), ("cookies", "signs"), ("backend", "signs"),
    ]  # fmt: skip
    assert run("keys", "retire", listed[0][0], "--file", path) == 0
    capsys.readouterr()
    run("keys", "list", "--file", path)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_rotation_gives_time_to_copy_the_keys_before_they_sign(tmp_path, capsys):
    path = str(tmp_path / "keys.json")
    run("keys", "create", "--file", path)
    assert run("keys", "rotate", "--file", path) == 0
    assert "known now and sign from 20" in capsys.readouterr().out
    run("keys", "list", "--file", path)
    listed = [line.split(maxsplit=4)[4].split(" 20")[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == ["signs", "signs", "signs from", "signs from"]
    with pytest.raises(SystemExit):
        run("keys", "rotate", "--file", path, "--sign-after-s", "-1")


def test_a_list_of_keys_shows_no_secret(tmp_path, capsys):
    path = tmp_path / "keys.json"
    run("keys", "create", "--file", str(path))
    run("keys", "list", "--file", str(path))
    printed = capsys.readouterr()
    for secret in (part for part in path.read_text().split('"') if len(part) > 40):
        assert secret not in printed.out + printed.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("create",), "exists already"),
        (("retire", "nothing"), "has no key nothing"),
    ],
)
def test_what_cannot_be_done_with_keys_is_said_and_ends_with_1(tmp_path, capsys, words, says):
    path = str(tmp_path / "keys.json")
    run("keys", "create", "--file", path)
    assert run("keys", *words, "--file", path) == 1
    assert says in capsys.readouterr().err


def test_keys_that_cannot_be_written_are_said_and_end_with_1(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run("keys", "create", "--file", str(tmp_path / "file" / "keys.json")) == 1
    assert capsys.readouterr().err.startswith("sunbeon: ")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_is_known_and_told_of(command, capsys):
    for words in ((command, "--help"), ("--help",)):
        with pytest.raises(SystemExit) as ended:
            run(*words)
        assert ended.value.code == 0
        assert command in capsys.readouterr().out


def test_a_word_that_is_no_command_is_wrong(capsys):
    with pytest.raises(SystemExit) as ended:
        run("gatway")
    assert ended.value.code == 2
    assert "gatway" in capsys.readouterr().err


def test_a_command_does_not_wait_for_what_only_others_need(tmp_path):
    words = ["token", "list", "--file", str(tmp_path / "operators.json")]
    code = f"import sys; from gateway.cli import main; main({words!r}); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert "gateway.commands.token" in modules
    assert not {"aiohttp", "pydantic", "jinja2", "gateway.app"} & set(modules)
