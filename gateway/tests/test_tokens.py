"""Operators' tokens: shown once, kept as hashes, none any more within a second."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.tokens import FIRST, Principal, Role, TokenFileProblem, Tokens, create, read, revoke

NOW_S = 1_626_692_400
DAY_S = 86_400


@pytest.fixture
def path(tmp_path):
    return tmp_path / "var" / "operators.json"


def test_each_role_may_do_what_those_before_it_may():
    assert [[role.may(wanted) for wanted in Role] for role in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_a_token_names_its_holder_and_no_other_text_does(path):
    kim = create(path, "kim", Role.OPERATOR, now_s=NOW_S)
    lee = create(path, "lee", Role.VIEWER, now_s=NOW_S)
    tokens = Tokens(path, "first-token")
    assert tokens.find(kim, NOW_S) == Principal("kim", Role.OPERATOR)
    assert tokens.find(lee, NOW_S) == Principal("lee", Role.VIEWER)
    assert tokens.find("first-token", NOW_S) == Principal(FIRST, Role.ADMIN)
    for wrong in ("", "first-toke", kim[:-1], kim + "=", kim.upper(), read(path)[0].hash, "\udcff"):
        assert tokens.find(wrong, NOW_S) is None


def test_a_token_that_has_expired_is_none(path):
    kim = create(path, "kim", Role.ADMIN, now_s=NOW_S, days=1)
    tokens = Tokens(path, "first")
    assert tokens.find(kim, NOW_S + DAY_S - 1) is not None
    assert tokens.find(kim, NOW_S + DAY_S) is None


def test_a_token_made_or_revoked_while_the_gateway_runs_counts_at_once(path):
    tokens = Tokens(path, "first")
    kim = create(path, "kim", Role.VIEWER, now_s=NOW_S)
    assert tokens.find(kim, NOW_S) is not None
    revoke(path, "kim")
    assert tokens.find(kim, NOW_S) is None
    assert create(path, "kim", Role.VIEWER, now_s=NOW_S) != kim


def test_a_file_that_cannot_be_read_for_a_moment_counts_again_when_it_can_and_is_said_once(path, monkeypatch, caplog):
    kim = create(path, "kim", Role.VIEWER, now_s=NOW_S)
    tokens = Tokens(path, "first")
    lee = create(path, "lee", Role.VIEWER, now_s=NOW_S)

    def too_many_files(_: Path) -> bytes:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", too_many_files)
        assert [tokens.find(kim, NOW_S) for _ in range(3)] == [None] * 3
    assert tokens.find(kim, NOW_S) is not None
    assert tokens.find(lee, NOW_S) is not None
    assert caplog.text.count("cannot be used") == 1


def test_of_many_who_change_the_file_at_once_none_undoes_what_another_did(path):
    create(path, "gone", Role.ADMIN, now_s=NOW_S)
    names = [f"kim-{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        made = [threads.submit(create, path, name, Role.VIEWER, now_s=NOW_S) for name in names[:10]]
        ended = threads.submit(revoke, path, "gone")
        made += [threads.submit(create, path, name, Role.VIEWER, now_s=NOW_S) for name in names[10:]]
    assert [*(each.exception() for each in made), ended.exception()] == [None] * 21
    assert {each.name for each in read(path)} == set(names)


def test_the_file_is_its_owners_and_holds_no_token(path):
    kim = create(path, "kim", Role.VIEWER, now_s=NOW_S)
    assert path.stat().st_mode & 0o777 == 0o600
    assert kim.removeprefix("sbo_") not in path.read_text()


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"version": 2, "tokens": []}', '{"version": 1, "tokens": [{"name": "x"}]}']
)
def test_a_file_that_is_damaged_lets_nobody_in_but_the_first(path, damage, caplog):
    kim = create(path, "kim", Role.ADMIN, now_s=NOW_S)
    tokens = Tokens(path, "first")
    path.write_text(damage)
    for _ in range(3):
        assert tokens.find(kim, NOW_S) is None
    assert tokens.find("first", NOW_S) is not None
    assert caplog.text.count("the operators' tokens cannot be used") == 1
    with pytest.raises(TokenFileProblem, match=re.escape(str(path))):
        Tokens(path, "first")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "king"),
        ("hash", "00"),
        ("hash", 7),
        ("expires_s", "soon"),
        ("created_s", None),
        ("more", 1),
        ("name", 3),
    ],
)
def test_what_is_no_token_is_said(path, field, value):
    create(path, "kim", Role.ADMIN, now_s=NOW_S)
    data = json.loads(path.read_text())
    data["tokens"][0][field] = value
    path.write_text(json.dumps(data))
    with pytest.raises(TokenFileProblem, match="not a token"):
        read(path)


def test_a_file_that_others_may_read_is_refused(path):
    create(path, "kim", Role.ADMIN, now_s=NOW_S)
    path.chmod(0o640)
    with pytest.raises(TokenFileProblem, match="others may read it"):
        Tokens(path, "first")


@pytest.mark.parametrize("name", ["", "first", "a b", "-x", "x" * 61, "김", "a\n"])
def test_a_name_that_cannot_be_put_on_record_is_refused(path, name):
    with pytest.raises(TokenFileProblem, match="is no name"):
        create(path, name, Role.VIEWER, now_s=NOW_S)


def test_nobody_has_two_tokens_and_none_is_revoked_twice(path):
    create(path, "kim", Role.VIEWER, now_s=NOW_S)
    with pytest.raises(TokenFileProblem, match="revoke it first"):
        create(path, "kim", Role.ADMIN, now_s=NOW_S)
    revoke(path, "kim")
    with pytest.raises(TokenFileProblem, match="no token of kim"):
        revoke(path, "kim")


def test_without_a_first_token_there_is_no_api(path):
    with pytest.raises(ValueError, match="needs a token"):
        Tokens(path, "")


def test_the_command_shows_a_token_once(path, capsys):
    assert main(["token", "create", "--role", "operator", "--name", "kim", "--days", "30", "--file", str(path)]) == 0
    token = capsys.readouterr().out.strip()
    assert Tokens(path, "first").find(token, read(path)[0].created_s) == Principal("kim", Role.OPERATOR)
    assert main(["token", "list", "--file", str(path)]) == 0
    told = capsys.readouterr().out
    assert re.fullmatch(r"kim +operator +since \d{4}-\d\d-\d\d  until \d{4}-\d\d-\d\d\n", told)
    assert main(["token", "revoke", "kim", "--file", str(path)]) == 0
    assert main(["token", "revoke", "kim", "--file", str(path)]) == 1
    assert "has no token of kim" in capsys.readouterr().err


@pytest.mark.parametrize("days", ["0", "-1", "ten", "99999"])
def test_days_that_are_none_are_a_wrong_command(path, days, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["token", "create", "--role", "viewer", "--name", "kim", "--days", days, "--file", str(path)])
    assert stop.value.code == 2
    assert not path.exists()
