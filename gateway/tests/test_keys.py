"""The key file: made private, rotated without anyone losing a place, refused with a reason when it is not in order."""

import json
import stat
from pathlib import Path

import pytest

from gateway import keys
from gateway.keys import BACKEND_FILE, KeyFileProblem, KeyStore
from gateway.room.ticket import BadToken, Ticket, sign, verify
from shared.passes import PassClaims, PassForged, read_keys
from shared.passes import sign as sign_pass
from shared.passes import verify as verify_pass
from shared.wire import How

CLAIMS = PassClaims("vaccine", "id", How.LINE, 1, 2, 2, None, 1, 1_000, 1_060)


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "keys.json"
    keys.create(made)
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def rewrite(path: Path, change) -> None:
    """Let `change` alter the file's content, as an editor would."""
    data = json.loads(path.read_bytes())
    change(data)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
def test_new_files_are_for_their_owner_alone(tmp_path, algorithm):
    keys.create(tmp_path / "sub" / "keys.json", algorithm=algorithm)
    assert {entry.name: mode(entry) for entry in (tmp_path / "sub").iterdir()} == {
        "keys.json": 0o600,
        BACKEND_FILE: 0o600,
    }


def test_rotation_keeps_files_for_their_owner_and_leaves_nothing_behind(path):
    keys.rotate(path)
    assert {entry.name: mode(entry) for entry in path.parent.iterdir()} == {"keys.json": 0o600, BACKEND_FILE: 0o600}


def test_an_existing_file_is_never_overwritten(path):
    before = path.read_bytes()
    with pytest.raises(KeyFileProblem, match="exists already"):
        keys.create(path)
    assert path.read_bytes() == before


def test_two_files_hold_nothing_in_common(tmp_path, path):
    other = tmp_path / "other" / "keys.json"
    keys.create(other)
    ticket = sign(Ticket(1, 1, 0), "vaccine", keys.load(path).cookies)
    with pytest.raises(BadToken):
        verify(ticket, "vaccine", keys.load(other).cookies)


def test_a_rotation_signs_anew_and_honours_what_was_signed_before(path):
    before = keys.load(path)
    ticket, proof = sign(Ticket(1, 7, 0), "vaccine", before.cookies), sign_pass(CLAIMS, before.backend)
    keys.rotate(path)
    after = keys.load(path)
    assert after.cookies.current != before.cookies.current
    assert after.backend.kid != before.backend.kid
    assert verify(ticket, "vaccine", after.cookies) == Ticket(1, 7, 0)
    assert verify_pass(proof, read_keys(path.parent / BACKEND_FILE), now_s=1_010) == CLAIMS


def test_a_new_key_is_known_at_once_and_signs_when_its_time_has_come(path):
    now = [1_000_000.0]
    here = KeyStore(path, wall=lambda: now[0])
    before = here.current
    keys.rotate(path, sign_after_s=300, wall=lambda: now[0])
    assert here.refresh()
    assert (here.current.cookies.current, here.current.backend.kid) == (before.cookies.current, before.backend.kid)
    pending = {info.kid: info.signs_from for info in keys.describe(path, wall=lambda: now[0]) if info.signs_from}
    assert set(pending.values()) == {"1970-01-12T13:51:40+00:00"}
    # A machine whose clock is ahead signs with it first, and is understood.
    there = keys.load(path, wall=lambda: now[0] + 300)
    assert {there.cookies.current, there.backend.kid} == set(pending)
    assert verify(sign(Ticket(1, 7, 0), "vaccine", there.cookies), "vaccine", here.current.cookies) == Ticket(1, 7, 0)
    now[0] += 299.9
    assert not here.refresh()
    now[0] += 0.1
    assert here.refresh()
    assert {here.current.cookies.current, here.current.backend.kid} == set(pending)
    assert not here.refresh()
    assert not any(info.signs_from for info in keys.describe(path, wall=lambda: now[0]))


def test_the_key_that_signs_until_another_does_cannot_be_retired_and_the_other_can(path):
    old = keys.load(path).cookies.current
    keys.rotate(path, sign_after_s=300)
    new = next(info.kid for info in keys.describe(path) if info.signs_from and info.use == "cookies")
    with pytest.raises(KeyFileProblem, match="signs at present"):
        keys.retire(path, old)
    keys.retire(path, new)
    assert keys.load(path).cookies.current == old


@pytest.mark.parametrize("moment", ["soon", "2026-01-01T00:00:00", 5])
def test_a_key_whose_time_to_sign_cannot_be_read_is_told(path, moment):
    rewrite(path, lambda data: data["keys"][-1].update(signs_from=moment))
    with pytest.raises(KeyFileProblem, match="signs_from"):
        keys.load(path)


def test_backends_know_a_new_key_before_anything_is_signed_with_it(path, monkeypatch):
    seen: list[str] = []
    monkeypatch.setattr(keys, "replace_privately", lambda target, _content: seen.append(target.name))
    keys.rotate(path)
    assert seen == [BACKEND_FILE, "keys.json"]


def test_a_rotation_may_change_the_algorithm_and_later_ones_keep_it(path):
    keys.rotate(path, algorithm="EdDSA")
    assert keys.load(path).backend.algorithm == "EdDSA"
    keys.rotate(path)
    assert [info.algorithm for info in keys.describe(path) if info.use == "backend"] == ["HS256", "EdDSA", "EdDSA"]
    assert len(keys.load(path).public_jwks) == 2


def test_with_eddsa_a_backend_holds_nothing_it_could_sign_with(tmp_path):
    path = tmp_path / "keys.json"
    keys.create(path, algorithm="EdDSA")
    for key in json.loads((tmp_path / BACKEND_FILE).read_bytes())["keys"]:
        assert {"d", "k"}.isdisjoint(key)
    proof = sign_pass(CLAIMS, keys.load(path).backend)
    assert verify_pass(proof, read_keys(tmp_path / BACKEND_FILE), now_s=1_010) == CLAIMS


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
def test_a_backend_never_gets_what_signs_places_in_line(tmp_path, algorithm):
    path = tmp_path / "keys.json"
    keys.create(path, algorithm=algorithm)
    secrets = [key["k"] for key in json.loads(path.read_bytes())["keys"] if key["use"] == "cookies"]
    assert len(secrets) == 1
    assert secrets[0] not in (tmp_path / BACKEND_FILE).read_text()


def test_what_a_retired_key_signed_is_refused(path):
    before = keys.load(path)
    ticket, proof = sign(Ticket(1, 7, 0), "vaccine", before.cookies), sign_pass(CLAIMS, before.backend)
    keys.rotate(path)
    keys.retire(path, before.cookies.current)
    keys.retire(path, before.backend.kid)
    with pytest.raises(BadToken):
        verify(ticket, "vaccine", keys.load(path).cookies)
    with pytest.raises(PassForged):
        verify_pass(proof, read_keys(path.parent / BACKEND_FILE), now_s=1_010)


def test_the_signing_keys_cannot_be_retired(path):
    for info in keys.describe(path):
        with pytest.raises(KeyFileProblem, match="rotate first"):
            keys.retire(path, info.kid)


def test_a_key_that_is_not_there_cannot_be_retired(path):
    with pytest.raises(KeyFileProblem, match="has no key nothing"):
        keys.retire(path, "nothing")


def test_an_algorithm_nobody_knows_changes_nothing(path):
    before = path.read_bytes()
    with pytest.raises(KeyFileProblem, match="choose one of HS256, EdDSA"):
        keys.rotate(path, algorithm="none")
    assert path.read_bytes() == before


def test_no_secret_is_shown(path):
    loaded = keys.load(path)
    shown = f"{loaded!r} {loaded.cookies!r} {keys.describe(path)!r} {KeyStore(path)!r}"
    for key in json.loads(path.read_bytes())["keys"]:
        assert key["k"] not in shown
    assert "secrets" not in shown


def test_of_a_key_for_backends_no_secret_is_shown(path):
    shown = repr(keys.load(path).backend)
    secret = keys.load(path).backend.key
    assert repr(secret) not in shown


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o644, 0o660, 0o610])
def test_a_file_that_others_may_touch_is_refused_with_the_remedy(path, bits):
    path.chmod(bits)
    with pytest.raises(KeyFileProblem, match=f"mode {bits:o}.*make it 600"):
        keys.load(path)


def test_a_missing_file_is_told_with_the_remedy(tmp_path):
    with pytest.raises(KeyFileProblem, match="sunbeon keys create"):
        keys.load(tmp_path / "keys.json")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"version": 2, "keys": []}', '{"version": 1, "keys": 5}', '{"keys": []}']
)
def test_a_damaged_file_is_told_by_name(path, content):
    path.write_text(content)
    with pytest.raises(KeyFileProblem, match=r"keys\.json"):
        keys.load(path)


@pytest.mark.parametrize("field", ["kid", "use", "alg", "kty", "k", "created"])
@pytest.mark.parametrize("use", ["cookies", "backend"])
def test_a_key_that_lacks_something_is_told_and_nothing_worse(path, use, field):
    rewrite(path, lambda data: [key.pop(field) for key in data["keys"] if key["use"] == use])
    with pytest.raises(KeyFileProblem):
        keys.load(path)


@pytest.mark.parametrize("secret", ["", "AAAA", "not base64 at all!", "é", "A" * 42])
@pytest.mark.parametrize("use", ["cookies", "backend"])
def test_a_secret_too_short_to_be_one_signs_nothing(path, use, secret):
    rewrite(path, lambda data: [key.update(k=secret) for key in data["keys"] if key["use"] == use])
    with pytest.raises(KeyFileProblem):
        keys.load(path)


@pytest.mark.parametrize("use", ["cookies", "backend"])
def test_a_file_without_a_key_for_either_use_is_refused(path, use):
    rewrite(path, lambda data: data.update(keys=[key for key in data["keys"] if key["use"] != use]))
    with pytest.raises(KeyFileProblem, match="needs a key for cookies and a key for backends"):
        keys.load(path)


def test_a_running_program_sees_a_rotation(path):
    store = KeyStore(path)
    ticket = sign(Ticket(1, 7, 0), "vaccine", store.current.cookies)
    assert not store.refresh()
    keys.rotate(path)
    assert store.refresh()
    assert store.current.cookies.current in {info.kid for info in keys.describe(path) if info.signs}
    assert verify(ticket, "vaccine", store.current.cookies) == Ticket(1, 7, 0)
    assert not store.refresh()


@pytest.mark.parametrize("damage", ["remove", "truncate", "open to all", "half a key"])
def test_a_running_program_keeps_its_keys_while_the_file_is_not_in_order(path, damage):
    store = KeyStore(path)
    before = store.current
    good = path.read_bytes()
    match damage:
        case "remove":
            path.unlink()
        case "truncate":
            path.write_bytes(good[:40])
        case "open to all":
            path.write_bytes(good + b"\n")
            path.chmod(0o644)
        case _:
            rewrite(path, lambda data: data["keys"][0].pop("k"))
    assert not store.refresh()
    assert store.current is before
    path.unlink(missing_ok=True)
    keys.create(path)
    assert store.refresh()


@pytest.mark.parametrize("damage", [b"", b"{", None])
def test_a_key_file_that_cannot_be_read_again_is_logged_once_and_without_secrets(path, caplog, damage):
    store = KeyStore(path)
    secrets = [key["k"] for key in json.loads(path.read_bytes())["keys"]]
    good = path.read_bytes()
    for _ in range(2):
        caplog.clear()
        if damage is None:
            path.unlink()
        else:
            path.write_bytes(damage)
        for _ in range(3):
            assert not store.refresh()
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("gateway.keys", "ERROR")
        assert str(path) in record.why
        assert not any(secret in str(record.__dict__) for secret in secrets)
        # In order again, and then not: that is news again.
        path.write_bytes(good)
        path.chmod(0o600)
        assert store.refresh()
        assert len(caplog.records) == 1


def test_a_key_file_made_private_again_is_read_though_its_stamp_stays(path):
    store = KeyStore(path)
    keys.rotate(path)
    path.chmod(0o644)
    assert not store.refresh()
    path.chmod(0o600)
    assert store.refresh()
